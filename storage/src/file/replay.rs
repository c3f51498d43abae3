//! The state that the records read so far lead to.

use bytes::Bytes;
use kvorum_core::storage::{HardState, LogEntry, LogPosition};

use super::record::{Record, Records};
use super::shape::Shape;

/// What has been read so far.
#[derive(Default)]
pub(super) struct Replay {
    pub(super) shape: Shape,
    pub(super) entries: Vec<LogEntry>,
    pub(super) hard_state: HardState,
    /// What the segments take that were read.
    pub(super) bytes: u64,
    /// Segments before the first one that was read are gone, so that a run may reach below the base.
    headless: bool,
}

impl Replay {
    /// Begins where the oldest segment begins.
    pub(super) fn begin(before: LogPosition, hard_state: HardState, headless: bool) -> Replay {
        let mut replay = Replay { hard_state, headless, ..Replay::default() };
        replay.shape.reset(before);
        replay
    }

    /// Where the log ends and what the hard state is: what the next segment's header must say.
    pub(super) fn state(&self) -> (LogPosition, HardState) {
        (self.shape.last(), self.hard_state)
    }

    /// Takes the records of a group in segment `home`.
    pub(super) fn group(&mut self, records: Bytes, home: u64) -> Result<(), &'static str> {
        for record in Records::new(records) {
            self.record(record.ok_or("a record that makes no sense")?, home)?;
        }
        Ok(())
    }

    fn record(&mut self, record: Record, home: u64) -> Result<(), &'static str> {
        match record {
            Record::Reset(base) => self.reset(base),
            Record::Run(before) => self.run(before)?,
            Record::Entry(entry) => self.entry(entry, home)?,
            Record::HardState(state) => self.hard_state = state,
        }
        Ok(())
    }

    fn reset(&mut self, base: LogPosition) {
        self.entries.clear();
        self.shape.reset(base);
        self.headless = false;
    }

    fn run(&mut self, before: LogPosition) -> Result<(), &'static str> {
        let base = self.shape.base();
        if before.index < base.index && self.headless {
            self.entries.clear();
            self.shape.reset(before);
            return Ok(());
        }
        if self.shape.term_at(before.index) != Some(before.term) {
            return Err("entries that do not follow the ones before");
        }
        self.shape.cut(before.index);
        self.entries.truncate((before.index - base.index) as usize);
        Ok(())
    }

    fn entry(&mut self, entry: LogEntry, home: u64) -> Result<(), &'static str> {
        if self.shape.last().index.checked_add(1) != Some(entry.index) {
            return Err("an entry out of its order");
        }
        self.shape.push(entry.term, home);
        self.entries.push(entry);
        Ok(())
    }
}
