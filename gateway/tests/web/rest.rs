//! Requests that are answered before they have come to their end: the answer arrives at clients that only look for it
//! when they have written everything, and whoever never comes to an end is cut.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kvorum_gateway::Connections;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{one, soon};
use crate::http::post;
use crate::limits::{begin, quick, rest, with};

/// The body of a put with a value of 20 MB: far more than sockets hold.
fn large() -> String {
    format!("{{\"key\":\"YQ==\",\"value\":\"{}\"}}", "eHh4".repeat(6_666_667))
}

/// Writes everything, and reads only then. Both have to succeed.
async fn write_then_read(to: SocketAddr, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let request = [head.as_bytes(), b"\r\nhost: x\r\n\r\n", body].concat();
    soon(head, stream.write_all(&request)).await.unwrap_or_else(|error| panic!("{head}: {error}"));
    let mut answer = String::new();
    soon(head, stream.read_to_string(&mut answer)).await.unwrap_or_else(|e| panic!("{head}: {e}"));
    answer
}

/// A body in pieces, whose length nobody says.
fn chunked(body: &str) -> Vec<u8> {
    let mut chunks = Vec::new();
    for chunk in body.as_bytes().chunks(1 << 16) {
        chunks.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunks.extend_from_slice(chunk);
        chunks.extend_from_slice(b"\r\n");
    }
    [&chunks[..], b"0\r\n\r\n"].concat()
}

#[tokio::test]
async fn whoever_writes_all_of_it_first_gets_the_answer() {
    let gate = one().await;
    let (address, body) = (gate.server.local_addresses()[0], large());
    let length = body.len();
    let too_large =
        |size| format!("\"message\":\"grpc: received message larger than max ({size} vs. 2097152)\"");
    for (what, status, said) in [
        // As far as it is known how long it is, that is said.
        ("POST /v3/kv/put", "429 ", too_large(length.to_string())),
        ("POST /v3/watch", "429 ", too_large(length.to_string())),
        ("POST /v3/nothing", "404 ", "\"message\":\"Not Found\"".into()),
        ("PUT /v3/kv/put", "501 ", "\"message\":\"Method Not Allowed\"".into()),
        ("POST /nothing", "404 ", "404 page not found".into()),
        ("POST /metrics", "200 ", "etcd_server_has_leader 1".into()),
        ("OPTIONS /v3/kv/put", "200 ", "connection: close".into()),
    ] {
        let head = format!("{what} HTTP/1.1\r\ncontent-length: {length}");
        let answer = write_then_read(address, &head, body.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer}");
        assert!(answer.contains(&said) && answer.contains("connection: close\r\n"), "{what}: {answer}");
    }
    let head = "POST /v3/kv/put HTTP/1.1\r\ntransfer-encoding: chunked";
    let answer = write_then_read(address, head, &chunked(&body)).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.contains("grpc: received message larger than max ("), "{answer}");
}

/// Once refused, nobody sends what was asked for: the next request would be taken for it.
#[tokio::test]
async fn whoever_asks_before_sending_in_vain_is_told_not_to() {
    let gate = with(quick()).await;
    for (path, length, said) in
        [("/v3/kv/put", 20_000_000, "(20000000 vs. 2097152)"), ("/v3/nothing", 10, "Not Found")]
    {
        let mut stream = TcpStream::connect(gate.server.local_addresses()[0]).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 4") && answer.contains(said), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn whoever_asks_before_sending_little_is_told_to() {
    let gate = one().await;
    let mut stream = TcpStream::connect(gate.server.local_addresses()[0]).await.unwrap();
    let head = "POST /v3/kv/put HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 14\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut told = [0; 25];
    soon("the word", stream.read_exact(&mut told)).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{\"key\":\"YQ==\"}").await.unwrap();
    let mut answer = [0; 15];
    soon("the answer", stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn whoever_never_comes_to_an_end_is_cut() {
    let gate = with(quick()).await;
    let address = gate.server.local_addresses()[0];
    for path in ["/v3/kv/put", "/v3/nothing", "/nothing"] {
        let (mut reading, mut writing) = begin(address, path, 1 << 40).await.into_split();
        let mut answer = [0; 12];
        soon("the answer", reading.read_exact(&mut answer)).await.unwrap();
        let trickle = async {
            while writing.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon("the cut", trickle).await;
    }
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_the_rest() {
    let gate = with(Connections::default()).await;
    let mut stream = begin(gate.server.local_addresses()[0], "/v3/nothing", 1 << 40).await;
    let mut answer = [0; 12];
    soon("the answer", stream.read_exact(&mut answer)).await.unwrap();
    soon("the end", gate.server.stop(Duration::from_secs(3600))).await;
    rest(stream).await;
}

#[tokio::test]
async fn whoever_sent_little_may_go_on() {
    let gate = one().await;
    let mut stream = TcpStream::connect(gate.server.local_addresses()[0]).await.unwrap();
    for (path, said) in [
        ("/v3/kv/put", "\"etcdserver: key is not provided\"}"),
        ("/v3/nothing", "\"Not Found\"}"),
        ("/nothing", "404 page not found\n"),
        ("/v3/kv/put", "\"etcdserver: key is not provided\"}"),
    ] {
        let request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(said.as_bytes()) {
            answer.push(soon(path, stream.read_u8()).await.unwrap());
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 4") && !answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_chunk_whose_length_is_no_number_is_the_clients_mistake() {
    let gate = one().await;
    let head = "POST /v3/kv/put HTTP/1.1\r\ntransfer-encoding: chunked";
    for length in ["zz", "ffffffffffffffffff"] {
        let body = format!("{length}\r\n{{\"key\":\"YQ==\"}}\r\n0\r\n\r\n");
        let answer = write_then_read(gate.server.local_addresses()[0], head, body.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("\"code\":3"), "{answer}");
    }
}

#[tokio::test]
async fn over_http2_the_answer_arrives_and_the_connection_stays() {
    let gate = one().await;
    let (address, body) = (gate.server.local_addresses()[0], large());
    let length = body.len();
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let client = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
    let (mut client, connection) = client.await.unwrap();
    let connection = tokio::spawn(connection);
    for (path, body, status, said) in [
        ("/v3/kv/put", body.clone(), 429, format!("larger than max ({length} vs. 2097152)")),
        ("/v3/nothing", body, 404, "Not Found".into()),
        ("/v3/kv/put", "{\"key\":\"YQ==\"}".into(), 200, "revision".into()),
    ] {
        let request = http::Request::post(format!("http://{address}{path}"));
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answer = soon(path, client.send_request(request)).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let body = soon(path, answer.into_body().collect()).await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(body.contains(&said), "{path}: {body}");
    }
    drop(client);
    soon("the end", connection).await.unwrap().unwrap();
    assert_eq!(post(address, "/kv/put", "{\"key\":\"YQ==\"}").await.0, 200);
}
