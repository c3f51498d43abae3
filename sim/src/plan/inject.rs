//! A plan at work: strikes when its time or its moment has come, mends what lasts only a while, starts again
//! what ended, and knows who may have halted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::NodeId;
use kvorum_storage::faulty::FaultyDisk;

use super::Plan;
use super::atlas::LEASE_DRIFT_PPM;
use super::fault::{Act, Trigger, When};
use super::network::Trouble;
use crate::net::Link;
use crate::rng::Rng;
use crate::violation::{Checker, Violation};
use crate::world::{Seen, World};

/// How long an operator takes to see to a node that halted, and to one that does not start.
const OPERATOR: Duration = Duration::from_millis(500);

/// A fault that struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// When.
    pub at: Time,
    /// When it is over, if it ends by itself.
    pub until: Option<Time>,
    /// Its number in the plan.
    pub number: usize,
    /// The nodes that it struck.
    pub nodes: Vec<NodeId>,
    /// What happened, in words.
    pub words: String,
}

/// What is to be done at a time.
pub(super) enum Todo {
    /// The fault at this place of the plan strikes, or begins to wait for its moment. Put off so often.
    Begin(usize, u32),
    /// A node is started.
    Start(NodeId),
    /// A node that halted is started again.
    Repair(NodeId),
    /// A trouble of the network may be over.
    Mend,
    /// What a machine suffers may be over.
    Relieve(Suffering, NodeId),
    /// A disk of earlier is put back.
    PutBack(NodeId, Box<FaultyDisk>, Duration),
}

/// What a machine suffers for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Suffering {
    /// Its disk does nothing.
    Held,
    /// Its disk is slow.
    SlowDisk,
    /// Its processor is slow.
    SlowCpu,
    /// Its disk is full.
    Full,
}

/// Why a node may halt, or refuse to start, and what becomes of it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pardon {
    /// Its disk fails or is full; it is started again.
    Unwell(&'static str),
    /// It lost something; it may stay out for good.
    Doomed(&'static str),
}

/// Does what a plan says. Call [`Injector::act`] after every step of the world, and let no step go further than
/// [`Injector::next`].
pub struct Injector {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    timers: BTreeMap<(Time, u64), Todo>,
    sequence: u64,
    /// Faults that wait for their moment: their place in the plan, and how many such moments to let pass.
    waiting: Vec<(Trigger, usize, u64)>,
    pub(super) troubles: Vec<(Time, Trouble)>,
    /// Until when machines suffer: a fault that ends does not end a later one with it.
    sufferings: BTreeMap<(Suffering, NodeId), Time>,
    pub(super) pardons: BTreeMap<NodeId, Pardon>,
    pub(super) lost: BTreeSet<NodeId>,
    /// Nodes that lost their memory: they must stay out, even if nobody has told them yet.
    pub(super) wiped: BTreeSet<NodeId>,
    counts: BTreeMap<&'static str, u64>,
    strikes: Vec<Strike>,
    /// When the last of what went wrong so far is over, or was over.
    disturbed: Time,
    violation: Option<Violation>,
    is_outside: bool,
    has_begun: bool,
    has_stopped: bool,
}

impl Injector {
    /// For this plan.
    pub fn new(plan: &Plan) -> Injector {
        let mut injector = Injector {
            rng: Rng::new(plan.seed),
            timers: BTreeMap::new(),
            sequence: 0,
            waiting: Vec::new(),
            troubles: Vec::new(),
            sufferings: BTreeMap::new(),
            pardons: BTreeMap::new(),
            lost: BTreeSet::new(),
            wiped: BTreeSet::new(),
            counts: BTreeMap::new(),
            strikes: Vec::new(),
            disturbed: Time::ZERO,
            violation: None,
            is_outside: plan.is_outside(),
            has_begun: false,
            has_stopped: false,
            plan: plan.clone(),
        };
        for (at, fault) in plan.faults.iter().enumerate() {
            injector.at(fault.when.earliest(), Todo::Begin(at, 0));
        }
        injector
    }

    /// What it does.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// When there is something to do next, if nothing happens before.
    pub fn next(&self) -> Time {
        self.timers.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at)
    }

    /// Does what is due, and takes in what the world saw since the last call.
    pub fn act(&mut self, world: &mut World) {
        if !self.has_begun {
            self.begin(world);
        }
        for seen in world.take_seen() {
            self.on_seen(world, seen);
        }
        while self.next() <= world.now() {
            let Some((_, todo)) = self.timers.pop_first() else { return };
            self.carry_out(world, todo);
        }
    }

    /// Something happened that a fault may wait for. [`Injector::act`] calls it.
    pub fn on_seen(&mut self, world: &mut World, seen: Seen) {
        match seen {
            Seen::Moment(trigger, node) => self.on_moment(world, trigger, node),
            Seen::Halted(node, reason) => self.on_halt(world, node, &reason),
            _ => {}
        }
    }

    /// Ends all faults and mends what can be mended: the network is whole, disks work and have room, clocks
    /// run, and every node that can be started is. What happens from here on is to be judged as liveness,
    /// of all nodes but the [`Injector::lost`]. Goes on being called with [`Injector::act`].
    pub fn stop(&mut self, world: &mut World) {
        self.act(world);
        self.has_stopped = true;
        self.disturbed = world.now();
        self.timers.clear();
        self.waiting.clear();
        self.troubles.clear();
        self.sufferings.clear();
        world.wait_for_moments([]);
        world.net.heal();
        world.net.set_usual(Link::default());
        for node in world.ids() {
            world.slow_cpu(node, Duration::ZERO);
            world.slow_disk(node, Duration::ZERO);
            world.hurry_disk(node);
            world.thaw_clock(node);
            world.pause(node, Duration::ZERO);
            world.disk(node).set_capacity(None);
            world.disk(node).calm();
            world.release_disk(node);
            if self.has_wild_clock(node) {
                world.set_drift(node, 0);
            }
            let is_halted = world.is_up(node) && world.why_halted(node).is_some();
            if is_halted && !matches!(self.pardons.get(&node), Some(Pardon::Doomed(_))) {
                world.kill(node);
            }
            self.start(world, node);
        }
        self.lost.extend(self.wiped.iter().copied());
    }

    fn has_wild_clock(&self, node: NodeId) -> bool {
        let is_wild = |act: &Act| matches!(act, Act::Drift { ppm } if ppm.unsigned_abs() > LEASE_DRIFT_PPM);
        let usual = self.plan.drift_ppm.get(&node).is_some_and(|ppm| ppm.unsigned_abs() > LEASE_DRIFT_PPM);
        usual || self.plan.faults.iter().any(|fault| is_wild(&fault.what))
    }

    /// Whether nothing is wrong at the moment, but for what is always so (lossy links, drifting clocks, nodes
    /// that are out for good).
    pub fn is_calm(&self, world: &World) -> bool {
        let is_ahead = |todo: &Todo| matches!(todo, Todo::Begin(..));
        let is_well = |node: &NodeId| {
            let stands = world.is_paused(*node) || world.is_disk_stuck(*node);
            self.lost.contains(node) || (world.is_up(*node) && !stands)
        };
        self.troubles.is_empty() && self.timers.values().all(is_ahead) && world.ids().iter().all(is_well)
    }

    /// Since when nothing is wrong, if nothing is. Short faults count, too: whoever looks now and then sees none of an
    /// outage of some milliseconds.
    pub(crate) fn calm_since(&mut self, world: &World) -> Option<Time> {
        let (is_calm, now) = (self.is_calm(world), world.now());
        if !is_calm {
            self.disturb(now);
        }
        (is_calm && self.disturbed <= now).then_some(self.disturbed)
    }

    fn disturb(&mut self, until: Time) {
        self.disturbed = self.disturbed.max(until);
    }

    /// Nodes that are out for good: they lost something that they had acknowledged, as the plan wanted it.
    pub fn lost(&self) -> &BTreeSet<NodeId> {
        &self.lost
    }

    /// Why a node may be halted, or may refuse to start, at this moment; `None`: it may not.
    pub fn may_halt(&self, node: NodeId) -> Option<&'static str> {
        match self.pardons.get(&node) {
            Some(Pardon::Unwell(reason) | Pardon::Doomed(reason)) => Some(reason),
            None => self.is_outside.then_some("the plan is outside the envelope"),
        }
    }

    /// What really struck, by name, how often: a name that stays at zero over many seeds was not rehearsed.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// What really struck, in order.
    pub fn strikes(&self) -> &[Strike] {
        &self.strikes
    }

    /// A node halted, or refused to start, and nothing in the plan is to blame.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    // What follows is the machinery.

    pub(super) fn at(&mut self, time: Time, todo: Todo) {
        self.sequence += 1;
        self.timers.insert((time, self.sequence), todo);
    }

    pub(super) fn count(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }

    fn begin(&mut self, world: &mut World) {
        self.has_begun = true;
        world.wait_for_moments([]);
        let wants = |act: &Act| matches!(act, Act::Replay { .. } | Act::Corrupt { .. });
        if self.plan.faults.iter().any(|fault| wants(&fault.what)) {
            world.net.keep_packets();
        }
    }

    fn carry_out(&mut self, world: &mut World, todo: Todo) {
        if !matches!(todo, Todo::Begin(..)) {
            self.disturb(world.now());
        }
        match todo {
            Todo::Begin(at, put_off) => self.begin_fault(world, at, put_off),
            Todo::Start(node) => self.start(world, node),
            Todo::Repair(node) => self.repair(world, node),
            Todo::Mend => self.mend(world),
            Todo::Relieve(what, node) => self.relieve(world, what, node),
            Todo::PutBack(node, disk, down) => self.put_back(world, node, *disk, down),
        }
    }

    /// It suffers until then, or as long as it does already.
    pub(super) fn suffer(&mut self, what: Suffering, node: NodeId, until: Time) {
        let longest = self.sufferings.entry((what, node)).or_insert(until);
        *longest = until.max(*longest);
        self.at(until, Todo::Relieve(what, node));
    }

    fn relieve(&mut self, world: &mut World, what: Suffering, node: NodeId) {
        if self.sufferings.get(&(what, node)).is_some_and(|until| *until > world.now()) {
            return;
        }
        self.sufferings.remove(&(what, node));
        match what {
            Suffering::Held => world.release_disk(node),
            Suffering::SlowDisk => world.slow_disk(node, Duration::ZERO),
            Suffering::SlowCpu => world.slow_cpu(node, Duration::ZERO),
            Suffering::Full => world.disk(node).set_capacity(None),
        }
    }

    fn begin_fault(&mut self, world: &mut World, at: usize, put_off: u32) {
        let fault = self.plan.faults[at].clone();
        match fault.when {
            When::Next { trigger, nth, .. } => {
                self.waiting.push((trigger, at, nth.max(1)));
                self.tell_world(world);
            }
            When::At(_) if put_off < 20 && self.must_wait(world, &fault) => {
                self.at(world.now() + OPERATOR, Todo::Begin(at, put_off + 1));
            }
            When::At(_) => self.strike(world, &fault, None),
        }
    }

    fn tell_world(&self, world: &mut World) {
        world.wait_for_moments(self.waiting.iter().map(|(trigger, ..)| *trigger));
    }

    fn on_moment(&mut self, world: &mut World, trigger: Trigger, node: NodeId) {
        let mut due = Vec::new();
        for (_, at, left) in self.waiting.iter_mut().filter(|(wanted, ..)| *wanted == trigger) {
            *left -= 1;
            if *left == 0 {
                due.push(*at);
            }
        }
        if due.is_empty() {
            return;
        }
        self.waiting.retain(|(_, _, left)| *left > 0);
        self.tell_world(world);
        for at in due {
            let fault = self.plan.faults[at].clone();
            self.count(trigger.name());
            self.strike(world, &fault, Some(node));
        }
    }

    fn on_halt(&mut self, world: &World, node: NodeId, reason: &str) {
        self.disturb(world.now());
        match self.pardons.get(&node) {
            Some(Pardon::Doomed(_)) => _ = self.lost.insert(node),
            // It says of its disk what is true of its disk, and nothing else.
            Some(Pardon::Unwell(_)) if reason.contains("disk failed") => {
                self.count("halted by its disk");
                self.at(world.now() + OPERATOR, Todo::Repair(node));
            }
            _ if self.is_outside => _ = self.lost.insert(node),
            _ => self.accuse(world, node, format!("it halted itself: {reason}")),
        }
    }

    fn accuse(&mut self, world: &World, node: NodeId, seen: String) {
        let promised = "V4: a node halts only if its own disk failed, was full, rotted or was lost";
        let found = Violation::new(Checker::Panic, promised, seen).at(world.now()).on(node);
        self.violation.get_or_insert(found);
    }

    fn repair(&mut self, world: &mut World, node: NodeId) {
        if world.is_up(node) && world.why_halted(node).is_some() {
            world.kill(node);
        }
        self.start(world, node);
    }

    /// Starts a node that does not run.
    fn start(&mut self, world: &mut World, node: NodeId) {
        if world.is_up(node) || self.lost.contains(&node) {
            return;
        }
        if world.start(node) {
            let is_full = self.sufferings.contains_key(&(Suffering::Full, node));
            if matches!(self.pardons.get(&node), Some(Pardon::Unwell(_))) && !is_full {
                // Whatever was announced for its last life is over.
                world.disk(node).calm();
                self.pardons.remove(&node);
            }
            return;
        }
        let reason = world.why_halted(node).unwrap_or_default();
        match self.pardons.get(&node) {
            Some(Pardon::Unwell(_)) => {
                self.count("start refused by its disk");
                self.at(world.now() + OPERATOR, Todo::Start(node));
            }
            Some(Pardon::Doomed(_)) => _ = self.lost.insert(node),
            None if self.is_outside => _ = self.lost.insert(node),
            None => self.accuse(world, node, format!("it does not start again: {reason}")),
        }
    }

    /// Nodes that lost their memory, where the others knew by agreement what they had been.
    pub(crate) fn wiped(&self) -> &BTreeSet<NodeId> {
        &self.wiped
    }

    pub(super) fn struck(&mut self, strike: Strike, name: &'static str) {
        self.count(name);
        self.disturb(strike.until.unwrap_or(strike.at));
        self.strikes.push(strike);
    }

    pub(super) fn is_over(&self) -> bool {
        self.has_stopped
    }
}

impl std::fmt::Debug for Injector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Injector").field("strikes", &self.strikes.len()).finish_non_exhaustive()
    }
}
