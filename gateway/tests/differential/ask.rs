//! Requests, and how they are made: each is one call of a client. What it will never know: what is asked when.

use kvorum_gateway::pb::etcdserverpb as pb;
use pb::cluster_client::ClusterClient;
use pb::kv_client::KvClient;
use pb::lease_client::LeaseClient;
use pb::maintenance_client::MaintenanceClient;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

/// The longest answer that is read, in bytes.
pub(crate) const LONGEST: usize = 256 << 20;

/// A request.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Range(pb::RangeRequest),
    Put(pb::PutRequest),
    Delete(pb::DeleteRangeRequest),
    Txn(pb::TxnRequest),
    Compact(pb::CompactionRequest),
    Grant(pb::LeaseGrantRequest),
    Revoke(pb::LeaseRevokeRequest),
    Renew(pb::LeaseKeepAliveRequest),
    TimeToLive(pb::LeaseTimeToLiveRequest),
    Leases,
    Members(pb::MemberListRequest),
    Status,
    Alarm(pb::AlarmRequest),
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Range(pb::RangeResponse),
    Put(pb::PutResponse),
    Delete(pb::DeleteRangeResponse),
    Txn(pb::TxnResponse),
    Compact(pb::CompactionResponse),
    Grant(pb::LeaseGrantResponse),
    Revoke(pb::LeaseRevokeResponse),
    Renew(pb::LeaseKeepAliveResponse),
    TimeToLive(pb::LeaseTimeToLiveResponse),
    Leases(pb::LeaseLeasesResponse),
    Members(pb::MemberListResponse),
    Status(pb::StatusResponse),
    Alarm(pb::AlarmResponse),
    Error(Code, String),
}

impl Ask {
    /// Asks whoever serves this.
    pub(crate) async fn of(self, channel: Channel) -> Answer {
        match self.call(channel).await {
            Ok(answer) => answer,
            Err(status) => Answer::Error(status.code(), status.message().into()),
        }
    }

    async fn call(self, channel: Channel) -> Result<Answer, Status> {
        let mut kv = KvClient::new(channel.clone()).max_decoding_message_size(LONGEST);
        let mut lease = LeaseClient::new(channel.clone());
        let mut maintenance = MaintenanceClient::new(channel.clone());
        let mut cluster = ClusterClient::new(channel);
        Ok(match self {
            Ask::Range(request) => Answer::Range(said(kv.range(request).await)?),
            Ask::Put(request) => Answer::Put(said(kv.put(request).await)?),
            Ask::Delete(request) => Answer::Delete(said(kv.delete_range(request).await)?),
            Ask::Txn(request) => Answer::Txn(said(kv.txn(request).await)?),
            Ask::Compact(request) => Answer::Compact(said(kv.compact(request).await)?),
            Ask::Grant(request) => Answer::Grant(said(lease.lease_grant(request).await)?),
            Ask::Revoke(request) => Answer::Revoke(said(lease.lease_revoke(request).await)?),
            Ask::TimeToLive(request) => Answer::TimeToLive(said(lease.lease_time_to_live(request).await)?),
            Ask::Leases => Answer::Leases(said(lease.lease_leases(pb::LeaseLeasesRequest {}).await)?),
            Ask::Members(request) => Answer::Members(said(cluster.member_list(request).await)?),
            Ask::Status => Answer::Status(said(maintenance.status(pb::StatusRequest {}).await)?),
            Ask::Alarm(request) => Answer::Alarm(said(maintenance.alarm(request).await)?),
            Ask::Renew(request) => {
                let requests = futures_util::stream::iter([request]);
                let mut answers = lease.lease_keep_alive(requests).await?.into_inner();
                let answer = answers.message().await?;
                Answer::Renew(answer.ok_or_else(|| Status::internal("a stream without an answer"))?)
            }
        })
    }

    /// Whether it changes nothing, so that it does not matter which of several comes first.
    pub(crate) fn is_read(&self) -> bool {
        matches!(
            self,
            Ask::Range(_) | Ask::TimeToLive(_) | Ask::Leases | Ask::Members(_) | Ask::Status | Ask::Renew(_)
        )
    }
}

fn said<T>(answer: Result<Response<T>, Status>) -> Result<T, Status> {
    answer.map(Response::into_inner)
}
