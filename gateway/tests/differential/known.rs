//! The rows of `DIFFERENCES.md`: that each is known here, and that those are true which the random requests leave out
//! and no other test shows. What it will never know: whether there should be such rows.

use std::time::Duration;

use kvorum_gateway::pb::etcdserverpb as pb;
use pb::maintenance_client::MaintenanceClient;
use pb::request_op::Request as Op;
use pb::watch_client::WatchClient;
use pb::watch_request::RequestUnion;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use crate::common::{KvClient, get, put, soon};
use crate::{common, etcd};

/// Each with where it is left out or shown.
const ROWS: [(&str, &str); 30] = [
    ("quota in a status", "masks.rs"),
    ("size in a status", "masks.rs"),
    ("over the quota from the start", "tests/kvorumd/serving.rs"),
    ("corruption alarm", "requests.rs: alarm()"),
    ("alarms of members", "requests.rs: alarm()"),
    ("space and branches", "txns.rs: txn(); tests/odd"),
    ("space and long leases", "requests.rs: grant()"),
    ("order of leases", "masks.rs: mask()"),
    ("progress and compaction", "follow.rs: note(); below"),
    ("progress and the future", "watches.rs: AHEAD; below"),
    ("numbers of ended watches", "follow.rs: note(); watches.rs: next()"),
    ("order of equals", "world.rs: KEYS; requests.rs: range()"),
    ("deleting and keeping", "txns.rs: op(); below"),
    ("deleting, putting and compacting", "txns.rs: op(); below"),
    ("unknown targets and alarms", "tests/odd/crashes.rs"),
    ("hashes at a compaction", "tests/snapshot"),
    ("hashes after `compact 0`", "below"),
    ("hash of everything", "tests/web/golden.rs"),
    ("downgrades", "tests/odd"),
    ("snapshots that nobody reads", "tests/snapshot/stalled.rs"),
    ("snapshots at once", "tests/snapshot/stalled.rs"),
    ("nested transactions", "tests/kv.rs"),
    ("half a message, over JSON half a value on a stream", "tests/messages.rs; tests/web/room.rs"),
    ("answers that nobody takes", "tests/messages.rs"),
    ("revision of a hash", "nothing here asks for hashes"),
    ("parcels of events", "follow.rs: Said"),
    ("keys of a lease", "src/lease.rs; nothing here hangs so many on one"),
    ("calls that end early", "src/queue.rs; nothing here gives up"),
    ("campaigns without a place", "tests/services.rs; nothing here campaigns"),
    ("ranges in pieces", "tests/kv.rs; nothing here asks for them"),
];

/// How long etcd is given to say nothing.
const SILENCE: Duration = Duration::from_millis(500);

#[test]
fn every_row_of_the_table_is_known_here() {
    let table = include_str!("../../DIFFERENCES.md").split("\n## ").find(|part| part.starts_with("Requests"));
    let lines = table.unwrap().lines();
    let rows: Vec<&str> = lines.filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    assert_eq!(rows[1..], ROWS.map(|(row, _)| row));
}

/// A stream whose watches are asked for one by one.
struct Stream {
    asks: mpsc::UnboundedSender<pb::WatchRequest>,
    answers: Streaming<pb::WatchResponse>,
}

impl Stream {
    async fn watch(channel: &Channel, start_revision: i64) -> Stream {
        let (asks, receiver) = mpsc::unbounded_channel();
        let create = pb::WatchCreateRequest { key: "k".into(), start_revision, ..Default::default() };
        let request_union = Some(RequestUnion::CreateRequest(create));
        asks.send(pb::WatchRequest { request_union }).unwrap();
        let opened = WatchClient::new(channel.clone()).watch(UnboundedReceiverStream::new(receiver)).await;
        let mut stream = Stream { asks, answers: opened.unwrap().into_inner() };
        assert!(stream.next().await.created);
        stream
    }

    async fn next(&mut self) -> pb::WatchResponse {
        soon("an answer", self.answers.message()).await.unwrap().unwrap()
    }

    async fn tells_progress(&mut self) -> bool {
        let request_union = Some(RequestUnion::ProgressRequest(pb::WatchProgressRequest {}));
        self.asks.send(pb::WatchRequest { request_union }).unwrap();
        tokio::time::timeout(SILENCE, self.answers.message()).await.is_ok()
    }
}

async fn write(channel: &Channel, value: &str) {
    KvClient::new(channel.clone()).put(put("k", value)).await.unwrap();
}

#[tokio::test]
async fn etcd_tells_no_progress_before_every_watch_has_begun_and_we_do() {
    let etcd = match etcd::start().await {
        Ok(etcd) => etcd,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let gate = common::one().await;
    for (channel, tells) in [(&etcd.channel, false), (&gate.channel, true)] {
        let mut stream = Stream::watch(channel, 100).await;
        assert_eq!(stream.tells_progress().await, tells);
    }
}

#[tokio::test]
async fn etcd_tells_no_progress_behind_a_compacted_watch_and_we_do() {
    let etcd = match etcd::start().await {
        Ok(etcd) => etcd,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let gate = common::one().await;
    for (channel, tells) in [(&etcd.channel, false), (&gate.channel, true)] {
        for value in ["1", "2", "3"] {
            write(channel, value).await;
        }
        let compaction = pb::CompactionRequest { revision: 4, physical: true };
        KvClient::new(channel.clone()).compact(compaction).await.unwrap();
        let mut stream = Stream::watch(channel, 0).await;
        assert!(stream.tells_progress().await, "one that is there");
        let early = pb::WatchCreateRequest { key: "k".into(), start_revision: 2, ..Default::default() };
        let request_union = Some(RequestUnion::CreateRequest(early));
        stream.asks.send(pb::WatchRequest { request_union }).unwrap();
        while stream.next().await.compact_revision == 0 {}
        assert_eq!(stream.tells_progress().await, tells);
    }
}

async fn hash(channel: &Channel, revision: i64) -> u32 {
    let hash = MaintenanceClient::new(channel.clone()).hash_kv(pb::HashKvRequest { revision }).await;
    hash.unwrap().into_inner().hash
}

#[tokio::test]
async fn etcd_answers_an_old_hash_after_a_compaction_at_0_and_we_do_not() {
    let etcd = match etcd::start().await {
        Ok(etcd) => etcd,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let gate = common::one().await;
    let mut at_3 = Vec::new();
    for (channel, stays) in [(&etcd.channel, true), (&gate.channel, false)] {
        write(channel, "1").await;
        KvClient::new(channel.clone()).compact(pb::CompactionRequest::default()).await.unwrap();
        let before = hash(channel, 0).await;
        write(channel, "2").await;
        assert_eq!(hash(channel, 0).await == before, stays);
        assert_ne!(hash(channel, 3).await, before, "with a revision, it is what is there");
        at_3.push(hash(channel, 3).await);
    }
    assert_eq!(at_3[0], at_3[1]);
}

/// Deletes `k` and everything behind it, and then puts `k2`, whose value was just deleted.
async fn delete_and_keep(channel: &Channel) -> Result<(), Status> {
    let mut kv = KvClient::new(channel.clone());
    kv.put(put("k1", "v")).await?;
    kv.put(put("k2", "v")).await?;
    let delete = pb::DeleteRangeRequest { key: "k".into(), range_end: b"\0"[..].into(), prev_kv: false };
    let keep = pb::PutRequest { ignore_value: true, ..put("k2", "") };
    let ops = [Op::RequestDeleteRange(delete), Op::RequestPut(keep)];
    let success = ops.map(|op| pb::RequestOp { request: Some(op) }).to_vec();
    kv.txn(pb::TxnRequest { success, ..Default::default() }).await.map(drop)
}

#[tokio::test]
async fn a_deleted_value_that_is_to_be_kept_brings_etcd_down_and_is_empty_here() {
    let gate = common::one().await;
    delete_and_keep(&gate.channel).await.unwrap();
    let there = gate.kv().range(common::everything()).await.unwrap().into_inner();
    let values: Vec<(&[u8], &[u8])> = there.kvs.iter().map(|kv| (&kv.key[..], &kv.value[..])).collect();
    assert_eq!(values, [(&b"k2"[..], &b""[..])]);
    let etcd = match etcd::start().await {
        Ok(etcd) => etcd,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let gone = soon("an end", delete_and_keep(&etcd.channel)).await.unwrap_err();
    assert!(matches!(gone.code(), Code::Unavailable | Code::Unknown | Code::Internal), "{gone:?}");
    let again = soon("an answer", KvClient::new(etcd.channel.clone()).range(get("k1"))).await;
    assert!(again.is_err(), "it does not come back: {again:?}");
}

#[tokio::test]
async fn etcd_loses_what_is_put_where_it_was_deleted_when_that_is_compacted_and_we_do_not() {
    let etcd = match etcd::start().await {
        Ok(etcd) => etcd,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let gate = common::one().await;
    let read = async |channel: &Channel| {
        let mut kv = KvClient::new(channel.clone());
        kv.put(put("k", "old")).await.unwrap();
        let delete = pb::DeleteRangeRequest { key: "k".into(), range_end: b"\0"[..].into(), prev_kv: false };
        let ops = [Op::RequestDeleteRange(delete), Op::RequestPut(put("k", "new"))];
        let success = ops.map(|op| pb::RequestOp { request: Some(op) }).to_vec();
        let txn = kv.txn(pb::TxnRequest { success, ..Default::default() }).await.unwrap().into_inner();
        let revision = txn.header.unwrap().revision;
        kv.compact(pb::CompactionRequest { revision, physical: true }).await.unwrap();
        soon("an answer", kv.range(get("k"))).await
    };
    assert_eq!(read(&gate.channel).await.unwrap().into_inner().kvs[0].value, "new");
    assert!(read(&etcd.channel).await.is_err(), "etcd finds it again: its row can go");
}
