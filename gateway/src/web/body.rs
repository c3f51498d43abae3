//! The JSON values in a request's body, one after the other, as they come in. What it will never know: what they mean.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use kvorum_core::planted;
use tonic::Status;

use super::json::Cut;
use super::rest::Rest;
use crate::begun::{Begun, Kept};
use crate::gateway::Gateway;
use crate::held::Held;

/// How much larger than the message that stands in it a body may be: base64 takes four bytes for three.
const JSON_PER_BYTE: usize = 2;

/// How many values of one body are looked at before others have their turn: a piece may be thousands of them.
const IN_A_ROW: usize = 64;

/// The values of one body.
pub(crate) struct Values {
    body: Rest,
    gateway: Arc<Gateway>,
    /// What has come in and was not handed out.
    begun: Begun<Cut>,
    /// There is nothing behind what is held; or it is of no use.
    has_ended: bool,
    in_a_row: InARow,
}

/// A value, and the room that it takes as long as it is there.
pub(crate) struct Value {
    pub(crate) json: Bytes,
    pub(crate) room: Held,
}

/// How many values came since others had their turn.
#[derive(Default)]
struct InARow(usize);

impl Values {
    pub(crate) fn new(gateway: Arc<Gateway>, body: Rest) -> Values {
        let (begun, in_a_row) = (Begun::new(gateway.clone()), InARow::default());
        Values { body, gateway, begun, has_ended: false, in_a_row }
    }

    /// Refuses a body that says itself that it is longer than one value may be, before any of it is read.
    pub(crate) fn refuse_early(&self) -> Result<(), Status> {
        self.check(0, self.body.length())
    }

    /// See [`Rest::owe_nothing`].
    pub(crate) fn owe_nothing(&self) {
        self.body.owe_nothing();
    }

    /// Reads what is behind the last value and forgets it: then the connection can take the next request.
    pub(crate) async fn drain(&mut self) {
        self.begun.forget();
        let mut left = self.limit();
        while !self.has_ended && left > 0 {
            let next = std::future::poll_fn(|context| self.body.poll_data(context)).await;
            let size = next.and_then(Result::ok).map(|data| data.len());
            self.has_ended = size.is_none();
            left = left.saturating_sub(size.unwrap_or_default());
        }
    }

    fn poll_value(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Value>, Status>> {
        loop {
            if let Some(value) = self.cut_off(self.has_ended)? {
                self.begun.is_whole();
                return Poll::Ready(Ok(Some(value)));
            }
            if self.has_ended {
                return Poll::Ready(Ok(None));
            }
            match self.body.poll_data(context) {
                Poll::Pending => return self.poll_late(context).map(Err),
                Poll::Ready(None) => self.has_ended = true,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(unreadable(&error))),
                Poll::Ready(Some(Ok(data))) => self.take_in(&data)?,
            }
        }
    }

    /// The next value that has come in, if it is whole.
    fn cut_off(&self, is_all: bool) -> Result<Option<Value>, Status> {
        let mut kept = self.begun.kept()?;
        let next = kept.what.next().and_then(|next| match next {
            None if is_all => kept.what.end(),
            next => Ok(next),
        });
        let value = next.map_err(Status::invalid_argument)?.map(|json| kept.hand_out(json));
        if value.is_none() {
            kept.give_back();
        }
        Ok(value)
    }

    /// Ready when the rest of a value has been missing for too long. The next value is waited for for ever.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        let kept = self.begun.kept().map(|kept| kept.what.kept());
        match kept {
            Err(late) => Poll::Ready(late),
            Ok(kept) if kept == 0 || planted!("json_value_without_clock") => Poll::Pending,
            Ok(_) => self.begun.poll_late(context),
        }
    }

    /// How long a value may be, as JSON.
    fn limit(&self) -> usize {
        self.gateway.message_limit().saturating_mul(JSON_PER_BYTE)
    }

    /// Refuses what is too large, with all of its size as far as it is known.
    fn check(&self, here: usize, to_come: Option<usize>) -> Result<(), Status> {
        let size = here.saturating_add(to_come.unwrap_or_default());
        match size > self.limit() && !planted!("json_body_without_bound") {
            true => Err(too_large(size, self.gateway.message_limit())),
            false => Ok(()),
        }
    }

    fn take_in(&self, data: &[u8]) -> Result<(), Status> {
        let mut begun = self.begun.kept()?;
        let kept = begun.what.kept() + data.len();
        // Spaces are not kept, but whoever sends nothing else would never be stopped.
        let passed = if planted!("json_spaces_uncounted") { 0 } else { begun.what.passed() };
        let size = kept.saturating_add(passed);
        if size > self.limit() {
            self.check(size, self.body.length())?;
        }
        let room = begun.held.grow_to(kept);
        if !planted!("json_bodies_uncounted") {
            room?;
        }
        begun.what.push(data);
        Ok(())
    }
}

impl Stream for Values {
    type Item = Result<Value, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let values = self.get_mut();
        ready!(values.in_a_row.poll_turn(context));
        let next = ready!(values.poll_value(context)).transpose();
        if !matches!(next, Some(Ok(_))) {
            values.has_ended = true;
            values.begun.forget();
        }
        Poll::Ready(next)
    }
}

impl InARow {
    /// Ready, unless it is the others' turn. A task that wakes itself is polled behind all that are ready.
    fn poll_turn(&mut self, context: &Context<'_>) -> Poll<()> {
        self.0 = (self.0 + 1) % (IN_A_ROW + 1);
        if self.0 > 0 {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Kept<Cut> {
    fn hand_out(&mut self, json: Bytes) -> Value {
        let size = if planted!("json_room_is_not_given_back") { 0 } else { json.len() };
        Value { json, room: self.held.part(size) }
    }

    /// What was cut off is not here any more.
    fn give_back(&mut self) {
        if !planted!("json_room_is_not_given_back") {
            self.held.shrink_to(self.what.kept());
        }
    }
}

/// A body that is no body (the length of a chunk is no number, say), or whose client is gone.
fn unreadable(error: &hyper::Error) -> Status {
    let is_wrong = |kind| matches!(kind, io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.filter(|cause| is_wrong(cause.kind())) {
        Some(cause) => Status::invalid_argument(cause.to_string()),
        None => Status::cancelled(error.to_string()),
    }
}

/// What etcd's gRPC library says of a message that is too large.
pub(crate) fn too_large(size: usize, limit: usize) -> Status {
    Status::resource_exhausted(format!("grpc: received message larger than max ({size} vs. {limit})"))
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn others_have_their_turn_between_values() {
        let (mut in_a_row, context) = (InARow::default(), Context::from_waker(Waker::noop()));
        for _ in 0..3 {
            assert!((0..IN_A_ROW).all(|_| in_a_row.poll_turn(&context).is_ready()));
            assert!(in_a_row.poll_turn(&context).is_pending());
        }
    }
}
