//! A storage of one's own: the log, the images and the identity in a redb database, held against the rules.
//!
//! `cargo run --example own_storage`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use kvorum::storage::{
    Batch, EntryKind, HardState, Identity, ImageMeta, ImageSink, ImageSource, LogEntry, LogPosition,
    Recovered, Storage,
};
use kvorum::storages::conformance;
use kvorum::{ErrorKind, Result};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

/// Index to (term, kind, data).
const LOG: TableDefinition<u64, (u64, u8, &[u8])> = TableDefinition::new("log");
/// Names of numbers to numbers: identity, hard state, base.
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
/// Term, voters, learners, hash.
type Meta = (u64, Vec<u64>, Vec<u64>, [u8; 32]);
/// An image's index to what it is of.
const IMAGES: TableDefinition<u64, Meta> = TableDefinition::new("images");
/// An image's index and a chunk's number to the chunk.
const CHUNKS: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("chunks");

/// A storage in a redb database.
struct RedbStorage {
    place: Arc<Place>,
}

/// What the storage and the images being written share.
struct Place {
    database: Database,
    /// An earlier write failed: rule 3.
    failed: AtomicBool,
}

/// Everything that the database says no to.
fn refused(error: impl std::fmt::Display) -> kvorum::Error {
    ErrorKind::Io { action: "using the redb database".into(), reason: error.to_string() }.into()
}

fn set_numbers(write: &WriteTransaction, numbers: &[(&str, u64)]) -> Result<()> {
    let mut table = write.open_table(NUMBERS).map_err(refused)?;
    for (name, number) in numbers {
        table.insert(name, number).map_err(refused)?;
    }
    Ok(())
}

fn write_batch(write: &WriteTransaction, batch: &Batch) -> Result<()> {
    let mut log = write.open_table(LOG).map_err(refused)?;
    if let Some(base) = batch.reset {
        log.retain(|_, _| false).map_err(refused)?;
        set_numbers(write, &[("base index", base.index), ("base term", base.term)])?;
    }
    if let Some(first) = batch.entries.first() {
        log.retain_in(first.index.., |_, _| false).map_err(refused)?;
    }
    for entry in &batch.entries {
        log.insert(entry.index, (entry.term, entry.kind as u8, &entry.data[..])).map_err(refused)?;
    }
    if let Some(HardState { term, vote, commit }) = batch.hard_state {
        set_numbers(write, &[("term", term), ("vote", vote), ("commit", commit)])?;
    }
    Ok(())
}

impl RedbStorage {
    fn open(path: &Path) -> Result<RedbStorage> {
        let database = Database::create(path).map_err(refused)?;
        Ok(RedbStorage { place: Arc::new(Place { database, failed: AtomicBool::new(false) }) })
    }
}

impl Place {
    /// One transaction: all of it or nothing, durable when it has been committed.
    fn write(&self, act: impl FnOnce(&WriteTransaction) -> Result<()>) -> Result<()> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(refused("an earlier write failed"));
        }
        let transact = || {
            let write = self.database.begin_write().map_err(refused)?;
            act(&write)?;
            write.commit().map_err(refused)
        };
        transact().inspect_err(|_| self.failed.store(true, Ordering::SeqCst))
    }

    fn read(&self) -> Result<ReadTransaction> {
        self.database.begin_read().map_err(refused)
    }
}

impl Storage for RedbStorage {
    fn recover(&mut self) -> Result<Recovered> {
        // Tables exist from the first write transaction on that opens them.
        self.place.write(|write| {
            write.open_table(LOG).map_err(refused)?;
            write.open_table(NUMBERS).map_err(refused)?;
            write.open_table(IMAGES).map_err(refused)?;
            write.open_table(CHUNKS).map_err(refused).map(drop)
        })?;
        let read = self.place.read()?;
        let numbers = read.open_table(NUMBERS).map_err(refused)?;
        let known =
            |name| -> Result<Option<u64>> { Ok(numbers.get(name).map_err(refused)?.map(|n| n.value())) };
        let number = |name| -> Result<u64> { Ok(known(name)?.unwrap_or(0)) };
        let identity = match known("cluster")? {
            None => None,
            Some(cluster) => Some(Identity {
                cluster,
                node: number("node")?,
                directory: number("directory")?,
                incarnation: number("incarnation")?,
            }),
        };
        let hard_state =
            HardState { term: number("term")?, vote: number("vote")?, commit: number("commit")? };
        let base = LogPosition { index: number("base index")?, term: number("base term")? };
        let mut entries = Vec::new();
        for row in read.open_table(LOG).map_err(refused)?.iter().map_err(refused)? {
            let (index, row) = row.map_err(refused)?;
            let (term, kind, data) = row.value();
            let kind = if kind == 1 { EntryKind::Membership } else { EntryKind::Command };
            entries.push(LogEntry { index: index.value(), term, kind, data: Bytes::copy_from_slice(data) });
        }
        let log_bytes = entries.iter().map(|entry| entry.data.len() as u64).sum();
        Ok(Recovered { identity, hard_state, base, entries, log_bytes })
    }

    fn set_identity(&mut self, identity: &Identity) -> Result<()> {
        let Identity { cluster, node, directory, incarnation } = *identity;
        let numbers =
            [("cluster", cluster), ("node", node), ("directory", directory), ("incarnation", incarnation)];
        self.place.write(|write| set_numbers(write, &numbers))
    }

    fn append(&mut self, batches: &[Batch]) -> Result<u64> {
        self.place.write(|write| batches.iter().try_for_each(|batch| write_batch(write, batch)))?;
        Ok(batches.iter().map(Batch::size).sum())
    }

    fn drop_head(&mut self, through: u64) -> Result<()> {
        self.place.write(|write| {
            // The image needs the entry at it.
            let images = write.open_table(IMAGES).map_err(refused)?;
            let oldest = images.first().map_err(refused)?.map_or(0, |(index, _)| index.value());
            let through = through.min(oldest.saturating_sub(1));
            let mut log = write.open_table(LOG).map_err(refused)?;
            let Some(term) = log.get(through).map_err(refused)?.map(|row| row.value().0) else {
                return Ok(());
            };
            log.retain_in(..=through, |_, _| false).map_err(refused)?;
            set_numbers(write, &[("base index", through), ("base term", term)])
        })
    }

    fn create_image(&mut self, meta: &ImageMeta) -> Result<Box<dyn ImageSink>> {
        Ok(Box::new(Sink { place: self.place.clone(), meta: meta.clone(), chunks: Vec::new() }))
    }

    fn open_image(&mut self) -> Result<Option<Box<dyn ImageSource>>> {
        let read = self.place.read()?;
        let images = read.open_table(IMAGES).map_err(refused)?;
        let Some((index, row)) = images.last().map_err(refused)? else { return Ok(None) };
        let (term, voters, learners, hash) = row.value();
        let position = LogPosition { index: index.value(), term };
        let mut chunks = Vec::new();
        let table = read.open_table(CHUNKS).map_err(refused)?;
        for row in table.range((position.index, 0)..=(position.index, u64::MAX)).map_err(refused)? {
            chunks.push(Bytes::copy_from_slice(row.map_err(refused)?.1.value()));
        }
        let meta = ImageMeta { position, voters, learners, hash };
        let size = chunks.iter().map(|c| c.len() as u64).sum();
        Ok(Some(Box::new(Source { meta, size, chunks: chunks.into_iter() })))
    }
}

/// Collects the chunks and writes them in one transaction. A storage for large images would write them as
/// they come, under a name that is not yet visible.
struct Sink {
    place: Arc<Place>,
    meta: ImageMeta,
    chunks: Vec<Bytes>,
}

impl ImageSink for Sink {
    fn write(&mut self, chunk: &[u8]) -> Result<()> {
        self.chunks.push(Bytes::copy_from_slice(chunk));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Sink { place, meta, chunks } = *self;
        let index = meta.position.index;
        place.write(|write| {
            // Only one image is kept here; FileStorage keeps two.
            let mut images = write.open_table(IMAGES).map_err(refused)?;
            images.retain(|_, _| false).map_err(refused)?;
            images
                .insert(index, (meta.position.term, meta.voters, meta.learners, meta.hash))
                .map_err(refused)?;
            let mut table = write.open_table(CHUNKS).map_err(refused)?;
            table.retain(|_, _| false).map_err(refused)?;
            for (number, chunk) in chunks.iter().enumerate() {
                table.insert((index, number as u64), &chunk[..]).map_err(refused)?;
            }
            Ok(())
        })
    }
}

struct Source {
    meta: ImageMeta,
    size: u64,
    /// Those still to come.
    chunks: std::vec::IntoIter<Bytes>,
}

impl ImageSource for Source {
    fn meta(&self) -> &ImageMeta {
        &self.meta
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        Ok(self.chunks.next())
    }
}

fn main() {
    let root = std::env::temp_dir().join(format!("kvorum-own-storage-{}", std::process::id()));
    std::fs::create_dir_all(&root).expect("a directory for the databases");
    for (number, (rule, check)) in conformance::CHECKS.iter().enumerate() {
        let path = root.join(format!("{number}.redb"));
        check(&mut || RedbStorage::open(&path).expect("a database"));
        println!("ok: {rule}");
    }
    std::fs::remove_dir_all(&root).expect("the databases can be removed");
    println!("a storage over redb keeps all {} rules", conformance::CHECKS.len());
}
