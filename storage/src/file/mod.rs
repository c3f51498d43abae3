//! A write-ahead log and image files in a directory. Every byte is drawn in FORMAT.md.

mod header;
mod health;
mod identity;
mod image;
mod record;
mod recover;
mod replay;
mod scan;
mod sector;
mod shape;
mod sink;
mod source;
mod take;
mod wal;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use kvorum_core::ids::Index;
use kvorum_core::planted;
use kvorum_core::storage::{
    Batch, Identity, ImageMeta, ImageSink, ImageSource, LogPosition, Recovered, Storage,
};
use kvorum_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;

use crate::disk::Disk;
use crate::real::RealDisk;
use health::{Health, cannot_read};
use sink::{Shelf, Sink};
use source::Source;
use wal::Wal;

/// What can be chosen about a [`FileStorage`]. The default is right for production.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A log segment that has this many bytes is followed by a new one. Default: 64 MiB.
    pub segment_bytes: u64,
    /// An image being written is synced whenever this many bytes are not. Default: 8 MiB.
    pub image_sync_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: 64 << 20, image_sync_bytes: 8 << 20 }
    }
}

/// A write-ahead log and image files in a directory.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("kvorum-doc2-{}", std::process::id()));
/// use kvorum_core::ErrorKind;
/// use kvorum_storage::FileStorage;
///
/// let storage = FileStorage::open(&dir)?;
/// // A directory belongs to one process, and to one storage in it.
/// let again = FileStorage::open(&dir).err().unwrap();
/// assert!(matches!(again.kind(), ErrorKind::DirectoryInUse { .. }));
/// # drop(storage);
/// # std::fs::remove_dir_all(dir).unwrap();
/// # Ok::<(), kvorum_core::Error>(())
/// ```
pub struct FileStorage {
    disk: Arc<dyn Disk>,
    options: Options,
    health: Health,
    identity: Option<Identity>,
    /// Set by `recover`.
    wal: Option<Wal>,
    shelf: Arc<Mutex<Shelf>>,
}

impl FileStorage {
    /// Uses the directory at `path`, which is made if it does not exist.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::DirectoryInUse`], [`ErrorKind::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<FileStorage> {
        let path = path.as_ref();
        let disk = RealDisk::open(path).map_err(|e| ErrorKind::Io {
            action: format!("opening the directory {}", path.display()),
            reason: e.to_string(),
        })?;
        FileStorage::with_disk(Arc::new(disk), Options::default())
    }

    /// Uses a disk of the caller's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::DirectoryInUse`], [`ErrorKind::Io`].
    pub fn with_disk(disk: Arc<dyn Disk>, options: Options) -> Result<FileStorage> {
        let path = disk.describe("").trim_end_matches('/').to_string();
        match disk.lock() {
            Ok(true) => {}
            Ok(false) => return Err(ErrorKind::DirectoryInUse { path }.into()),
            Err(e) => {
                let action = format!("locking the directory {path}");
                return Err(ErrorKind::Io { action, reason: e.to_string() }.into());
            }
        }
        Ok(FileStorage {
            disk,
            options,
            health: Health::default(),
            identity: None,
            wal: None,
            shelf: Arc::default(),
        })
    }

    fn wal(&mut self) -> Result<&mut Wal> {
        self.health.check()?;
        self.wal.as_mut().ok_or_else(not_recovered)
    }

    /// Removes what was being written aside, and makes every name that is seen durable: what will be
    /// acknowledged depends on them.
    fn clean(&self, names: &[String]) -> Result<()> {
        for name in names.iter().filter(|n| is_ours_and_unfinished(n)) {
            let gone = self.disk.remove(name);
            self.health.watch(gone, || format!("removing {}", self.disk.describe(name)))?;
        }
        let synced = self.disk.sync_dir();
        self.health.watch(synced, || format!("syncing the directory {}", self.disk.describe("")))
    }

    /// Whose data this is, and the number of a segment that there was.
    fn read_identity(&self, names: &[String]) -> Result<Option<(Identity, u64)>> {
        if !names.iter().any(|n| n == identity::NAME) {
            return Ok(None);
        }
        let path = self.disk.describe(identity::NAME);
        let read = || {
            let mut file = self.disk.open(identity::NAME)?;
            // One byte more than it may have is enough to see that it has too many.
            let mut bytes = vec![0; file.size()?.min(64) as usize];
            file.read_at(&mut bytes, 0)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|e| cannot_read(&path, &e))?;
        identity::decode(&bytes, &path).map(Some)
    }

    fn all(&mut self) -> Result<Recovered> {
        let path = self.disk.describe("");
        let names = self.disk.list().map_err(|e| cannot_read(&path, &e))?;
        self.clean(&names)?;
        let owner = self.read_identity(&names)?;
        self.identity = owner.map(|(identity, _)| identity);
        let mut numbers: Vec<u64> = names.iter().filter_map(|n| header::number_in(n)).collect();
        numbers.sort_unstable();
        self.miss_segments(owner.map_or(0, |(_, segment)| segment), &numbers)?;
        let segment_bytes = self.options.segment_bytes;
        let (replay, wal) =
            recover::recover(&self.disk, &self.health, &numbers, self.identity.as_ref(), segment_bytes)?;
        self.fill_shelf(&names)?;
        self.wal = Some(wal);
        let base = replay.shape.base();
        Ok(Recovered {
            identity: self.identity,
            hard_state: replay.hard_state,
            base,
            entries: replay.entries,
            log_bytes: replay.bytes,
        })
    }

    /// The log does not end before the segment that the identity knows of: what was acknowledged in it would
    /// be forgotten without a word.
    fn miss_segments(&self, known: u64, numbers: &[u64]) -> Result<()> {
        if numbers.last().copied().unwrap_or(0) >= known {
            return Ok(());
        }
        let path = self.disk.describe(&header::name_of(known));
        let reason = "the segment is missing, and the log with it".into();
        Err(ErrorKind::Corrupt { path, offset: 0, reason }.into())
    }

    /// Sorts the images there are into whole ones and damaged ones, by their headers and footers.
    fn fill_shelf(&self, names: &[String]) -> Result<()> {
        let mut shelf = self.shelf.lock();
        let mut positions: Vec<LogPosition> = names.iter().filter_map(|n| image::position_in(n)).collect();
        positions.sort_by_key(|p| (p.index, p.term));
        for position in positions {
            match Source::open(&*self.disk, position) {
                Ok(_) => shelf.whole.push(position),
                Err(e) if is_damage(&e) => shelf.damaged.push(position),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn open_verified(&self, position: LogPosition) -> Result<Box<dyn ImageSource>> {
        let mut source = Source::open(&*self.disk, position)?;
        if !self.shelf.lock().verified.contains(&position) {
            source.verify()?;
            self.shelf.lock().verified.push(position);
        }
        Ok(Box::new(Doubting { source, shelf: self.shelf.clone() }))
    }

    /// Whether the log goes on from an image at this position without a gap. The very newest image may be
    /// ahead of the log: one that came from the leader, with a reset to follow.
    fn log_goes_on_from(&self, position: LogPosition, newest: bool) -> bool {
        let Some(wal) = &self.wal else { return false };
        let shape = wal.shape();
        match shape.term_at(position.index) {
            Some(term) => newest || term == position.term,
            None => newest && position.index >= shape.base().index,
        }
    }

    /// Whether the log has all that an image at this position has. One that came from the leader may be ahead of
    /// the log, and the member has vouched for what is in it: without that image, it would forget.
    fn log_reaches(&self, position: LogPosition) -> bool {
        self.wal.as_ref().is_some_and(|wal| wal.shape().term_at(position.index) == Some(position.term))
    }
}

/// An image being read, whose damage is remembered.
struct Doubting {
    source: Source,
    shelf: Arc<Mutex<Shelf>>,
}

impl ImageSource for Doubting {
    fn meta(&self) -> &ImageMeta {
        self.source.meta()
    }

    fn size(&self) -> u64 {
        self.source.size()
    }

    fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        let position = self.source.meta().position;
        self.source.next_chunk().inspect_err(|_| self.shelf.lock().doubt(position))
    }
}

fn not_recovered() -> Error {
    ErrorKind::Io {
        action: "writing to the storage".into(),
        reason: "it has not been recovered, or that failed".into(),
    }
    .into()
}

fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt { .. })
}

fn is_ours_and_unfinished(name: &str) -> bool {
    let ours = [identity::NAME, "log-", "image-"].iter().any(|start| name.starts_with(start));
    ours && name.ends_with(".tmp")
}

impl Storage for FileStorage {
    fn recover(&mut self) -> Result<Recovered> {
        self.health.check()?;
        if self.wal.is_some() {
            return Err(ErrorKind::Io {
                action: "recovering the storage".into(),
                reason: "it has been recovered already; open it again to read it again".into(),
            }
            .into());
        }
        // What cannot be read is not written to either: nobody knows what it is.
        self.all().inspect_err(|e| self.health.fail(&e.to_string()))
    }

    fn set_identity(&mut self, identity: &Identity) -> Result<()> {
        self.wal()?;
        if let Some(owner) = self.identity.filter(|owner| owner.directory != identity.directory) {
            let reason = format!("the directory is {:016x} and cannot become another", owner.directory);
            return Err(ErrorKind::Config { reason }.into());
        }
        self.identity = Some(*identity);
        self.wal()?.set_owner(Some(identity));
        self.wal()?.write_owner()
    }

    fn append(&mut self, batches: &[Batch]) -> Result<u64> {
        self.wal()?.append(batches)
    }

    fn drop_head(&mut self, through: Index) -> Result<()> {
        // What the oldest image needs: the entry at it and those behind. Without an image, everything.
        let spared = self.shelf.lock().whole.first().map_or(0, |oldest| oldest.index.saturating_sub(1));
        self.wal()?.drop_head(if planted!("drop_log_before_image") { through } else { through.min(spared) })
    }

    fn create_image(&mut self, meta: &ImageMeta) -> Result<Box<dyn ImageSink>> {
        self.wal()?;
        let (disk, shelf) = (self.disk.clone(), self.shelf.clone());
        let sync_bytes = self.options.image_sync_bytes;
        Ok(Box::new(Sink::create(disk, self.health.clone(), shelf, meta, sync_bytes)?))
    }

    fn open_image(&mut self) -> Result<Option<Box<dyn ImageSource>>> {
        if self.wal.is_none() {
            return Err(not_recovered());
        }
        let candidates = self.shelf.lock().newest_first();
        let mut damage = None;
        for (i, position) in candidates.into_iter().enumerate() {
            if !self.log_goes_on_from(position, i == 0) {
                break;
            }
            match self.open_verified(position) {
                Ok(source) => return Ok(Some(source)),
                Err(e) if is_damage(&e) => {
                    self.shelf.lock().condemn(position);
                    if !self.log_reaches(position) && !planted!("older_image_forgets") {
                        return Err(e);
                    }
                    damage.get_or_insert(e);
                }
                Err(e) => return Err(e),
            }
        }
        self.no_image(damage)
    }

    fn damaged(&self) -> Vec<String> {
        let shelf = self.shelf.lock();
        shelf.damaged.iter().map(|position| self.disk.describe(&image::name_of(*position))).collect()
    }
}

impl FileStorage {
    /// Without a good image the log must reach back to the beginning.
    fn no_image(&self, damage: Option<Error>) -> Result<Option<Box<dyn ImageSource>>> {
        let base = self.wal.as_ref().map_or(0, |w| w.shape().base().index);
        if base == 0 {
            return Ok(None);
        }
        Err(damage.unwrap_or_else(|| {
            let reason = format!("the log begins behind entry {base}, and no image covers what lies before");
            ErrorKind::Corrupt { path: self.disk.describe(""), offset: 0, reason }.into()
        }))
    }
}
