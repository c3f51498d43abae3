//! etcd's service KV: keys and values. What it will never know: how they are kept.

use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use crate::errors::status;
use crate::gateway::Gateway;
use crate::pb::etcdserverpb::{self as pb, kv_server::Kv};
use crate::pieces;

#[tonic::async_trait]
impl Kv for Gateway {
    type RangeStreamStream = BoxStream<pb::RangeStreamResponse>;

    async fn range(&self, request: Request<pb::RangeRequest>) -> Result<Response<pb::RangeResponse>, Status> {
        self.check_untaken()?;
        let answer = self.client.range(request.into_inner().into()).await;
        // Of many that were asked at once, each comes here before the next is written.
        self.check_untaken()?;
        answer.map(|read| Response::new(read.into())).map_err(status)
    }

    async fn range_stream(
        &self,
        request: Request<pb::RangeRequest>,
    ) -> Result<Response<Self::RangeStreamStream>, Status> {
        self.check_untaken()?;
        let pieces = pieces::of(self.client.clone(), request.into_inner()).await?;
        Ok(Response::new(Box::pin(pieces)))
    }

    async fn put(&self, request: Request<pb::PutRequest>) -> Result<Response<pb::PutResponse>, Status> {
        let answer = self.client.put_request(request.into_inner().into()).await;
        answer.map(|written| Response::new(written.into())).map_err(status)
    }

    async fn delete_range(
        &self,
        request: Request<pb::DeleteRangeRequest>,
    ) -> Result<Response<pb::DeleteRangeResponse>, Status> {
        let answer = self.client.delete_request(request.into_inner().into()).await;
        answer.map(|deleted| Response::new(deleted.into())).map_err(status)
    }

    async fn txn(&self, request: Request<pb::TxnRequest>) -> Result<Response<pb::TxnResponse>, Status> {
        let request = request.into_inner();
        if may_be_large(&request) {
            // Not behind it: it may have been done.
            self.check_untaken()?;
        }
        let answer = self.client.txn(request.into()).await;
        answer.map(|done| Response::new(done.into())).map_err(status)
    }

    async fn compact(
        &self,
        request: Request<pb::CompactionRequest>,
    ) -> Result<Response<pb::CompactionResponse>, Status> {
        let answer = self.client.compact_request(request.into_inner().into()).await;
        answer.map(|forgotten| Response::new(forgotten.into())).map_err(status)
    }
}

/// Whether a transaction's answer may be large: it has ranges of many keys, or does nothing but read. What is left are
/// compares with puts behind them, as locks are taken and objects written: a client that does not take its answers must
/// not stop them.
fn may_be_large(txn: &pb::TxnRequest) -> bool {
    use pb::request_op::Request;
    let ops = || txn.success.iter().chain(&txn.failure).filter_map(|op| op.request.as_ref());
    let is_large = |op: &Request| match op {
        Request::RequestRange(r) => !r.range_end.is_empty(),
        Request::RequestDeleteRange(r) => r.prev_kv && !r.range_end.is_empty(),
        Request::RequestTxn(inner) => may_be_large(inner),
        Request::RequestPut(_) => false,
    };
    ops().all(|op| matches!(op, Request::RequestRange(_))) || ops().any(is_large)
}
