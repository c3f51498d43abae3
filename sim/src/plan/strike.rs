//! What each kind of fault does to the world.

use std::time::Duration;

use kvorum_core::ids::NodeId;
use kvorum_storage::faulty::{FaultyDisk, Survivors};

use super::atlas::reason_to_halt;
use super::fault::{Act, Fault, Rot, Shape, Who};
use super::inject::{Injector, Pardon, Strike, Suffering, Todo};
use super::network::{Trouble, cut};
use crate::host::Crash;
use crate::rng::{Purpose, Stream};
use crate::world::World;

impl Injector {
    /// Draws of one fault on one node (0: on all), the same whatever else the plan does.
    fn draw(&self, fault: &Fault, node: NodeId) -> Stream {
        self.rng.stream(Purpose::Strike, fault.number as u64 * 64 + node)
    }

    /// A wipe waits until everybody else would recognize it: see the atlas.
    pub(super) fn must_wait(&self, world: &World, fault: &Fault) -> bool {
        let (Act::Wipe { .. }, Who::Node(node)) = (&fault.what, fault.who) else { return false };
        let others = world.ids().into_iter().filter(|other| *other != node && !self.lost.contains(other));
        !others.into_iter().all(|other| world.knows_directory(other, node))
    }

    pub(super) fn strike(&mut self, world: &mut World, fault: &Fault, trigger: Option<NodeId>) {
        if self.is_over() || (matches!(fault.what, Act::Wipe { .. }) && self.must_wait(world, fault)) {
            return;
        }
        let nodes = self.whom(world, fault, trigger);
        if nodes.is_empty() {
            return;
        }
        let struck = match self.strike_all(world, fault, &nodes) {
            Some(has_struck) => {
                if has_struck {
                    nodes
                } else {
                    Vec::new()
                }
            }
            None => nodes.into_iter().filter(|node| self.strike_one(world, fault, *node)).collect(),
        };
        if !struck.is_empty() {
            let words = format!("#{} {struck:?}: {} {}", fault.number, fault.who, fault.what);
            let strike = Strike { at: world.now(), number: fault.number, nodes: struck, words };
            self.struck(strike, fault.what.name());
        }
    }

    fn whom(&self, world: &World, fault: &Fault, trigger: Option<NodeId>) -> Vec<NodeId> {
        let all = world.ids();
        let mut draw = self.draw(fault, 0);
        let any = draw.pick(&all);
        match fault.who {
            Who::Node(node) => all.into_iter().filter(|known| *known == node).collect(),
            Who::Leader => vec![world.leader().unwrap_or(any)],
            Who::Trigger => vec![trigger.unwrap_or(any)],
            Who::Follower => {
                let leader = world.leader();
                let followers: Vec<NodeId> = all.into_iter().filter(|node| Some(*node) != leader).collect();
                if followers.is_empty() { Vec::new() } else { vec![draw.pick(&followers)] }
            }
            Who::Minority => {
                let count = draw.between(1, (all.len() as u64 - 1) / 2).max(1);
                let mut nodes = all;
                while nodes.len() as u64 > count {
                    nodes.remove(draw.below(nodes.len() as u64) as usize);
                }
                nodes
            }
            Who::Everybody => all,
        }
    }

    /// What is done to all of them at once; `None`: nothing is, each is struck for itself.
    fn strike_all(&mut self, world: &mut World, fault: &Fault, nodes: &[NodeId]) -> Option<bool> {
        let all = world.ids();
        let mut draw = self.draw(fault, 63);
        let mut replayed = 0;
        let (lasts, trouble) = match fault.what {
            Act::Partition { shape, lasts } => (lasts, self.partition(&all, nodes, shape, &mut draw)),
            Act::BadLink { loss, duplicate, slowest, lasts } => {
                (lasts, Trouble::Bad { nodes: nodes.to_vec(), loss, duplicate, slowest })
            }
            Act::Clog { lasts } => {
                (lasts, Trouble::Clogged { nodes: nodes.to_vec(), until: world.now() + lasts })
            }
            Act::Corrupt { permille, lasts } => {
                for _ in 0..6 {
                    let node = draw.pick(nodes);
                    if world.show_damaged(node, &mut draw) {
                        self.count("damaged packet decoded");
                    }
                }
                (lasts, Trouble::Corrupt { nodes: nodes.to_vec(), permille })
            }
            Act::Replay { count, old, within } => {
                for _ in 0..count {
                    let delay = Duration::from_nanos(draw.below(within.as_nanos() as u64 + 1));
                    replayed += u64::from(world.replay(old, draw.any(), delay));
                }
                return Some(replayed > 0);
            }
            _ => return None,
        };
        if matches!(&trouble, Trouble::Cut(links) if links.is_empty()) {
            return Some(false);
        }
        self.trouble(world, lasts, trouble);
        Some(true)
    }

    fn partition(&self, all: &[NodeId], nodes: &[NodeId], shape: Shape, draw: &mut Stream) -> Trouble {
        let others: Vec<NodeId> = all.iter().copied().filter(|node| !nodes.contains(node)).collect();
        let other = if others.is_empty() { draw.pick(all) } else { draw.pick(&others) };
        Trouble::Cut(cut(all, nodes, shape, other))
    }

    /// Answers whether anything happened to it.
    fn strike_one(&mut self, world: &mut World, fault: &Fault, node: NodeId) -> bool {
        if self.lost.contains(&node) {
            return false;
        }
        let (now, is_up) = (world.now(), world.is_up(node));
        if let Some(has_struck) = self.strike_disk(world, fault, node) {
            return has_struck;
        }
        match fault.what {
            Act::Kill { down } => self.crash(world, fault, node, Crash::Kill, None, down),
            Act::LosePower { survivors, down } => {
                self.crash(world, fault, node, Crash::Power(survivors), None, down)
            }
            Act::Tear { operations, survivors, down } => {
                let crash = survivors.map_or(Crash::Kill, Crash::Power);
                self.crash(world, fault, node, crash, Some(operations), down)
            }
            Act::Pause { lasts } => {
                world.pause(node, lasts);
                is_up
            }
            Act::SlowCpu { turn, lasts } => {
                world.slow_cpu(node, turn);
                self.suffer(Suffering::SlowCpu, node, now + lasts);
                true
            }
            Act::Drift { ppm } => {
                world.set_drift(node, ppm);
                true
            }
            Act::Jump { by } => {
                world.jump_clock(node, by);
                true
            }
            Act::Freeze { lasts } => {
                world.freeze_clock(node, lasts);
                true
            }
            Act::Transfer => {
                let leader = world.leader().and_then(|leader| world.client(leader));
                leader.is_some_and(|leader| leader.begin_transfer(node))
            }
            Act::LiftNoSpace => world.client(node).is_some_and(|client| {
                drop(client.lift_no_space());
                true
            }),
            _ => false,
        }
    }

    /// What is done to a disk; `None`: something else is to be done.
    fn strike_disk(&mut self, world: &mut World, fault: &Fault, node: NodeId) -> Option<bool> {
        let (now, is_up) = (world.now(), world.is_up(node));
        let pardon = reason_to_halt(&fault.what);
        match fault.what {
            Act::SlowDisk { by, lasts } => {
                world.slow_disk(node, by);
                self.suffer(Suffering::SlowDisk, node, now + lasts);
            }
            Act::HoldDisk { lasts } => {
                world.hold_disk(node);
                self.suffer(Suffering::Held, node, now + lasts);
            }
            Act::FailWrite { operation } => {
                if !is_up {
                    return Some(false);
                }
                world.disk(node).fail_next(operation);
                self.unwell(node, pardon);
            }
            Act::FailRead { at_start, after } => {
                if at_start && is_up {
                    world.kill(node);
                    self.at(now + Duration::from_millis(10), Todo::Start(node));
                }
                let disk = world.disk(node);
                disk.fail_read_at(disk.reads() + after);
                self.unwell(node, pardon);
            }
            Act::FillDisk { room, lasts } => {
                let disk = world.disk(node);
                disk.set_capacity(Some(disk.used() + room));
                self.unwell(node, pardon);
                self.suffer(Suffering::Full, node, now + lasts);
            }
            Act::Rot { place, bits, down } => {
                world.kill_if_up(node);
                self.at(now + down, Todo::Start(node));
                let mut draw = self.draw(fault, node);
                return Some(self.rot(world.disk(node), place, bits, &mut draw) && self.doom(node, pardon));
            }
            Act::Wipe { down } => {
                world.kill_if_up(node);
                world.wipe(node);
                self.wiped.insert(node);
                self.doom(node, pardon);
                self.at(now + down, Todo::Start(node));
            }
            Act::OldDisk { after, down } => {
                let mut draw = self.draw(fault, node);
                let disk = world.disk(node).fork(draw.any());
                disk.lose_power(Survivors::Prefix);
                self.at(now + after, Todo::PutBack(node, Box::new(disk), down));
            }
            _ => return None,
        }
        Some(true)
    }

    fn unwell(&mut self, node: NodeId, reason: Option<&'static str>) {
        self.pardons.entry(node).or_insert(Pardon::Unwell(reason.unwrap_or_default()));
    }

    fn doom(&mut self, node: NodeId, reason: Option<&'static str>) -> bool {
        self.pardons.insert(node, Pardon::Doomed(reason.unwrap_or_default()));
        true
    }

    pub(super) fn put_back(&mut self, world: &mut World, node: NodeId, disk: FaultyDisk, down: Duration) {
        world.kill_if_up(node);
        world.set_disk(node, disk);
        self.doom(node, Some("an old disk was put back"));
        self.lost.remove(&node);
        self.at(world.now() + down, Todo::Start(node));
        self.count("old disk put back");
    }

    fn rot(&self, disk: &FaultyDisk, place: Rot, bits: u64, draw: &mut Stream) -> bool {
        let start = match place {
            Rot::Log => "log-",
            Rot::Image => "image-",
            Rot::Identity => "identity",
        };
        let is_one = |(name, bytes): &(String, Vec<u8>)| name.starts_with(start) && !bytes.is_empty();
        let files: Vec<_> = disk.files().into_iter().filter(is_one).collect();
        if files.is_empty() {
            return false;
        }
        let (name, bytes) = &files[draw.below(files.len() as u64) as usize];
        for _ in 0..bits {
            let (byte, bit) = (draw.below(bytes.len() as u64), draw.below(8));
            disk.flip(name, byte as usize, bit as u8);
        }
        true
    }

    fn crash(
        &mut self,
        world: &mut World,
        fault: &Fault,
        node: NodeId,
        crash: Crash,
        tear: Option<u64>,
        down: Duration,
    ) -> bool {
        if !world.is_up(node) {
            return false;
        }
        // What the disk leaves to chance does not depend on what other faults did to it.
        world.disk(node).reseed(self.draw(fault, node).any());
        world.crash(node, crash, tear);
        self.at(world.now() + down, Todo::Start(node));
        true
    }
}
