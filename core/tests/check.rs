//! What is refused before it is proposed: by tables, and transactions at random against etcd's own rules.

#![allow(unreachable_pub, dead_code, reason = "the model's modules are shared; not all is used here")]

#[path = "model/mod.rs"]
mod reference;

use bytes::Bytes;
use kvorum_core::ErrorKind::{self, *};
use kvorum_core::check::{check, check_range};
use kvorum_core::command::Op;
use kvorum_core::config::Limits;
use kvorum_core::request::{
    Compare, DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, RequestKind, RequestOp,
    TxnRequest,
};
use proptest::prelude::*;
use reference::{form, random};

const FOUND: Option<ErrorKind> = Some(KeyNotFound);
const DUPLICATE: Option<ErrorKind> = Some(DuplicateKey);

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn put(key: &str) -> RequestOp {
    put_with(PutRequest { key: bytes(key), ..PutRequest::default() })
}

fn put_with(r: PutRequest) -> RequestOp {
    RequestOp { request: Some(RequestKind::Put(r)) }
}

fn delete(key: &str, end: &str) -> RequestOp {
    let r = DeleteRangeRequest { key: bytes(key), range_end: bytes(end), prev_kv: false };
    RequestOp { request: Some(RequestKind::DeleteRange(r)) }
}

fn get(key: &str, end: &str) -> RequestOp {
    let r = RangeRequest { key: bytes(key), range_end: bytes(end), ..RangeRequest::default() };
    RequestOp { request: Some(RequestKind::Range(r)) }
}

fn sorted(order: i32, target: i32) -> RangeRequest {
    RangeRequest { key: bytes("a"), sort_order: order, sort_target: target, ..RangeRequest::default() }
}

fn then(success: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success, ..TxnRequest::default() }
}

fn otherwise(failure: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { failure, ..TxnRequest::default() }
}

fn nested(r: TxnRequest) -> RequestOp {
    RequestOp { request: Some(RequestKind::Txn(r)) }
}

fn nothing() -> RequestOp {
    RequestOp { request: None }
}

fn compares(count: usize) -> TxnRequest {
    let compare = vec![Compare { key: bytes("a"), ..Compare::default() }; count];
    TxnRequest { compare, ..TxnRequest::default() }
}

fn gets(count: usize) -> Vec<RequestOp> {
    vec![get("a", ""); count]
}

fn refusal(op: Op) -> Option<ErrorKind> {
    check(&op, &Limits::default()).err().map(|e| e.kind().clone())
}

/// Both branches must be judged alike, and so must the transaction be inside another.
fn table(rows: Vec<(&str, Vec<RequestOp>, Option<ErrorKind>)>) {
    for (what, ops, want) in rows {
        let other = get("other", "");
        assert_eq!(refusal(Op::Txn(then(ops.clone()))), want, "{what}");
        assert_eq!(refusal(Op::Txn(otherwise(ops.clone()))), want, "{what}, in the failure branch");
        let inside = then(vec![other.clone(), nested(then(ops.clone()))]);
        assert_eq!(refusal(Op::Txn(inside)), want, "{what}, inside a transaction");
        let inside = otherwise(vec![nested(otherwise(ops)), other]);
        assert_eq!(refusal(Op::Txn(inside)), want, "{what}, inside a failure branch");
    }
}

#[test]
fn forms_of_operations() {
    let value = || PutRequest { key: bytes("a"), value: bytes("v"), ..PutRequest::default() };
    let lease = || PutRequest { key: bytes("a"), lease: 1, ..PutRequest::default() };
    let range = |r| RequestOp { request: Some(RequestKind::Range(r)) };
    table(vec![
        ("nothing at all", vec![], None),
        ("one of each", vec![put("a"), delete("b", ""), get("a", "c")], None),
        ("an operation that is none", vec![nothing()], FOUND),
        ("an operation that is none behind a good one", vec![put("a"), nothing()], FOUND),
        ("put without a key", vec![put("")], Some(EmptyKey)),
        ("delete without a key", vec![delete("", "z")], Some(EmptyKey)),
        ("delete of everything without a key", vec![delete("", "\0")], Some(EmptyKey)),
        ("read without a key", vec![get("", "z")], Some(EmptyKey)),
        ("an inverted range is only empty", vec![get("z", "a"), delete("z", "a")], None),
        (
            "value and ignore_value",
            vec![put_with(PutRequest { ignore_value: true, ..value() })],
            Some(ValueProvided),
        ),
        (
            "lease and ignore_lease",
            vec![put_with(PutRequest { ignore_lease: true, ..lease() })],
            Some(LeaseProvided),
        ),
        ("lease and ignore_value", vec![put_with(PutRequest { ignore_value: true, ..lease() })], None),
        ("value and ignore_lease", vec![put_with(PutRequest { ignore_lease: true, ..value() })], None),
        ("every order", (0..3).map(|order| range(sorted(order, 0))).collect(), None),
        ("every target", (0..5).map(|target| range(sorted(0, target))).collect(), None),
        ("order 3", vec![range(sorted(3, 0))], Some(InvalidSort)),
        ("order -1", vec![range(sorted(-1, 0))], Some(InvalidSort)),
        ("target 5", vec![range(sorted(1, 5))], Some(InvalidSort)),
        ("target -1", vec![range(sorted(0, -1))], Some(InvalidSort)),
    ]);
}

#[test]
fn alone_as_inside() {
    let key = |r: &str| PutRequest { key: bytes(r), ..PutRequest::default() };
    assert_eq!(refusal(Op::Put(key("a"))), None);
    assert_eq!(refusal(Op::Put(key(""))), Some(EmptyKey));
    let both = PutRequest { ignore_value: true, value: bytes("v"), ..key("a") };
    assert_eq!(refusal(Op::Put(both)), Some(ValueProvided));
    let both = PutRequest { ignore_lease: true, lease: -1, ..key("a") };
    assert_eq!(refusal(Op::Put(both)), Some(LeaseProvided));
    assert_eq!(refusal(Op::DeleteRange(DeleteRangeRequest::default())), Some(EmptyKey));
    let mut inverted = DeleteRangeRequest { key: bytes("b"), range_end: bytes("a"), prev_kv: true };
    assert_eq!(refusal(Op::DeleteRange(inverted.clone())), None);
    inverted.key = Bytes::new();
    assert_eq!(refusal(Op::DeleteRange(inverted)), Some(EmptyKey));
    let empty_compare = TxnRequest { compare: vec![Compare::default()], ..TxnRequest::default() };
    assert_eq!(refusal(Op::Txn(empty_compare.clone())), Some(EmptyKey));
    assert_eq!(refusal(Op::Txn(then(vec![nested(empty_compare)]))), Some(EmptyKey));
    let strange = Compare { key: bytes("a"), target: 9, result: -7, ..Compare::default() };
    let strange = TxnRequest { compare: vec![strange], ..TxnRequest::default() };
    assert_eq!(refusal(Op::Txn(strange)), None, "unknown enums of a compare are accepted (A5.1)");
}

#[test]
fn ranges() {
    let kind = |r: &RangeRequest| check_range(r).err().map(|e| e.kind().clone());
    assert_eq!(kind(&sorted(2, 4)), None);
    assert_eq!(kind(&RangeRequest::default()), Some(EmptyKey));
    for (order, target) in [(3, 0), (-1, 0), (0, 5), (1, -1), (i32::MAX, i32::MIN)] {
        assert_eq!(kind(&sorted(order, target)), Some(InvalidSort), "{order} {target}");
    }
    let odd = RangeRequest { limit: i64::MIN, revision: i64::MIN, max_mod_revision: -1, ..sorted(0, 0) };
    assert_eq!(kind(&odd), None);
}

#[test]
fn times_to_live() {
    let grant = |ttl| refusal(Op::LeaseGrant(LeaseGrantRequest { ttl, id: 0 }));
    let limit = 9_000_000_000;
    assert_eq!(grant(limit), None);
    assert_eq!(grant(limit + 1), Some(LeaseTtlTooLarge { ttl: limit + 1, limit }));
    assert_eq!(grant(i64::MAX), Some(LeaseTtlTooLarge { ttl: i64::MAX, limit }));
    // They are raised to the smallest allowed (A8.1).
    assert_eq!((grant(1), grant(0), grant(-5), grant(i64::MIN)), (None, None, None, None));
    let own = Limits { lease_ttl: 10, ..Limits::default() };
    let op = Op::LeaseGrant(LeaseGrantRequest { ttl: 11, id: 1 });
    assert_eq!(check(&op, &own).unwrap_err().kind(), &LeaseTtlTooLarge { ttl: 11, limit: 10 });
}

#[test]
fn budgets() {
    let too_many = |limit| Some(TooManyOps { limit });
    let full_and = |op| [gets(127), vec![op]].concat();
    let is_too_many = |r: TxnRequest| matches!(refusal(Op::Txn(r)), Some(TooManyOps { .. }));
    assert_eq!(refusal(Op::Txn(then(gets(128)))), None);
    assert_eq!(refusal(Op::Txn(then(gets(129)))), too_many(128));
    assert_eq!(refusal(Op::Txn(otherwise(gets(128)))), None);
    assert_eq!(refusal(Op::Txn(otherwise(gets(129)))), too_many(128));
    assert_eq!(refusal(Op::Txn(compares(128))), None);
    assert_eq!(refusal(Op::Txn(compares(129))), too_many(128));
    // Each list for itself: all three may be full.
    let full = TxnRequest { success: gets(128), failure: gets(128), ..compares(128) };
    assert_eq!(refusal(Op::Txn(full)), None);
    // A nested one has what the parent's longest list leaves; an empty one needs nothing (A5.6).
    assert!(is_too_many(then(full_and(nested(then(gets(1)))))));
    assert!(!is_too_many(then(full_and(nested(then(gets(0)))))));
    assert!(is_too_many(TxnRequest { success: vec![nested(then(gets(1)))], ..compares(128) }));
    assert!(!is_too_many(TxnRequest { success: vec![nested(then(gets(1)))], ..compares(127) }));
    assert!(!is_too_many(then(vec![nested(then(gets(127)))])));
    assert!(is_too_many(then(vec![nested(then(gets(128)))])));
    // Siblings do not share: each has all that is left.
    assert!(!is_too_many(then(vec![nested(then(gets(126))), nested(then(gets(126)))])));
    assert!(is_too_many(then(vec![nested(then(gets(126))), nested(then(gets(127)))])));
}

#[test]
fn depth() {
    let limits = Limits { txn_depth: 3, ..Limits::default() };
    let deep = |depth: usize| (1..depth).fold(then(vec![]), |inner, _| then(vec![nested(inner)]));
    let fails = |r: TxnRequest| check(&Op::Txn(r), &limits).err().map(|e| e.kind().clone());
    let few = Some(NestedTooDeep { limit: 3 });
    let allowed = (1..10).take_while(|depth| fails(deep(*depth)).is_none()).last();
    assert_eq!(allowed, Some(4), "the outermost one is not nested: it and three inside it");
    assert_eq!((fails(deep(5)), fails(deep(100))), (few.clone(), few));
}

#[test]
fn keys_written_twice() {
    let inside = |ops| nested(then(ops));
    let branches = |success, failure| nested(TxnRequest { success, failure, ..TxnRequest::default() });
    table(vec![
        ("put twice", vec![put("a"), put("a")], DUPLICATE),
        ("two keys", vec![put("a"), put("a\0")], None),
        ("put, then delete", vec![put("a"), delete("a", "")], DUPLICATE),
        ("delete, then put", vec![delete("a", ""), put("a")], DUPLICATE),
        ("put at the start of a deleted range", vec![put("a"), delete("a", "c")], DUPLICATE),
        ("put inside a deleted range", vec![delete("a", "c"), put("b")], DUPLICATE),
        ("put at the end of a deleted range", vec![put("c"), delete("a", "c")], None),
        ("put before a deleted range", vec![put("a"), delete("b", "c")], None),
        ("delete twice", vec![delete("a", ""), delete("a", ""), delete("a", "c")], None),
        ("an inverted delete hits nothing", vec![delete("c", "a"), put("b"), put("c"), put("a")], None),
        ("reads are never in the way", vec![put("a"), get("a", ""), get("a", "c"), put("b")], None),
        ("put here and inside", vec![put("a"), inside(vec![put("a")])], DUPLICATE),
        ("put inside and here", vec![inside(vec![put("a")]), put("a")], DUPLICATE),
        ("put in two inside", vec![inside(vec![put("a")]), inside(vec![put("a")])], DUPLICATE),
        ("put here, deleted inside", vec![put("a"), inside(vec![delete("a", "")])], DUPLICATE),
        ("deleted here, put inside", vec![delete("a", ""), inside(vec![put("a")])], DUPLICATE),
        ("put inside, deleted here", vec![inside(vec![put("a")]), delete("a", "")], DUPLICATE),
        ("both branches of one inside", vec![branches(vec![put("a")], vec![put("a")])], None),
        (
            "put in one branch, deleted in the other",
            vec![branches(vec![put("a")], vec![delete("a", "")])],
            None,
        ),
        (
            "both branches of one inside, and here",
            vec![branches(vec![put("a")], vec![put("a")]), put("a")],
            DUPLICATE,
        ),
        (
            "one branch each of two inside",
            vec![branches(vec![put("a")], vec![]), branches(vec![], vec![put("a")])],
            DUPLICATE,
        ),
    ]);
    // Success and failure are judged apart.
    let apart = TxnRequest { success: vec![put("a")], failure: vec![put("a")], ..TxnRequest::default() };
    assert_eq!(refusal(Op::Txn(apart)), None);
}

/// A5.7q: what etcd lets through, so that we do, too.
#[test]
fn holes_in_the_rule() {
    let inside = |ops| nested(then(ops));
    table(vec![
        ("everything from a key on is deleted, and put", vec![delete("a", "\0"), put("b")], None),
        ("the key itself, too", vec![delete("a", "\0"), put("a")], None),
        ("everything at all", vec![put("b"), delete("\0", "\0")], None),
        (
            "put inside, deleted in a later one",
            vec![inside(vec![put("k")]), inside(vec![delete("k", "")])],
            None,
        ),
        (
            "deleted inside, put in a later one",
            vec![inside(vec![delete("k", "")]), inside(vec![put("k")])],
            DUPLICATE,
        ),
    ]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Only the two rules on the whole of a transaction can be broken by the generator.
    #[test]
    fn transactions(r in random::txn(4), txn_ops in 3usize..8) {
        let limits = Limits { txn_ops, ..Limits::default() };
        let (twice, many) = (form::writes_twice(&r), form::too_many(&r, txn_ops));
        match check(&Op::Txn(r), &limits).map_err(|e| e.kind().clone()) {
            Ok(()) => prop_assert!(!twice && !many, "twice {twice}, many {many}"),
            Err(DuplicateKey) => prop_assert!(twice),
            Err(TooManyOps { .. }) => prop_assert!(many),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}
