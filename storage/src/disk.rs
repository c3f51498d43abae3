//! The few operations on files that the storage is made of, so that a simulator can stand below it.

use std::io;

/// A directory of files.
///
/// Names are plain: no separators. An implementation may be used from several threads at once.
pub trait Disk: Send + Sync + 'static {
    /// How to call a file in an error: its path.
    fn describe(&self, name: &str) -> String;

    /// Takes the directory for this process, until the disk is dropped. `false`: somebody else has it.
    ///
    /// # Errors
    ///
    /// The operating system's.
    fn lock(&self) -> io::Result<bool>;

    /// The names of all files, in no order.
    ///
    /// # Errors
    ///
    /// The operating system's.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a new file.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AlreadyExists`], or another of the operating system's.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`], or another of the operating system's.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name; a file that had that name is gone.
    ///
    /// # Errors
    ///
    /// The operating system's.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Who has it open may still read it.
    ///
    /// # Errors
    ///
    /// The operating system's.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes durable which names there are and of which files.
    ///
    /// # Errors
    ///
    /// The operating system's.
    fn sync_dir(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send {
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

    /// Writes at the end. After an error, any prefix may have been written.
    ///
    /// # Errors
    ///
    /// The operating system's.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes durable what the file holds and how long it is (not its name).
    ///
    /// # Errors
    ///
    /// The operating system's.
    fn sync(&mut self) -> io::Result<()>;
}
