//! etcd's v3 API over a kvorum [`Client`](kvorum_core::Client): gRPC and JSON on one port.
//!
//! What it does: it turns what etcd's clients say into requests of the core, and what comes back into etcd's answers,
//! down to codes and words. What it will never know: logs, disks, peers, raft.
#![forbid(unsafe_code)]

mod arriving;
mod auth;
pub mod backup;
mod begun;
mod bolt;
mod clock;
mod cluster;
mod codec;
mod convert;
mod door;
mod election;
mod errors;
mod first_bytes;
mod gateway;
mod gather;
mod half_closed;
mod hash;
mod health;
mod held;
mod kv;
mod lease;
mod leash;
mod leaving;
mod lock;
mod maintenance;
mod metrics;
mod observe;
mod options;
pub mod pb;
mod pieces;
mod publish;
mod queue;
mod serve;
mod snapshot;
mod taken;
mod walks;
mod watch;
mod web;
#[cfg(test)]
mod woken;

pub use gateway::ETCD_VERSION;
pub use metrics::SyncTimes;
pub use options::{Connections, Member, Options};
pub use publish::publish;
pub use serve::{Server, serve, serve_on};
