//! Walking every version in the order in which they were written, in pieces, while the state goes on.
//!
//! For whoever writes the store down in another form, or hashes it. What it will never know: that form.
//!
//! The log of revisions has all versions above the compaction in order. What a compaction left from before is only
//! found by key, so that is looked up first, and sorted: a pointer for each key, no copies.

use std::ops::Bound;
use std::sync::Arc;

use super::key::Key;
use super::record::{History, Record};
use super::{LeaseInfo, SLICE, State};
use crate::error::{ErrorKind, Result};
use crate::ids::{LeaseId, Revision};
use crate::storage::LogPosition;

/// A version of a key, or the tombstone that ended it. Shared with the state, not copied.
#[derive(Clone, Debug)]
pub struct Version(Arc<Record>);

impl Version {
    /// The key.
    pub fn key(&self) -> &[u8] {
        self.0.key()
    }

    /// The value; empty in a tombstone.
    pub fn value(&self) -> &[u8] {
        self.0.value()
    }

    /// The revision at which the key was created; 0 in a tombstone.
    pub fn create_revision(&self) -> Revision {
        self.0.create
    }

    /// The revision of this version.
    pub fn mod_revision(&self) -> Revision {
        self.0.modified
    }

    /// Its place among the changes of its revision, from 0.
    pub fn sub_revision(&self) -> u32 {
        self.0.sub
    }

    /// 1 for the first version since the key was created, and one more with every put; 0 in a tombstone.
    pub fn version(&self) -> i64 {
        self.0.version
    }

    /// The lease; 0 for none.
    pub fn lease(&self) -> LeaseId {
        self.0.lease
    }

    /// Whether it says that the key is gone.
    pub fn is_tombstone(&self) -> bool {
        self.0.is_tombstone()
    }
}

/// Which versions a walk is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that there are: those above the compaction, and those that it left.
    Everything,
    /// Those that etcd's `HashKV` covers at this revision (0: the newest): all above the compaction up to there, and
    /// of older ones those that a compaction at this revision would leave (or, if it would leave no key at all, what the
    /// last compaction has left).
    Hashed(Revision),
}

/// A walk over versions, of the state as it was when [`State::walk`] was called. While it is held no garbage is
/// collected.
///
/// ```
/// use kvorum_core::state::{Scope, State, Step};
/// let state = State::new(1);
/// let mut walk = state.walk(Scope::Everything)?;
/// while let Step::Versions(versions) = walk.next(&state) {
///     assert!(versions.is_empty(), "nothing was written yet");
/// }
/// # Ok::<(), kvorum_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Walk {
    /// Tells the state that it is held, and the walk whether it is still the same state.
    pin: Arc<()>,
    scope: Scope,
    facts: Facts,
    /// The last revision that is shown.
    until: Revision,
    stage: Stage,
    /// What a compaction left, and whether another one at `until` would.
    old: Vec<(Arc<Record>, bool)>,
    /// Whether that would leave any key.
    leaves_any: bool,
}

/// What there is besides versions, as it was when the walk began.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The newest revision.
    pub revision: Revision,
    /// The last compaction; `None`: there was none.
    pub compacted: Option<Revision>,
    /// The last entry of the log whose effect is shown.
    pub applied: LogPosition,
    /// Whether growth is refused.
    pub no_space: bool,
    /// The leases, by id.
    pub leases: Vec<LeaseInfo>,
}

/// What a step of a walk came to.
#[derive(Debug)]
pub enum Step {
    /// The next versions, in order. There may be none yet.
    Versions(Vec<Version>),
    /// There are no more.
    End,
    /// An image of the leader's has replaced the state meanwhile: what was shown is worth nothing.
    Replaced,
}

#[derive(Debug)]
enum Stage {
    /// Looking at all keys for what a compaction left, from behind this one.
    Keys(Option<Key>),
    /// Showing that, from this one on.
    Old(usize),
    /// Showing the log, from this revision on.
    Log(Revision),
}

impl State {
    /// Begins a walk.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Compacted`] and [`ErrorKind::FutureRevision`], for the revision of a hash.
    pub fn walk(&self, scope: Scope) -> Result<Walk> {
        let (current, compacted) = (self.store.revision, self.store.compacted);
        let until = match scope {
            Scope::Everything | Scope::Hashed(0) => current,
            Scope::Hashed(requested) if requested > current => {
                return Err(ErrorKind::FutureRevision { requested, current }.into());
            }
            Scope::Hashed(requested) if requested > 0 && requested < compacted => {
                return Err(self.store.readable().compacted_error(requested));
            }
            Scope::Hashed(requested) => requested,
        };
        let facts = Facts {
            revision: current,
            compacted: (compacted >= 0).then_some(compacted),
            applied: self.applied,
            no_space: self.no_space,
            leases: self.leases().collect(),
        };
        // Without a compaction, the log has all.
        let stage = if compacted > 0 { Stage::Keys(None) } else { Stage::Log(0) };
        Ok(Walk { pin: self.pin.clone(), scope, facts, until, stage, old: Vec::new(), leaves_any: false })
    }
}

impl Walk {
    /// What there is besides versions.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The last revision that is shown.
    pub fn until(&self) -> Revision {
        self.until
    }

    /// Begins from the first version again, with the same ones.
    pub fn rewind(&mut self) {
        if !matches!(self.stage, Stage::Keys(_)) {
            self.stage = if self.old.is_empty() { Stage::Log(0) } else { Stage::Old(0) };
        }
    }

    /// Goes on by a little. Between two calls the state may go on.
    pub fn next(&mut self, state: &State) -> Step {
        if !Arc::ptr_eq(&self.pin, &state.pin) {
            return Step::Replaced;
        }
        let compacted = self.compacted();
        match &mut self.stage {
            Stage::Keys(after) => {
                let after = after.take();
                self.look(state, after);
                Step::Versions(Vec::new())
            }
            Stage::Old(from) => {
                let records: Vec<_> = self.old.iter().skip(*from).take(SLICE).collect();
                *from += records.len();
                let versions: Vec<_> = records.iter().map(|(record, _)| Version(record.clone())).collect();
                if versions.is_empty() {
                    self.stage = Stage::Log(0);
                }
                Step::Versions(versions)
            }
            Stage::Log(from) => {
                let first = (*from).max(compacted + 1).max(state.store.log.first());
                let last = self.until.min(first.saturating_add(SLICE as Revision - 1));
                if first > last {
                    return Step::End;
                }
                *from = last + 1;
                let changes = (first..=last).filter_map(|revision| state.store.log.get(revision));
                let records = changes.flat_map(|changes| changes.records());
                Step::Versions(records.map(|record| Version(record.clone())).collect())
            }
        }
    }

    fn compacted(&self) -> Revision {
        self.facts.compacted.unwrap_or(0)
    }

    /// Looks at some keys.
    fn look(&mut self, state: &State, after: Option<Key>) {
        let from = after.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_slice()));
        let keys = state.store.keys.range::<[u8], _>((from, Bound::Unbounded)).take(SLICE);
        let (mut last, mut looked) = (None, 0);
        for (key, history) in keys {
            self.note(history);
            (last, looked) = (Some(key.clone()), looked + 1);
        }
        if looked == SLICE {
            self.stage = Stage::Keys(last);
            return;
        }
        if matches!(self.scope, Scope::Hashed(_)) && self.leaves_any {
            self.old.retain(|(_, is_left)| *is_left);
        }
        self.old.sort_unstable_by_key(|(record, _)| record.position());
        self.stage = Stage::Old(0);
    }

    /// Takes what a compaction left of a key.
    fn note(&mut self, history: &History) {
        let compacted = self.compacted();
        let kept = || {
            let all = history.after((0, 0));
            all.filter(move |(record, next)| record.is_kept(next.map(|next| &**next), compacted))
                .map(|(record, _)| record)
        };
        let left = left_by(kept(), self.until);
        self.leaves_any |= left.is_some();
        let end = compacted.min(self.until);
        let old = kept().take_while(|record| record.modified <= end);
        self.old.extend(old.map(|record| (record.clone(), left == Some(record.position()))));
    }
}

/// Which of a key's versions a compaction at a revision would leave, by etcd's rule: the newest one up to there of the
/// life that the key has at that revision, or of the last one; no tombstone.
fn left_by<'a>(versions: impl Iterator<Item = &'a Arc<Record>>, at: Revision) -> Option<(Revision, u32)> {
    let mut newest = None;
    for record in versions {
        if record.is_tombstone() {
            if record.modified >= at {
                return newest.filter(|_| record.modified > at);
            }
            newest = None;
        } else if record.modified <= at {
            newest = Some(record.position());
        }
    }
    newest
}
