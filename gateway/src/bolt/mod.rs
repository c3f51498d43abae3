//! A file of bbolt's, the database in which etcd keeps its store and which its snapshots are: written from its first page
//! to its last, and read with nothing believed.
//!
//! What it will never know: what etcd keeps in it.
//!
//! ```text
//! page 0, 1   two metas; of those that are whole, the one of the higher transaction counts
//! page 2      the free list
//! then        trees: leaves hold pairs, branches the first key of each page below; large pairs run on over pages
//! ```
//!
//! A file has one tree whose pairs are buckets; each bucket is a tree (or, if it is small, lies as one page in the pair's
//! value). Numbers are little-endian. FORMAT.md beside this crate's sources draws it.

mod page;
mod read;
#[cfg(test)]
mod tests;
mod tree;
mod write;

pub(crate) use read::{Bucket, Db};
pub(crate) use write::{Shape, Writer};

use std::fmt;
use std::io;

/// The size of the pages that are written, in bytes. Other sizes are read, too.
pub(crate) const PAGE: usize = 4096;

/// Where a file is read from.
pub trait Source {
    /// Its length in bytes.
    ///
    /// # Errors
    ///
    /// The operating system's.
    fn size(&mut self) -> io::Result<u64>;

    /// Reads into the whole of `buffer` from `offset` on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] if the file is shorter, or another of the operating system's.
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl<S: Source> Source for &mut S {
    fn size(&mut self) -> io::Result<u64> {
        (**self).size()
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_at(buffer, offset)
    }
}

impl Source for &[u8] {
    fn size(&mut self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        match from.and_then(|rest| rest.get(..buffer.len())) {
            Some(bytes) => buffer.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoltError {
    /// The operating system says so.
    Io {
        /// What it says.
        reason: String,
    },
    /// Neither of its two beginnings is that of such a file, or both are damaged.
    NoMeta,
    /// Its end is not there.
    Cut {
        /// How many bytes its beginning says that there are.
        needs: u64,
        /// How many there are.
        has: u64,
    },
    /// A page is not what it should be.
    Page {
        /// Its number.
        id: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl fmt::Display for BoltError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BoltError::Io { reason } => write!(f, "reading it: {reason}"),
            BoltError::NoMeta => {
                f.write_str("it is no bbolt database, or both of its first pages are damaged")
            }
            BoltError::Cut { needs, has } => {
                write!(f, "it is cut off: its database has {needs} bytes, and {has} are there")
            }
            BoltError::Page { id, reason } => write!(f, "page {id} of the database {reason}"),
        }
    }
}

impl std::error::Error for BoltError {}

impl From<io::Error> for BoltError {
    fn from(error: io::Error) -> BoltError {
        BoltError::Io { reason: error.to_string() }
    }
}
