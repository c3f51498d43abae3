//! What a watch is asked for, and what it says.

use std::fmt;

use bytes::Bytes;

use crate::history::{Change, Revision};
use crate::promises::past::Pair;

/// The keys that a watch follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// One.
    Key(Bytes),
    /// From the first to the second, without the second.
    Between(Bytes, Bytes),
    /// All from this one on.
    From(Bytes),
}

impl Span {
    /// As etcd's requests write it: no `range_end` means one key, a single zero byte no end.
    pub fn of(key: impl Into<Bytes>, range_end: impl Into<Bytes>) -> Span {
        let (key, end) = (key.into(), range_end.into());
        match &end[..] {
            [] => Span::Key(key),
            [0] => Span::From(key),
            _ => Span::Between(key, end),
        }
    }

    /// Whether a key is one of them.
    pub fn contains(&self, key: &[u8]) -> bool {
        match self {
            Span::Key(only) => only == key,
            Span::Between(first, end) => first <= key && key < end,
            Span::From(first) => first <= key,
        }
    }
}

/// What a watch was asked for.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Which keys.
    pub span: Span,
    /// The first revision. Where the request left it to the store ('from now'): the one that it said it would
    /// begin with.
    pub start: Revision,
    /// Leave puts out.
    pub no_put: bool,
    /// Leave deletes out.
    pub no_delete: bool,
    /// Tell with each event what was before.
    pub prev_kv: bool,
    /// A revision may come in parts, each but the last marked as one.
    pub fragment: bool,
    /// The member that it is open at.
    pub member: u64,
    /// Which of the cluster's lives this is: a restored backup begins another one, whose revisions are others.
    pub incarnation: u64,
}

/// An event as it was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// The key was deleted, otherwise put.
    pub is_delete: bool,
    /// The pair as it is now. Of a deleted key only the key and the mod revision are told.
    pub pair: Pair,
    /// The pair as it was before.
    pub before: Option<Pair>,
}

/// Whether a delivery ends with the end of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It does.
    Whole,
    /// It was marked as a fragment: more of its last revision comes.
    More,
}

/// Why a watch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its owner was told that the cancellation took effect.
    Cancelled,
    /// What it needs is forgotten.
    Compacted {
        /// The oldest revision that can still be read, as etcd's `compact_revision` has it: whoever begins
        /// there is told that revision's own events and all later ones; what was before it is forgotten.
        compacted: Revision,
    },
    /// Its member, or the way to it, is gone, and its owner was told.
    MemberGone,
    /// The store would not serve it any longer.
    Overload {
        /// Where another one can go on.
        resume: Revision,
    },
    /// Its owner may not read these keys any more.
    Permission,
    /// The cluster is another one than it was.
    Incarnation,
    /// No reason was given.
    Silent,
}

pub(super) fn is_delete(change: &Change) -> bool {
    matches!(change, Change::Delete { .. })
}

/// An event in words.
#[derive(Clone, Copy)]
pub(super) struct Told<'a>(pub(super) &'a WatchEvent);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.0.is_delete { "delete" } else { "put" };
        write!(f, "the {what} of {} at {}", self.0.pair.key.escape_ascii(), self.0.pair.mod_revision)
    }
}
