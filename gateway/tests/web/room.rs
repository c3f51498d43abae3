//! The room for what waits for its rest is shared by all: nobody keeps a part of it for longer than there is something to
//! wait for.

use std::net::SocketAddr;
use std::time::Duration;

use kvorum_gateway::Connections;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{soon, until};
use crate::http::post;
use crate::limits::{begin, rest, with};

/// There is room for one of what is sent here, and not for two.
const ROOM: usize = 1 << 20;

fn connections(header_timeout: Duration) -> Connections {
    Connections { header_timeout, body_bytes: ROOM, ..Connections::default() }
}

/// A clock that nobody waits for here.
const NEVER: Duration = Duration::from_secs(3600);

/// The rest of an object that takes more than half of the room. Nobody knows its field.
fn long(end: &str) -> String {
    format!("\"x\":\"{}\"{end}", "A".repeat(ROOM / 3 * 2))
}

/// Whether there is room for one more.
async fn is_room(address: SocketAddr) -> bool {
    let (status, said) = post(address, "/kv/put", &format!("{{\"key\":\"cm9vbQ==\",{}", long("}"))).await;
    assert!(status == 200 || said.contains("etcdserver: too many requests"), "{status} {said}");
    status == 200
}

/// Reads on until this was said so often.
async fn hear(stream: &mut TcpStream, what: &str, times: usize) -> String {
    let mut heard = String::new();
    while heard.matches(what).count() < times {
        let mut bytes = [0; 1 << 10];
        let size = soon(what, stream.read(&mut bytes)).await.unwrap();
        assert!(size > 0, "the end, behind {heard}");
        heard += &String::from_utf8_lossy(&bytes[..size]);
    }
    heard
}

#[tokio::test]
async fn half_a_value_is_not_waited_for_for_ever_and_the_next_one_is() {
    let gate = with(connections(Duration::from_millis(300))).await;
    let address = gate.server.local_addresses()[0];
    let mut silent = begin(address, "/v3/watch", 1000).await;
    silent.write_all(b" {\"create_request\":{\"key\":\"YQ==\"}} \n").await.unwrap();
    hear(&mut silent, "\"created\":true", 1).await;
    let half = format!("{{{}", long(""));
    for (path, beginning, said) in [
        ("/v3/watch", "{", "HTTP/1.1 504 "),
        ("/v3/lease/keepalive", " {\"ID\":1", "HTTP/1.1 504 "),
        ("/v3/watch", &half, "HTTP/1.1 504 "),
        ("/v3/watch", "{\"create_request\":{}} {\"create", "{\"error\":{\"grpc_code\":4,\"http_code\":504,"),
        ("/v3/lease/keepalive", "{\"ID\":1}{", "{\"error\":{\"grpc_code\":4,\"http_code\":504,"),
    ] {
        let mut stream = begin(address, path, ROOM).await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let heard = rest(stream).await;
        let late = "\"message\":\"the body took too long to come\"";
        assert!(heard.contains(said) && heard.contains(late), "{path} {heard}");
    }
    assert!(is_room(address).await);
    silent.write_all(b"{\"create_request\":{\"key\":\"Yg==\"}}").await.unwrap();
    hear(&mut silent, "\"created\":true", 1).await;
}

#[tokio::test]
async fn what_was_said_on_a_stream_takes_no_room_when_it_was_heard() {
    let gate = with(connections(NEVER)).await;
    let address = gate.server.local_addresses()[0];
    let watch = format!("{{\"create_request\":{{}},{}", long("}"));
    let renewal = format!("{{\"ID\":1,{}", long("}"));
    let mut open = Vec::new();
    for (path, value, said) in
        [("/v3/watch", watch, "\"created\":true"), ("/v3/lease/keepalive", renewal, "\"ID\":\"1\"")]
    {
        for behind in ["", " ", "{"] {
            let mut stream = begin(address, path, 4 * ROOM).await;
            for at in 1..=2 {
                let value = if at == 1 { value.clone() } else { format!("{value}{behind}") };
                soon(path, stream.write_all(value.as_bytes())).await.unwrap();
                hear(&mut stream, said, 1).await;
            }
            open.push(stream);
            assert!(is_room(address).await, "{path} {behind:?}");
        }
    }
}

#[tokio::test]
async fn whoever_waits_for_a_turn_takes_no_more_room_than_a_name() {
    let gate = with(connections(NEVER)).await;
    let address = gate.server.local_addresses()[0];
    let (_, lock) = post(address, "/lock/lock", "{\"name\":\"bA==\"}").await;
    assert_eq!(post(address, "/election/campaign", "{\"name\":\"ZQ==\"}").await.0, 200);
    let value = "A".repeat(ROOM / 3 * 2);
    let mut open = Vec::new();
    for (path, body) in [
        ("/v3/lock/lock", format!("{{\"name\":\"bA==\",{}", long("}"))),
        ("/v3/election/campaign", format!("{{\"name\":\"ZQ==\",\"value\":\"{value}\"}}")),
        ("/v3/election/observe", format!("{{\"name\":\"bm9ib2R5\",{}", long("}"))),
    ] {
        let mut stream = begin(address, path, body.len()).await;
        soon(path, stream.write_all(body.as_bytes())).await.unwrap();
        open.push(stream);
        until(path, || gate.node.status().sizes.watchers == open.len() as u64).await;
        assert!(is_room(address).await, "{path}");
    }
    // What locked it says its key, and is understood when it is said back.
    let (status, said) = post(address, "/lock/unlock", &lock).await;
    assert_eq!(status, 200, "{said}");
    hear(&mut open[0], "HTTP/1.1 200 ", 1).await;
}
