//! A range as a stream of pieces, all of one revision (etcd 3.7's `RangeStream`). What it will never know: gRPC.
//!
//! First the keys are counted, with proof that the count is current, and that pins the revision. Then the pieces come
//! from this node's own state at that revision, one each time the client has room for it. Header, count and `more` come
//! with the last.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, stream};
use kvorum_core::Client;
use kvorum_core::check::check_range;
use kvorum_core::request::{Header, RangeRequest, SortOrder, SortTarget};
use kvorum_core::state::Piece;
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
    /// How many pairs are still wanted; `None`: all.
    wanted: Option<i64>,
    /// With the last piece.
    header: Option<Header>,
    count: i64,
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
    let wanted = (request.limit > 0).then_some(request.limit);
    let counted = client.range(request.clone().counting()).await.map_err(status)?;
    if request.revision <= 0 {
        request.revision = counted.revision();
    }
    let rest = Rest { client, request, wanted, header: counted.header, count: counted.count };
    Ok(stream::unfold(Some(rest), |rest| async { rest.map(Rest::send) }))
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
    fn send(mut self) -> (Item, Option<Rest>) {
        let Piece { kvs, more } = match self.read() {
            Ok(piece) => piece,
            Err(error) => return (Err(status(error)), None),
        };
        self.wanted = self.wanted.map(|wanted| wanted - kvs.len() as i64);
        let mut response = pb::RangeResponse { kvs: pairs(kvs), ..pb::RangeResponse::default() };
        let is_last = !more || self.wanted == Some(0);
        if is_last {
            (response.header, response.more, response.count) = (header(self.header), more, self.count);
        }
        self.request.limit = self.wanted.unwrap_or(0);
        self.request.key = response.kvs.last().map_or(Bytes::new(), |kv| behind(&kv.key));
        let item = pb::RangeStreamResponse { range_response: Some(response) };
        (Ok(item), (!is_last).then_some(self))
    }

    fn read(&self) -> kvorum_core::Result<Piece> {
        if self.request.count_only {
            return Ok(Piece::default());
        }
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
