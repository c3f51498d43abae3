//! Plans that seeds make up. Every seed has its own subset of what may go wrong, and its own pace: a fault that
//! is always there hides what shows only without it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::NodeId;

use super::Plan;
use super::draw::Draw;
use super::fault::{Act, Fault, When};
use crate::net::Link;
use crate::rng::{Purpose, Rng, Stream};
use crate::world::MOST_NODES;

/// How long a rehearsal's faults and clients may go on: all that a run is judged by is kept until its end.
pub const LONGEST: Duration = Duration::from_secs(86_400);

/// Kinds of faults, to be had or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Processes are killed, machines lose power, writes are torn.
    Crash,
    /// All machines, or several, lose power at once.
    Outage,
    /// Processes stand still, or are slow.
    Pause,
    /// Nodes do not reach one another.
    Partition,
    /// Links lose, repeat, delay, clog.
    Link,
    /// Packets come again much later, and damaged ones come.
    Replay,
    /// Clocks drift.
    Clock,
    /// Disks are slow or stand still.
    SlowDisk,
    /// Disks fail and are full.
    Disk,
    /// Disks rot and are lost; and, in seeds outside the envelope, are put back and clocks jump.
    Loss,
    /// Operators hand leadership over and lift refusals.
    Operator,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 11] = [
        Class::Crash,
        Class::Outage,
        Class::Pause,
        Class::Partition,
        Class::Link,
        Class::Replay,
        Class::Clock,
        Class::SlowDisk,
        Class::Disk,
        Class::Loss,
        Class::Operator,
    ];
}

/// Makes plans up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swarm {
    classes: BTreeSet<Class>,
    outside_permille: u64,
}

impl Default for Swarm {
    /// Everything, and three seeds of a hundred outside the envelope.
    fn default() -> Swarm {
        Swarm { classes: Class::ALL.into(), outside_permille: 30 }
    }
}

/// How fast faults follow one another.
#[derive(Clone, Copy)]
struct Pace {
    /// From one fault to the next, in milliseconds.
    gap: (u64, u64),
    /// Of 1000 faults, how many wait for a moment that matters.
    triggered: u64,
}

const PACES: [Pace; 7] = [
    Pace { gap: (3_000, 12_000), triggered: 300 },
    Pace { gap: (800, 5_000), triggered: 0 },
    Pace { gap: (800, 5_000), triggered: 500 },
    Pace { gap: (300, 2_500), triggered: 300 },
    Pace { gap: (300, 2_500), triggered: 1_000 },
    Pace { gap: (50, 600), triggered: 300 },
    Pace { gap: (50, 600), triggered: 1_000 },
];

/// What a seed's plan may do, whatever else is drawn.
pub(super) struct Frame {
    pub(super) nodes: u64,
    /// Which nodes may lose what they had acknowledged.
    pub(super) victims: Vec<NodeId>,
    /// What is outside the envelope in it, if anything.
    pub(super) outside: Option<Outside>,
}

/// The ways out of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// Old disks are put back.
    OldDisks,
    /// More than a minority rots or is wiped.
    Majority,
    /// Clocks do what none may do: only leases are not judged.
    Clocks,
}

impl Swarm {
    /// No faults at all, until some are added with [`Swarm::with`].
    pub fn none() -> Swarm {
        Swarm { classes: BTreeSet::new(), outside_permille: 0 }
    }

    /// Only this kind.
    pub fn only(class: Class) -> Swarm {
        Swarm::default().without_all().with(class)
    }

    fn without_all(mut self) -> Swarm {
        self.classes.clear();
        self
    }

    /// With this kind.
    #[must_use]
    pub fn with(mut self, class: Class) -> Swarm {
        self.classes.insert(class);
        self
    }

    /// Without this kind.
    #[must_use]
    pub fn without(mut self, class: Class) -> Swarm {
        self.classes.remove(&class);
        self
    }

    /// How many of 1000 seeds leave the envelope.
    #[must_use]
    pub fn outside(mut self, permille: u64) -> Swarm {
        self.outside_permille = permille;
        self
    }

    /// The plan of this seed. A longer one begins like a shorter one.
    ///
    /// # Panics
    ///
    /// If `duration` is more than [`LONGEST`], a day, or `nodes` is more than 62, as many as a [`crate::World`] has at
    /// most.
    pub fn plan(&self, seed: u64, nodes: u64, duration: Duration) -> Plan {
        assert!(
            duration <= LONGEST,
            "faults go on for {LONGEST:?} (a day) at most, and not for {duration:?}"
        );
        assert!(nodes <= MOST_NODES, "a plan is for {MOST_NODES} nodes at most, and not for {nodes}");
        let rng = Rng::new(seed);
        let mut plan = Plan::calm(seed, nodes, duration);
        let mut draw = rng.stream(Purpose::Swarm, 1000);
        self.machines(&mut plan, &mut draw);
        let frame = self.frame(nodes, &mut rng.stream(Purpose::Swarm, 1001));
        let classes = self.subset(&frame, &mut rng.stream(Purpose::Swarm, 1002));
        if classes.is_empty() {
            return plan;
        }
        let pace = draw.pick(&PACES);
        let mut at = Time::ZERO + Duration::from_millis(1500);
        for number in 0.. {
            let mut stream = rng.stream(Purpose::Fault, number as u64);
            at = at + Duration::from_millis(stream.between(pace.gap.0, pace.gap.1));
            if at >= Time::ZERO + duration {
                break;
            }
            // A burst: several at once.
            if stream.chance(80) {
                at = at + Duration::from_millis(1);
            }
            let class = stream.pick(&classes);
            let mut draw = Draw { stream, frame: &frame, at, triggered: pace.triggered };
            if let Some((when, who, what)) = draw.fault(class) {
                plan.faults.push(Fault { number, when, who, what });
            }
        }
        plan
    }

    /// What machines and links are like.
    fn machines(&self, plan: &mut Plan, draw: &mut Stream) {
        let link = Link {
            loss: draw.pick(&[0, 0, 0, 10, 100, 300]),
            duplicate: draw.pick(&[0, 0, 20, 300]),
            slowest: Duration::from_micros(draw.pick(&[800, 800, 5_000, 60_000, 200_000])),
            ..Link::default()
        };
        if self.classes.contains(&Class::Link) {
            plan.link = link;
        }
        let slowest = Duration::from_micros(draw.pick(&[500, 2_000, 5_000, 50_000]));
        if self.classes.contains(&Class::SlowDisk) {
            plan.sync_time.1 = slowest;
        }
        let ppm = draw.pick(&[0, 0, 0, 200, 20_000, 50_000]);
        let drift = |node| (node, if draw.chance(500) { ppm } else { -ppm });
        let drifts: BTreeMap<NodeId, i64> = (1..=plan.nodes).map(drift).collect();
        if self.classes.contains(&Class::Clock) {
            plan.drift_ppm = drifts;
        }
    }

    fn frame(&self, nodes: u64, draw: &mut Stream) -> Frame {
        let is_outside = draw.chance(self.outside_permille) && self.classes.contains(&Class::Loss);
        let ways = [Outside::OldDisks, Outside::Majority, Outside::Clocks];
        let outside = is_outside.then(|| draw.pick(&ways));
        let minority = nodes.saturating_sub(1) / 2;
        let count = match outside {
            Some(Outside::Majority) => draw.between(minority + 1, nodes),
            _ => draw.between(minority.min(1), minority),
        };
        let mut victims: Vec<NodeId> = (1..=nodes).collect();
        while victims.len() as u64 > count {
            victims.remove(draw.below(victims.len() as u64) as usize);
        }
        Frame { nodes, victims, outside }
    }

    /// What this seed has: each kind or not, some of them several times as often as others.
    fn subset(&self, frame: &Frame, draw: &mut Stream) -> Vec<Class> {
        let most = draw.pick(&[200, 500, 500, 800]);
        let mut classes = Vec::new();
        for class in Class::ALL {
            let (chance, weight) = (draw.chance(most), draw.pick(&[1, 1, 2, 5]));
            // A node that is out for good takes a share of everything else with it: that is not to be usual.
            let rare = draw.chance(250);
            let is_rare = class == Class::Loss;
            let is_wanted = if is_rare { (chance && rare) || frame.outside.is_some() } else { chance };
            if is_wanted && self.classes.contains(&class) {
                classes.extend((0..weight).map(|_| class));
            }
        }
        if classes.is_empty() && draw.chance(900) {
            let all: Vec<Class> =
                self.classes.iter().copied().filter(|class| *class != Class::Loss).collect();
            let all = if all.is_empty() { self.classes.iter().copied().collect() } else { all };
            if !all.is_empty() {
                classes.push(draw.pick(&all));
            }
        }
        classes
    }
}

/// What is drawn of one fault.
pub(super) type Drawn = (When, super::fault::Who, Act);
