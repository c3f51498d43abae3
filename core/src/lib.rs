//! The heart of kvorum: a replicated key-value store with history, as a plain value.
//!
//! Nothing here reads a clock, starts a thread, opens a file or a socket, or draws a random number. Most
//! users want the crate `kvorum`, which puts the disk, the network and the threads around it.
#![forbid(unsafe_code)]

pub mod check;
pub mod command;
pub mod config;
mod error;
pub mod ids;
pub mod request;
pub mod state;
pub mod storage;
mod time;
pub mod transport;

pub use config::Config;
pub use error::{Error, ErrorKind, Outcome, Result};
pub use time::Time;
