//! What an image consists of.
//!
//! A stream of length-delimited [`Frame`]s, cut into chunks wherever it is long enough: first the head, then
//! members and what they said of themselves, leases, sessions (each followed by its answers), then every
//! version that counts, by key and then by age, at last the end. What can be derived is not written: the keys
//! of a lease, the log of revisions, the sums. A frame without content is padding.

use bytes::Bytes;

use crate::command::{MemberAttributes, Settings};

/// The version of the format.
pub(super) const FORMAT: u32 = 1;

/// No frame is longer, in bytes: a request is 64 MiB at most. A longer one is damage.
pub(super) const LONGEST: usize = 128 << 20;

/// One piece.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Frame {
    #[prost(oneof = "Piece", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    pub(super) piece: Option<Piece>,
}

/// What a piece can be, in the order in which they come.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Piece {
    #[prost(message, tag = "1")]
    Head(Head),
    #[prost(message, tag = "2")]
    Member(Member),
    /// Comes behind the members.
    #[prost(message, tag = "8")]
    Attributes(MemberAttributes),
    #[prost(message, tag = "3")]
    Lease(Lease),
    #[prost(message, tag = "4")]
    Session(Session),
    #[prost(message, tag = "5")]
    Answer(Answer),
    #[prost(message, tag = "6")]
    Version(Version),
    #[prost(message, tag = "7")]
    End(End),
}

/// What there is one of.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Head {
    #[prost(uint32, tag = "1")]
    pub(super) format: u32,
    #[prost(uint64, tag = "2")]
    pub(super) cluster: u64,
    #[prost(uint64, tag = "3")]
    pub(super) index: u64,
    #[prost(uint64, tag = "4")]
    pub(super) term: u64,
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) hash: Bytes,
    #[prost(int64, tag = "6")]
    pub(super) revision: i64,
    #[prost(sint64, tag = "7")]
    pub(super) compacted: i64,
    #[prost(bool, tag = "8")]
    pub(super) no_space: bool,
    #[prost(message, required, tag = "9")]
    pub(super) settings: Settings,
    /// What must come out of the versions: keys that exist,
    #[prost(uint64, tag = "10")]
    pub(super) keys: u64,
    /// versions,
    #[prost(uint64, tag = "11")]
    pub(super) versions: u64,
    /// and bytes as the quota counts them.
    #[prost(uint64, tag = "12")]
    pub(super) bytes: u64,
}

/// A member's first directory.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Member {
    #[prost(uint64, tag = "1")]
    pub(super) node: u64,
    #[prost(uint64, tag = "2")]
    pub(super) directory: u64,
}

/// A lease.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Lease {
    #[prost(sint64, tag = "1")]
    pub(super) id: i64,
    #[prost(sint64, tag = "2")]
    pub(super) ttl: i64,
    #[prost(uint64, optional, tag = "3")]
    pub(super) remaining: Option<u64>,
}

/// A session.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Session {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(uint64, tag = "2")]
    pub(super) used: u64,
    #[prost(uint64, tag = "3")]
    pub(super) floor: u64,
}

/// An answer of the session before it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Answer {
    #[prost(uint64, tag = "1")]
    pub(super) sequence: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) answer: Bytes,
}

/// A version of a key.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Version {
    /// Empty: the key of the version before it.
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
    #[prost(int64, tag = "3")]
    pub(super) create: i64,
    #[prost(int64, tag = "4")]
    pub(super) modified: i64,
    #[prost(uint32, tag = "5")]
    pub(super) sub: u32,
    #[prost(int64, tag = "6")]
    pub(super) version: i64,
    #[prost(sint64, tag = "7")]
    pub(super) lease: i64,
}

/// The end.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct End {
    /// BLAKE3 of every byte before this frame.
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) digest: Bytes,
}
