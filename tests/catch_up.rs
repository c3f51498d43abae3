//! A member that was away comes back over TCP, and lacks more of the log than one message or a transport's queue holds.

#[path = "../gateway/tests/common/ports.rs"]
mod ports;

use std::path::Path;
use std::time::{Duration, Instant};

use kvorum::Node;
use kvorum::transports::{TcpHandle, TcpOptions, TcpTransport};

/// More than the transport's 64 MiB for a message and for its queue; less than the log that is kept for one that is
/// behind.
const VALUES: usize = 110;
const VALUE_BYTES: usize = 1 << 20;

fn start(id: u64, addresses: &[String], data: &Path) -> (Node, TcpHandle) {
    let peers = || (1..).zip(addresses.iter().cloned());
    let own = &addresses[id as usize - 1];
    let others = peers().filter(|(peer, _)| *peer != id).collect();
    let transport = TcpTransport::with_options(own, others, TcpOptions::default());
    let handle = transport.handle();
    let node = Node::builder().id(id).peers(peers()).data_dir(data.join(id.to_string()));
    (node.transport(transport).start().unwrap(), handle)
}

#[test]
fn a_member_that_lacks_more_than_a_queue_holds_catches_up_and_little_is_sent_in_vain() {
    let data = std::env::temp_dir().join(format!("kvorum-catch-up-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&data);
    let addresses: Vec<String> = (0..3).map(|_| format!("127.0.0.1:{}", ports::free_port())).collect();
    let mut nodes: Vec<_> = (1..=3).map(|id| start(id, &addresses, &data)).collect();
    nodes[0].0.client().put("here", "").wait().unwrap();
    drop(nodes.pop());
    for i in 0..VALUES {
        nodes[0].0.client().put(format!("key/{i}"), vec![i as u8; VALUE_BYTES]).wait().unwrap();
    }
    let sent = || nodes[0].1.peers_status()[&3].sent_bytes + nodes[1].1.peers_status()[&3].sent_bytes;
    let (before, began) = (sent(), Instant::now());
    let back = start(3, &addresses, &data);
    while back.0.client().get(format!("key/{}", VALUES - 1)).wait().is_err() {
        assert!(began.elapsed() < Duration::from_secs(120), "it does not catch up");
    }
    let (sent, lacked) = (sent() - before, (VALUES * VALUE_BYTES) as u64);
    println!("{lacked} bytes behind, caught up in {:?}, for {sent} bytes", began.elapsed());
    // Some of what lies behind a full queue is sent twice; were the oldest dropped, it would be twenty times.
    assert!(sent < 6 * lacked, "{sent} bytes were sent to bring over {lacked}");
    drop((back, nodes));
    std::fs::remove_dir_all(data).unwrap();
}
