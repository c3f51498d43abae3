//! The log of revisions: what each changed, in order. Watches read it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::record::Record;
use crate::ids::Revision;

/// How many bytes and versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) bytes: u64,
    pub(super) versions: u64,
}

impl Amount {
    /// Of one version.
    pub(super) fn of(record: &Record) -> Amount {
        Amount { bytes: record.cost(), versions: 1 }
    }

    /// More by another one.
    pub(super) fn add(&mut self, other: Amount) {
        self.bytes += other.bytes;
        self.versions += other.versions;
    }

    /// Less by another one.
    pub(super) fn subtract(&mut self, other: Amount) {
        self.bytes -= other.bytes;
        self.versions -= other.versions;
    }
}

/// The changes of one revision.
#[derive(Debug)]
pub(super) struct Changes {
    records: Records,
    /// What a compaction at this revision frees, counted from where the log's count began. With it,
    /// compacting is a subtraction, whatever lies between.
    freed: Amount,
}

/// Most revisions change one key: it needs no list.
#[derive(Debug)]
enum Records {
    One(Arc<Record>),
    Many(Box<[Arc<Record>]>),
}

impl Changes {
    /// In order.
    pub(super) fn records(&self) -> &[Arc<Record>] {
        match &self.records {
            Records::One(record) => std::slice::from_ref(record),
            Records::Many(records) => records,
        }
    }
}

/// The changes of every revision from `first` on, without a gap.
#[derive(Debug)]
pub(super) struct Log {
    first: Revision,
    changes: VecDeque<Changes>,
    /// What compactions up to the newest revision free.
    freed: Amount,
    /// What only a compaction behind the newest revision frees: its tombstones, and what it wrote twice.
    late: Amount,
    /// What the last compaction had freed, in the same count.
    compacted: Amount,
}

impl Log {
    /// An empty log whose first revision will be `first`.
    pub(super) fn new(first: Revision) -> Log {
        let none = Amount::default();
        Log { first, changes: VecDeque::new(), freed: none, late: none, compacted: none }
    }

    /// The oldest revision that it holds, or the next one if it holds none.
    pub(super) fn first(&self) -> Revision {
        self.first
    }

    /// The changes of a revision, if they are held.
    pub(super) fn get(&self, revision: Revision) -> Option<&Changes> {
        let at = revision.checked_sub(self.first)?;
        self.changes.get(usize::try_from(at).ok()?)
    }

    /// Takes note of a version that was written over another one of the same key: when will a compaction
    /// free which of the two? Must be called for every version of a revision before [`Log::push`].
    ///
    /// The rule (see [`Record::is_kept`]): a pair goes with a compaction at its successor's revision, a
    /// tombstone with one behind its own, and nothing goes with a compaction at its own.
    pub(super) fn note(&mut self, before: Option<&Record>, record: &Record) {
        if let Some(before) = before.filter(|before| !before.is_tombstone()) {
            let same = before.modified == record.modified;
            let freed = if same { &mut self.late } else { &mut self.freed };
            freed.add(Amount::of(before));
        }
        if record.is_tombstone() {
            self.late.add(Amount::of(record));
        }
    }

    /// Before the first [`Log::note`] of a revision: what was late for the one before is due from this one
    /// on.
    pub(super) fn begin(&mut self) {
        let late = std::mem::take(&mut self.late);
        self.freed.add(late);
    }

    /// Ends a revision with its changes; they are drained.
    pub(super) fn push(&mut self, records: &mut Vec<Arc<Record>>) {
        let records = match records.len() {
            1 => records.pop().map(Records::One),
            _ => None,
        }
        .unwrap_or_else(|| Records::Many(records.drain(..).collect()));
        self.changes.push_back(Changes { records, freed: self.freed });
    }

    /// What a compaction at this revision frees, that the ones before did not. Remembered as done.
    pub(super) fn compact(&mut self, revision: Revision) -> Amount {
        let Some(changes) = self.get(revision) else { return Amount::default() };
        let mut freed = changes.freed;
        let total = freed;
        freed.subtract(self.compacted);
        self.compacted = total;
        freed
    }

    /// Drops the oldest revision.
    pub(super) fn pop(&mut self) {
        if self.changes.pop_front().is_some() {
            self.first += 1;
        }
        if self.changes.len() * 4 < self.changes.capacity() && self.changes.capacity() > 1024 {
            self.changes.shrink_to(self.changes.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_of_one_change_costs_four_words() {
        assert_eq!(size_of::<Changes>(), 32);
    }
}
