//! How members of a kvorum cluster reach each other.
//!
//! [`TcpTransport`] joins them over a network, with plain threads and sockets; what goes over the line is
//! drawn, byte by byte, in `FORMAT.md` beside this crate. [`MemoryTransport`] joins nodes in one process.
//! Both may lose messages, as the [`kvorum_core::transport::Transport`] trait allows; neither changes them or
//! mixes them up.
//!
//! Limits: there is no TLS yet. Whoever reaches the port and knows the cluster's number is believed to be
//! the member that it says it is: keep the port on a private network.
#![forbid(unsafe_code)]

mod accept;
mod dial;
mod fault;
mod frame;
mod hello;
mod image_in;
mod image_out;
mod memory;
mod options;
mod peer;
mod queue;
mod reader;
mod report;
mod shared;
mod socket;
mod tcp;
mod writer;

pub use hello::OTHER_CLUSTER;
pub use memory::{MemoryNetwork, MemoryTransport};
pub use options::{MAX_FRAME, TcpOptions};
pub use peer::PeerStatus;
pub use tcp::{TcpHandle, TcpTransport};
