//! The answers of a watch stream, as etcd says them.

use kvorum_core::request::Header;

use crate::pb::etcdserverpb::WatchResponse;

/// What a watch that could not be opened is called.
const NOBODY: i64 = -1;

/// The watch is open; events come behind this.
pub(super) fn created(header: Header, watch_id: i64) -> WatchResponse {
    WatchResponse { created: true, ..of(header, watch_id) }
}

/// The watch was not opened.
pub(super) fn refused(header: Header, reason: String) -> WatchResponse {
    WatchResponse { canceled: true, cancel_reason: reason, ..created(header, NOBODY) }
}

/// The client does not want the watch any more.
pub(super) fn canceled(header: Header, watch_id: i64) -> WatchResponse {
    WatchResponse { canceled: true, ..of(header, watch_id) }
}

/// What the watch has yet to say was compacted. etcd says no revision here, and no reason.
pub(super) fn compacted(header: Header, watch_id: i64, compact_revision: i64) -> WatchResponse {
    WatchResponse { compact_revision, ..canceled(Header { revision: 0, ..header }, watch_id) }
}

/// Everything up to the header's revision was handed out; of all watches of the stream: no id says so.
pub(super) fn progress_of_all(header: Header) -> WatchResponse {
    of(header, NOBODY)
}

/// Without anything in it: that everything up to the header's revision was handed out.
pub(super) fn of(header: Header, watch_id: i64) -> WatchResponse {
    WatchResponse { header: Some(header.into()), watch_id, ..WatchResponse::default() }
}
