//! What can be asked of the store, and what it answers.
//!
//! These are prost messages, so that the same value travels from the caller through the log to the
//! state without being copied into another shape. Their field numbers are those of etcd's v3 API, and so
//! is their meaning. Enumerations are kept as the integers that arrived: what an unknown one means is
//! decided where it is used, as etcd does.

use bytes::Bytes;

use crate::ids::{LeaseId, NodeId, Revision};

/// A key with its value and its place in history.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeyValue {
    /// The key: any bytes but none at all.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The revision at which the key was created (since it was last deleted).
    #[prost(int64, tag = "2")]
    pub create_revision: Revision,
    /// The revision of this version.
    #[prost(int64, tag = "3")]
    pub mod_revision: Revision,
    /// 1 for the first version since the key was created, and one more with every put.
    #[prost(int64, tag = "4")]
    pub version: i64,
    /// The value.
    #[prost(bytes = "bytes", tag = "5")]
    pub value: Bytes,
    /// The lease that the key hangs on; 0 for none.
    #[prost(int64, tag = "6")]
    pub lease: LeaseId,
}

/// What every answer begins with.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Header {
    /// The cluster.
    #[prost(uint64, tag = "1")]
    pub cluster_id: u64,
    /// The member that answered.
    #[prost(uint64, tag = "2")]
    pub member_id: NodeId,
    /// The store's revision when the request took effect.
    #[prost(int64, tag = "3")]
    pub revision: Revision,
    /// The term of that member.
    #[prost(uint64, tag = "4")]
    pub raft_term: u64,
}

/// Write one key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutRequest {
    /// The key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The value.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
    /// The lease to hang the key on; 0 takes it off any.
    #[prost(int64, tag = "3")]
    pub lease: LeaseId,
    /// Answer with the pair as it was before.
    #[prost(bool, tag = "4")]
    pub prev_kv: bool,
    /// Keep the value that the key has.
    #[prost(bool, tag = "5")]
    pub ignore_value: bool,
    /// Keep the lease that the key has.
    #[prost(bool, tag = "6")]
    pub ignore_lease: bool,
}

/// The answer to a put.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutResponse {
    /// See [`Header`].
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// The pair as it was before, if asked for and there was one.
    #[prost(message, optional, tag = "2")]
    pub prev_kv: Option<KeyValue>,
}

/// Delete a key or a range of keys.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteRangeRequest {
    /// The key, or the first key of the range.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The end of the range, exclusive. Empty: only `key`. A single zero byte: everything from `key` on.
    #[prost(bytes = "bytes", tag = "2")]
    pub range_end: Bytes,
    /// Answer with the pairs that were deleted.
    #[prost(bool, tag = "3")]
    pub prev_kv: bool,
}

/// The answer to a delete.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteRangeResponse {
    /// See [`Header`].
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// How many keys were deleted.
    #[prost(int64, tag = "2")]
    pub deleted: i64,
    /// The pairs that were deleted, if asked for.
    #[prost(message, repeated, tag = "3")]
    pub prev_kvs: Vec<KeyValue>,
}

/// The order in which a range is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum SortOrder {
    /// By key; or ascending, if a target other than the key is given.
    None = 0,
    /// Lowest first.
    Ascend = 1,
    /// Highest first.
    Descend = 2,
}

/// What a range is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum SortTarget {
    /// The key.
    Key = 0,
    /// The version.
    Version = 1,
    /// The create revision.
    Create = 2,
    /// The revision of the last change.
    Mod = 3,
    /// The value.
    Value = 4,
}

/// Read a key or a range of keys.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RangeRequest {
    /// The key, or the first key of the range.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The end of the range, exclusive. Empty: only `key`. A single zero byte: everything from `key` on.
    #[prost(bytes = "bytes", tag = "2")]
    pub range_end: Bytes,
    /// How many pairs at most; 0 or less: all.
    #[prost(int64, tag = "3")]
    pub limit: i64,
    /// The revision to read at; 0 or less: the newest.
    #[prost(int64, tag = "4")]
    pub revision: Revision,
    /// A [`SortOrder`].
    #[prost(int32, tag = "5")]
    pub sort_order: i32,
    /// A [`SortTarget`].
    #[prost(int32, tag = "6")]
    pub sort_target: i32,
    /// Answer from this node's own state, which may be old, without asking anybody.
    #[prost(bool, tag = "7")]
    pub serializable: bool,
    /// Leave the values out.
    #[prost(bool, tag = "8")]
    pub keys_only: bool,
    /// Answer with the count only.
    #[prost(bool, tag = "9")]
    pub count_only: bool,
    /// Leave out pairs changed before this revision; 0: none.
    #[prost(int64, tag = "10")]
    pub min_mod_revision: Revision,
    /// Leave out pairs changed after this revision; 0: none.
    #[prost(int64, tag = "11")]
    pub max_mod_revision: Revision,
    /// Leave out pairs created before this revision; 0: none.
    #[prost(int64, tag = "12")]
    pub min_create_revision: Revision,
    /// Leave out pairs created after this revision; 0: none.
    #[prost(int64, tag = "13")]
    pub max_create_revision: Revision,
}

/// The answer to a range.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RangeResponse {
    /// See [`Header`]. Its revision is the newest at the time of the read, also for a read of the past.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// The pairs.
    #[prost(message, repeated, tag = "2")]
    pub kvs: Vec<KeyValue>,
    /// Whether the limit left pairs out.
    #[prost(bool, tag = "3")]
    pub more: bool,
    /// How many keys the range has, whatever the limit and the revision filters.
    #[prost(int64, tag = "4")]
    pub count: i64,
}

/// How a compare compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum CompareResult {
    /// Equal to what is given.
    Equal = 0,
    /// Greater than what is given.
    Greater = 1,
    /// Less than what is given.
    Less = 2,
    /// Anything else than what is given.
    NotEqual = 3,
}

/// What a compare looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum CompareTarget {
    /// The version; 0 for a key that does not exist.
    Version = 0,
    /// The create revision; 0 for a key that does not exist.
    Create = 1,
    /// The revision of the last change; 0 for a key that does not exist.
    Mod = 2,
    /// The value; a key that does not exist fails every compare of its value.
    Value = 3,
    /// The lease; 0 for none.
    Lease = 4,
}

/// One condition of a transaction, over a key or over every key of a range.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Compare {
    /// A [`CompareResult`]; an unknown one holds always (as in etcd).
    #[prost(int32, tag = "1")]
    pub result: i32,
    /// A [`CompareTarget`]; an unknown one compares 0 with 0 (as in etcd).
    #[prost(int32, tag = "2")]
    pub target: i32,
    /// The key, or the first key of the range.
    #[prost(bytes = "bytes", tag = "3")]
    pub key: Bytes,
    /// What to compare with. One that does not match the target counts as zero or empty.
    #[prost(oneof = "CompareWith", tags = "4, 5, 6, 7, 8")]
    pub with: Option<CompareWith>,
    /// The end of the range, exclusive; see [`RangeRequest::range_end`].
    #[prost(bytes = "bytes", tag = "64")]
    pub range_end: Bytes,
}

/// What a compare compares with.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum CompareWith {
    /// A version.
    #[prost(int64, tag = "4")]
    Version(i64),
    /// A create revision.
    #[prost(int64, tag = "5")]
    CreateRevision(Revision),
    /// A revision of the last change.
    #[prost(int64, tag = "6")]
    ModRevision(Revision),
    /// A value.
    #[prost(bytes = "bytes", tag = "7")]
    Value(Bytes),
    /// A lease.
    #[prost(int64, tag = "8")]
    Lease(LeaseId),
}

/// One operation of a transaction.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RequestOp {
    /// The operation; none is answered with [`crate::ErrorKind::KeyNotFound`].
    #[prost(oneof = "RequestKind", tags = "1, 2, 3, 4")]
    pub request: Option<RequestKind>,
}

/// What an operation of a transaction can be.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum RequestKind {
    /// A read.
    #[prost(message, tag = "1")]
    Range(RangeRequest),
    /// A put.
    #[prost(message, tag = "2")]
    Put(PutRequest),
    /// A delete.
    #[prost(message, tag = "3")]
    DeleteRange(DeleteRangeRequest),
    /// A transaction inside.
    #[prost(message, tag = "4")]
    Txn(TxnRequest),
}

/// If all compares hold do `success`, else do `failure`: at one revision, as one.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TxnRequest {
    /// All must hold; none at all holds. They see the state before the transaction.
    #[prost(message, repeated, tag = "1")]
    pub compare: Vec<Compare>,
    /// What to do if they hold, in order. A read sees the writes before it.
    #[prost(message, repeated, tag = "2")]
    pub success: Vec<RequestOp>,
    /// What to do if not.
    #[prost(message, repeated, tag = "3")]
    pub failure: Vec<RequestOp>,
}

impl TxnRequest {
    /// Whether neither branch can write: every operation is a read. One with a transaction inside never
    /// counts as read-only, as in etcd.
    pub fn is_read_only(&self) -> bool {
        let reads = |op: &RequestOp| matches!(op.request, Some(RequestKind::Range(_)));
        self.success.iter().chain(&self.failure).all(reads)
    }
}

/// The answer to one operation of a transaction.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ResponseOp {
    /// The answer.
    #[prost(oneof = "ResponseKind", tags = "1, 2, 3, 4")]
    pub response: Option<ResponseKind>,
}

/// What the answer to an operation of a transaction can be.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum ResponseKind {
    /// Of a read.
    #[prost(message, tag = "1")]
    Range(RangeResponse),
    /// Of a put.
    #[prost(message, tag = "2")]
    Put(PutResponse),
    /// Of a delete.
    #[prost(message, tag = "3")]
    DeleteRange(DeleteRangeResponse),
    /// Of a transaction inside.
    #[prost(message, tag = "4")]
    Txn(TxnResponse),
}

/// The answer to a transaction.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TxnResponse {
    /// See [`Header`].
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// Whether the compares held.
    #[prost(bool, tag = "2")]
    pub succeeded: bool,
    /// One answer for each operation of the branch that was taken.
    #[prost(message, repeated, tag = "3")]
    pub responses: Vec<ResponseOp>,
}

/// Forget what was overwritten or deleted at or before a revision.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct CompactionRequest {
    /// The oldest revision that stays readable.
    #[prost(int64, tag = "1")]
    pub revision: Revision,
    /// Answer only when the memory has been freed on the node that was asked.
    #[prost(bool, tag = "2")]
    pub physical: bool,
}

/// The answer to a compaction.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CompactionResponse {
    /// See [`Header`].
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
}

/// Open a lease.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct LeaseGrantRequest {
    /// Its time to live in seconds. One below the smallest that the cluster keeps is raised to it.
    #[prost(int64, tag = "1")]
    pub ttl: i64,
    /// The id wanted; 0: any that is free.
    #[prost(int64, tag = "2")]
    pub id: LeaseId,
}

/// The answer to opening a lease.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseGrantResponse {
    /// See [`Header`].
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// The lease.
    #[prost(int64, tag = "2")]
    pub id: LeaseId,
    /// The time to live granted, in seconds.
    #[prost(int64, tag = "3")]
    pub ttl: i64,
}

/// End a lease now, with all its keys.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct LeaseRevokeRequest {
    /// The lease.
    #[prost(int64, tag = "1")]
    pub id: LeaseId,
}

/// The answer to ending a lease.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseRevokeResponse {
    /// See [`Header`].
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
}

/// Start a lease's time anew.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct LeaseKeepAliveRequest {
    /// The lease.
    #[prost(int64, tag = "1")]
    pub id: LeaseId,
}

/// The answer to a keep-alive.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseKeepAliveResponse {
    /// See [`Header`].
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// The lease.
    #[prost(int64, tag = "2")]
    pub id: LeaseId,
    /// The time to live from now on, in seconds; 0: the lease does not exist, or has ended.
    #[prost(int64, tag = "3")]
    pub ttl: i64,
}

/// How long a lease still has.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct LeaseTimeToLiveRequest {
    /// The lease.
    #[prost(int64, tag = "1")]
    pub id: LeaseId,
    /// Answer with its keys, too.
    #[prost(bool, tag = "2")]
    pub keys: bool,
}

/// How long a lease still has.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseTimeToLiveResponse {
    /// See [`Header`].
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// The lease.
    #[prost(int64, tag = "2")]
    pub id: LeaseId,
    /// What remains, in seconds, rounded down; -1: the lease does not exist.
    #[prost(int64, tag = "3")]
    pub ttl: i64,
    /// What was granted, in seconds.
    #[prost(int64, tag = "4")]
    pub granted_ttl: i64,
    /// The keys that hang on it, in key order, if asked for.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub keys: Vec<Bytes>,
}

/// All leases.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseLeasesResponse {
    /// See [`Header`].
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// Their ids, in order.
    #[prost(int64, repeated, tag = "2")]
    pub leases: Vec<LeaseId>,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum EventKind {
    /// It was written.
    Put = 0,
    /// It was deleted, or its lease ended.
    Delete = 1,
}

/// One change of one key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Event {
    /// An [`EventKind`].
    #[prost(enumeration = "EventKind", tag = "1")]
    pub kind: i32,
    /// The pair as it is now. Of a deleted key, only the key and the mod revision are filled.
    #[prost(message, optional, tag = "2")]
    pub kv: Option<KeyValue>,
    /// The pair as it was before, if asked for, if there was one, and unless it is compacted.
    #[prost(message, optional, tag = "3")]
    pub prev_kv: Option<KeyValue>,
}

/// Follow a key or a range of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchRequest {
    /// The key, or the first key of the range. Empty: as a single zero byte, the lowest key there is.
    pub key: Bytes,
    /// The end of the range, exclusive; see [`RangeRequest::range_end`].
    pub range_end: Bytes,
    /// The first revision wanted; 0: whatever comes after now. It may lie in the future.
    pub start_revision: Revision,
    /// Send with each event the pair as it was before.
    pub prev_kv: bool,
    /// Leave puts out.
    pub no_put: bool,
    /// Leave deletes out.
    pub no_delete: bool,
    /// Say from time to time how far it has come when nothing happened; `None`: only when asked.
    pub progress_interval: Option<std::time::Duration>,
}
