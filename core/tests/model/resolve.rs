//! Makes the relative revisions of a generated request absolute.

use kvorum_core::ids::Revision;
use kvorum_core::request::{CompareWith, RangeRequest, RequestKind, TxnRequest};

use super::random::absolute;

pub fn range(mut r: RangeRequest, current: Revision) -> RangeRequest {
    for revision in [
        &mut r.revision,
        &mut r.min_mod_revision,
        &mut r.max_mod_revision,
        &mut r.min_create_revision,
        &mut r.max_create_revision,
    ] {
        *revision = absolute(*revision, current);
    }
    r
}

pub fn txn(mut r: TxnRequest, current: Revision) -> TxnRequest {
    for compare in &mut r.compare {
        if let Some(CompareWith::Version(v) | CompareWith::CreateRevision(v) | CompareWith::ModRevision(v)) =
            &mut compare.with
        {
            *v = absolute(*v, current);
        }
    }
    for op in r.success.iter_mut().chain(&mut r.failure) {
        op.request = op.request.take().map(|kind| match kind {
            RequestKind::Range(r) => RequestKind::Range(range(r, current)),
            RequestKind::Txn(r) => RequestKind::Txn(txn(r, current)),
            other => other,
        });
    }
    r
}
