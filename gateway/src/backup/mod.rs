//! etcd's snapshots: everything stored, as the file that etcd's own tools take, and back.
//!
//! What it will never know: disks; how the pieces travel. FORMAT.md beside this crate's sources says what is in the file.

mod file;
mod import;
mod rows;

pub use crate::bolt::{BoltError, Source};
pub use import::{ImportError, Trailer, glance, import};

pub(crate) use file::{File, Origin, Replaced};
pub(crate) use rows::{lease as lease_row, version_row};

/// The bucket with the history of all keys.
pub(crate) const KEY: &[u8] = b"key";
const LEASE: &[u8] = b"lease";
const META: &[u8] = b"meta";
const ALARM: &[u8] = b"alarm";
const AUTH: &[u8] = b"auth";

/// How far etcd has planned to compact, and how far it has come.
const SCHEDULED: &[u8] = b"scheduledCompactRev";
const FINISHED: &[u8] = b"finishedCompactRev";
