//! Whether two answers are the same, as far as they must be.

use kvorum_core::command::Response;
use kvorum_core::request::{
    Header, KeyValue, RangeRequest, RangeResponse, RequestKind, ResponseKind, TxnRequest, TxnResponse,
};

use super::{Answer, range};

/// Two answers to a command.
pub fn answer(txn: Option<&TxnRequest>, got: &Answer, want: &Answer) -> Result<(), String> {
    match (txn, got, want) {
        (Some(r), Ok(Response::Txn(got)), Ok(Response::Txn(want))) => self::txn(r, got, want),
        _ => equal("answer", got, want),
    }
}

/// Two answers to a transaction.
pub fn txn(r: &TxnRequest, got: &TxnResponse, want: &TxnResponse) -> Result<(), String> {
    equal("header", header(got.header), header(want.header))?;
    equal("succeeded", got.succeeded, want.succeeded)?;
    equal("number of responses", got.responses.len(), want.responses.len())?;
    let ops = if want.succeeded { &r.success } else { &r.failure };
    for ((op, got), want) in ops.iter().zip(&got.responses).zip(&want.responses) {
        match (&op.request, &got.response, &want.response) {
            (
                Some(RequestKind::Range(r)),
                Some(ResponseKind::Range(got)),
                Some(ResponseKind::Range(want)),
            ) => self::range(r, got, want)?,
            (Some(RequestKind::Txn(r)), Some(ResponseKind::Txn(got)), Some(ResponseKind::Txn(want))) => {
                txn(r, got, want)?;
            }
            (_, got, want) => equal("operation's response", got, want)?,
        }
    }
    Ok(())
}

/// Two answers to a read. A1.7: which of two equal ones comes first, or is cut off, is not said.
pub fn range(r: &RangeRequest, got: &RangeResponse, want: &RangeResponse) -> Result<(), String> {
    if r.sort_target == 0 {
        return equal("range", got, want);
    }
    let head = |r: &RangeResponse| (r.header, r.more, r.count, r.kvs.len());
    equal("range", head(got), head(want))?;
    // With the values left out, an order by value cannot be seen any more.
    if !r.keys_only || r.sort_target != 4 {
        let mut pairs = got.kvs.iter().zip(&want.kvs);
        if let Some(pair) = pairs.find(|(a, b)| range::compare(a, b, r.sort_target).is_ne()) {
            return Err(format!("out of order: {pair:?} in\n got {got:?}\nwant {want:?}"));
        }
    }
    let sorted = |r: &RangeResponse| {
        let mut kvs: Vec<KeyValue> = r.kvs.clone();
        kvs.sort_by(|a, b| a.key.cmp(&b.key));
        kvs
    };
    // With a limit, the pairs that are cut off may be any of those that are equal.
    if want.more { Ok(()) } else { equal("pairs of a range", sorted(got), sorted(want)) }
}

/// A header that is there but empty is the same as none, on the wire and to every client.
fn header(header: Option<Header>) -> Header {
    header.unwrap_or_default()
}

pub fn equal<T: PartialEq + std::fmt::Debug>(what: &str, got: T, want: T) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("{what} differs:\n got {got:?}\nwant {want:?}")) }
}
