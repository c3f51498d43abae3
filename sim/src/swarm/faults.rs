//! What goes wrong, and when: at times that the seed chose, and at moments that matter (right after a vote,
//! between a sync and what it allows, at the beginning of a leadership).

use std::collections::BTreeMap;
use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::NodeId;
use kvorum_core::transport::Body;
use kvorum_storage::faulty::Survivors;

use crate::host::Crash;
use crate::rng::{Purpose, Rng, Stream};
use crate::world::{Seen, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// A node has sent its vote.
    Voted,
    /// A node's disk has synced, and it does not know yet.
    Synced,
    /// A node has begun to lead.
    Led,
    /// A node has acknowledged entries to the leader.
    Acknowledged,
}

pub(super) struct Faults {
    draw: Stream,
    next: Time,
    every: (u64, u64),
    restarts: BTreeMap<NodeId, Time>,
    releases: BTreeMap<NodeId, Time>,
    heal_at: Option<Time>,
    armed: Option<Moment>,
    /// Which kinds of faults this seed has.
    kinds: u64,
    has_stopped: bool,
    pub(super) crashes: u64,
    pub(super) converged: Duration,
}

/// The type of the vote and of the answer to entries, as they travel.
const VOTE: i32 = 6;
const APPENDED: i32 = 4;

impl Faults {
    pub(super) fn new(rng: &Rng) -> Faults {
        let mut draw = rng.stream(Purpose::Fault, 0);
        let every = draw.pick(&[(50, 400), (300, 2000), (1000, 6000)]);
        let kinds = draw.any() | draw.any();
        Faults {
            draw,
            next: Time::ZERO + Duration::from_millis(1500),
            every,
            restarts: BTreeMap::new(),
            releases: BTreeMap::new(),
            heal_at: None,
            armed: None,
            kinds,
            has_stopped: false,
            crashes: 0,
            converged: Duration::ZERO,
        }
    }

    pub(super) fn next(&self) -> Time {
        if self.has_stopped {
            return Time::NEVER;
        }
        let timers = self.restarts.values().chain(self.releases.values()).chain(&self.heal_at);
        timers.copied().min().unwrap_or(Time::NEVER).min(self.next)
    }

    pub(super) fn act(&mut self, world: &mut World) {
        for seen in world.take_seen() {
            self.on_seen(world, seen);
        }
        let now = world.now();
        let due: Vec<_> = self.restarts.extract_if(.., |_, at| *at <= now).map(|(node, _)| node).collect();
        for node in due {
            assert!(world.start(node), "node {node} does not start again: {:?}", world.why_halted(node));
        }
        let due: Vec<_> = self.releases.extract_if(.., |_, at| *at <= now).map(|(node, _)| node).collect();
        due.into_iter().for_each(|node| world.release_disk(node));
        if self.heal_at.is_some_and(|at| at <= now) {
            self.heal_at = None;
            world.net.heal();
        }
        if self.next <= now {
            self.next = now + Duration::from_millis(self.draw.between(self.every.0, self.every.1));
            self.fault(world);
        }
    }

    pub(super) fn stop(&mut self, world: &mut World) {
        self.has_stopped = true;
        world.net.heal();
        world.net.set_usual(crate::net::Link::default());
        world.take_seen();
        for node in world.ids() {
            world.release_disk(node);
            assert!(world.start(node), "node {node} does not start again: {:?}", world.why_halted(node));
        }
    }

    fn on_seen(&mut self, world: &mut World, seen: Seen) {
        let (moment, node) = match &seen {
            Seen::Sent(envelope) => match &envelope.body {
                Some(Body::Raft(message)) if message.kind == VOTE && !message.reject => {
                    (Moment::Voted, envelope.from)
                }
                Some(Body::Raft(message)) if message.kind == APPENDED && !message.reject => {
                    (Moment::Acknowledged, envelope.from)
                }
                _ => return,
            },
            Seen::Synced(node) => (Moment::Synced, *node),
            Seen::Leads(node, _) => (Moment::Led, *node),
            Seen::Halted(node, reason) => panic!("node {node} halted itself: {reason}"),
        };
        if self.armed == Some(moment) && !self.has_stopped {
            self.armed = None;
            self.crash(world, node);
        }
    }

    fn fault(&mut self, world: &mut World) {
        let kind = self.draw.below(14);
        let nodes = world.ids();
        let node = self.draw.pick(&nodes);
        if self.kinds >> kind & 1 == 0 {
            return;
        }
        match kind {
            0 => self.crash(world, node),
            1 => {
                let leader = world.leader().unwrap_or(node);
                self.crash(world, leader);
            }
            2 => nodes.into_iter().for_each(|node| self.crash(world, node)),
            3 => self.armed = Some(Moment::Voted),
            4 => self.armed = Some(Moment::Synced),
            5 => self.armed = Some(Moment::Led),
            6 => self.armed = Some(Moment::Acknowledged),
            7 => {
                let other = self.draw.pick(&nodes);
                world.net.cut(node, other);
                self.heal_later(world);
            }
            8 => {
                let whom = if self.draw.chance(500) { world.leader().unwrap_or(node) } else { node };
                for other in nodes {
                    world.net.cut(whom, other);
                    world.net.cut(other, whom);
                }
                self.heal_later(world);
            }
            9 => {
                let whom = world.leader().unwrap_or(node);
                let (inward, outward) = (self.draw.chance(500), self.draw.chance(500));
                for other in nodes {
                    if inward {
                        world.net.cut(other, whom);
                    }
                    if outward {
                        world.net.cut(whom, other);
                    }
                }
                self.heal_later(world);
            }
            10 => {
                world.hold_disk(node);
                let later = world.now() + Duration::from_millis(self.draw.between(10, 3000));
                self.releases.insert(node, later);
            }
            11 => world.pause(node, Duration::from_millis(self.draw.between(10, 4000))),
            12 => {
                let (Some(leader), to) = (world.leader(), self.draw.pick(&nodes)) else { return };
                if let Some(client) = world.client(leader) {
                    client.begin_transfer(to);
                }
            }
            _ => {
                for other in nodes {
                    world.net.link(node, other).loss = 400;
                    world.net.link(other, node).slowest = Duration::from_millis(300);
                }
                self.heal_later(world);
            }
        }
    }

    fn heal_later(&mut self, world: &World) {
        let at = world.now() + Duration::from_millis(self.draw.between(50, 5000));
        self.heal_at = Some(self.heal_at.map_or(at, |before| before.min(at)));
    }

    fn crash(&mut self, world: &mut World, node: NodeId) {
        if !world.is_up(node) {
            return;
        }
        let survivors =
            [Survivors::Nothing, Survivors::Everything, Survivors::Prefix, Survivors::Subset];
        let crash = if self.draw.chance(400) { Crash::Kill } else { Crash::Power(self.draw.pick(&survivors)) };
        let tear = self.draw.chance(400).then(|| self.draw.below(4));
        world.crash(node, crash, tear);
        self.crashes += 1;
        let back = self.draw.pick(&[1, 100, 1000, 4000]);
        let at = world.now() + Duration::from_millis(1 + self.draw.below(back));
        self.restarts.insert(node, at);
    }
}
