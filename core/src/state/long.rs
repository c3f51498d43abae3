//! Reads that look at more keys than one lock should be held for.
//!
//! The node's one thread takes the lock of the state whenever it applies, and it sends the heartbeats too: while a read
//! of everything held the lock for a second, nothing would be written, and a leader would lose its office. So such a
//! read is done in slices, each under a lock of its own, of the state as it was at one moment: what is at or below a
//! revision does not change, and what a compaction takes meanwhile is not freed before the read is over (`readers`).
//! Sorting, cutting and copying need no lock at all.

use std::ops::Bound;
use std::sync::Arc;

use super::gather::Gather;
use super::key::{Key, Span};
use super::readers::Hold;
use super::record::Record;
use super::store::{Readable, Store};
use super::txn::{Trial, branch, read_answer, reads};
use super::{State, header};
use crate::check::check_range;
use crate::error::{ErrorKind, Result};
use crate::ids::Revision;
use crate::request::{
    RangeRequest, RangeResponse, RequestKind, RequestOp, ResponseKind, TxnRequest, TxnResponse,
};

impl State {
    /// Whether a transaction that only reads can be done under one lock.
    pub(crate) fn is_short_txn(&self, t: &TxnRequest, slice: usize) -> bool {
        let compares = t.compare.iter().map(|compare| Span::new(&compare.key, &compare.range_end));
        let ranges = reads(&t.success).chain(reads(&t.failure)).flatten();
        let spans = compares.chain(ranges.map(|r| Span::new(&r.key, &r.range_end)));
        let mut left = slice;
        for span in spans.filter(|span| !matches!(span, Span::Single(_))) {
            let counted = match span.is_empty() {
                true => 0,
                false => self.store.keys.range::<[u8], _>(span.bounds()).take(left.saturating_add(1)).count(),
            };
            if counted > left {
                return false;
            }
            left -= counted;
        }
        true
    }
}

/// What a slice came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is more to be looked at.
    More,
    /// All was looked at: [`LongRead::txn`] or [`LongRead::range`] has the answer.
    Done,
    /// An image of the leader's has replaced the state meanwhile: to be begun anew.
    Replaced,
}

/// A transaction that only reads, or a range, of the state as it was at one moment.
#[derive(Debug)]
pub(crate) struct LongRead {
    txn: TxnRequest,
    /// Tells the state what is still needed, and the read whether it is still the same state.
    hold: Hold,
    readable: Readable,
    stage: Stage,
    /// The key that the last slice ended with.
    after: Option<Key>,
    done: Vec<Gather<Arc<Record>>>,
}

#[derive(Debug)]
enum Stage {
    /// At a compare.
    Compare(usize, Trial),
    /// At a read of the branch that is taken.
    Read(bool, usize),
    /// Behind the last one.
    End(bool),
}

impl LongRead {
    /// Of a range.
    ///
    /// # Errors
    ///
    /// Those of [`State::range`].
    pub(crate) fn of_range(state: &State, r: &RangeRequest) -> Result<LongRead> {
        state.check_read(r)?;
        // In a transaction only 0 is the newest revision.
        let r = RangeRequest { revision: r.revision.max(0), ..r.clone() };
        let read = RequestOp { request: Some(RequestKind::Range(r)) };
        LongRead::of_txn(state, TxnRequest { success: vec![read], ..TxnRequest::default() })
    }

    /// Of a transaction that only reads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::EmptyKey`] in a compare.
    pub(crate) fn of_txn(state: &State, txn: TxnRequest) -> Result<LongRead> {
        if txn.compare.iter().any(|compare| compare.key.is_empty()) {
            return Err(ErrorKind::EmptyKey.into());
        }
        Ok(LongRead::begin(state, txn))
    }

    fn begin(state: &State, txn: TxnRequest) -> LongRead {
        let (hold, readable) = (state.readers.enter(), state.store.readable());
        let stage = Stage::Compare(0, Trial::default());
        LongRead { txn, hold, readable, stage, after: None, done: Vec::new() }
    }

    /// Begins anew, of the state as it is now.
    pub(crate) fn restart(&mut self, state: &State) {
        *self = LongRead::begin(state, std::mem::take(&mut self.txn));
    }

    /// Looks at `slice` keys more. Between two calls the state may go on.
    ///
    /// # Errors
    ///
    /// Those of [`State::read_txn`].
    pub(crate) fn next(&mut self, state: &State, slice: usize) -> Result<Turn> {
        if !state.readers.know(&self.hold) {
            return Ok(Turn::Replaced);
        }
        let newest = if planted!("long_read_moves_on") { Revision::MAX } else { self.readable.newest };
        let mut look = Look { store: &state.store, left: slice };
        while look.left > 0 {
            match &mut self.stage {
                Stage::Compare(at, trial) => match self.txn.compare.get(*at) {
                    None => self.stage = Stage::Read(true, 0),
                    Some(compare) => {
                        let span = Span::new(&compare.key, &compare.range_end);
                        let at_once = |record: &Arc<Record>| trial.meet(compare, record);
                        if !look.at(span, &mut self.after, newest, at_once) {
                            continue;
                        }
                        self.stage = match trial.verdict(compare) {
                            true => Stage::Compare(*at + 1, Trial::default()),
                            false => Stage::Read(false, 0),
                        };
                    }
                },
                Stage::Read(holds, at) => match reads(branch(&self.txn, *holds)).nth(*at).transpose()? {
                    None => self.stage = Stage::End(*holds),
                    Some(r) => {
                        if self.done.len() == *at {
                            check_range(r)?;
                            self.readable.check_in_txn(r.revision)?;
                            self.done.push(Gather::new(r));
                        }
                        let revision = if r.revision > 0 { r.revision } else { newest };
                        let Some(gather) = self.done.last_mut() else { continue };
                        let meet = |record: &Arc<Record>| {
                            gather.meet(r, record, || record.clone());
                            true
                        };
                        if look.at(Span::new(&r.key, &r.range_end), &mut self.after, revision, meet) {
                            *at += 1;
                        }
                    }
                },
                Stage::End(_) => return Ok(Turn::Done),
            }
        }
        Ok(Turn::More)
    }

    /// The answer to a transaction, without the lock. Empty before it is [`Turn::Done`].
    pub(crate) fn txn(&mut self) -> TxnResponse {
        let succeeded = matches!(self.stage, Stage::End(true));
        let reads = reads(branch(&self.txn, succeeded)).flatten();
        let answers = self.done.drain(..).zip(reads).map(|(gather, r)| {
            // What is read in a transaction says the revision too, and nothing else of where.
            gather.answer(Some(header(self.readable.newest)), r)
        });
        read_answer(self.readable.newest, succeeded, answers.collect())
    }

    /// The answer to a range, without the lock. Empty before it is [`Turn::Done`].
    pub(crate) fn range(&mut self) -> RangeResponse {
        let first = self.txn().responses.into_iter().next().and_then(|response| response.response);
        match first {
            Some(ResponseKind::Range(range)) => range,
            _ => RangeResponse::default(),
        }
    }
}

/// A look at some keys, under one lock.
struct Look<'s> {
    store: &'s Store,
    /// How many keys more may be looked at.
    left: usize,
}

impl Look<'_> {
    /// Shows the pairs of a span at a revision, from behind the key where the slice before ended, until `meet` says
    /// that it needs no more. False: it has not come to the end, and `after` says where it stands.
    fn at(
        &mut self,
        span: Span<'_>,
        after: &mut Option<Key>,
        revision: Revision,
        mut meet: impl FnMut(&Arc<Record>) -> bool,
    ) -> bool {
        let begun = after.take();
        if span.is_empty() {
            return true;
        }
        let (start, end) = span.bounds();
        let start = begun.as_ref().map_or(start, |key| Bound::Excluded(key.as_slice()));
        let mut last: Option<&Key> = None;
        for (key, history) in self.store.keys.range::<[u8], _>((start, end)) {
            if self.left == 0 {
                *after = last.cloned().or(begun);
                return false;
            }
            self.left -= 1;
            last = Some(key);
            if history.live_at(revision).is_some_and(|record| !meet(record)) {
                break;
            }
        }
        true
    }
}
