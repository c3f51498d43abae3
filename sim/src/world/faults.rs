//! What can go wrong with a node: its process, its disk, its power, its sense of time.

use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::NodeId;
use kvorum_core::mail::Mail;
use kvorum_core::transport::{Envelope, Incoming};
use kvorum_storage::faulty::{FaultyDisk, Survivors};

use prost::Message as _;

use super::{Event, World};
use crate::clock::{DRIFTS, LONGEST_JUMP};
use crate::host::Crash;
use crate::rng::{Purpose, Stream};
use crate::timeline::{Lane, What};

impl World {
    /// Kills a node's process, if it runs.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn kill(&mut self, node: NodeId) {
        self.crash(node, Crash::Kill, None);
    }

    pub(crate) fn kill_if_up(&mut self, node: NodeId) {
        if self.is_up(node) {
            self.kill(node);
        }
    }

    /// A node's machine loses its power, and with it all that was not synced.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn lose_power(&mut self, node: NodeId) {
        self.crash(node, Crash::Power(Survivors::Nothing), None);
    }

    /// Ends a node's process. `tear`: in the middle of what its disk was about to do, that many operations in.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn crash(&mut self, node: NodeId, crash: Crash, tear: Option<u64>) {
        self.end_service(node);
        let host = self.hosts.get_mut(&node);
        if let Some(process) = host.and_then(|host| host.process.as_mut()) {
            process.gather_jobs();
            if tear.is_some() {
                self.judge.shadows.torn(node, process.batches());
            }
        }
        let was_up = self.is_up(node);
        self.host(node).crash(crash, tear);
        if was_up {
            self.scene.mark(|| Lane::Node(node), || What::Ended(format!("{crash:?}")));
        }
    }

    /// A node that does not run loses its disk, and gets an empty one.
    ///
    /// # Panics
    ///
    /// If there is no such node, or it runs: [`World::kill`] it first.
    pub fn wipe(&mut self, node: NodeId) {
        let rng = self.rng;
        self.must_not_run(node, "its disk can be wiped");
        self.judge.shadows.tampered(node);
        let host = self.host(node);
        host.directories += 1;
        host.directory = rng.draw(Purpose::Directory, node, 0, host.directories);
        host.disk = FaultyDisk::new(rng.draw(Purpose::Disk, node, 0, host.directories));
    }

    /// A node's disk does nothing until it is released.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn hold_disk(&mut self, node: NodeId) {
        self.host(node).held = true;
    }

    /// See [`World::hold_disk`].
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn release_disk(&mut self, node: NodeId) {
        self.host(node).held = false;
        self.see_to_disk(node);
    }

    /// A node that runs does nothing for a while, and wakes up without knowing.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn pause(&mut self, node: NodeId, duration: Duration) {
        let until = self.now + duration;
        if let Some(process) = &mut self.host(node).process {
            process.paused_until = until;
            // What it had planned waits, too.
            process.turn_at = None;
            let begins = !duration.is_zero() && !std::mem::replace(&mut process.is_paused, true);
            self.wake(node, until);
            if begins {
                self.scene.mark(|| Lane::Node(node), || What::Paused);
            }
        }
    }

    /// Every turn of a node's process takes so long, from now on, across its restarts.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn slow_cpu(&mut self, node: NodeId, turn: Duration) {
        self.host(node).turn_takes = turn;
    }

    /// Every sync of a node's disk takes up to so much longer, from now on.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn slow_disk(&mut self, node: NodeId, by: Duration) {
        self.host(node).slow_sync = by;
    }

    /// What a node's disk is at, which it may have begun when it was slow, it ends as a healthy one does.
    pub(crate) fn hurry_disk(&mut self, node: NodeId) {
        let longest = self.sync_time.1;
        let host = self.host(node);
        let epoch = host.epoch;
        if host.process.as_ref().is_some_and(|process| process.is_writing) {
            self.after(longest, Event::Disk(node, epoch));
        }
    }

    /// How much faster a node's clock runs, in parts of a million.
    ///
    /// # Panics
    ///
    /// If there is no such node, or `ppm` is not from -999,999 (it all but stands still) to 9,000,000 (ten times as
    /// fast): no clock runs backwards. One that stands still is [`World::freeze_clock`]'s.
    pub fn set_drift(&mut self, node: NodeId, ppm: i64) {
        let (least, most) = (DRIFTS.start(), DRIFTS.end());
        assert!(DRIFTS.contains(&ppm), "a clock's drift is from {least} to {most} ppm, and not {ppm}");
        let now = self.now;
        self.host(node).clock.set_drift(now, ppm);
    }

    /// A node's monotonic clock jumps forward, as none should.
    ///
    /// # Panics
    ///
    /// If there is no such node, or the jump is longer than 365 days.
    pub fn jump_clock(&mut self, node: NodeId, by: Duration) {
        assert!(by <= LONGEST_JUMP, "a clock jumps {LONGEST_JUMP:?} at once at most, and not {by:?}");
        let now = self.now;
        self.host(node).clock.jump(now, by);
        self.wake(node, now);
    }

    /// A node's monotonic clock stands still for a while although its process runs, as none should. (`Duration::MAX`:
    /// until it is thawed.)
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn freeze_clock(&mut self, node: NodeId, lasts: Duration) {
        let now = self.now;
        self.host(node).clock.freeze(now, now + lasts);
    }

    /// A clock that stood still goes on.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn thaw_clock(&mut self, node: NodeId) {
        let now = self.now;
        self.host(node).clock.thaw(now);
        self.wake(node, now);
    }

    /// A packet that was sent before (if the network keeps them) comes again, whoever listens by then.
    /// `any` chooses it, among those of the whole run or of the last moments.
    pub fn replay(&mut self, is_old: bool, any: u64, delay: Duration) -> bool {
        let packet = self.net.again(is_old, any);
        let is_one = packet.is_some();
        packet.into_iter().for_each(|packet| self.after(delay, Event::Deliver(packet)));
        is_one
    }

    /// Shows a damaged packet to the decoder, and to a copy of a node if it decodes: nothing may panic. What
    /// the copy makes of it goes nowhere. Answers whether it decoded.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn show_damaged(&mut self, node: NodeId, damage: &mut Stream) -> bool {
        let Some(packet) = self.net.again(damage.chance(500), damage.any()) else { return false };
        let mut bytes = packet.to_vec();
        for _ in 0..damage.between(1, 4) {
            let at = damage.below(bytes.len() as u64) as usize;
            let bit = damage.below(8);
            bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
        }
        let Ok(envelope) = Envelope::decode(&bytes[..]) else { return false };
        let (now, mut twin) = (self.now, self.host(node).twin(damage.any()));
        if twin.start(now, |_, _| ()).is_err() {
            return false;
        }
        let Some(process) = &mut twin.process else { return false };
        // As it came, and as if it were meant for this node.
        let here = Envelope { to: node, ..envelope.clone() };
        for envelope in [envelope, here] {
            let mail = Mail::Incoming(Incoming::Message(envelope));
            process.driver.turn(Time::ZERO, std::iter::once(mail));
        }
        true
    }

    /// Whether a node runs, and knows by agreement with which directory another began.
    pub fn knows_directory(&self, node: NodeId, of: NodeId) -> bool {
        let process = self.hosts.get(&node).and_then(|host| host.process.as_ref());
        process.is_some_and(|process| process.state.read().member_directory(of).is_some())
    }

    /// Hands a node a message, as if it had come over the network.
    pub fn inject(&self, envelope: Envelope) {
        if let Some(mail) = self.mail(envelope.to) {
            // It runs: somebody takes it.
            let _ = mail.send(Mail::Incoming(Incoming::Message(envelope)));
        }
    }
}
