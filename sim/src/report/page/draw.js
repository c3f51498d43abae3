// Draws what is looked at. The colours are the style sheet's.

const canvas = document.getElementById("lanes"), axis = document.getElementById("axis");
const AXIS = 26;
const colours = {};
let width = 0, pointer = null, isPlanned = false;

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["back", "raised", "text", "faint", "line", "stripe", "follower", "candidate", "leader", "down",
    "halted", "paused", "done", "refused", "unknown", "open", "fault", "faint-fault", "note", "commit", "broken",
    "fine", "on-band"]) colours[name] = style.getPropertyValue(`--${name}`).trim();
}

function size(target, w, h) {
  const ratio = window.devicePixelRatio || 1;
  target.width = Math.round(w * ratio);
  target.height = Math.round(h * ratio);
  target.style.height = `${h}px`;
  const pen = target.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
}

const x = (at) => NAMES + ((at - view.from) / (view.to - view.from)) * (width - NAMES);
const timeAt = (px) => view.from + ((px - NAMES) / (width - NAMES)) * (view.to - view.from);

function redraw() {
  if (isPlanned) return;
  isPlanned = true;
  requestAnimationFrame(() => { isPlanned = false; drawAll(); });
}

/// A round step that leaves some 100 pixels between two ticks.
function step() {
  const wanted = ((view.to - view.from) / (width - NAMES)) * 100;
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((n) => n * power).find((candidate) => candidate >= wanted);
}

function ticks() {
  const by = step(), all = [];
  for (let n = Math.ceil(view.from / by); n * by <= view.to; n++) if (n >= 0) all.push(n * by);
  return all;
}

/// Words in a box, cut off with … where they do not fit.
function words(pen, text, left, y, room) {
  if (room < 14) return;
  const each = 6.1;
  let shown = text;
  if (pen.measureText(shown).width > room) {
    shown = shown.slice(0, Math.max(1, Math.floor(room / each)));
    while (shown.length > 1 && pen.measureText(`${shown}…`).width > room) shown = shown.slice(0, -1);
    if (shown.length < 2 && text.length > 2) return;
    shown += "…";
  }
  pen.fillText(shown, left, y);
}

/// Strokes from corner to corner: told from a plain colour without seeing colours.
function hatch(pen, left, y, w, h, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(left, y, w, h);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let at = left - h - ((left - h) % 6); at < left + w; at += 6) {
    pen.moveTo(at, y + h);
    pen.lineTo(at + h, y);
  }
  pen.stroke();
  pen.restore();
}

function drawBand(pen, item, from, to) {
  const isAway = item.kind === "down";
  pen.fillStyle = isAway ? colours.stripe : colours[item.kind];
  pen.fillRect(from, item.y, to - from, item.h);
  if (isAway || item.kind === "halted") hatch(pen, from, item.y, to - from, item.h, isAway ? colours.down : colours.raised);
  pen.fillStyle = colours.raised;
  if (to - from > 3) pen.fillRect(to - 0.5, item.y, 0.5, item.h);
  pen.fillStyle = isAway ? colours.faint : colours["on-band"];
  // The sign of what made it begin stands on its edge.
  const left = Math.max(from + 9, NAMES + 5), room = Math.min(to, width) - left - 3;
  const full = pen.measureText(item.title).width;
  const short = item.term === null ? item.kind : `t${item.term}`;
  const text = full <= room ? item.title : pen.measureText(short).width <= room ? short : "";
  if (text && item.kind === "halted") {
    pen.fillStyle = colours.halted;
    pen.fillRect(left - 3, item.y, pen.measureText(text).width + 6, item.h);
    pen.fillStyle = colours["on-band"];
  }
  words(pen, text, left, item.y + 14, room);
}

function drawCall(pen, item, from, to) {
  const w = Math.max(to - from, item.kind === "done" ? 1.5 : 2.5);
  pen.fillStyle = colours[item.kind];
  pen.fillRect(from, item.y, w, item.h);
  if (item.kind === "unknown" || item.kind === "open") hatch(pen, from, item.y, w, item.h, colours.raised);
  if (w > 3) { pen.fillStyle = colours.raised; pen.fillRect(from + w - 0.7, item.y, 0.7, item.h); }
  const left = Math.max(from, NAMES) + 4, room = Math.min(from + w, width) - left - 2;
  if (room < 26) return;
  pen.font = "10px system-ui, sans-serif";
  pen.fillStyle = colours.back;
  const text = item.body ? `${item.title} → ${item.body}` : item.title;
  if (item.kind === "unknown" || item.kind === "open") {
    pen.fillStyle = colours[item.kind];
    pen.fillRect(left - 2, item.y, Math.min(room, pen.measureText(text).width + 4), item.h);
    pen.fillStyle = item.kind === "open" ? colours.text : colours.back;
  }
  words(pen, text, left, item.y + 9.5, room);
  pen.font = "11px system-ui, sans-serif";
}

function drawFault(pen, item, from, to) {
  const w = item.isPoint ? 0 : Math.max(to - from, 2);
  if (!item.isPoint) {
    pen.fillStyle = colours["faint-fault"];
    pen.fillRect(from, item.y, w, item.h);
  }
  pen.fillStyle = colours.fault;
  pen.fillRect(from, item.y, 3, item.h);
  if (!item.isPoint && w > 6) pen.fillRect(from + w - 1.5, item.y, 1.5, item.h);
  pen.fillStyle = colours.text;
  const left = Math.max(from, NAMES) + 6;
  words(pen, item.title, left, item.y + 11.5, Math.min(x(item.room), width) - left - 4);
}

const MARKS = {
  started(pen, at, y) { path(pen, colours.fine, [[at, y - 6], [at + 6, y + 5], [at - 6, y + 5]]); },
  ended(pen, at, y) {
    for (const [colour, thick] of [[colours.raised, 5], [colours.text, 2.5]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.beginPath();
      pen.moveTo(at - 5, y - 5); pen.lineTo(at + 5, y + 5);
      pen.moveTo(at + 5, y - 5); pen.lineTo(at - 5, y + 5);
      pen.stroke();
    }
  },
  halted(pen, at, y) {
    path(pen, colours.broken, [[at - 3, y - 7], [at + 3, y - 7], [at + 7, y - 3], [at + 7, y + 3], [at + 3, y + 7], [at - 3, y + 7], [at - 7, y + 3], [at - 7, y - 3]]);
    pen.fillStyle = colours.raised;
    pen.fillRect(at - 4, y - 1.5, 8, 3);
  },
  fault(pen, at, y) { path(pen, colours.fault, [[at, y + 13], [at + 4, y + 17], [at, y + 21], [at - 4, y + 17]]); },
  note(pen, at, y) {
    pen.fillStyle = colours.note;
    pen.strokeStyle = colours.raised;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(at, y, 4.5, 0, 7);
    pen.fill();
    pen.stroke();
  },
  healed(pen, at, y) { pen.fillStyle = colours.fine; pen.fillRect(at - 1, y - 200, 2, 400); },
};

function path(pen, colour, points) {
  pen.fillStyle = colour;
  pen.strokeStyle = colours.raised;
  pen.lineWidth = 1.5;
  pen.beginPath();
  points.forEach(([px, py], n) => (n ? pen.lineTo(px, py) : pen.moveTo(px, py)));
  pen.closePath();
  pen.fill();
  pen.stroke();
}

/// The lowest and the highest index to be seen at the moment: the same scale for all nodes, so that whoever
/// lags lies lower.
function commitRange() {
  let low = Infinity, high = -Infinity;
  for (const lane of lanes) {
    if (lane.kind !== "node") continue;
    const before = lane.commits.filter((commit) => commit[0] <= view.from).pop();
    const seen = lane.commits.filter((commit) => commit[0] > view.from && commit[0] <= view.to);
    for (const [, index] of before ? [before, ...seen] : seen) {
      low = Math.min(low, index);
      high = Math.max(high, index);
    }
  }
  return high > low ? [low, high] : [high - 1, high];
}

function drawCommits(pen, lane, [low, high]) {
  const bottom = lane.y + NODE - 6, top = lane.y + BAND + 9;
  const y = (index) => bottom - ((index - low) / (high - low)) * (bottom - top);
  pen.strokeStyle = colours.commit;
  pen.lineWidth = 1.5;
  pen.beginPath();
  let last = null;
  for (const [at, index] of lane.commits) {
    if (last === null) pen.moveTo(x(at), y(index));
    else { pen.lineTo(x(at), y(last)); pen.lineTo(x(at), y(index)); }
    last = index;
  }
  if (last !== null) pen.lineTo(x(END), y(last));
  pen.stroke();
}

function drawLane(pen, lane, n) {
  if (n % 2) { pen.fillStyle = colours.stripe; pen.fillRect(0, lane.y, width, lane.h); }
}

function drawName(pen, lane) {
  pen.fillStyle = colours.text;
  pen.font = "12px system-ui, sans-serif";
  words(pen, lane.name, 8, lane.y + (lane.kind === "node" ? 19 : 17), NAMES - 12);
  pen.font = "11px system-ui, sans-serif";
  if (lane.kind === "node" && lane.commits.length) {
    pen.fillStyle = colours.faint;
    pen.fillText("commit", 8, lane.y + NODE - 10);
  }
  pen.fillStyle = colours.line;
  pen.fillRect(0, lane.y + lane.h - 0.5, width, 0.5);
}

const DRAW = { band: drawBand, call: drawCall, fault: drawFault };

function drawSaid(pen, item) {
  pen.fillStyle = colours.text;
  const left = x(item.from) + 8;
  words(pen, item.title, left, item.y + item.h / 2 + 4, Math.min(x(item.room) - 6, width) - left);
}

function drawItems(pen, isWanted) {
  for (const item of items) {
    if (!isWanted(item)) continue;
    const from = x(item.from), to = x(item.to);
    const reach = item.isPoint || item.isSaid ? 300 : 12;
    if (to < NAMES - reach || from > width + 12) continue;
    pen.globalAlpha = item.isDim ? 0.12 : 1;
    if (item.isSaid) drawSaid(pen, item);
    if (item.shape === "mark") (MARKS[item.kind] || MARKS.note)(pen, from, item.y + item.h / 2);
    else DRAW[item.shape](pen, item, from, to);
  }
  pen.globalAlpha = 1;
}

function drawAxis() {
  const pen = size(axis, width, AXIS);
  pen.font = "11px system-ui, sans-serif";
  const by = step();
  for (const at of ticks()) {
    const px = x(at);
    pen.fillStyle = colours.line;
    pen.fillRect(px, AXIS - 6, 1, 6);
    pen.fillStyle = colours.faint;
    if (px > NAMES) pen.fillText(`${clock(at, by)} s`, px + 4, 16);
  }
  pen.fillStyle = colours.raised;
  pen.fillRect(0, 0, NAMES, AXIS);
  pen.fillStyle = colours.faint;
  pen.fillText(`${length(view.to - view.from)} wide`, 8, 16);
  if (data.violation !== null) label(pen, data.violation, "violation", colours.broken);
  if (pointer) label(pen, timeAt(pointer.x), `${clock(timeAt(pointer.x), by / 100)} s`, colours.text);
}

function label(pen, at, text, colour) {
  const px = x(at), w = pen.measureText(text).width + 10;
  if (px < NAMES || px > width) return;
  const left = Math.min(px, width - w);
  pen.fillStyle = colour;
  pen.fillRect(left, 4, w, 17);
  pen.fillStyle = colours.raised;
  pen.fillText(text, left + 5, 16);
}

function drawAll() {
  width = canvas.parentElement.clientWidth;
  const pen = size(canvas, width, height);
  pen.font = "11px system-ui, sans-serif";
  lanes.forEach((lane, n) => drawLane(pen, lane, n));
  pen.save();
  pen.beginPath();
  pen.rect(NAMES, 0, width - NAMES, height);
  pen.clip();
  pen.fillStyle = colours.line;
  for (const at of ticks()) pen.fillRect(x(at), 0, 0.5, height);
  // What is common first, so that it hides nothing rare.
  drawItems(pen, (item) => item.shape === "band" || item.kind === "done");
  drawItems(pen, (item) => item.shape === "fault" || (item.shape === "call" && item.kind !== "done"));
  const range = commitRange();
  for (const lane of lanes) {
    if (lane.kind !== "node") continue;
    pen.save();
    pen.beginPath();
    pen.rect(NAMES, lane.y + BAND + 6, width - NAMES, NODE - BAND - 6);
    pen.clip();
    drawCommits(pen, lane, range);
    pen.restore();
  }
  drawItems(pen, (item) => item.shape === "mark");
  if (data.violation !== null) {
    pen.fillStyle = colours.broken;
    pen.fillRect(x(data.violation) - 1, 0, 2, height);
  }
  if (pointer) { pen.fillStyle = colours.faint; pen.fillRect(pointer.x, 0, 0.5, height); }
  pen.restore();
  for (const lane of lanes) drawName(pen, lane);
  drawAxis();
}
