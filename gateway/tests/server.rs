//! The server itself: addresses, connections, limits, and how it stops.

mod common;

use std::time::{Duration, Instant};

use common::{Gate, get, one, put, soon, three, until};
use kvorum::Node;
use kvorum::transports::MemoryNetwork;
use kvorum_gateway::pb::etcdserverpb as pb;
use kvorum_gateway::pb::v3lockpb::{LockRequest, lock_client::LockClient};
use kvorum_gateway::{Connections, Options, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Request, Status};

/// A member of three whose others are not there.
async fn without_a_leader() -> Gate {
    let network = MemoryNetwork::new();
    let node = Node::builder().id(1).peers([1, 2, 3].map(|id| (id, ""))).transport(network.transport());
    let node = node.heartbeat(Duration::from_millis(20)).election_timeout(Duration::from_millis(200));
    Gate::new(node.start().unwrap(), Options::default()).await
}

async fn with(connections: Connections) -> Gate {
    Gate::new(Node::builder().start().unwrap(), Options { connections, ..Options::default() }).await
}

fn requiring_leader<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("hasleader", "true".parse().unwrap());
    request
}

fn said(status: &Status) -> (Code, &str) {
    (status.code(), status.message())
}

/// A lock that is held, and a call that waits for it.
async fn waiting_lock(gate: &Gate) -> tokio::task::JoinHandle<Result<(), Status>> {
    let mut locks = LockClient::new(gate.channel.clone());
    for id in [1, 2] {
        gate.lease().lease_grant(pb::LeaseGrantRequest { ttl: 600, id }).await.unwrap();
    }
    locks.lock(LockRequest { name: "l".into(), lease: 1 }).await.unwrap();
    let waits =
        tokio::spawn(async move { locks.lock(LockRequest { name: "l".into(), lease: 2 }).await.map(|_| ()) });
    let queued = async { while gate.kv().range(get("l/2")).await.unwrap().into_inner().count == 0 {} };
    soon("a place in the queue", queued).await;
    waits
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused() {
    let gate = one().await;
    let listen = vec![gate.server.local_addresses()[0].to_string()];
    let error = serve(gate.node.client(), Options { listen, ..Options::default() }).await.unwrap_err();
    assert!(error.to_string().starts_with("listening on 127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn it_listens_at_every_address() {
    let node = Node::builder().start().unwrap();
    let listen = vec!["127.0.0.1:0".to_string(), "127.0.0.1:0".to_string()];
    let server = serve(node.client(), Options { listen, ..Options::default() }).await.unwrap();
    for address in server.local_addresses() {
        let channel = common::connect(&format!("http://{address}")).await;
        common::KvClient::new(channel).put(put("a", "")).await.unwrap();
    }
    assert_eq!(server.local_addresses().len(), 2);
}

#[tokio::test]
async fn plain_http_is_answered_on_the_same_port() {
    let gate = one().await;
    let mut stream = TcpStream::connect(gate.server.local_addresses()[0]).await.unwrap();
    stream.write_all(b"GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon("an answer", stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    gate.kv().put(put("a", "")).await.unwrap();
}

#[tokio::test]
async fn who_says_nothing_is_cut() {
    let gate = with(Connections { header_timeout: Duration::from_millis(200), ..Default::default() }).await;
    for beginning in ["", "PRI * HTTP/2.0", "GET / HTTP/1.1\r\nhost: x"] {
        let mut stream = TcpStream::connect(gate.server.local_addresses()[0]).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        // However it ends, it ends.
        let _ = soon(beginning, stream.read_to_end(&mut rest)).await;
    }
    let channel = gate.channel.clone();
    common::KvClient::new(channel).put(put("a", "")).await.unwrap();
}

#[tokio::test]
async fn more_connections_than_the_limit_wait_their_turn() {
    let gate = with(Connections { limit: 1, ..Default::default() }).await;
    gate.kv().put(put("a", "")).await.unwrap();
    let address = gate.server.local_addresses()[0];
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    let early = tokio::time::timeout(Duration::from_millis(200), second.read(&mut answer)).await;
    assert!(early.is_err(), "the second connection was served beside the first");
    let Gate { server: _server, channel, node: _node } = gate;
    drop(channel);
    soon("its turn", second.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
}

#[tokio::test]
async fn more_requests_than_the_limit_are_refused() {
    let gate = with(Connections { requests: 2, ..Default::default() }).await;
    let waits = waiting_lock(&gate).await;
    let mut locks = LockClient::new(gate.channel.clone());
    gate.lease().lease_grant(pb::LeaseGrantRequest { ttl: 600, id: 3 }).await.unwrap();
    let third =
        tokio::spawn(async move { locks.lock(LockRequest { name: "l".into(), lease: 3 }).await.map(|_| ()) });
    let node = gate.node.client();
    until("it waits, too", || node.get_local("l/3").unwrap().is_some()).await;
    let refused = gate.kv().put(put("a", "")).await.unwrap_err();
    assert_eq!(said(&refused), (Code::Unknown, "etcdserver: too many requests"));
    // Whoever gives up makes room.
    third.abort();
    waits.abort();
    let room = async { while gate.kv().put(put("a", "")).await.is_err() {} };
    soon("room", room).await;
}

#[tokio::test]
async fn who_requires_a_leader_is_refused_at_once_without_one() {
    let gate = without_a_leader().await;
    let started = Instant::now();
    let refused = gate.kv().put(requiring_leader(put("a", ""))).await.unwrap_err();
    assert_eq!(said(&refused), (Code::Unavailable, "etcdserver: no leader"));
    let nothing = futures_util::stream::pending::<pb::LeaseKeepAliveRequest>();
    let refused = gate.lease().lease_keep_alive(requiring_leader(nothing)).await.unwrap_err();
    assert_eq!(said(&refused), (Code::Unavailable, "etcdserver: no leader"));
    assert!(started.elapsed() < gate.node.client().config().request_timeout);
}

#[tokio::test]
async fn a_stream_that_requires_a_leader_ends_when_there_is_none_for_long() {
    let mut gates = three().await;
    let kept = gates.pop().unwrap();
    let nothing = futures_util::stream::pending::<pb::LeaseKeepAliveRequest>;
    let mut requires = kept.lease().lease_keep_alive(requiring_leader(nothing())).await.unwrap().into_inner();
    let mut patient = kept.lease().lease_keep_alive(nothing()).await.unwrap().into_inner();
    drop(gates);
    let ended = soon("the end of the stream", requires.message()).await.unwrap_err();
    assert_eq!(said(&ended), (Code::Unavailable, "etcdserver: no leader"));
    let goes_on = tokio::time::timeout(Duration::from_millis(50), patient.message()).await;
    assert!(goes_on.is_err(), "{goes_on:?}");
}

#[tokio::test]
async fn stopping_ends_streams_and_what_waits_for_others() {
    let gate = one().await;
    let waits = waiting_lock(&gate).await;
    let nothing = futures_util::stream::pending::<pb::LeaseKeepAliveRequest>();
    let mut stream = gate.lease().lease_keep_alive(nothing).await.unwrap().into_inner();
    let limit = Duration::from_secs(60);
    soon("the stop", gate.server.stop(limit)).await;
    let ended = stream.message().await.unwrap_err();
    assert_eq!(said(&ended), (Code::Unavailable, "etcdserver: server stopped"));
    let ended = waits.await.unwrap().unwrap_err();
    assert_eq!(said(&ended), (Code::Unavailable, "etcdserver: server stopped"));
}

#[tokio::test]
async fn stopping_waits_for_requests_but_not_longer_than_said() {
    let gate = without_a_leader().await;
    let mut kv = gate.kv();
    let waits = tokio::spawn(async move { kv.put(put("a", "")).await });
    let node = gate.node.client();
    // So does what the server says of itself to the others, which nobody waits for.
    until("the put waits", || node.status().raft.waiting > 1).await;
    let started = Instant::now();
    gate.server.stop(Duration::from_millis(300)).await;
    assert!(
        started.elapsed() >= Duration::from_millis(300),
        "a request that was under way was not waited for"
    );
    assert!(soon("the cut", waits).await.unwrap().is_err());
}

/// As when each worker is inside a long read: nobody but the one who waits gets anything done.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stopping_takes_no_longer_than_said_when_the_runtime_stands_still() {
    let gate = one().await;
    let ((begin, began), (end, ended)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let busy = tokio::spawn(async move {
        begin.send(()).unwrap();
        let _ = ended.recv_timeout(Duration::from_secs(10));
    });
    began.recv().unwrap();
    let started = Instant::now();
    gate.server.stop(Duration::from_millis(300)).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop(end);
    busy.await.unwrap();
}

#[tokio::test]
async fn a_stopped_server_takes_no_connections_and_its_node_goes_on() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    gate.server.stop(Duration::from_secs(60)).await;
    assert!(TcpStream::connect(address).await.is_err());
    gate.node.client().put("a", "").await.unwrap();
}

#[tokio::test]
async fn a_stopped_node_says_so() {
    let gate = one().await;
    drop(gate.node);
    let mut kv = common::KvClient::new(gate.channel);
    let refused = kv.put(put("a", "")).await.unwrap_err();
    assert_eq!(said(&refused), (Code::Unavailable, "etcdserver: server stopped"));
}
