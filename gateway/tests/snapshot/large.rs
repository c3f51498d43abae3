//! How long a large store takes to be saved and imported, and how much memory: a measurement, to be asked for.
//!
//! ```text
//! cargo test --release -p kvorum-gateway --test snapshot -- --ignored --nocapture large
//! ```
//!
//! `KVORUM_LARGE`: how many keys (a million without it).

use std::fs::{self, File};
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use kvorum_gateway::pb::etcdserverpb as pb;
use tonic::transport::Channel;

use crate::common::{KvClient, MaintenanceClient, connect, put};
use crate::process::{Scratch, Server, alone, client_url, command};

/// In a transaction, and how many of those are under way at once.
const TOGETHER: usize = 128;
const WRITERS: usize = 16;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes and gigabytes"]
async fn a_large_store() {
    let keys = std::env::var("KVORUM_LARGE").map_or(1_000_000, |number| number.parse().unwrap());
    println!(
        "| versions of {keys} keys, 256 bytes each | file | saved in | server before, peak | imported in | peak | started in |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for versions in [1, 3] {
        row(keys, versions).await;
    }
}

async fn row(keys: usize, versions: usize) {
    let scratch = Scratch::new();
    let flags = [alone(&scratch), vec!["--quota-backend-bytes=-1".into()]].concat();
    let server = Server::ready(&flags);
    let channel = connect(&client_url(&flags)).await;
    for version in 0..versions {
        fill(&channel, keys, version).await;
    }
    let before = memory(server.id(), "VmRSS");
    // From here on, the peak counts anew.
    fs::write(format!("/proc/{}/clear_refs", server.id()), "5").unwrap();
    let path = scratch.path().join("file");
    let began = Instant::now();
    save(&channel, &path).await;
    let (saved, peak) = (began.elapsed(), memory(server.id(), "VmHWM"));
    server.stop();
    fs::remove_dir_all(scratch.path().join("alone")).unwrap();
    let words = [&["import".to_string(), path.display().to_string()], &flags[..]].concat();
    let began = Instant::now();
    let mut import = command(&words).stdout(Stdio::null()).spawn().unwrap();
    let mut import_peak = 0;
    while import.try_wait().unwrap().is_none() {
        import_peak = import_peak.max(memory(import.id(), "VmHWM"));
        // It is looked at, and not waited for.
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(import.wait().unwrap().success());
    let imported = began.elapsed();
    let began = Instant::now();
    let server = Server::ready(&flags);
    let started = began.elapsed();
    server.stop();
    let size = fs::metadata(&path).unwrap().len() >> 20;
    println!(
        "| {versions} | {size} MiB | {saved:.1?} | {before} MiB, {peak} MiB | {imported:.1?} | {import_peak} MiB | \
         {started:.1?} |"
    );
}

async fn fill(channel: &Channel, keys: usize, version: usize) {
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let mut kv = KvClient::new(channel.clone());
        writers.push(tokio::spawn(async move {
            let first = (0..keys).step_by(TOGETHER).skip(writer).step_by(WRITERS);
            for first in first {
                let one =
                    |i| pb::request_op::Request::RequestPut(put(&format!("key/{i:012}"), &value(i, version)));
                let success = (first..keys.min(first + TOGETHER)).map(one);
                let success = success.map(|request| pb::RequestOp { request: Some(request) }).collect();
                kv.txn(pb::TxnRequest { success, ..Default::default() }).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

fn value(i: usize, version: usize) -> String {
    format!("{:0256}", i * 10 + version)
}

async fn save(channel: &Channel, path: &std::path::Path) {
    let channel = channel.clone();
    let mut stream =
        MaintenanceClient::new(channel).snapshot(pb::SnapshotRequest {}).await.unwrap().into_inner();
    let mut file = File::create(path).unwrap();
    while let Some(piece) = stream.message().await.unwrap() {
        file.write_all(&piece.blob).unwrap();
    }
    file.sync_all().unwrap();
}

/// A line of what Linux says of a process's memory, in MiB; 0: it has just ended.
fn memory(process: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    found.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) >> 10
}
