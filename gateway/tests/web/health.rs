//! What a member says of itself when things are not well, and gRPC's own health checks.

use std::time::Duration;

use kvorum::Node;
use kvorum::transports::MemoryNetwork;
use kvorum_gateway::Options;
use kvorum_gateway::pb::health::health_check_response::ServingStatus;
use kvorum_gateway::pb::health::{HealthCheckRequest, health_client::HealthClient};
use tonic::Code;

use crate::common::{Gate, one, soon};
use crate::http::get;

/// A member of three whose others are not there.
pub(crate) async fn alone() -> Gate {
    let network = MemoryNetwork::new();
    let node = Node::builder().id(1).peers([1, 2, 3].map(|id| (id, ""))).transport(network.transport());
    let node = node.heartbeat(Duration::from_millis(20)).election_timeout(Duration::from_millis(100));
    let node = node.tune(|config| config.request_timeout = Duration::from_millis(300));
    Gate::new(node.start().unwrap(), Options::default()).await
}

#[tokio::test]
async fn without_a_leader_a_member_is_live_but_not_ready() {
    let gate = alone().await;
    let address = gate.server.local_addresses()[0];
    let said = get(address, "/health").await;
    assert_eq!(
        (said.status, &said.body[..]),
        (503, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n")
    );
    let said = get(address, "/health?serializable=true").await;
    assert_eq!((said.status, &said.body[..]), (200, "{\"health\":\"true\",\"reason\":\"\"}"));
    assert_eq!(get(address, "/livez").await.status, 200);
    let said = get(address, "/readyz").await;
    let lines: Vec<&str> = said.body.lines().collect();
    assert_eq!(said.status, 503);
    assert_eq!(lines[..2], ["[+]data_corruption ok", "[+]serializable_read ok"]);
    assert!(lines[2].starts_with("[-]linearizable_read failed: etcdserver: "), "{}", lines[2]);
    assert_eq!(lines[3..], ["[+]non_learner ok", ""]);
    let said = get(address, "/readyz?exclude=linearizable_read").await;
    assert_eq!((said.status, &said.body[..]), (200, "ok\n"));
}

#[tokio::test]
async fn a_node_that_ended_is_neither_live_nor_ready() {
    let gate = one().await;
    drop(gate.node);
    let address = gate.server.local_addresses()[0];
    assert_eq!(get(address, "/health").await.status, 503);
    assert_eq!(get(address, "/livez").await.status, 503);
    let said = get(address, "/readyz").await;
    assert_eq!(said.status, 503);
    assert!(said.body.contains("[-]linearizable_read failed: etcdserver: server stopped\n"), "{}", said.body);
}

#[tokio::test]
async fn grpcs_own_checks() {
    let gate = one().await;
    let mut health = HealthClient::new(gate.channel.clone());
    let all = HealthCheckRequest::default();
    let other = HealthCheckRequest { service: "etcdserverpb.KV".into() };
    assert_eq!(health.check(all.clone()).await.unwrap().into_inner().status(), ServingStatus::Serving);
    let unknown = health.check(other.clone()).await.unwrap_err();
    assert_eq!((unknown.code(), unknown.message()), (Code::NotFound, "unknown service"));
    let mut watch = health.watch(other).await.unwrap().into_inner();
    let first = soon("a status", watch.message()).await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    let mut watch = health.watch(all).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    soon("the stop", gate.server.stop(Duration::from_secs(60))).await;
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable);
}
