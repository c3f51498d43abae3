//! One rehearsal, from its seed to its verdict.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::plan::Swarm;
use crate::rng::{Purpose, Rng};
use crate::timeline::Timeline;
use crate::violation::Violation;
use crate::workload::Workload;
use crate::world::World;

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
    /// The plan asked more than any cluster can give: only that it never lies was demanded.
    pub is_outside: bool,
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

/// Runs a seed, from its plan to its verdict: the cluster, everything that can go wrong, and the clients that
/// the seed makes up. The same seed and options do the same, in any process.
pub fn rehearse(seed: u64, options: &RunOptions) -> Run {
    let drawn = Rng::new(seed).stream(Purpose::Swarm, 1).pick(&[3, 3, 3, 3, 3, 5, 5, 1]);
    let nodes = options.nodes.unwrap_or(drawn);
    World::new(seed).nodes(nodes).faults(Swarm::default()).with(options).run(Workload::new(seed))
}
