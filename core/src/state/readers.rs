//! What long reads may still need.
//!
//! A read needs nothing from before the compaction that was the last one when it began. If none were under way, all that
//! compactions left could be freed; but where many read all the time there always is one. So reads belong to
//! generations: when the generation before has come to its end, whoever reads now becomes it, and those who come later
//! are told apart from them. What was compacted before a generation began is freed as soon as the one before has ended,
//! however many read by then.

use std::sync::Arc;

use super::store::NEVER_COMPACTED;
use crate::ids::Revision;

/// Held by a long read for as long as it lasts.
pub(super) type Hold = Arc<()>;

/// Two generations of long reads.
#[derive(Debug)]
pub(super) struct Readers {
    now: Hold,
    /// The compaction that was the last one when they began: all of them need nothing from before.
    floor: Revision,
    before: Hold,
    before_floor: Revision,
}

impl Default for Readers {
    fn default() -> Readers {
        let (floor, before_floor) = (NEVER_COMPACTED, NEVER_COMPACTED);
        Readers { now: Arc::new(()), floor, before: Arc::new(()), before_floor }
    }
}

impl Readers {
    /// A read begins.
    pub(super) fn enter(&self) -> Hold {
        self.now.clone()
    }

    /// Whether it began with this state, and not with one that an image has replaced.
    pub(super) fn know(&self, hold: &Hold) -> bool {
        Arc::ptr_eq(hold, &self.now) || Arc::ptr_eq(hold, &self.before)
    }

    /// Up to which compaction garbage may be freed, `compacted` being the last one.
    pub(super) fn goal(&mut self, compacted: Revision) -> Revision {
        if planted!("garbage_under_long_read") {
            return compacted;
        }
        if !is_held(&self.before)
            && is_held(&self.now)
            && self.floor < compacted
            && !planted!("readers_never_part")
        {
            self.before = std::mem::take(&mut self.now);
            (self.before_floor, self.floor) = (self.floor, compacted);
        }
        match (is_held(&self.before), is_held(&self.now)) {
            (true, _) => self.before_floor,
            (false, true) => self.floor,
            (false, false) => {
                self.floor = compacted;
                compacted
            }
        }
    }
}

fn is_held(hold: &Hold) -> bool {
    Arc::strong_count(hold) > 1
}
