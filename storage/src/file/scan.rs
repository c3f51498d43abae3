//! Reading one segment: which groups are whole, and what the rest is. See FORMAT.md, "Reading it back".

use bytes::Bytes;
use kvorum_core::planted;
use kvorum_core::{Error, ErrorKind, Result};

use super::header::Header;
use super::health::cannot_read;
use super::record::GROUP_HEAD;
use super::sector::{BODY, Look, SECTOR, body, look, stamp_of};
use crate::disk::DiskFile;

/// How much is read at once.
const WINDOW: usize = 1 << 20;

/// A file that is read by sectors.
pub(super) struct Sectors {
    file: Box<dyn DiskFile>,
    path: String,
    size: u64,
    window: Vec<u8>,
    from: u64,
}

impl Sectors {
    pub(super) fn new(mut file: Box<dyn DiskFile>, path: String) -> Result<Sectors> {
        let size = file.size().map_err(|e| cannot_read(&path, &e))?;
        Ok(Sectors { file, path, size, window: Vec::new(), from: 0 })
    }

    /// The sector at byte `at`; shorter if the file ends in it.
    pub(super) fn at(&mut self, at: u64) -> Result<&[u8]> {
        let length = (self.size.saturating_sub(at)).min(SECTOR as u64) as usize;
        let inside = at >= self.from && at + length as u64 <= self.from + self.window.len() as u64;
        if !inside {
            let wanted = (self.size.saturating_sub(at)).min(WINDOW as u64) as usize;
            self.window.resize(wanted, 0);
            self.from = at;
            self.file.read_at(&mut self.window, at).map_err(|e| cannot_read(&self.path, &e))?;
        }
        let start = (at - self.from) as usize;
        Ok(&self.window[start..start + length])
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn into_file(self) -> Box<dyn DiskFile> {
        self.file
    }
}

/// One whole group.
pub(super) struct Group {
    /// Where it begins.
    pub(super) start: u64,
    /// Where the next one begins.
    pub(super) end: u64,
    /// What it says.
    pub(super) records: Bytes,
}

/// Reads the groups of a segment one by one.
pub(super) struct Scan<'a> {
    pub(super) sectors: &'a mut Sectors,
    pub(super) header: &'a Header,
    /// Through which byte everything must be good. Behind it, what was being written may be torn.
    pub(super) durable: u64,
    /// Where to stop; `None`: at the end of the file.
    pub(super) until: Option<u64>,
    /// Where the next group begins.
    pub(super) at: u64,
    /// The number it must have.
    pub(super) group: u64,
}

impl Scan<'_> {
    pub(super) fn corrupt(&self, offset: u64, reason: &str) -> Error {
        let path = self.sectors.path.clone();
        ErrorKind::Corrupt { path, offset, reason: reason.into() }.into()
    }

    /// The next group; `None` behind the last that counts.
    pub(super) fn next(&mut self) -> Result<Option<Group>> {
        let limit = self.until.unwrap_or(self.sectors.size);
        if self.at == limit {
            return Ok(None);
        }
        match self.whole()? {
            Ok(group) if group.end <= limit => {
                self.at = group.end;
                self.group += 1;
                Ok(Some(group))
            }
            Ok(group) => Err(self.corrupt(group.start, "a group reaches over the segment's end")),
            Err((offset, reason)) if self.at < self.durable => Err(self.corrupt(offset, reason)),
            Err(_) => self.cut(),
        }
    }

    /// The group that begins here, if it is whole; or where it is not, and how.
    fn whole(&mut self) -> Result<std::result::Result<Group, (u64, &'static str)>> {
        let (start, stamp) = (self.at, stamp_of(self.group));
        let mut bytes = Vec::new();
        let mut at = start;
        let mut wanted = GROUP_HEAD as u64;
        while (bytes.len() as u64) < wanted {
            let salt = self.header.salt;
            let sector = self.sectors.at(at)?;
            match look(sector, salt, at / SECTOR as u64) {
                Look::Good(found) if found == stamp => bytes.extend_from_slice(body(sector)),
                Look::Good(_) => return Ok(Err((at, "a sector of another group"))),
                Look::Blank => return Ok(Err((at, "a sector that was acknowledged is missing"))),
                Look::Bad => return Ok(Err((at, "a sector's checksum is wrong"))),
            }
            if at == start {
                match self.length(&bytes) {
                    Some(length) => wanted = length,
                    None => return Ok(Err((start, "a group's head makes no sense"))),
                }
                // Never more than the file has, whatever the head says.
                bytes.reserve_exact((wanted as usize).next_multiple_of(BODY) - bytes.len());
            }
            at += SECTOR as u64;
        }
        let records = Bytes::from(bytes).slice(GROUP_HEAD..wanted as usize);
        Ok(Ok(Group { start, end: at, records }))
    }

    /// How long the group with this first sector is, head included.
    fn length(&self, first: &[u8]) -> Option<u64> {
        let (number, length) = first[..GROUP_HEAD].split_at(8);
        let number = u64::from_le_bytes(number.try_into().ok()?);
        let length = u64::from_le_bytes(length.try_into().ok()?).checked_add(GROUP_HEAD as u64)?;
        (number == self.group && length <= self.sectors.size).then_some(length)
    }

    /// Judges everything from here on: a write that was under way is cut, anything else is damage.
    fn cut(&mut self) -> Result<Option<Group>> {
        if planted!("cut_at_first_bad_record") {
            return Ok(None);
        }
        let stamp = stamp_of(self.group);
        let mut at = self.at;
        while at < self.sectors.size {
            let salt = self.header.salt;
            match look(self.sectors.at(at)?, salt, at / SECTOR as u64) {
                Look::Blank if !planted!("torn_tail_is_damage") => {}
                Look::Blank => return Err(self.corrupt(at, "a torn write")),
                Look::Good(found) if found == stamp => {}
                Look::Good(_) => {
                    return Err(self.corrupt(
                        self.at,
                        "a group is damaged that was acknowledged: there is a later one behind it",
                    ));
                }
                Look::Bad => {
                    return Err(self.corrupt(at, "a sector's checksum is wrong, and it is not a torn write"));
                }
            }
            at += SECTOR as u64;
        }
        Ok(None)
    }
}
