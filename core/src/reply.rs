//! An answer that is on its way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::block::{block_on, block_on_timeout};
use crate::error::{Error, ErrorKind, Result};
use crate::node::Reply;
use crate::read::{Reading, Slices};

/// Turns what the node says into what was asked for, on the thread of whoever waits.
type Finish<T> = Box<dyn FnOnce(Reply) -> Reading<T> + Send>;

/// An answer that is on its way: a future for any runtime, and [`Answer::wait`] for threads.
///
/// The request has been sent already when the answer is handed out. Dropping the answer does not take the
/// request back.
#[must_use = "the request may fail"]
pub struct Answer<T>(Inner<T>);

enum Inner<T> {
    Ready(Option<Result<T>>),
    Reading(Slices<T>),
    Waiting {
        receiver: oneshot::AsyncReceiver<Result<Reply>>,
        finish: Option<Finish<T>>,
        /// What became of the request if the node is gone without a word.
        if_gone: Error,
    },
}

impl<T> Answer<T> {
    pub(crate) fn ready(result: Result<T>) -> Answer<T> {
        Answer(Inner::Ready(Some(result)))
    }

    pub(crate) fn reading(reading: Reading<T>) -> Answer<T> {
        match reading {
            Reading::Done(result) => Answer::ready(result),
            Reading::Long(slices) => Answer(Inner::Reading(slices)),
        }
    }

    /// For a read that begins as soon as the node says that it may.
    pub(crate) fn waiting_to_read(
        receiver: oneshot::AsyncReceiver<Result<Reply>>,
        if_gone: Error,
        begin: impl FnOnce(Reply) -> Reading<T> + Send + 'static,
    ) -> Answer<T> {
        Answer(Inner::Waiting { receiver, finish: Some(Box::new(begin)), if_gone })
    }

    pub(crate) fn waiting(
        receiver: oneshot::AsyncReceiver<Result<Reply>>,
        if_gone: Error,
        finish: impl FnOnce(Reply) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let finish = Box::new(|reply| Reading::Done(finish(reply)));
        Answer(Inner::Waiting { receiver, finish: Some(finish), if_gone })
    }

    /// Waits for the answer on this thread. The node itself ends the wait after its request time-out.
    ///
    /// # Errors
    ///
    /// Those of the request.
    pub fn wait(self) -> Result<T> {
        block_on(self)
    }

    /// Waits for the answer on this thread, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] when the time is over, with [`crate::Outcome::Unknown`] for a request that
    /// changes something; those of the request otherwise.
    pub fn wait_timeout(self, timeout: Duration) -> Result<T> {
        let late = match &self.0 {
            Inner::Waiting { if_gone, .. } => if_gone.with_kind(ErrorKind::Timeout),
            Inner::Ready(_) | Inner::Reading(_) => ErrorKind::Timeout.into(),
        };
        block_on_timeout(self, timeout).unwrap_or(Err(late))
    }
}

impl<T> Unpin for Answer<T> {}

impl<T> Future for Answer<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let polled_again = "an answer must not be polled after it was ready";
        let answer = self.get_mut();
        match &mut answer.0 {
            Inner::Ready(result) => Poll::Ready(result.take().expect(polled_again)),
            Inner::Waiting { receiver, finish, if_gone } => {
                let said = ready!(Pin::new(receiver).poll(context)).unwrap_or_else(|_| Err(if_gone.clone()));
                let finish = finish.take().expect(polled_again);
                *answer = Answer::reading(said.map_or_else(|error| Reading::Done(Err(error)), finish));
                Pin::new(answer).poll(context)
            }
            Inner::Reading(slices) => {
                let Some(result) = slices() else {
                    // To be asked again, but after whoever else is polled on this thread.
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                };
                answer.0 = Inner::Ready(None);
                Poll::Ready(result)
            }
        }
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}
