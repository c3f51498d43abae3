//! Many seeds, on all processors, until the first that breaks a promise.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::panics::{WORDLESS, words_of};
use crate::run::Run;

/// What many seeds came to. It depends on the seeds only, and not on the number of processors.
#[derive(Clone, Debug, Default)]
#[must_use = "it may have found something"]
pub struct Seeds {
    /// So many seeds kept every promise, before one was found that did not.
    pub clean: u64,
    /// Of these, so many asked more than any cluster can give, and were judged only by whether anything panics: the
    /// service's own promises were not looked at. (None, if the swarm says `outside(0)`.)
    pub outside: u64,
    /// How much time passed in their worlds.
    pub simulated: Duration,
    /// Named counts of what happened in them, and in the one that broke a promise. A service that was not exercised
    /// keeps every promise: count with [`crate::Scene::count`], and look here.
    pub counts: BTreeMap<&'static str, u64>,
    /// The first seed that broke a promise.
    pub broken: Option<Run>,
}

impl Seeds {
    /// Whether every seed kept every promise.
    pub fn is_clean(&self) -> bool {
        self.broken.is_none()
    }
}

/// What was found, and how to see it again.
impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (clean, outside, minutes) = (self.clean, self.outside, self.simulated.as_secs_f64() / 60.0);
        match &self.broken {
            Some(run) => write!(f, "{run}\n  ({clean} seeds before it kept every promise)"),
            None => write!(f, "{clean} seeds kept every promise, over {minutes:.1} simulated minutes"),
        }?;
        if outside > 0 {
            write!(f, " ({outside} of them asked more than can be kept, and were hardly judged)")?;
        }
        Ok(())
    }
}

/// Runs seeds until the first that breaks a promise.
///
/// ```
/// use kvorum_sim::{App, Swarm, World, seeds};
/// use std::time::Duration;
///
/// let found = seeds(0..4, |seed| {
///     World::new(seed).nodes(3).faults(Swarm::default()).lasting(Duration::from_secs(5)).run(())
/// });
/// assert!(found.is_clean(), "{found}");
/// ```
///
/// # Panics
///
/// If `run` itself panics, before or after its rehearsal: with its seed and its words. (What panics in a rehearsal is
/// a violation. Of several seeds that panic or break a promise, the first is told of.)
pub fn seeds(range: Range<u64>, run: impl Fn(u64) -> Run + Sync) -> Seeds {
    let (next, stop) = (AtomicU64::new(range.start), AtomicU64::new(range.end));
    let runs = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            // Behind the last seed there may be no number left.
            let further = |seed: u64| (seed < stop.load(Ordering::Relaxed)).then(|| seed + 1);
            let Ok(seed) = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, further) else { return };
            // On a thread of its own: a used one may remember what a fresh one does not.
            let done = thread::scope(|scope| scope.spawn(|| run(seed)).join());
            let done = done.map_err(|panic| words_of(&*panic).unwrap_or_else(|| WORDLESS.into()));
            if done.as_ref().map_or(true, |run| run.violation.is_some()) {
                // Those before it are under way or done; those behind it say nothing new.
                stop.fetch_min(seed, Ordering::Relaxed);
            }
            runs.lock().expect("nobody panics with it").insert(seed, done);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut found = Seeds::default();
    for (seed, run) in runs.into_inner().expect("nobody panicked with it") {
        let run = run.unwrap_or_else(|words| panic!("the run of seed {seed} panicked: {words}"));
        for (name, count) in &run.counts {
            *found.counts.entry(*name).or_insert(0) += count;
        }
        if run.violation.is_some() {
            found.broken = Some(run);
            break;
        }
        found.clean += 1;
        found.outside += u64::from(run.is_outside);
        found.simulated += run.simulated;
    }
    found
}
