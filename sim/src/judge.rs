//! What must hold at every step, whatever happens. The judge hears what every node has applied, after each of
//! its turns, and does not let anything pass.

use std::collections::BTreeMap;

use kvorum_core::ids::{Index, NodeId, Revision, Term};
use kvorum_core::node::Role;
use kvorum_core::request::Event;
use kvorum_core::{ErrorKind, Status, Time, Watch, WatchItem};

use crate::poll::poll_watch;

/// What has been seen of the cluster so far: the one history that all nodes must agree with.
#[derive(Debug, Default)]
pub struct Judge {
    history: BTreeMap<Revision, Vec<Event>>,
    seen_at: BTreeMap<Revision, Time>,
    hashes: BTreeMap<Index, [u8; 32]>,
    leaders: BTreeMap<Term, NodeId>,
    /// Revisions below may never be seen: they were compacted before anybody looked.
    excused: Revision,
}

impl Judge {
    /// Everything that was ever applied, by revision.
    pub fn history(&self) -> &BTreeMap<Revision, Vec<Event>> {
        &self.history
    }

    /// When the first node had applied this revision.
    pub fn seen_at(&self, revision: Revision) -> Option<Time> {
        self.seen_at.get(&revision).copied()
    }

    /// The newest revision that any node has applied; 1 before the first.
    pub fn newest(&self) -> Revision {
        self.history.last_key_value().map_or(1, |(&revision, _)| revision)
    }

    /// Revisions below this one may be missing from the history: they were compacted before they were seen.
    pub fn excused(&self) -> Revision {
        self.excused
    }

    pub(crate) fn excuse(&mut self, compacted: Revision) {
        if compacted > self.newest() + 1 {
            self.excused = self.excused.max(compacted);
        }
    }

    /// Who led each term.
    pub fn leaders(&self) -> &BTreeMap<Term, NodeId> {
        &self.leaders
    }

    pub(crate) fn status(&mut self, status: &Status) -> Result<(), String> {
        let node = status.node;
        let known = *self.hashes.entry(status.hash_index).or_insert(status.hash);
        if known != status.hash {
            return Err(format!("node {node} differs from what others had at entry {}", status.hash_index));
        }
        if status.raft.role == Role::Leader {
            let leader = *self.leaders.entry(status.raft.term).or_insert(node);
            if leader != node {
                return Err(format!("nodes {leader} and {node} both lead term {}", status.raft.term));
            }
        }
        if status.raft.applied > status.raft.commit {
            return Err(format!("node {node} has applied more than is committed"));
        }
        Ok(())
    }

    /// Reads a node's watch of everything to its end; `false`: it has ended, because of a compaction.
    pub(crate) fn pull(&mut self, now: Time, node: NodeId, watch: &mut Watch) -> Result<bool, String> {
        loop {
            let Some(item) = poll_watch(watch) else { return Ok(true) };
            match item {
                Some(Ok(WatchItem::Events(events))) => self.events(now, node, events)?,
                Some(Ok(WatchItem::Progress(_))) => {}
                Some(Err(error)) if matches!(error.kind(), ErrorKind::Compacted { .. }) => return Ok(false),
                // It has halted; who may, the world knows.
                Some(Err(_)) | None => return Ok(true),
            }
        }
    }

    fn events(&mut self, now: Time, node: NodeId, events: Vec<Event>) -> Result<(), String> {
        let mut by_revision: BTreeMap<Revision, Vec<Event>> = BTreeMap::new();
        for event in events {
            let revision = event.kv.as_ref().map_or(0, |kv| kv.mod_revision);
            by_revision.entry(revision).or_default().push(event);
        }
        for (revision, events) in by_revision {
            match self.history.get(&revision) {
                Some(known) if *known != events => {
                    return Err(format!(
                        "node {node} has another revision {revision}: {events:?} instead of {known:?}"
                    ));
                }
                Some(_) => {}
                None => {
                    self.history.insert(revision, events);
                    self.seen_at.insert(revision, now);
                }
            }
        }
        Ok(())
    }
}
