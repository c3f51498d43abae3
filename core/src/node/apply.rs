//! What was agreed on is done, and whoever asked for it on this node is answered.

use std::collections::VecDeque;

use bytes::Bytes;
use raft::eraftpb::{Entry, EntryType};

use super::propose::OWN_REQUESTS;
use super::{Node, Output, Reply, Token};
use crate::command::{Origin, Response};
use crate::ids::{Index, Revision, Term};
use crate::state::{Applied, LeaseChange};
use crate::storage::LogPosition;
use crate::transport::AppliedHash;

/// How many hashes are remembered, to compare with peers that are behind.
const HASHES: usize = 4096;

/// How far this node is, and what follows from it.
pub(super) struct Progress {
    position: LogPosition,
    /// The hash after each of the newest entries, the last one at `position`.
    hashes: VecDeque<[u8; 32]>,
    /// Bytes of what this leader proposed and has not applied yet.
    uncommitted: u64,
    own_request: u64,
    /// Compactions whose clients wait until the memory is free.
    physical: Vec<(Revision, Token, Reply)>,
}

impl Progress {
    pub(super) fn new(position: LogPosition, hash: [u8; 32]) -> Progress {
        Progress {
            position,
            hashes: VecDeque::from([hash]),
            uncommitted: 0,
            own_request: OWN_REQUESTS,
            physical: Vec::new(),
        }
    }

    pub(super) fn position(&self) -> LogPosition {
        self.position
    }

    fn passed(&mut self, position: LogPosition, hash: [u8; 32]) {
        self.position = position;
        if self.hashes.len() == HASHES {
            self.hashes.pop_front();
        }
        self.hashes.push_back(hash);
    }

    pub(super) fn skipped_to(&mut self, position: LogPosition, hash: [u8; 32]) {
        self.position = position;
        self.hashes = VecDeque::from([hash]);
    }

    /// The hash after `index`, if it is remembered.
    pub(super) fn hash_at(&self, index: Index) -> Option<[u8; 32]> {
        let behind = usize::try_from(self.position.index.checked_sub(index)?).ok()?;
        let at = self.hashes.len().checked_sub(behind + 1)?;
        self.hashes.get(at).copied()
    }

    pub(super) fn latest_hash(&self) -> AppliedHash {
        let hash = self.hash_at(self.position.index).unwrap_or_default();
        AppliedHash { index: self.position.index, hash: Bytes::copy_from_slice(&hash) }
    }

    pub(super) fn uncommitted(&self) -> u64 {
        self.uncommitted
    }

    pub(super) fn proposed(&mut self, bytes: u64) {
        self.uncommitted += bytes;
    }

    pub(super) fn stop_counting(&mut self) {
        self.uncommitted = 0;
    }

    pub(super) fn next_own_request(&mut self) -> u64 {
        self.own_request += 1;
        self.own_request
    }

    pub(super) fn take_physical(&mut self) -> impl Iterator<Item = Token> {
        std::mem::take(&mut self.physical).into_iter().map(|(_, token, _)| token)
    }
}

/// What follows from entries that were applied, besides answers.
struct After {
    leases: Vec<LeaseChange>,
    has_woken: bool,
}

impl Node {
    pub(super) fn apply(&mut self, entries: Vec<Entry>) {
        let Some(last) = entries.last() else { return };
        let (term, is_new_term) = (last.term, last.term > self.applied.position.term);
        let (applied, after) = self.apply_all(entries);
        self.tell_applied();
        for (origin, term, applied) in applied {
            self.answer_applied(origin, term, applied);
        }
        if is_new_term {
            self.term_applied(term);
        }
        self.after_apply(after);
    }

    /// One lock for all of them, and for what follows from them.
    fn apply_all(&mut self, entries: Vec<Entry>) -> (Vec<(Origin, Term, Applied)>, After) {
        let mut answers = Vec::new();
        let state = self.state.clone();
        let mut state = state.write();
        for entry in entries {
            let position = LogPosition { index: entry.index, term: entry.term };
            let size = entry.data.len() as u64;
            self.applied.uncommitted = self.applied.uncommitted.saturating_sub(size);
            if entry.entry_type == EntryType::EntryNormal {
                let applied = state.apply(position, &entry.data);
                let is_earlier = |origin: &Origin| {
                    planted!("answer_for_earlier_start") && origin.node == self.identity.node
                };
                let mine = applied
                    .origin
                    .filter(|origin| *origin == self.origin(origin.request) || is_earlier(origin));
                answers.extend(mine.map(|origin| (origin, entry.term, applied)));
            } else {
                state.apply_other(position, &entry.data);
            }
            self.applied.passed(position, state.hash());
        }
        let after = After { leases: state.take_lease_changes(), has_woken: state.has_woken() };
        (answers, after)
    }

    /// Tells raft how far the state is, as soon as raft can bear to hear it: not before it knows itself that
    /// the entries are durable.
    pub(super) fn tell_applied(&mut self) {
        let log = &self.raft.raft.raft_log;
        let index = self.applied.position.index;
        if index > log.applied && index <= log.committed.min(log.persisted) {
            self.raft.advance_apply_to(index);
        }
    }

    fn answer_applied(&mut self, origin: Origin, term: Term, applied: Applied) {
        if origin.request >= OWN_REQUESTS {
            return self.own_applied(origin.request);
        }
        let Some(waiting) = self.pending.take(origin.request) else { return };
        let is_physical =
            matches!(applied.result, Ok(Response::Compact(_))) && self.wants_physical(&waiting.command);
        let reply = applied.result.map(|response| Reply::Applied { response, term });
        match reply {
            Ok(reply) if is_physical => {
                let compacted = self.state.read().compacted();
                self.applied.physical.push((compacted, waiting.token, reply));
            }
            reply => self.reply(waiting.token, reply),
        }
    }

    fn wants_physical(&self, command: &Bytes) -> bool {
        use crate::command::{Command, Op};
        use prost::Message as _;
        let command = Command::decode(command.clone());
        matches!(command.ok().and_then(|c| c.op), Some(Op::Compact(compact)) if compact.physical)
    }

    /// An entry of a new term: writes sent in earlier ones are settled, and a leader of this term may lead.
    fn term_applied(&mut self, term: Term) {
        self.pending.term_applied(term);
        self.reads.retry_all();
        if self.is_leader() && self.raft.raft.term == term {
            self.start_leading();
        }
    }

    fn after_apply(&mut self, after: After) {
        for change in after.leases {
            match change {
                LeaseChange::Granted { id, ttl } if self.leases.is_leading() => {
                    self.leases.clock.granted(self.now, id, ttl);
                }
                LeaseChange::Granted { .. } => {}
                LeaseChange::Ended { id } => self.leases.clock.ended(id),
            }
        }
        self.settle_leases();
        if after.has_woken {
            self.outputs.push_back(Output::Wake);
        }
    }

    /// Frees a little of what was compacted, and answers those who wait for the end of it.
    pub(super) fn collect_garbage(&mut self, budget: usize) {
        let freed = {
            let mut state = self.state.write();
            state.collect_garbage(budget);
            state.physical_revision()
        };
        let waiting = std::mem::take(&mut self.applied.physical);
        for (revision, token, reply) in waiting {
            if revision <= freed {
                self.reply(token, Ok(reply));
            } else {
                self.applied.physical.push((revision, token, reply));
            }
        }
    }
}
