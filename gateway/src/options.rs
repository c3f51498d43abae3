//! What a server is told at its start. What it will never know: the limits on requests, which are the node's own
//! ([`kvorum_core::config::Limits`]): the gateway asks the node for them.

use std::sync::Arc;
use std::time::Duration;

use kvorum_core::ids::NodeId;

use crate::metrics::SyncTimes;

/// How a server behaves. The defaults are etcd's where etcd has the option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where to listen for clients, each `host:port`; port 0: any that is free, see
    /// [`Server::local_addresses`](crate::Server::local_addresses). Default: `127.0.0.1:2379`.
    pub listen: Vec<String>,
    /// This member's name, as clients see it, where `members` does not say it. Default: `default`.
    pub name: String,
    /// The cluster's members, as clients are told. Each member tells the others its own name and client URLs as they
    /// stand here, and then that is what all say of it: nobody needs to know the others' client URLs. Members that are
    /// not here are known by what they tell. Default: none.
    pub members: Vec<Member>,
    /// How often a watch that asks for it says how far it is when nothing happens. Default: 10 min.
    pub progress_interval: Duration,
    /// Whether `/metrics` also says how long calls took (etcd's `--metrics extensive`). Default: no.
    pub extensive_metrics: bool,
    /// How long the node's storage takes, for `/metrics`, if somebody counts it. Default: nobody does.
    pub sync_times: Option<Arc<SyncTimes>>,
    /// What connections may do.
    pub connections: Connections,
}

/// What clients are told of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Which node it is.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Where the other members reach it: URLs.
    pub peer_urls: Vec<String>,
    /// Where clients reach it: URLs.
    pub client_urls: Vec<String>,
}

/// What connections may do, and how they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// How many there may be at each address; a further one waits until it is accepted. Default: 16,384.
    pub limit: usize,
    /// How many requests may be under way on all of them together; streams count until they begin to answer. More
    /// are refused with etcd's "too many requests". Default: 100,000.
    pub requests: usize,
    /// How many streams (requests, watches) one HTTP/2 connection may have. Default: no limit, as in etcd.
    pub streams: u32,
    /// How many watches one stream may have; further ones are refused. Default: 1,000,000.
    pub watches: usize,
    /// How many bytes of requests may wait for the rest, over all connections together, as JSON and as half messages over
    /// gRPC; who brings more is refused with etcd's "too many requests". What was said in JSON counts with the size of its
    /// message until it is answered, or with its name while it waits to be elected; on a stream, until it was heard.
    /// As many again may be what streams keep until they end: gRPC's of messages over 16 KiB (each of its longest), and
    /// keys of watches with more than 128 bytes (twice).
    /// Default: 256 MiB.
    pub body_bytes: usize,
    /// How many bytes of answers may wait for clients to take them, over all connections together. While there are more,
    /// ranges, transactions, and over gRPC watch streams and snapshots, are refused with etcd's "too many requests"; what was begun goes
    /// on, and so do other writes and leases. Default: 1 GiB.
    pub answer_bytes: usize,
    /// How long a client may take for the first bytes of a connection, for the headers of an HTTP/1 request, for the body
    /// of a request that is no stream, and for the rest of a message on one that is. An HTTP/1 connection may be idle for
    /// as long, too, and what comes of a body behind its answer (to be passed over, 64 MiB at most) may take as long.
    /// Default: 30 s.
    pub header_timeout: Duration,
    /// How many snapshots may be open at once, being read by their clients; further ones are refused with
    /// ResourceExhausted. Each remembers some 16 bytes for every version below the last compaction, until it is read or
    /// given up. Default: 4.
    pub snapshots: usize,
    /// For how long a client that saves a snapshot may take nothing of it: as long as one is open, what compactions free
    /// stays in memory. A client that writes to a disk which stands still for minutes is well; one that is forgotten in a
    /// debugger is not. Default: 5 min.
    pub snapshot_timeout: Duration,
    /// Bytes that one stream may send ahead of what was read. Default: 512 KiB.
    pub stream_window: u32,
    /// Bytes that one connection may send ahead of what was read, over all its streams. It also bounds how many small
    /// messages may lie there: each that is sent by itself counts as 256 bytes less its own length, and when that comes to
    /// half of this, the connection is cut (`too_many_data_frames`), with everything on it. At 80 times `stream_window`,
    /// no single stream of messages of 7 bytes and more, each sent by itself, can come to that: there are no shorter ones
    /// that ask for something. A connection may then hold about twice as much memory as this. Default: 40 MiB.
    pub connection_window: u32,
    /// How long an HTTP/2 connection may be silent before it is pinged. Default: 2 h.
    pub ping_interval: Duration,
    /// How long the answer to a ping may take before the connection is cut. Default: 20 s.
    pub ping_timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: vec!["127.0.0.1:2379".into()],
            name: "default".into(),
            members: Vec::new(),
            progress_interval: Duration::from_secs(600),
            extensive_metrics: false,
            sync_times: None,
            connections: Connections::default(),
        }
    }
}

impl Default for Connections {
    fn default() -> Connections {
        Connections {
            limit: 16_384,
            requests: 100_000,
            streams: u32::MAX,
            watches: 1_000_000,
            body_bytes: 256 << 20,
            answer_bytes: 1 << 30,
            header_timeout: Duration::from_secs(30),
            snapshots: 4,
            snapshot_timeout: Duration::from_secs(300),
            stream_window: 512 << 10,
            connection_window: 40 << 20,
            ping_interval: Duration::from_secs(2 * 60 * 60),
            ping_timeout: Duration::from_secs(20),
        }
    }
}
