//! What a request's form may be, after etcd's own check (A5.6, A5.7, A5.7q), and slowly.

use std::collections::BTreeSet;

use bytes::Bytes;
use kvorum_core::request::{RequestKind, RequestOp, TxnRequest};

use super::holds;

/// The puts and the deletes of a list of operations: the latter as range starts and ends.
type Writes = (BTreeSet<Bytes>, Vec<(Bytes, Bytes)>);

/// Whether a transaction writes a key twice, in etcd's eyes.
pub fn writes_twice(r: &TxnRequest) -> bool {
    writes(&r.success).is_none() || writes(&r.failure).is_none()
}

/// What one branch writes; `None` if it writes a key twice.
fn writes(ops: &[RequestOp]) -> Option<Writes> {
    let (mut puts, mut deletes) = (BTreeSet::new(), Vec::new());
    for op in ops {
        if let Some(RequestKind::DeleteRange(r)) = &op.request {
            deletes.push((r.key.clone(), r.range_end.clone()));
        }
    }
    // Nested ones come second, in order: a put sees the deletes of this level and of nested ones before.
    for op in ops {
        let Some(RequestKind::Txn(r)) = &op.request else { continue };
        let (then, otherwise) = (writes(&r.success)?, writes(&r.failure)?);
        // Both branches may put the same key: only one of them will be taken.
        let inside: BTreeSet<Bytes> = then.0.union(&otherwise.0).cloned().collect();
        if inside.iter().any(|key| puts.contains(key) || deleted(&deletes, key)) {
            return None;
        }
        puts.extend(inside);
        deletes.extend(then.1);
        deletes.extend(otherwise.1);
    }
    for op in ops {
        let Some(RequestKind::Put(r)) = &op.request else { continue };
        if deleted(&deletes, &r.key) || !puts.insert(r.key.clone()) {
            return None;
        }
    }
    Some((puts, deletes))
}

/// A5.7q: a delete of everything from a key on counts as a range that ends before it begins.
fn deleted(deletes: &[(Bytes, Bytes)], key: &Bytes) -> bool {
    deletes.iter().any(|(start, end)| end[..] != [0] && holds(start, end, key))
}

/// Whether some list has more operations than the budget that is left for it.
#[allow(dead_code, reason = "only the test of the checks asks this")]
pub fn too_many(r: &TxnRequest, budget: usize) -> bool {
    let most = r.compare.len().max(r.success.len()).max(r.failure.len());
    most > budget
        || r.success.iter().chain(&r.failure).any(|op| match &op.request {
            Some(RequestKind::Txn(inner)) => too_many(inner, budget - most),
            _ => false,
        })
}
