//! A storage that forgets everything when the process ends.

use std::sync::Arc;

use bytes::Bytes;
use kvorum_core::ids::Index;
use kvorum_core::storage::{
    Batch, Identity, ImageMeta, ImageSink, ImageSource, LogEntry, Recovered, Storage,
};
use kvorum_core::{ErrorKind, Result};
use parking_lot::Mutex;

/// A storage in memory, for tests and for nodes that may be thrown away.
///
/// Clones share their content, so that a test restarts a node by giving a clone to the next one. Whoever
/// recovered last may write; the one before is refused, as a process that died would be.
///
/// ```
/// use kvorum_core::storage::{Batch, HardState, Storage};
/// use kvorum_storage::MemoryStorage;
///
/// let mut first = MemoryStorage::new();
/// let mut second = first.clone();
/// let state = HardState { term: 3, vote: 1, commit: 0 };
/// first.recover()?;
/// first.append(&[Batch { hard_state: Some(state), ..Batch::default() }])?;
///
/// assert_eq!(second.recover()?.hard_state, state);
/// assert!(first.append(&[Batch::default()]).is_err());
/// # Ok::<(), kvorum_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    content: Arc<Mutex<Content>>,
    /// How many had recovered when this one did; 0: it has not.
    turn: u64,
    /// Nobody will ever recover from it again: the log is not kept.
    is_thrown_away: bool,
}

#[derive(Debug, Default)]
struct Content {
    log: Recovered,
    image: Option<Image>,
    turn: u64,
}

#[derive(Clone, Debug)]
struct Image {
    meta: ImageMeta,
    chunks: Vec<Bytes>,
}

impl MemoryStorage {
    /// An empty one.
    pub fn new() -> MemoryStorage {
        MemoryStorage::default()
    }

    /// An empty one for a node that will not be started again: it keeps no log, which that node holds in
    /// memory anyway as far as it needs it, and images only for as long as a peer may want them.
    pub fn throw_away() -> MemoryStorage {
        MemoryStorage { is_thrown_away: true, ..MemoryStorage::default() }
    }

    fn write(&self, change: impl FnOnce(&mut Content)) -> Result<()> {
        write(&self.content, self.turn, change)
    }
}

fn write(content: &Mutex<Content>, turn: u64, change: impl FnOnce(&mut Content)) -> Result<()> {
    let mut content = content.lock();
    if turn == 0 || turn != content.turn {
        let reason = if turn == 0 { "it has not been recovered" } else { "somebody else has recovered it" };
        return Err(ErrorKind::Io { action: "writing to memory".into(), reason: reason.into() }.into());
    }
    change(&mut content);
    Ok(())
}

fn add(log: &mut Recovered, batch: &Batch) {
    if let Some(base) = batch.reset {
        log.entries.clear();
        log.base = base;
    }
    if let Some(first) = batch.entries.first() {
        let keep = first.index.checked_sub(log.base.index + 1).map(|keep| keep as usize);
        let keep = keep.filter(|keep| *keep <= log.entries.len());
        let Some(keep) = keep else {
            let last = log.base.index + log.entries.len() as u64;
            panic!("entry {} was appended to a log that ends at {last}: there is a gap", first.index);
        };
        log.entries.truncate(keep);
        log.entries.extend_from_slice(&batch.entries);
    }
    if let Some(state) = batch.hard_state {
        log.hard_state = state;
    }
}

impl Storage for MemoryStorage {
    fn recover(&mut self) -> Result<Recovered> {
        let mut content = self.content.lock();
        content.turn += 1;
        self.turn = content.turn;
        Ok(content.log.clone())
    }

    fn set_identity(&mut self, identity: &Identity) -> Result<()> {
        self.write(|content| content.log.identity = Some(*identity))
    }

    fn append(&mut self, batches: &[Batch]) -> Result<u64> {
        let batches = if self.is_thrown_away { &[] } else { batches };
        self.write(|content| batches.iter().for_each(|batch| add(&mut content.log, batch)))?;
        Ok(batches.iter().map(Batch::size).sum())
    }

    fn drop_head(&mut self, through: Index) -> Result<()> {
        self.write(|content| {
            let spared = content.image.as_ref().map_or(0, |i| i.meta.position.index.saturating_sub(1));
            let log = &mut content.log;
            let count = through.min(spared).saturating_sub(log.base.index) as usize;
            if let Some(LogEntry { index, term, .. }) =
                log.entries.drain(..count.min(log.entries.len())).next_back()
            {
                log.base = kvorum_core::storage::LogPosition { index, term };
            }
        })
    }

    fn create_image(&mut self, meta: &ImageMeta) -> Result<Box<dyn ImageSink>> {
        self.write(|_| {})?;
        let image = Image { meta: meta.clone(), chunks: Vec::new() };
        Ok(Box::new(Sink { content: self.content.clone(), turn: self.turn, image }))
    }

    fn open_image(&mut self) -> Result<Option<Box<dyn ImageSource>>> {
        let image = self.content.lock().image.clone();
        Ok(image.map(|image| Box::new(Source { image, next: 0 }) as Box<dyn ImageSource>))
    }
}

struct Sink {
    content: Arc<Mutex<Content>>,
    turn: u64,
    image: Image,
}

impl ImageSink for Sink {
    fn write(&mut self, chunk: &[u8]) -> Result<()> {
        write(&self.content, self.turn, |_| {})?;
        self.image.chunks.push(Bytes::copy_from_slice(chunk));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Sink { content, turn, image } = *self;
        write(&content, turn, |content| {
            // Two may be under way; the newest counts, whichever ends last.
            let newest = content.image.as_ref().map_or(0, |i| i.meta.position.index);
            if image.meta.position.index >= newest {
                content.image = Some(image);
            }
        })
    }
}

struct Source {
    image: Image,
    next: usize,
}

impl ImageSource for Source {
    fn meta(&self) -> &ImageMeta {
        &self.image.meta
    }

    fn size(&self) -> u64 {
        self.image.chunks.iter().map(|c| c.len() as u64).sum()
    }

    fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        self.next += 1;
        Ok(self.image.chunks.get(self.next - 1).cloned())
    }
}
