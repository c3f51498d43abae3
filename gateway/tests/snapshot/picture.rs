//! What a server holds, as far as its clients can tell: its keys at every revision, its hashes, its leases.

use kvorum_gateway::pb::etcdserverpb as pb;
use tonic::transport::Channel;

use crate::common::{KvClient, LeaseClient, MaintenanceClient, everything, put};

/// The leases that [`fill`] opens: one with keys, one without.
pub(crate) type Leases = [i64; 2];

/// Writes a history: keys written over, deleted and made again, transactions of several changes, leases, a value of many
/// pages, and a compaction in the middle.
pub(crate) async fn fill(channel: &Channel) -> Leases {
    let (mut kv, mut lease) = (KvClient::new(channel.clone()), LeaseClient::new(channel.clone()));
    let mut leases = [0; 2];
    for (id, ttl) in leases.iter_mut().zip([3600, 600]) {
        *id = lease.lease_grant(pb::LeaseGrantRequest { ttl, id: 0 }).await.unwrap().into_inner().id;
    }
    let mut compact_at = 0;
    for i in 0..60 {
        let mut request = put(&format!("key{:02}", i * 7 % 20), &format!("value {i}"));
        request.lease = if i % 9 == 0 { leases[0] } else { 0 };
        compact_at = kv.put(request).await.unwrap().into_inner().header.unwrap().revision - 25;
        if i % 5 == 4 {
            let key = format!("key{:02}", i * 3 % 20).into();
            kv.delete_range(pb::DeleteRangeRequest { key, ..Default::default() }).await.unwrap();
        }
        if i % 11 == 0 {
            let put = |key: &str| pb::request_op::Request::RequestPut(put(key, "together"));
            let all = pb::DeleteRangeRequest {
                key: "key0".into(),
                range_end: "key03".into(),
                ..Default::default()
            };
            let requests = [put("one"), pb::request_op::Request::RequestDeleteRange(all), put("another")];
            let success = requests.map(|request| pb::RequestOp { request: Some(request) }).to_vec();
            kv.txn(pb::TxnRequest { success, ..Default::default() }).await.unwrap();
        }
    }
    kv.compact(pb::CompactionRequest { revision: compact_at, physical: true }).await.unwrap();
    kv.put(put("large", &"x".repeat(100_000))).await.unwrap();
    kv.put(put("with nothing in it", "")).await.unwrap();
    leases
}

/// What there is to be seen.
#[derive(Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) revision: i64,
    pub(crate) compacted: i64,
    /// Of each revision that can be read.
    keys: Vec<(i64, Vec<kvorum_gateway::pb::mvccpb::KeyValue>)>,
    hashes: Vec<(i64, u32)>,
    leases: Vec<(i64, Vec<Vec<u8>>)>,
}

impl Picture {
    pub(crate) async fn of(channel: &Channel, leases: Leases) -> Picture {
        let mut maintenance = MaintenanceClient::new(channel.clone());
        let newest = maintenance.hash_kv(pb::HashKvRequest { revision: 0 }).await.unwrap().into_inner();
        let (revision, compacted) = (newest.header.unwrap().revision, newest.compact_revision);
        let (mut kv, mut keys, mut hashes) =
            (KvClient::new(channel.clone()), Vec::new(), vec![(0, newest.hash)]);
        for at in compacted.max(1)..=revision {
            let request = pb::RangeRequest { revision: at, ..everything() };
            keys.push((at, kv.range(request).await.unwrap().into_inner().kvs));
            let hashed = maintenance.hash_kv(pb::HashKvRequest { revision: at }).await.unwrap().into_inner();
            hashes.push((at, hashed.hash));
        }
        let mut hung = Vec::new();
        for id in leases {
            let request = pb::LeaseTimeToLiveRequest { id, keys: true };
            let answer =
                LeaseClient::new(channel.clone()).lease_time_to_live(request).await.unwrap().into_inner();
            let mut keys: Vec<Vec<u8>> = answer.keys.iter().map(|key| key.to_vec()).collect();
            keys.sort();
            hung.push((answer.granted_ttl, keys));
        }
        Picture { revision, compacted, keys, hashes, leases: hung }
    }

    /// Everything is as it was.
    pub(crate) fn assert_same(&self, other: &Picture) {
        assert_eq!((self.revision, self.compacted), (other.revision, other.compacted));
        for (was, is) in self.keys.iter().zip(&other.keys) {
            assert_eq!(was, is, "at revision {}", was.0);
        }
        assert_eq!(self.hashes, other.hashes);
        assert_eq!(self, other);
    }
}
