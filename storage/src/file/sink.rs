//! Writing an image, beside the log.

use std::io;
use std::sync::Arc;

use kvorum_core::planted;
use kvorum_core::storage::{ImageMeta, ImageSink, LogPosition};
use kvorum_core::{ErrorKind, Result};
use parking_lot::Mutex;

use super::health::Health;
use super::image::{Footer, MAX_CHUNK, chunk_head, encode_header, name_of};
use crate::disk::{Disk, DiskFile};

/// How many whole images are kept.
const KEPT: usize = 2;

/// The images that are known to be whole (or, since the start, not known to be damaged), oldest first.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) whole: Vec<LogPosition>,
    /// Found damaged; kept for whoever wants to look, until newer ones have come.
    pub(super) damaged: Vec<LogPosition>,
    /// Read through once already, every checksum right, or written by this process: not read through again before they
    /// are handed out. That takes seconds for a large one, in which nothing else is written.
    pub(super) verified: Vec<LogPosition>,
    /// So that no two images being written have the same name.
    pub(super) count: u64,
}

impl Shelf {
    pub(super) fn newest_first(&self) -> Vec<LogPosition> {
        let mut all: Vec<LogPosition> = self.whole.iter().chain(&self.damaged).copied().collect();
        all.sort_by_key(|p| std::cmp::Reverse((p.index, p.term)));
        all
    }

    pub(super) fn condemn(&mut self, position: LogPosition) {
        self.whole.retain(|p| *p != position);
        self.verified.retain(|p| *p != position);
        if !self.damaged.contains(&position) {
            self.damaged.push(position);
        }
    }

    /// A reader met with damage: before it is handed out again, it is read through.
    pub(super) fn doubt(&mut self, position: LogPosition) {
        if !planted!("damage_is_forgotten") {
            self.verified.retain(|p| *p != position);
        }
    }

    /// Adds a new one; returns those that may go.
    fn add(&mut self, position: LogPosition) -> Vec<LogPosition> {
        self.damaged.retain(|p| *p != position);
        self.whole.retain(|p| *p != position);
        self.whole.push(position);
        if !self.verified.contains(&position) {
            self.verified.push(position);
        }
        self.whole.sort_by_key(|p| (p.index, p.term));
        let mut gone: Vec<LogPosition> = self.whole.drain(..self.whole.len().saturating_sub(KEPT)).collect();
        if self.whole.len() == KEPT {
            let oldest = self.whole[0].index;
            gone.extend(self.damaged.extract_if(.., |p| p.index < oldest));
        }
        self.verified.retain(|p| !gone.contains(p));
        gone
    }
}

/// An image being written.
pub(super) struct Sink {
    disk: Arc<dyn Disk>,
    health: Health,
    shelf: Arc<Mutex<Shelf>>,
    position: LogPosition,
    aside: String,
    file: Box<dyn DiskFile>,
    header_sum: u32,
    footer: Footer,
    written: u64,
    unsynced: u64,
    sync_bytes: u64,
    buffer: Vec<u8>,
    /// It has its name, or was given up: nothing to clean up.
    over: bool,
    /// A chunk was refused, so the image would lack it.
    lacking: bool,
}

impl Sink {
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        health: Health,
        shelf: Arc<Mutex<Shelf>>,
        meta: &ImageMeta,
        sync_bytes: u64,
    ) -> Result<Sink> {
        health.check()?;
        let count = {
            let mut shelf = shelf.lock();
            shelf.count += 1;
            shelf.count
        };
        let position = meta.position;
        let aside = format!("{}.{count}.tmp", name_of(position));
        let (header, header_sum) = encode_header(meta);
        let made = disk.create(&aside).and_then(|mut file| file.append(&header).map(|()| file));
        let file = health.watch(made, || format!("making {}", disk.describe(&aside)))?;
        let written = header.len() as u64;
        Ok(Sink {
            disk,
            health,
            shelf,
            position,
            aside,
            file,
            header_sum,
            footer: Footer::default(),
            written,
            unsynced: written,
            sync_bytes,
            buffer: Vec::new(),
            over: false,
            lacking: false,
        })
    }

    fn watch<T>(&self, result: io::Result<T>) -> Result<T> {
        self.health.watch(result, || format!("writing {}", self.disk.describe(&self.aside)))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let done = self.file.append(bytes);
        self.watch(done)?;
        self.written += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        let done = self.file.sync();
        self.watch(done)?;
        self.unsynced = 0;
        Ok(())
    }

    /// Removes what the new image makes superfluous, one by one, the oldest first.
    fn tidy(&self) -> Result<()> {
        let gone = self.shelf.lock().add(self.position);
        for position in gone {
            let removed = self.disk.remove(&name_of(position)).and_then(|()| self.disk.sync_dir());
            self.watch(removed)?;
        }
        Ok(())
    }
}

impl ImageSink for Sink {
    fn write(&mut self, chunk: &[u8]) -> Result<()> {
        self.health.check()?;
        if chunk.is_empty() || chunk.len() > MAX_CHUNK {
            self.lacking = true;
            return Err(ErrorKind::TooLarge { size: chunk.len(), limit: MAX_CHUNK }.into());
        }
        let (head, sum) = chunk_head(self.header_sum, self.footer.chunks, chunk);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.extend_from_slice(&head);
        buffer.extend_from_slice(chunk);
        self.put(&buffer)?;
        self.buffer = buffer;
        self.footer.add(chunk.len(), sum);
        if self.unsynced >= self.sync_bytes { self.sync() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.health.check()?;
        if self.lacking {
            let action = format!("finishing {}", self.disk.describe(&self.aside));
            return Err(ErrorKind::Io { action, reason: "a chunk of it was refused".into() }.into());
        }
        self.footer.file = self.written + super::image::FOOTER as u64;
        let footer = self.footer.encode(self.header_sum);
        self.put(&footer)?;
        if !planted!("name_image_before_sync") {
            self.sync()?;
        }
        let renamed = self.disk.rename(&self.aside, &name_of(self.position));
        let named = renamed.and_then(|()| {
            self.over = true;
            self.disk.sync_dir()
        });
        self.watch(named)?;
        self.tidy()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // After a failure nothing is touched any more; the next start removes it.
        if !self.over && self.health.check().is_ok() {
            let _ = self.disk.remove(&self.aside);
        }
    }
}
