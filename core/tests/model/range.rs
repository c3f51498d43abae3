//! A1: reads.

use kvorum_core::ErrorKind;
use kvorum_core::ids::Revision;
use kvorum_core::request::{KeyValue, RangeRequest, RangeResponse, SortOrder, SortTarget};

use super::{Model, Snapshot, header, holds};

impl Model {
    /// A read outside of transactions. The range, sort order and target are assumed to be checked.
    pub fn range(&self, r: &RangeRequest) -> Result<RangeResponse, ErrorKind> {
        let (requested, current) = (r.revision, self.revision());
        if requested > current {
            return Err(ErrorKind::FutureRevision { requested, current });
        }
        // A1.2: 0 and less is the newest, outside of transactions.
        let at = if requested <= 0 { current } else { requested };
        if at < self.compacted {
            return Err(self.compacted_error(requested));
        }
        Ok(answer(self.at(at), r, current))
    }
}

/// Answers a range from all pairs as they are at the revision to be read.
pub fn answer(view: &Snapshot, r: &RangeRequest, revision: Revision) -> RangeResponse {
    let mut kvs: Vec<KeyValue> =
        view.values().filter(|kv| holds(&r.key, &r.range_end, &kv.key)).cloned().collect();
    // A1.4: the count knows neither the limit nor the revision filters.
    let count = kvs.len() as i64;
    if r.count_only {
        return RangeResponse { header: header(revision), kvs: Vec::new(), more: false, count };
    }
    let filtered = r.min_mod_revision != 0
        || r.max_mod_revision != 0
        || r.min_create_revision != 0
        || r.max_create_revision != 0;
    let limit = if r.limit > 0 { Some(r.limit as usize) } else { None };
    // A1.3, A1.7, A1.8: without an order and without filters, only limit + 1 pairs are fetched at all.
    if let Some(limit) = limit
        && r.sort_order == SortOrder::None as i32
        && !filtered
    {
        kvs.truncate(limit + 1);
    }
    kvs.retain(|kv| passes(kv, r));
    sort(&mut kvs, r.sort_order, r.sort_target);
    let mut more = false;
    if let Some(limit) = limit
        && kvs.len() > limit
    {
        kvs.truncate(limit);
        more = true;
    }
    if r.keys_only {
        kvs.iter_mut().for_each(|kv| kv.value.clear());
    }
    RangeResponse { header: header(revision), kvs, more, count }
}

/// A1.8: inclusive, 0 is off.
fn passes(kv: &KeyValue, r: &RangeRequest) -> bool {
    (r.min_mod_revision == 0 || kv.mod_revision >= r.min_mod_revision)
        && (r.max_mod_revision == 0 || kv.mod_revision <= r.max_mod_revision)
        && (r.min_create_revision == 0 || kv.create_revision >= r.min_create_revision)
        && (r.max_create_revision == 0 || kv.create_revision <= r.max_create_revision)
}

/// A1.7. Pairs come in by key.
fn sort(kvs: &mut [KeyValue], order: i32, target: i32) {
    kvs.sort_by(|a, b| {
        let ascending = compare(a, b, target);
        if order == SortOrder::Descend as i32 { ascending.reverse() } else { ascending }
    });
}

/// How two pairs lie by what a range is ordered by.
pub fn compare(a: &KeyValue, b: &KeyValue, target: i32) -> std::cmp::Ordering {
    match SortTarget::try_from(target).expect("a known target") {
        SortTarget::Key => a.key.cmp(&b.key),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create_revision.cmp(&b.create_revision),
        SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
        SortTarget::Value => a.value.cmp(&b.value),
    }
}
