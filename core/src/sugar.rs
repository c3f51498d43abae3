//! Short ways to say common requests.

use bytes::Bytes;

use crate::client::copied;
use crate::ids::{LeaseId, Revision};
use crate::request::*;

/// The end of the range of all keys that begin with `prefix`; a zero byte (everything from there on) if
/// there is no higher one.
///
/// ```
/// use kvorum_core::prefix_end;
/// assert_eq!(&prefix_end(b"a/")[..], b"a0");
/// assert_eq!(&prefix_end(b"a\xff")[..], b"b");
/// assert_eq!(&prefix_end(b"\xff\xff")[..], b"\0");
/// ```
pub fn prefix_end(prefix: impl AsRef<[u8]>) -> Bytes {
    let mut end = prefix.as_ref().to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end.into();
        }
    }
    Bytes::from_static(b"\0")
}

/// The first key of the range of all keys that begin with `prefix`: the lowest key there is, if it is empty.
fn prefix_start(prefix: &[u8]) -> Bytes {
    if prefix.is_empty() { Bytes::from_static(b"\0") } else { copied(prefix) }
}

impl PutRequest {
    /// Writes `value` under `key`.
    pub fn new(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> PutRequest {
        PutRequest { key: copied(key), value: copied(value), ..PutRequest::default() }
    }

    /// Hangs the key on a lease.
    pub fn with_lease(mut self, lease: LeaseId) -> PutRequest {
        self.lease = lease;
        self
    }

    /// Answers with the pair as it was before.
    pub fn with_prev_kv(mut self) -> PutRequest {
        self.prev_kv = true;
        self
    }
}

impl DeleteRangeRequest {
    /// Deletes one key.
    pub fn key(key: impl AsRef<[u8]>) -> DeleteRangeRequest {
        DeleteRangeRequest { key: copied(key), ..DeleteRangeRequest::default() }
    }

    /// Deletes every key that begins with `prefix`; all keys, if it is empty.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> DeleteRangeRequest {
        let prefix = prefix.as_ref();
        DeleteRangeRequest { key: prefix_start(prefix), range_end: prefix_end(prefix), prev_kv: false }
    }

    /// Answers with the pairs that were deleted.
    pub fn with_prev_kv(mut self) -> DeleteRangeRequest {
        self.prev_kv = true;
        self
    }
}

impl RangeRequest {
    /// Reads one key.
    pub fn key(key: impl AsRef<[u8]>) -> RangeRequest {
        RangeRequest { key: copied(key), ..RangeRequest::default() }
    }

    /// Reads every key that begins with `prefix`; all keys, if it is empty.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> RangeRequest {
        let prefix = prefix.as_ref();
        RangeRequest { key: prefix_start(prefix), range_end: prefix_end(prefix), ..RangeRequest::default() }
    }

    /// Reads at most this many pairs.
    pub fn with_limit(mut self, limit: i64) -> RangeRequest {
        self.limit = limit;
        self
    }

    /// Reads the past.
    pub fn at(mut self, revision: Revision) -> RangeRequest {
        self.revision = revision;
        self
    }

    /// Orders the pairs before the limit is applied.
    pub fn sorted_by(mut self, target: SortTarget, order: SortOrder) -> RangeRequest {
        self.sort_target = target as i32;
        self.sort_order = order as i32;
        self
    }

    /// Reads from this node's own state, which may be old.
    pub fn local(mut self) -> RangeRequest {
        self.serializable = true;
        self
    }
}

impl WatchRequest {
    /// Follows one key.
    pub fn key(key: impl AsRef<[u8]>) -> WatchRequest {
        WatchRequest { key: copied(key), ..WatchRequest::default() }
    }

    /// Follows every key that begins with `prefix`; all keys, if it is empty.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> WatchRequest {
        let prefix = prefix.as_ref();
        WatchRequest { key: prefix_start(prefix), range_end: prefix_end(prefix), ..WatchRequest::default() }
    }

    /// Begins with this revision.
    pub fn from(mut self, revision: Revision) -> WatchRequest {
        self.start_revision = revision;
        self
    }

    /// Sends with each event the pair as it was before.
    pub fn with_prev_kv(mut self) -> WatchRequest {
        self.prev_kv = true;
        self
    }

    /// Says how far it has come at least this often when nothing happens.
    pub fn with_progress(mut self, every: std::time::Duration) -> WatchRequest {
        self.progress_interval = Some(every);
        self
    }
}

impl Compare {
    fn new(
        key: impl AsRef<[u8]>,
        target: CompareTarget,
        result: CompareResult,
        with: CompareWith,
    ) -> Compare {
        let (target, result) = (target as i32, result as i32);
        Compare { key: copied(key), target, result, with: Some(with), range_end: Bytes::new() }
    }

    /// The key's version; 0 for a key that does not exist.
    pub fn version(key: impl AsRef<[u8]>, result: CompareResult, version: i64) -> Compare {
        Compare::new(key, CompareTarget::Version, result, CompareWith::Version(version))
    }

    /// The revision at which the key was created; 0 for a key that does not exist.
    pub fn create_revision(key: impl AsRef<[u8]>, result: CompareResult, revision: Revision) -> Compare {
        Compare::new(key, CompareTarget::Create, result, CompareWith::CreateRevision(revision))
    }

    /// The revision of the key's last change; 0 for a key that does not exist.
    pub fn mod_revision(key: impl AsRef<[u8]>, result: CompareResult, revision: Revision) -> Compare {
        Compare::new(key, CompareTarget::Mod, result, CompareWith::ModRevision(revision))
    }

    /// The key's value. A key that does not exist fails every such compare.
    pub fn value(key: impl AsRef<[u8]>, result: CompareResult, value: impl AsRef<[u8]>) -> Compare {
        Compare::new(key, CompareTarget::Value, result, CompareWith::Value(copied(value)))
    }

    /// The lease that the key hangs on; 0 for none.
    pub fn lease(key: impl AsRef<[u8]>, result: CompareResult, lease: LeaseId) -> Compare {
        Compare::new(key, CompareTarget::Lease, result, CompareWith::Lease(lease))
    }

    /// The key exists.
    pub fn exists(key: impl AsRef<[u8]>) -> Compare {
        Compare::version(key, CompareResult::Greater, 0)
    }

    /// The key does not exist.
    pub fn is_missing(key: impl AsRef<[u8]>) -> Compare {
        Compare::version(key, CompareResult::Equal, 0)
    }
}

impl TxnRequest {
    /// A transaction that does nothing yet.
    pub fn new() -> TxnRequest {
        TxnRequest::default()
    }

    /// Adds a condition.
    pub fn when(mut self, compare: Compare) -> TxnRequest {
        self.compare.push(compare);
        self
    }

    /// Adds something to do if all conditions hold.
    pub fn then(mut self, op: impl Into<RequestOp>) -> TxnRequest {
        self.success.push(op.into());
        self
    }

    /// Adds something to do if not.
    pub fn otherwise(mut self, op: impl Into<RequestOp>) -> TxnRequest {
        self.failure.push(op.into());
        self
    }

    /// Whether every read in it (there being nothing else) may be answered from old state.
    pub(crate) fn is_serializable(&self) -> bool {
        let is_local = |op: &RequestOp| matches!(&op.request, Some(RequestKind::Range(r)) if r.serializable);
        self.success.iter().chain(&self.failure).all(is_local)
            && !(self.success.is_empty() && self.failure.is_empty())
    }
}

impl RangeRequest {
    /// Leaves the values out.
    pub fn without_values(mut self) -> RangeRequest {
        self.keys_only = true;
        self
    }

    /// Answers with the count only.
    pub fn counting(mut self) -> RangeRequest {
        self.count_only = true;
        self
    }
}

impl Event {
    /// Whether the key was written (or else deleted).
    pub fn is_put(&self) -> bool {
        self.kind == EventKind::Put as i32
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        self.kv.as_ref().map_or(&[], |kv| &kv.key)
    }

    /// The value; empty for a deleted key.
    pub fn value(&self) -> &[u8] {
        self.kv.as_ref().map_or(&[], |kv| &kv.value)
    }

    /// The revision at which it happened.
    pub fn revision(&self) -> Revision {
        self.kv.as_ref().map_or(0, |kv| kv.mod_revision)
    }
}

impl ResponseOp {
    /// The answer to a read.
    pub fn as_range(&self) -> Option<&RangeResponse> {
        match &self.response {
            Some(ResponseKind::Range(range)) => Some(range),
            _ => None,
        }
    }

    /// The answer to a put.
    pub fn as_put(&self) -> Option<&PutResponse> {
        match &self.response {
            Some(ResponseKind::Put(put)) => Some(put),
            _ => None,
        }
    }

    /// The answer to a delete.
    pub fn as_delete(&self) -> Option<&DeleteRangeResponse> {
        match &self.response {
            Some(ResponseKind::DeleteRange(delete)) => Some(delete),
            _ => None,
        }
    }
}

macro_rules! revision_of {
    ($($response:ty),*) => {$(
        impl $response {
            /// The store's revision when the request took effect.
            pub fn revision(&self) -> Revision {
                self.header.as_ref().map_or(0, |header| header.revision)
            }
        }
    )*};
}

revision_of!(PutResponse, DeleteRangeResponse, RangeResponse, TxnResponse, CompactionResponse);

macro_rules! into_op {
    ($($request:ty => $kind:ident),*) => {$(
        impl From<$request> for RequestOp {
            fn from(request: $request) -> RequestOp {
                RequestOp { request: Some(RequestKind::$kind(request)) }
            }
        }
    )*};
}

into_op!(RangeRequest => Range, PutRequest => Put, DeleteRangeRequest => DeleteRange, TxnRequest => Txn);
