//! A snapshot that is begun and not read holds what compactions free, but not for ever.

use std::time::Duration;

use kvorum::Node;
use kvorum_gateway::pb::etcdserverpb as pb;
use kvorum_gateway::{Connections, Options};
use tonic::transport::Endpoint;
use tonic::{Code, Status, Streaming};

use crate::common::{Gate, MaintenanceClient, put, soon};

/// How many values of 64 KiB there are: more than windows and buffers hold.
const VALUES: usize = 64;

async fn gate(snapshot_timeout: Duration) -> Gate {
    gate_for(2, snapshot_timeout).await
}

async fn gate_for(snapshots: usize, snapshot_timeout: Duration) -> Gate {
    let connections = Connections { snapshots, snapshot_timeout, ..Connections::default() };
    let options = Options { connections, ..Options::default() };
    let gate = Gate::new(Node::builder().start().unwrap(), options).await;
    for at in 0..VALUES {
        gate.kv().put(put(&format!("{at}"), &"x".repeat(64 << 10))).await.unwrap();
    }
    gate
}

/// Begins a snapshot over a connection with small windows, and reads the first piece.
async fn begin(gate: &Gate) -> Streaming<pb::SnapshotResponse> {
    let endpoint = Endpoint::from_shared(format!("http://{}", gate.server.local_addresses()[0])).unwrap();
    let channel = endpoint.initial_stream_window_size(1 << 16).initial_connection_window_size(1 << 16);
    let mut client = MaintenanceClient::new(channel.connect().await.unwrap());
    let mut stream = client.snapshot(pb::SnapshotRequest {}).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    stream
}

/// Asks for one, and what it is told at once.
async fn asked(gate: &Gate) -> Result<Streaming<pb::SnapshotResponse>, Status> {
    soon("an answer", gate.maintenance().snapshot(pb::SnapshotRequest {})).await.map(|said| said.into_inner())
}

/// A compaction that is answered when what it freed is free.
async fn compact(gate: &Gate) -> Result<(), Status> {
    let revision = gate.kv().put(put("0", "y")).await?.into_inner().header.unwrap().revision;
    gate.kv().compact(pb::CompactionRequest { revision, physical: true }).await.map(|_| ())
}

#[tokio::test]
async fn a_client_that_stands_still_is_let_go_of() {
    let gate = gate(Duration::from_millis(300)).await;
    let mut stream = begin(&gate).await;
    soon("what was freed", compact(&gate)).await.unwrap();
    let error = async {
        loop {
            match stream.message().await {
                Ok(piece) => assert!(piece.is_some(), "it came to its end"),
                Err(error) => return error,
            }
        }
    };
    let error = soon("the end", error).await;
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert_eq!(error.message(), "nothing of the snapshot was taken for 300ms; it is not kept any longer");
}

/// It holds what is freed as long as it is open, and no longer.
#[tokio::test]
async fn a_client_that_gives_up_is_let_go_of() {
    let gate = gate(Duration::MAX).await;
    let stream = begin(&gate).await;
    let mut compacting = std::pin::pin!(compact(&gate));
    let early = tokio::time::timeout(Duration::from_millis(500), compacting.as_mut()).await;
    assert!(early.is_err(), "{early:?}");
    drop(stream);
    soon("what was freed", compacting).await.unwrap();
}

#[tokio::test]
async fn a_client_that_is_slow_gets_all_of_it() {
    let gate = gate(Duration::from_secs(2)).await;
    let mut stream = begin(&gate).await;
    let (mut pieces, mut last) = (1, None);
    while let Some(piece) = stream.message().await.unwrap() {
        last = Some(piece.remaining_bytes);
        pieces += 1;
        // Longer than the limit, taken together.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert!(pieces > VALUES && last == Some(0), "{pieces}");
}

#[tokio::test]
async fn no_more_are_open_at_once_than_there_are_places() {
    let gate = gate_for(2, Duration::MAX).await;
    let [mut read, given_up] = [begin(&gate).await, begin(&gate).await];
    let refused = asked(&gate).await.map(|_| ()).unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (
            Code::ResourceExhausted,
            "too many snapshots are being read; ask again when one of them has come to its end"
        )
    );
    // One that has come to its end has no place any more; nor has one that is dropped.
    while read.message().await.unwrap().is_some() {}
    let again = asked(&gate).await.unwrap();
    assert!(asked(&gate).await.is_err());
    drop(given_up);
    let another = async {
        loop {
            if let Ok(stream) = asked(&gate).await {
                return stream;
            }
        }
    };
    let another = soon("the place of the one that was given up", another).await;
    drop((again, another));
}

#[tokio::test]
async fn one_that_is_let_go_of_has_no_place_any_more() {
    let gate = gate_for(1, Duration::from_millis(300)).await;
    let stalled = begin(&gate).await;
    let another = async { while asked(&gate).await.is_err() {} };
    soon("the place of the one that stands still", another).await;
    drop(stalled);
}
