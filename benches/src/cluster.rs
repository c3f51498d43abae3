//! Nodes to measure, all in this process, over real sockets and real directories.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kvorum::{Client, Node};

/// Three members on loopback, each with a directory of its own, as a user would start them.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    dir: PathBuf,
}

impl Cluster {
    /// Starts three nodes and waits until all know their leader.
    pub(crate) fn three(dir: &Path) -> Cluster {
        let dir = dir.join("three");
        let _ = std::fs::remove_dir_all(&dir);
        let peers = addresses(3);
        let start = |id: u64| {
            let node = Node::builder().id(id).peers(peers.clone()).data_dir(dir.join(id.to_string()));
            node.start().expect("a node starts in an empty directory")
        };
        let cluster = Cluster { nodes: (1..=3).map(start).collect(), dir: dir.clone() };
        cluster.leader();
        cluster
    }

    /// A client of the leader's node.
    pub(crate) fn leader(&self) -> Client {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            let ready = |node: &&Node| node.status().is_leader();
            let knows = self.nodes.iter().all(|node| node.status().raft.leader != 0);
            if let Some(node) = self.nodes.iter().find(ready).filter(|_| knows) {
                return node.client();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("three nodes on one machine elect no leader within 30 s")
    }

    /// A client of a node that does not lead.
    pub(crate) fn follower(&self) -> Client {
        self.leader();
        let node = self.nodes.iter().find(|node| !node.status().is_leader());
        node.expect("one of three leads").client()
    }

    /// A client of each node.
    pub(crate) fn all(&self) -> Vec<Client> {
        self.nodes.iter().map(Node::client).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.clear();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// One node with a directory.
pub(crate) fn one(dir: &Path) -> Node {
    let node = Node::builder().data_dir(dir).start().expect("a node starts");
    let client = node.client();
    client.get("ready").wait().expect("a node alone leads at once");
    node
}

/// Addresses on loopback that nobody listens on at the moment.
pub(crate) fn addresses(count: u64) -> Vec<(u64, String)> {
    let listeners: Vec<_> =
        (1..=count).map(|id| (id, TcpListener::bind("127.0.0.1:0").expect("a port is free"))).collect();
    let address = |l: &TcpListener| l.local_addr().expect("it listens").to_string();
    listeners.iter().map(|(id, listener)| (*id, address(listener))).collect()
}

/// The key that every row uses: 20 bytes.
pub(crate) fn key(number: u64) -> String {
    format!("bench/key/{number:010}")
}

/// The value that every row uses: 256 bytes.
pub(crate) const VALUE: [u8; 256] = [b'v'; 256];
