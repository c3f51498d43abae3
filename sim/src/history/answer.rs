//! The answers that are right: which of a span's pairs a range tells, in which order, and whether what was
//! told is that.

use super::op::{Delete, KeyValue, Order, Range, Response, Target};

/// Whether this is the answer to a delete of these pairs.
pub(super) fn fits_delete(delete: &Delete, doomed: &[&KeyValue], told: &Response) -> bool {
    let Response::Delete { deleted, prev } = told else { return false };
    let prevs = if delete.prev_kv { doomed } else { &[] };
    usize::try_from(*deleted) == Ok(doomed.len()) && prev.iter().eq(prevs.iter().copied())
}

/// The answer to a delete of these pairs.
pub(super) fn delete(delete: &Delete, doomed: &[&KeyValue]) -> Response {
    let prevs = if delete.prev_kv { doomed } else { &[] };
    Response::Delete { deleted: doomed.len() as i64, prev: prevs.iter().map(|&pair| pair.clone()).collect() }
}

/// What a range tells of its span's pairs, which come in key order, and whether its limit leaves some out.
pub(super) fn select<'a>(range: &Range, mut rows: Vec<&'a KeyValue>) -> (Vec<&'a KeyValue>, bool) {
    if range.count_only {
        return (Vec::new(), false);
    }
    let limit = usize::try_from(range.limit).ok().filter(|&limit| limit > 0).unwrap_or(usize::MAX);
    let filters = [range.min_mod, range.max_mod, range.min_create, range.max_create];
    let is_filtered = filters != [0; 4];
    if is_filtered {
        rows.retain(|pair| passes(range, pair));
    } else if range.order == Order::None {
        // Etcd fetches one more than the limit, and sorts only what it has fetched.
        rows.truncate(limit.saturating_add(1));
    }
    sort(range, &mut rows);
    let more = rows.len() > limit;
    rows.truncate(limit);
    (rows, more)
}

/// Whether this is the answer to a range with these pairs.
pub(super) fn fits_range(
    range: &Range,
    rows: &[&KeyValue],
    more: bool,
    count: usize,
    told: &Response,
) -> bool {
    let Response::Range { kvs, more: told_more, count: told_count } = told else { return false };
    let is_same = |(told, right): (&KeyValue, &&KeyValue)| {
        if range.keys_only { *told == bare(right) } else { told == *right }
    };
    *told_more == more
        && usize::try_from(*told_count) == Ok(count)
        && kvs.len() == rows.len()
        && kvs.iter().zip(rows).all(is_same)
}

/// The answer to a range with these pairs.
pub(super) fn range(range: &Range, rows: &[&KeyValue], more: bool, count: usize) -> Response {
    let pair = |pair: &&KeyValue| if range.keys_only { bare(pair) } else { (*pair).clone() };
    Response::Range { kvs: rows.iter().map(pair).collect(), more, count: count as i64 }
}

/// A pair without its value.
fn bare(pair: &KeyValue) -> KeyValue {
    KeyValue { value: bytes::Bytes::new(), ..pair.clone() }
}

/// Whether a pair passes the filters; 0 is none.
fn passes(range: &Range, pair: &KeyValue) -> bool {
    let within = |at, min, max| (min == 0 || at >= min) && (max == 0 || at <= max);
    within(pair.mod_revision, range.min_mod, range.max_mod)
        && within(pair.create_revision, range.min_create, range.max_create)
}

/// Both directions leave pairs that compare equal in key order.
fn sort(range: &Range, rows: &mut [&KeyValue]) {
    let descend = range.order == Order::Descend;
    let compare = |a: &&KeyValue, b: &&KeyValue| match range.target {
        Target::Key => a.key.cmp(&b.key),
        Target::Version => a.version.cmp(&b.version),
        Target::Create => a.create_revision.cmp(&b.create_revision),
        Target::Mod => a.mod_revision.cmp(&b.mod_revision),
        Target::Value => a.value.cmp(&b.value),
    };
    match (range.target, descend) {
        (Target::Key, false) => {}
        (Target::Key, true) => rows.reverse(),
        (_, false) => rows.sort_by(compare),
        (_, true) => rows.sort_by(|a, b| compare(b, a)),
    }
}
