//! What the log carries: one [`Command`] an entry.
//!
//! Applying a command is a pure function of the state and the command. Whatever the outcome may depend on
//! (the term, a quota, a session) therefore stands in the command or in the state, never in a node's own
//! configuration, clock or disk.

use crate::ids::{DirectoryId, Incarnation, LeaseId, NodeId, SessionId};
use crate::request::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, LeaseGrantRequest,
    LeaseGrantResponse, LeaseRevokeRequest, LeaseRevokeResponse, PutRequest, PutResponse, TxnRequest,
    TxnResponse,
};

/// A log entry's content.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Command {
    /// Who waits for the answer.
    #[prost(message, optional, tag = "1")]
    pub origin: Option<Origin>,
    /// The pair that makes a retry harmless.
    #[prost(message, optional, tag = "2")]
    pub session: Option<SessionTag>,
    /// What to do.
    #[prost(oneof = "Op", tags = "3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17")]
    pub op: Option<Op>,
}

/// Who waits for an answer: unique for ever, so that no other node and no later start of the same node
/// takes the answer for one of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Message)]
pub struct Origin {
    /// The node whose client waits.
    #[prost(uint64, tag = "1")]
    pub node: NodeId,
    /// Which start of that node.
    #[prost(uint64, tag = "2")]
    pub incarnation: Incarnation,
    /// Counted by that node.
    #[prost(uint64, tag = "3")]
    pub request: u64,
}

/// Marks a mutation as the n-th of a session. A second one with the same pair is answered with the first
/// one's answer and changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct SessionTag {
    /// The session.
    #[prost(uint64, tag = "1")]
    pub session: SessionId,
    /// Counted by the client from 1.
    #[prost(uint64, tag = "2")]
    pub sequence: u64,
    /// Every answer below this sequence has arrived, so that the store may forget it.
    #[prost(uint64, tag = "3")]
    pub acknowledged_below: u64,
}

/// What a command does.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Op {
    /// A client's put.
    #[prost(message, tag = "3")]
    Put(PutRequest),
    /// A client's delete.
    #[prost(message, tag = "4")]
    DeleteRange(DeleteRangeRequest),
    /// A client's transaction.
    #[prost(message, tag = "5")]
    Txn(TxnRequest),
    /// A compaction, asked for or automatic.
    #[prost(message, tag = "6")]
    Compact(CompactionRequest),
    /// A client's new lease. The TTL has been raised to the smallest allowed before it was proposed.
    #[prost(message, tag = "7")]
    LeaseGrant(LeaseGrantRequest),
    /// A client ends a lease.
    #[prost(message, tag = "8")]
    LeaseRevoke(LeaseRevokeRequest),
    /// The leader saw leases end.
    #[prost(message, tag = "9")]
    LeaseExpire(LeaseExpire),
    /// The leader writes down how long leases still have.
    #[prost(message, tag = "10")]
    LeaseCheckpoint(LeaseCheckpoint),
    /// Open a session; the answer is its id.
    #[prost(message, tag = "11")]
    OpenSession(OpenSession),
    /// Close a session.
    #[prost(message, tag = "12")]
    CloseSession(CloseSession),
    /// What the cluster as a whole is set to.
    #[prost(message, tag = "13")]
    Settings(Settings),
    /// Raise or lift the state in which growth is refused.
    #[prost(message, tag = "14")]
    NoSpace(NoSpace),
    /// Which directory a member was first seen with.
    #[prost(message, tag = "15")]
    MemberSeen(MemberSeen),
    /// A member says what it is called and where clients reach it. (16 is an answer's number.)
    #[prost(message, tag = "17")]
    MemberAttributes(MemberAttributes),
}

/// Leases that ended by the leader's clock. Ignored by apply unless the entry's own term is `term`: a
/// leader that was deposed meanwhile must not end anything.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseExpire {
    /// The term in which the leader saw it.
    #[prost(uint64, tag = "1")]
    pub term: u64,
    /// The leases.
    #[prost(int64, repeated, tag = "2")]
    pub ids: Vec<LeaseId>,
}

/// How long leases still have, so that a new leader does not begin their time anew. Ignored by apply
/// unless the entry's own term is `term`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseCheckpoint {
    /// The term in which the leader measured it.
    #[prost(uint64, tag = "1")]
    pub term: u64,
    /// The leases, with what remains.
    #[prost(message, repeated, tag = "2")]
    pub leases: Vec<LeaseRemaining>,
}

/// How long one lease still has.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct LeaseRemaining {
    /// The lease.
    #[prost(int64, tag = "1")]
    pub id: LeaseId,
    /// What remains, in milliseconds.
    #[prost(uint64, tag = "2")]
    pub millis: u64,
}

/// Open a session.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct OpenSession {}

/// Close a session.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct CloseSession {
    /// The session.
    #[prost(uint64, tag = "1")]
    pub id: SessionId,
}

/// What every member must agree on when it applies. Proposed by a leader whose own configuration differs.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Settings {
    /// Bytes that keys and values may take, with 256 bytes a version; 0: no limit.
    #[prost(uint64, tag = "1")]
    pub quota_bytes: u64,
    /// How many sessions are kept; the one used longest ago goes first.
    #[prost(uint64, tag = "2")]
    pub max_sessions: u64,
}

/// Raise or lift the state in which growth is refused.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct NoSpace {
    /// Raise it (true) or lift it.
    #[prost(bool, tag = "1")]
    pub raised: bool,
}

/// Which directory a member was first seen with. Apply keeps the first.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct MemberSeen {
    /// The member.
    #[prost(uint64, tag = "1")]
    pub node: NodeId,
    /// Its directory.
    #[prost(uint64, tag = "2")]
    pub directory: DirectoryId,
}

/// What a member says of itself, so that all can tell clients. The last word counts.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MemberAttributes {
    /// The member. Nobody speaks for another.
    #[prost(uint64, tag = "1")]
    pub node: NodeId,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Where clients reach it.
    #[prost(string, repeated, tag = "3")]
    pub client_urls: Vec<String>,
}

/// The answer to a command that was applied.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Response {
    /// To a put.
    #[prost(message, tag = "3")]
    Put(PutResponse),
    /// To a delete.
    #[prost(message, tag = "4")]
    DeleteRange(DeleteRangeResponse),
    /// To a transaction.
    #[prost(message, tag = "5")]
    Txn(TxnResponse),
    /// To a compaction.
    #[prost(message, tag = "6")]
    Compact(CompactionResponse),
    /// To a new lease.
    #[prost(message, tag = "7")]
    LeaseGrant(LeaseGrantResponse),
    /// To the end of a lease.
    #[prost(message, tag = "8")]
    LeaseRevoke(LeaseRevokeResponse),
    /// To a new session: its id.
    #[prost(uint64, tag = "11")]
    OpenSession(SessionId),
    /// To anything that has nothing to say but that it is done.
    #[prost(message, tag = "16")]
    Done(Done),
}

/// Done: at this revision.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Done {
    /// The store's revision afterwards.
    #[prost(int64, tag = "1")]
    pub revision: i64,
}
