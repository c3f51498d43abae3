//! What raft wants written and sent, and what has to wait until it is written.
//!
//! The rule that this file keeps: nothing that vouches for a write leaves before the write is durable. Raft
//! numbers its wants; those with something to write become tickets, and what depends on them is held here
//! until the ticket comes back. A want without a write still must not overtake an earlier one, so it rides
//! on the newest ticket that is under way.
//!
//! A leader's own appends are the exception that raft allows: they may go out before its own sync, since it
//! counts itself only when its ticket is back.

use std::collections::VecDeque;

use raft::eraftpb::{Message, MessageType};
use raft::{Ready, SnapshotStatus};

use super::split::split;
use super::{Node, Output, guard, wire};
use crate::ids::{Index, NodeId, Ticket};
use crate::state::State;
use crate::storage::{Batch, ImageMeta, LogEntry, LogPosition};
use crate::transport::{Body, Envelope};

/// What is held until its ticket, or a later one, is durable.
#[derive(Default)]
pub(super) struct Held {
    tickets: VecDeque<(Ticket, Vec<Envelope>)>,
}

impl Held {
    /// Whether anything is being written.
    pub(super) fn is_waiting(&self) -> bool {
        !self.tickets.is_empty()
    }

    fn open(&mut self, ticket: Ticket) {
        self.tickets.push_back((ticket, Vec::new()));
    }

    /// Holds messages with the newest ticket; hands them back if there is none.
    fn hold(&mut self, messages: Vec<Envelope>) -> Option<Vec<Envelope>> {
        match self.tickets.back_mut() {
            Some((_, held)) => {
                held.extend(messages);
                None
            }
            None => Some(messages),
        }
    }

    fn release(&mut self, through: Ticket) -> Vec<Envelope> {
        let mut released = Vec::new();
        while self.tickets.front().is_some_and(|(ticket, _)| *ticket <= through) {
            released.extend(self.tickets.pop_front().into_iter().flat_map(|(_, held)| held));
        }
        released
    }
}

impl Node {
    /// Does what raft wants; answers whether it wanted anything.
    pub(super) fn process_ready(&mut self) -> bool {
        if !self.raft.has_ready() {
            return false;
        }
        let mut ready = self.raft.ready();
        let now = self.envelopes(ready.take_messages());
        self.send_all(now);
        let ticket = ready.number();
        let batch = self.take_batch(&mut ready);
        if self.halted.is_some() {
            return true;
        }
        let later = ready.take_persisted_messages();
        let committed = ready.take_committed_entries();
        let read_states = ready.take_read_states();
        // Nothing may be stepped before this.
        self.raft.advance_append_async(ready);
        self.persist(ticket, batch, later);
        for read in read_states {
            self.reads.proven(&read.request_ctx, read.index);
        }
        self.apply(committed);
        self.after_step();
        true
    }

    /// What is to be written, which the log window shows from now on.
    fn take_batch(&mut self, ready: &mut Ready) -> Option<Batch> {
        let mut batch = Batch::default();
        if !ready.snapshot().is_empty() {
            let meta = ready.snapshot().get_metadata();
            let position = LogPosition { index: meta.index, term: meta.term };
            self.raft.mut_store().reset(position);
            batch.reset = Some(position);
            self.install_received(position);
        }
        let entries = ready.take_entries();
        self.raft.mut_store().append(&entries);
        batch.entries = entries.iter().map(wire::log_entry).collect::<Vec<LogEntry>>();
        let before = self.raft.store().hard_state();
        let hard = ready.hs().map(wire::hard_state).unwrap_or(before);
        self.raft.mut_store().set_hard_state(hard);
        // How far the log is committed is told anew after every start: it is written along, never by itself.
        let is_vote = (hard.term, hard.vote) != (before.term, before.vote);
        let is_due = is_vote || batch.reset.is_some() || !batch.entries.is_empty();
        batch.hard_state = is_due.then_some(hard);
        if is_due {
            let owed = self.raft.mut_store().take_owed_reset();
            batch.reset = batch.reset.or(owed);
        }
        is_due.then_some(batch)
    }

    fn persist(&mut self, ticket: Ticket, batch: Option<Batch>, later: Vec<Message>) {
        let later = self.envelopes(later);
        if let Some(batch) = batch {
            self.held.open(ticket);
            let reset = batch.reset;
            self.outputs.push_back(Output::Persist(ticket, batch));
            if let Some(base) = reset {
                self.drop_log_behind(base);
            }
        }
        if planted!("count_before_sync") {
            self.raft.on_persist_ready(ticket);
        }
        if planted!("send_before_sync") {
            return self.send_all(later);
        }
        if let Some(free) = self.held.hold(later) {
            // Nothing is being written: there is nothing to wait for.
            self.raft.on_persist_ready(ticket);
            self.send_all(free);
        }
    }

    pub(super) fn on_persisted(&mut self, ticket: Ticket, bytes: u64) {
        self.upkeep.log_bytes += bytes;
        let released = self.held.release(ticket);
        self.raft.on_persist_ready(ticket);
        if planted!("commit_without_quorum") && self.is_leader() {
            let own = self.raft.raft.raft_log.persisted;
            self.raft.raft.raft_log.commit_to(own);
        }
        self.tell_applied();
        self.send_all(released);
    }

    fn send_all(&mut self, envelopes: Vec<Envelope>) {
        if !envelopes.is_empty() {
            self.outputs.push_back(Output::Send(envelopes));
        }
    }

    /// Raft's messages, addressed. Images go their own way.
    fn envelopes(&mut self, messages: Vec<Message>) -> Vec<Envelope> {
        let mut envelopes = Vec::with_capacity(messages.len());
        for message in messages.into_iter().flat_map(split) {
            let to = message.to;
            if message.from != self.identity.node {
                continue; // It passes on another's question: the asker will ask again.
            }
            if message.get_msg_type() == MessageType::MsgSnapshot {
                self.send_image(message);
                continue;
            }
            let speaks_of_health = matches!(
                message.get_msg_type(),
                MessageType::MsgHeartbeat | MessageType::MsgHeartbeatResponse
            );
            let mut out = wire::outgoing(message, None);
            if speaks_of_health {
                out.applied = Some(self.applied.latest_hash());
            }
            envelopes.push(self.envelope(to, out.into()));
        }
        envelopes
    }

    fn send_image(&mut self, message: Message) {
        let meta = message.get_snapshot().get_metadata();
        let image = self.raft.store().image().filter(|image| image.position.index == meta.index).cloned();
        let (to, index) = (message.to, meta.index);
        let Some(image) = image else {
            // A newer one took its place meanwhile. Raft must hear of it, but not in the middle of this.
            return self.unsent_images.push(to);
        };
        let envelope = self.envelope(to, wire::outgoing(message, Some(&image)).into());
        self.outputs.push_back(Output::SendImage { envelope, index });
    }

    /// Images that raft wanted sent and that are no more: it tries again with the newest.
    pub(super) fn report_unsent_images(&mut self) {
        for to in std::mem::take(&mut self.unsent_images) {
            self.on_image_sent(to, false);
        }
    }

    /// Whether a peer may hand over the image that `envelope` introduces: asked before the first byte of it
    /// is taken in.
    pub fn expects_image(&mut self, envelope: &Envelope) -> bool {
        let Some(envelope) = self.guard_envelope(envelope.clone()) else { return false };
        match envelope.body {
            Some(Body::Raft(message)) if message.kind == MessageType::MsgSnapshot as i32 => {
                self.guard.raft(envelope.from, &message, &self.raft) == guard::Verdict::Pass
            }
            _ => false,
        }
    }

    /// An image that was sent was stored, or was not: a peer that raft is not told about stays paused for
    /// good.
    pub(super) fn on_image_sent(&mut self, to: NodeId, stored: bool) {
        let status = if stored { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raft.report_snapshot(to, status);
    }

    /// An image that was to be sent is not there. If it is the newest, it was found damaged: there must be another, or
    /// the peer will ask in vain until the next is due, and the disk look through the damaged one each time.
    pub(super) fn on_no_image(&mut self, to: NodeId, index: Index) {
        self.raft.mut_store().lose_image(index);
        self.on_image_sent(to, false);
    }

    /// An image came, and is durable. Raft decides whether it is news.
    pub(super) fn on_image(&mut self, envelope: Envelope, meta: ImageMeta, state: Box<State>) {
        let Some(envelope) = self.guard_envelope(envelope) else { return };
        let Some(Body::Raft(message)) = envelope.body else { return };
        let told = message.image.as_ref().and_then(wire::image_meta);
        if message.kind != MessageType::MsgSnapshot as i32 || told.as_ref() != Some(&meta) {
            self.dropped += 1;
            return;
        }
        let position = meta.position;
        self.raft.mut_store().set_image(meta);
        self.step(envelope.from, *message);
        // It may not be news to raft, which may have taken another one a moment ago.
        let taken = self.raft.snap().map(|snapshot| snapshot.get_metadata().index);
        if taken == Some(position.index) {
            self.received = Some((position, state));
        } else if self.raft.raft.raft_log.committed >= position.index {
            self.drop_log_behind(position);
        }
    }

    /// A member that is fed by images lets go of its log by them, too: its own may never be due (seed 22549). The
    /// entry at the image is kept, and the storage keeps what an older image needs.
    pub(super) fn drop_log_behind(&mut self, image: LogPosition) {
        if !planted!("received_image_keeps_log") {
            self.outputs.push_back(Output::DropLog(image.index.saturating_sub(1)));
        }
    }

    /// Raft takes the image: its content replaces the state.
    fn install_received(&mut self, position: LogPosition) {
        let Some((_, state)) = self.received.take().filter(|(of, _)| *of == position) else {
            return self.halt(format!("raft took an image of entry {} that nobody sent", position.index));
        };
        self.state.write().install(*state);
        self.applied.skipped_to(position, self.state.read().hash());
        self.upkeep.log_bytes = 0;
        self.fail_skipped();
        self.outputs.push_back(Output::Wake);
    }
}
