//! What happened in a run, for people to look at: noted only if somebody asked for it.

use std::fmt;

use kvorum_core::Time;
use kvorum_core::ids::{Index, NodeId, Revision, Term};
use kvorum_core::node::Role;

/// Where something happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// On a node.
    Node(NodeId),
    /// At a client; the name that the workload gave it.
    Client(String),
    /// In the world at large: partitions, and whatever concerns more than one node.
    World,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A process started.
    Started,
    /// A process ended, or its machine did; how, in words.
    Ended(String),
    /// A node took a role in a term.
    Role(Role, Term),
    /// A node halted itself; why.
    Halted(String),
    /// A node is at this commit index and revision (noted now and then, not at every step).
    Commit(Index, Revision),
    /// A fault of the plan struck; its number and its words.
    Fault(usize, String),
    /// A fault of the plan is over, by its number.
    Over(usize),
    /// What was wrong with the network is over.
    Healed,
    /// A process stands still: it is neither dead nor at work.
    Paused,
    /// A process that stood still goes on.
    Resumed,
    /// A client asked; the number tells the call from others.
    Call(u64, String),
    /// A client was told; the same number, and what it was told.
    Return(u64, Told, String),
    /// Something the service itself wanted noted.
    Note(String),
    /// The promise that was broken.
    Violation(String),
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It was done.
    Done,
    /// It was refused and will never be done.
    Refused,
    /// It may have been done, or may still be.
    Unknown,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Time,
    /// Where.
    pub lane: Lane,
    /// What.
    pub what: What,
}

/// Everything that was noted, in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    is_on: bool,
    moments: Vec<Moment>,
}

impl Timeline {
    /// From now on, what happens is noted.
    pub fn begin(&mut self) {
        self.is_on = true;
    }

    /// Whether anything is noted.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Something happened. What it is is asked for only if it is noted.
    pub fn note(&mut self, at: Time, lane: Lane, what: impl FnOnce() -> What) {
        if self.is_on {
            self.moments.push(Moment { at, lane, what: what() });
        }
    }

    /// What was noted.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// The last lines of it, to be read: without what is noted only to be drawn.
    pub fn last(&self, lines: usize) -> Vec<&Moment> {
        let is_read = |moment: &&Moment| !matches!(moment.what, What::Commit(..));
        let mut last: Vec<&Moment> = self.moments.iter().rev().filter(is_read).take(lines).collect();
        last.reverse();
        last
    }

    /// In order of time: some of it is noted a moment after it happened.
    pub(crate) fn sort(&mut self) {
        self.moments.sort_by_key(|moment| moment.at);
    }
}

/// A line; lanes of up to ten characters stand in one column.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.at.as_nanos() / 1000;
        let lane = self.lane.to_string();
        write!(f, "{:>6}.{:06}  {lane:<10}  {}", micros / 1_000_000, micros % 1_000_000, self.what)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lane::Node(id) => write!(f, "node {id}"),
            Lane::Client(name) => f.write_str(name),
            Lane::World => f.write_str("world"),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Started => f.write_str("started"),
            What::Ended(how) => write!(f, "ended: {how}"),
            What::Role(role, term) => {
                let role = match role {
                    Role::Follower => "follower",
                    Role::Candidate => "candidate",
                    Role::Leader => "leader",
                    Role::Ended => "ended",
                };
                write!(f, "{role} in term {term}")
            }
            What::Halted(why) => write!(f, "HALTED: {why}"),
            What::Commit(index, revision) => write!(f, "commit {index}, revision {revision}"),
            What::Fault(number, words) => write!(f, "fault {number}: {words}"),
            What::Over(number) => write!(f, "fault {number} is over"),
            What::Healed => f.write_str("the network heals"),
            What::Paused => f.write_str("paused"),
            What::Resumed => f.write_str("goes on"),
            What::Call(number, asked) => write!(f, "#{number} → {asked}"),
            What::Return(number, told, answer) => write!(f, "#{number} ← {told}: {answer}"),
            What::Note(words) => write!(f, "note: {words}"),
            What::Violation(words) => write!(f, "VIOLATION: {words}"),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Told::Done => "done",
            Told::Refused => "refused",
            Told::Unknown => "outcome unknown",
        })
    }
}
