//! The service Watch, as etcd's clients know it.

mod common;

use std::collections::BTreeMap;

use common::{Gate, get, one, put, soon, three};
use kvorum_gateway::pb::etcdserverpb as pb;
use kvorum_gateway::pb::mvccpb::Event;
use pb::request_op::Request as Op;
use pb::watch_client::WatchClient;
use pb::watch_create_request::FilterType;
use pb::watch_request::RequestUnion;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};

/// A stream with both ends in the test's hands.
struct Stream {
    asks: Option<mpsc::Sender<pb::WatchRequest>>,
    answers: Streaming<pb::WatchResponse>,
}

impl Stream {
    async fn open(gate: &Gate) -> Stream {
        Stream::open_with(gate, &[]).await
    }

    async fn open_with(gate: &Gate, headers: &[(&'static str, &str)]) -> Stream {
        let (asks, receiver) = mpsc::channel(16);
        let mut request = Request::new(ReceiverStream::new(receiver));
        for (name, value) in headers {
            request.metadata_mut().insert(*name, value.parse().unwrap());
        }
        let answers = WatchClient::new(gate.channel.clone()).watch(request).await.unwrap().into_inner();
        Stream { asks: Some(asks), answers }
    }

    async fn ask(&self, what: RequestUnion) {
        let request = pb::WatchRequest { request_union: Some(what) };
        self.asks.as_ref().unwrap().send(request).await.unwrap();
    }

    async fn create(&self, ask: pb::WatchCreateRequest) {
        self.ask(RequestUnion::CreateRequest(ask)).await;
    }

    async fn cancel(&self, watch_id: i64) {
        self.ask(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id })).await;
    }

    async fn progress(&self) {
        self.ask(RequestUnion::ProgressRequest(pb::WatchProgressRequest {})).await;
    }

    /// Asks for a watch, and takes the answer that it is open.
    async fn watch(&mut self, ask: pb::WatchCreateRequest) -> pb::WatchResponse {
        self.create(ask).await;
        let said = self.next().await;
        assert!(said.created && !said.canceled, "{said:?}");
        said
    }

    async fn try_next(&mut self) -> Result<Option<pb::WatchResponse>, Status> {
        soon("an answer of the stream", self.answers.message()).await
    }

    async fn next(&mut self) -> pb::WatchResponse {
        self.try_next().await.unwrap().expect("the stream goes on")
    }

    /// Events of so many answers as it takes.
    async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            let said = self.next().await;
            assert!(!said.events.is_empty(), "events were expected: {said:?}");
            events.extend(said.events);
        }
        events
    }
}

fn on(key: &str) -> pb::WatchCreateRequest {
    pb::WatchCreateRequest { key: key.to_string().into(), ..Default::default() }
}

fn from(key: &str, start_revision: i64) -> pb::WatchCreateRequest {
    pb::WatchCreateRequest { start_revision, ..on(key) }
}

fn revision(said: &pb::WatchResponse) -> i64 {
    said.header.unwrap().revision
}

fn revisions(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.kv.as_ref().unwrap().mod_revision).collect()
}

async fn write(gate: &Gate, key: &str, value: &str) -> i64 {
    gate.kv().put(put(key, value)).await.unwrap().into_inner().header.unwrap().revision
}

/// Puts all of these, as one.
async fn write_all(gate: &Gate, pairs: &[(&str, &str)]) -> i64 {
    let op = |(key, value): &(&str, &str)| pb::RequestOp { request: Some(Op::RequestPut(put(key, value))) };
    let txn = pb::TxnRequest { success: pairs.iter().map(op).collect(), ..Default::default() };
    gate.kv().txn(txn).await.unwrap().into_inner().header.unwrap().revision
}

async fn delete(gate: &Gate, key: &str) -> i64 {
    let request = pb::DeleteRangeRequest { key: key.to_string().into(), ..Default::default() };
    gate.kv().delete_range(request).await.unwrap().into_inner().header.unwrap().revision
}

async fn compact(gate: &Gate, revision: i64) {
    let request = pb::CompactionRequest { revision, physical: false };
    gate.kv().compact(request).await.unwrap();
}

#[tokio::test]
async fn a_watch_is_said_to_be_open_and_then_says_what_changes() {
    let gate = one().await;
    let before = write(&gate, "a", "0").await;
    let mut stream = Stream::open(&gate).await;
    let created = stream.watch(on("a")).await;
    assert_eq!((created.watch_id, revision(&created)), (0, before));
    let first = write(&gate, "a", "1").await;
    write(&gate, "b", "somebody else's").await;
    let second = delete(&gate, "a").await;
    let said = stream.next().await;
    assert_eq!((said.watch_id, revision(&said), revisions(&said.events)), (0, first, vec![first]));
    let kv = said.events[0].kv.as_ref().unwrap();
    assert_eq!((&kv.value[..], kv.version, kv.create_revision), (&b"1"[..], 2, before));
    let said = stream.next().await;
    assert_eq!((revision(&said), revisions(&said.events)), (second, vec![second]));
    let (event, kv) = (&said.events[0], said.events[0].kv.as_ref().unwrap());
    assert_eq!(
        (event.r#type, kv.version, kv.create_revision),
        (1, 0, 0),
        "a tombstone has only key and revision"
    );
}

#[tokio::test]
async fn what_one_transaction_changes_comes_in_one_answer() {
    let gate = one().await;
    write(&gate, "k1", "old").await;
    let mut stream = Stream::open(&gate).await;
    stream.watch(pb::WatchCreateRequest { range_end: "l".into(), prev_kv: true, ..on("k") }).await;
    let at = write_all(&gate, &[("k1", "new"), ("k2", "x"), ("z", "elsewhere")]).await;
    let said = stream.next().await;
    assert_eq!(revisions(&said.events), [at, at]);
    let before: Vec<_> =
        said.events.iter().map(|event| event.prev_kv.as_ref().map(|kv| &kv.value[..])).collect();
    assert_eq!(before, [Some(&b"old"[..]), None]);
}

#[tokio::test]
async fn the_past_is_replayed_from_the_compaction_on_and_not_before() {
    let gate = one().await;
    for value in ["2", "3", "4", "5", "6"] {
        write(&gate, "w", value).await;
    }
    compact(&gate, 4).await;
    let mut stream = Stream::open(&gate).await;
    stream.watch(from("w", 4)).await;
    let events = stream.events(3).await;
    assert_eq!(revisions(&events), [4, 5, 6], "the compaction's own revision is still there");
    // One that begins before is opened, and ended; etcd says no revision with that, and no reason.
    let created = stream.watch(from("w", 3)).await;
    assert_eq!((created.watch_id, revision(&created)), (1, 6));
    let ended = stream.next().await;
    assert!(ended.canceled && !ended.created && ended.cancel_reason.is_empty());
    assert_eq!((ended.watch_id, ended.compact_revision, revision(&ended)), (1, 4, 0));
    // Its id is free again.
    assert_eq!(stream.watch(pb::WatchCreateRequest { watch_id: 1, ..on("w") }).await.watch_id, 1);
}

#[tokio::test]
async fn a_watch_of_the_future_says_nothing_before() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    let created = stream.watch(from("f", 4)).await;
    assert_eq!(revision(&created), 1);
    for value in ["2", "3", "4", "5"] {
        write(&gate, "f", value).await;
    }
    assert_eq!(revisions(&stream.events(2).await), [4, 5]);
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_under_no_id() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    let refused = [
        (from("w", -1), "etcdserver: mvcc: required revision has been compacted"),
        (
            pb::WatchCreateRequest { range_end: "a".into(), ..from("z", -1) },
            "etcdserver: mvcc: required revision has been compacted",
        ),
        (pb::WatchCreateRequest { range_end: "a".into(), ..on("z") }, "mvcc: watcher range is empty"),
        (
            pb::WatchCreateRequest { watch_id: 7, ..on("q") },
            "mvcc: duplicate watch ID provided on the WatchStream",
        ),
    ];
    stream.watch(pb::WatchCreateRequest { watch_id: 7, ..on("w") }).await;
    for (ask, reason) in refused {
        stream.create(ask).await;
        let said = stream.next().await;
        assert!(said.created && said.canceled, "{said:?}");
        assert_eq!((said.watch_id, &said.cancel_reason[..], said.compact_revision), (-1, reason, 0));
        assert_eq!(revision(&said), 1);
    }
    let at = write(&gate, "w", "1").await;
    assert_eq!(revisions(&stream.events(1).await), [at], "the one that was there goes on");
    assert_eq!(stream.watch(on("w")).await.watch_id, 0, "what is refused takes no number");
}

#[tokio::test]
async fn clients_choose_ids_and_the_others_are_counted_around_them() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    let mut ids = Vec::new();
    for watch_id in [1, 0, -3, 0, 0] {
        ids.push(stream.watch(pb::WatchCreateRequest { watch_id, ..on("k") }).await.watch_id);
    }
    assert_eq!(ids, [1, 0, -3, 2, 3]);
    // None is counted twice.
    stream.cancel(3).await;
    assert!(stream.next().await.canceled);
    assert_eq!(stream.watch(on("k")).await.watch_id, 4);
}

#[tokio::test]
async fn a_canceled_watch_says_so_and_nothing_more() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    stream.watch(pb::WatchCreateRequest { watch_id: 5, ..on("k") }).await;
    stream.watch(pb::WatchCreateRequest { watch_id: 6, ..on("k") }).await;
    stream.cancel(99).await; // etcd overlooks it
    stream.ask_nothing().await;
    stream.cancel(5).await;
    let said = stream.next().await;
    assert!(said.canceled && !said.created && said.cancel_reason.is_empty());
    assert_eq!((said.watch_id, said.compact_revision), (5, 0));
    write(&gate, "k", "v").await;
    assert_eq!(stream.next().await.watch_id, 6);
}

impl Stream {
    /// A request with nothing in it.
    async fn ask_nothing(&self) {
        self.asks.as_ref().unwrap().send(pb::WatchRequest::default()).await.unwrap();
    }
}

#[tokio::test]
async fn an_empty_key_is_the_first_of_all() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    stream.watch(on("")).await;
    stream.watch(pb::WatchCreateRequest { range_end: "\0".into(), watch_id: 9, ..on("") }).await;
    write(&gate, "\0", "zero").await;
    let both = [stream.next().await, stream.next().await];
    let ids: Vec<i64> = both.iter().map(|said| said.watch_id).collect();
    assert!(ids.contains(&0) && ids.contains(&9), "{ids:?}");
    write(&gate, "zz", "behind").await;
    assert_eq!(stream.next().await.watch_id, 9);
}

#[tokio::test]
async fn filters_leave_out_kinds_of_changes() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    // What it does not know, it overlooks.
    let filters = vec![FilterType::Noput as i32, 77];
    stream.watch(pb::WatchCreateRequest { filters, ..on("k") }).await;
    write(&gate, "k", "v").await;
    let at = delete(&gate, "k").await;
    let said = stream.next().await;
    assert_eq!((said.events.len(), revision(&said)), (1, at));
    assert_eq!(said.events[0].r#type, 1);
}

#[tokio::test]
async fn progress_is_said_of_all_watches_behind_all_their_events() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    stream.progress().await; // of no watch, nothing is said
    stream.watch(on("a")).await;
    stream.watch(on("b")).await;
    let mut newest = 1;
    for _ in 0..50 {
        newest = write(&gate, "a", "v").await;
        write(&gate, "b", "v").await;
        newest = newest.max(write(&gate, "c", "v").await);
    }
    stream.progress().await;
    let mut seen = BTreeMap::new();
    let said = loop {
        let said = stream.next().await;
        if said.events.is_empty() {
            break said;
        }
        *seen.entry(said.watch_id).or_insert(0) += said.events.len();
    };
    assert_eq!((said.watch_id, revision(&said)), (-1, newest));
    assert!(!said.created && !said.canceled);
    assert_eq!(seen, BTreeMap::from([(0, 50), (1, 50)]), "nothing is still to come");
}

#[tokio::test]
async fn a_watch_that_wants_to_says_how_far_it_is_when_nothing_happens() {
    let options = kvorum_gateway::Options {
        progress_interval: std::time::Duration::from_millis(100),
        ..Default::default()
    };
    let gate = Gate::new(kvorum::Node::builder().start().unwrap(), options).await;
    let mut stream = Stream::open(&gate).await;
    stream.watch(pb::WatchCreateRequest { progress_notify: true, ..on("quiet") }).await;
    let at = write(&gate, "loud", "v").await;
    let mut said = stream.next().await;
    while revision(&said) < at {
        said = stream.next().await;
    }
    assert_eq!((said.watch_id, said.events.len(), revision(&said)), (0, 0, at));
}

#[tokio::test]
async fn a_large_answer_comes_in_parts_for_who_wants_it_so() {
    let gate = one().await;
    let (one_megabyte, half) = ("v".repeat(1 << 20), "w".repeat(500 << 10));
    for key in ["p1", "p2", "p3"] {
        write(&gate, key, &one_megabyte).await;
    }
    let mut stream = Stream::open(&gate).await;
    let ask = pb::WatchCreateRequest { range_end: "q".into(), prev_kv: true, ..on("p") };
    stream.watch(pb::WatchCreateRequest { fragment: true, ..ask.clone() }).await;
    let mut whole = Stream::open(&gate).await;
    whole.answers = WatchClient::new(gate.channel.clone())
        .max_decoding_message_size(64 << 20)
        .watch(ReceiverStream::new({
            let (asks, receiver) = mpsc::channel(16);
            whole.asks = Some(asks);
            receiver
        }))
        .await
        .unwrap()
        .into_inner();
    whole.watch(ask).await;
    let at = write_all(&gate, &[("p1", &half), ("p2", &half), ("p3", &half)]).await;
    let mut parts = vec![stream.next().await];
    while parts.last().unwrap().fragment {
        parts.push(stream.next().await);
    }
    assert!(parts.len() > 1, "it was not split");
    assert!(parts.iter().all(|part| revision(part) == at && part.watch_id == 0));
    let events: Vec<Event> = parts.into_iter().flat_map(|part| part.events).collect();
    assert_eq!(revisions(&events), [at; 3]);
    let said = whole.next().await;
    assert_eq!((said.events.len(), said.fragment), (3, false), "who does not want it so gets it whole");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_keeps_nothing_in_store() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    stream.watch(on("k")).await;
    let value = "v".repeat(100 << 10);
    let mut newest = 0;
    for _ in 0..300 {
        newest = write(&gate, "k", &value).await;
    }
    compact(&gate, newest).await;
    // What is on its way is what the windows hold. Of the rest the stream had nothing but its place.
    let (mut seen, mut before) = (0, 0);
    loop {
        let said = stream.next().await;
        if said.canceled {
            assert_eq!((said.watch_id, said.compact_revision), (0, newest));
            break;
        }
        let all = revisions(&said.events);
        assert!(all.is_sorted() && all[0] == if before == 0 { 2 } else { before + 1 }, "in order, no gap");
        (seen, before) = (seen + all.len(), *all.last().unwrap());
    }
    assert!(seen < 150, "{seen} of 300 were kept for it");
}

#[tokio::test]
async fn a_client_that_asks_nothing_more_is_told_on() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    stream.watch(on("k")).await;
    stream.asks = None;
    let at = write(&gate, "k", "v").await;
    assert_eq!(revisions(&stream.events(1).await), [at]);
}

#[tokio::test]
async fn hundreds_of_watches_on_a_stream_each_see_everything_once() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    for i in 0..500 {
        stream.watch(on(&format!("k{}", i % 5))).await;
    }
    for round in 0..10 {
        write(&gate, &format!("k{}", round % 5), "v").await;
    }
    let mut seen: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    while seen.values().map(Vec::len).sum::<usize>() < 1000 {
        let said = stream.next().await;
        seen.entry(said.watch_id).or_default().extend(revisions(&said.events));
    }
    for (id, seen) in seen {
        let first = 2 + id % 5;
        assert_eq!(seen, [first, first + 5], "watch {id}");
    }
    stream.progress().await;
    assert_eq!(stream.next().await.watch_id, -1, "nothing came twice");
}

#[tokio::test]
async fn watches_over_the_limit_are_refused() {
    let connections = kvorum_gateway::Connections { watches: 2, ..Default::default() };
    let options = kvorum_gateway::Options { connections, ..Default::default() };
    let gate = Gate::new(kvorum::Node::builder().start().unwrap(), options).await;
    let mut stream = Stream::open(&gate).await;
    stream.watch(on("a")).await;
    stream.watch(on("b")).await;
    stream.create(on("c")).await;
    let said = stream.next().await;
    assert_eq!((said.watch_id, &said.cancel_reason[..]), (-1, "etcdserver: too many requests"));
    stream.cancel(0).await;
    assert!(stream.next().await.canceled);
    stream.watch(on("c")).await;
}

#[tokio::test]
async fn a_follower_tells_what_the_leader_was_told() {
    let gates = three().await;
    let mut stream = Stream::open(&gates[1]).await;
    stream.watch(on("k")).await;
    let at = write(&gates[0], "k", "v").await;
    assert_eq!(revisions(&stream.events(1).await), [at]);
}

#[tokio::test]
async fn a_stream_that_requires_a_leader_ends_when_there_is_none_for_long() {
    let mut gates = three().await;
    let mut required = Stream::open_with(&gates[2], &[("hasleader", "true")]).await;
    required.watch(on("k")).await;
    let mut patient = Stream::open(&gates[2]).await;
    patient.watch(on("k")).await;
    let last = gates.pop().unwrap();
    drop(gates);
    let ended = required.try_next().await.unwrap_err();
    assert_eq!((ended.code(), ended.message()), (Code::Unavailable, "etcdserver: no leader"));
    // The other one can still be asked.
    patient.progress().await;
    assert_eq!(patient.next().await.watch_id, -1);
    let refused = WatchClient::with_interceptor(last.channel.clone(), |mut request: Request<()>| {
        request.metadata_mut().insert("hasleader", "true".parse().unwrap());
        Ok(request)
    });
    let refused = { refused }.watch(tokio_stream::empty()).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "etcdserver: no leader"));
}

#[tokio::test]
async fn a_stream_ends_with_its_server_so_that_the_client_goes_on_elsewhere() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    stream.watch(on("k")).await;
    assert!(gate.kv().range(get("k")).await.is_ok());
    let stopping = tokio::spawn(gate.server.stop(std::time::Duration::from_secs(20)));
    let ended = stream.try_next().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    soon("the server's end", stopping).await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_in_etcds_words() {
    let gate = one().await;
    let mut stream = Stream::open(&gate).await;
    let create = pb::WatchCreateRequest { key: vec![b'k'; 3 << 20].into(), ..Default::default() };
    stream.ask(RequestUnion::CreateRequest(create)).await;
    let refused = stream.answers.message().await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let words = refused.message();
    assert!(
        words.starts_with("grpc: received message larger than max (31457")
            && words.ends_with(" vs. 2097152)"),
        "{words}"
    );
}
