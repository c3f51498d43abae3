//! What happened in a run, for people to look at: noted only if somebody asked for it.

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
}
