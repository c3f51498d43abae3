//! Reading a key or a range.

use bytes::Bytes;

use super::gather::{Gather, pair};
use super::key::Span;
use super::record::Record;
use super::store::Store;
use super::{SLICE, State, header};
use crate::check::check_range;
use crate::error::Result;
use crate::ids::Revision;
use crate::request::{KeyValue, RangeRequest, RangeResponse};

/// What a pair counts for in a piece besides its key and its value: without it, a million empty pairs would be one
/// piece.
const PAIR: usize = 32;

/// The first pairs of a range. See [`State::piece`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// The pairs, in key order. Where keys are dead, or newer than the revision, there may be none although there are
    /// some behind them.
    pub kvs: Vec<KeyValue>,
    /// The last key that was looked at: the next piece begins behind it. Empty: there was none.
    pub last: Bytes,
    /// Whether there are keys behind it. They need not have pairs at this revision.
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
        self.check_read(r)?;
        Ok(self.store.range(r))
    }

    /// Whether a range can be read.
    pub(super) fn check_read(&self, r: &RangeRequest) -> Result<()> {
        check_range(r)?;
        self.store.readable().check(r.revision)
    }

    /// The same, unless there are more keys than `most` to be looked at.
    ///
    /// # Errors
    ///
    /// As [`State::range`].
    pub(crate) fn range_of_few(&self, r: &RangeRequest, most: usize) -> Result<Option<RangeResponse>> {
        self.check_read(r)?;
        Ok(self.store.range_of_few(r, most))
    }

    /// Reads the first pairs of a range, in key order: as many as the limit and `bytes` of keys and values (and some
    /// more for each pair) allow, but at least one if the first 2,000 keys have any; it looks at no more of them. It
    /// looks at nothing behind them and counts nothing, so that a long range can be read in pieces, each under a short
    /// lock: all at one revision, each from behind the last key of the one before. Order and filters of the request are
    /// passed over.
    ///
    /// # Errors
    ///
    /// As [`State::range`].
    pub fn piece(&self, r: &RangeRequest, bytes: usize) -> Result<Piece> {
        self.piece_of(r, bytes, SLICE)
    }

    /// The same, looking at no more keys than `most`.
    pub(super) fn piece_of(&self, r: &RangeRequest, bytes: usize, most: usize) -> Result<Piece> {
        self.check_read(r)?;
        let at = if r.revision > 0 { r.revision } else { Revision::MAX };
        let limit = if r.limit > 0 { usize::try_from(r.limit).unwrap_or(usize::MAX) } else { usize::MAX };
        let most = if planted!("piece_without_end") { usize::MAX } else { most };
        let besides = if planted!("empty_pairs_weigh_nothing") { 0 } else { PAIR };
        let mut histories = self.store.histories(Span::new(&r.key, &r.range_end));
        let (mut kvs, mut room, mut last) = (Vec::new(), bytes, None);
        for history in histories.by_ref().take(most) {
            last = Some(history);
            let Some(record) = history.live_at(at) else { continue };
            let pair = pair(r, record);
            room = room.saturating_sub(pair.key.len() + pair.value.len() + besides);
            kvs.push(pair);
            if kvs.len() >= limit || room == 0 {
                break;
            }
        }
        let last = last.map_or(Bytes::new(), |history| Bytes::copy_from_slice(history.newest().key()));
        Ok(Piece { kvs, last, more: histories.next().is_some() })
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
        // There are never so many keys that it is not done.
        self.range_of_few(r, usize::MAX).unwrap_or_default()
    }

    /// The same, unless there are more keys than `most` to be looked at.
    fn range_of_few(&self, r: &RangeRequest, most: usize) -> Option<RangeResponse> {
        let header = Some(header(self.working_revision()));
        let at = if r.revision > 0 { r.revision } else { Revision::MAX };
        let mut gather: Gather<&Record> = Gather::new(r);
        match Span::new(&r.key, &r.range_end) {
            Span::Single(key) => {
                let found = self.history(key).and_then(|history| history.live_at(at));
                found.into_iter().for_each(|record| gather.meet(r, record, || record));
            }
            span => {
                let mut left = most;
                for history in self.histories(span) {
                    left = left.checked_sub(1)?;
                    if let Some(record) = history.live_at(at) {
                        gather.meet(r, record, || record);
                    }
                }
            }
        }
        Some(gather.answer(header, r))
    }
}
