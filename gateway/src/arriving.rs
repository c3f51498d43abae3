//! The body of a gRPC request on its way in: as long as a message is not whole, what has come of it is counted, and the
//! rest is waited for, but not for ever. What it will never know: what a message says.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use kvorum_core::planted;
use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::codegen::StdError;

use crate::errors::LATE_BODY;
use crate::gateway::Gateway;
use crate::held::Held;

/// What stands before each message: a flag, and its length in four bytes.
const HEAD: usize = 5;

pub(crate) struct Arriving {
    body: Incoming,
    gateway: Arc<Gateway>,
    held: Held,
    /// All of it is one message; else it may last for ever, and only what was begun has to come to its end.
    is_one: bool,
    message: Outline,
    /// What is missing has to be there by then. Empty until something is.
    until: Option<Pin<Box<Sleep>>>,
}

/// How far a message has come.
#[derive(Default)]
struct Outline {
    /// Of its head.
    head: [u8; HEAD],
    come: usize,
}

impl Arriving {
    pub(crate) fn new(body: Incoming, gateway: Arc<Gateway>, is_one: bool) -> Arriving {
        let held = Held::new(gateway.clone());
        Arriving { body, gateway, held, is_one, message: Outline::default(), until: None }
    }

    fn take_in(&mut self, data: &[u8]) -> Result<(), Status> {
        if self.message.pass(data) {
            self.held.let_go();
            self.until = self.until.take().filter(|_| self.is_one);
        }
        let room = self.held.grow_to(self.message.come);
        if planted!("grpc_messages_uncounted") { Ok(()) } else { room }
    }

    /// Ready when what is missing has been missing for too long.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        if !self.is_one && self.message.come == 0 || planted!("grpc_message_without_clock") {
            return Poll::Pending;
        }
        let patience = self.gateway.options.connections.header_timeout;
        let until = self.until.get_or_insert_with(|| Box::pin(sleep(patience)));
        until.as_mut().poll(context).map(|()| LATE_BODY.into())
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
        let Poll::Ready(next) = Pin::new(&mut arriving.body).poll_frame(context) else {
            return Poll::Ready(Some(Err(ready!(arriving.poll_late(context)).into())));
        };
        let taken = |frame: Frame<Bytes>| {
            frame.data_ref().map_or(Ok(()), |data| arriving.take_in(data))?;
            Ok(frame)
        };
        Poll::Ready(next.map(|next| next.map_err(StdError::from).and_then(taken)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Outline {
    /// Follows what has come; true if a message came to its end with it.
    fn pass(&mut self, mut data: &[u8]) -> bool {
        let mut has_ended = false;
        while !data.is_empty() {
            if self.come < HEAD {
                let (head, behind) = data.split_at(data.len().min(HEAD - self.come));
                self.head[self.come..self.come + head.len()].copy_from_slice(head);
                self.come += head.len();
                data = behind;
            } else {
                let passed = data.len().min(self.size() - self.come);
                self.come += passed;
                data = &data[passed..];
            }
            if self.come >= HEAD && self.come == self.size() {
                self.come = 0;
                has_ended = true;
            }
        }
        has_ended
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

    #[test]
    fn messages_end_where_their_heads_say_however_they_are_cut() {
        let all =
            [&[0, 0, 0, 0, 3][..], b"abc", &[0; 5], &[1, 0, 0, 1, 0], &[7; 256], &[0, 0, 0, 0, 9]].concat();
        for piece in 1..=all.len() {
            let mut outline = Outline::default();
            let ends = all.chunks(piece).filter(|data| outline.pass(data)).count();
            assert!(ends > 0, "pieces of {piece}");
            assert_eq!(outline.come, HEAD, "pieces of {piece}");
            if piece == 1 {
                assert_eq!(ends, 3);
            }
        }
    }
}
