//! The heart of kvorum: a replicated key-value store with history, as a plain value.
//!
//! Nothing here starts a thread, opens a file or a socket, reads a clock of its own accord or draws a random
//! number. Most users want the crate `kvorum`, which puts the disk, the network and the threads around it.
//!
//! From the ground up: [`ids`], [`Time`], [`Error`]; the language ([`request`], [`command`], [`Config`], and the
//! traits in [`storage`] and [`transport`]); what is agreed ([`state`]); how it is agreed ([`node`]); the
//! handles ([`Client`], [`Watch`], [`Lease`], [`lock`], [`election`]) and the loop ([`driver`], [`disk`]).
#![forbid(unsafe_code)]

#[doc(hidden)]
#[macro_use]
pub mod planted;

mod block;
pub mod check;
mod client;
pub mod command;
pub mod config;
pub mod disk;
pub mod driver;
pub mod election;
mod error;
mod export;
pub mod ids;
mod lease;
pub mod lock;
pub mod mail;
mod members;
pub mod node;
mod read;
mod reply;
pub mod request;
mod session;
mod shared;
pub mod state;
mod stats;
mod status;
pub mod storage;
mod sugar;
mod time;
pub mod transport;
mod watch;
mod write;

pub use block::{Wait, block_on, block_on_timeout};
pub use client::Client;
pub use config::Config;
pub use error::{Error, ErrorKind, Outcome, Result};
pub use export::Export;
pub use lease::{Keep, Lease};
pub use reply::Answer;
pub use stats::Stats;
pub use status::Status;
pub use sugar::prefix_end;
pub use time::Time;
pub use watch::{IntoIter, Iter, Watch, WatchItem};
pub use write::Write;
