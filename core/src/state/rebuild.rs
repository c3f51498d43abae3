//! Building a state from versions that were written elsewhere. Nothing of them is believed.
//!
//! What it will never know: where they come from.
//!
//! They come in the order of their revisions. Those at or below the compaction may have gaps (a compaction made them, and
//! may not have been finished when they were written down); those above it must be whole.

use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::key::Key;
use super::load::log_of;
use super::log::Amount;
use super::record::{History, Place, Record, Trimmed};
use super::store::{FIRST_REVISION, NEVER_COMPACTED};
use super::{State, compact::Sweep};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ClusterId, LeaseId, Revision};
use crate::storage::LogPosition;

/// No key and value together have more bytes: a request has 64 MiB at most.
const LONGEST: usize = 64 << 20;

/// The entry that a state from elsewhere stands for.
const BEGINNING: LogPosition = LogPosition { index: 1, term: 1 };

/// A version as it was written down elsewhere. A tombstone has `version` 0, and nothing but its key and place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Foreign<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// The revision at which the key was created.
    pub create_revision: Revision,
    /// The revision of this version.
    pub mod_revision: Revision,
    /// Its place among the changes of its revision, from 0.
    pub sub_revision: u32,
    /// Counted from 1.
    pub version: i64,
    /// The lease; 0 for none.
    pub lease: LeaseId,
}

/// A state being built: leases first, then versions in order, then [`Rebuild::finish`].
///
/// ```
/// use kvorum_core::state::{Foreign, Rebuild};
/// let mut rebuild = Rebuild::new(None);
/// let first = Foreign { key: b"k", value: b"v", create_revision: 2, mod_revision: 2, version: 1, ..Foreign::default() };
/// rebuild.version(&first)?;
/// assert!(rebuild.version(&first).is_err(), "it comes twice");
/// let state = rebuild.finish()?.found(7);
/// assert_eq!((state.revision(), state.sizes().keys), (2, 1));
/// # Ok::<(), kvorum_core::Error>(())
/// ```
pub struct Rebuild {
    state: State,
    /// The versions that the log of revisions will hold, with those before them.
    changes: Vec<(Arc<Record>, Option<Arc<Record>>)>,
    last: (Revision, u32),
}

/// A state that is whole, for a cluster that is not named yet.
pub struct Rebuilt(State);

impl Rebuild {
    /// Of a store whose last compaction was at this revision; `None`: it never was compacted.
    pub fn new(compacted: Option<Revision>) -> Rebuild {
        let mut state = State::new(0);
        state.store.compacted = compacted.unwrap_or(NEVER_COMPACTED).max(NEVER_COMPACTED);
        Rebuild { state, changes: Vec::new(), last: (FIRST_REVISION, u32::MAX) }
    }

    /// Refuses growth until that is lifted.
    pub fn no_space(&mut self) {
        self.state.no_space = true;
    }

    /// Adds a lease: its time to live in seconds, and what is left of that in milliseconds, if less.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`], saying what is wrong with it.
    pub fn lease(&mut self, id: LeaseId, ttl: i64, remaining_millis: Option<u64>) -> Result<()> {
        if id == 0 || ttl <= 0 {
            return Err(unfit(format!("the lease {id} has a time to live of {ttl} s")));
        }
        if !self.state.leases.grant(id, ttl, remaining_millis) {
            return Err(unfit(format!("the lease {id} comes twice")));
        }
        Ok(())
    }

    /// Adds a version, which comes behind all before it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`], saying what is wrong with which.
    pub fn version(&mut self, v: &Foreign<'_>) -> Result<()> {
        let wrong = |reason: &str| {
            let (key, at) = (v.key.escape_ascii(), (v.mod_revision, v.sub_revision));
            Err(unfit(format!("the version of \"{key}\" at revision {}.{} {reason}", at.0, at.1)))
        };
        let position = (v.mod_revision, v.sub_revision);
        if position <= self.last {
            return wrong("is out of order");
        }
        self.last = position;
        if v.key.is_empty() || v.key.len().saturating_add(v.value.len()) > LONGEST {
            return wrong("has no key, or more than 64 MiB");
        }
        // The newest revision must leave room for the next ones.
        if v.mod_revision >= Revision::MAX / 2 {
            return wrong("is too new");
        }
        let Foreign { create_revision: create, mod_revision: modified, version, lease, .. } = *v;
        let possible = match version {
            0 => create == 0 && lease == 0 && v.value.is_empty(),
            _ => version > 0 && create > FIRST_REVISION && create <= modified,
        };
        if !possible {
            return wrong("contradicts itself");
        }
        let place = Place { sub: v.sub_revision, create, modified, version, lease };
        let record = Arc::new(Record::new(v.key, v.value, place));
        let compacted = self.state.store.compacted;
        let slot = self.state.store.keys.entry(Key::new(v.key));
        let before = match &slot {
            Entry::Occupied(slot) => Some(slot.get().newest().clone()),
            Entry::Vacant(_) => None,
        };
        if !follows(before.as_deref(), &record, compacted) {
            return wrong("does not follow the one before it");
        }
        match slot {
            Entry::Occupied(mut slot) => {
                slot.get_mut().push(record.clone());
                while slot.get_mut().trim(compacted) == Trimmed::One {}
            }
            Entry::Vacant(slot) => _ = slot.insert(History::new(record.clone())),
        }
        if modified >= compacted {
            let before = before.filter(|before| before.is_kept(Some(&record), compacted));
            self.changes.push((record, before));
        }
        Ok(())
    }

    /// Puts everything together.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`], saying what is missing.
    pub fn finish(mut self) -> Result<Rebuilt> {
        let state = &mut self.state;
        let store = &mut state.store;
        store.revision = self.last.0.max(store.compacted).max(FIRST_REVISION);
        if store.revision >= Revision::MAX / 2 {
            return Err(unfit(format!("the compaction at {} is too new", store.compacted)));
        }
        let compacted = store.compacted;
        store.keys.retain(|_, history| history.newest().is_kept(None, compacted));
        store.log = log_of(compacted, store.revision, &mut self.changes)
            .map_err(|reason| unfit(format!("{reason} above the compaction at {}", compacted.max(0))))?;
        store.sweep = Sweep::finished(compacted);
        for (key, history) in &store.keys {
            history.after((0, 0)).for_each(|(record, _)| store.size.add(Amount::of(record)));
            let Some(live) = history.live() else { continue };
            store.live += 1;
            if live.lease != 0 && !state.leases.contains(live.lease) {
                let key = key.as_slice().escape_ascii();
                return Err(unfit(format!(
                    "\"{key}\" hangs on the lease {}, which is not there",
                    live.lease
                )));
            }
            state.leases.transfer(key.as_slice(), 0, live.lease);
        }
        state.leases.forget_changes();
        state.applied = BEGINNING;
        state.hash = content(state);
        Ok(Rebuilt(self.state))
    }
}

impl Rebuilt {
    /// A hash of all that it holds: the same content has the same, whatever it was written down in. It becomes the state's
    /// first link of the hash chain, so that members that were built from different content are told apart.
    pub fn hash(&self) -> [u8; 32] {
        self.0.hash
    }

    /// How much it holds.
    pub fn sizes(&self) -> super::Sizes {
        self.0.sizes()
    }

    /// The state with which this cluster begins. It stands for the log's first entry, of term 1.
    pub fn found(mut self, cluster: ClusterId) -> State {
        self.0.cluster = cluster;
        self.0
    }
}

/// Whether a version can follow the one before it. Up to the compaction, some may be gone in between.
fn follows(before: Option<&Record>, record: &Record, compacted: Revision) -> bool {
    let is_whole = record.modified > compacted;
    let begins = record.version == 1 && record.create == record.modified;
    let live = before.filter(|before| !before.is_tombstone());
    match (live, record.is_tombstone()) {
        (None, true) => !is_whole && before.is_none(),
        (None, false) => {
            let is_later = before.is_none_or(|before| record.create > before.modified || begins);
            begins || !is_whole && is_later
        }
        (Some(_), true) => true,
        (Some(before), false) if is_whole => {
            record.create == before.create && record.version - 1 == before.version
        }
        (Some(before), false) => {
            let is_same = record.create == before.create && record.version > before.version;
            is_same || record.create > before.modified
        }
    }
}

/// The hash of what a state holds.
fn content(state: &State) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    let numbers = |hash: &mut blake3::Hasher, numbers: &[i64]| {
        numbers.iter().for_each(|number| _ = hash.update(&number.to_le_bytes()));
    };
    hash.update(b"kvorum content\0");
    let store = &state.store;
    let no_space = i64::from(state.no_space);
    numbers(&mut hash, &[store.revision, store.compacted, no_space, state.leases.len() as i64]);
    for lease in state.leases() {
        let left = lease.remaining_millis.map_or(-1, |millis| i64::try_from(millis).unwrap_or(i64::MAX));
        numbers(&mut hash, &[lease.id, lease.ttl, left]);
    }
    for (record, _) in store.keys.values().flat_map(|history| history.after((0, 0))) {
        let (key, value) = (record.key(), record.value());
        let place = [record.create, record.modified, i64::from(record.sub), record.version, record.lease];
        numbers(&mut hash, &[key.len() as i64, value.len() as i64]);
        numbers(&mut hash, &place);
        hash.update(key).update(value);
    }
    *hash.finalize().as_bytes()
}

fn unfit(reason: String) -> Error {
    ErrorKind::Corrupt { path: "the history".into(), offset: 0, reason }.into()
}

impl std::fmt::Debug for Rebuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rebuild").field("last", &self.last).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Rebuilt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rebuilt").field(&self.0).finish()
    }
}
