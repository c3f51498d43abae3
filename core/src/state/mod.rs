//! What is agreed: keys with their history, leases, sessions and settings, as a pure function of the log.
//!
//! [`State::apply`] is the only way in. It reads no clock, draws no random number, touches no disk and
//! looks at no node's own configuration, so that the same entries make the same state everywhere; a hash
//! chain over everything that was applied ([`State::hash`]) proves it.
//!
//! A version of a key that is at or below a revision never changes until that revision is compacted.
//! Reads of the past, watches and images rest on this: they walk the live maps, and nothing is copied.
//!
//! | file | topic |
//! | --- | --- |
//! | `apply` | an entry and its effect |
//! | `store`, `record`, `log`, `key` | keys, their versions, the log of revisions |
//! | `range`, `gather`, `txn` | reading; transactions |
//! | `long`, `readers` | reads that look at more keys than one lock should be held for, and what is kept for them |
//! | `lease`, `session` | leases; what makes retries harmless |
//! | `compact` | compaction, at once for readers and in steps for memory |
//! | `watch`, `index` | watches and who is woken by what |
//! | `image`, `load`, `frame` | the state as a stream of chunks, and back |
//! | `walk`, `rebuild` | all versions in the order of revisions, and a state from such |
//! | `hash`, `answer` | the hash chain; answers as bytes |

mod answer;
mod apply;
mod compact;
mod frame;
mod gather;
mod hash;
mod image;
mod index;
mod key;
mod lease;
mod load;
mod log;
mod long;
mod range;
mod readers;
mod rebuild;
mod record;
mod session;
mod store;
mod tally;
mod txn;
mod walk;
mod watch;

#[cfg(test)]
mod tests;

pub use image::ImageCut;
pub use load::ImageLoader;
pub(crate) use long::{LongRead, Turn};
pub use range::Piece;
pub use rebuild::{Foreign, Rebuild, Rebuilt};
pub use tally::Tally;
pub use walk::{Facts, Scope, Step, Version, Walk};
pub use watch::{Pulled, WatchCursor, WatcherId};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::command::{MemberAttributes, Origin, Response, Settings};
use crate::error::Result;
use crate::ids::{ClusterId, DirectoryId, LeaseId, NodeId, Revision};
use crate::request::Header;
use crate::storage::LogPosition;

/// How many keys or revisions are looked at under one lock of the state: some tenths of a millisecond. The node's one
/// thread, which sends the heartbeats, waits for that lock whenever it applies.
pub(crate) const SLICE: usize = 2000;

/// What all members agree on, and the watches that are open on this one.
///
/// ```
/// let state = kvorum_core::state::State::new(1);
/// assert_eq!((state.revision(), state.compacted()), (1, 0));
/// ```
pub struct State {
    cluster: ClusterId,
    applied: LogPosition,
    hash: [u8; 32],
    store: store::Store,
    leases: lease::Leases,
    sessions: session::Sessions,
    members: BTreeMap<NodeId, DirectoryId>,
    attributes: BTreeMap<NodeId, MemberAttributes>,
    settings: Settings,
    no_space: bool,
    // What follows is this node's own.
    watches: watch::Watches,
    /// Shared with every image being taken.
    pin: Arc<()>,
    readers: readers::Readers,
    /// Kept from entry to entry, so that applying does not allocate.
    scratch: Vec<u8>,
    tally: Tally,
}

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

impl State {
    /// The empty state of a cluster: revision 1, nothing applied, nothing compacted, the hash all zero.
    pub fn new(cluster: ClusterId) -> State {
        State {
            cluster,
            applied: LogPosition::default(),
            hash: [0; 32],
            store: store::Store::new(),
            leases: lease::Leases::default(),
            sessions: session::Sessions::default(),
            members: BTreeMap::new(),
            attributes: BTreeMap::new(),
            settings: Settings::default(),
            no_space: false,
            watches: watch::Watches::new(),
            pin: Arc::new(()),
            readers: readers::Readers::default(),
            scratch: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// The last entry applied.
    pub fn applied(&self) -> LogPosition {
        self.applied
    }

    /// The hash of the chain of all applied entries and their effects. Two members that have applied up to
    /// the same index have the same hash, or one of them is wrong.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The newest revision.
    pub fn revision(&self) -> Revision {
        self.store.revision
    }

    /// The oldest readable revision; 0 if nothing was ever compacted.
    pub fn compacted(&self) -> Revision {
        self.store.compacted.max(0)
    }

    /// How much there is.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            keys: self.store.live,
            versions: self.store.size.versions,
            bytes: self.store.size.bytes,
            quota: self.settings.quota_bytes,
            watchers: self.watches.len() as u64,
            leases: self.leases.len() as u64,
            sessions: self.sessions.len() as u64,
        }
    }

    /// What the cluster is set to.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether growth is refused: raised by the write that went over the quota (which itself is done), or
    /// by command; lifted by command only.
    pub fn no_space(&self) -> bool {
        self.no_space
    }

    /// The directory that a member was first seen with.
    pub fn member_directory(&self, node: NodeId) -> Option<DirectoryId> {
        self.members.get(&node).copied()
    }

    /// What the members last said of themselves, by node. Whoever has said nothing is not there.
    pub fn member_attributes(&self) -> impl Iterator<Item = &MemberAttributes> {
        self.attributes.values()
    }

    /// What was done to it here, since it was made.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Replaces the content by that of a state loaded from an image, which must be newer. The watches that
    /// are open go on exactly where they were; those for which the image has not enough history end with
    /// [`crate::ErrorKind::Compacted`]. Images being taken are thereby invalid.
    pub fn install(&mut self, loaded: State) {
        let before = self.store.revision;
        let old = std::mem::replace(self, loaded);
        if planted!("old_keys_survive_image") {
            old.store
                .keys
                .into_iter()
                .for_each(|(key, history)| _ = self.store.keys.entry(key).or_insert(history));
        }
        self.watches = old.watches;
        self.tally = old.tally;
        let before = if planted!("replay_after_image") { 1 } else { before };
        if !planted!("image_passes_watches_by") {
            self.watches.resume_behind(before, self.store.revision);
        }
        self.leases.replace(old.leases);
    }

    /// Whether an image is being taken.
    fn is_pinned(&self) -> bool {
        Arc::strong_count(&self.pin) > 1
    }
}

/// A header of which only the revision is known here.
fn header(revision: Revision) -> Header {
    Header { revision, ..Header::default() }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("applied", &self.applied()).field("sizes", &self.sizes()).finish()
    }
}
