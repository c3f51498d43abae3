//! The log as raft sees it: its newest part, in memory, up to the newest entry, whether that is durable yet
//! or not. Who needs something older is served an image.
//!
//! Keeping it in memory means that raft never waits for a disk and never hears of a disk's error: those
//! halt the node before raft could be told something wrong (it panics when its storage fails).

use std::cell::Cell;
use std::collections::VecDeque;

use raft::eraftpb::{ConfState, Entry, HardState as RaftHardState, Snapshot};
use raft::{GetEntriesContext, RaftState, StorageError};

use crate::ids::{Index, Term};
use crate::storage::{HardState, ImageMeta, LogPosition};

/// What an entry costs in memory besides its data.
const ENTRY_OVERHEAD: u64 = 160;

pub(super) struct Window {
    base: LogPosition,
    entries: VecDeque<Entry>,
    bytes: u64,
    hard_state: HardState,
    voters: Vec<u64>,
    image: Option<ImageMeta>,
    image_wanted: Cell<bool>,
    /// The newest image was found damaged, or gone, when it was to be sent: it is of no use to anybody.
    is_image_lost: bool,
    /// The disk's log does not know yet that it goes on after `base`.
    is_reset_due: bool,
}

impl Window {
    pub(super) fn new(base: LogPosition, hard_state: HardState, voters: Vec<u64>) -> Window {
        Window {
            base,
            entries: VecDeque::new(),
            bytes: 0,
            hard_state,
            voters,
            image: None,
            image_wanted: Cell::new(false),
            is_image_lost: false,
            is_reset_due: false,
        }
    }

    pub(super) fn last_index(&self) -> Index {
        self.base.index + self.entries.len() as u64
    }

    /// Adds entries; those that it holds from the first one's index on are replaced.
    pub(super) fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        while self.last_index() >= first.index && !self.entries.is_empty() {
            let gone = self.entries.pop_back();
            self.bytes -= gone.as_ref().map_or(0, cost);
        }
        debug_assert_eq!(self.last_index() + 1, first.index, "raft appends without gaps");
        self.bytes += entries.iter().map(cost).sum::<u64>();
        self.entries.extend(entries.iter().cloned());
    }

    /// The log that the disk has is to be forgotten with the next write: an image made it obsolete, and a
    /// crash came before that could be written down.
    pub(super) fn owe_reset(&mut self) {
        self.is_reset_due = true;
    }

    /// The reset that the next write has to begin with, if one is owed.
    pub(super) fn take_owed_reset(&mut self) -> Option<LogPosition> {
        std::mem::take(&mut self.is_reset_due).then_some(self.base)
    }

    /// Forgets everything: the log goes on after `position`.
    pub(super) fn reset(&mut self, position: LogPosition) {
        self.base = position;
        self.entries.clear();
        self.bytes = 0;
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Lets go of entries up to `covered`, until what is left of all takes `keep_bytes`.
    pub(super) fn trim(&mut self, covered: Index, keep_bytes: u64) {
        while self.base.index < covered && self.bytes > keep_bytes {
            let Some(gone) = self.entries.pop_front() else { break };
            self.base = LogPosition { index: gone.index, term: gone.term };
            self.bytes -= cost(&gone);
        }
    }

    /// What it begins after.
    pub(super) fn base(&self) -> LogPosition {
        self.base
    }

    /// The term of the entry at `index`, if the window reaches there.
    pub(super) fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        let at = usize::try_from(index.checked_sub(self.base.index + 1)?).ok()?;
        self.entries.get(at).map(|entry| entry.term)
    }

    pub(super) fn set_hard_state(&mut self, hard_state: HardState) {
        self.hard_state = hard_state;
    }

    pub(super) fn hard_state(&self) -> HardState {
        self.hard_state
    }

    pub(super) fn set_image(&mut self, image: ImageMeta) {
        // One that came late, from an earlier leader perhaps, is older than what the storage has.
        if self.image.as_ref().is_none_or(|newest| newest.position.index <= image.position.index) {
            self.image = Some(image);
            self.is_image_lost = false;
        }
        self.image_wanted.set(false);
    }

    /// The newest image that the storage has.
    pub(super) fn image(&self) -> Option<&ImageMeta> {
        self.image.as_ref()
    }

    /// The image at this index cannot be sent. If it is the newest, there must be another.
    pub(super) fn lose_image(&mut self, index: Index) {
        let is_newest = self.image.as_ref().is_some_and(|image| image.position.index == index);
        self.is_image_lost |= is_newest && !planted!("damaged_image_stays_newest");
    }

    pub(super) fn is_image_lost(&self) -> bool {
        self.is_image_lost
    }

    /// Whether raft asked for an image that there was none of, since the last time this was asked.
    pub(super) fn take_image_wanted(&self) -> bool {
        self.image_wanted.replace(false)
    }

    fn check_range(&self, low: Index, high: Index) -> raft::Result<()> {
        if low <= self.base.index {
            return Err(StorageError::Compacted.into());
        }
        if high > self.last_index() + 1 {
            return Err(StorageError::Unavailable.into());
        }
        Ok(())
    }
}

fn cost(entry: &Entry) -> u64 {
    entry.data.len() as u64 + ENTRY_OVERHEAD
}

/// How many of `entries` fit into `limit` bytes; at least one.
fn fitting<'a>(entries: impl Iterator<Item = &'a Entry>, limit: Option<u64>) -> usize {
    let limit = limit.unwrap_or(u64::MAX);
    let mut bytes = 0;
    entries
        .take_while(|entry| {
            let first = bytes == 0;
            bytes += cost(entry);
            first || bytes <= limit
        })
        .count()
}

impl raft::Storage for Window {
    fn initial_state(&self) -> raft::Result<RaftState> {
        let HardState { term, vote, commit } = self.hard_state;
        let hard = RaftHardState { term, vote, commit, ..RaftHardState::default() };
        let mut conf = ConfState::default();
        conf.set_voters(self.voters.clone());
        Ok(RaftState::new(hard, conf))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        self.check_range(low, high)?;
        let from = (low - self.base.index - 1) as usize;
        let to = (high - self.base.index - 1) as usize;
        let count = fitting(self.entries.range(from..to), max_size.into());
        Ok(self.entries.range(from..from + count).cloned().collect())
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index < self.base.index {
            return Err(StorageError::Compacted.into());
        }
        self.term_at(index).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.base.index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(Window::last_index(self))
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        let image = self.image.as_ref().filter(|image| {
            image.position.index >= request_index.max(self.base.index) && image.position.index > 0
        });
        let image = image.filter(|_| !self.is_image_lost);
        let Some(image) = image else {
            self.image_wanted.set(true);
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        };
        let mut snapshot = Snapshot::default();
        let meta = snapshot.mut_metadata();
        meta.index = image.position.index;
        meta.term = image.position.term;
        meta.mut_conf_state().set_voters(image.voters.clone());
        meta.mut_conf_state().set_learners(image.learners.clone());
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft::Storage as _;

    fn entry(index: u64, term: u64) -> Entry {
        Entry { index, term, ..Entry::default() }
    }

    fn window(upto: u64) -> Window {
        let mut window = Window::new(LogPosition::default(), HardState::default(), vec![1]);
        window.append(&(1..=upto).map(|i| entry(i, 1)).collect::<Vec<_>>());
        window
    }

    #[test]
    fn a_newer_leader_replaces_the_tail() {
        let mut window = window(5);
        window.append(&[entry(3, 2)]);
        assert_eq!((window.last_index(), window.term_at(3), window.term_at(4)), (3, Some(2), None));
    }

    #[test]
    fn trimming_keeps_some_entries_and_the_term_before_them() {
        let mut window = window(10);
        window.trim(8, 5 * ENTRY_OVERHEAD);
        assert_eq!((window.term(5), window.first_index()), (Ok(1), Ok(6)));
        assert!(window.term(4).is_err());
        window.trim(8, 0);
        assert_eq!((window.base().index, window.last_index()), (8, 10));
    }

    #[test]
    fn an_image_that_is_missing_is_asked_for() {
        let window = window(3);
        assert!(window.snapshot(0, 2).is_err());
        assert!(window.take_image_wanted());
        assert!(!window.take_image_wanted());
    }
}
