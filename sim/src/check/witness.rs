//! A replica of our own, which applies every entry when the first node has: what it is at an index, all must
//! be there.

use std::collections::BTreeMap;

use bytes::Bytes;
use kvorum_core::Time;
use kvorum_core::command::{Command, Op, Response};
use kvorum_core::ids::{ClusterId, Index, LeaseId, Revision};
use kvorum_core::request::{Event, EventKind};
use kvorum_core::state::{LeaseInfo, State, WatchCursor};
use kvorum_core::storage::{EntryKind, LogPosition};
use prost::Message as _;

use super::shadow::in_log;
use crate::history::{Change, EventLog};
use crate::host::everything;
use crate::violation::{Checker, Violation};

/// What became of a lease, as the log says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseFact {
    /// It was granted, with this time to live in seconds.
    Granted(i64),
    /// A client ended it.
    Revoked,
    /// The leader's clock ended it.
    Expired,
    /// What remains was noted.
    Noted,
}

/// Everything that is agreed, and when it was first seen to be.
pub(crate) struct Witness {
    state: State,
    cursor: Option<WatchCursor>,
    hashes: Vec<[u8; 32]>,
    history: BTreeMap<Revision, Vec<Event>>,
    log: EventLog,
    seen_at: Vec<Time>,
    lease_facts: Vec<(Time, LeaseId, LeaseFact)>,
    /// The revisions with which leases ended that had keys.
    lease_ends: BTreeMap<Revision, LeaseId>,
    deduplicated: u64,
    /// What all entries take in a log, each by itself.
    log_bytes: usize,
    /// How often growth was refused, and the refusal lifted.
    refusals: (u64, u64),
}

impl Witness {
    pub(crate) fn new(cluster: ClusterId) -> Witness {
        let mut state = State::new(cluster);
        // Nothing is compacted yet, so that it opens.
        let cursor =
            state.open_watch(&kvorum_core::request::WatchRequest { start_revision: 1, ..everything() }).ok();
        Witness {
            state,
            cursor,
            hashes: vec![[0; 32]],
            history: BTreeMap::new(),
            log: EventLog::new(),
            seen_at: Vec::new(),
            lease_facts: Vec::new(),
            lease_ends: BTreeMap::new(),
            deduplicated: 0,
            log_bytes: 0,
            refusals: (0, 0),
        }
    }

    /// The last entry that any node has applied.
    pub(crate) fn applied(&self) -> LogPosition {
        self.state.applied()
    }

    pub(crate) fn history(&self) -> &BTreeMap<Revision, Vec<Event>> {
        &self.history
    }

    pub(crate) fn log(&self) -> &EventLog {
        &self.log
    }

    pub(crate) fn lease_ends(&self) -> &BTreeMap<Revision, LeaseId> {
        &self.lease_ends
    }

    /// What became of leases, in order; everything behind the first `known`.
    pub(crate) fn lease_facts(&self, known: usize) -> &[(Time, LeaseId, LeaseFact)] {
        self.lease_facts.get(known..).unwrap_or_default()
    }

    pub(crate) fn refusals(&self) -> (u64, u64) {
        self.refusals
    }

    pub(crate) fn log_bytes(&self) -> usize {
        self.log_bytes
    }

    pub(crate) fn deduplicated(&self) -> u64 {
        self.deduplicated
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// When the first node had applied this revision.
    pub(crate) fn seen_at(&self, revision: Revision) -> Option<Time> {
        usize::try_from(revision - 2).ok().and_then(|at| self.seen_at.get(at)).copied()
    }

    /// The next entry, when the first node has applied it.
    pub(crate) fn apply(
        &mut self,
        now: Time,
        at: LogPosition,
        kind: EntryKind,
        data: &Bytes,
    ) -> Result<(), Violation> {
        self.log_bytes += in_log(data.len());
        match kind {
            EntryKind::Command => {
                let op = Command::decode(data.clone()).ok().and_then(|command| command.op);
                let (before, was_refused) = (self.state.revision(), self.state.no_space());
                let (ending, foreign) = (self.ending(at, op.as_ref()), self.of_another_term(at, op.as_ref()));
                let applied = self.state.apply(at, data);
                if foreign.is_some_and(|foreign| foreign != self.leases()) {
                    return Err(not_its_term(at));
                }
                self.deduplicated += u64::from(applied.deduplicated);
                self.refusals.0 += u64::from(self.state.no_space() && !was_refused);
                self.refusals.1 += u64::from(!self.state.no_space() && was_refused);
                if applied.result.is_ok() && !applied.deduplicated {
                    if let Ok(Response::LeaseGrant(granted)) = &applied.result {
                        self.lease_facts.push((now, granted.id, LeaseFact::Granted(granted.ttl)));
                    }
                    self.note_leases(now, at, op);
                    for (revision, lease) in (before + 1..=self.state.revision()).zip(ending) {
                        self.lease_ends.insert(revision, lease);
                    }
                }
            }
            EntryKind::Membership => self.state.apply_other(at, data),
        }
        self.hashes.push(self.state.hash());
        if self.state.has_woken() {
            self.state.take_woken(&mut Vec::new());
        }
        self.state.take_lease_changes();
        self.state.collect_garbage(64);
        self.note_events(now).map_err(|seen| broken(format!("entry {}: {seen}", at.index)))
    }

    /// The leases that an entry ends and that have keys, each of which takes a revision.
    fn ending(&self, at: LogPosition, op: Option<&Op>) -> Vec<LeaseId> {
        let has_keys = |id: &LeaseId| !self.state.lease_keys(*id).is_empty();
        match op {
            Some(Op::LeaseRevoke(revoke)) => Some(revoke.id).into_iter().filter(has_keys).collect(),
            Some(Op::LeaseExpire(expire)) if expire.term == at.term => {
                expire.ids.iter().copied().filter(has_keys).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What an entry must leave as it is that ends leases in the name of another term's leader.
    fn of_another_term(&self, at: LogPosition, op: Option<&Op>) -> Option<(Revision, Vec<LeaseInfo>)> {
        let is_foreign = matches!(op, Some(Op::LeaseExpire(expire)) if expire.term != at.term);
        is_foreign.then(|| self.leases())
    }

    fn leases(&self) -> (Revision, Vec<LeaseInfo>) {
        (self.state.revision(), self.state.leases().collect())
    }

    fn note_leases(&mut self, now: Time, at: LogPosition, op: Option<Op>) {
        let Some(op) = op else { return };
        let mut note = |id, fact| self.lease_facts.push((now, id, fact));
        match op {
            Op::LeaseRevoke(revoke) => note(revoke.id, LeaseFact::Revoked),
            Op::LeaseExpire(expire) if expire.term == at.term => {
                expire.ids.iter().for_each(|&id| note(id, LeaseFact::Expired));
            }
            Op::LeaseCheckpoint(_) => note(0, LeaseFact::Noted),
            _ => {}
        }
    }

    fn note_events(&mut self, now: Time) -> Result<(), String> {
        let Some(cursor) = &mut self.cursor else { return Ok(()) };
        loop {
            let pulled = self.state.pull(cursor, 10_000, 1 << 24).map_err(|error| error.to_string())?;
            let mut events = pulled.events.into_iter().peekable();
            while let Some(first) = events.next() {
                let revision = revision_of(&first);
                let mut all = vec![first];
                while let Some(next) = events.next_if(|event| revision_of(event) == revision) {
                    all.push(next);
                }
                self.log.push(revision, all.iter().filter_map(change_of).collect())?;
                self.history.insert(revision, all);
                self.seen_at.push(now);
            }
            if !pulled.more {
                return Ok(());
            }
        }
    }

    /// A node is at this entry with this hash.
    pub(crate) fn compare(&self, index: Index, hash: &[u8; 32]) -> Result<(), Violation> {
        match self.hashes.get(index as usize) {
            Some(known) if known == hash => Ok(()),
            Some(_) => Err(broken(format!("at entry {index} it differs from what the log makes of it"))),
            None => Err(broken(format!("it is at entry {index}, which nobody has seen agreed on"))),
        }
    }
}

fn broken(seen: String) -> Violation {
    Violation::new(Checker::Agreement, "H1: at equal index, all replicas are equal", seen)
}

fn not_its_term(at: LogPosition) -> Violation {
    let promised = "E5: what a leader of another term says about leases ends none";
    let seen = format!("entry {} of term {} ended leases in another term's name", at.index, at.term);
    Violation::new(Checker::Lease, promised, seen)
}

fn revision_of(event: &Event) -> Revision {
    event.kv.as_ref().map_or(0, |kv| kv.mod_revision)
}

fn change_of(event: &Event) -> Option<Change> {
    let kv = event.kv.as_ref()?;
    Some(if event.kind == EventKind::Delete as i32 {
        Change::Delete { key: kv.key.clone() }
    } else {
        Change::Put { key: kv.key.clone(), value: kv.value.clone(), lease: kv.lease }
    })
}
