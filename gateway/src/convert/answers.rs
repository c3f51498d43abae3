//! What is answered: the core's messages become etcd's.

use kvorum_core::request as core;

use crate::pb::etcdserverpb as pb;
use crate::pb::mvccpb;

pub(crate) fn header(header: Option<core::Header>) -> Option<pb::ResponseHeader> {
    header.map(Into::into)
}

impl From<core::Header> for pb::ResponseHeader {
    fn from(h: core::Header) -> pb::ResponseHeader {
        let core::Header { cluster_id, member_id, revision, raft_term } = h;
        pb::ResponseHeader { cluster_id, member_id, revision, raft_term }
    }
}

impl From<core::KeyValue> for mvccpb::KeyValue {
    fn from(kv: core::KeyValue) -> mvccpb::KeyValue {
        mvccpb::KeyValue {
            key: kv.key,
            create_revision: kv.create_revision,
            mod_revision: kv.mod_revision,
            version: kv.version,
            value: kv.value,
            lease: kv.lease,
        }
    }
}

impl From<core::Event> for mvccpb::Event {
    fn from(e: core::Event) -> mvccpb::Event {
        mvccpb::Event { r#type: e.kind, kv: e.kv.map(Into::into), prev_kv: e.prev_kv.map(Into::into) }
    }
}

impl From<core::RangeResponse> for pb::RangeResponse {
    fn from(r: core::RangeResponse) -> pb::RangeResponse {
        pb::RangeResponse { header: header(r.header), kvs: pairs(r.kvs), more: r.more, count: r.count }
    }
}

pub(crate) fn pairs(kvs: Vec<core::KeyValue>) -> Vec<mvccpb::KeyValue> {
    kvs.into_iter().map(Into::into).collect()
}

impl From<core::PutResponse> for pb::PutResponse {
    fn from(r: core::PutResponse) -> pb::PutResponse {
        pb::PutResponse { header: header(r.header), prev_kv: r.prev_kv.map(Into::into) }
    }
}

impl From<core::DeleteRangeResponse> for pb::DeleteRangeResponse {
    fn from(r: core::DeleteRangeResponse) -> pb::DeleteRangeResponse {
        pb::DeleteRangeResponse { header: header(r.header), deleted: r.deleted, prev_kvs: pairs(r.prev_kvs) }
    }
}

impl From<core::TxnResponse> for pb::TxnResponse {
    fn from(r: core::TxnResponse) -> pb::TxnResponse {
        let responses = r.responses.into_iter().map(Into::into).collect();
        pb::TxnResponse { header: header(r.header), succeeded: r.succeeded, responses }
    }
}

impl From<core::ResponseOp> for pb::ResponseOp {
    fn from(op: core::ResponseOp) -> pb::ResponseOp {
        use pb::response_op::Response;
        let response = op.response.map(|response| match response {
            core::ResponseKind::Range(r) => Response::ResponseRange(r.into()),
            core::ResponseKind::Put(r) => Response::ResponsePut(r.into()),
            core::ResponseKind::DeleteRange(r) => Response::ResponseDeleteRange(r.into()),
            core::ResponseKind::Txn(r) => Response::ResponseTxn(r.into()),
        });
        pb::ResponseOp { response }
    }
}

impl From<core::CompactionResponse> for pb::CompactionResponse {
    fn from(r: core::CompactionResponse) -> pb::CompactionResponse {
        pb::CompactionResponse { header: header(r.header) }
    }
}

impl From<core::LeaseGrantResponse> for pb::LeaseGrantResponse {
    fn from(r: core::LeaseGrantResponse) -> pb::LeaseGrantResponse {
        pb::LeaseGrantResponse { header: header(r.header), id: r.id, ttl: r.ttl, error: String::new() }
    }
}

impl From<core::LeaseRevokeResponse> for pb::LeaseRevokeResponse {
    fn from(r: core::LeaseRevokeResponse) -> pb::LeaseRevokeResponse {
        pb::LeaseRevokeResponse { header: header(r.header) }
    }
}

impl From<core::LeaseKeepAliveResponse> for pb::LeaseKeepAliveResponse {
    fn from(r: core::LeaseKeepAliveResponse) -> pb::LeaseKeepAliveResponse {
        pb::LeaseKeepAliveResponse { header: header(r.header), id: r.id, ttl: r.ttl }
    }
}

impl From<core::LeaseTimeToLiveResponse> for pb::LeaseTimeToLiveResponse {
    fn from(r: core::LeaseTimeToLiveResponse) -> pb::LeaseTimeToLiveResponse {
        let core::LeaseTimeToLiveResponse { header: its, id, ttl, granted_ttl, keys } = r;
        pb::LeaseTimeToLiveResponse { header: header(its), id, ttl, granted_ttl, keys }
    }
}

impl From<core::LeaseLeasesResponse> for pb::LeaseLeasesResponse {
    fn from(r: core::LeaseLeasesResponse) -> pb::LeaseLeasesResponse {
        let leases = r.leases.into_iter().map(|id| pb::LeaseStatus { id }).collect();
        pb::LeaseLeasesResponse { header: header(r.header), leases }
    }
}
