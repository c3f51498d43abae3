//! The body of an answer on its way out: its bytes are counted until they are gone, wherever they lie meanwhile. What it
//! will never know: what is answered.
//!
//! Whoever sends an answer takes a piece of it before there is room for it, and a piece is a whole message: an answer
//! that its client does not take lies there with all its bytes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};
use kvorum_core::planted;
use tonic::Status;
use tonic::body::Body;

use crate::errors::TOO_MANY;
use crate::gateway::Gateway;

/// Shorter pieces are not counted: requests and streams are, and that bounds them.
const SHORT: usize = 4 << 10;

pub(crate) struct Leaving {
    body: Body,
    gateway: Arc<Gateway>,
}

/// A piece, as long as anybody has it.
struct Counted {
    bytes: Bytes,
    gateway: Arc<Gateway>,
}

impl Gateway {
    /// Refuses what may have a large answer, while too much of others' lies here.
    pub(crate) fn check_untaken(&self) -> Result<(), Status> {
        let untaken = self.untaken.load(Ordering::Relaxed);
        match untaken > self.options.connections.answer_bytes && !planted!("untaken_answers_uncounted") {
            true => Err(TOO_MANY.into()),
            false => Ok(()),
        }
    }
}

impl Leaving {
    /// An answer whose bytes are counted.
    pub(crate) fn of(body: Body, gateway: Arc<Gateway>) -> Body {
        if body.is_end_stream() { body } else { Body::new(Leaving { body, gateway }) }
    }
}

impl hyper::body::Body for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let leaving = self.get_mut();
        let next = ready!(Pin::new(&mut leaving.body).poll_frame(context));
        let counted = |bytes: Bytes| match bytes.len() < SHORT {
            true => bytes,
            false => Bytes::from_owner(Counted::new(bytes, leaving.gateway.clone())),
        };
        Poll::Ready(next.map(|next| next.map(|frame| frame.map_data(counted))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Counted {
    fn new(bytes: Bytes, gateway: Arc<Gateway>) -> Counted {
        gateway.untaken.fetch_add(bytes.len(), Ordering::Relaxed);
        Counted { bytes, gateway }
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gateway.untaken.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}
