//! What becomes of the pairs of a range: counted, filtered, sorted, cut.

use std::cmp::Ordering;
use std::ops::Deref;

use super::SLICE;
use super::record::Record;
use crate::request::{Header, KeyValue, RangeRequest, RangeResponse, SortOrder, SortTarget};

/// How many pairs more than can be shown are kept before the list is cut. (Few in our own tests, so that they meet it.)
const ROOM: usize = if cfg!(test) { 2 } else { SLICE };

/// Takes a range's pairs one after the other, in key order. They are references where the state's lock is held from
/// the first to the last, and shared records where it is not.
#[derive(Debug)]
pub(super) struct Gather<T> {
    kept: Vec<T>,
    /// How many there were.
    met: usize,
    /// How many of those that were fetched passed the filters.
    passed: usize,
    /// How many are fetched: counted after that, and no more.
    fetch: usize,
    /// How many are shown.
    limit: usize,
}

impl<T: Deref<Target = Record>> Gather<T> {
    /// For a request whose shape has been checked.
    pub(super) fn new(r: &RangeRequest) -> Gather<T> {
        let limit = if r.limit > 0 { usize::try_from(r.limit).unwrap_or(usize::MAX) } else { usize::MAX };
        let fetch = if r.count_only { 0 } else { fetch_limit(r, limit) };
        Gather { kept: Vec::new(), met: 0, passed: 0, fetch, limit }
    }

    /// The next pair, and how to keep it.
    pub(super) fn meet(&mut self, r: &RangeRequest, record: &Record, keep: impl FnOnce() -> T) {
        self.met += 1;
        if self.met > self.fetch || !passes(r, record) {
            return;
        }
        self.passed += 1;
        self.kept.push(keep());
        // What cannot be shown any more is let go of: a range over everything for its greatest value needs no list of
        // everything.
        if self.kept.len() >= self.limit.saturating_mul(2).max(self.limit.saturating_add(ROOM)) {
            self.cut(r);
        }
    }

    /// Keeps only what would be shown if nothing came any more.
    fn cut(&mut self, r: &RangeRequest) {
        match order(r) {
            (SortTarget::Key, true) => _ = self.kept.drain(..self.kept.len() - self.limit),
            _ => {
                sort(r, &mut self.kept);
                self.kept.truncate(self.limit);
            }
        }
    }

    /// The answer.
    pub(super) fn answer(mut self, header: Option<Header>, r: &RangeRequest) -> RangeResponse {
        let met = if planted!("count_ends_at_limit") && self.fetch > 0 {
            self.met.min(self.fetch)
        } else {
            self.met
        };
        sort(r, &mut self.kept);
        self.kept.truncate(self.limit);
        RangeResponse {
            header,
            kvs: self.kept.iter().map(|record| pair(r, record)).collect(),
            more: self.passed > self.limit,
            count: i64::try_from(met).unwrap_or(i64::MAX),
        }
    }
}

/// How many pairs must be fetched, in key order, before they are filtered, sorted and cut. As etcd does: a
/// limit without an explicit order cuts by key, even if the answer is then sorted by something else.
fn fetch_limit(r: &RangeRequest, limit: usize) -> usize {
    let filtered = r.min_mod_revision != 0
        || r.max_mod_revision != 0
        || r.min_create_revision != 0
        || r.max_create_revision != 0;
    if r.limit <= 0 || filtered || r.sort_order != SortOrder::None as i32 {
        return usize::MAX;
    }
    // One more than asked for shows whether there are more.
    limit.saturating_add(usize::from(!planted!("limit_hides_more")))
}

/// A pair as it was asked for.
pub(super) fn pair(r: &RangeRequest, record: &Record) -> KeyValue {
    match r.keys_only {
        true => KeyValue { value: bytes::Bytes::new(), ..record.pair() },
        false => record.pair(),
    }
}

/// Whether a pair passes the revision filters; 0 means that there is none.
fn passes(r: &RangeRequest, record: &Record) -> bool {
    let within = |revision, min, max| (min == 0 || revision >= min) && (max == 0 || revision <= max);
    within(record.modified, r.min_mod_revision, r.max_mod_revision)
        && within(record.create, r.min_create_revision, r.max_create_revision)
}

/// What is sorted by, and whether the greatest comes first. No order means ascending.
fn order(r: &RangeRequest) -> (SortTarget, bool) {
    let target = SortTarget::try_from(r.sort_target).unwrap_or(SortTarget::Key);
    (target, r.sort_order == SortOrder::Descend as i32)
}

/// Sorts what came in key order; pairs that compare equal stay in key order.
fn sort<T: Deref<Target = Record>>(r: &RangeRequest, records: &mut [T]) {
    let (target, descend) = order(r);
    let compare = |a: &T, b: &T| -> Ordering {
        match target {
            SortTarget::Key => a.key().cmp(b.key()),
            SortTarget::Version => a.version.cmp(&b.version),
            SortTarget::Create => a.create.cmp(&b.create),
            SortTarget::Mod => a.modified.cmp(&b.modified),
            SortTarget::Value => a.value().cmp(b.value()),
        }
    };
    match (target, descend) {
        (SortTarget::Key, false) => {}
        (SortTarget::Key, true) => records.reverse(),
        (_, false) => records.sort_by(compare),
        (_, true) => records.sort_by(|a, b| compare(b, a)),
    }
}
