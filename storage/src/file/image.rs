//! The bytes of an image file: see FORMAT.md, "An image".

use bytes::Bytes;
use kvorum_core::ids::NodeId;
use kvorum_core::storage::{ImageMeta, LogPosition};

use super::take::Take;

/// The largest chunk.
pub(super) const MAX_CHUNK: usize = 1 << 20;
/// Before a chunk's data.
pub(super) const CHUNK_HEAD: usize = 8;
/// How much of the header says how long it is.
pub(super) const HEADER_START: usize = 16;
/// The footer's size.
pub(super) const FOOTER: usize = 40;
/// The newest version known.
pub(super) const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"KVORUMIM";
const END_MAGIC: &[u8; 8] = b"KVORUMIE";
const FIXED: usize = HEADER_START + 8 + 8 + 32 + 4 + 4 + 4;

/// The name of an image's file.
pub(super) fn name_of(position: LogPosition) -> String {
    format!("image-{:020}-{:020}.img", position.index, position.term)
}

/// The position in an image's name.
pub(super) fn position_in(name: &str) -> Option<LogPosition> {
    let (index, term) = name.strip_prefix("image-")?.strip_suffix(".img")?.split_once('-')?;
    let position = LogPosition { index: index.parse().ok()?, term: term.parse().ok()? };
    (name_of(position) == name).then_some(position)
}

/// The header, and its checksum, which binds all other checksums to it.
pub(super) fn encode_header(meta: &ImageMeta) -> (Vec<u8>, u32) {
    let ids = meta.voters.len() + meta.learners.len();
    let length = FIXED + 8 * ids;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
    bytes.extend_from_slice(&meta.position.index.to_le_bytes());
    bytes.extend_from_slice(&meta.position.term.to_le_bytes());
    bytes.extend_from_slice(&meta.hash);
    bytes.extend_from_slice(&(meta.voters.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(meta.learners.len() as u32).to_le_bytes());
    for id in meta.voters.iter().chain(&meta.learners) {
        bytes.extend_from_slice(&id.to_le_bytes());
    }
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    (bytes, sum)
}

/// How long the header that starts like this says it is.
pub(super) fn header_length(start: &[u8]) -> Option<usize> {
    let mut take = Take(Bytes::copy_from_slice(start));
    if take.bytes(8)? != MAGIC[..] {
        return None;
    }
    take.u32()?;
    take.u32().map(|length| length as usize).filter(|length| *length >= HEADER_START + 4)
}

/// What a header says.
pub(super) enum HeaderSays {
    /// What the image is of, and the header's checksum.
    Meta(ImageMeta, u32),
    /// It was written by a newer build.
    Newer(u32),
}

/// Reads a whole header; `None`: it is damaged.
pub(super) fn decode_header(bytes: &[u8]) -> Option<HeaderSays> {
    let (said, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    let sum = u32::from_le_bytes(sum.try_into().ok()?);
    if crc32c::crc32c(said) != sum {
        return None;
    }
    let mut take = Take(Bytes::copy_from_slice(said));
    take.bytes(8)?;
    let version = take.u32()?;
    if version != VERSION {
        return Some(HeaderSays::Newer(version));
    }
    take.u32()?;
    let meta = meta(&mut take)?;
    take.is_empty().then_some(HeaderSays::Meta(meta, sum))
}

fn meta(take: &mut Take) -> Option<ImageMeta> {
    let position = LogPosition { index: take.u64()?, term: take.u64()? };
    let hash = take.bytes(32)?.as_ref().try_into().ok()?;
    let (voters, learners) = (take.u32()?, take.u32()?);
    Some(ImageMeta { position, hash, voters: ids(take, voters)?, learners: ids(take, learners)? })
}

/// Grows as ids are found, not as the count says.
fn ids(take: &mut Take, count: u32) -> Option<Vec<NodeId>> {
    (0..count).map(|_| take.u64()).collect()
}

/// Length and checksum before the data of chunk `number`.
pub(super) fn chunk_head(header_sum: u32, number: u64, data: &[u8]) -> ([u8; CHUNK_HEAD], u32) {
    let length = (data.len() as u32).to_le_bytes();
    let sum = chunk_sum(header_sum, number, length, data);
    let mut head = [0; CHUNK_HEAD];
    head[..4].copy_from_slice(&length);
    head[4..].copy_from_slice(&sum.to_le_bytes());
    (head, sum)
}

fn chunk_sum(header_sum: u32, number: u64, length: [u8; 4], data: &[u8]) -> u32 {
    let seed = header_sum.wrapping_add(number as u32);
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &length), data)
}

/// Length and checksum that a chunk's head says; `None` if no chunk has such a length.
pub(super) fn read_chunk_head(head: [u8; CHUNK_HEAD]) -> Option<(usize, u32)> {
    let [a, b, c, d, e, f, g, h] = head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    (1..=MAX_CHUNK).contains(&length).then_some((length, u32::from_le_bytes([e, f, g, h])))
}

/// Whether this is the data of chunk `number`.
pub(super) fn chunk_is(header_sum: u32, number: u64, sum: u32, data: &[u8]) -> bool {
    chunk_sum(header_sum, number, (data.len() as u32).to_le_bytes(), data) == sum
}

/// What lies behind the last chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Footer {
    /// How many chunks there are.
    pub(super) chunks: u64,
    /// The bytes of their data.
    pub(super) data: u64,
    /// The bytes of the whole file.
    pub(super) file: u64,
    /// The checksum over the checksums of all chunks.
    pub(super) sums: u32,
}

impl Footer {
    /// Counts a chunk.
    pub(super) fn add(&mut self, length: usize, sum: u32) {
        self.chunks += 1;
        self.data += length as u64;
        self.sums = crc32c::crc32c_append(self.sums, &sum.to_le_bytes());
    }

    /// As it lies in the file.
    pub(super) fn encode(&self, header_sum: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FOOTER);
        bytes.extend_from_slice(END_MAGIC);
        bytes.extend_from_slice(&self.chunks.to_le_bytes());
        bytes.extend_from_slice(&self.data.to_le_bytes());
        bytes.extend_from_slice(&self.file.to_le_bytes());
        bytes.extend_from_slice(&self.sums.to_le_bytes());
        let sum = crc32c::crc32c_append(header_sum, &bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads one; `None`: it is damaged.
    pub(super) fn decode(bytes: &[u8; FOOTER], header_sum: u32) -> Option<Footer> {
        let (said, sum) = bytes.split_at(FOOTER - 4);
        if crc32c::crc32c_append(header_sum, said).to_le_bytes() != sum {
            return None;
        }
        let mut take = Take(Bytes::copy_from_slice(said));
        let magic = take.bytes(8)? == END_MAGIC[..];
        let footer = Footer { chunks: take.u64()?, data: take.u64()?, file: take.u64()?, sums: take.u32()? };
        magic.then_some(footer)
    }
}
