//! What ends a stream from outside: the server stops, or there has been no leader for a while and the client asked to
//! be told (`hasleader`). What it will never know: what the stream is about.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use http::HeaderMap;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tonic::Status;

use crate::errors::{NO_LEADER, STOPPED};
use crate::gateway::Gateway;

/// For how many election timeouts there is no leader before streams are told (etcd's number): to set a stream up anew
/// costs more than to refuse a request.
const PATIENCE: u32 = 3;

/// Wakes streams when there has been no leader for a while.
#[derive(Debug, Default)]
pub(crate) struct Leader {
    is_missed: Arc<Notify>,
}

/// Whether a request wants to be refused while no leader is known.
pub(crate) fn requires_leader(headers: &HeaderMap) -> bool {
    headers.get("hasleader").is_some_and(|value| value == "true")
}

impl Gateway {
    /// Whether a leader is known here.
    pub(crate) fn has_leader(&self) -> bool {
        self.client.status().raft.leader != 0
    }

    /// Looks for the leader once an election timeout, until the server stops.
    pub(crate) async fn look_for_leader(self: Arc<Gateway>) {
        let mut missed = 0;
        let mut ticks = tokio::time::interval(self.client.config().election_timeout);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.stopping.run_until_cancelled(ticks.tick()).await.is_some() {
            missed = if self.has_leader() { 0 } else { missed + 1 };
            if missed >= PATIENCE {
                self.leader.is_missed.notify_waiters();
            }
        }
    }

    /// Waits until a stream has to end, and says why. `leader`: whether also when no leader is known for long.
    pub(crate) fn end_of_stream(&self, leader: bool) -> impl Future<Output = Status> + Send + use<> {
        let (stopping, is_missed) = (self.stopping.clone(), self.leader.is_missed.clone());
        async move {
            tokio::select! {
                () = stopping.cancelled() => STOPPED.into(),
                () = is_missed.notified(), if leader => NO_LEADER.into(),
            }
        }
    }
}

/// A stream that ends when `end` does, with what it says.
pub(crate) struct Leashed<S, F> {
    stream: S,
    end: Option<Pin<Box<F>>>,
}

impl<S, F> Leashed<S, F> {
    pub(crate) fn new(stream: S, end: F) -> Leashed<S, F> {
        Leashed { stream, end: Some(Box::pin(end)) }
    }
}

impl<T, S, F> Stream for Leashed<S, F>
where
    S: Stream<Item = Result<T, Status>> + Unpin,
    F: Future<Output = Status>,
{
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        if let Poll::Ready(status) = end.as_mut().poll(context) {
            self.end = None;
            return Poll::Ready(Some(Err(status)));
        }
        Pin::new(&mut self.stream).poll_next(context)
    }
}
