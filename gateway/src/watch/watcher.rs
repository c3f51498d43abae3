//! One watch of a stream: from etcd's words to the core's watch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::Stream as _;
use kvorum_core::request::WatchRequest;
use kvorum_core::{Client, Error, Watch, WatchItem};

use super::bell::{Bell, Board};
use crate::held::Held;
use crate::pb::etcdserverpb::WatchCreateRequest;
use crate::pb::etcdserverpb::watch_create_request::FilterType;

/// Opens what a client asked for. `progress`: how often it is told how far it is, if it wants to be.
pub(super) fn open(client: &Client, ask: WatchCreateRequest, progress: Duration) -> Result<Watch, Error> {
    let wants_not = |kind: FilterType| ask.filters.contains(&(kind as i32));
    client.watch(WatchRequest {
        start_revision: ask.start_revision,
        prev_kv: ask.prev_kv,
        no_put: wants_not(FilterType::Noput),
        no_delete: wants_not(FilterType::Nodelete),
        progress_interval: ask.progress_notify.then_some(progress),
        key: ask.key,
        range_end: ask.range_end,
    })
}

/// A watch of a stream.
pub(super) struct Watcher {
    pub(super) watch: Watch,
    pub(super) may_fragment: bool,
    bell: Arc<Bell>,
    waker: Waker,
    /// What its keys take.
    _keys: Held,
}

impl Watcher {
    /// A watch that is open, under an id of its stream.
    pub(super) fn new(watch: Watch, keys: Held, may_fragment: bool, id: i64, board: &Arc<Board>) -> Watcher {
        let bell = Bell::new(id, board);
        // It may have something to say already, and has nobody yet whom it would wake.
        bell.ring();
        Watcher { watch, may_fragment, waker: bell.waker(), bell, _keys: keys }
    }

    /// What it hands out next. Its bell rings when there is more.
    pub(super) fn poll(&mut self) -> Poll<Option<Result<WatchItem, Error>>> {
        self.bell.heard();
        let item = Pin::new(&mut self.watch).poll_next(&mut Context::from_waker(&self.waker));
        if item.is_ready() {
            self.bell.ring();
        }
        item
    }
}
