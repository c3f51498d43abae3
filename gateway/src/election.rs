//! etcd's service Election. What it will never know: locks.

use bytes::Bytes;
use kvorum_core::planted;
use kvorum_core::request::{Compare, Header, PutRequest, RangeRequest, TxnRequest};
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use crate::errors::{STOPPED, unknown};
use crate::gateway::Gateway;
use crate::leash::{Leashed, requires_leader};
use crate::observe::observe;
use crate::pb::v3electionpb::{self as pb, election_server::Election};
use crate::queue::{self, Place};

#[tonic::async_trait]
impl Election for Gateway {
    type ObserveStream = BoxStream<pb::LeaderResponse>;

    async fn campaign(
        &self,
        request: Request<pb::CampaignRequest>,
    ) -> Result<Response<pb::CampaignResponse>, Status> {
        let pb::CampaignRequest { name, lease, value } = request.into_inner();
        let lease = queue::lease(&self.client, lease).await.map_err(unknown)?;
        let (place, header) = self.stand(&name, lease, value).await?;
        let waited = self.stopping.run_until_cancelled(place.wait()).await;
        waited.ok_or_else(|| Status::from(STOPPED))?.map_err(unknown)?;
        if !place.is_there().await.map_err(unknown)? && !planted!("campaign_not_looked_at_again") {
            return Err(not_leader());
        }
        let leader = Some(pb::LeaderKey { name, key: place.key.clone(), rev: place.created, lease });
        place.take();
        Ok(Response::new(pb::CampaignResponse { header: header.map(Into::into), leader }))
    }

    async fn proclaim(
        &self,
        request: Request<pb::ProclaimRequest>,
    ) -> Result<Response<pb::ProclaimResponse>, Status> {
        let pb::ProclaimRequest { leader, value } = request.into_inner();
        let leader = leader.ok_or_else(no_leader_field)?;
        let lease = queue::lease(&self.client, leader.lease).await.map_err(unknown)?;
        let header = self.show(&leader.key, leader.rev, lease, value).await?;
        Ok(Response::new(pb::ProclaimResponse { header: header.map(Into::into) }))
    }

    async fn leader(
        &self,
        request: Request<pb::LeaderRequest>,
    ) -> Result<Response<pb::LeaderResponse>, Status> {
        let oldest = queue::oldest(&queue::prefix(&request.into_inner().name));
        let mut read = self.client.range(oldest).await.map_err(unknown)?;
        let kv = read.kvs.pop().ok_or_else(|| Status::unknown("election: no leader"))?;
        Ok(Response::new(pb::LeaderResponse { header: read.header.map(Into::into), kv: Some(kv.into()) }))
    }

    async fn observe(
        &self,
        request: Request<pb::LeaderRequest>,
    ) -> Result<Response<Self::ObserveStream>, Status> {
        let end = self.end_of_stream(requires_leader(request.metadata().as_ref()));
        let leaders = observe(self.client.clone(), queue::prefix(&request.into_inner().name));
        Ok(Response::new(Box::pin(Leashed::new(Box::pin(leaders), end))))
    }

    /// As in etcd, whoever leads no longer has resigned all the same.
    async fn resign(
        &self,
        request: Request<pb::ResignRequest>,
    ) -> Result<Response<pb::ResignResponse>, Status> {
        let leader = request.into_inner().leader.ok_or_else(no_leader_field)?;
        let left = self.client.txn(queue::leave(&leader.key, leader.rev)).await.map_err(unknown)?;
        Ok(Response::new(pb::ResignResponse { header: left.header.map(Into::into) }))
    }
}

impl Gateway {
    /// Takes a place with a value, or gives the value to the place that the lease has already.
    async fn stand(&self, name: &[u8], lease: i64, value: Bytes) -> Result<(Place, Option<Header>), Status> {
        let prefix = queue::prefix(name);
        let key = queue::key(&prefix, lease);
        let put = PutRequest { key: key.clone(), value: value.clone(), lease, ..PutRequest::default() };
        let stand =
            TxnRequest::new().when(Compare::is_missing(&key)).then(put).otherwise(RangeRequest::key(&key));
        let (place, stood) = queue::stand(&self.client, prefix, key, stand).await.map_err(unknown)?;
        if queue::found(&stood).is_some_and(|found| found.value != value) {
            self.show(&place.key, place.created, lease, value).await?;
        }
        Ok((place, stood.header))
    }

    /// Shows another value, as long as the key is still the one that was created then.
    async fn show(
        &self,
        key: &Bytes,
        created: i64,
        lease: i64,
        value: Bytes,
    ) -> Result<Option<Header>, Status> {
        let put = PutRequest { key: key.clone(), value, lease, ..PutRequest::default() };
        let show = TxnRequest::new().when(queue::is_the_same(key, created)).then(put);
        let shown = self.client.txn(show).await.map_err(unknown)?;
        if shown.succeeded { Ok(shown.header) } else { Err(not_leader()) }
    }
}

fn not_leader() -> Status {
    Status::unknown("election: not leader")
}

fn no_leader_field() -> Status {
    Status::unknown("\"leader\" field must be provided")
}
