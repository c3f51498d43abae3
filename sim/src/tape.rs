//! A disk that notes every operation that writes, so that a run can be played back up to any of them.

use std::io;
use std::sync::Arc;

use kvorum_storage::faulty::FaultyDisk;
use kvorum_storage::{Disk, DiskFile};
use parking_lot::Mutex;

/// One operation that wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Bytes at the end of a file (named as it was created).
    Append(usize, Vec<u8>),
    /// A file made durable.
    Sync(usize),
    /// A new file; its number is how many were made or opened before it.
    Create(String),
    /// A file opened.
    Open(String),
    /// A file that got another name.
    Rename(String, String),
    /// A file removed.
    Remove(String),
    /// Names made durable.
    SyncDir,
}

/// Everything that was written through it, in order. Clones are the same tape.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    written: Arc<Mutex<(Vec<Written>, usize)>>,
}

impl Tape {
    /// A disk that writes to `disk` and notes it here.
    pub fn over(&self, disk: Arc<dyn Disk>) -> Arc<dyn Disk> {
        Arc::new(Noting { disk, tape: self.clone() })
    }

    /// How many operations are on it.
    pub fn len(&self) -> usize {
        self.written.lock().0.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is on it.
    pub fn written(&self) -> Vec<Written> {
        self.written.lock().0.clone()
    }

    fn note(&self, written: Written) {
        self.written.lock().0.push(written);
    }

    fn file(&self, written: Written) -> usize {
        let mut tape = self.written.lock();
        tape.0.push(written);
        tape.1 += 1;
        tape.1 - 1
    }

    /// Plays it on a fresh disk, from the beginning. What is noted from now on is not played.
    pub fn playback(&self, seed: u64) -> Playback {
        let disk = FaultyDisk::new(seed);
        let mount = disk.mount();
        Playback { disk, mount, written: self.written(), files: Vec::new(), at: 0 }
    }
}

/// A disk on which a tape is played, as far as one wants.
pub struct Playback {
    disk: FaultyDisk,
    mount: Arc<dyn Disk>,
    written: Vec<Written>,
    /// The files that were made or opened, each with the name that it has by now.
    files: Vec<Option<(String, Box<dyn DiskFile>)>>,
    at: usize,
}

impl Playback {
    /// How many operations have been played.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The operation that comes next; `None`: the tape has ended.
    pub fn next(&self) -> Option<&Written> {
        self.written.get(self.at)
    }

    /// The disk after what was played. Fork it before doing anything to it.
    pub fn disk(&self) -> &FaultyDisk {
        &self.disk
    }

    /// Plays until this many operations have been played.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn advance_to(&mut self, number: usize) -> io::Result<()> {
        while self.at < number.min(self.written.len()) {
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> io::Result<()> {
        let Playback { mount, files, written, at, .. } = self;
        match &written[*at] {
            Written::Append(file, bytes) => {
                files[*file].as_mut().map_or(Ok(()), |(_, file)| file.append(bytes))?;
            }
            Written::Sync(file) => files[*file].as_mut().map_or(Ok(()), |(_, file)| file.sync())?,
            Written::Create(name) => files.push(Some((name.clone(), mount.create(name)?))),
            Written::Open(name) => files.push(mount.open(name).ok().map(|file| (name.clone(), file))),
            Written::Rename(from, to) => {
                mount.rename(from, to)?;
                for (name, _) in files.iter_mut().flatten().filter(|(name, _)| name == from) {
                    to.clone_into(name);
                }
            }
            Written::Remove(name) => mount.remove(name)?,
            Written::SyncDir => mount.sync_dir()?,
        }
        self.at += 1;
        Ok(())
    }

    /// A copy of the disk whose process died in the middle of the next operation: a part of it, all of it or
    /// nothing of it was done. What is left of that is for the caller's [`FaultyDisk::lose_power`] to say.
    pub fn torn(&self, seed: u64) -> FaultyDisk {
        let copy = self.disk.fork(seed);
        copy.stop_at(copy.operations());
        // It fails, as it must.
        let _ = self.next().map(|next| self.attempt(&*copy.mount(), next));
        copy.kill();
        copy
    }

    fn attempt(&self, mount: &dyn Disk, operation: &Written) -> io::Result<()> {
        let open = |file: &usize| {
            let name = self.files[*file].as_ref().map_or("", |(name, _)| name.as_str());
            mount.open(name)
        };
        match operation {
            Written::Append(file, bytes) => open(file)?.append(bytes),
            Written::Sync(file) => open(file)?.sync(),
            Written::Create(name) => mount.create(name).map(|_| ()),
            Written::Open(_) => Ok(()),
            Written::Rename(from, to) => mount.rename(from, to),
            Written::Remove(name) => mount.remove(name),
            Written::SyncDir => mount.sync_dir(),
        }
    }
}

impl std::fmt::Debug for Playback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playback").field("at", &self.at).finish_non_exhaustive()
    }
}

struct Noting {
    disk: Arc<dyn Disk>,
    tape: Tape,
}

struct NotingFile {
    file: Box<dyn DiskFile>,
    number: usize,
    tape: Tape,
}

impl Disk for Noting {
    fn describe(&self, name: &str) -> String {
        self.disk.describe(name)
    }

    fn lock(&self) -> io::Result<bool> {
        self.disk.lock()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.create(name)?;
        let number = self.tape.file(Written::Create(name.into()));
        Ok(Box::new(NotingFile { file, number, tape: self.tape.clone() }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open(name)?;
        let number = self.tape.file(Written::Open(name.into()));
        Ok(Box::new(NotingFile { file, number, tape: self.tape.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)?;
        self.tape.note(Written::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)?;
        self.tape.note(Written::Remove(name.into()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()?;
        self.tape.note(Written::SyncDir);
        Ok(())
    }
}

impl DiskFile for NotingFile {
    fn size(&mut self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)?;
        self.tape.note(Written::Append(self.number, bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        self.tape.note(Written::Sync(self.number));
        Ok(())
    }
}
