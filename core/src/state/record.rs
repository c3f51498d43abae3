//! One version of a key, and all versions of a key.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::ids::{LeaseId, Revision};
use crate::request::{Event, EventKind, KeyValue};

/// What the quota adds for a version besides its key and value: etcd's number.
pub(super) const VERSION_COST: u64 = 256;

/// One version of a key, or its tombstone. Never changed once written; the key's history and the log of
/// revisions share it.
#[derive(Debug)]
pub(super) struct Record {
    /// Key and value in one allocation of their own: a slice of a log entry would keep the whole entry (and
    /// perhaps the frame it came in) alive for as long as the version is.
    buffer: Bytes,
    /// How much of it is the key.
    key_len: u32,
    /// The place in its revision, from 0.
    pub(super) sub: u32,
    /// The revision at which the key was created; 0 in a tombstone.
    pub(super) create: Revision,
    /// The revision of this version.
    pub(super) modified: Revision,
    /// Counted from 1; 0 in a tombstone.
    pub(super) version: i64,
    /// The lease; 0 for none.
    pub(super) lease: LeaseId,
}

/// What is said of a version besides key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sub: u32,
    pub(super) create: Revision,
    pub(super) modified: Revision,
    pub(super) version: i64,
    pub(super) lease: LeaseId,
}

impl Record {
    /// A version with copies of key and value. The key must be shorter than 4 GiB; entries are.
    pub(super) fn new(key: &[u8], value: &[u8], place: Place) -> Record {
        let mut buffer = Vec::with_capacity(key.len() + value.len());
        buffer.extend_from_slice(key);
        buffer.extend_from_slice(value);
        let Place { sub, create, modified, version, lease } = place;
        Record { buffer: buffer.into(), key_len: key.len() as u32, sub, create, modified, version, lease }
    }

    /// The key.
    pub(super) fn key(&self) -> &[u8] {
        &self.buffer[..self.key_len as usize]
    }

    /// The value.
    pub(super) fn value(&self) -> &[u8] {
        &self.buffer[self.key_len as usize..]
    }

    /// The key, sharing the version's memory.
    pub(super) fn key_bytes(&self) -> Bytes {
        self.buffer.slice(..self.key_len as usize)
    }

    /// Whether it says that the key is gone.
    pub(super) fn is_tombstone(&self) -> bool {
        self.version == 0
    }

    /// What it counts for in the quota, in bytes.
    pub(super) fn cost(&self) -> u64 {
        self.buffer.len() as u64 + VERSION_COST
    }

    /// Where it stands in the order of all changes.
    pub(super) fn position(&self) -> (Revision, u32) {
        (self.modified, self.sub)
    }

    /// As it is answered. Nothing is copied.
    pub(super) fn pair(&self) -> KeyValue {
        KeyValue {
            key: self.key_bytes(),
            create_revision: self.create,
            mod_revision: self.modified,
            version: self.version,
            value: self.buffer.slice(self.key_len as usize..),
            lease: self.lease,
        }
    }

    /// As a watch shows it, without the pair before it.
    pub(super) fn event(&self) -> Event {
        let kind = if self.is_tombstone() { EventKind::Delete } else { EventKind::Put };
        Event { kind: kind as i32, kv: Some(self.pair()), prev_kv: None }
    }

    /// Whether a compaction at `compacted` leaves it, when `next` is the version after it.
    pub(super) fn is_kept(&self, next: Option<&Record>, compacted: Revision) -> bool {
        // At the compaction's own revision everything stays, for watches that begin there.
        self.modified >= compacted
            || !self.is_tombstone()
                && match next {
                    Some(next) => next.modified > compacted && !planted!("compact_what_is_readable"),
                    None => !planted!("compact_the_newest"),
                }
    }
}

/// All versions of one key that memory holds, oldest first.
#[derive(Debug)]
pub(super) struct History {
    newest: Arc<Record>,
    /// Boxed, because most keys have one version and then pay one word.
    #[allow(clippy::box_collection)]
    older: Option<Box<VecDeque<Arc<Record>>>>,
}

impl History {
    /// Of a key that was just written for the first time.
    pub(super) fn new(first: Arc<Record>) -> History {
        History { newest: first, older: None }
    }

    /// The newest version.
    pub(super) fn newest(&self) -> &Arc<Record> {
        &self.newest
    }

    /// The newest version, unless the key is gone.
    pub(super) fn live(&self) -> Option<&Arc<Record>> {
        (!self.newest.is_tombstone()).then_some(&self.newest)
    }

    /// Adds a version newer than all.
    pub(super) fn push(&mut self, record: Arc<Record>) {
        let before = std::mem::replace(&mut self.newest, record);
        self.older.get_or_insert_default().push_back(before);
    }

    /// The newest version at or before a revision, tombstones included.
    pub(super) fn at(&self, revision: Revision) -> Option<&Arc<Record>> {
        if self.newest.modified <= revision {
            return Some(&self.newest);
        }
        let older = self.older.as_ref()?;
        let after = older.partition_point(|record| record.modified <= revision);
        older.get(after.checked_sub(1)?)
    }

    /// The pair at a revision, unless the key did not exist then.
    pub(super) fn live_at(&self, revision: Revision) -> Option<&Arc<Record>> {
        self.at(revision).filter(|record| !record.is_tombstone())
    }

    /// All versions after a position in the order of all changes, oldest first, each with its successor.
    pub(super) fn after(
        &self,
        position: (Revision, u32),
    ) -> impl Iterator<Item = (&Arc<Record>, Option<&Arc<Record>>)> {
        let older = self.older.as_deref();
        let len = older.map_or(0, VecDeque::len);
        let from = older.map_or(0, |older| older.partition_point(|record| record.position() <= position));
        let get = move |at: usize| match at.cmp(&len) {
            std::cmp::Ordering::Less => older.and_then(|older| older.get(at)),
            std::cmp::Ordering::Equal => Some(&self.newest),
            std::cmp::Ordering::Greater => None,
        };
        let skip_newest = self.newest.position() <= position;
        (from..if skip_newest { from } else { len + 1 }).filter_map(move |at| Some((get(at)?, get(at + 1))))
    }

    /// Frees the oldest version if a compaction at `compacted` does not leave it. The result says what
    /// became of the history.
    pub(super) fn trim(&mut self, compacted: Revision) -> Trimmed {
        let Some(older) = &mut self.older else {
            let gone = !self.newest.is_kept(None, compacted);
            return if gone { Trimmed::Empty } else { Trimmed::Nothing };
        };
        let next = older.get(1).unwrap_or(&self.newest);
        if older.front().is_none_or(|first| first.is_kept(Some(next), compacted)) {
            return Trimmed::Nothing;
        }
        older.pop_front();
        if older.is_empty() {
            self.older = None;
        } else if older.len() * 4 < older.capacity() {
            older.shrink_to(older.len() * 2);
        }
        Trimmed::One
    }
}

/// What [`History::trim`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trimmed {
    /// Everything there is, is kept.
    Nothing,
    /// One version was freed.
    One,
    /// The only version left is one that is not kept: the key is to be removed from the map.
    Empty,
}
