//! What the core asks of a disk.
//!
//! Everything here is bytes and numbers: a storage never looks inside an entry or an image. The core
//! calls it from one thread at a time.
//!
//! The rules, which `kvorum_storage::conformance` checks for any implementation:
//!
//! 1. What [`Storage::append`], [`Storage::set_identity`] or [`ImageSink::finish`] returned `Ok` for
//!    survives a crash and a loss of power.
//! 2. What they did not return for, or returned an error for, may survive whole, or as a prefix of the
//!    batches, or not at all; never in part of an entry, and never with a gap.
//! 3. After an error of a write, every further write fails too: a disk that failed once is not trusted
//!    again in this life of the process.
//! 4. [`Storage::recover`] gives back what was written or an error. Bytes that changed are found.

use bytes::Bytes;

use crate::error::Result;
use crate::ids::{ClusterId, DirectoryId, Incarnation, Index, NodeId, Term};

/// Whose data this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster: ClusterId,
    /// The member.
    pub node: NodeId,
    /// Drawn once, when the storage was first used.
    pub directory: DirectoryId,
    /// How often the storage has been opened by a node.
    pub incarnation: Incarnation,
}

/// What raft must not forget besides its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    /// The newest term seen.
    pub term: Term,
    /// Whom this node voted for in it; 0: nobody.
    pub vote: NodeId,
    /// How far the log is known to be committed.
    pub commit: Index,
}

/// A place in the log together with the term of its entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// The index; 0: before the first entry.
    pub index: Index,
    /// The term of the entry there.
    pub term: Term,
}

/// What an entry's data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// A [`crate::command::Command`], or nothing at all (the first entry of a leader's term).
    Command = 0,
    /// A change of the cluster's members.
    Membership = 1,
}

/// One entry of the replicated log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place.
    pub index: Index,
    /// The term of the leader that made it.
    pub term: Term,
    /// What its data is.
    pub kind: EntryKind,
    /// Its content.
    pub data: Bytes,
}

/// What is to be written as one: all of it, or (after a crash) a prefix in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Forget every entry; the log goes on after this position (an image covers what lies before).
    pub reset: Option<LogPosition>,
    /// Consecutive entries. The first may have an index that exists already: it and all behind it are
    /// replaced. Otherwise it follows the last one.
    pub entries: Vec<LogEntry>,
    /// Replaces the one before.
    pub hard_state: Option<HardState>,
}

impl Batch {
    /// Bytes that it takes, about.
    pub fn size(&self) -> u64 {
        self.entries.iter().map(|entry| entry.data.len() as u64 + 32).sum()
    }
}

/// What an image is of. The core writes this and reads it back; a storage only keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageMeta {
    /// The last entry whose effect is in the image.
    pub position: LogPosition,
    /// The voters at that entry.
    pub voters: Vec<NodeId>,
    /// The learners at that entry.
    pub learners: Vec<NodeId>,
    /// The hash of the chain of all applied entries, up to that one.
    pub hash: [u8; 32],
}

/// Everything that survived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// `None`: nothing was ever written here.
    pub identity: Option<Identity>,
    /// The last one written.
    pub hard_state: HardState,
    /// The position before the first of `entries`.
    pub base: LogPosition,
    /// The log, consecutive, from `base` on.
    pub entries: Vec<LogEntry>,
    /// Bytes that all of the log takes on the disk, with what nobody needs any more. A node saves an image, and lets
    /// go of the log behind it, by what the log takes; how often it was started is a part of that. 0: not known.
    pub log_bytes: u64,
}

/// A place to keep a node's log, images and identity.
pub trait Storage: Send {
    /// Reads back what survived. Called once, before anything else.
    ///
    /// A tail that was being written when the process ended is cut off. Anything else that is not as it
    /// was written is an error: it may have been acknowledged.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Corrupt`], [`crate::ErrorKind::Version`], [`crate::ErrorKind::Io`].
    fn recover(&mut self) -> Result<Recovered>;

    /// Writes down whose data this is, durably.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Io`].
    fn set_identity(&mut self, identity: &Identity) -> Result<()>;

    /// Appends the batches in order and makes them durable with one sync. Answers how many bytes longer the log has
    /// become where it lies; [`Batch::size`] will do for a storage that does not know. The next image is due
    /// when these bytes are more than the last one has.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Io`]; the storage then refuses every further write.
    fn append(&mut self, batches: &[Batch]) -> Result<u64>;

    /// Entries up to and including `through` are no longer needed. The storage may keep more of them. It
    /// keeps the entries that its oldest kept image needs: those after the image, and the one at it.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Io`].
    fn drop_head(&mut self, through: Index) -> Result<()>;

    /// Begins to write an image. It is invisible until [`ImageSink::finish`] returns; dropped before, it
    /// never was. The sink may be used while the storage is.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Io`].
    fn create_image(&mut self, meta: &ImageMeta) -> Result<Box<dyn ImageSink>>;

    /// The newest image that is whole, or `None`. Its checksums have been verified, chunk by chunk, by the
    /// time the last chunk has been read.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Corrupt`] if the newest image is damaged and no older one can stand in (the log
    /// behind the older one must still be there, and reach as far as the newest), [`crate::ErrorKind::Io`]. A node
    /// does not start upon the first; one that runs has everything in memory, and writes another image.
    fn open_image(&mut self) -> Result<Option<Box<dyn ImageSource>>>;

    /// What was found damaged so far, and had something else to stand in for it: for whoever looks after the disk. The
    /// default: nothing.
    fn damaged(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An image being written.
pub trait ImageSink: Send {
    /// Adds a chunk (1 MiB at most; not empty).
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Io`].
    fn write(&mut self, chunk: &[u8]) -> Result<()>;

    /// Makes the image durable and visible. Older ones may go.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Io`].
    fn finish(self: Box<Self>) -> Result<()>;
}

/// An image being read.
pub trait ImageSource: Send {
    /// What it is of.
    fn meta(&self) -> &ImageMeta;

    /// Bytes of all its chunks.
    fn size(&self) -> u64;

    /// The next chunk, as it was written; `None` behind the last.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Corrupt`], [`crate::ErrorKind::Io`].
    fn next_chunk(&mut self) -> Result<Option<Bytes>>;
}
