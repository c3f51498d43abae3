//! Compaction: at once for readers, in steps for memory.
//!
//! What a compaction makes unreachable is found by walking the log of revisions: every version that a
//! revision at or below the compaction wrote has superseded one at most, and is a tombstone or not. So the
//! work is proportional to what was written, not to what is stored.

use super::State;
use super::record::Trimmed;
use super::store::{Store, history_mut};
use crate::error::{ErrorKind, Result};
use crate::ids::Revision;

/// How far the freeing has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sweep {
    /// The compaction being worked on, or 0.
    target: Revision,
    /// How many changes of the log's first revision are done.
    done: usize,
    /// The last compaction that is done, or 0.
    pub(super) finished: Revision,
}

impl Sweep {
    /// Of a store from which everything up to this compaction is freed already.
    pub(super) fn finished(compacted: Revision) -> Sweep {
        Sweep { target: compacted, done: 0, finished: compacted.max(0) }
    }
}

impl Store {
    /// Makes everything unreachable that was superseded at or before a revision.
    pub(super) fn compact(&mut self, requested: Revision) -> Result<()> {
        if requested <= self.compacted {
            return Err(self.readable().compacted_error(requested));
        }
        if requested > self.revision {
            return Err(ErrorKind::FutureRevision { requested, current: self.revision }.into());
        }
        self.compacted = requested;
        let freed = self.log.compact(requested);
        self.size.subtract(freed);
        Ok(())
    }

    /// Frees what a compaction at `goal` makes unreachable, which is not above the last one, looking at `budget`
    /// changes at most; true: there is more.
    pub(super) fn collect_garbage(&mut self, mut budget: usize, goal: Revision) -> bool {
        if self.sweep.target != goal {
            // The first revision's changes were judged by another compaction. Behind it, once and for all: begun anew
            // each time, a revision of very many would never be done. At it, what it kept may go now.
            let is_settled = self.log.first() < self.sweep.target && !planted!("sweep_begins_anew");
            let done = if is_settled { self.sweep.done } else { 0 };
            self.sweep = Sweep { target: goal, done, ..self.sweep };
        }
        while self.sweep.finished < goal {
            if self.log.first() > goal || !self.sweep_first(&mut budget) {
                break;
            }
            if self.log.first() == goal && !planted!("drop_event_at_compaction") {
                self.sweep.finished = goal;
            } else {
                self.log.pop();
                self.sweep.done = 0;
            }
        }
        if self.log.first() > goal {
            self.sweep.finished = self.sweep.finished.max(goal);
        }
        self.sweep.finished < goal
    }

    /// Works on the changes of the log's first revision; true: all are done.
    fn sweep_first(&mut self, budget: &mut usize) -> bool {
        let first = self.log.first();
        let Some(changes) = self.log.get(first) else { return true };
        for record in &changes.records()[self.sweep.done..] {
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            self.sweep.done += 1;
            let key = record.key();
            let Some(history) = history_mut(&mut self.keys, key) else { continue };
            // One for what this version superseded, one for itself if it is a tombstone.
            let trimmed = [history.trim(self.sweep.target), history.trim(self.sweep.target)];
            if trimmed.contains(&Trimmed::Empty) {
                self.keys.remove(key);
            }
        }
        true
    }
}

impl State {
    /// Frees memory that compaction has made unreachable, looking at `budget` changes at most. True: there
    /// is more to do. While an image is being taken ([`State::cut_image`]) nothing is freed, and while a long read is
    /// done, nothing that it may need; the answer is false then.
    pub fn collect_garbage(&mut self, budget: usize) -> bool {
        if self.is_pinned() {
            return false;
        }
        let goal = self.readers.goal(self.store.compacted);
        self.store.collect_garbage(budget, goal)
    }

    /// The last compaction whose memory has been freed; 0: none.
    pub fn physical_revision(&self) -> Revision {
        self.store.sweep.finished
    }
}
