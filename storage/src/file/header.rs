//! The first sector of a segment: see FORMAT.md, "Header".

use bytes::Bytes;
use kvorum_core::storage::{HardState, LogPosition};
use kvorum_core::{ErrorKind, Result};

use super::sector::SECTOR;
use super::take::Take;

const MAGIC: &[u8; 8] = b"KVORUMWL";
const VERSION: u32 = 1;
const SUM: usize = SECTOR - 4;

/// What a segment says about itself and about all before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// Its number.
    pub(super) number: u64,
    /// Seeds the checksums of its sectors.
    pub(super) salt: u64,
    /// The directory it belongs to; 0: made before there was an identity.
    pub(super) directory: u64,
    /// How many bytes were synced before it got its name.
    pub(super) born: u64,
    /// Through which byte the segment before this one counts.
    pub(super) previous_end: u64,
    /// The number of the first group.
    pub(super) group: u64,
    /// The end of the log before this segment.
    pub(super) last: LogPosition,
    /// The hard state before this segment.
    pub(super) hard_state: HardState,
}

/// The name of a segment's file.
pub(super) fn name_of(number: u64) -> String {
    format!("log-{number:020}.wal")
}

/// The number in a segment's name.
pub(super) fn number_in(name: &str) -> Option<u64> {
    let number = name.strip_prefix("log-")?.strip_suffix(".wal")?.parse().ok()?;
    (name_of(number) == name).then_some(number)
}

impl Header {
    /// As it lies in the file.
    pub(super) fn encode(&self) -> [u8; SECTOR] {
        let mut bytes = Vec::with_capacity(SECTOR);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let (last, hard) = (self.last, self.hard_state);
        for number in [
            self.number,
            self.salt,
            self.directory,
            self.born,
            self.previous_end,
            self.group,
            last.index,
            last.term,
            hard.term,
            hard.vote,
            hard.commit,
        ] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let mut sector = [0; SECTOR];
        sector[..bytes.len()].copy_from_slice(&bytes);
        let sum = crc32c::crc32c(&sector[..SUM]);
        sector[SUM..].copy_from_slice(&sum.to_le_bytes());
        sector
    }

    /// Reads the header of the file at `path`, whose name says `number`.
    pub(super) fn decode(sector: &[u8], number: u64, path: &str) -> Result<Header> {
        let corrupt =
            |reason: &str| ErrorKind::Corrupt { path: path.into(), offset: 0, reason: reason.into() };
        if sector.len() < SECTOR {
            return Err(corrupt("the segment is shorter than its header").into());
        }
        if crc32c::crc32c(&sector[..SUM]).to_le_bytes() != sector[SUM..SECTOR] {
            return Err(corrupt("the header's checksum is wrong").into());
        }
        let mut take = Take(Bytes::copy_from_slice(sector));
        if take.bytes(8).as_deref() != Some(MAGIC) {
            return Err(corrupt("this is not a segment of the log").into());
        }
        let version = take.u32().unwrap_or(0);
        if version != VERSION {
            let path = path.into();
            return Err(ErrorKind::Version { path, found: version, supported: VERSION }.into());
        }
        let header = Header::fields(&mut take).ok_or_else(|| corrupt("the header is too short"))?;
        if header.number != number {
            return Err(corrupt("the segment has another one's name").into());
        }
        let whole = |n: u64| n >= SECTOR as u64 && n.is_multiple_of(SECTOR as u64);
        if !whole(header.born) || (header.previous_end != 0 && !whole(header.previous_end)) {
            return Err(corrupt("the header contradicts itself").into());
        }
        Ok(header)
    }

    fn fields(take: &mut Take) -> Option<Header> {
        Some(Header {
            number: take.u64()?,
            salt: take.u64()?,
            directory: take.u64()?,
            born: take.u64()?,
            previous_end: take.u64()?,
            group: take.u64()?,
            last: LogPosition { index: take.u64()?, term: take.u64()? },
            hard_state: HardState { term: take.u64()?, vote: take.u64()?, commit: take.u64()? },
        })
    }
}

/// A salt: the same inputs give the same, so that a simulated run can be repeated; two segments of one
/// directory, or of two, hardly ever have the same.
pub(super) fn salt(parts: [u64; 4]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |hash: u64, part| {
        let mixed = (hash ^ part).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 32)
    })
}
