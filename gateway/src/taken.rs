//! A stream that is held only as long as somebody takes of it: one that holds much must not be left open by a client
//! that stands still. What it will never know: what the stream is about.
//!
//! Whoever sends a stream does not ask for its next item before the client has room for it, so nothing inside the stream
//! would ever look at the clock. Somebody beside it does.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use kvorum_core::planted;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tonic::Status;

/// A stream, as long as somebody takes of it.
pub(crate) struct Taken<S> {
    held: Arc<Mutex<Held<S>>>,
    /// What is said when it was let go of.
    late: Status,
    has_ended: bool,
    /// Dropped with the stream, and then nobody looks any more.
    _looks: JoinSet<()>,
}

struct Held<S> {
    /// `None`: let go of.
    stream: Option<S>,
    /// When something was taken last.
    taken: Instant,
}

impl<S: Send + 'static> Taken<S> {
    /// Lets go of `stream` when nothing was taken of it for so long, and says `late` then.
    pub(crate) fn new(stream: S, patience: Duration, late: Status) -> Taken<S> {
        let held = Arc::new(Mutex::new(Held { stream: Some(stream), taken: Instant::now() }));
        let mut looks = JoinSet::new();
        looks.spawn(look(Arc::downgrade(&held), patience));
        Taken { held, late, has_ended: false, _looks: looks }
    }
}

async fn look<S>(held: Weak<Mutex<Held<S>>>, patience: Duration) {
    while let Some(until) = held.upgrade().and_then(|held| held.lock().let_go(patience)) {
        sleep_until(until).await;
    }
}

impl<S> Held<S> {
    /// Lets go of the stream, if it is time; else, when to look again.
    fn let_go(&mut self, patience: Duration) -> Option<Instant> {
        let until = self.taken.checked_add(patience).filter(|_| !planted!("stalled_snapshot_is_kept"))?;
        if until <= Instant::now() {
            self.stream = None;
        }
        self.stream.is_some().then_some(until)
    }
}

impl<T, S> Stream for Taken<S>
where
    S: Stream<Item = Result<T, Status>> + Unpin,
{
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = {
            let mut held = self.held.lock();
            held.taken = Instant::now();
            match &mut held.stream {
                Some(stream) => ready!(Pin::new(stream).poll_next(context)),
                None => Some(Err(self.late.clone())),
            }
        };
        self.has_ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}
