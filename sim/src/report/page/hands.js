// The mouse, the keys, the filter, the list of faults, and the words beside the pointer.

const tip = document.getElementById("tip");
const byId = (id) => document.getElementById(id);

function zoom(factor, px) {
  const at = timeAt(px);
  look(at - (at - view.from) * factor, at + (view.to - at) * factor);
}

function pan(seconds) { look(view.from + seconds, view.to + seconds); }

const perPixel = () => (view.to - view.from) / (width - NAMES);
const middle = () => NAMES + (width - NAMES) / 2;

canvas.addEventListener("wheel", (event) => {
  // Over the names the page is scrolled, as everywhere else.
  if (event.offsetX < NAMES) return;
  event.preventDefault();
  const pixels = (delta) => delta * (event.deltaMode === 1 ? 30 : 1);
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    pan(pixels(event.deltaX || event.deltaY) * perPixel());
  } else {
    zoom(Math.exp(Math.max(-240, Math.min(240, pixels(event.deltaY))) / 300), event.offsetX);
  }
}, { passive: false });

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  drag = { x: event.offsetX, y: event.clientY };
  canvas.setPointerCapture(event.pointerId);
  canvas.classList.add("dragged");
});
canvas.addEventListener("pointermove", (event) => {
  pointer = event.offsetX >= NAMES ? { x: event.offsetX, y: event.offsetY } : null;
  if (drag) {
    const by = (drag.x - event.offsetX) * perPixel();
    window.scrollBy(0, drag.y - event.clientY);
    drag = { x: event.offsetX, y: event.clientY };
    tip.hidden = true;
    return pan(by);
  }
  showTip(event);
  redraw();
});
for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => {
  drag = null;
  canvas.classList.remove("dragged");
});
canvas.addEventListener("pointerleave", () => { pointer = null; tip.hidden = true; redraw(); });
canvas.addEventListener("dblclick", (event) => zoom(0.25, event.offsetX));

/// What is under the pointer: the smallest thing there is the one that was meant.
function under(px, py) {
  let best = null;
  for (const item of items) {
    const isMark = item.shape === "mark", slack = isMark ? 7 : 2;
    const top = item.kind === "fault" && isMark ? item.y + BAND : item.y;
    if (py < top - 1 || py > top + item.h + 1) continue;
    const from = x(item.from) - slack;
    let to = x(item.to) + slack;
    if (item.isPoint) to = Math.min(x(item.room), from + 200);
    if (px < from || px > to) continue;
    const rank = (isMark ? 0 : 1e6) + (to - from) + (item.isDim ? 1e9 : 0);
    if (!best || rank < best.rank) best = { item, rank };
  }
  return best && best.item;
}

function commitAt(px, py) {
  const lane = lanes.find((lane) => lane.kind === "node" && py >= lane.y + BAND + 6 && py < lane.y + lane.h);
  if (!lane) return null;
  const at = timeAt(px), seen = lane.commits.filter((commit) => commit[0] <= at).pop();
  return seen && { title: `${lane.name}: commit index ${seen[1]}`, body: `revision ${seen[2]}`, from: seen[0], to: seen[0] };
}

function brokenAt(px) {
  if (data.violation === null || Math.abs(x(data.violation) - px) > 3) return null;
  return { title: "violation", body: data.seen, from: data.violation, to: data.violation };
}

function showTip(event) {
  const found = pointer && (brokenAt(event.offsetX) || under(event.offsetX, event.offsetY) || commitAt(event.offsetX, event.offsetY));
  tip.hidden = !found;
  if (!found) return;
  const when = found.to > found.from
    ? `${clock(found.from, 1e-6)} – ${clock(found.to, 1e-6)} s (${length(found.to - found.from)})`
    : `${clock(found.from, 1e-6)} s`;
  tip.replaceChildren();
  for (const [tag, text] of [["b", found.title], ["div", found.body], ["i", (found.lane ? `${found.lane.name}, ` : "") + when]]) {
    if (!text) continue;
    const part = document.createElement(tag);
    part.textContent = text.length > 1200 ? `${text.slice(0, 1200)} …` : text;
    tip.append(part);
  }
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 6))}px`;
  const below = event.clientY + 16;
  tip.style.top = `${below + box.height > innerHeight ? Math.max(4, event.clientY - box.height - 10) : below}px`;
}

// The filter: what does not match fades, and ‹ › go from match to match.
let matches = [];
function filter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  matches = [];
  for (const item of items) {
    const isMatch = !wanted || item.hay.includes(wanted);
    item.isDim = !isMatch && item.shape !== "band";
    if (isMatch && wanted && item.shape !== "band") matches.push(item);
  }
  matches.sort((a, b) => a.from - b.from);
  byId("found").textContent = wanted ? `${matches.length} found` : "";
  byId("next").disabled = byId("previous").disabled = !matches.length;
  redraw();
}

function go(at) {
  const span = Math.min(view.to - view.from, 4);
  look(at - span / 2, at + span / 2);
}

function stepTo(isForward) {
  const now = (view.from + view.to) / 2, hair = (view.to - view.from) * 1e-6;
  const next = isForward
    ? matches.find((item) => item.from > now + hair) || matches[0]
    : matches.filter((item) => item.from < now - hair).pop() || matches[matches.length - 1];
  if (next) go(next.from);
}

byId("filter").addEventListener("input", filter);
byId("filter").addEventListener("keydown", (event) => { if (event.key === "Enter") stepTo(!event.shiftKey); });
byId("next").addEventListener("click", () => stepTo(true));
byId("previous").addEventListener("click", () => stepTo(false));
byId("whole").addEventListener("click", lookAtAll);
byId("around").addEventListener("click", lookAtViolation);
byId("around").hidden = data.violation === null;
byId("closer").addEventListener("click", () => zoom(0.5, middle()));
byId("farther").addEventListener("click", () => zoom(2, middle()));
byId("copy").addEventListener("click", () => {
  const range = document.createRange();
  range.selectNodeContents(byId("replay"));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  // A page from a file may have no clipboard; then it is at least selected.
  if (navigator.clipboard) navigator.clipboard.writeText(byId("replay").textContent).catch(() => {});
});

document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
  const quarter = (view.to - view.from) / 4;
  const keys = {
    ArrowLeft: () => pan(-quarter), ArrowRight: () => pan(quarter), Home: lookAtAll,
    "+": () => zoom(0.5, middle()), "=": () => zoom(0.5, middle()), "-": () => zoom(2, middle()),
  };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

function listPlan() {
  if (!data.faults.length) byId("plan").textContent = "It names no faults.";
  data.faults.forEach((fault) => {
    const entry = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.disabled = fault.at === null;
    const when = fault.kept ? (fault.at === null ? "never" : `${fault.at.toFixed(2)} s`) : "left out";
    for (const [tag, text] of [["i", fault.number], ["i", when], ["span", fault.text]]) {
      const part = document.createElement(tag);
      part.textContent = text;
      if (tag === "span" && !fault.kept) part.className = "out";
      button.append(part);
    }
    button.addEventListener("click", () => go(fault.at));
    entry.append(button);
    byId("plan").append(entry);
  });
}

/// Each sign of the legend is drawn by what draws it in the lanes.
function drawLegend() {
  byId("legend").replaceChildren();
  const sign = (name, draw) => {
    const part = document.createElement("span"), small = document.createElement("canvas");
    draw(size(small, 18, 12));
    part.append(small, name);
    byId("legend").append(part);
  };
  const plain = (pen, colour) => { pen.fillStyle = colour; pen.fillRect(0, 1, 18, 10); };
  for (const kind of STATES) sign(kind, (pen) => {
    plain(pen, kind === "down" ? colours.stripe : colours[kind]);
    if (kind === "down" || kind === "halted") hatch(pen, 0, 1, 18, 10, kind === "down" ? colours.down : colours.raised);
  });
  for (const kind of ["started", "ended", "halted", "note"]) {
    const names = { started: "starts", ended: "crashes or stops", halted: "halts itself", note: "note of the service" };
    sign(names[kind], (pen) => { pen.translate(9, 6); pen.scale(0.75, 0.75); MARKS[kind](pen, 0, 0); });
  }
  sign("fault", (pen) => { pen.fillStyle = colours["faint-fault"]; pen.fillRect(0, 1, 18, 10); pen.fillStyle = colours.fault; pen.fillRect(0, 1, 3, 10); });
  for (const kind of Object.keys(OUTCOMES)) sign(`call: ${OUTCOMES[kind]}`, (pen) => {
    plain(pen, colours[kind]);
    if (kind === "unknown" || kind === "open") hatch(pen, 0, 1, 18, 10, colours.raised);
  });
  if (data.violation !== null) sign("violation", (pen) => { pen.fillStyle = colours.broken; pen.fillRect(8, 0, 2, 12); });
}

function begin() { readColours(); drawLegend(); redraw(); }

width = canvas.parentElement.clientWidth;
listPlan();
filter();
begin();
new ResizeObserver(redraw).observe(canvas.parentElement);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", begin);
if (data.violation === null) lookAtAll(); else lookAtViolation();
