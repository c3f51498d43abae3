//! What a node has done, in numbers that only grow. What it will never know: who looks at them.

use std::sync::atomic::Ordering;

use crate::shared::Shared;
use crate::state::Tally;

/// What a node has done since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// What it applied.
    pub applied: Tally,
    /// Ranges read here, outside of transactions.
    pub reads: u64,
    /// How often another leader was seen here, or one after there was none. What lasted less than a turn of the node's
    /// loop is not in it.
    pub leaders_seen: u64,
    /// Writes that were asked for here and of which the caller was told that they failed, or that nobody knows: too
    /// late, refused by a leader, or lost with a part of the log that was skipped. (What is wrong with a request itself
    /// is no failure.)
    pub writes_failed: u64,
    /// Leases renewed here, as the leader.
    pub leases_renewed: u64,
}

impl Stats {
    pub(crate) fn of(shared: &Shared) -> Stats {
        let (failed, renewed) = {
            let view = shared.view.lock();
            (view.failed, view.renewed)
        };
        Stats {
            applied: shared.state.read().tally(),
            reads: shared.counters.reads.load(Ordering::Relaxed),
            leaders_seen: shared.counters.leaders_seen.load(Ordering::Relaxed),
            writes_failed: failed,
            leases_renewed: renewed,
        }
    }
}
