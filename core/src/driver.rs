//! The only loop: take what arrived, let time pass, do what the node wants.
//!
//! [`Driver::turn`] is one round of it. In production a thread calls it whenever mail comes or the deadline
//! is reached; in a simulation, the simulator does. It owns no thread and no clock itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use crossbeam::channel::Sender;
use parking_lot::Mutex;

use crate::client::Client;
use crate::command::Op;
use crate::disk::{DiskJob, announced};
use crate::error::{ErrorKind, Result};
use crate::ids::NodeId;
use crate::lease::Keeper;
use crate::mail::{DiskReport, Mail, ReplySender};
use crate::node::{Glance, Input, Node, Output, Reply, Request, Token};
use crate::request::DeleteRangeRequest;
use crate::shared::{Counters, Shared};
use crate::state::WatcherId;
use crate::storage::ImageMeta;
use crate::time::Time;
use crate::transport::{Incoming, Transport};
use crate::watch::Hub;
use crate::write::Write;

/// Drives one node.
pub struct Driver {
    node: Node,
    transport: Box<dyn Transport>,
    disk: Sender<DiskJob>,
    mail: Sender<Mail>,
    shared: Arc<Shared>,
    waiting: Waiting,
    keepers: Vec<Kept>,
    left: Left,
    woken: Vec<WatcherId>,
    is_stopping: bool,
}

/// Keys that nobody needs any more and that could not be deleted, and when that is tried again.
#[derive(Default)]
struct Left {
    keys: Vec<Bytes>,
    next: Time,
}

/// Who waits for which token.
#[derive(Default)]
struct Waiting {
    slots: Vec<Option<Waiter>>,
    free: Vec<usize>,
}

enum Waiter {
    Client(ReplySender),
    Keeper(Weak<Keeper>, Time),
    Leaver(Bytes),
}

struct Kept {
    keeper: Weak<Keeper>,
    next: Time,
}

impl Waiting {
    fn add(&mut self, waiter: Waiter) -> Token {
        let at = self.free.pop().unwrap_or(self.slots.len());
        if at == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[at] = Some(waiter);
        at as Token
    }

    fn take(&mut self, token: Token) -> Option<Waiter> {
        let at = usize::try_from(token).ok()?;
        let waiter = self.slots.get_mut(at)?.take();
        if waiter.is_some() {
            self.free.push(at);
        }
        waiter
    }
}

impl Driver {
    /// Drives `node`: sends over `transport`, has `disk` (see [`crate::disk::DiskWorker`]) write, and is
    /// reached by `mail`.
    pub fn new(
        node: Node,
        transport: Box<dyn Transport>,
        disk: Sender<DiskJob>,
        mail: Sender<Mail>,
    ) -> Driver {
        let view = node.view();
        let counters = Counters::default();
        // A member that is alone leads before its first turn.
        counters.leaders_seen.store(u64::from(view.leader != 0), Ordering::Relaxed);
        let shared = Arc::new(Shared {
            config: node.config().clone(),
            identity: *node.identity(),
            state: node.state().clone(),
            view: Mutex::new(view),
            hub: Hub::default(),
            unique: AtomicU64::new(1),
            turned: AtomicU64::new(0),
            counters,
        });
        Driver {
            node,
            transport,
            disk,
            mail,
            shared,
            waiting: Waiting::default(),
            keepers: Vec::new(),
            left: Left::default(),
            woken: Vec::new(),
            is_stopping: false,
        }
    }

    /// A handle for clients.
    pub fn client(&self) -> Client {
        Client::new(self.mail.clone(), self.shared.clone())
    }

    /// Whether it has been asked to stop, and may be let go of.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// One round: deals with the mail, lets time pass, does what the node wants. Answers when it wants to be
    /// called again if no mail comes before.
    pub fn turn(&mut self, now: Time, mail: impl Iterator<Item = Mail>) -> Time {
        self.shared.turn(now);
        for mail in mail {
            self.take_in(now, mail);
        }
        if self.node.deadline() <= now {
            // Watches that were opened in the past are woken without an entry that says so.
            self.wake();
            self.renew_leases(now);
            self.leave_again(now);
        }
        self.node.handle(now, Input::Tick);
        while let Some(output) = self.node.poll_output() {
            self.carry_out(now, output);
        }
        self.show();
        self.shared.hub.tick(now);
        self.node.deadline()
    }

    /// Lets clients see how things stand.
    fn show(&mut self) {
        let view = self.node.view();
        let mut shown = self.shared.view.lock();
        if view.leader != 0 && view.leader != shown.leader {
            self.shared.counters.leaders_seen.fetch_add(1, Ordering::Relaxed);
        }
        *shown = view;
    }

    fn take_in(&mut self, now: Time, mail: Mail) {
        match mail {
            Mail::Ask(request, sender) => {
                let token = self.waiting.add(Waiter::Client(sender));
                self.node.handle(now, Input::Request(token, request));
            }
            Mail::Incoming(incoming) => self.take_incoming(now, incoming),
            Mail::Disk(report) => self.take_report(now, report),
            Mail::Keep(keep) => {
                let keeper = keep.taken();
                keeper.upgrade().iter().for_each(|keeper| keeper.begin(now));
                self.keepers.push(Kept { keeper, next: now });
                if self.node.view().halted.is_some() {
                    self.lose_leases();
                }
            }
            Mail::Leave(key) => self.leave(now, key),
            Mail::Stop => self.is_stopping = true,
        }
    }

    fn take_incoming(&mut self, now: Time, incoming: Incoming) {
        match incoming {
            Incoming::Message(envelope) => self.node.handle(now, Input::Message(envelope)),
            Incoming::ImageOffer { envelope, accept } => {
                // It is refused by dropping `accept`.
                let is_expected = self.node.expects_image(&envelope);
                if let Some(meta) = announced(&envelope).filter(|_| is_expected) {
                    self.to_disk(DiskJob::ReceiveImage(envelope, meta, accept));
                }
            }
            Incoming::ImageSent { to, stored, .. } => self.node.handle(now, Input::ImageSent { to, stored }),
            Incoming::Unreachable(peer) => self.node.handle(now, Input::Unreachable(peer)),
        }
    }

    fn take_report(&mut self, now: Time, report: DiskReport) {
        let input = match report {
            DiskReport::Persisted(ticket, bytes) => Input::Persisted { ticket, bytes },
            DiskReport::ImageSaved(meta, size) => Input::ImageSaved { meta, size },
            DiskReport::ImageOpened(envelope, source) => return self.transport.send_image(envelope, source),
            DiskReport::NoImage(envelope, index) => Input::NoImage { to: envelope.to, index },
            DiskReport::ImageReceived(envelope, meta, state) => {
                Input::ImageReceived { envelope, meta, state }
            }
            DiskReport::Failed(reason) => Input::DiskFailed(reason),
        };
        self.node.handle(now, input);
    }

    fn carry_out(&mut self, now: Time, output: Output) {
        match output {
            Output::Send(envelopes) => envelopes.into_iter().for_each(|e| self.transport.send(e)),
            Output::Persist(ticket, batch) => self.to_disk(DiskJob::Persist(ticket, batch)),
            Output::DropLog(through) => self.to_disk(DiskJob::DropLog(through)),
            Output::Reply(token, result) => self.answer(now, token, result),
            Output::Wake => self.wake(),
            Output::SaveImage { voters } => self.save_image(voters),
            Output::SendImage { envelope, index } => self.to_disk(DiskJob::OpenImage(envelope, index)),
            Output::Halt(reason) => {
                self.lose_leases();
                self.shared.hub.end(ErrorKind::Halted { reason });
            }
        }
    }

    fn to_disk(&self, job: DiskJob) {
        // The disk's thread outlives the driver; if it is gone after all, no write comes back, and nothing
        // is acknowledged.
        let _ = self.disk.send(job);
    }

    fn answer(&mut self, now: Time, token: Token, result: Result<Reply>) {
        match self.waiting.take(token) {
            Some(Waiter::Client(sender)) => sender.send(result),
            Some(Waiter::Keeper(keeper, sent)) => self.renewed(now, &keeper, sent, result),
            Some(Waiter::Leaver(key)) => self.left(now, key, &result),
            None => {}
        }
    }

    fn wake(&mut self) {
        if !self.shared.state.read().has_woken() {
            return;
        }
        self.woken.clear();
        self.shared.state.write().take_woken(&mut self.woken);
        let forgotten = usize::from(planted!("watch_not_woken") && !self.woken.is_empty());
        self.shared.hub.wake(&self.woken[forgotten..]);
    }

    fn save_image(&mut self, voters: Vec<NodeId>) {
        let cut = self.shared.state.write().cut_image();
        let (position, hash) = (cut.position(), cut.hash());
        let meta = ImageMeta { position, voters, learners: Vec::new(), hash };
        self.to_disk(DiskJob::SaveImage(Box::new(cut), meta));
    }

    /// Asks for the renewal of the leases whose keepers still live.
    fn renew_leases(&mut self, now: Time) {
        let (node, waiting) = (&mut self.node, &mut self.waiting);
        self.keepers.retain_mut(|kept| {
            let Some(keeper) = kept.keeper.upgrade() else { return false };
            if keeper.is_over(now) {
                keeper.lose();
                return false;
            }
            if let Some(lease) = keeper.lease().filter(|_| kept.next <= now) {
                kept.next = now + lease.every();
                let token = waiting.add(Waiter::Keeper(kept.keeper.clone(), now));
                node.handle(now, Input::Request(token, Request::KeepAlive(lease.id)));
            }
            true
        });
    }

    fn renewed(&mut self, now: Time, keeper: &Weak<Keeper>, sent: Time, result: Result<Reply>) {
        let Some(alive) = keeper.upgrade() else { return };
        match result {
            Ok(Reply::Lease { remaining_millis: Some(1..) }) => {
                alive.renewed(if planted!("keeper_counts_from_answer") { now } else { sent })
            }
            Ok(_) => alive.lose(),
            // It may still be renewed in time: ask again soon.
            Err(_) => {
                let soon = now + self.shared.config.heartbeat;
                let kept = self.keepers.iter_mut().find(|kept| kept.keeper.ptr_eq(keeper));
                if let Some(kept) = kept {
                    kept.next = kept.next.min(soon);
                }
            }
        }
    }

    /// Deletes a key that nobody needs any more.
    fn leave(&mut self, now: Time, key: Bytes) {
        let delete = Op::DeleteRange(DeleteRangeRequest::key(&key));
        // What could be put can be deleted.
        let Ok(write) = Write::new(delete, None, &self.shared.config) else { return };
        let token = self.waiting.add(Waiter::Leaver(key));
        self.node.handle(now, Input::Request(token, Request::Write(write)));
    }

    fn left(&mut self, now: Time, key: Bytes, result: &Result<Reply>) {
        let Err(error) = result else { return };
        let is_over = matches!(error.kind(), ErrorKind::Stopped | ErrorKind::Halted { .. });
        if is_over || planted!("left_place_not_tried_again") {
            return;
        }
        if self.left.keys.is_empty() {
            self.left.next = now + self.shared.config.heartbeat;
        }
        self.left.keys.push(key);
    }

    fn leave_again(&mut self, now: Time) {
        if self.left.next <= now {
            for key in std::mem::take(&mut self.left.keys) {
                self.leave(now, key);
            }
        }
    }

    /// Ends the node: everybody who waits is answered, and every watch ends.
    pub fn stop(&mut self) {
        self.node.stop();
        while let Some(output) = self.node.poll_output() {
            if let Output::Reply(token, result) = output {
                self.answer(Time::NEVER, token, result);
            }
        }
        *self.shared.view.lock() = self.node.view();
        self.lose_leases();
        self.shared.hub.end(ErrorKind::Stopped);
    }

    /// Nobody renews leases here any more: their holders must not go on as if somebody did.
    fn lose_leases(&mut self) {
        for kept in self.keepers.drain(..) {
            kept.keeper.upgrade().iter().for_each(|keeper| keeper.lose());
        }
    }

    /// What a rehearsal looks at.
    #[doc(hidden)]
    pub fn glance(&self) -> Glance {
        self.node.glance()
    }

    /// Whom to hand leadership to before stopping, if this node leads and there is somebody.
    pub fn successor(&self) -> Option<NodeId> {
        self.node.successor()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("node", &self.node).finish_non_exhaustive()
    }
}
