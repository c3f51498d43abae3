//! Reading a key or a range.

use std::sync::Arc;

use super::key::Span;
use super::record::{History, Record};
use super::store::Store;
use super::{State, header};
use crate::check::check_range;
use crate::error::Result;
use crate::ids::Revision;
use crate::request::{KeyValue, RangeRequest, RangeResponse, SortOrder, SortTarget};

/// The first pairs of a range. See [`State::piece`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// The pairs, in key order.
    pub kvs: Vec<KeyValue>,
    /// Whether there are more behind them.
    pub more: bool,
}

impl State {
    /// Reads a key or a range, now or in the past. Of the header, only the revision is filled: the newest.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::FutureRevision`], [`crate::ErrorKind::Compacted`], and what
    /// [`crate::check::check_range`] refuses.
    ///
    /// ```
    /// use kvorum_core::{request::RangeRequest, state::State};
    /// let state = State::new(1);
    /// let all = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..Default::default() };
    /// assert_eq!(state.range(&all)?.count, 0);
    /// # Ok::<(), kvorum_core::Error>(())
    /// ```
    pub fn range(&self, r: &RangeRequest) -> Result<RangeResponse> {
        check_range(r)?;
        self.store.check_revision(r.revision)?;
        Ok(self.store.range(r))
    }

    /// Reads the first pairs of a range, in key order: as many as the limit and `bytes` of keys and values allow, but
    /// at least one. It looks at nothing behind them and counts nothing, so that a long range can be read in pieces,
    /// each under a short lock: all at one revision, each from behind the last key of the one before. Order and
    /// filters of the request are passed over.
    ///
    /// # Errors
    ///
    /// As [`State::range`].
    pub fn piece(&self, r: &RangeRequest, bytes: usize) -> Result<Piece> {
        check_range(r)?;
        self.store.check_revision(r.revision)?;
        let at = if r.revision > 0 { r.revision } else { Revision::MAX };
        let limit = if r.limit > 0 { usize::try_from(r.limit).unwrap_or(usize::MAX) } else { usize::MAX };
        let span = Span::new(&r.key, &r.range_end);
        let mut live = self.store.histories(span).filter_map(|history| history.live_at(at));
        let (mut kvs, mut room) = (Vec::new(), bytes);
        while kvs.len() < limit && (room > 0 || kvs.is_empty()) {
            let Some(record) = live.next() else { return Ok(Piece { kvs, more: false }) };
            let pair = pair(r, record);
            room = room.saturating_sub(pair.key.len() + pair.value.len());
            kvs.push(pair);
        }
        Ok(Piece { more: live.next().is_some(), kvs })
    }

    /// Reads one key as it is now: [`State::range`] without everything that a point does not need. An empty
    /// key is not refused here; there is none.
    pub fn get(&self, key: &[u8]) -> Option<KeyValue> {
        self.store.live(key).map(|record| record.pair())
    }
}

impl Store {
    /// Reads a range whose shape and revision have been checked.
    pub(super) fn range(&self, r: &RangeRequest) -> RangeResponse {
        let header = Some(header(self.working_revision()));
        let span = Span::new(&r.key, &r.range_end);
        let at = if r.revision > 0 { r.revision } else { Revision::MAX };
        if let Span::Single(key) = span {
            let found = self.history(key).and_then(|history| history.live_at(at));
            return answer(header, r, found.into_iter().collect(), i64::from(found.is_some()));
        }
        let mut live = self.histories(span).filter_map(|history: &History| history.live_at(at));
        // One more than asked for shows whether there are more.
        let fetch = if r.count_only { 0 } else { fetch_limit(r) };
        let records: Vec<&Arc<Record>> = live.by_ref().take(fetch).collect();
        let rest = if planted!("count_ends_at_limit") && fetch > 0 { 0 } else { live.count() };
        let count = records.len() + rest;
        answer(header, r, records, i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// How many pairs must be fetched, in key order, before they are filtered, sorted and cut. As etcd does: a
/// limit without an explicit order cuts by key, even if the answer is then sorted by something else.
fn fetch_limit(r: &RangeRequest) -> usize {
    let filtered = r.min_mod_revision != 0
        || r.max_mod_revision != 0
        || r.min_create_revision != 0
        || r.max_create_revision != 0;
    if r.limit <= 0 || filtered || r.sort_order != SortOrder::None as i32 {
        return usize::MAX;
    }
    let more = usize::from(!planted!("limit_hides_more"));
    usize::try_from(r.limit).unwrap_or(usize::MAX).saturating_add(more)
}

/// Filters, sorts, cuts and strips what was fetched.
fn answer(
    header: Option<crate::request::Header>,
    r: &RangeRequest,
    mut records: Vec<&Arc<Record>>,
    count: i64,
) -> RangeResponse {
    if r.count_only {
        return RangeResponse { header, kvs: Vec::new(), more: false, count };
    }
    records.retain(|record| passes(r, record));
    sort(r, &mut records);
    let limit = if r.limit > 0 { usize::try_from(r.limit).unwrap_or(usize::MAX) } else { usize::MAX };
    let more = records.len() > limit;
    records.truncate(limit);
    let kvs = records.iter().map(|record| pair(r, record)).collect();
    RangeResponse { header, kvs, more, count }
}

/// A pair as it was asked for.
fn pair(r: &RangeRequest, record: &Record) -> KeyValue {
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

/// Sorts what came in key order. No order means ascending; pairs that compare equal stay in key order.
fn sort(r: &RangeRequest, records: &mut [&Arc<Record>]) {
    let descend = r.sort_order == SortOrder::Descend as i32;
    let target = SortTarget::try_from(r.sort_target).unwrap_or(SortTarget::Key);
    if target == SortTarget::Key {
        if descend {
            records.reverse();
        }
        return;
    }
    let compare = |a: &&Arc<Record>, b: &&Arc<Record>| match target {
        SortTarget::Key => a.key().cmp(b.key()),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create.cmp(&b.create),
        SortTarget::Mod => a.modified.cmp(&b.modified),
        SortTarget::Value => a.value().cmp(b.value()),
    };
    records.sort_by(|a, b| if descend { compare(b, a) } else { compare(a, b) });
}
