//! What pages look like: their heads, their entries, and the two metas.

use super::write::Shape;

/// A page begins with: its number (8), what it is (2), how many entries it has (2), how many pages it runs on over (4).
pub(super) const HEAD: usize = 16;
/// An entry of a leaf: what it is (4), where its key lies, from here (4), how long key (4) and value (4) are. One of a
/// branch: where its key lies (4), how long it is (4), the page (8).
pub(super) const ENTRY: usize = 16;

pub(super) const BRANCH: u16 = 1;
pub(super) const LEAF: u16 = 2;
pub(super) const META: u16 = 4;
pub(super) const FREE_LIST: u16 = 16;

/// What an entry of a leaf is: the value of this one is a bucket.
pub(super) const IS_BUCKET: u32 = 1;

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
/// A meta's bytes, and those that its checksum covers.
pub(super) const META_LEN: usize = 64;
const SUMMED: usize = 56;

/// What a meta says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) page_size: u32,
    /// Where the tree of buckets begins.
    pub(super) root: u64,
    /// The first page that is not there.
    pub(super) end: u64,
    pub(super) transaction: u64,
}

impl Meta {
    /// Reads one, if it is one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Meta> {
        let is_ours = u32_at(bytes, 0)? == MAGIC && u32_at(bytes, 4)? == VERSION;
        let sum = checksum(bytes.get(..SUMMED)?);
        let page_size = u32_at(bytes, 8)?;
        let is_size = page_size.is_power_of_two() && (512..=1 << 16).contains(&page_size);
        if !is_ours || sum != u64_at(bytes, SUMMED)? || !is_size {
            return None;
        }
        let (root, end, transaction) = (u64_at(bytes, 16)?, u64_at(bytes, 40)?, u64_at(bytes, 48)?);
        Some(Meta { page_size, root, end, transaction })
    }

    fn encode(&self) -> [u8; META_LEN] {
        let mut bytes = [0; META_LEN];
        let numbers = [
            u64::from(MAGIC) | u64::from(VERSION) << 32,
            // With flags, of which there are none.
            u64::from(self.page_size),
            self.root,
            // The sequence of the tree of buckets.
            0,
            FREE_PAGE,
            self.end,
            self.transaction,
        ];
        for (at, number) in numbers.iter().enumerate() {
            bytes[at * 8..at * 8 + 8].copy_from_slice(&number.to_le_bytes());
        }
        let sum = checksum(&bytes[..SUMMED]);
        bytes[SUMMED..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }
}

/// Where the free list lies.
const FREE_PAGE: u64 = 2;

/// The first three pages of a file that is to be this.
pub(super) fn first_pages(shape: Shape) -> Vec<u8> {
    let page = super::PAGE;
    let mut bytes = vec![0; 3 * page];
    for id in 0..2 {
        bytes[id * page..][..HEAD].copy_from_slice(&head(id as u64, META, 0, 0));
        // The meta of transaction n lies in page n modulo 2.
        let (root, end) = (shape.root, shape.pages);
        let meta = Meta { page_size: page as u32, root, end, transaction: 2 - id as u64 };
        bytes[id * page + HEAD..][..META_LEN].copy_from_slice(&meta.encode());
    }
    bytes[2 * page..][..HEAD].copy_from_slice(&head(FREE_PAGE, FREE_LIST, 0, 0));
    bytes
}

/// A page's head.
pub(super) fn head(id: u64, kind: u16, count: u16, overflow: u32) -> [u8; HEAD] {
    let mut bytes = [0; HEAD];
    bytes[..8].copy_from_slice(&id.to_le_bytes());
    bytes[8..10].copy_from_slice(&kind.to_le_bytes());
    bytes[10..12].copy_from_slice(&count.to_le_bytes());
    bytes[12..].copy_from_slice(&overflow.to_le_bytes());
    bytes
}

/// FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    let start: u64 = 0xcbf2_9ce4_8422_2325;
    bytes.iter().fold(start, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
