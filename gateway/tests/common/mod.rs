//! Gateways to talk to: one node or three, in this process and in memory.
#![allow(dead_code)]

pub(crate) mod memory;

use std::time::{Duration, Instant};

use kvorum::Node;
use kvorum::transports::MemoryNetwork;
use kvorum_gateway::pb::etcdserverpb as pb;
use kvorum_gateway::{Options, Server, serve};
use tonic::transport::{Channel, Endpoint};

pub(crate) use pb::kv_client::KvClient;
pub(crate) use pb::lease_client::LeaseClient;
pub(crate) use pb::maintenance_client::MaintenanceClient;

/// A node with its server. Dropped, both stop.
pub(crate) struct Gate {
    pub(crate) server: Server,
    pub(crate) channel: Channel,
    pub(crate) node: Node,
}

impl Gate {
    pub(crate) async fn new(node: Node, options: Options) -> Gate {
        let options = Options { listen: vec!["127.0.0.1:0".into()], ..options };
        let server = serve(node.client(), options).await.unwrap();
        let channel = connect(&format!("http://{}", server.local_addresses()[0])).await;
        Gate { server, channel, node }
    }

    pub(crate) fn kv(&self) -> KvClient<Channel> {
        KvClient::new(self.channel.clone())
    }

    pub(crate) fn lease(&self) -> LeaseClient<Channel> {
        LeaseClient::new(self.channel.clone())
    }

    pub(crate) fn maintenance(&self) -> MaintenanceClient<Channel> {
        MaintenanceClient::new(self.channel.clone())
    }
}

pub(crate) async fn connect(url: &str) -> Channel {
    Endpoint::from_shared(url.to_string()).unwrap().connect().await.unwrap()
}

/// One node.
pub(crate) async fn one() -> Gate {
    Gate::new(Node::builder().start().unwrap(), Options::default()).await
}

/// Three nodes, each with a gateway, that have a leader: it comes first.
pub(crate) async fn three() -> Vec<Gate> {
    let network = MemoryNetwork::new();
    let peers = [1, 2, 3].map(|id| (id, ""));
    let mut gates = Vec::new();
    for (id, _) in peers {
        let node = Node::builder().id(id).peers(peers).transport(network.transport());
        let node = node.heartbeat(Duration::from_millis(20)).election_timeout(Duration::from_millis(200));
        gates.push(Gate::new(node.start().unwrap(), Options::default()).await);
    }
    let knows = |gate: &Gate| gate.node.status().raft.leader != 0;
    until("all know a leader", || gates.iter().all(knows)).await;
    until("there is a leader", || gates.iter().any(|gate| gate.node.status().is_leader())).await;
    gates.sort_by_key(|gate| !gate.node.status().is_leader());
    gates
}

/// Waits for something, but not for ever.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for an answer, but not for ever.
pub(crate) async fn soon<T>(what: &str, answer: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

pub(crate) fn put(key: &str, value: &str) -> pb::PutRequest {
    pb::PutRequest { key: key.to_string().into(), value: value.to_string().into(), ..Default::default() }
}

pub(crate) fn get(key: &str) -> pb::RangeRequest {
    pb::RangeRequest { key: key.to_string().into(), ..Default::default() }
}

pub(crate) fn everything() -> pb::RangeRequest {
    pb::RangeRequest { key: "\0".into(), range_end: "\0".into(), ..Default::default() }
}

/// Compares line by line, and shows all that differ.
pub(crate) fn compare(expected: &[String], said: &[String]) {
    let mut wrong = String::new();
    for at in 0..expected.len().max(said.len()) {
        let [expected, said] = [expected, said].map(|lines| lines.get(at).map_or("", |line| line));
        if expected != said {
            wrong += &format!("  etcd: {expected}\n  said: {said}\n\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
