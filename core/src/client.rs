//! The handle with which a service uses its node.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use crossbeam::channel::Sender;

use crate::check::{check_range, check_txn};
use crate::command::{CloseSession, NoSpace, Op, OpenSession, Response};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::export::Export;
use crate::ids::{LeaseId, NodeId, Revision, SessionId, Term};
use crate::lease::{Granted, Keep, Keeper, Lease};
use crate::mail::{Held, Mail, ReplySender};
use crate::node::{Reply, Request};
use crate::read::{self, Reading};
use crate::reply::Answer;
use crate::request::*;
use crate::session::Session;
use crate::shared::Shared;
use crate::state::{Piece, Scope};
use crate::stats::Stats;
use crate::status::Status;
use crate::watch::Watch;
use crate::write::Write;

/// Picks the one kind of answer that a write can have, and completes its header.
macro_rules! headed {
    ($kind:ident) => {
        |response, shared, term| match response {
            Response::$kind(mut answer) => {
                shared.complete(&mut answer.header, term);
                Some(answer)
            }
            _ => None,
        }
    };
}

/// A handle to a node. Cheap to clone, and usable from any thread and any runtime: every call hands its
/// request over at once and returns an [`Answer`], which is a future and has [`Answer::wait`].
///
/// Reads are linearizable unless they say otherwise: they see every write that was acknowledged anywhere
/// before they were made. Any node takes any request; what only the leader can do is passed on to it.
///
/// # Errors
///
/// Every error says what became of the call ([`Error::outcome`]). Besides what is wrong with a request itself,
/// any call can fail with [`ErrorKind::NoLeader`] or [`ErrorKind::Timeout`] (no majority was reached in time),
/// [`ErrorKind::Overloaded`], [`ErrorKind::Stopped`] or [`ErrorKind::Halted`].
#[derive(Clone, Debug)]
pub struct Client {
    mail: Sender<Mail>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) session: Option<Arc<Session>>,
    /// What this handle's requests hold on to until they are answered.
    held: Option<Arc<Held>>,
}

impl Client {
    pub(crate) fn new(mail: Sender<Mail>, shared: Arc<Shared>) -> Client {
        Client { mail, shared, session: None, held: None }
    }

    /// Writes one key.
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Answer<PutResponse> {
        self.put_request(PutRequest::new(key, value))
    }

    /// Writes one key, with everything that a put can do.
    pub fn put_request(&self, request: PutRequest) -> Answer<PutResponse> {
        self.write(Op::Put(request), headed!(Put))
    }

    /// Deletes one key.
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Answer<DeleteRangeResponse> {
        self.delete_request(DeleteRangeRequest::key(key))
    }

    /// Deletes keys, with everything that a delete can do.
    pub fn delete_request(&self, request: DeleteRangeRequest) -> Answer<DeleteRangeResponse> {
        self.write(Op::DeleteRange(request), headed!(DeleteRange))
    }

    /// Reads one key; `None` if it does not exist.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Answer<Option<KeyValue>> {
        let key = copied(key);
        if key.is_empty() {
            return Answer::ready(Err(ErrorKind::EmptyKey.into()));
        }
        let shared = self.shared.clone();
        self.ask(Request::Read, ErrorKind::Stopped.into(), move |_| Ok(shared.state.read().get(&key)))
    }

    /// Reads one key from this node's own state, at once and without asking anybody. It may be old.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::EmptyKey`].
    pub fn get_local(&self, key: impl AsRef<[u8]>) -> Result<Option<KeyValue>> {
        let key = key.as_ref();
        if key.is_empty() {
            return Err(ErrorKind::EmptyKey.into());
        }
        Ok(self.shared.state.read().get(key))
    }

    /// Reads keys, with everything that a read can do.
    pub fn range(&self, request: RangeRequest) -> Answer<RangeResponse> {
        self.read(request, |response| response)
    }

    /// Reads keys from this node's own state, at once and without asking anybody. They may be old.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Compacted`], [`ErrorKind::FutureRevision`], or what is wrong with the request itself.
    pub fn range_local(&self, request: &RangeRequest) -> Result<RangeResponse> {
        check_range(request)?;
        self.reading(request).run()
    }

    fn reading(&self, request: &RangeRequest) -> Reading<RangeResponse> {
        self.shared.counters.reads.fetch_add(1, Ordering::Relaxed);
        read::range(&self.shared, request)
    }

    /// Reads the first pairs of a range from this node's own state: see [`State::piece`](crate::state::State::piece).
    ///
    /// # Errors
    ///
    /// As [`Client::range_local`].
    pub fn range_piece_local(&self, request: &RangeRequest, bytes: usize) -> Result<Piece> {
        self.shared.counters.reads.fetch_add(1, Ordering::Relaxed);
        self.shared.state.read().piece(request, bytes)
    }

    fn read<T: Send + 'static>(
        &self,
        request: RangeRequest,
        pick: impl FnOnce(RangeResponse) -> T + Send + 'static,
    ) -> Answer<T> {
        if let Err(error) = check_range(&request) {
            return Answer::ready(Err(error));
        }
        if request.serializable {
            return Answer::reading(self.reading(&request).map(pick));
        }
        let here = self.clone();
        self.read_when_current(move || here.reading(&request).map(pick))
    }

    /// Runs a transaction.
    pub fn txn(&self, request: TxnRequest) -> Answer<TxnResponse> {
        if request.is_read_only() {
            return self.read_txn(request);
        }
        self.write(Op::Txn(request), headed!(Txn))
    }

    /// A transaction that changes nothing needs no entry in the log.
    fn read_txn(&self, request: TxnRequest) -> Answer<TxnResponse> {
        if let Err(error) = check_txn(&request, &self.shared.config.limits) {
            return Answer::ready(Err(error));
        }
        if request.is_serializable() {
            return Answer::reading(read::txn(&self.shared, request));
        }
        let shared = self.shared.clone();
        self.read_when_current(move || read::txn(&shared, request))
    }

    /// Forgets what was overwritten or deleted at or before `revision`.
    pub fn compact(&self, revision: Revision) -> Answer<CompactionResponse> {
        self.compact_request(CompactionRequest { revision, physical: false })
    }

    /// Forgets history; see [`CompactionRequest`].
    pub fn compact_request(&self, request: CompactionRequest) -> Answer<CompactionResponse> {
        self.write(Op::Compact(request), headed!(Compact))
    }

    /// Opens a lease that ends after `ttl` (raised to whole seconds) unless it is kept alive.
    pub fn grant(&self, ttl: Duration) -> Answer<LeaseGrantResponse> {
        self.grant_request(LeaseGrantRequest { ttl: whole_seconds(ttl), id: 0 })
    }

    /// Opens a lease, with everything that a grant can do.
    pub fn grant_request(&self, request: LeaseGrantRequest) -> Answer<LeaseGrantResponse> {
        self.write(Op::LeaseGrant(request), headed!(LeaseGrant))
    }

    /// Opens a lease and keeps it alive as long as the returned handle lives.
    ///
    /// # Errors
    ///
    /// See [`Client`]; also [`ErrorKind::NoSpace`], [`ErrorKind::LeaseTtlTooLarge`].
    pub async fn lease(&self, ttl: Duration) -> Result<Lease> {
        // Known to the node before the request is, so that it knows when that was.
        let keeper = Arc::new(Keeper::new());
        self.send_keep(&keeper);
        let answer = self.grant(ttl).await?;
        let granted = Granted { id: answer.id, ttl: granted_ttl(answer.ttl) };
        if planted!("keeper_begins_with_answer") {
            return Ok(self.keep(granted.id, granted.ttl));
        }
        keeper.granted(granted, self.shared.now());
        Ok(Lease::new(self.clone(), granted, keeper))
    }

    /// Keeps a lease that exists alive, as long as the returned handle lives. `ttl` is what was granted. Until its
    /// first renewal, nobody here knows how much of that is left: for a third of it at most, the handle is trusted.
    pub fn keep(&self, id: LeaseId, ttl: Duration) -> Lease {
        let granted = Granted { id, ttl };
        let keeper = Arc::new(Keeper::of(granted));
        self.send_keep(&keeper);
        Lease::new(self.clone(), granted, keeper)
    }

    fn send_keep(&self, keeper: &Arc<Keeper>) {
        // Not read any more, the mail says itself that the lease is lost.
        let _ = self.mail.send(Mail::Keep(Keep::new(keeper)));
    }

    /// Ends a lease now, with all its keys.
    pub fn revoke(&self, id: LeaseId) -> Answer<LeaseRevokeResponse> {
        self.write(Op::LeaseRevoke(LeaseRevokeRequest { id }), headed!(LeaseRevoke))
    }

    /// Starts a lease's time anew. The answer's TTL is 0 if the lease does not exist or has ended. Its header is of
    /// when this was asked: a revision by which the lease's keys are gone must not stand beside a renewal.
    pub fn keep_alive(&self, id: LeaseId) -> Answer<LeaseKeepAliveResponse> {
        let header = Some(current_header(&self.shared));
        self.ask(Request::KeepAlive(id), ErrorKind::Stopped.into(), move |reply| {
            let ttl = remaining(&reply)?.map_or(0, |millis| i64::try_from(millis / 1000).unwrap_or(i64::MAX));
            Ok(LeaseKeepAliveResponse { header, id, ttl })
        })
    }

    /// How long a lease still has. The answer's TTL is -1 if the lease does not exist or has ended. Keys that come to it
    /// or leave it meanwhile may be missing or not, if there are thousands.
    pub fn time_to_live(&self, request: LeaseTimeToLiveRequest) -> Answer<LeaseTimeToLiveResponse> {
        let shared = self.shared.clone();
        self.ask_and_read(Request::TimeToLive(request.id), move |reply| match remaining(&reply) {
            Err(error) => Reading::Done(Err(error)),
            Ok(left) => {
                let left = left.map(|millis| i64::try_from(millis / 1000).unwrap_or(i64::MAX));
                read::time_to_live(&shared, request, left, current_header(&shared))
            }
        })
    }

    /// All leases.
    pub fn leases(&self) -> Answer<LeaseLeasesResponse> {
        let here = self.clone();
        self.ask(Request::Read, ErrorKind::Stopped.into(), move |_| Ok(here.leases_local()))
    }

    /// All leases that this node knows of, at once and without asking anybody. It may not know yet of the newest, nor
    /// which of the others have ended.
    pub fn leases_local(&self) -> LeaseLeasesResponse {
        let header = Some(current_header(&self.shared));
        let leases = self.shared.state.read().leases().map(|lease| lease.id).collect();
        LeaseLeasesResponse { header, leases }
    }

    /// Follows a key or a range of keys. What this node has not heard of yet is still to come.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::EmptyRange`]. A start revision that is compacted ends the watch at its first item.
    pub fn watch(&self, request: WatchRequest) -> Result<Watch> {
        Watch::open(self.shared.clone(), &request)
    }

    /// The newest revision of this node, if each of these watches (which must be this node's) has handed out all that
    /// it has to say of it and of everything before: the progress of many watches in one answer. `None` while
    /// any of them has something to hand out, or has yet to look.
    pub fn caught_up<'a>(&self, watches: impl IntoIterator<Item = &'a Watch>) -> Option<Revision> {
        Watch::caught_up(&self.shared, watches.into_iter())
    }

    /// A handle whose writes are safe to repeat: each carries this session and a number of its own, and a
    /// repetition is answered with the first one's answer. The node repeats them by itself where it lost
    /// sight of them.
    ///
    /// # Errors
    ///
    /// See [`Client`].
    pub async fn open_session(&self) -> Result<Client> {
        let id = self.open_session_id().await?;
        Ok(Client { session: Some(Arc::new(Session::new(id))), ..self.clone() })
    }

    fn open_session_id(&self) -> Answer<SessionId> {
        let plain = Client { session: None, ..self.clone() };
        plain.write(Op::OpenSession(OpenSession {}), |response, _, _| match response {
            Response::OpenSession(id) => Some(id),
            _ => None,
        })
    }

    /// Ends this handle's session, so that the store forgets its answers. Without a session, does nothing.
    pub fn close_session(&self) -> Answer<()> {
        let Some(session) = &self.session else { return Answer::ready(Ok(())) };
        let plain = Client { session: None, ..self.clone() };
        plain.done(Op::CloseSession(CloseSession { id: session.id() }))
    }

    /// Raises the state in which growth is refused, as reaching the quota does: until it is lifted.
    pub fn raise_no_space(&self) -> Answer<()> {
        self.done(Op::NoSpace(NoSpace { raised: true }))
    }

    /// Lifts the state in which growth is refused, after space was made. (It comes back if there is not
    /// enough.)
    pub fn lift_no_space(&self) -> Answer<()> {
        self.done(Op::NoSpace(NoSpace { raised: false }))
    }

    pub(crate) fn done(&self, op: Op) -> Answer<()> {
        self.write(op, |response, _, _| matches!(response, Response::Done(_)).then_some(()))
    }

    /// Asks this node, which must lead, to hand leadership to another.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotLeader`]; [`ErrorKind::Config`] if `to` is no voter.
    pub fn transfer_leadership(&self, to: NodeId) -> Answer<()> {
        self.ask(Request::TransferLeader(to), ErrorKind::Stopped.into(), |_| Ok(()))
    }

    /// Asks this node to hand leadership to the member that is there and has most of the log, before it is
    /// stopped, say. It is answered when that is under way ([`Client::status`] shows when this node no longer
    /// leads), and at once if this node does not lead or nobody else is there.
    pub fn hand_over_leadership(&self) -> Answer<()> {
        self.ask(Request::HandOver, ErrorKind::Stopped.into(), |_| Ok(()))
    }

    /// Something to tell one key of this node's from any other, ever.
    pub(crate) fn unique(&self) -> String {
        let count = self.shared.unique.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{:x}-{count:x}", self.shared.identity.node, self.shared.identity.incarnation)
    }

    /// A key that is to be deleted when nobody holds on to it any more.
    pub(crate) fn hold(&self, key: Bytes) -> Arc<Held> {
        Arc::new(Held::new(self.mail.clone(), key))
    }

    /// A handle whose requests hold on to this until they are answered, whether anybody still waits for that or not.
    pub(crate) fn holding(&self, held: &Arc<Held>) -> Client {
        Client { held: Some(held.clone()), ..self.clone() }
    }

    /// Asks for a transfer without waiting for the answer; answers whether the node still listens.
    #[doc(hidden)]
    pub fn begin_transfer(&self, to: NodeId) -> bool {
        let (sender, _) = oneshot::async_channel();
        let sender = ReplySender::new(sender, None);
        self.mail.send(Mail::Ask(Request::TransferLeader(to), sender)).is_ok()
    }

    /// Hands over a request as the node understands it: for whoever numbers sessions by hand, as a rehearsal
    /// does that retries through another node.
    #[doc(hidden)]
    pub fn request(&self, request: Request) -> Answer<Reply> {
        let is_write = matches!(request, Request::Write(_));
        let gone = ErrorKind::Stopped;
        let if_gone = if is_write { Error::unknown(gone) } else { gone.into() };
        self.ask(request, if_gone, Ok)
    }

    /// Walks over every version of every key that this node holds, as of now and without asking anybody: see [`Export`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Compacted`] and [`ErrorKind::FutureRevision`], for [`Scope::Hashed`].
    pub fn export(&self, scope: Scope) -> Result<Export> {
        Export::new(self.shared.clone(), scope)
    }

    /// What this node was told at its start: its limits and times, for whoever stands between it and others.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// The header that an answer of this node would have now.
    pub fn header(&self) -> Header {
        current_header(&self.shared)
    }

    /// What this node has done since it was started.
    ///
    /// ```no_run
    /// # fn example(client: kvorum_core::Client) {
    /// println!("{} keys written, {} leaders seen", client.stats().applied.puts, client.stats().leaders_seen);
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        Stats::of(&self.shared)
    }

    /// What this node knows of itself and its cluster, at once.
    pub fn status(&self) -> Status {
        Status::of(&self.shared)
    }

    fn write<T: Send + 'static>(
        &self,
        op: Op,
        pick: impl FnOnce(Response, &Shared, Term) -> Option<T> + Send + 'static,
    ) -> Answer<T> {
        let ticket = self.session.as_ref().map(Session::next);
        let tag = ticket.as_ref().map(|ticket| ticket.tag());
        let write = match Write::new(op, tag, &self.shared.config) {
            Ok(write) => write,
            Err(error) => return Answer::ready(Err(error)),
        };
        let shared = self.shared.clone();
        self.ask(Request::Write(write), Error::unknown(ErrorKind::Stopped), move |reply| {
            drop(ticket);
            match reply {
                Reply::Applied { response, term } => pick(response, &shared, term).ok_or_else(mismatch),
                _ => Err(mismatch()),
            }
        })
    }

    fn ask<T: Send + 'static>(
        &self,
        request: Request,
        if_gone: Error,
        finish: impl FnOnce(Reply) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        match self.sent(request) {
            Some(receiver) => Answer::waiting(receiver, if_gone, finish),
            None => Answer::ready(Err(ErrorKind::Stopped.into())),
        }
    }

    /// Reads this node's state as soon as it is known to be as new as this question.
    fn read_when_current<T>(&self, begin: impl FnOnce() -> Reading<T> + Send + 'static) -> Answer<T> {
        self.ask_and_read(Request::Read, |_| begin())
    }

    fn ask_and_read<T>(
        &self,
        request: Request,
        begin: impl FnOnce(Reply) -> Reading<T> + Send + 'static,
    ) -> Answer<T> {
        match self.sent(request) {
            Some(receiver) => Answer::waiting_to_read(receiver, ErrorKind::Stopped.into(), begin),
            None => Answer::ready(Err(ErrorKind::Stopped.into())),
        }
    }

    /// `None`: the node is gone.
    fn sent(&self, request: Request) -> Option<oneshot::AsyncReceiver<Result<Reply>>> {
        let (sender, receiver) = oneshot::async_channel();
        let sender = ReplySender::new(sender, self.held.clone());
        self.mail.send(Mail::Ask(request, sender)).ok().map(|()| receiver)
    }
}

/// The node answered something else than was asked: a bug of ours, but not one to bring a service down for.
fn mismatch() -> Error {
    Error::unknown(ErrorKind::Halted { reason: "a request was answered with another kind of answer".into() })
}

fn remaining(reply: &Reply) -> Result<Option<u64>> {
    match reply {
        Reply::Lease { remaining_millis } => Ok(*remaining_millis),
        _ => Err(mismatch()),
    }
}

fn current_header(shared: &Shared) -> Header {
    let revision = shared.state.read().revision();
    shared.header(revision, shared.term())
}

fn whole_seconds(duration: Duration) -> i64 {
    let more = u64::from(duration.subsec_nanos() > 0);
    i64::try_from(duration.as_secs().saturating_add(more)).unwrap_or(i64::MAX)
}

fn granted_ttl(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Copies the bytes of a key or value.
pub(crate) fn copied(bytes: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.as_ref())
}
