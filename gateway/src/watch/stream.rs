//! A watch stream: what the client asks, and what its watches hand out, as one sequence of answers.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use kvorum_core::request::Header;
use kvorum_core::{Client, Error, ErrorKind, WatchItem};
use tonic::Status;

use super::Settings;
use super::bell::Board;
use super::watcher::Watcher;
use super::{answer, fragment};
use crate::errors::{self, DUPLICATE_WATCH, TOO_MANY, status};
use crate::pb::etcdserverpb::watch_request::RequestUnion;
use crate::pb::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};

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
    /// Where the search for the next id begins that the client leaves to us.
    next_id: i64,
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
        let is_ours = ask.watch_id == 0;
        let id = if is_ours { self.free_id() } else { ask.watch_id };
        let watcher = Watcher::open(&self.client, ask, id, &self.board, self.settings.progress_interval);
        // In etcd's order: what is wrong with the range comes first.
        let watcher = watcher.map_err(|error| errors::said(&error).1.into_owned())?;
        if self.watchers.contains_key(&id) {
            return Err(DUPLICATE_WATCH.into());
        }
        if is_ours {
            // Not before: a watch that is refused takes no number.
            self.next_id = id + 1;
        }
        Ok((id, watcher))
    }

    fn free_id(&self) -> i64 {
        let mut id = self.next_id;
        while self.watchers.contains_key(&id) {
            id += 1;
        }
        id
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
    fn tell_progress(&mut self) {
        let watches = self.watchers.values().map(|watcher| &watcher.watch);
        let Some(revision) = self.client.caught_up(watches) else { return };
        self.is_progress_asked = false;
        self.answers.push_back(answer::progress_of_all(Header { revision, ..self.header() }));
    }

    fn poll_answer(&mut self, context: &mut Context<'_>) -> Result<Poll<WatchResponse>, Status> {
        self.board.attend(context);
        loop {
            if let Some(said) = self.answers.pop_front() {
                return Ok(Poll::Ready(said));
            }
            if self.poll_request(context)? || self.hear_one()? {
                continue;
            }
            if self.is_progress_asked {
                self.tell_progress();
                if !self.is_progress_asked {
                    continue;
                }
            }
            return Ok(Poll::Pending);
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
