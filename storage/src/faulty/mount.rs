//! The faulty disk as a process sees it.

use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::{NameChange, Operation, World, failure};
use crate::disk::{Disk, DiskFile};

pub(super) struct Mount {
    world: Arc<Mutex<World>>,
    epoch: u64,
    holds_lock: Mutex<bool>,
}

struct Handle {
    world: Arc<Mutex<World>>,
    epoch: u64,
    inode: usize,
}

/// What happens to an operation.
enum Fate {
    Done,
    /// It fails; the disk goes on.
    Fails,
    /// The process dies in it.
    Dies,
}

impl World {
    fn living(&self, epoch: u64) -> io::Result<()> {
        let stopped = self.stop_at.is_some_and(|at| self.operations > at);
        if epoch == self.epoch && !stopped { Ok(()) } else { Err(failure("the process is dead")) }
    }

    fn begin(&mut self, operation: Operation) -> Fate {
        let number = self.operations;
        self.operations += 1;
        self.journal.push(operation);
        match () {
            () if self.stop_at == Some(number) => Fate::Dies,
            () if self.fail_at == Some(number) => Fate::Fails,
            () if self.fail_next == Some(operation) => {
                self.fail_next = None;
                Fate::Fails
            }
            () => Fate::Done,
        }
    }

    /// Operations on names, and syncs of them: done, or not.
    fn named(&mut self, operation: Operation, act: impl FnOnce(&mut World)) -> io::Result<()> {
        match self.begin(operation) {
            Fate::Done => act(self),
            Fate::Fails => return Err(failure("input/output error (injected)")),
            Fate::Dies => {
                if self.random.coin() {
                    act(self);
                }
                return Err(failure("the process is dead"));
            }
        }
        Ok(())
    }

    fn append(&mut self, inode: usize, bytes: &[u8]) -> io::Result<()> {
        self.judge(inode);
        let part = self.random.below(bytes.len() as u64 + 1) as usize;
        let room = self.capacity.map_or(u64::MAX, |c| c.saturating_sub(self.used())) as usize;
        let (count, error) = match self.begin(Operation::Append) {
            Fate::Dies => (part, Some(failure("the process is dead"))),
            Fate::Fails => (part, Some(failure("input/output error (injected)"))),
            Fate::Done if room < bytes.len() => (room, Some(io::ErrorKind::StorageFull.into())),
            Fate::Done => (bytes.len(), None),
        };
        Arc::make_mut(&mut self.inodes[inode]).append(&bytes[..count]);
        let name = self.first_names[inode].clone();
        self.unsynced.entry(inode).or_insert(name);
        error.map_or(Ok(()), Err)
    }

    fn sync(&mut self, inode: usize) -> io::Result<()> {
        self.judge(inode);
        match self.begin(Operation::Sync) {
            Fate::Done => {
                Arc::make_mut(&mut self.inodes[inode]).sync();
                if !self.inodes[inode].distrusted {
                    self.unsynced.remove(&inode);
                }
            }
            Fate::Fails => {
                Arc::make_mut(&mut self.inodes[inode]).fail_sync();
                return Err(failure("input/output error (injected)"));
            }
            Fate::Dies => {
                if self.random.coin() {
                    Arc::make_mut(&mut self.inodes[inode]).sync();
                }
                return Err(failure("the process is dead"));
            }
        }
        Ok(())
    }

    fn judge(&mut self, inode: usize) {
        self.writes_after_failed_sync += u64::from(self.inodes[inode].distrusted);
    }
}

impl Mount {
    pub(super) fn new(world: Arc<Mutex<World>>, epoch: u64) -> Mount {
        Mount { world, epoch, holds_lock: Mutex::new(false) }
    }

    fn enter(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.world.lock();
        world.living(self.epoch)?;
        Ok(world)
    }

    fn handle(&self, inode: usize) -> Box<dyn DiskFile> {
        Box::new(Handle { world: self.world.clone(), epoch: self.epoch, inode })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        if *self.holds_lock.lock() && world.epoch == self.epoch {
            world.locked = false;
        }
    }
}

impl Disk for Mount {
    fn describe(&self, name: &str) -> String {
        format!("/faulty/{name}")
    }

    fn lock(&self) -> io::Result<bool> {
        let mut world = self.enter()?;
        if world.locked {
            return Ok(false);
        }
        world.locked = true;
        *self.holds_lock.lock() = true;
        Ok(true)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.enter()?.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.enter()?;
        if world.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = world.inodes.len();
        world.inodes.push(Arc::default());
        world.first_names.push(name.into());
        let kind = name.split('-').next().unwrap_or(name).to_string();
        *world.made.entry(kind).or_default() += 1;
        world.named(Operation::Create, |w| w.change(NameChange::Create(name.into(), inode)))?;
        drop(world);
        Ok(self.handle(inode))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.enter()?.names.get(name).copied();
        Ok(self.handle(inode.ok_or(io::ErrorKind::NotFound)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.enter()?;
        if !world.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.named(Operation::Rename, |w| w.change(NameChange::Rename(from.into(), to.into())))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.enter()?;
        if !world.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.named(Operation::Remove, |w| w.change(NameChange::Remove(name.into())))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.enter()?.named(Operation::SyncDir, World::sync_dir)
    }
}

impl Handle {
    fn enter(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.world.lock();
        world.living(self.epoch)?;
        Ok(world)
    }
}

impl DiskFile for Handle {
    fn size(&mut self) -> io::Result<u64> {
        Ok(self.enter()?.inodes[self.inode].live.len() as u64)
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut world = self.enter()?;
        world.reads += 1;
        if world.fail_read_at == Some(world.reads - 1) {
            return Err(failure("input/output error (injected)"));
        }
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = world.inodes[self.inode].live.get(start..).and_then(|b| b.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.enter()?.append(self.inode, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.enter()?.sync(self.inode)
    }
}
