//! What each key was at each revision: an index over an [`EventLog`], kept up as it grows.

use std::collections::HashMap;

use bytes::Bytes;

use crate::history::{Change, EventLog, Revision};

/// A key with its value and its place in history, as etcd's language tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: Bytes,
    /// The revision that created it (since it was last deleted).
    pub create_revision: Revision,
    /// The revision of this version.
    pub mod_revision: Revision,
    /// 1 for the first version since it was created, and one more with every put.
    pub version: i64,
    /// Its value.
    pub value: Bytes,
    /// The lease it hangs on; 0: none.
    pub lease: i64,
}

/// One change of a key: where it stands in the log, and what cannot be read off there.
#[derive(Clone, Copy, Debug)]
struct Version {
    revision: Revision,
    /// Which of its revision's changes it is.
    at: u32,
    /// 0: it was deleted.
    create_revision: Revision,
    /// 0: it was deleted.
    version: i64,
}

/// Every key's versions, without their values: those stay in the log.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    keys: HashMap<Bytes, Vec<Version>>,
    replayed: Revision,
    compacted: Revision,
}

impl Replay {
    /// Of nothing yet.
    pub fn new() -> Replay {
        Replay { replayed: 1, ..Replay::default() }
    }

    /// Goes on to the log's newest revision. It must be the same log each time.
    pub fn follow(&mut self, log: &EventLog) {
        for (revision, changes) in log.since(self.replayed.max(1) + 1) {
            for (at, change) in changes.iter().enumerate() {
                self.replay(revision, at as u32, change);
            }
            self.replayed = revision;
        }
    }

    fn replay(&mut self, revision: Revision, at: u32, change: &Change) {
        // Looked up by reference first: a key is cloned once, not for each of its versions.
        if !self.keys.contains_key(change.key()) {
            self.keys.insert(change.key().clone(), Vec::new());
        }
        let Some(versions) = self.keys.get_mut(change.key()) else { return };
        let before = versions.last().filter(|before| before.version > 0);
        let (create_revision, version) = match change {
            Change::Delete { .. } => (0, 0),
            Change::Put { .. } => {
                before.map_or((revision, 1), |before| (before.create_revision, before.version + 1))
            }
        };
        versions.push(Version { revision, at, create_revision, version });
    }

    /// Somebody asked for everything below `revision` to be forgotten, or the store decided so itself: from now
    /// on it may be, on some member or on all. To be told before its effect is seen.
    pub fn compacted(&mut self, revision: Revision) {
        self.compacted = self.compacted.max(revision);
    }

    /// Together with the log that it replayed.
    pub fn of<'a>(&'a self, log: &'a EventLog) -> Past<'a> {
        Past { log, replay: self }
    }
}

/// All that has happened so far, to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    log: &'a EventLog,
    replay: &'a Replay,
}

impl<'a> Past<'a> {
    /// The newest revision.
    pub fn newest(&self) -> Revision {
        self.log.newest().min(self.replay.replayed)
    }

    /// The highest revision that anybody asked to be compacted to; 0: nobody did.
    pub fn compacted(&self) -> Revision {
        self.replay.compacted
    }

    /// What a revision changed, in order.
    pub fn at(&self, revision: Revision) -> &'a [Change] {
        self.log.at(revision)
    }

    /// A key as it was once `revision` was over; `None`: it was not there.
    pub fn pair_at(&self, key: &[u8], revision: Revision) -> Option<Pair> {
        let versions = self.replay.keys.get(key)?;
        let until = versions.partition_point(|version| version.revision <= revision);
        self.pair(versions[..until].last()?)
    }

    /// A key as one change left it: the `at`-th (from 0) of its revision. `None`: it deleted the key, or
    /// changed another one.
    pub fn pair_after(&self, key: &[u8], revision: Revision, at: usize) -> Option<Pair> {
        let versions = self.replay.keys.get(key)?;
        let found = versions.binary_search_by_key(&(revision, at), |v| (v.revision, v.at as usize)).ok()?;
        self.pair(&versions[found])
    }

    /// The first revision from `from` to `to` that changed the key.
    pub fn next_change(&self, key: &[u8], from: Revision, to: Revision) -> Option<Revision> {
        let versions = self.replay.keys.get(key)?;
        let next = versions.partition_point(|version| version.revision < from);
        versions.get(next).map(|version| version.revision).filter(|revision| *revision <= to)
    }

    fn pair(&self, version: &Version) -> Option<Pair> {
        let Some(Change::Put { key, value, lease }) = self.at(version.revision).get(version.at as usize)
        else {
            return None;
        };
        Some(Pair {
            key: key.clone(),
            create_revision: version.create_revision,
            mod_revision: version.revision,
            version: version.version,
            value: value.clone(),
            lease: *lease,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &'static str, value: &'static str) -> Change {
        Change::Put { key: key.into(), value: value.into(), lease: 7 }
    }

    #[test]
    fn the_past_knows_every_version_of_a_key() {
        let mut log = EventLog::new();
        let mut replay = Replay::new();
        let delete = |key: &'static str| Change::Delete { key: key.into() };
        for (revision, changes) in [
            (2, vec![put("a", "1")]),
            (3, vec![put("b", "2")]),
            (4, vec![put("b", "3"), put("a", "4")]),
            (5, vec![delete("a"), put("a", "5")]),
            (6, vec![delete("a")]),
        ] {
            log.push(revision, changes).unwrap();
            replay.follow(&log);
        }
        let past = replay.of(&log);
        let told = |r: Revision| {
            past.pair_at(b"a", r).map(|p| (p.create_revision, p.mod_revision, p.version, p.value, p.lease))
        };
        assert_eq!(told(1), None);
        assert_eq!(told(3), Some((2, 2, 1, "1".into(), 7)));
        assert_eq!(told(4), Some((2, 4, 2, "4".into(), 7)));
        assert_eq!(told(5), Some((5, 5, 1, "5".into(), 7)));
        assert_eq!(told(6), None);
        assert_eq!(past.pair_after(b"a", 5, 0), None);
        assert_eq!(past.pair_after(b"a", 5, 1).unwrap().value, "5");
        assert_eq!(past.pair_after(b"a", 4, 0), None, "that was another key");
        assert_eq!(past.next_change(b"a", 3, 9), Some(4));
        assert_eq!(past.next_change(b"a", 3, 3), None);
        assert_eq!(past.newest(), 6);
    }
}
