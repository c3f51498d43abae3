//! A run that a seed makes up: what the cluster is like, what goes wrong and when, and what clients do
//! meanwhile. At the end the faults stop, the clients stop, and the cluster must agree, answer, and hold
//! everything that was acknowledged.

mod clients;
mod leases;
mod watches;

use std::collections::BTreeMap;
use std::time::Duration;

use kvorum_core::config::AutoCompaction;
use kvorum_core::{Config, Time};
use kvorum_storage::Options;

use crate::plan::{self, Injector};
use crate::poll::poll;
use crate::rng::{Purpose, Stream};
use crate::world::World;
use clients::Clients;
use watches::Watchers;

/// How long after the last fault all nodes must agree.
const CONVERGENCE: Duration = Duration::from_secs(30);

/// What a run came to. Every count that stays zero over many seeds is something that was not rehearsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes of unknown outcome.
    pub unknown: u64,
    /// Writes that were refused for sure.
    pub refused: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Retries through another node, with a session.
    pub retries: u64,
    /// Processes that ended.
    pub crashes: u64,
    /// Leaders there were.
    pub leaders: u64,
    /// Images that a node took from another.
    pub images: u64,
    /// Leases that ended by the clock.
    pub expired: u64,
    /// Renewals that were acknowledged.
    pub renewed: u64,
    /// Events that watches brought.
    pub events: u64,
    /// Watches that a compaction ended.
    pub compacted: u64,
    /// Entries in the log.
    pub entries: u64,
    /// How long the cluster took to agree after the last fault, in milliseconds.
    pub converged_millis: u64,
    /// Faults that struck, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// A hash of everything that was sent and written.
    pub trace: String,
}

/// Runs `seed` for this long, then lets the cluster come to rest.
///
/// # Panics
///
/// When something does not hold. Run it again with the same seed to see the same.
pub fn run(seed: u64, duration: Duration) -> Report {
    let mut swarm = Swarm::new(seed, duration);
    let end = Time::ZERO + duration;
    while swarm.world.now() < end {
        swarm.step(end, true);
    }
    swarm.come_to_rest();
    swarm.report()
}

struct Swarm {
    world: World,
    faults: Injector,
    converged: Duration,
    /// Only that nothing panics is demanded.
    is_outside: bool,
    blind_at: u64,
    clients: Clients,
    watchers: Watchers,
}

fn tune(config: &mut Config, draw: &mut Stream) {
    config.request_timeout = Duration::from_millis(draw.between(1500, 4000));
    config.image_log_bytes = draw.pick(&[600, 600, 4_000, 20_000, 1 << 20]);
    config.keep_bytes = draw.pick(&[0, 0, 1_000, 10_000, 1 << 20]);
    config.catch_up_bytes = draw.pick(&[0, 0, 2_000, 1 << 20]);
    if draw.chance(300) {
        config.compaction = draw.pick(&[AutoCompaction::Revisions(60), AutoCompaction::Revisions(200)]);
    } else {
        config.compaction = AutoCompaction::Off;
    }
    if draw.chance(100) {
        config.quota_bytes = 60_000;
    }
    if draw.chance(200) {
        config.limits.uncommitted_bytes = 2_000;
    }
    if draw.chance(100) {
        config.max_sessions = 3;
    }
}

impl Swarm {
    fn new(seed: u64, duration: Duration) -> Swarm {
        let world = World::new(seed);
        let rng = world.rng();
        let nodes = rng.stream(Purpose::Swarm, 1).pick(&[3, 3, 3, 3, 1, 5]);
        let mut world = world.nodes_with(nodes, |config| tune(config, &mut rng.stream(Purpose::Swarm, 2)));
        let mut draw = rng.stream(Purpose::Swarm, 3);
        let options = Options { segment_bytes: draw.pick(&[2_000, 16_000, 1 << 20]), ..Options::default() };
        world = world.storage_options(options);
        let plan = plan::Swarm::default().plan(seed, nodes, duration);
        let envelope = plan.envelope();
        plan.set_up(&mut world);
        if std::env::var_os("KVORUM_PLAN").is_some() {
            eprintln!("{plan}");
        }
        if !envelope.is_inside {
            world.stop_judging();
        }
        world.start_all();
        // Leases that no clock keeps are not judged: everything is early enough for them.
        let ppm = if envelope.leases_hold { envelope.drift_ppm as i64 } else { 1_000_000 };
        let clients = Clients::new(&rng, draw.between(2, 8), ppm);
        Swarm {
            faults: Injector::new(&plan),
            clients,
            watchers: Watchers::new(&rng),
            world,
            converged: Duration::ZERO,
            is_outside: !envelope.is_inside,
            blind_at: 0,
        }
    }

    fn step(&mut self, end: Time, is_busy: bool) {
        // Clients have no part in a run outside the envelope: their next turn would never come.
        let clients = if self.is_outside { self.blind_at(is_busy) } else { self.clients.next() };
        let until = self.faults.next().min(clients).min(end);
        if !self.world.step(until) {
            // Nothing happens before that: somebody's turn has come.
            let now = self.world.now();
            self.world.run(until.since(now));
        }
        self.faults.act(&mut self.world);
        if let Some(violation) = self.faults.violation() {
            panic!("{violation}");
        }
        if self.is_outside {
            return self.write_blindly(is_busy);
        }
        self.clients.act(&mut self.world, is_busy);
        self.watchers.act(&mut self.world);
    }

    fn blind_at(&self, is_busy: bool) -> Time {
        if is_busy { Time::ZERO + Duration::from_millis(self.blind_at) } else { Time::NEVER }
    }

    /// Something to do for a cluster from which nothing is expected any more.
    fn write_blindly(&mut self, is_busy: bool) {
        let millis = self.world.now().as_nanos() / 1_000_000;
        if is_busy && millis >= self.blind_at {
            self.blind_at = millis + 10;
            let nodes = self.world.ids();
            let node = nodes[(millis / 10) as usize % nodes.len()];
            let client = self.world.client(node);
            client
                .into_iter()
                .for_each(|client| drop(client.put(format!("key{}", millis % 7), "x".repeat(50))));
        }
    }

    /// All nodes but those that are out for good.
    fn living(&self) -> Vec<kvorum_core::ids::NodeId> {
        self.world.ids().into_iter().filter(|node| !self.faults.lost().contains(node)).collect()
    }

    fn settle(&mut self, limit: Duration, mut done: impl FnMut(&mut Swarm) -> bool) -> bool {
        let end = self.world.now() + limit;
        while self.world.now() < end {
            if done(self) {
                return true;
            }
            self.step(end, false);
        }
        done(self)
    }

    fn come_to_rest(&mut self) {
        self.faults.stop(&mut self.world);
        if self.is_outside {
            self.settle(CONVERGENCE, |_| false);
            return;
        }
        let healed = self.world.now();
        assert!(
            self.settle(Duration::from_secs(20), |swarm| swarm.clients.are_idle()),
            "a client was left waiting"
        );
        let mut looked = Time::ZERO;
        let agreed = self.settle(CONVERGENCE, |swarm| {
            let is_due = swarm.world.now().since(looked) >= Duration::from_millis(20);
            if is_due {
                looked = swarm.world.now();
            }
            is_due && swarm.agree()
        });
        assert!(agreed, "no agreement: {}", self.describe());
        self.converged = self.world.now().since(healed);
        self.use_every_node();
        self.settle(Duration::from_secs(12), |_| false);
        assert!(self.settle(CONVERGENCE, |swarm| swarm.agree()), "no agreement: {}", self.describe());
        let living = self.living();
        self.clients.check_at_end(&self.world, &living);
        self.watchers.check_at_end(&self.world);
    }

    fn agree(&self) -> bool {
        let world = &self.world;
        let living = self.living();
        let all: Vec<_> = living.iter().filter_map(|node| world.status(*node)).collect();
        let Some(first) = all.first() else { return false };
        let same = |s: &kvorum_core::Status| {
            s.raft.halted.is_none()
                && s.hash_index == first.hash_index
                && s.hash == first.hash
                && s.raft.leader == first.raft.leader
                && s.raft.commit == s.raft.applied
        };
        first.raft.leader != 0 && all.len() == living.len() && all.iter().all(same)
    }

    fn use_every_node(&mut self) {
        for node in self.living() {
            let client = self.world.client(node).expect("it runs");
            let mut answer = client.get("the end");
            let mut got = None;
            self.settle(Duration::from_secs(5), |_| {
                got = poll(&mut answer);
                got.is_some()
            });
            let got = got.unwrap_or_else(|| panic!("node {node} does not answer a read"));
            got.unwrap_or_else(|error| panic!("node {node} refuses a read: {error}"));
        }
    }

    fn describe(&self) -> String {
        let world = &self.world;
        let one = |node| match world.status(node) {
            Some(status) => format!("{node}: {:?} {:?}", status.raft, status.revision),
            None => format!("{node}: down, {:?}", world.why_halted(node)),
        };
        world.ids().into_iter().map(one).collect::<Vec<_>>().join("\n")
    }

    fn report(&self) -> Report {
        let mut report = self.clients.report.clone();
        report.faults = self.faults.counts().clone();
        report.crashes =
            ["kill", "lose power", "tear"].iter().filter_map(|name| report.faults.get(name)).sum();
        report.leaders = self.world.judge().leaders().len() as u64;
        report.images = self.world.images_taken();
        report.events = self.watchers.events;
        report.compacted = self.watchers.compacted;
        report.entries = self.world.status(1).map_or(0, |status| status.raft.last_index);
        report.converged_millis = self.converged.as_millis() as u64;
        report.trace = self.world.trace_hash();
        report
    }
}
