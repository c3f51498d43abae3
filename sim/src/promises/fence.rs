//! Whether locks and elections had one owner at a time, and what their tokens kept out.
//!
//! A lock is a name and the keys under it; it is owned by the oldest one that is there. (Nothing else is said
//! of them, so a lock whose name begins with another's name and its separator lies under that one, too, as in
//! etcd.) A token is the revision that created the owner's key.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use bytes::Bytes;

use super::promise::{Broken, Rule};
use crate::history::{Change, EventLog, Revision};

/// Who owned the lock, and from which revision on.
#[derive(Clone, Debug)]
struct Reign {
    since: Revision,
    /// The token and the key; `None`: nobody.
    owner: Option<(Revision, Bytes)>,
}

/// Judges one lock, or one election. It remembers every change of owners, for answers come later.
///
/// ```
/// use kvorum_sim::history::{Change, EventLog};
/// use kvorum_sim::promises::{FenceJudge, Rule};
///
/// // Ann's key is there first, Bob waits; then Ann's lease ends.
/// let mut log = EventLog::new();
/// let comes = |key: &'static str| Change::Put { key: key.into(), value: "".into(), lease: 7 };
/// log.push(2, vec![comes("lock/ann")]).unwrap();
/// log.push(3, vec![comes("lock/bob")]).unwrap();
/// log.push(4, vec![Change::Delete { key: "lock/ann".into() }]).unwrap();
///
/// let mut judge = FenceJudge::new("lock/");
/// judge.follow(&log)?;
/// judge.locked(b"lock/ann", 2, 2)?; // whoever was given the lock, the token, the answer's revision
/// judge.locked(b"lock/bob", 3, 4)?;
/// let early = judge.locked(b"lock/bob", 3, 3);
/// assert_eq!(early.unwrap_err().rule, Rule::F1b);
/// // What the lock protects took Bob's write and then one of Ann's: it cannot have looked at tokens.
/// judge.accepted(b"lock/bob", 3)?;
/// assert_eq!(judge.accepted(b"lock/ann", 2).unwrap_err().rule, Rule::F1c);
/// # Ok::<(), kvorum_sim::promises::Broken>(())
/// ```
#[derive(Clone, Debug)]
pub struct FenceJudge {
    prefix: Bytes,
    /// When the keys that are there were created, and the same by age.
    created: BTreeMap<Bytes, Revision>,
    by_age: BTreeSet<(Revision, Bytes)>,
    reigns: Vec<Reign>,
    newest: Revision,
    highest: Revision,
    overlaps: u64,
    afterwards: u64,
}

/// What an observer of an election was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The leader's key.
    pub key: Bytes,
    /// The revision that created it: the leader's token.
    pub create_revision: Revision,
    /// The revision that wrote what was shown.
    pub mod_revision: Revision,
    /// What the leader has to say.
    pub value: Bytes,
}

/// What one observer was shown last. Each has its own.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    last: Option<(Revision, Revision)>,
}

impl FenceJudge {
    /// Of the lock whose keys begin with `prefix`, the separator included.
    pub fn new(prefix: impl Into<Bytes>) -> FenceJudge {
        FenceJudge {
            prefix: prefix.into(),
            created: BTreeMap::new(),
            by_age: BTreeSet::new(),
            reigns: vec![Reign { since: 1, owner: None }],
            newest: 1,
            highest: 0,
            overlaps: 0,
            afterwards: 0,
        }
    }

    /// Goes on to the log's newest revision. It must be the same log each time.
    ///
    /// # Errors
    ///
    /// [`Rule::F1a`]: at some revision two keys are the oldest.
    pub fn follow(&mut self, log: &EventLog) -> Result<(), Broken> {
        log.since(self.newest + 1).try_for_each(|(revision, changes)| self.revision(revision, changes))
    }

    /// The log's next revision.
    ///
    /// # Errors
    ///
    /// As for [`FenceJudge::follow`].
    pub fn revision(&mut self, revision: Revision, changes: &[Change]) -> Result<(), Broken> {
        self.newest = revision;
        let ours = changes.iter().filter(|change| change.key().starts_with(&self.prefix));
        for change in ours {
            match change {
                Change::Put { key, .. } if !self.created.contains_key(key) => {
                    self.created.insert(key.clone(), revision);
                    self.by_age.insert((revision, key.clone()));
                }
                Change::Put { .. } => {}
                Change::Delete { key } => {
                    if let Some(created) = self.created.remove(key) {
                        self.by_age.remove(&(created, key.clone()));
                    }
                }
            }
        }
        let mut oldest = self.by_age.iter();
        let owner = oldest.next().cloned();
        if let (Some(one), Some(other)) = (&owner, oldest.next())
            && one.0 == other.0
        {
            return self.broken(Rule::F1a, format!("{:?} and {:?} at revision {revision}", one.1, other.1));
        }
        if self.reigns.last().is_some_and(|last| last.owner != owner) {
            self.reigns.push(Reign { since: revision, owner });
        }
        Ok(())
    }

    /// The owner's token and key once `revision` was over; `None`: nobody owned it.
    pub fn owner_at(&self, revision: Revision) -> Option<(Revision, &Bytes)> {
        let until = self.reigns.partition_point(|reign| reign.since <= revision);
        let (token, key) = self.reigns[..until].last()?.owner.as_ref()?;
        Some((*token, key))
    }

    /// Somebody was given the lock: `key`, under `token`, by an answer that says it was so at `revision`. The
    /// log must have been shown up to there.
    ///
    /// # Errors
    ///
    /// [`Rule::F1b`]: it was not.
    pub fn locked(&self, key: &[u8], token: Revision, revision: Revision) -> Result<(), Broken> {
        self.locked_within(key, token, revision..=revision)
    }

    /// The same of an answer that does not say at which revision: only that it was one of these, from the
    /// newest that was known when the call was made to the newest when it was answered.
    ///
    /// # Errors
    ///
    /// [`Rule::F1b`]: at none of them was it so.
    pub fn locked_within(
        &self,
        key: &[u8],
        token: Revision,
        within: RangeInclusive<Revision>,
    ) -> Result<(), Broken> {
        let is_shown = *within.start() <= self.newest && *within.end() <= self.newest;
        if is_shown && self.owned(key, token, *within.start(), *within.end()) {
            return Ok(());
        }
        let owner = self.owner_at(*within.end());
        let key = key.escape_ascii();
        self.broken(Rule::F1b, format!("{key} with token {token} within {within:?}; its owner was {owner:?}"))
    }

    /// A resource that checks tokens accepted a write under `token`, from the holder of `key`. The log must
    /// have been shown up to what was there at the write.
    ///
    /// # Errors
    ///
    /// [`Rule::F1c`]: it had accepted a higher token, or the holder never owned the lock under this one.
    pub fn accepted(&mut self, key: &[u8], token: Revision) -> Result<(), Broken> {
        let (highest, name) = (self.highest, key.escape_ascii().to_string());
        self.count(key, token);
        if token < highest {
            return self.broken(Rule::F1c, format!("{name} wrote with token {token}, after {highest}"));
        }
        if !self.owned(key, token, token, self.newest) {
            return self.broken(Rule::F1c, format!("{name} wrote with token {token}, and never owned it"));
        }
        Ok(())
    }

    /// A resource that checks nothing took a write: nobody is blamed, it is only counted.
    pub fn unfenced(&mut self, key: &[u8], token: Revision) {
        self.count(key, token);
    }

    /// How many writes came from an earlier owner after a later one had written. Locks without fencing have
    /// some, now and then; fenced resources have none.
    pub fn overlaps(&self) -> u64 {
        self.overlaps
    }

    /// How many writes came from somebody who owned the lock no longer. Fencing accepts them as long as no
    /// later owner has written.
    pub fn afterwards(&self) -> u64 {
        self.afterwards
    }

    /// An observer of the election was shown a leader.
    ///
    /// # Errors
    ///
    /// [`Rule::F1d`]: it was shown before, or another one since that came later; or it never led with these
    /// words.
    pub fn shown(&self, log: &EventLog, observed: &mut Observed, shown: &Shown) -> Result<(), Broken> {
        let place = (shown.create_revision, shown.mod_revision);
        if let Some(last) = observed.last.filter(|last| place <= *last) {
            return self.broken(Rule::F1d, format!("{shown:?}, after one of {last:?}"));
        }
        observed.last = Some(place);
        let is_it = |change: &Change| match change {
            Change::Put { key, value, .. } => *key == shown.key && *value == shown.value,
            Change::Delete { .. } => false,
        };
        let was_said = log.at(shown.mod_revision).iter().any(is_it);
        if was_said && self.owned(&shown.key, shown.create_revision, shown.mod_revision, self.newest) {
            return Ok(());
        }
        self.broken(Rule::F1d, format!("{shown:?}, which never led so"))
    }

    fn count(&mut self, key: &[u8], token: Revision) {
        let is_owner = self.owner_at(self.newest).is_some_and(|owner| owner.0 == token && owner.1 == key);
        self.afterwards += u64::from(!is_owner);
        self.overlaps += u64::from(token < self.highest);
        self.highest = self.highest.max(token);
    }

    /// Whether the key owned the lock under this token at any of these revisions.
    fn owned(&self, key: &[u8], token: Revision, from: Revision, to: Revision) -> bool {
        let is_it = |reign: &Reign| reign.owner.as_ref().is_some_and(|o| o.0 == token && o.1 == key);
        let first = self.reigns.partition_point(|reign| reign.since <= from).saturating_sub(1);
        self.reigns[first..].iter().take_while(|reign| reign.since <= to).any(is_it)
    }

    fn broken<T>(&self, rule: Rule, seen: String) -> Result<T, Broken> {
        Err(Broken::new(rule, format!("{seen} (the lock {})", self.prefix.escape_ascii())))
    }
}

/// Something outside the store that a lock protects: it remembers the highest token, and refuses lower ones,
/// if it was built to.
#[derive(Clone, Debug)]
pub struct Resource {
    is_fenced: bool,
    highest: Revision,
}

impl Resource {
    /// One that checks tokens.
    pub fn fenced() -> Resource {
        Resource { is_fenced: true, highest: 0 }
    }

    /// One that takes whatever comes.
    pub fn unfenced() -> Resource {
        Resource { is_fenced: false, highest: 0 }
    }

    /// Somebody writes who believes that `key` holds the lock; the judge is told what comes of it. Answers
    /// whether it was accepted.
    ///
    /// # Errors
    ///
    /// [`Rule::F1c`], as [`FenceJudge::accepted`] has it.
    pub fn write(&mut self, judge: &mut FenceJudge, key: &[u8], token: Revision) -> Result<bool, Broken> {
        if !self.is_fenced {
            judge.unfenced(key, token);
            return Ok(true);
        }
        if token < self.highest {
            return Ok(false);
        }
        self.highest = token;
        judge.accepted(key, token).map(|()| true)
    }
}

#[cfg(test)]
mod tests;
