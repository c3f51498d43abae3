//! Moments that faults wait for: told only while somebody waits, and told cheaply.

use kvorum_core::ids::NodeId;
use kvorum_core::transport::{Body, Envelope};

use super::{Seen, World};
use crate::plan::Trigger;

/// Raft's own numbers of kinds of messages, as they travel.
const APPENDED: i32 = 4;
const VOTE: i32 = 6;
const HEARTBEAT: i32 = 8;
const TIMEOUT_NOW: i32 = 14;
const READ_INDEX: i32 = 15;

/// What moment in its sender's life a message tells of.
fn moment_of(envelope: &Envelope) -> Option<Trigger> {
    let message = match envelope.body.as_ref()? {
        Body::Raft(message) => message,
        Body::LeaseAsk(ask) if ask.renew => return Some(Trigger::RenewalAsked),
        Body::LeaseAnswer(answer) if !answer.not_leader => return Some(Trigger::Renewed),
        _ => return None,
    };
    match message.kind {
        VOTE if !message.reject => Some(Trigger::Voted),
        APPENDED if !message.reject => Some(Trigger::Acknowledged),
        HEARTBEAT if !message.context.is_empty() => Some(Trigger::ReadAsked),
        READ_INDEX => Some(Trigger::ReadAsked),
        TIMEOUT_NOW => Some(Trigger::Transferred),
        _ => None,
    }
}

impl World {
    /// From now on [`World::take_seen`] tells of these moments (and of no others), and of nodes that halt.
    pub fn wait_for_moments(&mut self, triggers: impl IntoIterator<Item = Trigger>) {
        self.wanted = Some(triggers.into_iter().fold(0, |all, trigger| all | trigger.bit()));
    }

    /// A moment came at a node. What the world cannot see (that a client has its answer) is told by whoever
    /// does.
    pub fn moment(&mut self, trigger: Trigger, node: NodeId) {
        if self.wanted.is_some_and(|wanted| wanted & trigger.bit() != 0) {
            self.seen.push(Seen::Moment(trigger, node));
        }
    }

    pub(super) fn note_message(&mut self, envelope: &Envelope) {
        if self.wanted.is_none_or(|wanted| wanted == 0) {
            return;
        }
        if let Some(trigger) = moment_of(envelope) {
            self.moment(trigger, envelope.from);
        }
    }

    pub(super) fn note_disk(&mut self, node: NodeId, is_new_segment: bool, is_saving: bool) {
        self.moment(Trigger::Synced, node);
        if is_new_segment {
            self.moment(Trigger::Segment, node);
        }
        if is_saving {
            self.moment(Trigger::ImageSaving, node);
        }
    }

    pub(super) fn note_halt(&mut self, node: NodeId, reason: &str) {
        if self.is_noting || self.wanted.is_some() {
            self.seen.push(Seen::Halted(node, reason.to_string()));
        }
    }
}
