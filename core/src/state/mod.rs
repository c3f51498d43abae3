//! What is agreed: keys with their history, leases, sessions and settings, as a pure function of the log.
//!
//! [`State::apply`] is the only way in. It reads no clock, draws no random number, touches no disk and
//! looks at no node's own configuration, so that the same entries make the same state everywhere; a hash
//! chain over everything that was applied ([`State::hash`]) proves it.
//!
//! A version of a key that is at or below a revision never changes until that revision is compacted.
//! Reads of the past, watches and images rest on this: they walk the live maps, and nothing is copied.

mod image;
mod load;
mod watch;

pub use image::ImageCut;
pub use load::ImageLoader;
pub use watch::{Pulled, WatchCursor, WatcherId};

use bytes::Bytes;

use crate::command::{Origin, Response, Settings};
use crate::error::Result;
use crate::ids::{ClusterId, DirectoryId, LeaseId, NodeId, Revision};
use crate::request::{RangeRequest, RangeResponse, TxnRequest, TxnResponse, WatchRequest};
use crate::storage::LogPosition;

/// What all members agree on.
pub struct State {}

/// What applying one entry came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// Who waits for the answer, if anybody.
    pub origin: Option<Origin>,
    /// The answer.
    pub result: Result<Response>,
    /// The store's revision after the entry.
    pub revision: Revision,
    /// The entry was a repetition: `result` is the first one's answer and nothing was applied.
    pub deduplicated: bool,
}

/// How much the state holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Keys that exist now.
    pub keys: u64,
    /// Versions that count (those a compaction has left), tombstones included.
    pub versions: u64,
    /// What the quota counts: for each of those versions its key, its value and 256 bytes.
    pub bytes: u64,
    /// The quota in bytes; 0: none.
    pub quota: u64,
    /// Open watches.
    pub watchers: u64,
    /// Leases.
    pub leases: u64,
    /// Deduplication sessions.
    pub sessions: u64,
}

/// A lease, as far as the log knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseInfo {
    /// Its id.
    pub id: LeaseId,
    /// The time to live that was granted, in seconds.
    pub ttl: i64,
    /// What remained at the last checkpoint, in milliseconds; `None`: there was none.
    pub remaining_millis: Option<u64>,
}

/// A lease came or went: for the leader's expiry clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseChange {
    /// It was granted.
    Granted {
        /// The lease.
        id: LeaseId,
        /// Its time to live in seconds.
        ttl: i64,
    },
    /// It was revoked, or it expired.
    Ended {
        /// The lease.
        id: LeaseId,
    },
}

#[allow(clippy::unimplemented, unused_variables)]
impl State {
    /// The empty state: revision 1, nothing applied, nothing compacted.
    pub fn new(cluster: ClusterId) -> State {
        unimplemented!()
    }

    /// Applies a committed entry; empty data is a no-op.
    pub fn apply(&mut self, at: LogPosition, data: &Bytes) -> Applied {
        unimplemented!()
    }

    /// Takes note of a committed entry that is not a command (a change of membership).
    pub fn apply_other(&mut self, at: LogPosition, data: &Bytes) {
        unimplemented!()
    }

    /// The last entry applied.
    pub fn applied(&self) -> LogPosition {
        unimplemented!()
    }

    /// The hash of the chain of all applied entries and their effects.
    pub fn hash(&self) -> [u8; 32] {
        unimplemented!()
    }

    /// The newest revision.
    pub fn revision(&self) -> Revision {
        unimplemented!()
    }

    /// The oldest readable revision; 0 if nothing was ever compacted.
    pub fn compacted(&self) -> Revision {
        unimplemented!()
    }

    /// How much there is.
    pub fn sizes(&self) -> Sizes {
        unimplemented!()
    }

    /// What the cluster is set to.
    pub fn settings(&self) -> Settings {
        unimplemented!()
    }

    /// Whether growth is refused.
    pub fn no_space(&self) -> bool {
        unimplemented!()
    }

    /// The directory that a member was first seen with.
    pub fn member_directory(&self, node: NodeId) -> Option<DirectoryId> {
        unimplemented!()
    }

    /// Reads a key or a range. Of the header only the revision is filled.
    pub fn range(&self, r: &RangeRequest) -> Result<RangeResponse> {
        unimplemented!()
    }

    /// Evaluates a transaction that writes nothing (see [`TxnRequest::is_read_only`]).
    pub fn read_txn(&self, t: &TxnRequest) -> Result<TxnResponse> {
        unimplemented!()
    }

    /// One lease.
    pub fn lease(&self, id: LeaseId) -> Option<LeaseInfo> {
        unimplemented!()
    }

    /// All leases, by id.
    pub fn leases(&self) -> impl Iterator<Item = LeaseInfo> + '_ {
        std::iter::empty()
    }

    /// The keys that hang on a lease, in order.
    pub fn lease_keys(&self, id: LeaseId) -> Vec<Bytes> {
        unimplemented!()
    }

    /// What happened to leases since the last call.
    pub fn take_lease_changes(&mut self) -> Vec<LeaseChange> {
        unimplemented!()
    }

    /// Opens a watch.
    pub fn open_watch(&mut self, r: &WatchRequest) -> Result<WatchCursor> {
        unimplemented!()
    }

    /// The next events of a watch.
    pub fn pull(&self, c: &mut WatchCursor, max_events: usize, max_bytes: usize) -> Result<Pulled> {
        unimplemented!()
    }

    /// Closes a watch; an unknown one is ignored.
    pub fn close_watch(&mut self, id: WatcherId) {
        unimplemented!()
    }

    /// Moves out the watches that have something to pull since they were last pulled.
    pub fn take_woken(&mut self, into: &mut Vec<WatcherId>) {
        unimplemented!()
    }

    /// Frees what compaction has made unreachable, `budget` versions at most; true: there is more.
    pub fn collect_garbage(&mut self, budget: usize) -> bool {
        unimplemented!()
    }

    /// How far memory has really been freed; 0: never.
    pub fn physical_revision(&self) -> Revision {
        unimplemented!()
    }

    /// Replaces the content by an image's; open watches go on exactly where they were.
    pub fn install(&mut self, loaded: State) {
        unimplemented!()
    }

    /// Begins an image of the state as it is now.
    pub fn cut_image(&mut self) -> ImageCut {
        unimplemented!()
    }

    /// Ends an image, finished or not.
    pub fn release_cut(&mut self, cut: ImageCut) {
        unimplemented!()
    }
}
