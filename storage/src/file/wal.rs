//! Writing the log.

use std::sync::Arc;

use bytes::Bytes;
use kvorum_core::Result;
use kvorum_core::ids::Index;
use kvorum_core::planted;
use kvorum_core::storage::{Batch, HardState, Identity, LogPosition};

use super::header::{Header, name_of, salt};
use super::health::Health;
use super::identity;
use super::record;
use super::replay::Replay;
use super::sector::{SECTOR, put, seal, stamp_of};
use super::shape::Shape;
use crate::disk::{Disk, DiskFile};

/// A buffer that grew over this is given back after use.
const KEPT_BUFFER: usize = 8 << 20;

/// The segment that is written to.
pub(super) struct Segment {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) number: u64,
    pub(super) salt: u64,
    pub(super) size: u64,
}

/// What a new segment needs to know.
pub(super) struct Birth {
    /// Through which byte the segment before it counts.
    pub(super) previous_end: u64,
    /// The number of its first group.
    pub(super) group: u64,
    /// The log's end and the hard state before it.
    pub(super) state: (LogPosition, HardState),
    /// The records of a group that it is born with.
    pub(super) carried: Option<Bytes>,
}

/// The log, as far as writing needs to know it.
pub(super) struct Wal {
    disk: Arc<dyn Disk>,
    health: Health,
    segment_bytes: u64,
    owner: Option<Identity>,
    /// All segments there are, oldest first.
    segments: Vec<u64>,
    current: Option<Segment>,
    /// The number of the next group.
    group: u64,
    shape: Shape,
    hard_state: HardState,
    buffer: Vec<u8>,
}

impl Wal {
    pub(super) fn new(disk: Arc<dyn Disk>, health: Health, segment_bytes: u64) -> Wal {
        Wal {
            disk,
            health,
            segment_bytes,
            owner: None,
            segments: Vec::new(),
            current: None,
            group: 1,
            shape: Shape::default(),
            hard_state: HardState::default(),
            buffer: Vec::new(),
        }
    }

    /// Whose name new segments bear.
    pub(super) fn set_owner(&mut self, identity: Option<&Identity>) {
        self.owner = identity.copied();
    }

    /// Writes the owner down, and with it which segment is the newest: if that is gone one day, it is missed.
    pub(super) fn write_owner(&mut self) -> Result<()> {
        let Some(owner) = &self.owner else { return Ok(()) };
        let bytes = identity::encode(owner, self.segments.last().copied().unwrap_or(0));
        let written = write_aside(&*self.disk, identity::NAME, &bytes);
        self.health.watch(written, || format!("writing {}", self.disk.describe(identity::NAME))).map(|_| ())
    }

    pub(super) fn path_of(&self, number: u64) -> String {
        self.disk.describe(&name_of(number))
    }

    pub(super) fn adopt(&mut self, numbers: &[u64]) {
        self.segments = numbers.to_vec();
    }

    pub(super) fn use_on(&mut self, segment: Segment, group: u64) {
        self.current = Some(segment);
        self.group = group;
    }

    /// Takes over what the log was found to be.
    pub(super) fn resume(&mut self, replay: &Replay) {
        self.shape = replay.shape.clone();
        self.hard_state = replay.hard_state;
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Makes a new segment: written aside, synced, named, and the name synced.
    pub(super) fn begin(&mut self, birth: Birth) -> Result<()> {
        self.health.check()?;
        let number = self.segments.last().map_or(1, |last| last + 1);
        let (directory, incarnation) =
            self.owner.map_or((0, 0), |owner| (owner.directory, owner.incarnation));
        let salt = salt([directory, incarnation, number, birth.group]);
        let carried =
            birth.carried.as_ref().map_or_else(Vec::new, |records| carry(records, birth.group, salt));
        let size = (SECTOR + carried.len()) as u64;
        let header = Header {
            number,
            salt,
            directory,
            born: size,
            previous_end: birth.previous_end,
            group: birth.group,
            last: birth.state.0,
            hard_state: birth.state.1,
        };
        let mut bytes = header.encode().to_vec();
        bytes.extend_from_slice(&carried);
        let made = write_aside(&*self.disk, &name_of(number), &bytes);
        let file = self.health.watch(made, || format!("making {}", self.path_of(number)))?;
        self.segments.push(number);
        self.current = Some(Segment { file, number, salt, size });
        self.group = birth.group + u64::from(birth.carried.is_some());
        self.write_owner()
    }

    /// Writes the batches as one group, with one write and one sync. Answers the bytes that it takes.
    pub(super) fn append(&mut self, batches: &[Batch]) -> Result<u64> {
        self.health.check()?;
        let length: u64 = batches.iter().map(record::length_of).sum();
        if length == 0 {
            return Ok(0);
        }
        self.make_room()?;
        self.encode(batches, length);
        let Some(current) = &mut self.current else { unreachable!("make_room made a segment") };
        let stamp = stamp_of(self.group);
        seal(&mut self.buffer, current.salt, current.size / SECTOR as u64, stamp);
        let done = current.file.append(&self.buffer).and_then(|()| sync(&mut *current.file));
        let number = current.number;
        self.health.watch(done, || format!("appending to {}", self.disk.describe(&name_of(number))))?;
        let written = self.buffer.len() as u64;
        current.size += written;
        self.group += 1;
        if self.buffer.capacity() > KEPT_BUFFER {
            self.buffer = Vec::new();
        }
        Ok(written)
    }

    /// Goes to a new segment if there is none yet, or if the current one is full.
    fn make_room(&mut self) -> Result<()> {
        let previous_end = match &self.current {
            Some(current) if current.size < self.segment_bytes => return Ok(()),
            Some(current) => current.size,
            None => 0,
        };
        // All of the current one is synced, so all of it counts.
        let state = (self.shape.last(), self.hard_state);
        self.begin(Birth { previous_end, group: self.group, state, carried: None })
    }

    fn encode(&mut self, batches: &[Batch], length: u64) {
        self.buffer.clear();
        record::put_group_head(&mut self.buffer, self.group, length);
        for batch in batches {
            if let Some(base) = batch.reset {
                self.shape.reset(base);
                record::put_reset(&mut self.buffer, base);
            }
            self.encode_entries(batch);
            if let Some(state) = batch.hard_state {
                self.hard_state = state;
                record::put_hard_state(&mut self.buffer, state);
            }
        }
    }

    fn encode_entries(&mut self, batch: &Batch) {
        let Some(first) = batch.entries.first() else { return };
        let home = self.segments.last().copied().unwrap_or(0);
        let before = first.index.wrapping_sub(1);
        let Some(term) = self.shape.term_at(before) else {
            let (base, last) = (self.shape.base().index, self.shape.last().index);
            panic!("entry {} was appended to a log that holds ({base}, {last}]: there is a gap", first.index);
        };
        self.shape.cut(before);
        record::put_run(&mut self.buffer, LogPosition { index: before, term });
        for entry in &batch.entries {
            let expected = self.shape.last().index + 1;
            assert_eq!(entry.index, expected, "the entries of a batch must be consecutive");
            self.shape.push(entry.term, home);
            record::put_entry(&mut self.buffer, entry);
        }
    }

    /// Removes segments that hold nothing but entries up to and including `through`.
    pub(super) fn drop_head(&mut self, through: Index) -> Result<()> {
        self.health.check()?;
        let current = self.segments.last().copied().unwrap_or(0);
        let needed =
            self.shape.home_of(through.max(self.shape.base().index).saturating_add(1)).unwrap_or(current);
        while let Some(oldest) = self.segments.first().copied().filter(|oldest| *oldest < needed) {
            // One by one, so that no loss of power can leave a gap between those that remain.
            let gone = self.disk.remove(&name_of(oldest)).and_then(|()| self.disk.sync_dir());
            self.health.watch(gone, || format!("removing {}", self.path_of(oldest)))?;
            self.segments.remove(0);
            self.shape.drop_before(oldest + 1);
        }
        Ok(())
    }
}

/// Planted, one of the bugs that the simulator must find (`sim/src/planted.rs`).
fn sync(file: &mut dyn DiskFile) -> std::io::Result<()> {
    match () {
        () if planted!("skip_log_sync") => Ok(()),
        () if planted!("retry_failed_sync") => file.sync().or_else(|_| file.sync()),
        () => file.sync(),
    }
}

/// A group with these records, for the place right behind a header.
fn carry(records: &[u8], group: u64, salt: u64) -> Vec<u8> {
    let mut out = Vec::new();
    record::put_group_head(&mut out, group, records.len() as u64);
    put(&mut out, records);
    seal(&mut out, salt, 1, stamp_of(group));
    out
}

/// Makes a file so that it has its name only when all of it is durable.
pub(super) fn write_aside(disk: &dyn Disk, name: &str, bytes: &[u8]) -> std::io::Result<Box<dyn DiskFile>> {
    let aside = format!("{name}.tmp");
    let mut file = disk.create(&aside)?;
    file.append(bytes)?;
    file.sync()?;
    disk.rename(&aside, name)?;
    if !planted!("skip_directory_sync") {
        disk.sync_dir()?;
    }
    Ok(file)
}
