//! A promise that was seen broken.

use std::fmt;

use kvorum_core::Time;
use kvorum_core::ids::NodeId;

/// Who saw it. Each guards promises of its own, whose letters stand in brackets: the table of all of them, each
/// with its sentence, is `PROMISES.md` beside this crate's README.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Checker {
    /// What clients were told, in revision order (L, C).
    History,
    /// What watches handed out (W).
    Watch,
    /// When leases ended (E).
    Lease,
    /// Who held a lock, and what its token kept out (F).
    Fence,
    /// All replicas at one index hold the same (H).
    Agreement,
    /// What was vouched for was durable (D).
    Durability,
    /// What raft promises (R).
    Raft,
    /// After the faults it works again, and soon (V1, V2).
    Liveness,
    /// Nothing grows without bound (V3).
    Ceiling,
    /// No panic, and no halt without cause (V4).
    Panic,
    /// The same seed does the same (V5).
    Determinism,
    /// What the rehearsed service itself promises.
    App,
}

impl Checker {
    /// All of them.
    pub const ALL: [Checker; 12] = [
        Checker::History,
        Checker::Watch,
        Checker::Lease,
        Checker::Fence,
        Checker::Agreement,
        Checker::Durability,
        Checker::Raft,
        Checker::Liveness,
        Checker::Ceiling,
        Checker::Panic,
        Checker::Determinism,
        Checker::App,
    ];

    /// Its name in one lower-case word, as commands print and read it.
    pub fn name(self) -> &'static str {
        match self {
            Checker::History => "history",
            Checker::Watch => "watch",
            Checker::Lease => "lease",
            Checker::Fence => "fence",
            Checker::Agreement => "agreement",
            Checker::Durability => "durability",
            Checker::Raft => "raft",
            Checker::Liveness => "liveness",
            Checker::Ceiling => "ceiling",
            Checker::Panic => "panic",
            Checker::Determinism => "determinism",
            Checker::App => "app",
        }
    }
}

impl fmt::Display for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A promise that was seen broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Who saw it.
    pub checker: Checker,
    /// What was promised: a sentence, mostly behind the letter and number that it has in `PROMISES.md`.
    pub promised: String,
    /// What was seen instead.
    pub seen: String,
    /// When.
    pub at: Time,
    /// On which node, if it was one.
    pub node: Option<NodeId>,
}

impl Violation {
    /// A promise broken; when and where is filled in by whoever knows.
    pub fn new(checker: Checker, promised: impl Into<String>, seen: impl Into<String>) -> Violation {
        Violation { checker, promised: promised.into(), seen: seen.into(), at: Time::ZERO, node: None }
    }

    /// A promise of the rehearsed service itself, broken.
    pub fn of_app(promised: impl Into<String>, seen: impl Into<String>) -> Violation {
        Violation::new(Checker::App, promised, seen)
    }

    /// Seen then.
    #[must_use]
    pub fn at(self, at: Time) -> Violation {
        Violation { at, ..self }
    }

    /// Seen on this node.
    #[must_use]
    pub fn on(self, node: NodeId) -> Violation {
        Violation { node: Some(node), ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_nanos() as f64 / 1e9;
        write!(f, "violation at {at:.6} s, seen by the {} checker", self.checker)?;
        if let Some(node) = self.node {
            write!(f, " on node {node}")?;
        }
        // What was seen may be of several lines: they stay below one another.
        let below = |words: &str| words.replace('\n', "\n            ");
        write!(f, "\n  promised: {}\n  seen:     {}", below(&self.promised), below(&self.seen))
    }
}

impl std::error::Error for Violation {}
