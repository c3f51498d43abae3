//! Reads of this node's own state, on the thread of whoever asks.
//!
//! A short one is done at once. A long one is done in slices, so that the node's own thread never waits long for the
//! state, and whoever polls many futures on one thread comes to the others between two slices.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::request::{
    Header, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, RangeRequest, RangeResponse, TxnRequest,
    TxnResponse,
};
use crate::shared::Shared;
use crate::state::{LongRead, SLICE, State, Turn};

/// Does the next slice. `None`: there is more to do.
pub(crate) type Slices<T> = Box<dyn FnMut() -> Option<Result<T>> + Send>;

/// A read that is done, or to be done.
pub(crate) enum Reading<T> {
    Done(Result<T>),
    Long(Slices<T>),
}

impl<T: 'static> Reading<T> {
    /// With the answer turned into another one.
    pub(crate) fn map<U>(self, turn: impl FnOnce(T) -> U + Send + 'static) -> Reading<U> {
        let mut slices = match self {
            Reading::Done(result) => return Reading::Done(result.map(turn)),
            Reading::Long(slices) => slices,
        };
        let mut turn = Some(turn);
        Reading::Long(Box::new(move || {
            let result = slices()?;
            let turn = turn.take()?;
            Some(result.map(turn))
        }))
    }

    /// Does all of it.
    pub(crate) fn run(self) -> Result<T> {
        let mut slices = match self {
            Reading::Done(result) => return result,
            Reading::Long(slices) => slices,
        };
        loop {
            if let Some(result) = slices() {
                return result;
            }
        }
    }
}

/// What became of a read under the first lock.
enum Begun<T> {
    /// It was short.
    Done(T),
    /// It was not, and is done in slices.
    Long(LongRead),
}

/// A range.
pub(crate) fn range(shared: &Arc<Shared>, request: &RangeRequest) -> Reading<RangeResponse> {
    let begin = |state: &State| {
        Ok(match state.range_of_few(request, SLICE)? {
            Some(range) => Begun::Done(range),
            None => Begun::Long(LongRead::of_range(state, request)?),
        })
    };
    let begun = begin(&shared.state.read());
    settle(shared, begun, LongRead::range, |range| &mut range.header)
}

/// A transaction that only reads.
pub(crate) fn txn(shared: &Arc<Shared>, request: TxnRequest) -> Reading<TxnResponse> {
    let begin = |state: &State| {
        Ok(match state.is_short_txn(&request, SLICE) {
            true => Begun::Done(state.read_txn(&request)?),
            false => Begun::Long(LongRead::of_txn(state, request)?),
        })
    };
    let begun = begin(&shared.state.read());
    settle(shared, begun, LongRead::txn, |txn| &mut txn.header)
}

/// A lease of which `left` seconds are left, and its keys. They are not of one moment: they hang on the lease now, and
/// nothing remembers which did before.
pub(crate) fn time_to_live(
    shared: &Arc<Shared>,
    r: LeaseTimeToLiveRequest,
    left: Option<i64>,
    header: Header,
) -> Reading<LeaseTimeToLiveResponse> {
    let (shared, header, id) = (shared.clone(), Some(header), r.id);
    let slice = if planted!("lease_keys_at_once") { usize::MAX } else { SLICE };
    let mut keys: Vec<Bytes> = Vec::new();
    let mut slices = move || {
        let state = shared.state.read();
        let (Some(ttl), Some(lease)) = (left, state.lease(id)) else {
            return Some(Ok(LeaseTimeToLiveResponse { header, id, ttl: -1, ..Default::default() }));
        };
        if r.keys {
            let next = state.lease_keys_behind(id, keys.last().map_or(&[], |last| last), slice);
            let is_full = next.len() == slice;
            keys.extend(next);
            if is_full {
                return None;
            }
        }
        let keys = std::mem::take(&mut keys);
        Some(Ok(LeaseTimeToLiveResponse { header, id, ttl, granted_ttl: lease.ttl, keys }))
    };
    match slices() {
        Some(result) => Reading::Done(result),
        None => Reading::Long(Box::new(slices)),
    }
}

/// Fills what the state cannot know into what was read at once, or makes slices of what was not.
fn settle<T: 'static>(
    shared: &Arc<Shared>,
    begun: Result<Begun<T>>,
    answer: fn(&mut LongRead) -> T,
    header: fn(&mut T) -> &mut Option<Header>,
) -> Reading<T> {
    let complete = move |shared: &Shared, mut read: T| {
        shared.complete(header(&mut read), shared.term());
        read
    };
    let mut long = match begun {
        Ok(Begun::Done(read)) => return Reading::Done(Ok(complete(shared, read))),
        Ok(Begun::Long(long)) => long,
        Err(error) => return Reading::Done(Err(error)),
    };
    let shared = shared.clone();
    Reading::Long(Box::new(move || {
        let turn = {
            let state = shared.state.read();
            let turn = long.next(&state, SLICE);
            if let Ok(Turn::Replaced) = turn {
                long.restart(&state);
            }
            turn
        };
        match turn {
            Err(error) => Some(Err(error)),
            Ok(Turn::Done) => Some(Ok(complete(&shared, answer(&mut long)))),
            Ok(Turn::More | Turn::Replaced) => None,
        }
    }))
}
