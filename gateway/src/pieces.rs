//! A range as a stream of pieces, all of one revision (etcd 3.7's `RangeStream`). What it will never know: gRPC.
//!
//! First the keys are counted, with proof that the count is current, and that pins the revision. Then the pieces come
//! from this node's own state at that revision, one each time the client has room for it. Header, count and `more` come
//! with the last.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, stream};
use kvorum_core::check::check_range;
use kvorum_core::request::{Header, RangeRequest, SortOrder, SortTarget};
use kvorum_core::state::Piece;
use kvorum_core::{Client, planted};
use tonic::Status;

use crate::convert::{header, pairs};
use crate::errors::status;
use crate::pb::etcdserverpb as pb;

type Item = Result<pb::RangeStreamResponse, Status>;

/// What is left to read.
struct Rest {
    client: Client,
    /// The range behind what was read, at the revision that is pinned.
    request: RangeRequest,
    /// How many pairs are still to be sent: behind the last one, nothing is looked at.
    left: i64,
    /// With the last piece.
    header: Option<Header>,
    count: i64,
    more: bool,
}

/// The pieces of a range.
///
/// # Errors
///
/// What is wrong with the request, or with the count.
pub(crate) async fn of(
    client: Client,
    r: pb::RangeRequest,
) -> Result<impl Stream<Item = Item> + use<>, Status> {
    check(&r)?;
    let mut request = RangeRequest::from(r);
    let counted = client.range(request.clone().counting()).await.map_err(status)?;
    if request.revision <= 0 {
        request.revision = counted.revision();
    }
    let (header, count) = (counted.header, counted.count);
    let left = match request.limit {
        _ if request.count_only => 0,
        1.. => count.min(request.limit),
        _ => count,
    };
    let more = left < count && !request.count_only;
    let rest = Rest { client, request, left, header, count, more };
    Ok(stream::unfold(Some(rest), |rest| async { Some(rest?.send().await) }))
}

/// What of a range cannot be had in pieces, in the order in which etcd looks.
fn check(r: &pb::RangeRequest) -> Result<(), Status> {
    let (key, sort_order, sort_target) = (r.key.clone(), r.sort_order, r.sort_target);
    let shape = RangeRequest { key, sort_order, sort_target, ..RangeRequest::default() };
    check_range(&shape).map_err(status)?;
    let is_by_key = r.sort_order == SortOrder::Ascend as i32 && r.sort_target == SortTarget::Key as i32;
    if r.sort_order != SortOrder::None as i32 && !is_by_key {
        return Err(Status::unimplemented("RangeStream does not support custom sort orders"));
    }
    let filters = [r.min_mod_revision, r.max_mod_revision, r.min_create_revision, r.max_create_revision];
    if filters != [0; 4] {
        return Err(Status::unimplemented("RangeStream does not support revision filters"));
    }
    Ok(())
}

impl Rest {
    /// Sends the next piece; what is left behind it, if anything.
    async fn send(mut self) -> (Item, Option<Rest>) {
        let mut kvs = Vec::new();
        while self.left > 0 && kvs.is_empty() {
            let piece = match self.read() {
                Ok(piece) => piece,
                Err(error) => return (Err(status(error)), None),
            };
            self.left = if piece.more { self.left - piece.kvs.len() as i64 } else { 0 };
            self.request.limit = self.left;
            self.request.key = behind(&piece.last);
            kvs = piece.kvs;
            if kvs.is_empty() && !planted!("pieces_without_a_pause") {
                tokio::task::yield_now().await;
            }
        }
        let mut response = pb::RangeResponse { kvs: pairs(kvs), ..pb::RangeResponse::default() };
        let is_last = self.left == 0;
        if is_last {
            (response.header, response.more, response.count) = (header(self.header), self.more, self.count);
        }
        let item = pb::RangeStreamResponse { range_response: Some(response) };
        (Ok(item), (!is_last).then_some(self))
    }

    fn read(&self) -> kvorum_core::Result<Piece> {
        self.client.range_piece_local(&self.request, self.client.config().limits.request_bytes)
    }
}

/// The lowest key behind a key.
fn behind(key: &[u8]) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    next.freeze()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use kvorum_core::request::{DeleteRangeRequest, PutRequest, RequestKind, RequestOp, TxnRequest};

    use super::*;
    use crate::woken::Woken;

    /// More than are looked at under one lock.
    const MANY: usize = 5000;

    #[test]
    fn keys_that_are_gone_are_passed_over_in_turns_and_without_a_word() {
        let node = kvorum::Node::builder().tune(|config| config.limits.txn_ops = MANY).start().unwrap();
        let client = node.client();
        let put = |at: usize| {
            let put = RequestKind::Put(PutRequest::new(format!("k{at:04}"), ""));
            RequestOp { request: Some(put) }
        };
        let all = TxnRequest { success: (0..MANY).map(put).collect(), ..TxnRequest::default() };
        client.txn(all).wait().unwrap();
        client.delete_request(DeleteRangeRequest::prefix("k")).wait().unwrap();
        client.put("z", "").wait().unwrap();

        let all = pb::RangeRequest { key: "\0".into(), range_end: "\0".into(), ..Default::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut stream = pin!(runtime.block_on(of(client, all)).unwrap());
        let woken = Arc::<Woken>::default();
        let waker = woken.clone().into();
        let (mut turns, mut said) = (0, Vec::new());
        loop {
            match stream.as_mut().poll_next(&mut Context::from_waker(&waker)) {
                Poll::Pending => turns += 1,
                Poll::Ready(Some(piece)) => said.push(piece.unwrap().range_response.unwrap()),
                Poll::Ready(None) => break,
            }
            assert_eq!(woken.count(), turns, "it goes on by itself");
        }
        assert_eq!(turns, 2, "{MANY} keys, 2000 at a time");
        let [said] = &said[..] else { panic!("{} messages", said.len()) };
        assert_eq!((&said.kvs[0].key[..], said.count, said.more), (&b"z"[..], 1, false));
    }
}
