//! Reading an image.

use bytes::Bytes;
use kvorum_core::storage::{ImageMeta, ImageSource, LogPosition};
use kvorum_core::{Error, ErrorKind, Result};

use super::health::cannot_read;
use super::image::{
    CHUNK_HEAD, FOOTER, Footer, HEADER_START, HeaderSays, VERSION, chunk_is, decode_header, header_length,
    name_of, read_chunk_head,
};
use crate::disk::{Disk, DiskFile};

/// An image being read.
pub(super) struct Source {
    path: String,
    file: Box<dyn DiskFile>,
    meta: ImageMeta,
    header_sum: u32,
    footer: Footer,
    /// What was read so far; must come out as the footer.
    seen: Footer,
    first: u64,
    at: u64,
    /// Where the footer begins.
    end: u64,
}

fn corrupt(path: &str, offset: u64, reason: &str) -> Error {
    ErrorKind::Corrupt { path: path.into(), offset, reason: reason.into() }.into()
}

/// Reads `length` bytes, of which the caller knows that the file has them.
fn read(file: &mut dyn DiskFile, path: &str, at: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.read_at(&mut bytes, at).map_err(|e| cannot_read(path, &e))?;
    Ok(bytes)
}

fn header(file: &mut dyn DiskFile, path: &str, size: u64) -> Result<(ImageMeta, u32, u64)> {
    let damaged = || corrupt(path, 0, "the image's header is damaged");
    if size < (HEADER_START + FOOTER) as u64 {
        return Err(corrupt(path, size, "the image is too short"));
    }
    let start = read(file, path, 0, HEADER_START)?;
    let length = header_length(&start).filter(|l| *l as u64 <= size).ok_or_else(damaged)?;
    match decode_header(&read(file, path, 0, length)?).ok_or_else(damaged)? {
        HeaderSays::Meta(meta, sum) => Ok((meta, sum, length as u64)),
        HeaderSays::Newer(found) => {
            Err(ErrorKind::Version { path: path.into(), found, supported: VERSION }.into())
        }
    }
}

impl Source {
    /// Opens the image at this position and checks its header, its size and its footer.
    pub(super) fn open(disk: &dyn Disk, position: LogPosition) -> Result<Source> {
        let path = disk.describe(&name_of(position));
        let mut file = disk.open(&name_of(position)).map_err(|e| cannot_read(&path, &e))?;
        let size = file.size().map_err(|e| cannot_read(&path, &e))?;
        let (meta, header_sum, first) = header(&mut *file, &path, size)?;
        if meta.position != position {
            return Err(corrupt(&path, 0, "the image has another one's name"));
        }
        let end = size.saturating_sub(FOOTER as u64).max(first);
        let mut footer = [0; FOOTER];
        if end + FOOTER as u64 != size {
            return Err(corrupt(&path, first, "the image's footer is missing"));
        }
        file.read_at(&mut footer, end).map_err(|e| cannot_read(&path, &e))?;
        let footer = Footer::decode(&footer, header_sum).filter(|f| f.file == size);
        let footer = footer.ok_or_else(|| corrupt(&path, end, "the image's footer is damaged"))?;
        let seen = Footer { file: size, ..Footer::default() };
        Ok(Source { path, file, meta, header_sum, footer, seen, first, at: first, end })
    }

    /// Reads all chunks and goes back to the first.
    pub(super) fn verify(&mut self) -> Result<()> {
        while self.next_chunk()?.is_some() {}
        self.at = self.first;
        self.seen = Footer { file: self.footer.file, ..Footer::default() };
        Ok(())
    }

    fn damaged(&self, reason: &str) -> Error {
        corrupt(&self.path, self.at, reason)
    }

    fn head(&mut self) -> Result<(usize, u32)> {
        let left = self.end - self.at;
        let mut head = [0; CHUNK_HEAD];
        if left < CHUNK_HEAD as u64 {
            return Err(self.damaged("a chunk's head is cut off"));
        }
        self.file.read_at(&mut head, self.at).map_err(|e| cannot_read(&self.path, &e))?;
        read_chunk_head(head)
            .filter(|(length, _)| (CHUNK_HEAD + length) as u64 <= left)
            .ok_or_else(|| self.damaged("a chunk's length is impossible"))
    }
}

impl ImageSource for Source {
    fn meta(&self) -> &ImageMeta {
        &self.meta
    }

    fn size(&self) -> u64 {
        self.footer.data
    }

    fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        if self.at == self.end {
            let all = self.seen == self.footer;
            return if all { Ok(None) } else { Err(self.damaged("chunks are missing, or there are others")) };
        }
        let (length, sum) = self.head()?;
        let data = read(&mut *self.file, &self.path, self.at + CHUNK_HEAD as u64, length)?;
        if !chunk_is(self.header_sum, self.seen.chunks, sum, &data) {
            return Err(self.damaged("a chunk's checksum is wrong"));
        }
        self.seen.add(length, sum);
        self.at += (CHUNK_HEAD + length) as u64;
        Ok(Some(Bytes::from(data)))
    }
}
