//! A watch stream: what the client asks, and what its watches hand out, as one sequence of answers.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use kvorum_core::request::Header;
use kvorum_core::{Client, Error, ErrorKind, WatchItem, planted};
use tonic::Status;

use super::Settings;
use super::bell::Board;
use super::watcher::{self, Watcher};
use super::{answer, fragment};
use crate::errors::{self, DUPLICATE_WATCH, TOO_MANY, status};
use crate::pb::etcdserverpb::watch_request::RequestUnion;
use crate::pb::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};

/// How often a stream looks for something to say, in vain, before others have their turn. Each look may be at some
/// slices of history, through which a watch goes that was resumed from far back.
const LOOKS_AT_ONCE: usize = 8;

/// What a watch may take for its keys without being counted, in bytes: some of them lie there twice.
const SMALL_KEYS: usize = 256;

/// The answers of one stream of requests about watches. Ends only with an error, or when it is dropped: etcd goes on
/// with its watches when the client has nothing more to ask.
pub(crate) struct WatchStream<R> {
    client: Client,
    settings: Settings,
    /// What the client asks, until it has asked everything.
    requests: Option<R>,
    watchers: BTreeMap<i64, Watcher>,
    board: Arc<Board>,
    /// What is to be said before anything else.
    answers: VecDeque<WatchResponse>,
    /// Where the search for the next id begins that the client leaves to us: none is passed over twice.
    next_id: i64,
    /// Whether the watches are asked first this time, and then the client.
    is_watches_turn: bool,
    /// The client wants to know how far all of its watches are, and has not been told yet.
    is_progress_asked: bool,
    has_ended: bool,
}

impl<R: Stream<Item = Result<WatchRequest, Status>> + Unpin> WatchStream<R> {
    pub(crate) fn new(client: Client, settings: Settings, requests: R) -> WatchStream<R> {
        WatchStream {
            client,
            settings,
            requests: Some(requests),
            watchers: BTreeMap::new(),
            board: Arc::default(),
            answers: VecDeque::new(),
            next_id: 0,
            is_watches_turn: false,
            is_progress_asked: false,
            has_ended: false,
        }
    }

    /// The next thing that the client asks, unless an answer waits: who does not take answers is not listened to.
    fn poll_request(&mut self, context: &mut Context<'_>) -> Result<bool, Status> {
        let Some(requests) = &mut self.requests else { return Ok(false) };
        match Pin::new(requests).poll_next(context) {
            Poll::Pending => return Ok(false),
            Poll::Ready(None) => self.requests = None,
            Poll::Ready(Some(Err(status))) => return Err(errors::inbound(status)),
            Poll::Ready(Some(Ok(request))) => self.on_request(request),
        }
        Ok(true)
    }

    fn on_request(&mut self, request: WatchRequest) {
        match request.request_union {
            Some(RequestUnion::CreateRequest(ask)) => self.create(ask),
            Some(RequestUnion::CancelRequest(ask)) => self.cancel(ask.watch_id),
            // Of no watches at all, etcd says nothing.
            Some(RequestUnion::ProgressRequest(_)) => self.is_progress_asked |= !self.watchers.is_empty(),
            None => {}
        }
    }

    /// A watch that is not there is overlooked, as in etcd.
    fn cancel(&mut self, id: i64) {
        if self.watchers.remove(&id).is_some() {
            self.answers.push_back(answer::canceled(self.header(), id));
        }
    }

    fn create(&mut self, ask: WatchCreateRequest) {
        let (mut header, is_from_now) = (self.header(), ask.start_revision == 0);
        let said = match self.open(ask) {
            Ok((id, watcher)) => {
                if is_from_now {
                    // A client that loses us before the first event goes on from here, and must miss nothing.
                    header.revision = watcher.watch.resume_revision() - 1;
                }
                self.watchers.insert(id, watcher);
                answer::created(header, id)
            }
            Err(reason) => answer::refused(header, reason),
        };
        self.answers.push_back(said);
    }

    fn open(&mut self, ask: WatchCreateRequest) -> Result<(i64, Watcher), String> {
        if self.watchers.len() >= self.settings.watchers {
            return Err(TOO_MANY.1.into_owned());
        }
        let (asked, may_fragment) = (ask.watch_id, ask.fragment);
        let mut keys = self.settings.room.hold();
        let bytes = 2 * (ask.key.len() + ask.range_end.len());
        if bytes > SMALL_KEYS && keys.grow_to(bytes).is_err() && !planted!("watch_keys_uncounted") {
            return Err(TOO_MANY.1.into_owned());
        }
        if planted!("refused_watch_searches_an_id") {
            _ = (self.next_id..).find(|id| !self.watchers.contains_key(id));
        }
        // In etcd's order: what is wrong with the range comes first, and a watch that is refused takes no number.
        let watch = watcher::open(&self.client, ask, self.settings.progress_interval);
        let watch = watch.map_err(|error| errors::said(&error).1.into_owned())?;
        let id = match asked {
            0 => self.take_id(),
            asked if self.watchers.contains_key(&asked) => return Err(DUPLICATE_WATCH.into()),
            asked => asked,
        };
        Ok((id, Watcher::new(watch, keys, may_fragment, id, &self.board)))
    }

    /// The next id that no watch has. It is not given again, whatever becomes of the watch.
    fn take_id(&mut self) -> i64 {
        while self.watchers.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        self.next_id += 1;
        self.next_id - 1
    }

    fn header(&self) -> Header {
        self.client.header()
    }

    /// What the next watch whose bell rang has to say; false: none has rung.
    fn hear_one(&mut self) -> Result<bool, Status> {
        let Some(id) = self.board.next() else { return Ok(false) };
        let Some(watcher) = self.watchers.get_mut(&id) else { return Ok(true) };
        match watcher.poll() {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(item))) => self.hand_out(id, item),
            Poll::Ready(Some(Err(error))) => self.end(id, error)?,
            Poll::Ready(None) => _ = self.watchers.remove(&id),
        }
        Ok(true)
    }

    fn hand_out(&mut self, id: i64, item: WatchItem) {
        let Some(watcher) = self.watchers.get(&id) else { return };
        // Everything below where it would resume has been said with this.
        let header = Header { revision: watcher.watch.resume_revision() - 1, ..self.header() };
        let mut said = answer::of(header, id);
        let may_fragment = watcher.may_fragment;
        if let WatchItem::Events(events) = item {
            said.events = events.into_iter().map(Into::into).collect();
        }
        match may_fragment {
            true => fragment::split(said, self.settings.fragment_bytes, &mut self.answers),
            false => self.answers.push_back(said),
        }
    }

    fn end(&mut self, id: i64, error: Error) -> Result<(), Status> {
        self.watchers.remove(&id);
        let ErrorKind::Compacted { compacted, .. } = *error.kind() else { return Err(status(error)) };
        self.answers.push_back(answer::compacted(self.header(), id, compacted));
        Ok(())
    }

    /// Says how far all watches are, if that was asked for and they are all as far as the store.
    fn tell_progress(&mut self) -> bool {
        if !self.is_progress_asked {
            return false;
        }
        let watches = self.watchers.values().map(|watcher| &watcher.watch);
        let Some(revision) = self.client.caught_up(watches) else { return false };
        self.is_progress_asked = false;
        self.answers.push_back(answer::progress_of_all(Header { revision, ..self.header() }));
        true
    }

    /// Takes in what the client asks or what a watch has to say, in turns: neither a client that asks without a pause
    /// nor watches that always have something keep the other waiting. False: there is nothing.
    fn look(&mut self, context: &mut Context<'_>) -> Result<bool, Status> {
        self.is_watches_turn = !self.is_watches_turn && !planted!("requests_before_events");
        Ok(match self.is_watches_turn {
            true => self.hear_one()? || self.tell_progress() || self.poll_request(context)?,
            false => self.poll_request(context)? || self.hear_one()? || self.tell_progress(),
        })
    }

    fn poll_answer(&mut self, context: &mut Context<'_>) -> Result<Poll<WatchResponse>, Status> {
        self.board.attend(context);
        let mut looks = 0;
        loop {
            if let Some(said) = self.answers.pop_front() {
                return Ok(Poll::Ready(said));
            }
            if looks == LOOKS_AT_ONCE && !planted!("watch_stream_without_a_pause") {
                // To be asked again, but after whoever else is polled on this thread.
                context.waker().wake_by_ref();
                return Ok(Poll::Pending);
            }
            if !self.look(context)? {
                return Ok(Poll::Pending);
            }
            looks += 1;
        }
    }
}

impl<R: Stream<Item = Result<WatchRequest, Status>> + Unpin> Stream for WatchStream<R> {
    type Item = Result<WatchResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = self.get_mut();
        if stream.has_ended {
            return Poll::Ready(None);
        }
        match stream.poll_answer(context) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(said)) => Poll::Ready(Some(Ok(said))),
            Err(status) => {
                stream.has_ended = true;
                Poll::Ready(Some(Err(status)))
            }
        }
    }
}
