//! Leases, as far as the log knows them: which exist, for how long, and which keys hang on them.
//!
//! Time is not known here. The leader's clock decides that a lease has ended and says so in a command that
//! carries its term; the command of a leader that was deposed meanwhile is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;

use super::key::Key;
use super::{LeaseChange, LeaseInfo, State};
use crate::ids::{ClusterId, Index, LeaseId};

/// One lease.
#[derive(Debug)]
pub(super) struct Lease {
    /// The time to live granted, in seconds.
    pub(super) ttl: i64,
    /// What remained at the last checkpoint, in milliseconds.
    pub(super) remaining: Option<u64>,
    keys: BTreeSet<Key>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.as_slice().escape_ascii())
    }
}

/// All leases.
#[derive(Debug, Default)]
pub(super) struct Leases {
    all: BTreeMap<LeaseId, Lease>,
    /// What the leader's clock has not been told yet.
    changes: Vec<LeaseChange>,
}

impl Leases {
    /// Whether a lease exists.
    pub(super) fn contains(&self, id: LeaseId) -> bool {
        self.all.contains_key(&id)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// All, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LeaseId, &Lease)> {
        self.all.iter().map(|(&id, lease)| (id, lease))
    }

    /// Adds a lease; false: it exists already.
    pub(super) fn grant(&mut self, id: LeaseId, ttl: i64, remaining: Option<u64>) -> bool {
        if self.contains(id) {
            return false;
        }
        self.all.insert(id, Lease { ttl, remaining, keys: BTreeSet::new() });
        self.changes.push(LeaseChange::Granted { id, ttl });
        true
    }

    /// Removes a lease; its keys are the caller's to delete, in order.
    pub(super) fn end(&mut self, id: LeaseId) -> Option<BTreeSet<Key>> {
        let lease = self.all.remove(&id)?;
        self.changes.push(LeaseChange::Ended { id });
        Some(lease.keys)
    }

    /// Moves a key from one lease to another; 0 is none.
    pub(super) fn transfer(&mut self, key: &[u8], from: LeaseId, to: LeaseId) {
        if from == to {
            return;
        }
        if let Some(lease) = self.all.get_mut(&from) {
            lease.keys.remove(key);
        }
        if let Some(lease) = self.all.get_mut(&to) {
            lease.keys.insert(Key::new(key));
        }
    }

    /// Writes down what remains of a lease, which is never more than was granted.
    pub(super) fn checkpoint(&mut self, id: LeaseId, millis: u64) {
        if let Some(lease) = self.all.get_mut(&id) {
            let granted = u64::try_from(lease.ttl).unwrap_or(0).saturating_mul(1000);
            lease.remaining = Some(millis.min(granted));
        }
    }

    /// An id that is free and positive: drawn from the entry's place in the log, so that every member draws
    /// the same one.
    pub(super) fn free_id(&self, cluster: ClusterId, index: Index) -> LeaseId {
        let mut attempt: u64 = 0;
        loop {
            let mut hash = blake3::Hasher::new();
            hash.update(b"kvorum lease\0").update(&cluster.to_le_bytes());
            hash.update(&index.to_le_bytes()).update(&attempt.to_le_bytes());
            let mut id = [0; 8];
            id.copy_from_slice(&hash.finalize().as_bytes()[..8]);
            let id = LeaseId::from_le_bytes(id) & LeaseId::MAX;
            if id != 0 && !self.contains(id) {
                return id;
            }
            attempt += 1;
        }
    }

    /// These leases replace others, whose untold changes are told first: what went, then what came.
    pub(super) fn replace(&mut self, mut old: Leases) {
        let ended = old.all.keys().filter(|id| !self.contains(**id)).map(|&id| LeaseChange::Ended { id });
        let mut changes = std::mem::take(&mut old.changes);
        changes.extend(ended);
        let new = self.all.iter().filter(|(id, _)| !old.contains(**id));
        changes.extend(new.map(|(&id, lease)| LeaseChange::Granted { id, ttl: lease.ttl }));
        self.changes = changes;
    }

    /// Forgets what happened: of leases that were read from an image.
    pub(super) fn forget_changes(&mut self) {
        self.changes = Vec::new();
    }
}

impl State {
    /// One lease.
    pub fn lease(&self, id: LeaseId) -> Option<LeaseInfo> {
        self.leases.all.get(&id).map(|lease| lease.info(id))
    }

    /// All leases, by id.
    pub fn leases(&self) -> impl Iterator<Item = LeaseInfo> + '_ {
        self.leases.iter().map(|(id, lease)| lease.info(id))
    }

    /// The keys that hang on a lease, in key order. None, if there is no such lease.
    pub fn lease_keys(&self, id: LeaseId) -> Vec<Bytes> {
        self.lease_keys_behind(id, &[], usize::MAX)
    }

    /// The first of those that lie behind a key (an empty one: all of them), and no more than `most`.
    pub(crate) fn lease_keys_behind(&self, id: LeaseId, key: &[u8], most: usize) -> Vec<Bytes> {
        let Some(lease) = self.leases.all.get(&id) else { return Vec::new() };
        let keys = lease.keys.range::<[u8], _>((Bound::Excluded(key), Bound::Unbounded));
        keys.take(most).map(|key| Bytes::copy_from_slice(key.as_slice())).collect()
    }

    /// Which leases came and went since the last call, in order. Memory grows with what is not fetched:
    /// fetch it after every batch of entries, on followers too.
    pub fn take_lease_changes(&mut self) -> Vec<LeaseChange> {
        std::mem::take(&mut self.leases.changes)
    }
}

impl Lease {
    fn info(&self, id: LeaseId) -> LeaseInfo {
        LeaseInfo { id, ttl: self.ttl, remaining_millis: self.remaining }
    }
}
