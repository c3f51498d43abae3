//! What was asked: etcd's messages become the core's. Almost all of it is the same field under the same name.

use kvorum_core::request as core;

use crate::pb::etcdserverpb as pb;

impl From<pb::RangeRequest> for core::RangeRequest {
    fn from(r: pb::RangeRequest) -> core::RangeRequest {
        let (sort_order, sort_target) = order(&r);
        core::RangeRequest {
            key: r.key,
            range_end: r.range_end,
            limit: r.limit,
            revision: r.revision,
            sort_order,
            sort_target,
            serializable: r.serializable,
            keys_only: r.keys_only,
            count_only: r.count_only,
            min_mod_revision: r.min_mod_revision,
            max_mod_revision: r.max_mod_revision,
            min_create_revision: r.min_create_revision,
            max_create_revision: r.max_create_revision,
        }
    }
}

/// An order that does not exist is no order in etcd 3.5, whatever the target: the pairs come by key. (A target that
/// does not exist brings etcd 3.5 down; here the core refuses it.)
fn order(r: &pb::RangeRequest) -> (i32, i32) {
    match pb::range_request::SortOrder::try_from(r.sort_order) {
        Ok(_) => (r.sort_order, r.sort_target),
        Err(_) => (pb::range_request::SortOrder::Ascend as i32, pb::range_request::SortTarget::Key as i32),
    }
}

impl From<pb::PutRequest> for core::PutRequest {
    fn from(r: pb::PutRequest) -> core::PutRequest {
        core::PutRequest {
            key: r.key,
            value: r.value,
            lease: r.lease,
            prev_kv: r.prev_kv,
            ignore_value: r.ignore_value,
            ignore_lease: r.ignore_lease,
        }
    }
}

impl From<pb::DeleteRangeRequest> for core::DeleteRangeRequest {
    fn from(r: pb::DeleteRangeRequest) -> core::DeleteRangeRequest {
        core::DeleteRangeRequest { key: r.key, range_end: r.range_end, prev_kv: r.prev_kv }
    }
}

impl From<pb::TxnRequest> for core::TxnRequest {
    fn from(r: pb::TxnRequest) -> core::TxnRequest {
        core::TxnRequest {
            compare: r.compare.into_iter().map(Into::into).collect(),
            success: r.success.into_iter().map(Into::into).collect(),
            failure: r.failure.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<pb::Compare> for core::Compare {
    fn from(c: pb::Compare) -> core::Compare {
        use pb::compare::TargetUnion;
        let with = c.target_union.map(|with| match with {
            TargetUnion::Version(version) => core::CompareWith::Version(version),
            TargetUnion::CreateRevision(revision) => core::CompareWith::CreateRevision(revision),
            TargetUnion::ModRevision(revision) => core::CompareWith::ModRevision(revision),
            TargetUnion::Value(value) => core::CompareWith::Value(value),
            TargetUnion::Lease(lease) => core::CompareWith::Lease(lease),
        });
        core::Compare { result: c.result, target: c.target, key: c.key, with, range_end: c.range_end }
    }
}

impl From<pb::RequestOp> for core::RequestOp {
    fn from(op: pb::RequestOp) -> core::RequestOp {
        use pb::request_op::Request;
        let request = op.request.map(|request| match request {
            Request::RequestRange(r) => core::RequestKind::Range(r.into()),
            Request::RequestPut(r) => core::RequestKind::Put(r.into()),
            Request::RequestDeleteRange(r) => core::RequestKind::DeleteRange(r.into()),
            Request::RequestTxn(r) => core::RequestKind::Txn(r.into()),
        });
        core::RequestOp { request }
    }
}

impl From<pb::CompactionRequest> for core::CompactionRequest {
    fn from(r: pb::CompactionRequest) -> core::CompactionRequest {
        core::CompactionRequest { revision: r.revision, physical: r.physical }
    }
}

impl From<pb::LeaseGrantRequest> for core::LeaseGrantRequest {
    fn from(r: pb::LeaseGrantRequest) -> core::LeaseGrantRequest {
        core::LeaseGrantRequest { ttl: r.ttl, id: r.id }
    }
}

impl From<pb::LeaseTimeToLiveRequest> for core::LeaseTimeToLiveRequest {
    fn from(r: pb::LeaseTimeToLiveRequest) -> core::LeaseTimeToLiveRequest {
        core::LeaseTimeToLiveRequest { id: r.id, keys: r.keys }
    }
}
