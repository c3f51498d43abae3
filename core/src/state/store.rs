//! The keys with their history, and how they are written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::key::{Key, Span};
use super::log::{Amount, Log};
use super::record::{History, Place, Record};
use crate::error::{ErrorKind, Result};
use crate::ids::{LeaseId, Revision};

/// The compacted revision of a store that never was compacted: etcd's number. It can be seen: a first
/// compaction at 0 succeeds, a second one fails.
pub(super) const NEVER_COMPACTED: Revision = -1;

/// The revision of an empty store.
pub(super) const FIRST_REVISION: Revision = 1;

/// The keys, their history, and the log of revisions.
pub(super) struct Store {
    pub(super) keys: BTreeMap<Key, History>,
    pub(super) log: Log,
    /// The newest revision. A number of its own: what survives a compaction does not tell it.
    pub(super) revision: Revision,
    /// The last compaction asked for, or [`NEVER_COMPACTED`].
    pub(super) compacted: Revision,
    /// Keys that exist.
    pub(super) live: u64,
    /// What the versions that count add up to.
    pub(super) size: Amount,
    /// The changes of the revision being written; empty between two revisions.
    pub(super) changes: Vec<Arc<Record>>,
    /// How far [`Store::collect_garbage`] has come.
    pub(super) sweep: super::compact::Sweep,
}

/// What a write does to the lease or the value that a key has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<T> {
    Keep,
    Set(T),
}

/// Which revisions can be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readable {
    /// The newest.
    pub(super) newest: Revision,
    compacted: Revision,
}

impl Readable {
    /// Whether a revision can be read; 0 and less stand for the newest.
    pub(super) fn check(self, requested: Revision) -> Result<()> {
        let current = self.newest;
        if requested > current {
            return Err(ErrorKind::FutureRevision { requested, current }.into());
        }
        if requested > 0 && requested < self.compacted {
            return Err(self.compacted_error(requested));
        }
        Ok(())
    }

    /// The same inside a transaction. Stricter than outside, as in etcd: only 0 means the newest revision; a negative
    /// one is merely very old.
    pub(super) fn check_in_txn(self, requested: Revision) -> Result<()> {
        match requested {
            0 => Ok(()),
            requested if requested < self.compacted => Err(self.compacted_error(requested)),
            requested => self.check(requested),
        }
    }

    /// [`ErrorKind::Compacted`].
    pub(super) fn compacted_error(self, requested: Revision) -> crate::Error {
        ErrorKind::Compacted { requested, compacted: self.compacted.max(0) }.into()
    }
}

impl Store {
    /// An empty one.
    pub(super) fn new() -> Store {
        Store {
            keys: BTreeMap::new(),
            log: Log::new(FIRST_REVISION + 1),
            revision: FIRST_REVISION,
            compacted: NEVER_COMPACTED,
            live: 0,
            size: Amount::default(),
            changes: Vec::new(),
            sweep: super::compact::Sweep::default(),
        }
    }

    /// The revision that a write, or a read among writes, belongs to now.
    pub(super) fn working_revision(&self) -> Revision {
        self.revision + i64::from(!self.changes.is_empty())
    }

    /// The pair as it is now, writes of the revision under way included.
    pub(super) fn live(&self, key: &[u8]) -> Option<&Arc<Record>> {
        self.history(key)?.live()
    }

    /// A key's history, if memory holds any of it.
    pub(super) fn history(&self, key: &[u8]) -> Option<&History> {
        match Key::inline(key) {
            Some(key) => self.keys.get(&key),
            None => self.keys.get(key),
        }
    }

    /// The keys of a span with their histories, in order.
    pub(super) fn histories<'a>(&'a self, span: Span<'a>) -> impl Iterator<Item = &'a History> {
        // A map panics on bounds that are the wrong way round.
        let range = (!span.is_empty()).then(|| self.keys.range::<[u8], _>(span.bounds()));
        range.into_iter().flatten().map(|(_, history)| history)
    }

    /// Which revisions can be read now.
    pub(super) fn readable(&self) -> Readable {
        Readable { newest: self.revision, compacted: self.compacted }
    }

    /// Writes one version at the revision under way, and returns the pair before it and the one after it.
    pub(super) fn put(
        &mut self,
        key: &[u8],
        value: Change<&[u8]>,
        lease: Change<LeaseId>,
    ) -> (Option<Arc<Record>>, Arc<Record>) {
        let (sub, modified) = self.next_place();
        let slot = self.keys.entry(Key::new(key));
        let before = match &slot {
            Entry::Occupied(slot) => Some(slot.get().newest().clone()),
            Entry::Vacant(_) => None,
        };
        let live = before.as_ref().filter(|before| !before.is_tombstone());
        let place = Place {
            sub,
            create: match planted!("create_not_reset") {
                true => before.as_ref().map_or(modified, |before| before.create.max(2)),
                false => live.map_or(modified, |live| live.create),
            },
            modified,
            version: live.map_or(1, |live| live.version.saturating_add(1)),
            lease: match lease {
                Change::Set(lease) => lease,
                Change::Keep => live.map_or(0, |live| live.lease),
            },
        };
        let value = match value {
            Change::Set(value) => value,
            Change::Keep => live.map_or(&[][..], |live| live.value()),
        };
        let record = Arc::new(Record::new(key, value, place));
        let live = live.cloned();
        match slot {
            Entry::Occupied(mut slot) => slot.get_mut().push(record.clone()),
            Entry::Vacant(slot) => _ = slot.insert(History::new(record.clone())),
        }
        self.live += u64::from(live.is_none());
        self.written(before.as_deref(), &record);
        (live, record)
    }

    /// Writes a tombstone at the revision under way if the key exists, and returns the pair before it.
    pub(super) fn delete(&mut self, key: &[u8]) -> Option<Arc<Record>> {
        let (sub, modified) = self.next_place();
        let history = history_mut(&mut self.keys, key)?;
        let before = history.live()?.clone();
        let place = Place { sub, create: 0, modified, version: 0, lease: 0 };
        let record = Arc::new(Record::new(key, &[], place));
        history.push(record.clone());
        self.live -= 1;
        self.written(Some(&before), &record);
        Some(before)
    }

    /// Ends the revision under way, if anything was written, and returns what was.
    pub(super) fn commit(&mut self) -> &[Arc<Record>] {
        if self.changes.is_empty() && !planted!("delete_nothing_bumps") {
            return &[];
        }
        self.revision += 1;
        if planted!("swap_changes_of_revision") {
            self.changes.reverse();
        }
        self.log.push(&mut self.changes);
        self.log.get(self.revision).map_or(&[], |changes| changes.records())
    }

    /// Where the next version of the revision under way stands.
    fn next_place(&self) -> (u32, Revision) {
        (self.changes.len() as u32, self.revision + 1)
    }

    /// Counts a version and puts it among the changes of the revision under way.
    fn written(&mut self, before: Option<&Record>, record: &Arc<Record>) {
        if self.changes.is_empty() {
            self.log.begin();
        }
        self.log.note(before, record);
        self.size.add(Amount::of(record));
        self.changes.push(record.clone());
    }
}

/// A key's history, to be changed.
pub(super) fn history_mut<'a>(keys: &'a mut BTreeMap<Key, History>, key: &[u8]) -> Option<&'a mut History> {
    match Key::inline(key) {
        Some(key) => keys.get_mut(&key),
        None => keys.get_mut(key),
    }
}
