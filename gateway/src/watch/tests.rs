//! Streams that are polled by hand: who has a turn, and how soon.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt, stream};
use kvorum::Node;
use kvorum_core::WatchItem;
use kvorum_core::request::{PutRequest, RequestKind, RequestOp, TxnRequest, WatchRequest as CoreRequest};
use tonic::Status;

use super::Settings;
use super::stream::WatchStream;
use crate::held::Room;
use crate::pb::etcdserverpb as pb;
use crate::woken::Woken;
use pb::watch_request::RequestUnion;

/// As many changes as a watch looks through under one lock.
const SLICE: usize = 10_000;

/// How many such slices of history there are in which nothing happens to `quiet`, beginning with revision 2.
const SLICES: usize = 10;

/// A node with a long history, at the end of which `quiet` is written.
fn node() -> Node {
    let node = Node::builder().tune(|config| config.limits.txn_ops = SLICE).start().unwrap();
    let put =
        |at: usize| RequestOp { request: Some(RequestKind::Put(PutRequest::new(format!("loud-{at}"), ""))) };
    let loud = TxnRequest { success: (0..SLICE).map(put).collect(), ..TxnRequest::default() };
    for _ in 0..SLICES {
        node.client().txn(loud.clone()).wait().unwrap();
    }
    node.client().put("quiet", "at last").wait().unwrap();
    node
}

/// A stream with both ends in the test's hands.
struct Polled {
    stream: Pin<Box<dyn Stream<Item = Result<pb::WatchResponse, Status>>>>,
    woken: Arc<Woken>,
    waker: Waker,
}

impl Polled {
    fn new(node: &Node, asks: impl Stream<Item = RequestUnion> + Unpin + 'static) -> Polled {
        let progress_interval = Duration::from_secs(600);
        let settings = Settings {
            progress_interval,
            fragment_bytes: 1 << 20,
            watchers: 1_000_000,
            room: Room::new(1000),
        };
        let asks = asks.map(|ask| Ok(pb::WatchRequest { request_union: Some(ask) }));
        let woken = Arc::<Woken>::default();
        let waker = woken.clone().into();
        Polled { stream: Box::pin(WatchStream::new(node.client(), settings, asks)), woken, waker }
    }

    /// `None`: pending.
    fn poll(&mut self) -> Option<pb::WatchResponse> {
        match self.stream.as_mut().poll_next(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(said) => Some(said.unwrap().unwrap()),
            Poll::Pending => None,
        }
    }
}

fn on(key: &str) -> pb::WatchCreateRequest {
    pb::WatchCreateRequest { key: key.to_string().into(), ..Default::default() }
}

fn create(ask: pb::WatchCreateRequest) -> RequestUnion {
    RequestUnion::CreateRequest(ask)
}

/// One that is refused.
fn refused() -> RequestUnion {
    create(pb::WatchCreateRequest { range_end: "a".into(), ..on("z") })
}

/// One that is not answered.
fn overlooked() -> RequestUnion {
    RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id: 99 })
}

#[test]
fn a_watch_that_looks_far_back_lets_others_have_their_turn() {
    let node = node();
    let from_far_back = CoreRequest { key: "quiet".into(), start_revision: 2, ..CoreRequest::default() };
    let mut watch = node.client().watch(from_far_back).unwrap();
    let woken = Arc::<Woken>::default();
    let waker = woken.clone().into();
    let mut turns = 0;
    let events = loop {
        // The node wakes a watch that begins in the past, too.
        let before = woken.count();
        match Pin::new(&mut watch).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Pending => turns += 1,
            Poll::Ready(said) => break said.unwrap().unwrap(),
        }
        assert!(woken.count() > before, "it goes on by itself");
        assert_eq!(watch.resume_revision(), 2 + 4 * turns as i64, "what it has seen is done with");
    };
    assert_eq!(turns, 2, "{SLICES} slices, four at a time");
    assert!(matches!(events, WatchItem::Events(events) if events.len() == 1));
}

#[test]
fn watches_that_look_far_back_let_other_streams_have_their_turn() {
    let node = node();
    let watches = (0..20).map(|_| create(pb::WatchCreateRequest { start_revision: 2, ..on("silent") }));
    let mut polled = Polled::new(&node, stream::iter(watches).chain(stream::pending()));
    let (mut created, mut pauses) = (0, 0);
    loop {
        let before = polled.woken.count();
        match polled.poll() {
            Some(said) => created += usize::from(said.created),
            None if polled.woken.count() == before => break,
            None => pauses += 1,
        }
    }
    assert_eq!(created, 20);
    assert!(pauses >= 4, "20 watches looked for {SLICES} slices each, with {pauses} pauses");
}

#[test]
fn requests_that_need_no_answer_let_other_streams_have_their_turn() {
    let node = Node::builder().start().unwrap();
    let left = Arc::new(AtomicUsize::new(1000));
    let counted = left.clone();
    let asks = stream::iter(0..1000).map(move |_| {
        counted.fetch_sub(1, Ordering::Relaxed);
        overlooked()
    });
    let mut polled = Polled::new(&node, asks.chain(stream::pending()));
    assert_eq!(polled.poll(), None);
    assert!(left.load(Ordering::Relaxed) >= 990, "all but {left:?} were taken in one turn");
    assert_eq!(polled.woken.count(), 1, "it goes on by itself");
}

#[test]
fn long_keys_of_watches_that_are_open_take_no_more_than_their_room() {
    let node = Node::builder().start().unwrap();
    let long = || create(on(&"k".repeat(300)));
    let cancel = RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id: 0 });
    let short = |_| create(on("k"));
    let asks = [long(), long(), cancel, long()].into_iter().chain((0..100).map(short));
    let mut polled = Polled::new(&node, stream::iter(asks).chain(stream::pending()));
    let said: Vec<_> = std::iter::from_fn(|| polled.poll()).take(104).collect();
    let is_open = |said: &pb::WatchResponse| said.created && !said.canceled;
    assert_eq!(said.iter().filter(|said| is_open(said)).count(), 102);
    assert_eq!(said[1].cancel_reason, "etcdserver: too many requests");
    assert!(is_open(&said[3]), "a watch that has ended holds nothing: {:?}", said[3]);
}

#[test]
fn who_asks_without_a_pause_is_told_of_changes_meanwhile() {
    let node = Node::builder().start().unwrap();
    node.client().put("k", "v").wait().unwrap();
    let first = create(pb::WatchCreateRequest { start_revision: 2, ..on("k") });
    let asks = stream::iter([first]).chain(stream::repeat_with(refused));
    let mut polled = Polled::new(&node, asks);
    let said: Vec<_> = (0..4).filter_map(|_| polled.poll()).collect();
    assert_eq!(said.iter().map(|said| said.events.len()).sum::<usize>(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|said| said.canceled).count(), 2, "both have their turn: {said:?}");
}

#[test]
fn who_asks_without_a_pause_is_told_how_far_all_watches_are() {
    let node = Node::builder().start().unwrap();
    let first = [create(on("k")), RequestUnion::ProgressRequest(pb::WatchProgressRequest {})];
    let mut polled = Polled::new(&node, stream::iter(first).chain(stream::repeat_with(overlooked)));
    assert!(polled.poll().unwrap().created);
    assert_eq!(polled.poll().unwrap().watch_id, -1);
}

/// The client has ids of its own where the ones that are counted come next, and each search would pass them all.
#[test]
fn what_is_refused_looks_for_no_id() {
    let node = Node::builder().start().unwrap();
    let count = 20_000;
    let chosen = (1..=count).map(|watch_id| create(pb::WatchCreateRequest { watch_id, ..on("k") }));
    let asks = [create(on("k"))].into_iter().chain(chosen).chain((0..count).map(|_| refused()));
    let started = Instant::now();
    let mut polled = Polled::new(&node, stream::iter(asks).chain(stream::iter([create(on("k"))])));
    let mut last = -1;
    while last <= count {
        let Some(said) = polled.poll() else { continue };
        assert_eq!(said.canceled, said.watch_id == -1);
        last = last.max(said.watch_id);
        assert!(started.elapsed() < Duration::from_secs(10), "the searches take too long");
    }
    assert_eq!(last, count + 1);
}
