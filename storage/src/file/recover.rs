//! From the segments to the log, and to a place to go on writing. See FORMAT.md, "Reading it back".

use std::sync::Arc;

use kvorum_core::storage::{HardState, Identity, LogPosition};
use kvorum_core::{ErrorKind, Result};

use super::header::{Header, name_of};
use super::health::{Health, cannot_read};
use super::replay::Replay;
use super::scan::{Group, Scan, Sectors};
use super::sector::SECTOR;
use super::wal::{Birth, Segment, Wal};
use crate::disk::Disk;

/// What the last segment was found to be.
struct Tail {
    file: Sectors,
    header: Header,
    /// The last group, and the state before it.
    last: Option<(Group, (LogPosition, HardState))>,
    /// The number of the next group.
    group: u64,
}

/// Reads all segments; what comes back can be written to.
pub(super) fn recover(
    disk: &Arc<dyn Disk>,
    health: &Health,
    numbers: &[u64],
    identity: Option<&Identity>,
    segment_bytes: u64,
) -> Result<(Replay, Wal)> {
    let headers = headers(disk, numbers, identity)?;
    let mut wal = Wal::new(disk.clone(), health.clone(), segment_bytes);
    wal.set_owner(identity);
    let Some((first, _)) = headers.first() else { return Ok((Replay::default(), wal)) };
    let mut replay = Replay::begin(first.last, first.hard_state, first.number > 1);
    let mut group = first.group;
    for (i, (header, _)) in headers.iter().enumerate() {
        let path = disk.describe(&name_of(header.number));
        if replay.state() != (header.last, header.hard_state) || group != header.group {
            let reason = "the segment does not follow the one before".into();
            return Err(ErrorKind::Corrupt { path, offset: 0, reason }.into());
        }
        let file = open(disk, header.number)?;
        match headers.get(i + 1) {
            Some((next, _)) => {
                group = middle(file, header, next, &mut replay)?;
                replay.bytes += next.previous_end;
            }
            None => {
                replay.bytes += file.size();
                let tail = tail(file, header, &mut replay)?;
                go_on(&mut wal, numbers, tail, &replay)?;
            }
        }
    }
    wal.resume(&replay);
    Ok((replay, wal))
}

fn open(disk: &Arc<dyn Disk>, number: u64) -> Result<Sectors> {
    let path = disk.describe(&name_of(number));
    let file = disk.open(&name_of(number)).map_err(|e| cannot_read(&path, &e))?;
    Sectors::new(file, path)
}

/// Reads and judges all headers.
fn headers(
    disk: &Arc<dyn Disk>,
    numbers: &[u64],
    identity: Option<&Identity>,
) -> Result<Vec<(Header, String)>> {
    let mut headers: Vec<(Header, String)> = Vec::new();
    for number in numbers {
        let path = disk.describe(&name_of(*number));
        let corrupt = |reason: String| ErrorKind::Corrupt { path: path.clone(), offset: 0, reason };
        let header = Header::decode(open(disk, *number)?.at(0)?, *number, &path)?;
        let before = headers.last().map(|(h, _)| h.number);
        if before.is_some_and(|before| before + 1 != *number) {
            return Err(corrupt("the segment before this one is missing".into()).into());
        }
        match identity {
            _ if header.directory == 0 => {}
            None => {
                return Err(corrupt("the log has an owner, but the file `identity` is missing".into()).into());
            }
            Some(ours) if ours.directory != header.directory => {
                let found = header.directory;
                return Err(corrupt(format!("the segment is from another directory, {found:016x}")).into());
            }
            Some(_) => {}
        }
        headers.push((header, path));
    }
    Ok(headers)
}

/// Reads a segment that has a next one, which says how much of it counts. Returns the next group's number.
fn middle(mut file: Sectors, header: &Header, next: &Header, replay: &mut Replay) -> Result<u64> {
    let end = next.previous_end;
    let mut scan = Scan {
        sectors: &mut file,
        header,
        durable: u64::MAX,
        until: Some(end),
        at: SECTOR as u64,
        group: header.group,
    };
    if end < scan.at {
        return Err(scan.corrupt(0, "the next segment contradicts this one's length"));
    }
    while let Some(group) = scan.next()? {
        replay.group(group.records, header.number).map_err(|r| scan.corrupt(group.start, r))?;
    }
    Ok(scan.group)
}

/// Reads the last segment, whose end may be torn.
fn tail(mut file: Sectors, header: &Header, replay: &mut Replay) -> Result<Tail> {
    let mut scan = Scan {
        sectors: &mut file,
        header,
        durable: header.born,
        until: None,
        at: SECTOR as u64,
        group: header.group,
    };
    let mut last = None;
    while let Some(group) = scan.next()? {
        let before = replay.state();
        replay
            .group(group.records.clone(), header.number)
            .map_err(|reason| scan.corrupt(group.start, reason))?;
        last = Some((group, before));
    }
    if scan.at < header.born {
        return Err(scan.corrupt(scan.at, "the file is shorter than it was born"));
    }
    let group = scan.group;
    Ok(Tail { file, header: *header, last, group })
}

/// Uses the last segment on if nothing was written to it since it was born; otherwise begins a new one
/// with the last group, whose durability nobody vouches for.
fn go_on(wal: &mut Wal, numbers: &[u64], tail: Tail, replay: &Replay) -> Result<()> {
    let Tail { file, header, last, group } = tail;
    wal.adopt(numbers);
    let mut file = file.into_file();
    let path = wal.path_of(header.number);
    let size = file.size().map_err(|e| cannot_read(&path, &e))?;
    if size == header.born {
        wal.use_on(Segment { file, number: header.number, salt: header.salt, size }, group);
        return Ok(());
    }
    let birth = match &last {
        None => Birth { previous_end: SECTOR as u64, group, state: replay.state(), carried: None },
        Some((last, before)) => Birth {
            previous_end: last.start,
            group: group - 1,
            state: *before,
            carried: Some(last.records.clone()),
        },
    };
    // The entries carried over keep being counted as the old segment's: it goes a little later than it might.
    wal.begin(birth)
}
