//! kvorum's requests and answers in the words of [`crate::history`].

use kvorum_core::request as k;

use crate::history::{
    Compare, Delete, KeyValue, Operand, Order, Put, Range, Relation, Request, Response, Span, Target, Txn,
};

pub(super) fn put(put: &k::PutRequest) -> Request {
    Request::Put(Put {
        key: put.key.clone(),
        value: put.value.clone(),
        lease: put.lease,
        prev_kv: put.prev_kv,
        ignore_value: put.ignore_value,
        ignore_lease: put.ignore_lease,
    })
}

pub(super) fn delete(delete: &k::DeleteRangeRequest) -> Request {
    let span = Span { key: delete.key.clone(), end: delete.range_end.clone() };
    Request::Delete(Delete { span, prev_kv: delete.prev_kv })
}

pub(super) fn range(range: &k::RangeRequest) -> Request {
    let order = match k::SortOrder::try_from(range.sort_order).unwrap_or_default() {
        k::SortOrder::None => Order::None,
        k::SortOrder::Ascend => Order::Ascend,
        k::SortOrder::Descend => Order::Descend,
    };
    let target = match k::SortTarget::try_from(range.sort_target).unwrap_or_default() {
        k::SortTarget::Key => Target::Key,
        k::SortTarget::Version => Target::Version,
        k::SortTarget::Create => Target::Create,
        k::SortTarget::Mod => Target::Mod,
        k::SortTarget::Value => Target::Value,
    };
    Request::Range(Range {
        span: Span { key: range.key.clone(), end: range.range_end.clone() },
        revision: range.revision,
        limit: range.limit,
        order,
        target,
        count_only: range.count_only,
        keys_only: range.keys_only,
        min_mod: range.min_mod_revision,
        max_mod: range.max_mod_revision,
        min_create: range.min_create_revision,
        max_create: range.max_create_revision,
        serializable: range.serializable,
    })
}

pub(super) fn txn(txn: &k::TxnRequest) -> Request {
    Request::Txn(Txn {
        compares: txn.compare.iter().map(compare).collect(),
        success: txn.success.iter().map(op).collect(),
        failure: txn.failure.iter().map(op).collect(),
    })
}

fn op(op: &k::RequestOp) -> Request {
    match &op.request {
        Some(k::RequestKind::Put(request)) => put(request),
        Some(k::RequestKind::DeleteRange(request)) => delete(request),
        Some(k::RequestKind::Range(request)) => range(request),
        Some(k::RequestKind::Txn(request)) => txn(request),
        None => Request::Glance,
    }
}

fn compare(compare: &k::Compare) -> Compare {
    let relation = match k::CompareResult::try_from(compare.result).unwrap_or_default() {
        k::CompareResult::Equal => Relation::Equal,
        k::CompareResult::NotEqual => Relation::NotEqual,
        k::CompareResult::Less => Relation::Less,
        k::CompareResult::Greater => Relation::Greater,
    };
    let operand = match &compare.with {
        Some(k::CompareWith::Version(version)) => Operand::Version(*version),
        Some(k::CompareWith::CreateRevision(revision)) => Operand::Create(*revision),
        Some(k::CompareWith::ModRevision(revision)) => Operand::Mod(*revision),
        Some(k::CompareWith::Value(value)) => Operand::Value(value.clone()),
        Some(k::CompareWith::Lease(lease)) => Operand::Lease(*lease),
        None => Operand::Version(0),
    };
    let span = Span { key: compare.key.clone(), end: compare.range_end.clone() };
    Compare { span, relation, operand }
}

fn key_value(kv: &k::KeyValue) -> KeyValue {
    KeyValue {
        key: kv.key.clone(),
        value: kv.value.clone(),
        create_revision: kv.create_revision,
        mod_revision: kv.mod_revision,
        version: kv.version,
        lease: kv.lease,
    }
}

pub(super) fn put_answer(answer: &k::PutResponse) -> Response {
    Response::Put { prev: answer.prev_kv.as_ref().map(key_value) }
}

pub(super) fn delete_answer(answer: &k::DeleteRangeResponse) -> Response {
    Response::Delete { deleted: answer.deleted, prev: answer.prev_kvs.iter().map(key_value).collect() }
}

pub(super) fn range_answer(answer: &k::RangeResponse) -> Response {
    let kvs = answer.kvs.iter().map(key_value).collect();
    Response::Range { kvs, more: answer.more, count: answer.count }
}

pub(super) fn txn_answer(answer: &k::TxnResponse) -> Response {
    let responses = answer.responses.iter().map(op_answer).collect();
    Response::Txn { succeeded: answer.succeeded, responses }
}

fn op_answer(answer: &k::ResponseOp) -> Response {
    match &answer.response {
        Some(k::ResponseKind::Put(answer)) => put_answer(answer),
        Some(k::ResponseKind::DeleteRange(answer)) => delete_answer(answer),
        Some(k::ResponseKind::Range(answer)) => range_answer(answer),
        Some(k::ResponseKind::Txn(answer)) => txn_answer(answer),
        None => Response::Glance,
    }
}
