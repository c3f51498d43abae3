//! A directory of the operating system's.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile};

const LOCK: &str = "lock";

/// A directory of the operating system's.
#[derive(Debug)]
pub struct RealDisk {
    path: PathBuf,
    lock: Mutex<Option<File>>,
}

impl RealDisk {
    /// The directory at `path`, which is made if it does not exist.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn open(path: impl AsRef<Path>) -> io::Result<RealDisk> {
        let path = std::path::absolute(path)?;
        make_durably(&path)?;
        Ok(RealDisk { path, lock: Mutex::new(None) })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes a directory and those above it, and syncs the one above each that was made: a log in a directory
/// that is forgotten is forgotten too.
fn make_durably(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let Some(parent) = path.parent() else { return fs::create_dir(path) };
    make_durably(parent)?;
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| sync_directory(parent)),
    }
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a directory cannot be opened as a file; NTFS journals its names by itself.
#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

impl Disk for RealDisk {
    fn describe(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    fn lock(&self) -> io::Result<bool> {
        let mut held = self.lock.lock();
        if held.is_some() {
            return Ok(false);
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.at(LOCK))?;
        match file.try_lock() {
            Ok(()) => *held = Some(file),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        Ok(true)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().create_new(true).read(true).append(true).open(self.at(name))?;
        Ok(Box::new(RealFile { file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).append(true).open(self.at(name))?;
        Ok(Box::new(RealFile { file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync_directory(&self.path)
    }
}

struct RealFile {
    file: File,
}

impl DiskFile for RealFile {
    fn size(&mut self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        // The place is this handle's own, and appends do not use it.
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(buffer)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}
