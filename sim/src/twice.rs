//! A seed that is run twice must do the same: what comes from elsewhere (a `HashMap`'s order, a clock, a thread) is
//! not rehearsed, and a violation that it brings about cannot be had again.

use std::thread;

use crate::run::Run;
use crate::violation::{Checker, Violation};

/// Runs a seed twice, and finds fault with any difference. Twice as slow: of many seeds, some will do.
///
/// ```
/// use kvorum_sim::{Swarm, World, seeds, twice};
/// use std::time::Duration;
///
/// let rehearse = |seed| World::new(seed).nodes(3).faults(Swarm::default()).lasting(Duration::from_secs(3)).run(());
/// let found = seeds(0..4, |seed| if seed % 100 == 0 { twice(seed, rehearse) } else { rehearse(seed) });
/// assert!(found.is_clean(), "{found}");
/// ```
pub fn twice(seed: u64, run: impl Fn(u64) -> Run + Sync) -> Run {
    // Each on a thread of its own: a used one may remember what a fresh one does not.
    let fresh = || {
        let done = thread::scope(|scope| scope.spawn(|| run(seed)).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    };
    let first = fresh();
    first.compared_with(&fresh())
}

impl Run {
    /// This run; with a violation if another of the same seed and options did anything else.
    #[must_use]
    pub fn compared_with(mut self, other: &Run) -> Run {
        let differs = if self.trace != other.trace {
            Some(format!("trace {} and then {}", self.trace, other.trace))
        } else if self.violation != other.violation || self.counts != other.counts {
            Some("the same trace, but another verdict or other counts".into())
        } else {
            None
        };
        if let Some(seen) = differs {
            let promised = "V5: the same seed and options do the same";
            self.violation = Some(Violation::new(Checker::Determinism, promised, seen));
        }
        self
    }
}
