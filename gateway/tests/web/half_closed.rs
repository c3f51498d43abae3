//! Clients that say that they have nothing more to say, and wait for their answer all the same, as `nc -N` does.

use std::time::Duration;

use kvorum::Node;
use kvorum::request::RangeRequest;
use kvorum_gateway::{Connections, Options, serve_on};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::common::{Gate, soon, until};
use crate::http::post;
use crate::limits::{begin, rest, with};

const LONG: Duration = Duration::from_secs(20);

fn request(line: &str, body: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A gate that waits for nobody's rest within the time of a test.
async fn patient() -> Gate {
    with(Connections { header_timeout: Duration::from_secs(3600), ..Default::default() }).await
}

/// The server finds the request and the end behind it at once: nothing is left to chance.
#[tokio::test]
async fn whoever_has_nothing_more_to_say_gets_an_answer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let put = request("POST /v3/kv/put", "{\"key\":\"YQ==\",\"value\":\"Yg==\"}");
    let chunked = "POST /v3/kv/put HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
                   7\r\n{\"key\":\r\n7\r\n\"YQ==\"}\r\n0\r\n\r\n";
    let mut asked = Vec::new();
    for (written, answers) in [
        (put.clone(), 1),
        (put.repeat(5), 5),
        (put.replace("host: x", "host: x\r\nconnection: close"), 1),
        (chunked.into(), 1),
        (request("POST /v3/kv/range", "{\"key\":\"YQ==\"}"), 1),
        (request("GET /health", ""), 1),
        (request("GET /health", "hello"), 1),
        (request("GET /health", "hello").replace(": 5", ": 50"), 1),
        (request("GET /readyz", "hello").repeat(2), 2),
        ("GET /version HTTP/1.1\r\n\r\n".into(), 1),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(written.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        asked.push((stream, written, answers));
    }
    let node = Node::builder().start().unwrap();
    node.client().put("a", "").await.unwrap();
    let server = serve_on(node.client(), vec![listener], Options::default()).await.unwrap();
    for (stream, written, answers) in asked {
        let said = rest(stream).await;
        assert_eq!(said.matches("HTTP/1.1 200 OK\r\n").count(), answers, "{written}\n{said}");
    }
    server.stop(LONG).await;
}

/// A page that waits for what does not come: the end is surely seen before there is an answer.
#[tokio::test]
async fn a_page_that_takes_its_time_is_answered_all_the_same() {
    let gate = crate::health::alone().await;
    let whole = request("GET /readyz", "hello");
    for written in [whole.replace(": 5", ": 50"), whole] {
        let mut stream = TcpStream::connect(gate.server.local_addresses()[0]).await.unwrap();
        stream.write_all(written.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let said = rest(stream).await;
        assert!(
            said.starts_with("HTTP/1.1 503 ") && said.contains("linearizable_read failed"),
            "{written}\n{said}"
        );
    }
}

#[tokio::test]
async fn what_may_last_for_ever_ends_with_its_client() {
    let gate = patient().await;
    let address = gate.server.local_addresses()[0];
    let node = gate.node.client();
    let mut watch = TcpStream::connect(address).await.unwrap();
    let body = "{\"create_request\":{\"key\":\"YQ==\"}}";
    watch.write_all(request("POST /v3/watch", body).as_bytes()).await.unwrap();
    until("it watches", || node.status().sizes.watchers == 1).await;
    watch.shutdown().await.unwrap();
    rest(watch).await;
    until("nobody watches", || node.status().sizes.watchers == 0).await;

    assert_eq!(post(address, "/lock/lock", "{\"name\":\"bA==\"}").await.0, 200);
    let mut waits = TcpStream::connect(address).await.unwrap();
    waits.write_all(request("POST /v3/lock/lock", "{\"name\":\"bA==\"}").as_bytes()).await.unwrap();
    let places = async |count: usize| {
        while node.range(RangeRequest::prefix("l/")).await.unwrap().kvs.len() != count {}
    };
    soon("a place", places(2)).await;
    waits.shutdown().await.unwrap();
    assert_eq!(rest(waits).await, "");
    soon("the place is left", places(1)).await;
}

#[tokio::test]
async fn half_a_request_is_not_waited_for() {
    let gate = patient().await;
    let address = gate.server.local_addresses()[0];
    for path in ["/v3/kv/put", "/v3/watch"] {
        let mut stream = begin(address, path, 10).await;
        stream.write_all(b"{\"key\"").await.unwrap();
        stream.shutdown().await.unwrap();
        let said = rest(stream).await;
        assert!(!said.contains(" 200 OK"), "{said}");
    }
}
