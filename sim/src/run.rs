//! One rehearsal, from its seed to its verdict.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::json;
use crate::plan::Swarm;
use crate::rng::{Purpose, Rng};
use crate::timeline::Timeline;
use crate::violation::Violation;
use crate::workload::Workload;
use crate::world::World;

/// How a seed is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// How long faults and clients go on, in simulated time, a day at most ([`crate::plan::LONGEST`]); then the cluster
    /// comes to rest.
    pub duration: Duration,
    /// Nodes, instead of what the seed says.
    pub nodes: Option<u64>,
    /// Faults of the plan that are left out, by number: everything else stays as it was.
    pub without: BTreeSet<usize>,
    /// The only faults of the plan that are kept, by number; all of them if it says nothing.
    pub only: Option<BTreeSet<usize>>,
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
            only: None,
            timeline: false,
            trace: false,
        }
    }
}

impl RunOptions {
    /// How a run of this seed is had again, by whoever knows no command that does it.
    pub(crate) fn words(&self, seed: u64) -> String {
        let list = |numbers: &BTreeSet<usize>| {
            numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let mut words = format!("the same seed: {seed}, lasting {:?}", self.duration);
        match &self.only {
            Some(only) if only.is_empty() => words += ", without any faults",
            Some(only) => words += &format!(", only the faults {}", list(only)),
            None if self.without.is_empty() => {}
            None => words += &format!(", without the faults {}", list(&self.without)),
        }
        words
    }

    /// Whether a fault of the plan is to strike, by its number.
    pub fn keeps(&self, number: usize) -> bool {
        !self.without.contains(&number) && self.only.as_ref().is_none_or(|only| only.contains(&number))
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
    /// How to run it again, in words or as a command. See [`crate::Rehearsal::replay`].
    pub replay: String,
}

/// The verdict: what was promised, what was seen, and how to see it again.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(violation) = &self.violation else {
            let (seed, nodes, simulated) = (self.seed, self.nodes, self.simulated.as_secs_f64());
            return write!(
                f,
                "seed {seed}: every promise was kept ({nodes} nodes, {simulated:.1} s simulated)"
            );
        };
        write!(f, "seed {}: {violation}", self.seed)?;
        if self.replay.is_empty() { Ok(()) } else { write!(f, "\n  replay:   {}", self.replay) }
    }
}

/// Runs a seed, from its plan to its verdict: the cluster, everything that can go wrong, and the clients that
/// the seed makes up. The same seed and options do the same, in any process.
///
/// # Panics
///
/// As [`World::nodes`] and [`crate::Rehearsal::run`].
pub fn rehearse(seed: u64, options: &RunOptions) -> Run {
    let drawn = Rng::new(seed).stream(Purpose::Swarm, 1).pick(&[3, 3, 3, 3, 3, 5, 5, 1]);
    let nodes = options.nodes.unwrap_or(drawn);
    World::new(seed).nodes(nodes).faults(Swarm::default()).with(options).run(Workload::new(seed))
}

impl Run {
    /// The run on one line of JSON: `seed` and `checker` (`null` if nothing was broken) come first.
    pub fn json(&self) -> String {
        let broken = self.violation.as_ref();
        let number = |number: Option<u64>| number.map_or_else(|| "null".into(), |number| number.to_string());
        let counts = self.counts.iter().map(|(name, count)| (*name, count.to_string()));
        json::object([
            ("seed", self.seed.to_string()),
            ("checker", json::maybe(broken.map(|violation| violation.checker.name()))),
            ("at_ns", number(broken.map(|violation| violation.at.as_nanos()))),
            ("node", number(broken.and_then(|violation| violation.node))),
            ("promised", json::maybe(broken.map(|violation| violation.promised.as_str()))),
            ("seen", json::maybe(broken.map(|violation| violation.seen.as_str()))),
            ("nodes", self.nodes.to_string()),
            ("simulated_ms", self.simulated.as_millis().to_string()),
            ("trace", json::text(&self.trace)),
            ("counts", json::object(counts)),
        ])
    }
}
