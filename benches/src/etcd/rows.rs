//! What is asked of both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kvorum_gateway::pb::etcdserverpb as pb;
use pb::compare::{CompareResult, CompareTarget, TargetUnion};
use pb::request_op::Request;

use crate::client::Client;
use crate::json::{self, Json};
use crate::load::{CONNECTIONS, IN_FLIGHT, Round, connect, drive};
use crate::servers::Servers;

/// Keys that puts and reads share.
pub(crate) const KEYS: u64 = 100_000;

/// Watches of one key, for what an event to all of them costs.
const FAN: usize = 1000;

/// Every row, in the order in which they are measured: what fills the store comes first.
pub(crate) const ROWS: &[&str] = &[
    "puts",
    "linearizable reads",
    "local reads",
    "mixed, 4 reads to a put",
    "txns (compare, put)",
    "ranges of 1000",
    "lease grant and revoke",
    "one put at a time",
    "one read at a time",
    "watch fan-out, events",
    "JSON puts",
    "JSON reads",
];

/// The values that are written: 256 bytes.
const VALUE: Bytes = Bytes::from_static(&[b'v'; 256]);

fn key(number: u64) -> Bytes {
    nth_key(number.wrapping_mul(7919) % KEYS)
}

fn nth_key(number: u64) -> Bytes {
    format!("bench/key/{number:010}").into()
}

fn of_key(key: Bytes) -> pb::RangeRequest {
    pb::RangeRequest { key, ..pb::RangeRequest::default() }
}

async fn put(client: Client, number: u64) {
    client.put(key(number), VALUE).await.expect("a put");
}

async fn read(client: Client, number: u64) {
    client.range(of_key(key(number))).await.expect("a read");
}

async fn read_locally(client: Client, number: u64) {
    let request = pb::RangeRequest { serializable: true, ..of_key(key(number)) };
    client.range(request).await.expect("a local read");
}

async fn mix(client: Client, number: u64) {
    if number.is_multiple_of(5) { put(client, number / 5).await } else { read(client, number).await }
}

/// If the key is what it may be: write it. Otherwise: read it.
async fn txn(client: Client, number: u64) {
    let key = key(number);
    let compare = pb::Compare {
        result: CompareResult::Greater as i32,
        target: CompareTarget::Version as i32,
        key: key.clone(),
        target_union: Some(TargetUnion::Version(-1)),
        ..pb::Compare::default()
    };
    let put = pb::PutRequest { key: key.clone(), value: VALUE, ..pb::PutRequest::default() };
    let op = |request| vec![pb::RequestOp { request: Some(request) }];
    let (success, failure) = (op(Request::RequestPut(put)), op(Request::RequestRange(of_key(key))));
    let succeeded = client.txn(pb::TxnRequest { compare: vec![compare], success, failure }).await;
    assert!(succeeded.expect("a transaction"), "every version is above -1");
}

async fn range(client: Client, number: u64) {
    let from = number.wrapping_mul(7919) % (KEYS - 1000);
    let request = pb::RangeRequest { range_end: nth_key(from + 1000), ..of_key(nth_key(from)) };
    assert_eq!(client.range(request).await.expect("a range"), 1000, "all keys are there");
}

async fn lease(client: Client, _: u64) {
    client.lease().await.expect("a lease and its end");
}

async fn put_json(client: Json, number: u64) {
    client.put(&key(number), &VALUE).await;
}

async fn read_json(client: Json, number: u64) {
    client.range(&key(number)).await;
}

/// Writes every key once.
pub(crate) async fn fill(servers: &Servers) {
    let clients = connect(servers).await;
    let next = Arc::new(AtomicU64::new(0));
    let fill = |task: usize| {
        let (client, next) = (clients[task % clients.len()].clone(), next.clone());
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= KEYS {
                    return;
                }
                put(client.clone(), number).await;
            }
        })
    };
    for task in (0..IN_FLIGHT).map(fill).collect::<Vec<_>>() {
        task.await.expect("a client's task");
    }
}

/// One round of one row.
pub(crate) async fn round(row: &str, servers: &Servers, time: Duration) -> Round {
    let clients = connect(servers).await;
    let (all, few) = (IN_FLIGHT, IN_FLIGHT / 8);
    match row {
        "puts" => drive(servers, &clients, all, time, put).await,
        "linearizable reads" => drive(servers, &clients, all, time, read).await,
        "local reads" => drive(servers, &clients, all, time, read_locally).await,
        "mixed, 4 reads to a put" => drive(servers, &clients, all, time, mix).await,
        "txns (compare, put)" => drive(servers, &clients, all, time, txn).await,
        "ranges of 1000" => drive(servers, &clients, few, time, range).await,
        "lease grant and revoke" => drive(servers, &clients, all, time, lease).await,
        "one put at a time" => drive(servers, &clients, 1, time, put).await,
        "one read at a time" => drive(servers, &clients, 1, time, read).await,
        "watch fan-out, events" => fan_out(servers, clients, time).await,
        "JSON puts" => drive(servers, &json::connect(servers).await, json::CONNECTIONS, time, put_json).await,
        "JSON reads" => {
            drive(servers, &json::connect(servers).await, json::CONNECTIONS, time, read_json).await
        }
        other => panic!("there is no row {other}"),
    }
}

/// A thousand watches of one key on sixteen streams, and one writer of it, who waits until all have seen each write.
async fn fan_out(servers: &Servers, clients: Vec<Client>, time: Duration) -> Round {
    let (seen, mut watching) = (Arc::new(AtomicU64::new(0)), Vec::new());
    let ready = Arc::new(AtomicU64::new(0));
    let per_stream = FAN / CONNECTIONS;
    for client in &clients {
        let (client, seen, ready) = (client.clone(), seen.clone(), ready.clone());
        watching.push(tokio::spawn(async move {
            let mut stream = client.watches("fan".into()).await.expect("a stream");
            for _ in 1..per_stream {
                stream.watch("fan".into()).await;
            }
            loop {
                let said = stream.next().await;
                ready.fetch_add(u64::from(said.created), Ordering::Relaxed);
                seen.fetch_add(said.events.len() as u64, Ordering::Relaxed);
            }
        }));
    }
    let watches = (per_stream * CONNECTIONS) as u64;
    until(|| ready.load(Ordering::Relaxed) == watches).await;
    let (writer, mut took) = (clients[0].clone(), Vec::new());
    let (begun, used) = (Instant::now(), servers.cpu());
    while begun.elapsed() < time {
        let written = Instant::now();
        writer.put("fan".into(), VALUE).await.expect("a put");
        let wanted = watches * (took.len() as u64 + 1);
        until(|| seen.load(Ordering::Relaxed) >= wanted).await;
        took.push(written.elapsed().as_micros() as u32);
    }
    let (seconds, used) = (begun.elapsed().as_secs_f64(), servers.cpu() - used);
    watching.iter().for_each(tokio::task::JoinHandle::abort);
    took.sort_unstable();
    let events = took.len() as f64 * watches as f64;
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or(0) as f64 / 1e3;
    Round {
        per_second: events / seconds,
        cpu: used.as_secs_f64() * 1e6 / events,
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        memory: servers.memory().resident,
    }
}

async fn until(is_true: impl Fn() -> bool) {
    while !is_true() {
        tokio::task::yield_now().await;
    }
}
