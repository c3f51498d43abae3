//! The loop: what happens next, and what follows from it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossbeam::channel::Sender;
use kvorum_core::ids::{Index, NodeId};
use kvorum_core::mail::Mail;
use kvorum_core::node::{Glance, Role};
use kvorum_core::transport::{Envelope, Incoming};
use kvorum_core::{Client, Status, Time};
use kvorum_storage::faulty::FaultyDisk;
use prost::Message as _;

use crate::host::Host;
use crate::images::Transfer;
use crate::judge::Judge;
use crate::net::Net;
use crate::plan::Trigger;
use crate::post::Parcel;
use crate::rng::Rng;
use crate::scene::Scene;
use crate::tasks::Tasks;
use crate::timeline::{Lane, What};
use crate::watchdog::Pulse;
use asked::Asked;
use queue::Queue;
use trace::Trace;

/// How the names of the log's files begin.
const LOG: &str = "log-";

/// The most nodes of a world: `plan::Shape::Split` has a bit for each, and one for nobody.
pub(crate) const MOST_NODES: u64 = 62;

mod asked;
mod disks;
mod faults;
mod judging;
#[cfg(madsim)]
mod mad;
mod moments;
mod queue;
mod setup;
mod tasks;
mod trace;
mod waiting;

pub(crate) enum Event {
    /// A node's driver takes a turn.
    Turn(NodeId, u64),
    /// A node's disk has done its work.
    Disk(NodeId, u64),
    /// A packet arrives, whoever listens there by now.
    Deliver(Bytes),
    /// An image takes its next step.
    Image(u64),
    /// A sender hears what became of its image.
    ImageSent { node: NodeId, epoch: u64, to: NodeId, index: Index, stored: bool },
    /// A paused node goes on.
    Resume(NodeId),
}

/// Something that happened and that a fault may be hung on.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A node sent a message.
    Sent(Box<Envelope>),
    /// A node's disk has synced; the node has not heard of it yet.
    Synced(NodeId),
    /// A node became the leader of a term.
    Leads(NodeId, u64),
    /// A node halted itself.
    Halted(NodeId, String),
    /// A moment that was waited for came. See [`World::wait_for_moments`].
    Moment(Trigger, NodeId),
}

/// A cluster, its machines and its network. See the crate's text.
pub struct World {
    seed: u64,
    rng: Rng,
    now: Time,
    queue: Queue,
    hosts: BTreeMap<NodeId, Host>,
    /// The network. Change it at will.
    pub net: Net,
    pub(crate) transfers: BTreeMap<u64, Transfer>,
    transfer_count: u64,
    pub(crate) images_taken: u64,
    /// When the last of the senders hears what became of its image, of those whose end is decided.
    pub(crate) images_told_by: Time,
    pub(crate) judge: Judge,
    pub(crate) scene: Scene,
    tasks: Tasks,
    pub(crate) asked: Asked,
    /// Nodes that have started, if somebody wants to know.
    starts: VecDeque<(NodeId, Client)>,
    are_starts_noted: bool,
    trace: Trace,
    pulse: Arc<Pulse>,
    seen: Vec<Seen>,
    is_noting: bool,
    /// The moments that somebody waits for, and whether anybody wants to hear of halts.
    wanted: Option<u32>,
    is_unjudged: bool,
    /// The shortest and the longest time that a disk takes for what is queued. (The wrong way round, it is always the
    /// first.)
    pub sync_time: (Duration, Duration),
}

impl World {
    /// An empty world; whatever is left to chance follows from the seed.
    pub fn new(seed: u64) -> World {
        let rng = Rng::new(seed);
        World {
            seed,
            rng,
            now: Time::ZERO,
            queue: Queue::default(),
            hosts: BTreeMap::new(),
            net: Net::new(rng),
            transfers: BTreeMap::new(),
            transfer_count: 0,
            images_told_by: Time::ZERO,
            images_taken: 0,
            judge: Judge::new(0, 0),
            scene: Scene::new(rng),
            tasks: Tasks::default(),
            asked: Asked::default(),
            starts: VecDeque::new(),
            are_starts_noted: false,
            trace: Trace::default(),
            pulse: Pulse::new(seed),
            seen: Vec::new(),
            is_noting: false,
            wanted: None,
            is_unjudged: false,
            sync_time: (Duration::from_micros(300), Duration::from_millis(2)),
        }
    }

    /// The time of the world.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What everything that is left to chance follows from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The chance of this world.
    pub fn rng(&self) -> Rng {
        self.rng
    }

    /// All nodes, running or not.
    pub fn ids(&self) -> Vec<NodeId> {
        self.hosts.keys().copied().collect()
    }

    /// How many images a node has taken in from another.
    pub fn images_taken(&self) -> u64 {
        self.images_taken
    }

    /// A node's disk.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn disk(&self, node: NodeId) -> &FaultyDisk {
        &self.hosts.get(&node).unwrap_or_else(|| nobody(node)).disk
    }

    /// Keeps note of what happens, for [`World::take_seen`].
    pub fn note_events(&mut self) {
        self.is_noting = true;
    }

    /// What happened since the last call.
    pub fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    fn note(&mut self, seen: impl FnOnce() -> Seen) {
        if self.is_noting {
            self.seen.push(seen());
        }
    }

    fn host(&mut self, node: NodeId) -> &mut Host {
        self.hosts.get_mut(&node).unwrap_or_else(|| nobody(node))
    }

    /// What a running process holds is not taken from under it: no machine could do that.
    fn must_not_run(&self, node: NodeId, before: &str) {
        assert!(!self.is_up(node), "node {node} runs: it must be killed before {before}");
    }

    pub(crate) fn epoch(&self, node: NodeId) -> u64 {
        self.hosts.get(&node).map_or(0, |host| host.epoch)
    }

    /// Where a running node takes its mail.
    pub fn mail(&self, node: NodeId) -> Option<Sender<Mail>> {
        Some(self.hosts.get(&node)?.process.as_ref()?.mail.clone())
    }

    /// A handle to a running node.
    pub fn client(&self, node: NodeId) -> Option<Client> {
        Some(self.hosts.get(&node)?.process.as_ref()?.client.clone())
    }

    /// What a running node knows.
    pub fn status(&self, node: NodeId) -> Option<Status> {
        Some(self.client(node)?.status())
    }

    /// Whether a node's process runs (it may have halted itself).
    pub fn is_up(&self, node: NodeId) -> bool {
        self.hosts.get(&node).is_some_and(|host| host.process.is_some())
    }

    /// Why a running node halted itself, or why its last start was refused.
    pub fn why_halted(&self, node: NodeId) -> Option<String> {
        let host = self.hosts.get(&node)?;
        let halted = host.process.as_ref().and_then(|process| process.client.status().raft.halted);
        halted.or_else(|| host.refused.clone())
    }

    /// A hash of everything that all nodes have sent so far, when, and of what is on their disks.
    pub fn trace_hash(&self) -> String {
        let mut hash = self.trace.hash();
        for host in self.hosts.values() {
            for (name, bytes) in host.disk.files() {
                hash.update(name.as_bytes()).update(&bytes);
            }
        }
        hash.finalize().to_hex().to_string()
    }

    // What can be done to a node.

    /// Starts every node that does not run.
    pub fn start_all(&mut self) {
        for node in self.ids() {
            self.start(node);
        }
    }

    /// Starts a node; answers whether it started. See [`World::why_halted`].
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn start(&mut self, node: NodeId) -> bool {
        let now = self.now;
        let host = self.host(node);
        if host.process.is_some() {
            return true;
        }
        host.epoch += 1;
        let mut found = None;
        let started = host.start(now, |recovered, image| found = Some((recovered.clone(), image)));
        if let Some((recovered, image)) = found {
            let verdict = self.judge.shadows.recovered(node, &recovered, image);
            self.take_verdict(node, verdict);
        }
        let host = self.host(node);
        match started {
            Ok(()) => {
                host.refused = None;
                self.wake(node, now);
                self.scene.mark(|| Lane::Node(node), || What::Started);
                self.node_started(node);
                true
            }
            Err(error) => {
                host.refused = Some(error.to_string());
                host.disk.kill();
                false
            }
        }
    }

    /// Does the next thing that is to happen until then; answers whether there was one.
    pub fn step(&mut self, until: Time) -> bool {
        self.pulse.beat(self.now);
        let _awaited = self.pulse.await_steps();
        self.run_tasks();
        self.notice_mail();
        let (next, sleeper) = (self.queue.next_at(), self.scene.next_sleeper());
        if next.min(sleeper) > until || next.min(sleeper) == Time::NEVER {
            return false;
        }
        if sleeper <= next {
            self.pass_to(sleeper);
            self.scene.wake_sleepers();
            return true;
        }
        let Some((at, event)) = self.queue.pop() else { return false };
        self.pass_to(at);
        match event {
            Event::Resume(node) => self.tasks.resume(node),
            Event::Turn(node, epoch) => self.on_turn(node, epoch),
            Event::Disk(node, epoch) => self.on_disk(node, epoch),
            Event::Deliver(bytes) => self.on_delivery(bytes),
            Event::Image(id) => self.on_image(id),
            Event::ImageSent { node, epoch, to, index, stored } => {
                if let Some(mail) = self.mail(node).filter(|_| self.epoch(node) == epoch) {
                    let _ = mail.send(Mail::Incoming(Incoming::ImageSent { to, index, stored }));
                }
            }
        }
        true
    }

    pub(crate) fn after(&mut self, delay: Duration, event: Event) {
        self.queue.push(self.now + delay, event);
    }

    fn pass_to(&mut self, time: Time) {
        self.now = time;
        self.scene.set_now(time);
    }

    pub(crate) fn next_transfer(&mut self) -> u64 {
        self.transfer_count += 1;
        self.transfer_count
    }

    /// A node whose mail lies there takes a turn now.
    fn notice_mail(&mut self) {
        let now = self.now;
        for (&node, host) in &mut self.hosts {
            let epoch = host.epoch;
            let Some(process) = &mut host.process else { continue };
            let at = now.max(process.paused_until);
            let is_due = process.turn_at.is_none_or(|planned| planned > at) && !process.inbox.is_empty();
            if is_due && process.plan_turn(at) {
                self.queue.push(at, Event::Turn(node, epoch));
            }
        }
    }

    fn wake(&mut self, node: NodeId, at: Time) {
        let host = self.host(node);
        let epoch = host.epoch;
        let Some(process) = &mut host.process else { return };
        let at = at.max(process.paused_until);
        if at == Time::NEVER || process.turn_at.is_some_and(|planned| planned <= at) {
            return;
        }
        if process.plan_turn(at) {
            self.queue.push(at, Event::Turn(node, epoch));
        }
    }

    fn on_turn(&mut self, node: NodeId, epoch: u64) {
        let now = self.now;
        let host = self.host(node);
        let (local, busy) = (host.clock.local(now), host.turn_takes);
        let Some(process) = &mut host.process else { return };
        if host.epoch != epoch || !process.takes_turn(now) {
            return;
        }
        let goes_on = std::mem::take(&mut process.is_paused);
        let before = process.glance;
        process.from_peers = 0;
        if local >= process.deadline {
            process.counted = [now, process.counted[0]];
        }
        let (mut asked, count) = (0, process.inbox.len());
        let mail = process.inbox.try_iter().take(count);
        let next = process.driver.turn(local, mail.inspect(|mail| asked += u64::from(asked::asks(mail))));
        process.deadline = next;
        let after = process.driver.glance();
        process.glance = after;
        if after.revision > before.revision {
            process.reached.push((after.revision, now));
        }
        let parcels = process.post.take();
        process.paused_until = process.paused_until.max(now + busy);
        let next = host.clock.global(next).max(now + Duration::from_nanos(1));
        self.asked.note(now, asked);
        self.wake(node, next);
        if goes_on {
            self.scene.mark(|| Lane::Node(node), || What::Resumed);
        }
        self.note_turn(node, &before, &after);
        self.judge_turn(node, &before, &after);
        self.see_to_disk(node);
        for parcel in parcels {
            match parcel {
                Parcel::Message(envelope) => self.post(envelope),
                Parcel::Image(envelope, source) => self.begin_image(envelope, source),
            }
        }
    }

    fn note_turn(&mut self, node: NodeId, before: &Glance, after: &Glance) {
        let has_changed = (before.role, before.term) != (after.role, after.term);
        if has_changed && after.role == Role::Leader {
            self.note(|| Seen::Leads(node, after.term));
            self.moment(Trigger::Led, node);
        }
        if after.applied > before.applied {
            self.moment(Trigger::Applied, node);
        }
        if has_changed {
            self.scene.mark(|| Lane::Node(node), || What::Role(after.role, after.term));
        }
        if !before.has_halted && after.has_halted {
            let reason = self.why_halted(node).unwrap_or_default();
            self.scene.mark(|| Lane::Node(node), || What::Halted(reason.clone()));
            self.note_halt(node, &reason);
        }
    }

    fn post(&mut self, envelope: Envelope) {
        let found = self.judge.shadows.sent(&envelope);
        self.take_verdict(envelope.from, found);
        let bytes = Bytes::from(envelope.encode_to_vec());
        self.trace.sent(self.now, &bytes);
        self.net.sent(&bytes);
        for delay in self.net.route(self.now, envelope.from, envelope.to) {
            self.after(delay, Event::Deliver(bytes.clone()));
        }
        self.note_message(&envelope);
        self.note(|| Seen::Sent(Box::new(envelope)));
    }

    fn on_delivery(&mut self, bytes: Bytes) {
        match Envelope::decode(bytes) {
            Ok(envelope) => {
                let to = self.hosts.get_mut(&envelope.to).and_then(|host| host.process.as_mut());
                to.into_iter().for_each(|process| process.from_peers += 1);
                self.inject(envelope);
            }
            Err(error) => panic!("our own message does not decode: {error}"),
        }
    }
}

fn nobody(node: NodeId) -> ! {
    panic!("there is no node {node}")
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now", &self.now).finish_non_exhaustive()
    }
}
