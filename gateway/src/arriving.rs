//! The body of a gRPC request on its way in: as long as a message is not whole, what has come of it is kept here and
//! counted, and the rest is waited for, but not for ever. What it will never know: what a message says.
//!
//! Whoever reads messages makes room for a whole one as soon as its head is there. So nothing is handed on before it is
//! whole: a head costs no more than its own five bytes, also of others' room.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming};
use kvorum_core::planted;
use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::codegen::StdError;

use crate::begun::Begun;
use crate::errors::{CUT_SHORT, LATE_BODY};
use crate::gateway::Gateway;
use crate::held::Held;

/// What stands before each message: a flag, and its length in four bytes.
const HEAD: usize = 5;

/// What a stream may keep of its longest message without being counted, in bytes: more than nearly all messages have.
const SMALL: usize = 16 << 10;

pub(crate) struct Arriving {
    body: Incoming,
    gateway: Arc<Gateway>,
    message: Outline,
    /// What has come of a message that is not whole.
    half: Option<Begun<BytesMut>>,
    /// Whoever reads a stream's messages keeps as much memory as the longest one took, until the stream is over.
    longest: Held,
    /// All of it is one message; else it may last for ever, and only what was begun has to come to its end.
    is_one: bool,
    /// If so, all has to be there by then. Empty until something is missing.
    until: Option<Pin<Box<Sleep>>>,
}

/// How far a message has come.
struct Outline {
    /// How long one may be.
    limit: usize,
    /// Of its head.
    head: [u8; HEAD],
    come: usize,
    /// Its head says enough to refuse it.
    is_refused: bool,
    /// With its head, of all that have begun.
    longest: usize,
}

impl Arriving {
    pub(crate) fn new(body: Incoming, gateway: Arc<Gateway>, is_one: bool) -> Arriving {
        let message = Outline::new(gateway.message_limit());
        let longest = gateway.kept.hold();
        Arriving { body, gateway, message, half: None, longest, is_one, until: None }
    }

    /// What can be handed on now that this has come, if anything can.
    fn take_in(&mut self, mut data: Bytes) -> Result<Option<Bytes>, Status> {
        let mut whole = data.split_to(self.message.pass(&data));
        if !self.is_one && self.message.longest > SMALL && !planted!("long_messages_uncounted") {
            self.longest.grow_to(self.message.longest)?;
        }
        if !whole.is_empty()
            && let Some(half) = self.half.take()
        {
            let mut kept = half.kept()?;
            kept.what.extend_from_slice(&whole);
            whole = std::mem::take(&mut kept.what).freeze();
        }
        if !data.is_empty() {
            let half = self.half.get_or_insert_with(|| Begun::new(self.gateway.clone()));
            let mut kept = half.kept()?;
            let come = kept.what.len() + data.len();
            let room = kept.held.grow_to(come);
            if !planted!("grpc_messages_uncounted") {
                room?;
            }
            kept.what.extend_from_slice(&data);
        }
        Ok(Some(whole).filter(|whole| !whole.is_empty()))
    }

    /// Ready when what is missing has been missing for too long.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        if planted!("grpc_message_without_clock") {
            return Poll::Pending;
        }
        if !self.is_one {
            return self.half.as_mut().map_or(Poll::Pending, |half| half.poll_late(context));
        }
        let patience = self.gateway.options.connections.header_timeout;
        let until = self.until.get_or_insert_with(|| Box::pin(sleep(patience)));
        until.as_mut().poll(context).map(|()| LATE_BODY.into())
    }

    fn poll_whole(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        loop {
            let Poll::Ready(next) = Pin::new(&mut self.body).poll_frame(context) else {
                return Poll::Ready(Some(Err(ready!(self.poll_late(context)).into())));
            };
            let data = match next.map(|next| next.map(Frame::into_data)) {
                None if self.half.is_some() => return Poll::Ready(Some(Err(Status::from(CUT_SHORT).into()))),
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                // Trailers.
                Some(Ok(Err(frame))) => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(Ok(data))) => data,
            };
            if let Some(whole) = self.take_in(data)? {
                return Poll::Ready(Some(Ok(Frame::data(whole))));
            }
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let arriving = self.get_mut();
        let next = ready!(arriving.poll_whole(context));
        if matches!(next, Some(Err(_))) {
            // Whoever is told of it may live on for long.
            arriving.half = None;
            arriving.longest.shrink_to(0);
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.half.is_none() && self.body.is_end_stream()
    }
}

impl Outline {
    fn new(limit: usize) -> Outline {
        Outline { limit, head: [0; HEAD], come: 0, is_refused: false, longest: 0 }
    }

    /// Follows what has come; how much of it can be handed on: up to the end of the last whole message, or all, if there
    /// is a head in it that is refused without what comes behind it.
    fn pass(&mut self, data: &[u8]) -> usize {
        let (mut at, mut end) = (0, 0);
        while at < data.len() && !self.is_refused {
            let missing = if self.come < HEAD { HEAD } else { self.size() } - self.come;
            let passed = missing.min(data.len() - at);
            if self.come < HEAD {
                self.head[self.come..self.come + passed].copy_from_slice(&data[at..at + passed]);
            }
            (at, self.come) = (at + passed, self.come + passed);
            if self.come >= HEAD {
                self.is_refused = self.head[0] != 0 || self.size() - HEAD > self.limit;
                if !self.is_refused {
                    self.longest = self.longest.max(self.size());
                }
                if self.come == self.size() {
                    (end, self.come) = (at, 0);
                }
            }
        }
        if self.is_refused || planted!("grpc_heads_make_room") { data.len() } else { end }
    }

    /// With its head, which has to be there.
    fn size(&self) -> usize {
        let [_, length @ ..] = self.head;
        HEAD.saturating_add(u32::from_be_bytes(length) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 300;

    /// What is handed on when this comes in pieces of a size: where each part of it ends.
    fn ends(all: &[u8], piece: usize) -> Vec<usize> {
        let (mut outline, mut come, mut ends) = (Outline::new(LIMIT), 0, Vec::new());
        for data in all.chunks(piece) {
            ends.extend(Some(outline.pass(data)).filter(|end| *end > 0).map(|end| come + end));
            come += data.len();
        }
        ends
    }

    #[test]
    fn nothing_is_handed_on_before_it_is_whole_however_it_is_cut() {
        let messages =
            [&[0, 0, 0, 0, 3][..], b"abc", &[0; 5], &[0, 0, 0, 1, 0], &[7; 256], &[0, 0, 0, 0, 9, 1]];
        let all = messages.concat();
        assert_eq!(ends(&all, 1), [8, 13, 274]);
        for piece in 1..=all.len() {
            let ends = ends(&all, piece);
            assert!(ends.iter().all(|end| [8, 13, 274].contains(end)), "pieces of {piece}: {ends:?}");
            assert_eq!(ends.last(), Some(&274), "pieces of {piece}");
        }
    }

    #[test]
    fn a_head_that_is_refused_is_handed_on_at_once() {
        let whole = [&[0, 0, 0, 1, 44][..], &[7; LIMIT]].concat();
        for refused in [&[0, 0, 0, 1, 45][..], &[0, 255, 255, 255, 255], &[1, 0, 0, 0, 9], &[7, 0, 0, 0, 9]] {
            let all = [&whole[..], refused, b"abc"].concat();
            for piece in 1..=all.len() {
                let ends = ends(&all, piece);
                assert!(ends[0] == 305 || ends[0] >= 310, "pieces of {piece}: {ends:?}");
                assert!(
                    ends.iter().any(|end| (310..310 + piece).contains(end)),
                    "pieces of {piece}: {ends:?}"
                );
            }
        }
    }
}
