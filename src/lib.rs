//! kvorum: an etcd that lives inside your Rust service.
//!
//! A replicated key-value store with history, transactions, watches, leases, locks and elections, agreed on
//! by Raft, in your process, with no async runtime required.
//!
//! ```
//! use kvorum::Node;
//!
//! fn main() -> kvorum::Result<()> {
//!     let node = Node::builder().start()?; // one node, in memory
//!     let store = node.client();
//!     store.put("greeting", "hello").wait()?; // or .await, on any runtime
//!     let greeting = store.get("greeting").wait()?.expect("it was just written");
//!     assert_eq!(&greeting.value[..], b"hello");
//!     Ok(())
//! }
//! ```
//!
//! Three durable nodes differ in what the builder is told, and in nothing else:
//!
//! ```no_run
//! # fn main() -> kvorum::Result<()> {
//! let node = kvorum::Node::builder()
//!     .id(1)
//!     .data_dir("/var/lib/my-service/kvorum")
//!     .peers([(1, "10.0.0.1:7001"), (2, "10.0.0.2:7001"), (3, "10.0.0.3:7001")])
//!     .start()?;
//! # Ok(()) }
//! ```
//!
//! Where to look: [`Builder`] for setting a node up, [`Client`] for everything that can be asked, [`Watch`],
//! [`Lease`], [`lock`] and [`election`] for coordination, [`ErrorKind`] for what can go wrong and
//! [`Error::outcome`] for what became of it. The README has a cluster of three from scratch, all settings, and
//! what is not there yet; `docs/ERRORS.md` has every bad input and what it gets; `ARCHITECTURE.md` has the rest.
#![forbid(unsafe_code)]

mod builder;
mod run;

pub use builder::Builder;
pub use run::Node;

pub use kvorum_core::config::{AutoCompaction, Config, Limits, MAX_REQUEST_BYTES};
pub use kvorum_core::node::{Role, View};
pub use kvorum_core::{
    Answer, Client, Error, ErrorKind, IntoIter, Iter, Lease, Outcome, Result, Status, Wait, Watch, WatchItem,
    block_on, block_on_timeout, prefix_end,
};
pub use kvorum_core::{election, ids, lock, request, state, storage, transport};

pub use kvorum_storage as storages;
pub use kvorum_transport as transports;

/// The README's programs, compiled and run as they stand there.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
