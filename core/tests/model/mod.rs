//! The store once more, as naively as possible: every revision is a whole copy of the map.
//!
//! Written from `ETCD-API.md` alone, never from the state it is compared with. Nothing here is fast and
//! nothing is clever: whoever doubts a line should be able to check it against that page by eye.

pub mod form;
pub mod image;
pub mod lease;
pub mod random;
pub mod range;
pub mod replica;
pub mod resolve;
pub mod run;
pub mod same;
pub mod session;
pub mod size;
pub mod step;
pub mod txn;
pub mod verify;
pub mod watch;
pub mod write;

use std::collections::BTreeMap;

use bytes::Bytes;
use kvorum_core::ErrorKind;
use kvorum_core::command::{Command, Done, MemberAttributes, Op, Response};
use kvorum_core::ids::{DirectoryId, LeaseId, NodeId, Revision, SessionId};
use kvorum_core::request::{CompactionRequest, CompactionResponse, Event, Header, KeyValue};
use kvorum_core::storage::LogPosition;

/// All pairs, as they are at one revision.
pub type Snapshot = BTreeMap<Bytes, KeyValue>;

/// What a command was answered.
pub type Answer = Result<Response, ErrorKind>;

/// The store.
#[derive(Clone)]
pub struct Model {
    /// All pairs at each revision; the newest is the last. Compacted ones stay, but nobody may see them.
    pub snapshots: Vec<Snapshot>,
    /// What happened in each revision, in order, without previous pairs.
    pub events: Vec<Vec<Event>>,
    /// The oldest readable revision; -1 before the first compaction (A0.2).
    pub compacted: Revision,
    /// The leases that exist. Their keys stand in the newest snapshot.
    pub leases: BTreeMap<LeaseId, lease::Lease>,
    /// The deduplication sessions that are open.
    pub sessions: BTreeMap<SessionId, session::Session>,
    /// How many sessions may be open; 0: as many as one likes.
    pub max_sessions: u64,
    /// Bytes that versions may take; 0: no limit.
    pub quota_bytes: u64,
    /// Growth is refused.
    pub no_space: bool,
    /// Each member's first directory.
    pub members: BTreeMap<NodeId, DirectoryId>,
    pub attributes: BTreeMap<NodeId, MemberAttributes>,
}

impl Model {
    pub fn new() -> Model {
        // A fresh store is at revision 1 (A0.2); revision 0 only fills the place.
        Model {
            snapshots: vec![Snapshot::new(), Snapshot::new()],
            events: vec![Vec::new(), Vec::new()],
            compacted: -1,
            leases: BTreeMap::new(),
            sessions: BTreeMap::new(),
            max_sessions: 0,
            quota_bytes: 0,
            no_space: false,
            members: BTreeMap::new(),
            attributes: BTreeMap::new(),
        }
    }

    pub fn revision(&self) -> Revision {
        self.snapshots.len() as Revision - 1
    }

    /// All pairs at the newest revision.
    pub fn now(&self) -> &Snapshot {
        &self.snapshots[self.snapshots.len() - 1]
    }

    /// All pairs at `revision`, which must not lie in the future. Below 1 there was nothing yet.
    pub fn at(&self, revision: Revision) -> &Snapshot {
        &self.snapshots[revision.max(0) as usize]
    }

    /// The oldest revision that can be read.
    pub fn oldest(&self) -> Revision {
        self.compacted.max(1)
    }

    /// That a revision is compacted. One that never was is shown as 0.
    pub fn compacted_error(&self, requested: Revision) -> ErrorKind {
        ErrorKind::Compacted { requested, compacted: self.compacted.max(0) }
    }

    /// Applies one command. The flag says that the answer is that of an earlier one with the same tag.
    pub fn apply(&mut self, at: LogPosition, command: &Command) -> (Answer, bool) {
        let Some(tag) = command.session else { return (self.apply_op(at, command.op.as_ref()), false) };
        match self.seen_before(&tag, at) {
            Some(answer) => (answer.0, answer.1),
            None => {
                let answer = self.apply_op(at, command.op.as_ref());
                self.remember(&tag, &answer);
                (answer, false)
            }
        }
    }

    fn apply_op(&mut self, at: LogPosition, op: Option<&Op>) -> Answer {
        match op {
            Some(Op::Put(r)) => self.put(r).map(Response::Put),
            Some(Op::DeleteRange(r)) => self.delete_range(r).map(Response::DeleteRange),
            Some(Op::Txn(r)) => self.txn(r).map(Response::Txn),
            Some(Op::Compact(r)) => self.compact(r).map(Response::Compact),
            Some(Op::LeaseGrant(r)) => self.grant(r).map(Response::LeaseGrant),
            Some(Op::LeaseRevoke(r)) => self.revoke(r).map(Response::LeaseRevoke),
            Some(Op::LeaseExpire(r)) => self.done(|m| m.expire(at.term, r)),
            Some(Op::LeaseCheckpoint(r)) => self.done(|m| m.checkpoint(at.term, r)),
            Some(Op::OpenSession(_)) => Ok(Response::OpenSession(self.open_session(at.index))),
            Some(Op::CloseSession(r)) => self.close_session(r.id),
            Some(Op::Settings(r)) => self.done(|m| {
                m.quota_bytes = r.quota_bytes;
                m.max_sessions = r.max_sessions;
                m.evict_sessions();
            }),
            Some(Op::NoSpace(r)) => self.done(|m| m.no_space = r.raised),
            Some(Op::MemberSeen(r)) => self.done(|m| {
                m.members.entry(r.node).or_insert(r.directory);
            }),
            Some(Op::MemberAttributes(r)) => self.done(|m| {
                m.attributes.insert(r.node, r.clone());
            }),
            None => self.done(|_| ()),
        }
    }

    /// Does what cannot fail and has nothing to say.
    fn done(&mut self, act: impl FnOnce(&mut Model)) -> Answer {
        act(self);
        Ok(Response::Done(Done { revision: self.revision() }))
    }

    /// A6: to the current revision at most, and never back.
    fn compact(&mut self, r: &CompactionRequest) -> Result<CompactionResponse, ErrorKind> {
        let (requested, current) = (r.revision, self.revision());
        if requested <= self.compacted {
            return Err(self.compacted_error(requested));
        }
        if requested > current {
            return Err(ErrorKind::FutureRevision { requested, current });
        }
        self.compacted = requested;
        Ok(CompactionResponse { header: header(current) })
    }
}

/// An answer's header, as far as the state knows it.
pub fn header(revision: Revision) -> Option<Header> {
    Some(Header { revision, ..Header::default() })
}

/// Whether `range` holds `key` (A0.3).
pub fn holds(start: &[u8], end: &[u8], key: &[u8]) -> bool {
    match end {
        [] => key == start,
        [0] => key >= start,
        _ => start <= key && key < end,
    }
}
