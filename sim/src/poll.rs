//! Looking whether something is ready, without waiting: in here, time passes only when the world runs.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use kvorum_core::{Result, Watch, WatchItem};

/// Looks whether something is ready.
pub fn poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The next item of a watch, if there is one now. `Some(None)`: it has ended.
pub fn poll_watch(watch: &mut Watch) -> Option<Option<Result<WatchItem>>> {
    poll(&mut std::pin::pin!(watch.next()))
}
