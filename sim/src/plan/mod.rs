//! What goes wrong in a run, decided before it begins: a value that can be printed, cut short and thinned
//! out, and then does the rest exactly as before.
//!
//! | file | topic |
//! | --- | --- |
//! | `fault` | one fault: when, to whom, what |
//! | `words` | faults in English |
//! | `atlas` | what the cluster still owes its users under a plan |
//! | `swarm`, `draw` | plans that seeds make up |
//! | `inject`, `strike`, `network` | plans at work |
//!
//! ```
//! use kvorum_sim::plan::{Class, Swarm};
//! use std::time::Duration;
//!
//! let plan = Swarm::default().without(Class::Disk).plan(7, 3, Duration::from_secs(60));
//! println!("{plan}");
//! let shorter = plan.until(Duration::from_secs(20));
//! assert!(shorter.faults.len() <= plan.faults.len());
//! ```

mod atlas;
mod draw;
mod fault;
mod inject;
mod network;
mod strike;
mod swarm;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::NodeId;

pub use atlas::{Envelope, LEASE_DRIFT_PPM, may_lose};
pub use fault::{Act, Fault, Rot, Shape, Trigger, When, Who};
pub use inject::{Injector, Strike};
pub use swarm::{Class, LONGEST, Swarm};

use crate::net::Link;
use crate::world::World;

/// Everything that is to go wrong in a run, and what its machines and network are like.
///
/// A fault keeps its number for good, and whatever it leaves to chance is drawn from the seed and that number:
/// a plan without one of its faults does all others as before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What chance follows from.
    pub seed: u64,
    /// Nodes, from 1 to this one.
    pub nodes: u64,
    /// How long faults go on.
    pub duration: Duration,
    /// What goes wrong, by number.
    pub faults: Vec<Fault>,
    /// What links are like when nothing is wrong with them.
    pub link: Link,
    /// The shortest and the longest time that a healthy disk takes for what is queued.
    pub sync_time: (Duration, Duration),
    /// How much faster each node's clock runs from the beginning, in parts of a million.
    pub drift_ppm: BTreeMap<NodeId, i64>,
}

impl Plan {
    /// Nothing goes wrong.
    pub fn calm(seed: u64, nodes: u64, duration: Duration) -> Plan {
        Plan {
            seed,
            nodes,
            duration,
            faults: Vec::new(),
            link: Link::default(),
            sync_time: (Duration::from_micros(300), Duration::from_millis(2)),
            drift_ppm: BTreeMap::new(),
        }
    }

    /// With one more fault. It has the next number.
    #[must_use]
    pub fn with(mut self, when: When, who: Who, what: Act) -> Plan {
        let number = self.faults.iter().map(|fault| fault.number + 1).max().unwrap_or(0);
        self.faults.push(Fault { number, when, who, what });
        self
    }

    /// Without these faults. All others stay as they are.
    #[must_use]
    pub fn without(&self, numbers: &BTreeSet<usize>) -> Plan {
        let mut plan = self.clone();
        plan.faults.retain(|fault| !numbers.contains(&fault.number));
        plan
    }

    /// Its faults in words, each at its number.
    pub(crate) fn by_number(&self) -> Vec<String> {
        let count = self.faults.iter().map(|fault| fault.number + 1).max().unwrap_or(0);
        let mut words = vec!["(no fault of this number)".to_string(); count];
        self.faults.iter().for_each(|fault| words[fault.number] = fault.to_string());
        words
    }

    /// Cut short: what would begin later does not happen.
    #[must_use]
    pub fn until(&self, duration: Duration) -> Plan {
        let mut plan = self.clone();
        plan.duration = duration.min(self.duration);
        plan.faults.retain(|fault| fault.when.earliest() < Time::ZERO + plan.duration);
        plan
    }

    /// What the cluster still owes its users under this plan.
    pub fn envelope(&self) -> Envelope {
        Envelope::of(self)
    }

    /// Whether it asks more than any cluster can give. See [`Envelope`].
    pub fn is_outside(&self) -> bool {
        !self.envelope().is_inside
    }

    /// Makes a world's machines and network what the plan says they are like. The nodes must be there; call
    /// it before they start.
    pub fn set_up(&self, world: &mut World) {
        world.net.set_usual(self.link);
        world.sync_time = self.sync_time;
        for (&node, &ppm) in &self.drift_ppm {
            world.set_drift(node, ppm);
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { seed, nodes, duration, faults, link, sync_time, drift_ppm } = self;
        writeln!(f, "seed {seed}, {nodes} nodes, {duration:?}, {} faults", faults.len())?;
        writeln!(
            f,
            "links take {:?} to {:?}, lose {} and repeat {} of 1000; syncs take {:?} to {:?}",
            link.fastest, link.slowest, link.loss, link.duplicate, sync_time.0, sync_time.1
        )?;
        for (node, ppm) in drift_ppm.iter().filter(|(_, ppm)| **ppm != 0) {
            writeln!(f, "node {node}'s clock runs {ppm} ppm fast")?;
        }
        writeln!(f, "{}", self.envelope())?;
        faults.iter().try_for_each(|fault| writeln!(f, "{fault}"))
    }
}
