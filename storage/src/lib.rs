//! Where kvorum keeps its log, its images and its identity.
//!
//! * [`FileStorage`]: a segmented write-ahead log and image files in a directory. What every byte means and
//!   why is drawn in `FORMAT.md` beside this crate's sources.
//! * [`MemoryStorage`]: for tests and for nodes that may be thrown away.
//! * [`conformance`]: the rules of [`kvorum_core::storage::Storage`] as a suite that any implementation can be
//!   run against, your own too.
//! * [`Disk`]: the few operations below [`FileStorage`]; [`faulty`] is one that loses, tears and rots bytes.
//!
//! ```
//! use kvorum_core::storage::{Batch, EntryKind, LogEntry, Storage};
//! use kvorum_storage::FileStorage;
//! # let dir = std::env::temp_dir().join(format!("kvorum-doc-{}", std::process::id()));
//!
//! let mut storage = FileStorage::open(&dir)?;
//! let before = storage.recover()?;
//! let entry = LogEntry {
//!     index: before.base.index + before.entries.len() as u64 + 1,
//!     term: 1,
//!     kind: EntryKind::Command,
//!     data: "hello".into(),
//! };
//! storage.append(&[Batch { entries: vec![entry.clone()], ..Batch::default() }])?;
//! drop(storage);
//!
//! let after = FileStorage::open(&dir)?.recover()?;
//! assert_eq!(after.entries.last(), Some(&entry));
//! # std::fs::remove_dir_all(dir).unwrap();
//! # Ok::<(), kvorum_core::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod conformance;
mod disk;
pub mod faulty;
mod file;
mod memory;
mod real;

pub use disk::{Disk, DiskFile};
pub use file::{FileStorage, Options};
pub use memory::MemoryStorage;
pub use real::RealDisk;
