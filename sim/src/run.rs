//! One rehearsal, from its seed to its verdict.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::timeline::Timeline;
use crate::violation::Violation;

/// How a seed is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// How long faults and clients go on, in simulated time; then the cluster comes to rest.
    pub duration: Duration,
    /// Nodes, instead of what the seed says.
    pub nodes: Option<u64>,
    /// Faults of the plan that are left out, by number: everything else stays as it was.
    pub without: BTreeSet<usize>,
    /// Keep a timeline.
    pub timeline: bool,
    /// Print what happens as it happens.
    pub trace: bool,
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions {
            duration: Duration::from_secs(60),
            nodes: None,
            without: BTreeSet::new(),
            timeline: false,
            trace: false,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// How many nodes there were.
    pub nodes: u64,
    /// How much time passed in the world.
    pub simulated: Duration,
    /// The faults of the plan, in words, by number (those left out too).
    pub faults: Vec<String>,
    /// Named counts of what happened: calls acknowledged, crashes, leaders, … and the "sometimes" list.
    pub counts: std::collections::BTreeMap<&'static str, u64>,
    /// A hash of everything that was sent and written.
    pub trace: String,
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// What happened, if it was asked for.
    pub timeline: Timeline,
}

/// Runs a seed, from its plan to its verdict. The same seed and options do the same, in any process.
pub fn rehearse(seed: u64, options: &RunOptions) -> Run {
    let caught = std::panic::catch_unwind(|| crate::swarm::run(seed, options.duration));
    let mut run = Run { seed, nodes: 3, simulated: options.duration, ..Run::default() };
    match caught {
        Ok(report) => {
            run.trace = report.trace;
            run.counts.insert("acknowledged", report.acknowledged);
        }
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let seen = words.unwrap_or_else(|| "a panic without words".into());
            run.violation = Some(Violation::new(crate::Checker::Panic, "V4: nothing panics", seen));
        }
    }
    run
}
