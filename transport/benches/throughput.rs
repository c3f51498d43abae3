//! How much one connection carries, over loopback, both ends in this process. A plain program:
//! `cargo bench -p kvorum-transport`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kvorum_core::transport::{Envelope, Inbox, Incoming, Local, RaftMessage, Transport, WireEntry};
use kvorum_transport::TcpTransport;
use prost::Message;

fn main() {
    println!("{:<28} {:>8} {:>12} {:>10}", "message", "bytes", "messages/s", "MB/s");
    run("heartbeat", 3_000_000, 4096, &message(0, 0));
    run("1 entry of 256 B", 2_000_000, 4096, &message(1, 256));
    run("64 entries of 256 B", 100_000, 1024, &message(64, 256));
    run("1 entry of 64 KiB", 50_000, 256, &message(1, 64 << 10));
    run("1 entry of 1 MiB", 5_000, 16, &message(1, 1 << 20));
    run("1 entry of 16 MiB", 300, 3, &message(1, 16 << 20));
}

fn message(entries: u64, size: usize) -> Envelope {
    let data = Bytes::from(vec![7; size]);
    let entry = |index| WireEntry { index, term: 3, kind: 0, data: data.clone() };
    let raft = RaftMessage {
        kind: 3,
        term: 3,
        log_term: 3,
        index: 1_000_000,
        commit: 999_999,
        entries: (0..entries).map(|n| entry(1_000_000 + n)).collect(),
        ..RaftMessage::default()
    };
    Envelope { cluster: 7, from: 1, to: 2, directory: 9, incarnation: 1, body: Some(raft.into()) }
}

/// Sends `count` copies with at most `window` under way, so that the queue never drops one.
fn run(name: &str, count: u64, window: u64, envelope: &Envelope) {
    let received = Arc::new(AtomicU64::new(0));
    let (mut sender, _receiver) = pair(&received);
    let start = Instant::now();
    for n in 0..count {
        while n - received.load(Ordering::Acquire) >= window {
            thread::yield_now();
        }
        sender.send(envelope.clone());
    }
    while received.load(Ordering::Acquire) < count {
        thread::yield_now();
    }
    let seconds = start.elapsed().as_secs_f64();
    let size = envelope.encoded_len();
    let per_second = count as f64 / seconds;
    println!("{name:<28} {size:>8} {per_second:>12.0} {:>10.0}", per_second * size as f64 / 1e6);
}

/// Two transports, the first connected to the second, which counts what comes.
fn pair(received: &Arc<AtomicU64>) -> (TcpTransport, TcpTransport) {
    let mut receiver = TcpTransport::new("127.0.0.1:0", BTreeMap::from([(1, "127.0.0.1:1".into())]));
    let count = Arc::clone(received);
    let inbox = Inbox::new(move |incoming| {
        count.fetch_add(u64::from(matches!(incoming, Incoming::Message(_))), Ordering::Release);
        true
    });
    receiver.start(Local { cluster: 7, node: 2, incarnation: 1 }, inbox).expect("start");
    let address = receiver.local_addr().expect("started").to_string();
    let mut sender = TcpTransport::new("127.0.0.1:0", BTreeMap::from([(2, address)]));
    sender.start(Local { cluster: 7, node: 1, incarnation: 1 }, Inbox::new(|_| true)).expect("start");
    while !sender.peers_status()[&2].connected {
        thread::sleep(Duration::from_millis(1));
    }
    (sender, receiver)
}
