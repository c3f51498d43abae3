//! The sectors that a segment is made of: see FORMAT.md, "Sectors of a group".

/// What the hardware writes whole or not at all.
pub(super) const SECTOR: usize = 512;
/// Checksum and stamp.
const HEAD: usize = 8;
/// What a sector carries.
pub(super) const BODY: usize = SECTOR - HEAD;

/// What a sector turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Never written, or lost with the power.
    Blank,
    /// As it was written, by the group of this stamp.
    Good(u32),
    /// Written, and changed since.
    Bad,
}

/// The mark of a group on its sectors; never zero, so that no written sector is blank.
pub(super) fn stamp_of(group: u64) -> u32 {
    (group as u32) << 1 | 1
}

fn checksum(sector: &[u8], salt: u64, number: u64) -> u32 {
    crc32c::crc32c_append((salt as u32).wrapping_add(number as u32), &sector[4..SECTOR])
}

fn number_at(sector: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([sector[at], sector[at + 1], sector[at + 2], sector[at + 3]])
}

/// Judges the sector that lies at place `number` of a file with this salt. One that the file's end cuts
/// off is blank.
pub(super) fn look(sector: &[u8], salt: u64, number: u64) -> Look {
    if sector.len() < SECTOR || sector.iter().all(|b| *b == 0) {
        return Look::Blank;
    }
    if number_at(sector, 0) != checksum(sector, salt, number) {
        return Look::Bad;
    }
    Look::Good(number_at(sector, 4))
}

/// What a sector carries.
pub(super) fn body(sector: &[u8]) -> &[u8] {
    &sector[HEAD..SECTOR]
}

/// Adds bytes to sectors in the making.
pub(super) fn put(out: &mut Vec<u8>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        if out.len().is_multiple_of(SECTOR) {
            out.extend_from_slice(&[0; HEAD]);
        }
        let room = SECTOR - out.len() % SECTOR;
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        out.extend_from_slice(now);
        bytes = later;
    }
}

/// Fills the last sector up and marks all of them; the first will lie at place `number` of the file.
pub(super) fn seal(out: &mut Vec<u8>, salt: u64, number: u64, stamp: u32) {
    out.resize(out.len().next_multiple_of(SECTOR), 0);
    for (i, sector) in out.chunks_exact_mut(SECTOR).enumerate() {
        sector[4..8].copy_from_slice(&stamp.to_le_bytes());
        let sum = checksum(sector, salt, number + i as u64);
        sector[..4].copy_from_slice(&sum.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sector_is_good_only_at_its_own_place_in_its_own_file() {
        let mut out = Vec::new();
        put(&mut out, &[7; 1200]);
        seal(&mut out, 99, 5, stamp_of(3));
        assert_eq!(out.len(), 3 * SECTOR);
        for (i, sector) in out.chunks(SECTOR).enumerate() {
            assert_eq!(look(sector, 99, 5 + i as u64), Look::Good(stamp_of(3)));
            assert_eq!(look(sector, 99, 6 + i as u64), Look::Bad);
            assert_eq!(look(sector, 98, 5 + i as u64), Look::Bad);
            assert_eq!(look(&sector[..511], 99, 5 + i as u64), Look::Blank);
        }
        assert_eq!(look(&[0; SECTOR], 0, 0), Look::Blank);
    }

    #[test]
    fn no_flipped_bit_goes_unseen_or_looks_blank() {
        let mut out = Vec::new();
        put(&mut out, &[0; BODY]);
        seal(&mut out, 1, 1, stamp_of(0));
        for bit in 0..SECTOR * 8 {
            out[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(look(&out, 1, 1), Look::Bad);
            out[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
