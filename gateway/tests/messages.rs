//! gRPC messages as no library sends them: by the ten thousand while nobody takes the answers, or by halves. Honest
//! clients are served, and nobody takes more memory than there is for it.

mod common;

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kvorum_gateway::pb::etcdserverpb as pb;
use pb::watch_request::RequestUnion;
use prost::Message;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use kvorum::Node;
use kvorum_gateway::{Connections, Options};

use common::memory::{is_alone, memory};
use common::{Gate, get, one, put, soon};

type Pieces =
    StreamBody<Box<dyn tokio_stream::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Unpin>>;

/// One connection, on which every piece of a body is a DATA frame of its own.
struct Wire(SendRequest<Pieces>);

impl Wire {
    async fn to(address: SocketAddr) -> Wire {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let mut builder = Builder::new(TokioExecutor::new());
        // Little room for answers: nobody can have them ready for whoever does not take them.
        let (requests, connection) =
            builder.initial_stream_window_size(1 << 10).handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Wire(requests)
    }

    /// Begins a request, whose pieces go out as soon as there is room for them; its answer comes when the server has one to begin with.
    async fn ask(
        &mut self,
        path: &str,
    ) -> (Sender<Bytes>, impl Future<Output = hyper::Result<Response<Incoming>>> + use<>) {
        let (pieces, receiver) = channel(1);
        let frames = ReceiverStream::new(receiver).map(|piece| Ok(Frame::data(piece)));
        let kind = if path.starts_with("/v3/") { "application/json" } else { "application/grpc" };
        let request = Request::post(format!("http://x{path}")).header("content-type", kind);
        let request = request.header("te", "trailers").body(StreamBody::new(Box::new(frames) as _)).unwrap();
        self.0.ready().await.unwrap();
        (pieces, self.0.send_request(request))
    }
}

fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(message.encoded_len() as u32);
    message.encode(&mut bytes).unwrap();
    bytes.freeze()
}

/// How many messages there are in an answer, up to `limit`.
async fn count(answer: Response<Incoming>, limit: usize) -> usize {
    let (mut body, mut come, mut messages) = (answer.into_body(), BytesMut::new(), 0);
    while messages < limit {
        let Some(frame) = body.frame().await else { break };
        come.extend_from_slice(&frame.unwrap().into_data().unwrap_or_default());
        while come.len() >= 5 {
            let size = 5 + u32::from_be_bytes(come[1..5].try_into().unwrap()) as usize;
            if come.len() < size {
                break;
            }
            drop(come.split_to(size));
            messages += 1;
        }
    }
    messages
}

/// How much memory the server may take besides what it keeps, with its client. Measured: 22 MiB.
const CEILING: u64 = 64 << 20;

/// How many messages lie there: 350 KiB at least, each of them far smaller than what it takes to remember where it is.
const MANY: usize = 30_000;

/// Nobody takes an answer before all is asked, so the server has to have most of it lie there; and whoever else is on
/// the connection stays.
async fn all_are_answered(path: &str, messages: usize, message: impl Fn(usize) -> Bytes) {
    let gate = one().await;
    let mut wire = Wire::to(gate.server.local_addresses()[0]).await;
    let (asks, answer) = wire.ask(path).await;
    for at in 0..messages {
        soon("room to ask", asks.send(message(at))).await.unwrap();
    }
    let answer = soon("the first answer", answer).await.unwrap();
    let (asks_too, got) = wire.ask("/etcdserverpb.KV/Range").await;
    asks_too.send(framed(&get("k"))).await.unwrap();
    drop(asks_too);
    assert_eq!(count(soon("others", got).await.unwrap(), 1).await, 1);
    assert_eq!(soon("all answers", count(answer, messages)).await, messages);
}

#[tokio::test]
async fn tens_of_thousands_of_renewals_may_be_asked_for_ahead() {
    let renewal = framed(&pb::LeaseKeepAliveRequest { id: 7 });
    all_are_answered("/etcdserverpb.Lease/LeaseKeepAlive", MANY, |_| renewal.clone()).await;
}

#[tokio::test]
async fn tens_of_thousands_of_watches_may_be_asked_for_ahead() {
    let create = |at: usize| {
        let create = pb::WatchCreateRequest { key: format!("w{at}").into(), ..Default::default() };
        framed(&pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) })
    };
    all_are_answered("/etcdserverpb.Watch/Watch", MANY, create).await;
}

/// What lies there is bounded: whoever sends crumbs is cut before they take much.
#[tokio::test]
async fn a_flood_of_crumbs_is_cut_and_takes_little_memory() {
    if !is_alone() {
        return;
    }
    let gate = one().await;
    let before = memory();
    let mut wire = Wire::to(gate.server.local_addresses()[0]).await;
    let (asks, answer) = wire.ask("/etcdserverpb.Watch/Watch").await;
    let create = pb::WatchCreateRequest { key: "w".into(), ..Default::default() };
    let create = framed(&pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) });
    let mut most = before;
    let flood = async {
        // Enough answers that nobody takes; then nothing is read any more.
        let crumbs = std::iter::repeat(Bytes::from_static(b"\0"));
        for (at, piece) in std::iter::repeat_n(create, 5000).chain(crumbs).enumerate() {
            if asks.send(piece).await.is_err() {
                return;
            }
            if at % 1000 == 0 {
                most = most.max(memory());
            }
        }
    };
    soon("the cut", flood).await;
    println!("{} KiB more", (most - before) >> 10);
    assert!(most - before < CEILING, "{} bytes", most - before);
    assert!(soon("the cut", async { answer.await?.into_body().collect().await }).await.is_err());
    gate.kv().range(get("k")).await.unwrap();
}

async fn with(connections: Connections) -> Gate {
    Gate::new(Node::builder().start().unwrap(), Options { connections, ..Options::default() }).await
}

/// A put of 2 MB whose last byte is missing, in pieces.
fn half() -> impl Iterator<Item = Bytes> {
    let large = pb::PutRequest { key: "k".into(), value: vec![0; 2_000_000].into(), ..Default::default() };
    let whole = framed(&large);
    let half = whole.slice(..whole.len() - 1);
    (0..half.len()).step_by(1 << 14).map(move |at| half.slice(at..half.len().min(at + (1 << 14))))
}

/// The code that an answer ends with; the gRPC library of nobody looks at it here.
async fn code(answer: Response<Incoming>) -> String {
    let head = answer.headers().get("grpc-status").cloned();
    let code = match head {
        Some(code) => code,
        None => answer.into_body().collect().await.unwrap().trailers().unwrap()["grpc-status"].clone(),
    };
    code.to_str().unwrap().into()
}

#[tokio::test]
async fn half_messages_of_many_take_no_more_than_their_room() {
    if !is_alone() {
        return;
    }
    let gate = with(Connections { body_bytes: 8 << 20, ..Default::default() }).await;
    let mut wire = Wire::to(gate.server.local_addresses()[0]).await;
    let (before, mut open, mut told) = (memory(), Vec::new(), JoinSet::new());
    for _ in 0..64 {
        let (pieces, answer) = wire.ask("/etcdserverpb.KV/Put").await;
        told.spawn(async move { code(answer.await.unwrap()).await });
        for piece in half() {
            // Whoever was told need not send the rest.
            if soon("room to send", pieces.send(piece)).await.is_err() {
                break;
            }
        }
        open.push(pieces);
    }
    // Four fit.
    for _ in 0..60 {
        assert_eq!(soon("a refusal", told.join_next()).await.unwrap().unwrap(), "2");
    }
    assert!(memory().saturating_sub(before) < CEILING, "{} bytes", memory() - before);
    let large = "v".repeat(1 << 20);
    gate.kv().put(put("k", &large)).await.unwrap_err();
    gate.kv().put(put("k", "what comes in one piece needs no room")).await.unwrap();
    drop((told, open));
    let room = async { while gate.kv().put(put("k", &large)).await.is_err() {} };
    soon("room", room).await;
}

/// Whoever reads a stream's messages keeps as much memory as the longest took: bounded, and in a room of its own.
#[tokio::test]
async fn long_messages_on_streams_that_last_take_no_more_than_their_room() {
    if !is_alone() {
        return;
    }
    let gate = with(Connections { body_bytes: 8 << 20, ..Default::default() }).await;
    let mut wire = Wire::to(gate.server.local_addresses()[0]).await;
    let create = |size| {
        let create = pb::WatchCreateRequest { key: vec![b'k'; size].into(), ..Default::default() };
        framed(&pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) })
    };
    let (before, mut open, mut told) = (memory(), Vec::new(), JoinSet::new());
    for _ in 0..32 {
        let (pieces, answer) = wire.ask("/etcdserverpb.Watch/Watch").await;
        told.spawn(async move { code(answer.await.unwrap()).await });
        soon("room to send", pieces.send(create(1 << 20))).await.unwrap();
        open.push(pieces);
    }
    // Seven fit.
    for _ in 0..25 {
        assert_eq!(soon("a refusal", told.join_next()).await.unwrap().unwrap(), "2");
    }
    assert!(memory().saturating_sub(before) < CEILING, "{} bytes", memory() - before);
    gate.kv().put(put("k", &"v".repeat(1 << 20))).await.unwrap();
    let (pieces, short) = wire.ask("/etcdserverpb.Watch/Watch").await;
    pieces.send(create(10)).await.unwrap();
    assert_eq!(count(soon("a short one", short).await.unwrap(), 1).await, 1);
    drop((told, open));
    let room = async {
        loop {
            let (pieces, answer) = wire.ask("/etcdserverpb.Watch/Watch").await;
            pieces.send(create(1 << 20)).await.unwrap();
            if count(answer.await.unwrap(), 1).await == 1 {
                break;
            }
        }
    };
    soon("room", room).await;
}

#[tokio::test]
async fn half_a_message_is_not_waited_for_for_ever_and_a_silent_stream_is() {
    let patience = std::time::Duration::from_millis(300);
    let gate = with(Connections { header_timeout: patience, ..Default::default() }).await;
    let mut wire = Wire::to(gate.server.local_addresses()[0]).await;
    let (_silent, mut watch) = {
        let (asks, answer) = wire.ask("/etcdserverpb.Watch/Watch").await;
        let create = pb::WatchCreateRequest { key: "w".into(), ..Default::default() };
        let create = pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        asks.send(framed(&create)).await.unwrap();
        (asks, soon("an answer", answer).await.unwrap().into_body())
    };
    soon("a watch", watch.frame()).await.unwrap().unwrap();
    let mut open = Vec::new();
    // Nothing at all, half a head, half a message, and a whole one behind which nothing ends.
    let whole = framed(&get("k"));
    for (path, piece) in [
        ("KV/Put", Bytes::new()),
        ("KV/Put", whole.slice(..3)),
        ("KV/Range", whole.slice(..7)),
        ("KV/Range", whole.clone()),
        ("Watch/Watch", whole.slice(..3)),
        ("Lease/LeaseKeepAlive", whole.slice(..7)),
    ] {
        let (pieces, answer) = wire.ask(&format!("/etcdserverpb.{path}")).await;
        if !piece.is_empty() {
            pieces.send(piece).await.unwrap();
        }
        open.push((path, pieces, answer));
    }
    for (path, _pieces, answer) in open {
        assert_eq!(soon(path, async { code(answer.await.unwrap()).await }).await, "4", "{path}");
    }
    gate.kv().put(put("w", "")).await.unwrap();
    soon("an event", watch.frame()).await.unwrap().unwrap();
}

/// A stream whose answers nobody takes is not asked for what came in on it, and does not look at the clock.
#[tokio::test]
async fn half_of_something_is_let_go_of_also_while_nobody_takes_the_answers() {
    let patience = std::time::Duration::from_secs(1);
    let gate = with(Connections {
        header_timeout: patience,
        body_bytes: 1 << 20,
        // What is still on its way is little.
        stream_window: 1 << 16,
        ..Default::default()
    })
    .await;
    let create = pb::WatchCreateRequest { key: "w".into(), ..Default::default() };
    let create = pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    let large = "v".repeat(700 << 10);
    let message = pb::WatchCreateRequest { key: large.clone().into(), ..Default::default() };
    let message = framed(&pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(message)) });
    let json = format!("{{\"create_request\":{{\"key\":\"{large}");
    for (path, whole, half) in [
        ("/etcdserverpb.Watch/Watch", framed(&create), message.slice(..700 << 10)),
        ("/v3/watch", Bytes::from_static(b"{\"create_request\":{\"key\":\"dw==\"}}"), json.into()),
    ] {
        let mut wire = Wire::to(gate.server.local_addresses()[0]).await;
        let (asks, answer) = wire.ask(path).await;
        // Two watches say the same twice: the first answer fills the window, and the second is asked for and waits.
        for _ in 0..2 {
            asks.send(whole.clone()).await.unwrap();
        }
        let _unread = soon(path, answer).await.unwrap();
        for at in (0..half.len()).step_by(1 << 14) {
            let piece = half.slice(at..half.len().min(at + (1 << 14)));
            soon(path, asks.send(piece)).await.unwrap();
        }
        gate.node.client().put("w", vec![b'v'; 1 << 18]).await.unwrap();
        let room = async { while gate.kv().put(put("k", &large)).await.is_err() {} };
        soon(&format!("room beside {path}"), room).await;
    }
}

/// Each of twenty wants eight values of a megabyte, and none of them takes any.
#[tokio::test]
async fn answers_that_nobody_takes_are_bounded_and_others_write_meanwhile() {
    if !is_alone() {
        return;
    }
    let gate = with(Connections { answer_bytes: 4 << 20, ..Default::default() }).await;
    for at in 0..8 {
        gate.kv().put(put(&format!("k{at}"), &"v".repeat(1 << 20))).await.unwrap();
    }
    let mut wire = Wire::to(gate.server.local_addresses()[0]).await;
    let (before, mut untaken, mut refused) = (memory(), Vec::new(), 0);
    for _ in 0..20 {
        let (pieces, answer) = wire.ask("/etcdserverpb.KV/Range").await;
        pieces.send(framed(&common::everything())).await.unwrap();
        drop(pieces);
        let answer = soon("an answer", answer).await.unwrap();
        match answer.headers().get("grpc-status") {
            Some(code) => refused += usize::from(code == "2"),
            None => untaken.push(answer),
        }
    }
    assert!(refused >= 18, "{refused} were refused");
    assert!(memory().saturating_sub(before) < CEILING, "{} bytes", memory() - before);
    let status = gate.kv().range(get("k")).await.unwrap_err();
    assert_eq!(status.message(), "etcdserver: too many requests");
    let txn = gate.kv().txn(pb::TxnRequest::default()).await.unwrap_err();
    assert_eq!(txn.message(), "etcdserver: too many requests");
    gate.kv().put(put("k", "")).await.unwrap();
    // Whoever takes its answer, or goes, makes room.
    drop(untaken);
    let room = async { while gate.kv().range(get("k")).await.is_err() {} };
    soon("room", room).await;
}
