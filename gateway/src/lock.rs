//! etcd's service Lock. What it will never know: elections.

use kvorum_core::Result as CoreResult;
use kvorum_core::request::{
    Compare, Header, PutRequest, RangeRequest, RangeResponse, ResponseOp, TxnRequest,
};
use tonic::{Request, Response, Status};

use crate::errors::{STOPPED, unknown};
use crate::gateway::Gateway;
use crate::pb::v3lockpb::{self as pb, lock_server::Lock};
use crate::queue::{self, Place};

#[tonic::async_trait]
impl Lock for Gateway {
    async fn lock(&self, request: Request<pb::LockRequest>) -> Result<Response<pb::LockResponse>, Status> {
        let pb::LockRequest { name, lease } = request.into_inner();
        let (place, header) = self.queue_for_lock(&name, lease).await.map_err(unknown)?;
        let header = match header {
            Some(header) => header,
            None => self.wait_for_lock(&place).await?,
        };
        let key = place.key.clone();
        place.take();
        Ok(Response::new(pb::LockResponse { header: Some(header.into()), key }))
    }

    async fn unlock(
        &self,
        request: Request<pb::UnlockRequest>,
    ) -> Result<Response<pb::UnlockResponse>, Status> {
        let deleted = self.client.delete(request.into_inner().key).await.map_err(unknown)?;
        Ok(Response::new(pb::UnlockResponse { header: deleted.header.map(Into::into) }))
    }
}

impl Gateway {
    /// Takes a place, or finds the one that the lease has already; with a header, if the lock is held with that.
    async fn queue_for_lock(&self, name: &[u8], lease: i64) -> CoreResult<(Place, Option<Header>)> {
        let lease = queue::lease(&self.client, lease).await?;
        let prefix = queue::prefix(name);
        let key = queue::key(&prefix, lease);
        let take = TxnRequest::new()
            .when(Compare::is_missing(&key))
            .then(PutRequest::new(&key, []).with_lease(lease))
            .then(queue::oldest(&prefix))
            .otherwise(RangeRequest::key(&key))
            .otherwise(queue::oldest(&prefix));
        let (place, taken) = queue::stand(&self.client, prefix, key, take).await?;
        let is_oldest =
            |oldest: &RangeResponse| oldest.kvs.iter().all(|kv| kv.create_revision == place.created);
        let is_held = taken.responses.get(1).and_then(ResponseOp::as_range).is_none_or(is_oldest);
        Ok((place, taken.header.filter(|_| is_held)))
    }

    /// Waits for everybody before, then makes sure that the place is still there.
    async fn wait_for_lock(&self, place: &Place) -> Result<Header, Status> {
        let waited = self.stopping.run_until_cancelled(place.wait()).await;
        waited.ok_or_else(|| Status::from(STOPPED))?.map_err(unknown)?;
        let here = self.client.range(RangeRequest::key(&place.key)).await.map_err(unknown)?;
        match here.header {
            Some(header) if here.count > 0 => Ok(header),
            _ => Err(Status::unknown("mutex: session is expired")),
        }
    }
}
