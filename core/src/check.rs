//! What is refused before it is proposed.
//!
//! Two kinds of rule. The shape of a request (an empty key, a value given to be ignored) is checked here
//! and again when it is applied, where it costs next to nothing. The limits, and the search for keys that
//! a transaction writes twice, are checked only here: they are a node's own business, and applying a
//! transaction that breaks them does no harm.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::Op;
use crate::config::Limits;
use crate::error::{ErrorKind, Result};
use crate::request::{
    DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, RequestKind, RequestOp, SortOrder,
    SortTarget, TxnRequest,
};

/// Whether an operation may be proposed. Its size is the proposer's to check, who knows it encoded.
///
/// # Errors
///
/// [`ErrorKind::EmptyKey`], [`ErrorKind::KeyNotFound`] (an operation of a transaction that is none),
/// [`ErrorKind::ValueProvided`], [`ErrorKind::LeaseProvided`], [`ErrorKind::InvalidSort`],
/// [`ErrorKind::TooManyOps`], [`ErrorKind::NestedTooDeep`], [`ErrorKind::DuplicateKey`],
/// [`ErrorKind::LeaseTtlTooLarge`].
///
/// ```
/// use kvorum_core::{check::check, command::Op, config::Limits, request::PutRequest, ErrorKind};
/// let put = Op::Put(PutRequest { value: "v".into(), ..Default::default() });
/// assert_eq!(*check(&put, &Limits::default()).unwrap_err().kind(), ErrorKind::EmptyKey);
/// ```
pub fn check(op: &Op, limits: &Limits) -> Result<()> {
    match op {
        Op::Put(r) => check_put(r),
        Op::DeleteRange(r) => check_delete(r),
        Op::Txn(r) => check_txn(r, limits),
        Op::LeaseGrant(r) => check_grant(r, limits),
        Op::Compact(_)
        | Op::LeaseRevoke(_)
        | Op::LeaseExpire(_)
        | Op::LeaseCheckpoint(_)
        | Op::OpenSession(_)
        | Op::CloseSession(_)
        | Op::Settings(_)
        | Op::NoSpace(_)
        | Op::MemberSeen(_)
        | Op::MemberAttributes(_) => Ok(()),
    }
}

/// Whether a range may be read.
///
/// # Errors
///
/// [`ErrorKind::EmptyKey`], [`ErrorKind::InvalidSort`].
pub fn check_range(r: &RangeRequest) -> Result<()> {
    if r.key.is_empty() {
        return Err(ErrorKind::EmptyKey.into());
    }
    if SortOrder::try_from(r.sort_order).is_err() || SortTarget::try_from(r.sort_target).is_err() {
        return Err(ErrorKind::InvalidSort.into());
    }
    Ok(())
}

/// Whether a put makes sense by itself.
///
/// # Errors
///
/// [`ErrorKind::EmptyKey`], [`ErrorKind::ValueProvided`], [`ErrorKind::LeaseProvided`].
pub fn check_put(r: &PutRequest) -> Result<()> {
    if r.key.is_empty() {
        return Err(ErrorKind::EmptyKey.into());
    }
    if r.ignore_value && !r.value.is_empty() {
        return Err(ErrorKind::ValueProvided.into());
    }
    if r.ignore_lease && r.lease != 0 {
        return Err(ErrorKind::LeaseProvided.into());
    }
    Ok(())
}

/// Whether a delete makes sense by itself.
///
/// # Errors
///
/// [`ErrorKind::EmptyKey`].
pub fn check_delete(r: &DeleteRangeRequest) -> Result<()> {
    if r.key.is_empty() { Err(ErrorKind::EmptyKey.into()) } else { Ok(()) }
}

/// Whether a transaction may be proposed: its shape, the limits, and the keys that it writes.
///
/// # Errors
///
/// See [`check`].
pub fn check_txn(r: &TxnRequest, limits: &Limits) -> Result<()> {
    check_shape(r, limits, limits.txn_ops, 0)?;
    written(&r.success, limits.strict_txns)?;
    written(&r.failure, limits.strict_txns)?;
    Ok(())
}

/// Whether a lease may be asked for.
fn check_grant(r: &LeaseGrantRequest, limits: &Limits) -> Result<()> {
    if r.ttl > limits.lease_ttl {
        return Err(ErrorKind::LeaseTtlTooLarge { ttl: r.ttl, limit: limits.lease_ttl }.into());
    }
    Ok(())
}

/// A transaction's longest list may have `budget` operations; a transaction inside gets what that leaves.
fn check_shape(r: &TxnRequest, limits: &Limits, budget: usize, depth: usize) -> Result<()> {
    if depth > limits.txn_depth {
        return Err(ErrorKind::NestedTooDeep { limit: limits.txn_depth }.into());
    }
    let longest = r.compare.len().max(r.success.len()).max(r.failure.len());
    let Some(left) = budget.checked_sub(longest) else {
        return Err(ErrorKind::TooManyOps { limit: limits.txn_ops }.into());
    };
    if r.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(ErrorKind::EmptyKey.into());
    }
    for op in r.success.iter().chain(&r.failure) {
        match &op.request {
            Some(RequestKind::Range(r)) => check_range(r)?,
            Some(RequestKind::Put(r)) => check_put(r)?,
            Some(RequestKind::DeleteRange(r)) => check_delete(r)?,
            Some(RequestKind::Txn(r)) => check_shape(r, limits, left, depth + 1)?,
            // Sic: etcd's words for an operation that is none.
            None => return Err(ErrorKind::KeyNotFound.into()),
        }
    }
    Ok(())
}

/// What a list of operations writes. Every question is answered in logarithmic time: a hostile transaction
/// of the largest size must not cost seconds.
#[derive(Default)]
struct Written<'a> {
    puts: BTreeSet<&'a [u8]>,
    /// Deletes of one key.
    points: BTreeSet<&'a [u8]>,
    /// Deletes of ranges, merged so that none overlap: start and end.
    ranges: BTreeMap<&'a [u8], End<'a>>,
}

/// Where a delete of a range ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End<'a> {
    /// Before this key.
    At(&'a [u8]),
    Never,
}

impl<'a> Written<'a> {
    /// Adds a delete.
    fn delete(&mut self, start: &'a [u8], end: &'a [u8], is_strict: bool) {
        if end.is_empty() {
            self.points.insert(start);
        }
        if is_strict && end == [0] {
            return self.delete_range(start, End::Never);
        }
        // An end of a single zero byte ("everything behind") is taken literally, as in etcd: such a delete
        // covers nothing here, so that a put behind it is let through. Both then run in order.
        if end > start {
            self.delete_range(start, End::At(end));
        }
    }

    fn delete_range(&mut self, start: &'a [u8], end: End<'a>) {
        let (mut start, mut end) = (start, end);
        if let Some((&before, &its_end)) = self.ranges.range(..=start).next_back()
            && its_end >= End::At(start)
        {
            (start, end) = (before, end.max(its_end));
        }
        while let Some((&next, &its_end)) = self.ranges.range(start..).next()
            && End::At(next) <= end
        {
            self.ranges.remove(next);
            end = end.max(its_end);
        }
        self.ranges.insert(start, end);
    }

    /// Whether a delete covers a key.
    fn deletes(&self, key: &[u8]) -> bool {
        let range = self.ranges.range(..=key).next_back();
        self.points.contains(key) || range.is_some_and(|(_, end)| End::At(key) < *end)
    }

    /// Whether a delete of `other` covers a put.
    fn is_deleted_by(&self, other: &Written<'a>) -> bool {
        let is_put_within = |start: &'a [u8], end| {
            let first = self.puts.range(start..).next();
            first.is_some_and(|key| End::At(key) < end)
        };
        other.points.iter().any(|point| self.puts.contains(point))
            || other.ranges.iter().any(|(start, end)| is_put_within(start, *end))
    }

    /// Adds a put, unless a delete covers its key.
    fn put(&mut self, key: &'a [u8]) -> Result<()> {
        if self.deletes(key) {
            return Err(ErrorKind::DuplicateKey.into());
        }
        self.puts.insert(key);
        Ok(())
    }

    /// Adds the deletes of another list.
    fn add_deletes(&mut self, other: &Written<'a>) {
        self.points.extend(&other.points);
        for (start, end) in &other.ranges {
            self.delete_range(start, *end);
        }
    }
}

/// What a list writes, unless it writes a key twice. Etcd's rules, with etcd's two holes unless they are to be
/// closed: the one named above, and that of two transactions inside the same list, the second may delete what
/// the first puts (but not put what the first deletes).
fn written(ops: &[RequestOp], is_strict: bool) -> Result<Written<'_>> {
    let mut all = Written::default();
    for op in ops {
        if let Some(RequestKind::DeleteRange(r)) = &op.request {
            all.delete(&r.key, &r.range_end, is_strict);
        }
    }
    for op in ops {
        let Some(RequestKind::Txn(inner)) = &op.request else { continue };
        let (then, otherwise) = (written(&inner.success, is_strict)?, written(&inner.failure, is_strict)?);
        if is_strict && (all.is_deleted_by(&then) || all.is_deleted_by(&otherwise)) {
            return Err(ErrorKind::DuplicateKey.into());
        }
        // Only one of the two branches runs, so that they may share keys with each other.
        for key in then.puts.union(&otherwise.puts) {
            if all.puts.contains(key) {
                return Err(ErrorKind::DuplicateKey.into());
            }
        }
        for key in then.puts.iter().chain(&otherwise.puts) {
            all.put(key)?;
        }
        all.add_deletes(&then);
        all.add_deletes(&otherwise);
    }
    for op in ops {
        let Some(RequestKind::Put(r)) = &op.request else { continue };
        if all.puts.contains(&r.key[..]) {
            return Err(ErrorKind::DuplicateKey.into());
        }
        all.put(&r.key)?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::request::Compare;

    fn put(key: &'static str) -> RequestOp {
        let put = PutRequest { key: key.into(), ..Default::default() };
        RequestOp { request: Some(RequestKind::Put(put)) }
    }

    fn delete(key: &'static str, end: &'static str) -> RequestOp {
        let delete = DeleteRangeRequest { key: key.into(), range_end: end.into(), prev_kv: false };
        RequestOp { request: Some(RequestKind::DeleteRange(delete)) }
    }

    fn nested(success: Vec<RequestOp>, failure: Vec<RequestOp>) -> RequestOp {
        RequestOp { request: Some(RequestKind::Txn(TxnRequest { compare: vec![], success, failure })) }
    }

    fn verdict_under(limits: &Limits, success: Vec<RequestOp>) -> Option<ErrorKind> {
        let txn = |success, failure| Op::Txn(TxnRequest { compare: vec![], success, failure });
        let [then, otherwise] = [txn(success.clone(), vec![]), txn(vec![], success)]
            .map(|op| check(&op, limits).err().map(|error| error.kind().clone()));
        assert_eq!(then, otherwise);
        then
    }

    fn verdict(success: Vec<RequestOp>) -> Option<ErrorKind> {
        verdict_under(&Limits::default(), success)
    }

    #[test]
    fn a_branch_writes_a_key_once() {
        a_branch_writes_a_key_once_under(&Limits::default());
        a_branch_writes_a_key_once_under(&Limits { strict_txns: true, ..Limits::default() });
    }

    fn a_branch_writes_a_key_once_under(limits: &Limits) {
        let verdict = |ops| verdict_under(limits, ops);
        let duplicate = Some(ErrorKind::DuplicateKey);
        assert_eq!(verdict(vec![put("a"), put("b")]), None);
        assert_eq!(verdict(vec![put("a"), put("a")]), duplicate);
        assert_eq!(verdict(vec![put("b"), delete("a", "c")]), duplicate);
        assert_eq!(verdict(vec![delete("a", ""), put("a")]), duplicate);
        assert_eq!(verdict(vec![delete("a", "c"), put("c")]), None);
        assert_eq!(verdict(vec![delete("a", "c"), delete("b", "d"), put("c")]), duplicate);
        assert_eq!(verdict(vec![delete("a", "c"), delete("b", "d")]), None);
        assert_eq!(verdict(vec![nested(vec![put("a")], vec![put("a")])]), None);
        assert_eq!(verdict(vec![nested(vec![put("a")], vec![]), put("a")]), duplicate);
        assert_eq!(verdict(vec![nested(vec![delete("a", "")], vec![]), put("a")]), duplicate);
        assert_eq!(verdict(vec![delete("a", "b"), nested(vec![], vec![put("a")])]), duplicate);
        let both = [nested(vec![put("a")], vec![]), nested(vec![put("a")], vec![])];
        assert_eq!(verdict(both.into()), duplicate);
    }

    #[test]
    fn etcds_two_holes_stay_open() {
        assert_eq!(verdict(vec![delete("a", "\0"), put("b")]), None);
        let (puts, deletes) = (nested(vec![put("a")], vec![]), nested(vec![delete("a", "")], vec![]));
        assert_eq!(verdict(vec![puts.clone(), deletes.clone()]), None);
        assert_eq!(verdict(vec![deletes, puts]), Some(ErrorKind::DuplicateKey));
    }

    #[test]
    fn etcds_two_holes_can_be_closed() {
        let strict = Limits { strict_txns: true, ..Limits::default() };
        let verdict = |ops| verdict_under(&strict, ops);
        let duplicate = Some(ErrorKind::DuplicateKey);
        assert_eq!(verdict(vec![delete("b", "\0"), put("a")]), None);
        assert_eq!(verdict(vec![delete("b", "\0"), put("b")]), duplicate);
        assert_eq!(verdict(vec![put("c"), delete("b", "\0"), delete("a", "c")]), duplicate);
        assert_eq!(verdict(vec![delete("b", "d"), delete("c", "\0"), put("z")]), duplicate);
        let puts = nested(vec![put("a")], vec![]);
        for second in [delete("a", ""), delete("\0", "b"), delete("a", "\0")] {
            assert_eq!(verdict(vec![puts.clone(), nested(vec![], vec![second])]), duplicate);
        }
        for second in [delete("b", ""), delete("b", "c"), delete("b", "\0"), delete("\0", "a")] {
            assert_eq!(verdict(vec![puts.clone(), nested(vec![second], vec![])]), None);
        }
        // Only one of the two branches runs.
        assert_eq!(verdict(vec![nested(vec![put("a")], vec![delete("a", "\0")])]), None);
    }

    #[test]
    fn a_transaction_inside_gets_what_the_outer_one_leaves() {
        let many = |n| vec![delete("a", ""); n];
        assert_eq!(verdict(many(128)), None);
        assert_eq!(verdict(many(129)), Some(ErrorKind::TooManyOps { limit: 128 }));
        let with = |outer: usize, inner| [many(outer - 1), vec![nested(many(inner), vec![])]].concat();
        assert_eq!(verdict(with(100, 28)), None);
        assert_eq!(verdict(with(100, 29)), Some(ErrorKind::TooManyOps { limit: 128 }));
        assert_eq!(verdict(with(128, 0)), None);
        assert_eq!(verdict(with(128, 1)), Some(ErrorKind::TooManyOps { limit: 128 }));
    }

    #[test]
    fn nesting_is_limited() {
        let deep = |depth| (0..depth).fold(put("a"), |inner, _| nested(vec![inner], vec![]));
        assert_eq!(verdict(vec![deep(16)]), None);
        assert_eq!(verdict(vec![deep(17)]), Some(ErrorKind::NestedTooDeep { limit: 16 }));
    }

    #[test]
    fn a_hostile_transaction_is_judged_quickly() {
        let keys: Vec<Bytes> = (0..60_000).map(|i| format!("{i:06}").into()).collect();
        let mut ops: Vec<RequestOp> = Vec::new();
        for pair in keys.chunks(2) {
            let range =
                DeleteRangeRequest { key: pair[0].clone(), range_end: pair[1].clone(), prev_kv: false };
            ops.push(RequestOp { request: Some(RequestKind::DeleteRange(range)) });
            let put = PutRequest { key: pair[1].clone(), ..Default::default() };
            ops.push(RequestOp { request: Some(RequestKind::Put(put)) });
        }
        let limits = Limits { txn_ops: usize::MAX, ..Limits::default() };
        assert!(check_txn(&TxnRequest { success: ops, ..Default::default() }, &limits).is_ok());
    }

    #[test]
    fn shapes() {
        assert_eq!(verdict(vec![RequestOp { request: None }]), Some(ErrorKind::KeyNotFound));
        assert_eq!(verdict(vec![put("")]), Some(ErrorKind::EmptyKey));
        let compare = vec![Compare::default()];
        let txn = Op::Txn(TxnRequest { compare, ..Default::default() });
        assert_eq!(*check(&txn, &Limits::default()).unwrap_err().kind(), ErrorKind::EmptyKey);
        let grant = Op::LeaseGrant(LeaseGrantRequest { ttl: 9_000_000_001, id: 0 });
        assert!(check(&grant, &Limits::default()).is_err());
        let sort = RangeRequest { key: "a".into(), sort_target: 5, ..Default::default() };
        assert_eq!(*check_range(&sort).unwrap_err().kind(), ErrorKind::InvalidSort);
    }
}
