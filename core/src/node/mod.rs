//! One member of the cluster, as a plain value.
//!
//! It is told what happens ([`Input`]) and at what time, says what it wants ([`Output`]) and when it wants to
//! be told the time again ([`Node::deadline`]). It owns no thread, file, socket or clock. Whoever drives it
//! has a single duty: carry out what [`Node::poll_output`] hands out (writes in their order, all else in any)
//! and report back.
//!
//! A request's way through the files here: `propose` (number it, hand it to raft or to the leader), `ready`
//! (what raft wants written and sent, and what has to wait for it), `apply` (agreed: make it so, answer).
//! Beside it: `read` (proof that the state is current), `leases` and `expiry` (the leader's clock), `guard`
//! (what peers may say), `health` (do all agree?), `upkeep` (what a leader does unasked).

mod apply;
mod expiry;
mod guard;
mod health;
mod io;
mod leases;
mod pending;
mod propose;
mod read;
mod ready;
mod recover;
mod split;
mod timing;
mod upkeep;
mod view;
mod window;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::RwLock;
use raft::{RawNode, StateRole};

pub use io::{Input, Output, Reply, Request, Token};
pub use recover::Start;
pub use view::{Glance, Role, View};
pub use wire::image_meta;

use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::ids::{NodeId, Term};
use crate::state::State;
use crate::storage::{Identity, LogPosition};
use crate::time::Time;
use crate::transport::{Body, Envelope};

/// A member of the cluster. See the module's text.
pub struct Node {
    config: Config,
    identity: Identity,
    raft: RawNode<window::Window>,
    state: Arc<RwLock<State>>,
    outputs: VecDeque<Output>,
    /// Something happened since raft was last asked what it wants.
    is_dirty: bool,
    halted: Option<String>,
    /// Writes of which whoever asked was told that they failed.
    failed: u64,
    now: Time,
    timing: timing::Timing,
    guard: guard::Guard,
    held: ready::Held,
    pending: pending::Pending,
    forwarded: propose::Forwarded,
    reads: read::Reads,
    leases: leases::Leases,
    upkeep: upkeep::Upkeep,
    health: health::Health,
    applied: apply::Progress,
    /// An image that came from the leader, until raft says what to do with it.
    received: Option<(LogPosition, Box<State>)>,
    /// Peers that raft sent an image to which is no more.
    unsent_images: Vec<NodeId>,
    led: Led,
    dropped: u64,
}

/// Whom this node follows, as it last looked.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Led {
    term: Term,
    leader: NodeId,
    is_me: bool,
}

impl Node {
    /// The state, shared with whoever reads it.
    pub fn state(&self) -> &Arc<RwLock<State>> {
        &self.state
    }

    /// How it was set up.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whose data it keeps.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When it wants to be told the time again, if nothing happens before.
    pub fn deadline(&self) -> Time {
        if self.halted.is_some() { Time::NEVER } else { self.timing.next_tick() }
    }

    /// Something happened. What follows from it comes out of [`Node::poll_output`]; several inputs may be
    /// handed in before, and are then dealt with together.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        if self.halted.is_some() {
            return self.refuse_halted(input);
        }
        self.is_dirty = true;
        match input {
            // Neither asks raft anything yet.
            Input::Tick => return,
            Input::Request(token, request) => return self.on_request(token, request),
            Input::Message(envelope) => self.on_envelope(envelope),
            Input::ImageReceived { envelope, meta, state } => self.on_image(envelope, meta, state),
            Input::Persisted { ticket, bytes } => self.on_persisted(ticket, bytes),
            Input::ImageSaved { meta, size } => self.on_image_saved(meta, size),
            Input::ImageSent { to, stored } => self.on_image_sent(to, stored),
            Input::NoImage { to, index } => self.on_no_image(to, index),
            Input::Unreachable(peer) => self.raft.report_unreachable(peer),
            Input::DiskFailed(reason) => self.halt(format!("the disk failed: {reason}")),
        }
        self.after_step();
    }

    /// What the node wants next; `None` until something happens again.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.is_dirty && self.halted.is_none() {
            self.is_dirty = false;
            self.tick();
            self.advance();
        }
        self.outputs.pop_front()
    }

    fn on_request(&mut self, token: Token, request: Request) {
        let limit = self.config.limits.pending;
        let waiting = self.pending.len() + self.reads.len() + self.leases.waiting();
        if waiting >= limit && !planted!("pending_without_bound") {
            return self.reply(token, Err(ErrorKind::Overloaded.into()));
        }
        match request {
            Request::Write(write) => self.on_write(token, write),
            Request::Read if planted!("read_without_index") => self.reply(token, Ok(Reply::Readable)),
            Request::Read => self.reads.push(self.now, read::Reader::Client(token)),
            Request::KeepAlive(id) => self.ask_lease(token, id, true),
            Request::TimeToLive(id) => self.ask_lease(token, id, false),
            Request::TransferLeader(to) => self.on_transfer(token, to),
            Request::HandOver => match self.successor() {
                Some(to) => self.on_transfer(token, to),
                None => self.reply(token, Ok(Reply::Done)),
            },
        }
    }

    fn on_transfer(&mut self, token: Token, to: NodeId) {
        if !self.is_leader() {
            let leader = self.raft.raft.leader_id;
            return self.reply(token, Err(ErrorKind::NotLeader { leader }.into()));
        }
        if !self.config.voters.contains(&to) {
            let reason = format!("node {to} is no voter");
            return self.reply(token, Err(ErrorKind::Config { reason }.into()));
        }
        self.raft.transfer_leader(to);
        self.after_step();
        self.reply(token, Ok(Reply::Done));
    }

    fn on_envelope(&mut self, envelope: Envelope) {
        let Some(envelope) = self.guard_envelope(envelope) else { return };
        let from = envelope.from;
        match envelope.body {
            Some(Body::Raft(message)) => self.step(from, *message),
            Some(Body::Forward(forward)) => self.on_forward(from, envelope.incarnation, forward),
            Some(Body::Refused(refused)) => self.on_refused(refused),
            Some(Body::LeaseAsk(ask)) => self.on_lease_ask(from, ask),
            Some(Body::LeaseAnswer(answer)) => self.on_lease_answer(answer),
            Some(Body::Verdict(verdict)) => self.on_verdict(from, verdict),
            None => self.dropped += 1,
        }
    }

    fn guard_envelope(&mut self, envelope: Envelope) -> Option<Envelope> {
        let known = self.state.read().member_directory(envelope.from);
        match self.guard.envelope(&envelope, known) {
            guard::Verdict::Pass => return Some(envelope),
            guard::Verdict::Wiped => self.tell_wiped(&envelope),
            guard::Verdict::Earlier(heard) => self.tell_earlier(&envelope, heard),
            guard::Verdict::Drop(_) | guard::Verdict::LogLost(_) => {}
        }
        self.dropped += 1;
        None
    }

    /// One turn: hand over what was asked, then do what raft wants, until it wants nothing more.
    fn advance(&mut self) {
        loop {
            self.follow_leader();
            self.report_unsent_images();
            self.flush_writes();
            self.flush_reads();
            let had_work = self.process_ready();
            if self.halted.is_some() {
                return;
            }
            self.answer_readers();
            if !had_work && !self.raft.has_ready() {
                return;
            }
        }
    }

    /// Takes note of a change of leader, role or term.
    fn follow_leader(&mut self) {
        let raft = &self.raft.raft;
        let is_me = raft.state == StateRole::Leader;
        let led = Led { term: raft.term, leader: raft.leader_id, is_me };
        if led == self.led {
            return;
        }
        let was_me = self.led.is_me;
        self.led = led;
        self.reads.retry_all();
        if planted!("resend_unsettled") {
            self.pending.term_applied(led.term);
        }
        self.forwarded.clear();
        if planted!("commit_earlier_terms") && is_me {
            let log = &mut self.raft.raft.raft_log;
            log.commit_to(log.persisted);
        }
        if was_me && !is_me {
            self.stop_leading();
        }
    }

    fn is_leader(&self) -> bool {
        self.raft.raft.state == StateRole::Leader
    }

    fn reply(&mut self, token: Token, result: crate::Result<Reply>) {
        self.outputs.push_back(Output::Reply(token, result));
    }

    fn envelope(&self, to: NodeId, body: Body) -> Envelope {
        Envelope {
            cluster: self.identity.cluster,
            from: self.identity.node,
            to,
            directory: self.identity.directory,
            incarnation: self.identity.incarnation,
            body: Some(body),
        }
    }

    fn send(&mut self, to: NodeId, body: Body) {
        let envelope = self.envelope(to, body);
        self.outputs.push_back(Output::Send(vec![envelope]));
    }

    /// Ends this node's part: it answers everybody, and does nothing more. The cluster goes on without it.
    fn halt(&mut self, reason: String) {
        if self.halted.is_some() {
            return;
        }
        self.halted = Some(reason.clone());
        // What waits to be written or sent must not go out any more.
        self.outputs.retain(|output| matches!(output, Output::Reply(..) | Output::Wake));
        self.fail_all(&ErrorKind::Halted { reason: reason.clone() });
        self.outputs.push_back(Output::Halt(reason));
    }

    /// Whoever drives it is about to let go of it: everybody who waits is answered.
    pub fn stop(&mut self) {
        self.fail_all(&ErrorKind::Stopped);
        self.halted.get_or_insert_with(|| "it was stopped".into());
    }

    fn fail_all(&mut self, kind: &ErrorKind) {
        for waiting in self.pending.take_all() {
            let error = if waiting.may_happen() { Error::unknown(kind.clone()) } else { kind.clone().into() };
            self.reply(waiting.token, Err(error));
        }
        for token in self.take_waiting_clients() {
            self.reply(token, Err(kind.clone().into()));
        }
    }

    /// Everybody who waits for something that is no write.
    fn take_waiting_clients(&mut self) -> Vec<Token> {
        let mut tokens = self.leases.take_clients();
        for reader in self.reads.take_all() {
            match reader {
                read::Reader::Client(token) => tokens.push(token),
                read::Reader::Lease(question) => tokens.extend(question.who.client()),
            }
        }
        tokens.extend(self.applied.take_physical());
        tokens
    }

    fn refuse_halted(&mut self, input: Input) {
        if let (Input::Request(token, _), Some(reason)) = (input, self.halted.clone()) {
            self.reply(token, Err(ErrorKind::Halted { reason }.into()));
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("identity", &self.identity).field("view", &self.view()).finish()
    }
}
