//! From moments to what is drawn: bands, bars, marks and lines, lane by lane. Knows nothing of pixels.

use std::collections::BTreeMap;

use kvorum_core::ids::{NodeId, Term};
use kvorum_core::node::Role;

use super::seconds;
use crate::Run;
use crate::json;
use crate::timeline::{Lane, Moment, Told, What};

/// Bars that overlap are drawn below one another, but not without end.
const MOST_ROWS: usize = 8;

/// What is drawn.
pub(super) struct Drawn {
    /// Each lane, as JSON.
    pub(super) lanes: Vec<String>,
    /// When each fault struck, by its number.
    pub(super) struck: BTreeMap<usize, u64>,
    /// Where the time ends.
    pub(super) end: u64,
}

/// Draws a run's lanes: what went wrong, the nodes, the clients, and what else was noted.
pub(super) fn draw(run: &Run) -> Drawn {
    let moments = run.timeline.moments();
    let last = moments.last().map_or(0, |moment| moment.at.as_nanos());
    let violation = run.violation.as_ref().map_or(0, |violation| violation.at.as_nanos());
    let end = last.max(violation).max(run.simulated.as_nanos() as u64);
    let mut lanes = Lanes { end, ..Lanes::default() };
    for id in 1..=run.nodes {
        lanes.nodes.insert(id, NodeLane::default());
    }
    for moment in moments {
        lanes.add(moment);
    }
    lanes.finish()
}

/// A stretch of time with words.
struct Bar {
    from: u64,
    /// When it was over, if that was seen.
    to: Option<u64>,
    kind: &'static str,
    text: String,
    /// What came of it.
    answer: Option<String>,
}

impl Bar {
    fn json(&self, row: usize) -> String {
        json::object([
            ("from", seconds(self.from)),
            ("to", self.to.map_or_else(|| "null".into(), seconds)),
            ("kind", json::text(self.kind)),
            ("text", json::text(&self.text)),
            ("answer", json::maybe(self.answer.as_deref())),
            ("row", row.to_string()),
        ])
    }
}

/// Bars in as few rows as will do. One whose end was not seen takes up `unended` of its row.
fn rows(bars: &[Bar], unended: u64) -> String {
    let mut free: Vec<u64> = Vec::new();
    json::list(bars.iter().map(|bar| {
        let row = free.iter().position(|at| *at <= bar.from).unwrap_or(free.len()).min(MOST_ROWS - 1);
        let to = bar.to.unwrap_or(bar.from + unended);
        match free.get_mut(row) {
            Some(at) => *at = (*at).max(to),
            None => free.push(to),
        }
        bar.json(row)
    }))
}

fn mark(at: u64, kind: &str, text: &str) -> String {
    json::object([("at", seconds(at)), ("kind", json::text(kind)), ("text", json::text(text))])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Down,
    Halted,
    Is(Role),
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Down | State::Is(Role::Ended) => "down",
            State::Halted => "halted",
            State::Is(Role::Follower) => "follower",
            State::Is(Role::Candidate) => "candidate",
            State::Is(Role::Leader) => "leader",
        }
    }
}

struct NodeLane {
    bands: Vec<String>,
    marks: Vec<String>,
    commits: Vec<String>,
    since: u64,
    state: State,
    term: Option<Term>,
    is_paused: bool,
}

impl Default for NodeLane {
    fn default() -> NodeLane {
        let (bands, marks, commits) = Default::default();
        NodeLane { bands, marks, commits, since: 0, state: State::Down, term: None, is_paused: false }
    }
}

impl NodeLane {
    /// What it was until now is a band; from now on it is something else.
    fn turn(&mut self, at: u64, state: State, term: Option<Term>, is_paused: bool) {
        if (self.state, self.term, self.is_paused) == (state, term, is_paused) {
            return;
        }
        if at > self.since {
            self.bands.push(json::object([
                ("from", seconds(self.since)),
                ("to", seconds(at)),
                ("kind", json::text(if self.is_paused { "paused" } else { self.state.name() })),
                ("term", self.term.map_or_else(|| "null".into(), |term| term.to_string())),
            ]));
        }
        (self.since, self.state, self.term, self.is_paused) = (at, state, term, is_paused);
    }

    fn add(&mut self, at: u64, what: &What) {
        match what {
            What::Started => {
                self.turn(at, State::Is(Role::Follower), None, false);
                self.marks.push(mark(at, "started", "started"));
            }
            What::Ended(how) => {
                self.turn(at, State::Down, None, false);
                self.marks.push(mark(at, "ended", &format!("ended: {how}")));
            }
            What::Halted(why) => {
                self.turn(at, State::Halted, None, false);
                self.marks.push(mark(at, "halted", &format!("halted itself: {why}")));
            }
            // A node that halted is at its end as well; the first says more.
            What::Role(Role::Ended, _) if self.state == State::Halted => {}
            What::Role(role, term) => self.turn(at, State::Is(*role), Some(*term), self.is_paused),
            What::Paused => self.turn(at, self.state, self.term, true),
            What::Resumed => self.turn(at, self.state, self.term, false),
            What::Commit(index, revision) => {
                self.commits.push(format!("[{},{index},{revision}]", seconds(at)));
            }
            What::Note(words) => self.marks.push(mark(at, "note", words)),
            What::Fault(number, words) => {
                self.marks.push(mark(at, "fault", &format!("fault {number}: {words}")))
            }
            _ => {}
        }
    }

    fn json(mut self, id: NodeId, end: u64) -> String {
        // Whatever it is now, it is until the end.
        let (state, term) = (self.state, self.term);
        self.turn(end, state, term, !self.is_paused);
        json::object([
            ("kind", json::text("node")),
            ("name", json::text(&format!("node {id}"))),
            ("bands", json::list(self.bands)),
            ("marks", json::list(self.marks)),
            ("commits", json::list(self.commits)),
        ])
    }
}

/// A lane of bars: a client's calls, or the faults.
#[derive(Default)]
struct BarLane {
    bars: Vec<Bar>,
    marks: Vec<String>,
    /// Which bar is meant by a number, until it is over.
    open: BTreeMap<u64, usize>,
}

impl BarLane {
    fn begin(&mut self, at: u64, number: u64, kind: &'static str, text: String) {
        self.open.insert(number, self.bars.len());
        self.bars.push(Bar { from: at, to: None, kind, text, answer: None });
    }

    fn end(&mut self, at: u64, number: u64) -> Option<&mut Bar> {
        let bar = &mut self.bars[self.open.remove(&number)?];
        bar.to = Some(at);
        Some(bar)
    }

    fn json(self, kind: &str, name: &str, unended: u64) -> String {
        json::object([
            ("kind", json::text(kind)),
            ("name", json::text(name)),
            ("bars", rows(&self.bars, unended)),
            ("marks", json::list(self.marks)),
        ])
    }
}

#[derive(Default)]
struct Lanes {
    end: u64,
    faults: BarLane,
    nodes: BTreeMap<NodeId, NodeLane>,
    clients: BTreeMap<String, BarLane>,
    notes: BarLane,
    struck: BTreeMap<usize, u64>,
    /// The faults that end when the network heals.
    of_the_network: Vec<usize>,
}

impl Lanes {
    fn add(&mut self, moment: &Moment) {
        let (at, what) = (moment.at.as_nanos(), &moment.what);
        match what {
            What::Fault(number, words) => {
                self.struck.insert(*number, at);
                self.faults.begin(at, *number as u64, "fault", format!("{number}: {words}"));
                if moment.lane == Lane::World {
                    self.of_the_network.push(*number);
                }
            }
            What::Over(number) => {
                self.faults.end(at, *number as u64);
            }
            What::Healed => {
                for number in std::mem::take(&mut self.of_the_network) {
                    self.faults.end(at, number as u64);
                }
                self.faults.marks.push(mark(at, "healed", "the network heals"));
            }
            _ => {}
        }
        match &moment.lane {
            Lane::Node(id) => self.nodes.entry(*id).or_default().add(at, what),
            Lane::Client(name) => add_to_client(self.clients.entry(name.clone()).or_default(), at, what),
            Lane::World => {
                if let What::Note(words) = what {
                    self.notes.marks.push(mark(at, "note", words));
                }
            }
        }
    }

    fn finish(mut self) -> Drawn {
        let end = self.end;
        // A fault that is over at once has its words beside it, and they need room.
        let mut lanes = vec![self.faults.json("faults", "faults", end / 20)];
        lanes.extend(self.nodes.into_iter().map(|(id, lane)| lane.json(id, end)));
        // Whoever was never answered is shown as waiting until it asked for something else.
        for lane in self.clients.values_mut() {
            let mut next = end;
            for bar in lane.bars.iter_mut().rev() {
                bar.to.get_or_insert(next);
                next = bar.from;
            }
        }
        let mut clients: Vec<(String, BarLane)> = self.clients.into_iter().collect();
        // Client 10 comes after client 9.
        clients.sort_by_key(|(name, _)| (name.len(), name.clone()));
        lanes.extend(clients.into_iter().map(|(name, lane)| lane.json("client", &name, end)));
        if !self.notes.marks.is_empty() {
            lanes.push(self.notes.json("notes", "notes", end));
        }
        Drawn { lanes, struck: self.struck, end }
    }
}

fn add_to_client(lane: &mut BarLane, at: u64, what: &What) {
    match what {
        What::Call(number, asked) => lane.begin(at, *number, "open", asked.clone()),
        What::Return(number, told, answer) => {
            if let Some(bar) = lane.end(at, *number) {
                bar.kind = match told {
                    Told::Done => "done",
                    Told::Refused => "refused",
                    Told::Unknown => "unknown",
                };
                bar.answer = Some(answer.clone());
            }
        }
        What::Note(words) => lane.marks.push(mark(at, "note", words)),
        _ => {}
    }
}
