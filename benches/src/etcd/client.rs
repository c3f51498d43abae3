//! What asks both: plain gRPC over one HTTP/2 connection, with the messages that the gateway is made of.

use bytes::Bytes;
use kvorum_gateway::pb::etcdserverpb as pb;
use pb::kv_client::KvClient;
use pb::lease_client::LeaseClient;
use pb::maintenance_client::MaintenanceClient;
use pb::watch_client::WatchClient;
use pb::watch_request::RequestUnion;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Error};
use tonic::{Status, Streaming};

/// A connection.
#[derive(Clone)]
pub(crate) struct Client {
    channel: Channel,
}

/// A stream of watches, its asking and its telling end.
pub(crate) struct Watches {
    asks: mpsc::Sender<pb::WatchRequest>,
    answers: Streaming<pb::WatchResponse>,
}

impl Client {
    pub(crate) async fn connect(url: &str) -> Result<Client, Error> {
        let endpoint = Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true);
        Ok(Client { channel: endpoint.connect().await? })
    }

    fn kv(&self) -> KvClient<Channel> {
        KvClient::new(self.channel.clone()).max_decoding_message_size(64 << 20)
    }

    pub(crate) async fn put(&self, key: Bytes, value: Bytes) -> Result<(), Status> {
        let request = pb::PutRequest { key, value, ..pb::PutRequest::default() };
        self.kv().put(request).await.map(|_| ())
    }

    /// How many pairs it found.
    pub(crate) async fn range(&self, request: pb::RangeRequest) -> Result<usize, Status> {
        self.kv().range(request).await.map(|answer| answer.into_inner().kvs.len())
    }

    /// How many pairs there are.
    pub(crate) async fn count(&self, request: pb::RangeRequest) -> Result<i64, Status> {
        let request = pb::RangeRequest { count_only: true, ..request };
        self.kv().range(request).await.map(|answer| answer.into_inner().count)
    }

    /// The newest revision that its member knows.
    pub(crate) async fn revision(&self) -> Result<i64, Status> {
        let request = pb::RangeRequest { key: "none".into(), ..pb::RangeRequest::default() };
        let answer = self.kv().range(request).await?.into_inner();
        Ok(answer.header.map_or(0, |header| header.revision))
    }

    /// Forgets what was overwritten, and returns when the space is free.
    pub(crate) async fn compact(&self, revision: i64) -> Result<(), Status> {
        let request = pb::CompactionRequest { revision, physical: true };
        self.kv().compact(request).await.map(|_| ())
    }

    /// Has its member's file made as small as its content. (A kvorumd has none, and says yes.)
    pub(crate) async fn defragment(&self) -> Result<(), Status> {
        let mut maintenance = MaintenanceClient::new(self.channel.clone());
        maintenance.defragment(pb::DefragmentRequest {}).await.map(|_| ())
    }

    /// Whether the conditions held.
    pub(crate) async fn txn(&self, request: pb::TxnRequest) -> Result<bool, Status> {
        self.kv().txn(request).await.map(|answer| answer.into_inner().succeeded)
    }

    /// A lease for a minute, and its end.
    pub(crate) async fn lease(&self) -> Result<(), Status> {
        let mut leases = LeaseClient::new(self.channel.clone());
        let granted = leases.lease_grant(pb::LeaseGrantRequest { id: 0, ttl: 60 }).await?.into_inner();
        leases.lease_revoke(pb::LeaseRevokeRequest { id: granted.id }).await.map(|_| ())
    }

    /// A stream, with its first watch: etcd says nothing, not even that there is a stream, before it was asked for one.
    pub(crate) async fn watches(&self, key: Bytes) -> Result<Watches, Status> {
        let (asks, receiver) = mpsc::channel(1024);
        asks.send(watch(key)).await.expect("there is room");
        let mut client = WatchClient::new(self.channel.clone());
        let answers = client.watch(ReceiverStream::new(receiver)).await?.into_inner();
        Ok(Watches { asks, answers })
    }
}

impl Watches {
    /// Asks for one more.
    pub(crate) async fn watch(&self, key: Bytes) {
        self.asks.send(watch(key)).await.expect("a stream that stays open");
    }

    pub(crate) async fn next(&mut self) -> pb::WatchResponse {
        self.answers.message().await.expect("a stream that stays open").expect("an answer")
    }
}

fn watch(key: Bytes) -> pb::WatchRequest {
    let ask = pb::WatchCreateRequest { key, ..pb::WatchCreateRequest::default() };
    pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(ask)) }
}
