//! What a group says: see FORMAT.md, "A group".

use bytes::Bytes;
use kvorum_core::storage::{EntryKind, HardState, LogEntry, LogPosition};

use super::sector::put;
use super::take::Take;

const RESET: u8 = 1;
const RUN: u8 = 2;
const ENTRY: u8 = 3;
const HARD_STATE: u8 = 4;

/// Number and length.
pub(super) const GROUP_HEAD: usize = 16;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Every entry is forgotten; the log goes on after this position.
    Reset(LogPosition),
    /// What lies behind this position is forgotten; entries follow from here.
    Run(LogPosition),
    /// The next entry.
    Entry(LogEntry),
    /// Replaces the one before.
    HardState(HardState),
}

pub(super) fn put_group_head(out: &mut Vec<u8>, group: u64, length: u64) {
    put(out, &group.to_le_bytes());
    put(out, &length.to_le_bytes());
}

fn put_position(out: &mut Vec<u8>, tag: u8, position: LogPosition) {
    let mut record = [tag; 17];
    record[1..9].copy_from_slice(&position.index.to_le_bytes());
    record[9..].copy_from_slice(&position.term.to_le_bytes());
    put(out, &record);
}

pub(super) fn put_reset(out: &mut Vec<u8>, position: LogPosition) {
    put_position(out, RESET, position);
}

pub(super) fn put_run(out: &mut Vec<u8>, position: LogPosition) {
    put_position(out, RUN, position);
}

pub(super) fn put_entry(out: &mut Vec<u8>, entry: &LogEntry) {
    let mut head = [0; 22];
    head[0] = ENTRY;
    head[1] = entry.kind as u8;
    head[2..6].copy_from_slice(&(entry.data.len() as u32).to_le_bytes());
    head[6..14].copy_from_slice(&entry.index.to_le_bytes());
    head[14..].copy_from_slice(&entry.term.to_le_bytes());
    put(out, &head);
    put(out, &entry.data);
}

pub(super) fn put_hard_state(out: &mut Vec<u8>, state: HardState) {
    let mut record = [HARD_STATE; 25];
    record[1..9].copy_from_slice(&state.term.to_le_bytes());
    record[9..17].copy_from_slice(&state.vote.to_le_bytes());
    record[17..].copy_from_slice(&state.commit.to_le_bytes());
    put(out, &record);
}

/// How many bytes the records of a batch take.
pub(super) fn length_of(batch: &kvorum_core::storage::Batch) -> u64 {
    let entries: u64 = batch.entries.iter().map(|e| 22 + e.data.len() as u64).sum();
    let run = if batch.entries.is_empty() { 0 } else { 17 };
    entries + run + batch.reset.map_or(0, |_| 17) + batch.hard_state.map_or(0, |_| 25)
}

/// Reads the records of a group one after the other; `Some(None)` is one that makes no sense.
pub(super) struct Records(Take);

impl Records {
    pub(super) fn new(bytes: Bytes) -> Records {
        Records(Take(bytes))
    }

    fn position(&mut self) -> Option<LogPosition> {
        Some(LogPosition { index: self.0.u64()?, term: self.0.u64()? })
    }

    fn entry(&mut self) -> Option<LogEntry> {
        let kind = match self.0.u8()? {
            0 => EntryKind::Command,
            1 => EntryKind::Membership,
            _ => return None,
        };
        let length = self.0.u32()? as usize;
        let (index, term) = (self.0.u64()?, self.0.u64()?);
        Some(LogEntry { index, term, kind, data: self.0.bytes(length)? })
    }

    fn record(&mut self) -> Option<Record> {
        Some(match self.0.u8()? {
            RESET => Record::Reset(self.position()?),
            RUN => Record::Run(self.position()?),
            ENTRY => Record::Entry(self.entry()?),
            HARD_STATE => Record::HardState(HardState {
                term: self.0.u64()?,
                vote: self.0.u64()?,
                commit: self.0.u64()?,
            }),
            _ => return None,
        })
    }
}

impl Iterator for Records {
    type Item = Option<Record>;

    fn next(&mut self) -> Option<Option<Record>> {
        (!self.0.is_empty()).then(|| self.record())
    }
}
