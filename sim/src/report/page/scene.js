// What there is to draw, and where from top to bottom. Knows nothing of the mouse.

const data = JSON.parse(document.getElementById("data").textContent);
const END = Math.max(data.end, 0.001);
const NAMES = 92, ROW = 15, BAND = 20, NODE = 60, SLIM = 26, FAULT = 18;
const STATES = ["leader", "candidate", "follower", "paused", "down", "halted"];
const OUTCOMES = { done: "done", refused: "refused", unknown: "outcome unknown", open: "never answered" };

/// Everything that can be pointed at: when, where, and what it says.
const items = [];
/// From top to bottom.
const lanes = [];
let height = 0;

function put(lane, at, to, y, h, kind, title, body, shape) {
  const hay = `${lane.name} ${title} ${body || ""}`.toLowerCase();
  const item = { lane, from: at, to, y: lane.y + y, h, kind, title, body, shape, hay, isDim: false };
  items.push(item);
  return item;
}

function layNode(lane) {
  lane.h = NODE;
  for (const band of lane.bands) {
    const term = band.term === null ? "" : `term ${band.term}`;
    const item = put(lane, band.from, band.to, 4, BAND, band.kind, [band.kind, term].filter(Boolean).join(", "), "", "band");
    item.term = band.term;
  }
  for (const mark of lane.marks) put(lane, mark.at, mark.at, 4, BAND, mark.kind, mark.text, "", "mark");
}

function layBars(lane, row, shape) {
  const rows = lane.bars.reduce((most, bar) => Math.max(most, bar.row + 1), 1);
  lane.h = Math.max(SLIM, rows * row + 8);
  const last = new Map();
  for (const bar of lane.bars) {
    const outcome = OUTCOMES[bar.kind];
    const body = outcome ? outcome + (bar.answer ? `: ${bar.answer}` : "") : "";
    const isPoint = shape === "fault" && bar.to === null;
    const to = isPoint ? bar.from : bar.to === null ? END : bar.to;
    const item = put(lane, bar.from, to, 4 + bar.row * row, row - 3, bar.kind, bar.text, body, shape);
    item.isPoint = isPoint;
    // Words beside a bar end where the next one begins.
    item.room = END * 2;
    if (last.has(bar.row)) last.get(bar.row).room = bar.from;
    last.set(bar.row, item);
  }
  let before = null;
  for (const mark of lane.marks) {
    const item = put(lane, mark.at, mark.at, 3, lane.h - 6, mark.kind, mark.text, "", "mark");
    // Notes say what they say where there is room: up to the next one, if no bars lie there.
    item.isSaid = mark.kind === "note" && !lane.bars.length;
    item.room = END * 2;
    if (before) before.room = mark.at;
    before = item;
  }
}

for (const lane of data.lanes) {
  lane.y = height;
  if (lane.kind === "node") layNode(lane);
  else layBars(lane, lane.kind === "faults" ? FAULT : ROW, lane.kind === "faults" ? "fault" : "call");
  height += lane.h;
  lanes.push(lane);
}

/// What is looked at, in seconds.
const view = { from: 0, to: END };

function look(from, to) {
  const least = 2e-6;
  let span = Math.min(Math.max(to - from, least), END * 1.04);
  let start = (from + to) / 2 - span / 2;
  start = Math.min(Math.max(start, -END * 0.02), END * 1.02 - span);
  view.from = start;
  view.to = start + span;
  redraw();
}

const lookAtAll = () => look(-END * 0.01, END * 1.01);
const lookAtViolation = () => look(data.violation - 3, data.violation + 0.8);

/// `12.340567`, with as many digits as a step of this size needs.
function clock(at, step) {
  const digits = Math.min(9, Math.max(0, Math.ceil(-Math.log10(step))));
  return at.toFixed(digits);
}

function length(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  if (seconds >= 1e-3) return `${(seconds * 1e3).toFixed(2)} ms`;
  return `${(seconds * 1e6).toFixed(1)} µs`;
}
