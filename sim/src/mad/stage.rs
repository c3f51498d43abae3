//! Where a world and madsim meet. The world still decides what happens (and judges it); when its time has come,
//! a task does it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use kvorum_core::Time;
use kvorum_core::ids::NodeId;
use kvorum_core::transport::Envelope;
use madsim::net::NetSim;
use madsim::runtime::{Handle, NodeHandle};
use madsim::task::{JoinHandle, spawn_local};
use madsim::time::TimeHandle;
use prost::Message as _;

use super::alarm::{Alarm, Followed};
use super::board::Desk;
use super::service::Service;
use super::{images, process, wires};
use crate::plan::Injector;
use crate::scene::Scene;
use crate::violation::Violation;
use crate::world::{Event, World};

thread_local! {
    /// The stage of this thread's run: what is spawned on another machine must be `Send`, and finds it here.
    static STAGE: RefCell<Option<Rc<Stage>>> = const { RefCell::new(None) };
}

/// Everything that the tasks of one run share.
pub(super) struct Stage {
    world: RefCell<World>,
    pub(super) scene: Scene,
    faults: RefCell<Injector>,
    pub(super) machines: BTreeMap<NodeId, Machine>,
    handle: Handle,
    /// When the run is to be looked at next: a fault's time has come, or something was broken.
    pub(super) control: Alarm,
    /// What else is to be done later.
    later: RefCell<BTreeMap<(Time, u64), Event>>,
    later_count: Cell<u64>,
    pub(super) desk: RefCell<Desk>,
    /// The user's; `None`: our own board.
    pub(super) service: Option<Box<dyn Service>>,
    is_following: Cell<bool>,
}

/// One machine: its process, which comes and goes, and its network card, which stays.
///
/// Packets travel from card to card. What a process has handed to its card is sent even if the process dies at
/// once, and what arrives is given to whoever runs there by then: in madsim, a packet that is under way to a
/// process dies with it, and the bugs that need one are never seen.
pub(super) struct Machine {
    process: NodeHandle,
    card: NodeHandle,
    pub(super) turn: Alarm,
    pub(super) disk: Alarm,
    pub(super) wires: BTreeMap<NodeId, wires::Wire>,
    pub(super) images: images::Queue,
    /// Which life of the process madsim runs.
    epoch: Cell<u64>,
    is_running: Cell<bool>,
    is_paused: Cell<bool>,
    cut: RefCell<BTreeMap<NodeId, bool>>,
}

pub(super) fn card_address(node: NodeId) -> SocketAddr {
    SocketAddr::new(address(1, node), 1)
}

pub(super) fn image_address(node: NodeId) -> SocketAddr {
    SocketAddr::new(address(2, node), 2)
}

pub(super) fn service_address(node: NodeId) -> SocketAddr {
    SocketAddr::new(address(2, node), 3)
}

pub(super) fn address(net: u8, host: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, net, host as u8))
}

impl Stage {
    /// Sets the stage, in madsim's context: machines and cards, nothing on them yet.
    pub(super) fn set(world: World, faults: Injector, service: Option<Box<dyn Service>>) -> Rc<Stage> {
        let handle = Handle::current();
        let ids = world.ids();
        let machines = ids.iter().map(|node| (*node, Machine::new(&handle, *node, &ids))).collect();
        let stage = Rc::new(Stage {
            scene: world.scene().clone(),
            world: RefCell::new(world),
            faults: RefCell::new(faults),
            machines,
            handle,
            control: Alarm::default(),
            later: RefCell::default(),
            later_count: Cell::new(0),
            desk: RefCell::default(),
            service,
            is_following: Cell::new(false),
        });
        STAGE.set(Some(stage.clone()));
        for (node, machine) in &stage.machines {
            let node = *node;
            machine.card.spawn(async move { wires::plug_in(&Stage::current(), node) });
        }
        stage
    }

    /// The stage of this thread's run.
    pub(super) fn current() -> Rc<Stage> {
        let stage = STAGE.with_borrow(Clone::clone);
        stage.unwrap_or_else(|| panic!("no rehearsal under madsim runs on this thread"))
    }

    /// Leaves the thread as it was found.
    pub(super) fn strike() {
        STAGE.set(None);
    }

    pub(super) fn now(&self) -> Time {
        let passed = TimeHandle::current().elapsed();
        Time::ZERO + passed
    }

    pub(super) fn look_at_the_clock(&self) {
        self.scene.set_now(self.now().max(self.scene.now()));
    }

    /// Begins a task on the machine on which the caller runs.
    pub(super) fn spawn<F>(self: &Rc<Stage>, task: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        spawn_local(Followed::new(self.clone(), task))
    }

    /// Does something with the world, at madsim's time, and sees to what follows.
    pub(super) fn enter<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        let result = self.see(act);
        self.follow_up();
        result
    }

    /// Does something with the world that nothing follows from.
    pub(super) fn see<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.world.borrow_mut();
        world.go_on_to(self.now());
        act(&mut world)
    }

    pub(super) fn with_faults<R>(&self, act: impl FnOnce(&mut Injector, &mut World) -> R) -> R {
        let result = self.see(|world| act(&mut self.faults.borrow_mut(), world));
        self.follow_up();
        result
    }

    /// Nodes that are out for good.
    pub(super) fn lost(&self) -> std::collections::BTreeSet<NodeId> {
        self.faults.borrow().lost().clone()
    }

    /// What was broken, if something was.
    pub(super) fn violation(&self) -> Option<Violation> {
        self.scene.violation().or_else(|| self.faults.borrow().violation().cloned())
    }

    /// Sees to whatever the world wants done now: hands what is planned to the tasks that will do it, lets
    /// faults strike that waited for this moment, and has madsim end and begin what the world ended and began.
    pub(super) fn follow_up(&self) {
        // What is seen to in here may lead back here.
        if self.is_following.replace(true) {
            return;
        }
        let mut world = self.world.borrow_mut();
        loop {
            world.go_on_to(self.now());
            world.plan_turns();
            while let Some((at, event)) = world.take_planned() {
                self.plan(&world, at, event);
            }
            let mut faults = self.faults.borrow_mut();
            let is_due = world.has_seen() || faults.next() <= world.now();
            if !is_due {
                self.control.set_earlier(faults.next());
                break;
            }
            faults.act(&mut world);
        }
        for (node, machine) in &self.machines {
            machine.turn.set(world.turn_at(*node));
            self.align(&mut world, *node, machine);
        }
        drop(world);
        self.is_following.set(false);
        if self.violation().is_some() {
            self.control.set_earlier(self.now());
        }
    }

    /// Who is to do it, and when.
    fn plan(&self, world: &World, at: Time, event: Event) {
        match event {
            // The world knows when each node's next turn is.
            Event::Turn(..) => {}
            Event::Disk(node, epoch) if world.epoch(node) == epoch => self.machines[&node].disk.set(Some(at)),
            Event::Deliver(packet) => self.send(at, packet),
            Event::Image(id) => self.send_image(world, id),
            Event::Disk(..) | Event::Resume(_) => {}
            other => self.do_later(at, other),
        }
    }

    fn do_later(&self, at: Time, event: Event) {
        self.later_count.set(self.later_count.get() + 1);
        self.later.borrow_mut().insert((at, self.later_count.get()), event);
        self.control.set_earlier(at);
    }

    /// Does what was put off until now.
    pub(super) fn do_what_is_due(&self) {
        loop {
            let mut later = self.later.borrow_mut();
            match later.first_entry() {
                Some(first) if first.key().0 <= self.now() => {
                    let event = first.remove();
                    drop(later);
                    self.enter(|world| world.carry_out(event));
                }
                Some(first) => return self.control.set_earlier(first.key().0),
                None => return,
            }
        }
    }

    fn send(&self, at: Time, packet: Bytes) {
        // Ours, or it would have panicked where it was made.
        let Ok(envelope) = Envelope::decode(&packet[..]) else { return };
        let wire = self.machines.get(&envelope.from).and_then(|machine| machine.wires.get(&envelope.to));
        wire.into_iter().for_each(|wire| wire.send(at, packet.clone()));
    }

    fn send_image(&self, world: &World, id: u64) {
        if let Some(from) = world.image_from(id) {
            self.machines[&from].images.push(id, self.now());
        }
    }

    /// Makes madsim's machine what the world's is.
    fn align(&self, world: &mut World, node: NodeId, machine: &Machine) {
        let (epoch, is_up) = (world.epoch(node), world.is_up(node));
        if machine.epoch.replace(epoch) != epoch {
            // Always, before a restart: without it the machine stays dead. What the process held is dropped
            // late, when madsim comes to it; its disk has been taken from it by the world.
            self.handle.kill(machine.process.id());
            machine.is_running.set(false);
            machine.is_paused.set(false);
            machine.disk.set(None);
        }
        if is_up && !machine.is_running.replace(true) {
            self.handle.restart(machine.process.id());
            machine.images.clear();
            let process = self.handle.get_node(machine.process.id());
            process.into_iter().for_each(|process| {
                process.spawn(async move { process::begin(&Stage::current(), node, epoch) });
            });
        }
        self.align_pause(world, node, machine);
        self.align_links(world, node, machine);
    }

    fn align_pause(&self, world: &World, node: NodeId, machine: &Machine) {
        let until = world.paused_until(node);
        let is_paused = machine.is_running.get() && until > world.now() + Duration::from_millis(1);
        if machine.is_paused.replace(is_paused) != is_paused {
            match is_paused {
                true => self.handle.pause(machine.process.id()),
                false => self.handle.resume(machine.process.id()),
            }
        }
        if is_paused {
            self.control.set_earlier(until);
        }
    }

    /// Cut links carry nothing: neither what was sent before nor the connections that images take.
    fn align_links(&self, world: &mut World, node: NodeId, machine: &Machine) {
        for (peer, was_cut) in machine.cut.borrow_mut().iter_mut() {
            let is_cut = world.net.link(node, *peer).cut;
            if is_cut == *was_cut {
                continue;
            }
            *was_cut = is_cut;
            let other = &self.machines[peer];
            let net = NetSim::current();
            for (from, to) in [(&machine.card, &other.card), (&machine.process, &other.process)] {
                match is_cut {
                    true => net.clog_link(from.id(), to.id()),
                    false => net.unclog_link(from.id(), to.id()),
                }
            }
        }
    }
}

impl Machine {
    fn new(handle: &Handle, node: NodeId, all: &[NodeId]) -> Machine {
        let peers = || all.iter().copied().filter(|peer| *peer != node);
        Machine {
            process: handle.create_node().name(format!("node {node}")).ip(address(2, node)).build(),
            card: handle.create_node().name(format!("card {node}")).ip(address(1, node)).build(),
            turn: Alarm::default(),
            disk: Alarm::default(),
            wires: peers().map(|peer| (peer, wires::Wire::default())).collect(),
            images: images::Queue::default(),
            epoch: Cell::new(0),
            is_running: Cell::new(false),
            is_paused: Cell::new(false),
            cut: RefCell::new(peers().map(|peer| (peer, false)).collect()),
        }
    }
}
