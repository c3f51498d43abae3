//! A disk in memory that does what disks do to those who trust them: it loses what was not synced, tears
//! writes, forgets names, fails, fills up and rots. The same seed does the same.
//!
//! ```
//! use kvorum_core::storage::{Batch, HardState, Storage};
//! use kvorum_storage::faulty::{FaultyDisk, Survivors};
//! use kvorum_storage::{FileStorage, Options};
//!
//! let disk = FaultyDisk::new(1);
//! let mut storage = FileStorage::with_disk(disk.mount(), Options::default())?;
//! storage.recover()?;
//! let state = HardState { term: 1, vote: 1, commit: 0 };
//! storage.append(&[Batch { hard_state: Some(state), ..Batch::default() }])?;
//!
//! disk.lose_power(Survivors::Nothing);
//!
//! let mut storage = FileStorage::with_disk(disk.mount(), Options::default())?;
//! assert_eq!(storage.recover()?.hard_state, state);
//! # Ok::<(), kvorum_core::Error>(())
//! ```

mod file;
mod mount;
mod random;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::Disk;
use file::Inode;
pub use file::Survivors;
pub use random::Random;

/// Something that is written: what an operation number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bytes at the end of a file.
    Append,
    /// A file made durable.
    Sync,
    /// A new file.
    Create,
    /// A file that gets another name.
    Rename,
    /// A file removed.
    Remove,
    /// Names made durable.
    SyncDir,
}

/// A disk in memory; clones are the same disk. It is used through [`FaultyDisk::mount`].
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    world: Arc<Mutex<World>>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

#[derive(Clone, Debug)]
struct World {
    /// Shared with forks until one side writes: a fork costs next to nothing, however much was written.
    inodes: Vec<Arc<Inode>>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    changes: Vec<NameChange>,
    random: Random,
    /// Rises with every crash. Who mounted before is dead.
    epoch: u64,
    locked: bool,
    operations: u64,
    reads: u64,
    journal: Vec<Operation>,
    stop_at: Option<u64>,
    fail_at: Option<u64>,
    fail_read_at: Option<u64>,
    fail_next: Option<Operation>,
    capacity: Option<u64>,
    writes_after_failed_sync: u64,
    /// Files with bytes that were not synced, or with a sync that failed, and their first names.
    unsynced: BTreeMap<usize, Arc<str>>,
    /// The first name of every file.
    first_names: Vec<Arc<str>>,
    /// How many files were made, by what their names begin with.
    made: BTreeMap<String, u64>,
}

impl FaultyDisk {
    /// An empty disk; whatever is left to chance follows from the seed.
    pub fn new(seed: u64) -> FaultyDisk {
        let world = World {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            random: Random::new(seed),
            epoch: 0,
            locked: false,
            operations: 0,
            reads: 0,
            journal: Vec::new(),
            stop_at: None,
            fail_at: None,
            fail_read_at: None,
            fail_next: None,
            capacity: None,
            writes_after_failed_sync: 0,
            unsynced: BTreeMap::new(),
            first_names: Vec::new(),
            made: BTreeMap::new(),
        };
        FaultyDisk { world: Arc::new(Mutex::new(world)) }
    }

    /// The disk as a process sees it, until the next crash.
    pub fn mount(&self) -> Arc<dyn Disk> {
        let epoch = self.world.lock().epoch;
        Arc::new(mount::Mount::new(self.world.clone(), epoch))
    }

    /// An independent copy, with its own seed: what would be if …
    pub fn fork(&self, seed: u64) -> FaultyDisk {
        let mut world = self.world.lock().clone();
        world.random = Random::new(seed);
        FaultyDisk { world: Arc::new(Mutex::new(world)) }
    }

    /// The process dies; what it wrote is still in the page cache.
    pub fn kill(&self) {
        let mut world = self.world.lock();
        world.epoch += 1;
        world.locked = false;
        world.calm();
    }

    /// The machine dies. Of what was not synced, `survivors` says what is left.
    pub fn lose_power(&self, survivors: Survivors) {
        self.kill();
        self.world.lock().lose_power(survivors);
    }

    /// The process dies in the middle of the `number`-th operation that writes (counted from 0 over the
    /// disk's life): part of it may have happened.
    pub fn stop_at(&self, number: u64) {
        self.world.lock().stop_at = Some(number);
    }

    /// The `number`-th operation that writes fails, once. A sync that fails drops what it was to write.
    pub fn fail_at(&self, number: u64) {
        self.world.lock().fail_at = Some(number);
    }

    /// The next operation of this kind fails, once. A sync that fails drops what it was to write.
    pub fn fail_next(&self, operation: Operation) {
        self.world.lock().fail_next = Some(operation);
    }

    /// The `number`-th read fails, once.
    pub fn fail_read_at(&self, number: u64) {
        self.world.lock().fail_read_at = Some(number);
    }

    /// How many bytes the disk has room for; `None`: no end of it.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world.lock().capacity = bytes;
    }

    /// Takes back what [`FaultyDisk::stop_at`], [`FaultyDisk::fail_at`], [`FaultyDisk::fail_next`] and
    /// [`FaultyDisk::fail_read_at`] announced. A crash does too.
    pub fn calm(&self) {
        self.world.lock().calm();
    }

    /// What is left to chance from here on follows from this seed, whatever was before.
    pub fn reseed(&self, seed: u64) {
        self.world.lock().random = Random::new(seed);
    }

    /// How many bytes its files take.
    pub fn used(&self) -> u64 {
        self.world.lock().used()
    }

    /// How many files were ever made whose names are `kind`, or begin with it and a hyphen.
    pub fn creations(&self, kind: &str) -> u64 {
        self.world.lock().made.get(kind).copied().unwrap_or(0)
    }

    /// How many operations that write there were.
    pub fn operations(&self) -> u64 {
        self.world.lock().operations
    }

    /// How many reads there were.
    pub fn reads(&self) -> u64 {
        self.world.lock().reads
    }

    /// All operations that wrote, in order.
    pub fn journal(&self) -> Vec<Operation> {
        self.world.lock().journal.clone()
    }

    /// How often a file was written to or synced after a sync of it had failed. Should be 0.
    pub fn writes_after_failed_sync(&self) -> u64 {
        self.world.lock().writes_after_failed_sync
    }

    /// All files, with their bytes as a process sees them.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let world = self.world.lock();
        world.names.iter().map(|(name, at)| (name.clone(), world.inodes[*at].live.clone())).collect()
    }

    /// Puts a file there, durably, instead of any of that name.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut world = self.world.lock();
        let at = world.inodes.len();
        world.first_names.push(name.into());
        let inode = Inode { live: bytes.to_vec(), durable: bytes.to_vec(), ..Inode::default() };
        world.inodes.push(Arc::new(inode));
        world.names.insert(name.to_string(), at);
        world.durable_names.insert(name.to_string(), at);
    }

    /// A file is gone, durably.
    pub fn vanish(&self, name: &str) {
        let mut world = self.world.lock();
        world.names.remove(name);
        world.durable_names.remove(name);
    }

    /// How much of the files whose names begin so would be missing if the power went now: sectors, and names.
    pub fn unsynced(&self, start: &str) -> usize {
        let world = self.world.lock();
        let begins = |name: &str| name.starts_with(start);
        let files = world.unsynced.iter().filter(|(_, name)| begins(name));
        let sectors = files.map(|(at, _)| {
            let inode = &world.inodes[*at];
            inode.dirty.len() + usize::from(inode.distrusted)
        });
        let names = world.changes.iter().filter(|change| match change {
            NameChange::Create(name, _) | NameChange::Rename(_, name) => begins(name),
            NameChange::Remove(_) => false,
        });
        sectors.sum::<usize>() + names.count()
    }

    /// How many bytes each of the files has whose names begin so.
    pub fn sizes(&self, start: &str) -> Vec<usize> {
        let world = self.world.lock();
        let named = world.names.iter().filter(|(name, _)| name.starts_with(start));
        named.map(|(_, at)| world.inodes[*at].live.len()).collect()
    }

    /// How many files there are, and how many bytes are in them.
    pub fn usage(&self) -> (usize, u64) {
        let world = self.world.lock();
        (world.names.len(), world.used())
    }

    /// A bit of a file rots. Out of its range, nothing happens.
    pub fn flip(&self, name: &str, byte: usize, bit: u8) {
        let mut world = self.world.lock();
        let Some(at) = world.names.get(name).copied() else { return };
        let Inode { live, durable, .. } = Arc::make_mut(&mut world.inodes[at]);
        for bytes in [live, durable] {
            if let Some(byte) = bytes.get_mut(byte) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }
}

impl World {
    fn calm(&mut self) {
        self.stop_at = None;
        self.fail_at = None;
        self.fail_read_at = None;
        self.fail_next = None;
    }

    fn lose_power(&mut self, survivors: Survivors) {
        self.unsynced.clear();
        let mut random = self.random.clone();
        self.inodes.iter_mut().for_each(|inode| Inode::lose_power(inode, survivors, &mut random));
        let changes = std::mem::take(&mut self.changes);
        let count = match survivors {
            Survivors::Nothing => 0,
            Survivors::Everything => changes.len(),
            // Names are journalled by the file system: they survive in order.
            Survivors::Prefix | Survivors::Subset => random.below(changes.len() as u64 + 1) as usize,
        };
        for change in &changes[..count] {
            change.apply(&mut self.durable_names);
        }
        self.names = self.durable_names.clone();
        self.random = random;
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn sync_dir(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            change.apply(&mut self.durable_names);
        }
    }

    fn used(&self) -> u64 {
        self.names.values().map(|at| self.inodes[*at].live.len() as u64).sum()
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Create(name, at) => {
                names.insert(name.clone(), *at);
            }
            NameChange::Rename(from, to) => {
                if let Some(at) = names.remove(from) {
                    names.insert(to.clone(), at);
                }
            }
            NameChange::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

fn failure(words: &str) -> io::Error {
    io::Error::other(words)
}
