//! What nobody may do to the server: send for ever, be too slow, bring too much. Each is cut or refused, and others are
//! served meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kvorum::Node;
use kvorum_gateway::{Connections, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::memory::{is_alone, memory};
use crate::common::{Gate, one, soon};
use crate::http::{Lines, ask, post};

/// How much memory the server may take, besides what it keeps, whatever its clients do; in the tests below, where
/// bodies may take 8 MiB. Measured: about 20 MiB.
const CEILING: u64 = 64 << 20;

pub(crate) async fn with(connections: Connections) -> Gate {
    Gate::new(Node::builder().start().unwrap(), Options { connections, ..Options::default() }).await
}

pub(crate) fn quick() -> Connections {
    Connections { header_timeout: Duration::from_millis(300), body_bytes: 8 << 20, ..Default::default() }
}

/// Begins a request whose body is said to be so long.
pub(crate) async fn begin(to: SocketAddr, path: &str, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Whatever comes until the connection is cut.
pub(crate) async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = soon("the end", stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_body_that_trickles_is_cut() {
    let gate = with(quick()).await;
    let address = gate.server.local_addresses()[0];
    let started = Instant::now();
    let mut stream = begin(address, "/v3/kv/put", 1000).await;
    let (mut reading, mut writing) = stream.split();
    let trickle = async {
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        _ = soon("the end", reading.read_to_end(&mut answer)) => {}
        () = trickle => {}
    }
    assert!(started.elapsed() >= Duration::from_millis(300));
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 504"), "{answer}");
}

#[tokio::test]
async fn a_stream_that_waits_is_not_cut() {
    let gate = with(quick()).await;
    let address = gate.server.local_addresses()[0];
    let body = "{\"create_request\":{\"key\":\"YQ==\"}}";
    let mut watch = Lines::open(address, "POST /v3/watch", &[], body, false).await;
    watch.next(Duration::from_secs(20)).await.unwrap();
    let early = watch.next(Duration::from_millis(900)).await;
    assert_eq!(early, None);
    post(address, "/kv/put", "{\"key\":\"YQ==\"}").await;
    assert!(watch.next(Duration::from_secs(20)).await.unwrap().contains("events"));
}

#[tokio::test]
async fn more_than_a_request_may_be_is_refused_before_it_is_all_there() {
    if !is_alone() {
        return;
    }
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    let before = memory();
    let (mut reading, mut writing) = begin(address, "/v3/kv/put", 1 << 40).await.into_split();
    writing.write_all(b"{\"key\":\"").await.unwrap();
    let flood = tokio::spawn(async move {
        let block = vec![b'A'; 1 << 16];
        let mut sent = 0_usize;
        while writing.write_all(&block).await.is_ok() {
            sent += block.len();
        }
        sent
    });
    let mut answer = Vec::new();
    let _ = soon("the end", reading.read_to_end(&mut answer)).await;
    drop(reading);
    let sent = soon("the cut", flood).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let said =
        format!("\"message\":\"grpc: received message larger than max ({} vs. 2097152)\"", 1_u64 << 40);
    assert!(answer.contains(&said), "{answer}");
    // What is passed over, and what sockets hold.
    assert!(sent < 96 << 20, "{sent} bytes were taken");
    assert!(memory().saturating_sub(before) < CEILING);
}

/// Spaces are kept nowhere: only their number tells that somebody never comes to the point.
#[tokio::test]
async fn more_spaces_than_a_request_may_be_are_refused() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    let spaces = format!("10000\r\n{}\r\n", " ".repeat(1 << 16));
    for (path, value) in [("/v3/watch", "{\"create_request\":{}}"), ("/v3/kv/put", "{\"key\":\"YQ==\"}")] {
        for (pieces, said) in [(60, "HTTP/1.1 200 "), (68, "HTTP/1.1 429 ")] {
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
            let value = format!("{:x}\r\n{value}\r\n0\r\n\r\n", value.len());
            let mut stream = TcpStream::connect(address).await.unwrap();
            soon(path, stream.write_all([head, spaces.repeat(pieces), value].concat().as_bytes()))
                .await
                .unwrap();
            let mut answer = [0; 13];
            soon(path, stream.read_exact(&mut answer)).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&answer), said, "{path}: {pieces} pieces of spaces");
        }
    }
}

#[tokio::test]
async fn half_bodies_of_many_take_no_more_than_their_room() {
    if !is_alone() {
        return;
    }
    let gate = with(Connections { header_timeout: Duration::from_secs(60), ..quick() }).await;
    let address = gate.server.local_addresses()[0];
    let before = memory();
    let mut open = Vec::new();
    for _ in 0..64 {
        let mut stream = begin(address, "/v3/kv/put", 2 << 20).await;
        let _ = stream.write_all(format!("{{\"key\":\"{}", "A".repeat(1 << 20)).as_bytes()).await;
        open.push(stream);
    }
    // Eight fit, as far as they have come; the others were told.
    let mut told = 0;
    for mut stream in open.drain(8..) {
        let mut answer = [0; 12];
        let said = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await;
        told += usize::from(matches!(said, Ok(Ok(_))) && &answer == b"HTTP/1.1 500");
    }
    assert!(told >= 48, "{told} were refused");
    println!("{} KiB more", memory().saturating_sub(before) >> 10);
    assert!(memory().saturating_sub(before) < CEILING, "{} bytes", memory() - before);
    drop(open);
    // Whoever gives up makes room.
    let room = async { while post(address, "/kv/put", "{\"key\":\"YQ==\"}").await.0 != 200 {} };
    soon("room", room).await;
}

#[tokio::test]
async fn many_that_say_nothing_are_cut_and_cost_little() {
    if !is_alone() {
        return;
    }
    let gate = with(quick()).await;
    let address = gate.server.local_addresses()[0];
    let before = memory();
    let mut open = Vec::new();
    for at in 0..500 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let beginning = ["", "POST /v3/kv/range HTTP/1.1\r\nhost: x\r\nx-a: ", "PRI * HTTP/2.0"][at % 3];
        stream.write_all(beginning.as_bytes()).await.unwrap();
        open.push(stream);
    }
    assert_eq!(post(address, "/kv/put", "{\"key\":\"YQ==\"}").await.0, 200, "others are served meanwhile");
    println!("{} KiB more", memory().saturating_sub(before) >> 10);
    assert!(memory().saturating_sub(before) < CEILING, "{} bytes", memory() - before);
    for stream in open {
        rest(stream).await;
    }
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let gate = one().await;
    let mut stream = TcpStream::connect(gate.server.local_addresses()[0]).await.unwrap();
    let mut head = "GET /health HTTP/1.1\r\nhost: x\r\n".to_string();
    for at in 0..1000 {
        head += &format!("x-{at}: y\r\n");
    }
    let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
    let said = rest(stream).await;
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
}

#[tokio::test]
async fn deep_json_is_refused() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    let nested = |depth: usize| {
        format!(
            "{}{}",
            "{\"success\":[{\"request_txn\":".repeat(depth),
            "{}".to_string() + &"}]}".repeat(depth)
        )
    };
    for (body, said) in [
        (nested(60), "proto: exceeded maximum recursion depth".to_string()),
        (nested(20_000), "exceeded max depth".into()),
        ("[".repeat(1 << 20), "exceeded max depth".into()),
        (format!("{{\"x\":{}", "[".repeat(1 << 20)), "exceeded max depth".into()),
        (nested(30), "etcdserver: too many operations in txn request".into()),
    ] {
        let answer = post(address, "/kv/txn", &body).await;
        assert_eq!(answer.0, 400);
        assert!(answer.1.contains(&said), "{}", &answer.1[..answer.1.len().min(300)]);
    }
    // What is unknown is passed over, however deep.
    let unknown = format!("{{\"x\":{}{},\"key\":\"YQ==\"}}", "[".repeat(9_000), "]".repeat(9_000));
    assert_eq!(post(address, "/kv/put", &unknown).await.0, 200);
}

#[tokio::test]
async fn more_requests_than_the_limit_are_refused_in_json_too() {
    let gate = with(Connections { requests: 1, ..Default::default() }).await;
    let address = gate.server.local_addresses()[0];
    let waits = begin(address, "/v3/kv/put", 10).await;
    let refused = async {
        loop {
            let answer = ask(address, "POST /v3/kv/put", &[], "{\"key\":\"YQ==\"}").await;
            if answer.status != 200 {
                return answer.body;
            }
        }
    };
    let said = soon("a refusal", refused).await;
    assert_eq!(
        said,
        "{\"error\":\"etcdserver: too many requests\",\"code\":2,\"message\":\"etcdserver: too many requests\"}"
    );
    drop(waits);
    let room = async { while post(address, "/kv/put", "{\"key\":\"YQ==\"}").await.0 != 200 {} };
    soon("room", room).await;
}

#[tokio::test]
async fn a_snapshot_in_json_needs_a_place_like_any_other() {
    let gate = with(Connections { snapshots: 1, ..Default::default() }).await;
    let address = gate.server.local_addresses()[0];
    let whole = post(address, "/maintenance/snapshot", "{}").await;
    assert_eq!(whole.0, 200, "{}", whole.1);
    let none = with(Connections { snapshots: 0, ..Default::default() }).await;
    let refused = post(none.server.local_addresses()[0], "/maintenance/snapshot", "{}").await;
    assert_eq!(refused.0, 429);
    let said = "too many snapshots are being read; ask again when one of them has come to its end";
    assert!(refused.1.contains(said) && refused.1.contains("\"code\":8"), "{}", refused.1);
}
