//! etcd's v3 API over a kvorum [`Client`](kvorum_core::Client): gRPC and JSON on one port.
//!
//! What it does: it turns what etcd's clients say into requests of the core, and what comes back into etcd's answers,
//! down to codes and words. What it will never know: logs, disks, peers, raft.
#![forbid(unsafe_code)]
