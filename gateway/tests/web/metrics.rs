//! `/metrics`: every number says what happened.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use kvorum::Node;
use kvorum_gateway::{Options, SyncTimes};

use crate::common::{Gate, one, put, soon};
use crate::http::{Lines, ask, get, post};

/// Every line's value by its name and labels.
async fn metrics(address: SocketAddr) -> BTreeMap<String, f64> {
    let page = get(address, "/metrics").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let lines = page.body.lines().filter(|line| !line.starts_with('#'));
    let value = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_string(), value.parse().unwrap())
    };
    lines.map(value).collect()
}

/// What changed from one look to the next.
fn grown(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let grown = after.iter().map(|(name, value)| (name.clone(), value - before.get(name).unwrap_or(&0.0)));
    let is_the_process = |name: &str| name.starts_with("process_") || name.starts_with("os_");
    grown.filter(|(name, by)| *by != 0.0 && !is_the_process(name)).collect()
}

#[tokio::test]
async fn they_say_how_things_stand() {
    let gate = one().await;
    let said = metrics(gate.server.local_addresses()[0]).await;
    for (name, value) in [
        ("etcd_server_has_leader", 1.0),
        ("etcd_server_is_leader", 1.0),
        ("etcd_server_is_learner", 0.0),
        ("etcd_server_leader_changes_seen_total", 1.0),
        ("etcd_server_proposals_failed_total", 0.0),
        ("etcd_server_proposals_pending", 0.0),
        ("etcd_debugging_mvcc_current_revision", 1.0),
        ("etcd_debugging_mvcc_compact_revision", -1.0),
        ("etcd_cluster_version{cluster_version=\"3.5\"}", 1.0),
        ("etcd_server_version{server_version=\"3.5.30\"}", 1.0),
    ] {
        assert_eq!(said.get(name), Some(&value), "{name}");
    }
    if cfg!(target_os = "linux") {
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
            assert!(said[name] >= 0.0, "{name}");
        }
    }
}

#[tokio::test]
async fn they_count_what_is_done() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    let before = metrics(address).await;
    gate.kv().put(put("key", "value")).await.unwrap();
    post(address, "/kv/put", "{\"key\":\"Zm9v\",\"value\":\"YmFy\"}").await;
    post(address, "/kv/range", "{\"key\":\"Zm9v\"}").await;
    post(address, "/kv/range", "{}").await;
    post(address, "/kv/deleterange", "{\"key\":\"Zm9v\"}").await;
    post(address, "/kv/txn", "{\"success\":[{\"request_put\":{\"key\":\"Zm9v\"}}]}").await;
    post(address, "/lease/grant", "{\"ID\":5,\"TTL\":60}").await;
    post(address, "/lease/keepalive", "{\"ID\":5}").await;
    post(address, "/kv/compaction", "{\"revision\":3}").await;
    get(address, "/health").await;
    get(address, "/livez").await;
    let mut watch = Lines::open(address, "POST /v3/watch", &[], "{\"create_request\":{}}", false).await;
    watch.next(Duration::from_secs(20)).await.unwrap();
    let by = grown(&before, &metrics(address).await);
    let kv = |method: &str| {
        format!("{{grpc_method=\"{method}\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}}")
    };
    let handled = |code: &str| {
        format!(
            "grpc_server_handled_total{{grpc_code=\"{code}\",grpc_method=\"Range\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}}"
        )
    };
    for (name, value) in [
        ("etcd_mvcc_put_total".to_string(), 3.0),
        ("etcd_debugging_mvcc_total_put_size_in_bytes".into(), 17.0),
        ("etcd_mvcc_delete_total".into(), 1.0),
        ("etcd_mvcc_txn_total".into(), 1.0),
        // The range, and the reads of the two looks at health.
        ("etcd_mvcc_range_total".into(), 3.0),
        ("etcd_debugging_mvcc_keys_total".into(), 2.0),
        ("etcd_debugging_mvcc_current_revision".into(), 4.0),
        ("etcd_debugging_mvcc_compact_revision".into(), 4.0),
        ("etcd_debugging_lease_granted_total".into(), 1.0),
        ("etcd_debugging_lease_renewed_total".into(), 1.0),
        ("kvorum_leases".into(), 1.0),
        ("etcd_debugging_mvcc_watcher_total".into(), 1.0),
        ("etcd_debugging_mvcc_watch_stream_total".into(), 1.0),
        ("etcd_server_health_success".into(), 1.0),
        ("etcd_server_healthcheck{name=\"serializable_read\",type=\"livez\"}".into(), 1.0),
        (format!("grpc_server_started_total{}", kv("Put")), 2.0),
        (format!("grpc_server_started_total{}", kv("Range")), 2.0),
        (handled("OK"), 1.0),
        (handled("InvalidArgument"), 1.0),
    ] {
        assert_eq!(by.get(&name), Some(&value), "{name}: {by:#?}");
    }
    drop(watch);
    let closed = async { while metrics(address).await["etcd_debugging_mvcc_watch_stream_total"] > 0.0 {} };
    soon("the end of the watch", closed).await;
}

#[tokio::test]
async fn without_a_leader_writes_are_seen_to_wait_and_to_fail() {
    let gate = crate::health::alone().await;
    let address = gate.server.local_addresses()[0];
    let mut kv = gate.kv();
    let put = tokio::spawn(async move { kv.put(put("a", "")).await });
    let pending = async { while metrics(address).await["etcd_server_proposals_pending"] < 1.0 {} };
    soon("the write", pending).await;
    assert!(soon("its end", put).await.unwrap().is_err());
    // It is shown at the end of the node's turn, a moment after the answer.
    let shown = async { while metrics(address).await["etcd_server_proposals_failed_total"] < 1.0 {} };
    soon("the count", shown).await;
    let said = metrics(address).await;
    for (name, value) in [
        ("etcd_server_has_leader", 0.0),
        ("etcd_server_is_leader", 0.0),
        ("etcd_server_leader_changes_seen_total", 0.0),
        ("etcd_server_proposals_failed_total", 1.0),
        ("etcd_server_proposals_pending", 0.0),
    ] {
        assert_eq!(said.get(name), Some(&value), "{name}");
    }
}

#[tokio::test]
async fn every_member_counts_what_it_applies_and_whom_it_saw_lead() {
    let gates = crate::common::three().await;
    gates[0].kv().put(put("a", "b")).await.unwrap();
    gates[1]
        .lease()
        .lease_grant(kvorum_gateway::pb::etcdserverpb::LeaseGrantRequest { ttl: 60, id: 7 })
        .await
        .unwrap();
    for gate in &gates {
        let stats = || gate.node.client().stats();
        crate::common::until("it is applied", || stats().applied.leases_granted == 1).await;
        assert_eq!((stats().applied.puts, stats().applied.put_bytes), (1, 2));
        assert!(stats().leaders_seen >= 1);
    }
}

#[tokio::test]
async fn a_call_that_its_client_gives_up_is_counted_as_canceled() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    for id in [1, 2] {
        post(address, "/lease/grant", &format!("{{\"ID\":{id},\"TTL\":600}}")).await;
    }
    post(address, "/lock/lock", "{\"name\":\"bA==\",\"lease\":1}").await;
    let waits =
        Lines::open(address, "POST /v3/lock/lock", &[], "{\"name\":\"bA==\",\"lease\":2}", false).await;
    let node = gate.node.client();
    crate::common::until("it waits", || node.get_local("l/2").unwrap().is_some()).await;
    drop(waits);
    let name = "grpc_server_handled_total{grpc_code=\"Canceled\",grpc_method=\"Lock\",grpc_service=\"v3lockpb.Lock\",grpc_type=\"unary\"}";
    let canceled = async { while metrics(address).await.get(name) != Some(&1.0) {} };
    soon("the count", canceled).await;
    // And its place in the queue is free again.
    crate::common::until("its place is free", || node.get_local("l/2").unwrap().is_none()).await;
}

#[tokio::test]
async fn times_of_calls_and_of_the_disk_are_there_if_asked_for() {
    let sync_times = Some(Arc::<SyncTimes>::default());
    sync_times.iter().for_each(|times| times.add(Duration::from_millis(3), 512));
    let options = Options { extensive_metrics: true, sync_times, ..Options::default() };
    let gate = Gate::new(Node::builder().start().unwrap(), options).await;
    gate.kv().put(put("a", "")).await.unwrap();
    let said = metrics(gate.server.local_addresses()[0]).await;
    let labels = "grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"";
    for (name, value) in [
        (format!("grpc_server_handling_seconds_count{{{labels}}}"), 1.0),
        (format!("grpc_server_handling_seconds_bucket{{{labels},le=\"+Inf\"}}"), 1.0),
        ("etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.002\"}".into(), 0.0),
        ("etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.004\"}".into(), 1.0),
        ("etcd_disk_wal_fsync_duration_seconds_count".into(), 1.0),
        ("etcd_disk_wal_write_bytes_total".into(), 512.0),
    ] {
        assert_eq!(said.get(&name), Some(&value), "{name}");
    }
}

#[tokio::test]
async fn a_listener_for_metrics_answers_nothing_else() {
    let mut gate = one().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    gate.server.serve_metrics_on(vec![listener]).unwrap();
    for path in ["/metrics", "/health", "/livez", "/readyz?verbose"] {
        assert_eq!(get(address, path).await.status, 200, "{path}");
    }
    for line in ["GET /version", "POST /v3/kv/range"] {
        assert_eq!(ask(address, line, &[], "{}").await.status, 404, "{line}");
    }
    let channel = crate::common::connect(&format!("http://{address}")).await;
    let refused = crate::common::KvClient::new(channel).put(put("a", "")).await;
    assert!(refused.is_err() && gate.node.client().get_local("a").unwrap().is_none());
    soon("the stop", gate.server.stop(Duration::from_secs(60))).await;
    assert!(std::net::TcpStream::connect(address).is_err(), "it still listens");
}
