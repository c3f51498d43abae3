//! What must hold at every step, whatever happens. The judge hears what every node has applied, what every disk
//! has, and what is sent, and does not let anything pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use kvorum_core::Time;
use kvorum_core::ids::{ClusterId, Index, LeaseId, NodeId, Revision, Term};
use kvorum_core::node::Glance;
use kvorum_core::request::Event;
use kvorum_core::state::State;
use kvorum_core::storage::{LogEntry, LogPosition};

use crate::check::{Leaders, LeaseFact, Shadows, Witness};
use crate::history::EventLog;
use crate::violation::{Checker, Violation};

/// What has been seen of the cluster so far: the one history that all nodes must agree with.
pub struct Judge {
    witness: Witness,
    pub(crate) shadows: Shadows,
    leaders: Leaders,
    majority: usize,
    /// What the log held before this world began.
    past: Arc<BTreeMap<Index, LogEntry>>,
}

impl Judge {
    pub(crate) fn new(cluster: ClusterId, nodes: usize) -> Judge {
        Judge {
            witness: Witness::new(cluster),
            shadows: Shadows::default(),
            leaders: Leaders::default(),
            majority: nodes / 2 + 1,
            past: Arc::default(),
        }
    }

    /// Everything that was ever applied, by revision.
    pub fn history(&self) -> &BTreeMap<Revision, Vec<Event>> {
        self.witness.history()
    }

    /// The same, in the words of [`crate::history`].
    pub fn log(&self) -> &EventLog {
        self.witness.log()
    }

    /// When the first node had applied this revision.
    pub fn seen_at(&self, revision: Revision) -> Option<Time> {
        self.witness.seen_at(revision)
    }

    /// The newest revision that any node has applied; 1 before the first.
    pub fn newest(&self) -> Revision {
        self.witness.log().newest()
    }

    /// Who led each term.
    pub fn leaders(&self) -> &BTreeMap<Term, NodeId> {
        self.leaders.by_term()
    }

    /// When each leader was first seen to lead, in order.
    pub fn elected(&self) -> impl Iterator<Item = Time> + '_ {
        self.leaders.elected().iter().copied()
    }

    /// What the log makes of itself so far.
    pub fn state(&self) -> &State {
        self.witness.state()
    }

    /// What became of leases, in order; everything behind the first `known`.
    pub fn lease_facts(&self, known: usize) -> &[(Time, LeaseId, LeaseFact)] {
        self.witness.lease_facts(known)
    }

    /// The revisions with which leases ended that had keys: by the leader's clock, or by a client.
    pub fn lease_ends(&self) -> &BTreeMap<Revision, LeaseId> {
        self.witness.lease_ends()
    }

    /// How often growth was refused because the quota was reached, and how often that was lifted.
    pub fn refusals(&self) -> (u64, u64) {
        self.witness.refusals()
    }

    /// How many repetitions of a session's write were answered with the first one's answer.
    pub fn deduplicated(&self) -> u64 {
        self.witness.deduplicated()
    }

    /// An entry that a node has applied, if a disk still has it.
    pub fn applied_entry(&self, index: Index) -> Option<LogEntry> {
        (index <= self.witness.applied().index).then(|| self.shadows.newest_entry(index)).flatten()
    }

    /// What all that was agreed on takes in a log, entry by entry.
    pub(crate) fn log_bytes(&self) -> usize {
        self.witness.log_bytes()
    }

    pub(crate) fn set_past(&mut self, past: Arc<BTreeMap<Index, LogEntry>>) {
        self.past = past;
    }

    /// An entry that a node has applied: its disk has it, or has an image of what came of it.
    fn durable_entry(&self, node: NodeId, index: Index) -> Option<LogEntry> {
        let shadow = self.shadows.of(node)?;
        let past = || self.past.get(&index).filter(|_| index <= shadow.base_index()).cloned();
        shadow.entry(index).or_else(past)
    }

    /// A node has taken a turn.
    pub(crate) fn turned(
        &mut self,
        now: Time,
        node: NodeId,
        before: &Glance,
        after: &Glance,
    ) -> Result<(), Violation> {
        if after.commit != before.commit {
            self.leaders.counted(before, after, &self.shadows)?;
            self.shadows.committed(after.commit, self.majority)?;
        }
        while self.witness.applied().index < after.applied {
            let index = self.witness.applied().index + 1;
            let entry = self.durable_entry(node, index).ok_or_else(|| {
                let seen = format!("it has applied entry {index}, which its disk does not have");
                Violation::new(Checker::Durability, "D5: what is applied is durable", seen)
            })?;
            let at = LogPosition { index, term: entry.term };
            self.witness.apply(now, at, entry.kind, &entry.data)?;
        }
        if after.applied != before.applied {
            self.witness.compare(after.applied, &after.hash)?;
        }
        self.leaders.turned(now, node, before, after, &self.shadows, &self.witness)
    }
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("newest", &self.newest()).finish_non_exhaustive()
    }
}
