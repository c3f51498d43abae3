//! What the second tier needs of a world whose events it carries out itself: what is planned, and the ways to
//! do it.

use std::collections::VecDeque;

use bytes::Bytes;
use kvorum_core::Time;
use kvorum_core::ids::NodeId;
use kvorum_core::mail::Mail;
use kvorum_core::transport::{Envelope, Incoming};

use super::{Event, World};
use crate::images::Transfer;

impl World {
    /// The world's time is madsim's: it goes on whenever somebody looks.
    pub(crate) fn go_on_to(&mut self, now: Time) {
        self.pass_to(now.max(self.now));
    }

    /// Plans turns for those whose mail lies there.
    pub(crate) fn plan_turns(&mut self) {
        self.notice_mail();
    }

    /// What the world wants done next, and when.
    pub(crate) fn take_planned(&mut self) -> Option<(Time, Event)> {
        self.queue.pop()
    }

    /// Whether somebody has seen what a fault may wait for.
    pub(crate) fn has_seen(&self) -> bool {
        !self.seen.is_empty()
    }

    /// When a node's next turn is.
    pub(crate) fn turn_at(&self, node: NodeId) -> Option<Time> {
        self.hosts.get(&node)?.process.as_ref()?.turn_at
    }

    /// Until when a node's process stands still.
    pub(crate) fn paused_until(&self, node: NodeId) -> Time {
        let process = self.hosts.get(&node).and_then(|host| host.process.as_ref());
        process.map_or(Time::ZERO, |process| process.paused_until)
    }

    /// A node's turn, which is due.
    pub(crate) fn take_turn(&mut self, node: NodeId, epoch: u64) {
        let now = self.now;
        if let Some(process) = &mut self.host(node).process {
            process.turn_at = Some(now);
            self.on_turn(node, epoch);
        }
    }

    /// A node's disk has done what it was asked for.
    pub(crate) fn do_disk(&mut self, node: NodeId, epoch: u64) {
        self.on_disk(node, epoch);
    }

    /// A packet has arrived.
    pub(crate) fn deliver(&mut self, packet: Bytes) {
        self.on_delivery(packet);
    }

    /// An image that a node wants sent.
    pub(crate) fn take_image(&mut self, id: u64) -> Option<(Envelope, VecDeque<Bytes>)> {
        self.transfers.remove(&id).map(Transfer::into_parts)
    }

    /// Who wants an image sent.
    pub(crate) fn image_from(&self, id: u64) -> Option<NodeId> {
        self.transfers.get(&id).map(Transfer::from)
    }

    /// A node hears something from its transport, if its process still runs.
    pub(crate) fn tell(&mut self, node: NodeId, incoming: Incoming) {
        if let Some(mail) = self.mail(node) {
            // It runs: somebody takes it.
            let _ = mail.send(Mail::Incoming(incoming));
        }
    }

    /// Any other plan: an image's end, told to whoever still wants to know.
    pub(crate) fn carry_out(&mut self, event: Event) {
        if let Event::ImageSent { node, epoch, to, index, stored } = event
            && self.epoch(node) == epoch
        {
            self.tell(node, Incoming::ImageSent { to, index, stored });
        }
    }
}
