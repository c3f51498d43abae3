//! Requests at random, from few keys, leases and values, so that they meet.
//!
//! A revision near [`NOW`] is relative to the newest one of the moment: see [`absolute`].

use bytes::Bytes;
use kvorum_core::ids::{LeaseId, Revision};
use kvorum_core::request::{
    Compare, CompareWith, DeleteRangeRequest, PutRequest, RangeRequest, RequestKind, RequestOp, TxnRequest,
    WatchRequest,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Stands for the newest revision.
pub const NOW: Revision = 1 << 40;

/// Turns a relative revision into one.
pub fn absolute(revision: Revision, current: Revision) -> Revision {
    if revision > NOW / 2 { (revision - NOW + current).max(0) } else { revision }
}

/// Keys with common prefixes, and the lowest and highest ones.
const KEYS: [&[u8]; 9] = [b"a", b"a\0", b"ab", b"abc", b"b", b"ba", b"\0", b"\xff", b"\xff\xff"];

pub fn key() -> impl Strategy<Value = Bytes> {
    prop_oneof![6 => 0..6usize, 1 => 6..KEYS.len()].prop_map(|i| Bytes::from_static(KEYS[i]))
}

/// A range: one key, everything, everything from a key on, a prefix, or any two keys, also inverted.
pub fn range() -> impl Strategy<Value = (Bytes, Bytes)> {
    let zero = Bytes::from_static(b"\0");
    prop_oneof![
        4 => key().prop_map(|key| (key, Bytes::new())),
        1 => Just((zero.clone(), zero.clone())),
        2 => key().prop_map(move |key| (key, zero.clone())),
        2 => Just((Bytes::from_static(b"a"), Bytes::from_static(b"b"))),
        1 => Just((Bytes::from_static(b"ab"), Bytes::from_static(b"ac"))),
        2 => (key(), key()),
    ]
}

pub fn value() -> impl Strategy<Value = Bytes> {
    const VALUES: [&[u8]; 5] = [b"", b"x", b"y", b"xx", b"\0"];
    (0..VALUES.len()).prop_map(|i| Bytes::from_static(VALUES[i]))
}

pub fn lease_id() -> impl Strategy<Value = LeaseId> {
    prop_oneof![Just(1), Just(2), Just(-3), Just(i64::MAX)]
}

pub fn put() -> impl Strategy<Value = PutRequest> {
    let lease = prop_oneof![3 => Just(0), 2 => lease_id()];
    (key(), value(), lease, any::<bool>(), 0..8u8).prop_map(|(key, value, lease, prev_kv, ignore)| {
        let (ignore_value, ignore_lease) = (ignore == 0 || ignore == 1, ignore == 1 || ignore == 2);
        PutRequest {
            key,
            value: if ignore_value { Bytes::new() } else { value },
            lease: if ignore_lease { 0 } else { lease },
            prev_kv,
            ignore_value,
            ignore_lease,
        }
    })
}

pub fn delete() -> impl Strategy<Value = DeleteRangeRequest> {
    (range(), any::<bool>()).prop_map(|((key, range_end), prev_kv)| DeleteRangeRequest {
        key,
        range_end,
        prev_kv,
    })
}

/// Of a read: mostly the newest, else somewhere around what is kept.
fn read_revision() -> impl Strategy<Value = Revision> {
    prop_oneof![8 => Just(0), 1 => Just(-1), 4 => (-12i64..=1).prop_map(|back| NOW + back)]
}

/// A bound of a revision filter.
fn bound() -> impl Strategy<Value = Revision> {
    prop_oneof![6 => Just(0), 2 => (-8i64..=0).prop_map(|back| NOW + back), 1 => 1..20i64]
}

pub fn read() -> impl Strategy<Value = RangeRequest> {
    let sort = prop_oneof![2 => Just((0, 0)), 3 => (0..3i32, 0..5i32)];
    let limit = prop_oneof![2 => Just(0), 1 => Just(-1), 4 => 1..6i64];
    let flags = (0..8u8, any::<bool>());
    (range(), limit, read_revision(), sort, flags, (bound(), bound(), bound(), bound())).prop_map(
        |((key, range_end), limit, revision, (sort_order, sort_target), (only, serializable), b)| {
            RangeRequest {
                key,
                range_end,
                limit,
                revision,
                sort_order,
                sort_target,
                serializable,
                keys_only: only == 1,
                count_only: only == 0,
                min_mod_revision: b.0,
                max_mod_revision: b.1,
                min_create_revision: b.2,
                max_create_revision: b.3,
            }
        },
    )
}

/// A compare, its enumerations and its value also such as do not exist or do not match.
fn compare() -> impl Strategy<Value = Compare> {
    let number = || prop_oneof![1 => 0..4i64, 1 => (-6i64..=0).prop_map(|back| NOW + back)];
    let with = prop_oneof![
        1 => Just(None),
        3 => number().prop_map(|v| Some(CompareWith::Version(v))),
        3 => number().prop_map(|v| Some(CompareWith::CreateRevision(v))),
        3 => number().prop_map(|v| Some(CompareWith::ModRevision(v))),
        3 => value().prop_map(|v| Some(CompareWith::Value(v))),
        3 => prop_oneof![Just(0), lease_id()].prop_map(|v| Some(CompareWith::Lease(v))),
    ];
    (0..5i32, prop_oneof![3 => Just(None), 1 => (0..6i32).prop_map(Some)], range(), with).prop_map(
        |(result, target, (key, range_end), with)| {
            let matching = match &with {
                None => 5,
                Some(CompareWith::Version(_)) => 0,
                Some(CompareWith::CreateRevision(_)) => 1,
                Some(CompareWith::ModRevision(_)) => 2,
                Some(CompareWith::Value(_)) => 3,
                Some(CompareWith::Lease(_)) => 4,
            };
            Compare { result, target: target.unwrap_or(matching), key, with, range_end }
        },
    )
}

/// A transaction, up to `depth` deep. Its form may be wrong (a key written twice).
pub fn txn(depth: u32) -> BoxedStrategy<TxnRequest> {
    let plain = prop_oneof![
        4 => put().prop_map(RequestKind::Put),
        2 => delete().prop_map(RequestKind::DeleteRange),
        3 => read().prop_map(RequestKind::Range),
    ];
    let op = if depth > 1 {
        prop_oneof![8 => plain, 3 => txn(depth - 1).prop_map(RequestKind::Txn)].boxed()
    } else {
        plain.boxed()
    };
    let ops = || vec(op.clone().prop_map(|kind| RequestOp { request: Some(kind) }), 0..5);
    (vec(compare(), 0..3), ops(), ops())
        .prop_map(|(compare, success, failure)| TxnRequest { compare, success, failure })
        .boxed()
}

/// A transaction that only reads.
pub fn read_txn() -> impl Strategy<Value = TxnRequest> {
    let ops = || vec(read().prop_map(|r| RequestOp { request: Some(RequestKind::Range(r)) }), 0..4);
    (vec(compare(), 0..3), ops(), ops()).prop_map(|(compare, success, failure)| TxnRequest {
        compare,
        success,
        failure,
    })
}

pub fn watch() -> impl Strategy<Value = WatchRequest> {
    let start = prop_oneof![16 => Just(0), 1 => Just(-1), 24 => (-12i64..=4).prop_map(|back| NOW + back)];
    let keys = prop_oneof![6 => range(), 1 => Just((Bytes::new(), Bytes::from_static(b"\0")))];
    (keys, start, any::<bool>(), 0..6u8).prop_map(|((key, range_end), start_revision, prev_kv, filter)| {
        WatchRequest {
            key,
            range_end,
            start_revision,
            prev_kv,
            no_put: filter == 0,
            no_delete: filter == 1,
            progress_interval: None,
        }
    })
}
