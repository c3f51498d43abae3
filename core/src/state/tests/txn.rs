//! Transactions: compares, branches, nesting, one revision.

use super::*;

fn compare(key: &str, end: &str, target: CompareTarget, result: CompareResult, with: CompareWith) -> Compare {
    let (result, target) = (result as i32, target as i32);
    Compare { result, target, key: bytes(key), with: Some(with), range_end: bytes(end) }
}

fn holds(lab: &mut Lab, compare: Compare) -> bool {
    lab.txn(TxnRequest { compare: vec![compare], ..Default::default() }).succeeded
}

#[test]
fn a_missing_key_is_zero_but_has_no_value() {
    use CompareResult::*;
    use CompareTarget::*;
    let mut lab = Lab::new();
    lab.put("a", "1");
    assert!(holds(&mut lab, compare("x", "", Version, Equal, CompareWith::Version(0))));
    assert!(holds(&mut lab, compare("x", "", Create, Less, CompareWith::CreateRevision(1))));
    assert!(!holds(&mut lab, compare("x", "", Value, NotEqual, CompareWith::Value(bytes("1")))));
    assert!(!holds(&mut lab, compare("x", "", Value, Equal, CompareWith::Value(bytes("")))));
    assert!(holds(&mut lab, compare("x", "z", Version, Equal, CompareWith::Version(0))), "an empty range");
    assert!(holds(&mut lab, compare("z", "x", Version, Equal, CompareWith::Version(0))), "an inverted one");
    assert!(holds(&mut lab, compare("a", "", Value, Greater, CompareWith::Value(bytes("0")))));
    assert!(holds(&mut lab, compare("a", "", Mod, Equal, CompareWith::ModRevision(2))));
    assert!(holds(&mut lab, compare("a", "", Lease, Equal, CompareWith::Lease(0))));
}

#[test]
fn compares_of_ranges_hold_for_every_key() {
    use CompareResult::*;
    use CompareTarget::*;
    let mut lab = Lab::new();
    lab.put("a", "1");
    lab.put("b", "1");
    assert!(holds(&mut lab, compare("a", "c", Value, Equal, CompareWith::Value(bytes("1")))));
    lab.put("b", "2");
    assert!(!holds(&mut lab, compare("a", "c", Value, Equal, CompareWith::Value(bytes("1")))));
    lab.delete("a", "");
    assert!(holds(&mut lab, compare("a", "c", Value, Equal, CompareWith::Value(bytes("2")))));
}

#[test]
fn unknown_enums_compare_as_in_etcd() {
    use CompareResult::*;
    use CompareTarget::*;
    let mut lab = Lab::new();
    lab.put("a", "1");
    let base = compare("a", "", Version, Equal, CompareWith::Value(bytes("1")));
    assert!(!holds(&mut lab, base.clone()), "a value given for a version reads as zero");
    assert!(holds(&mut lab, Compare { target: 99, ..base.clone() }), "0 = 0");
    assert!(!holds(&mut lab, Compare { target: 99, result: Less as i32, ..base.clone() }));
    assert!(holds(&mut lab, Compare { result: 99, ..base }), "an unknown comparison holds");
}

#[test]
fn all_writes_share_a_revision_and_reads_see_the_writes_before_them() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    let r = lab.txn(always(vec![
        inside(delete("x", "")),
        read(everything()),
        inside(put("a", "2")),
        inside(put("b", "2")),
        read(everything()),
        read(RangeRequest { revision: 2, ..everything() }),
    ]));
    let revisions: Vec<_> = r.responses.iter().map(revision_of).collect();
    assert_eq!(revisions, [2, 2, 3, 3, 3, 3]);
    let reads: Vec<_> = r.responses.iter().filter_map(shown).collect();
    assert_eq!(reads, ["a=1", "a=2 b=2", "a=1"]);
    assert_eq!(r.header.unwrap().revision, 3);
    assert_eq!(lab.state.revision(), 3);
}

fn revision_of(op: &ResponseOp) -> Revision {
    let header = match op.response.as_ref().unwrap() {
        ResponseKind::Range(r) => r.header,
        ResponseKind::Put(r) => r.header,
        ResponseKind::DeleteRange(r) => r.header,
        ResponseKind::Txn(r) => r.header,
    };
    header.unwrap().revision
}

fn shown(op: &ResponseOp) -> Option<String> {
    match op.response.as_ref().unwrap() {
        ResponseKind::Range(r) => Some(show(&r.kvs)),
        _ => None,
    }
}

#[test]
fn nested_compares_see_the_state_before() {
    let mut lab = Lab::new();
    let absent = compare("a", "", CompareTarget::Version, CompareResult::Equal, CompareWith::Version(0));
    let inner = TxnRequest {
        compare: vec![absent],
        success: vec![inside(put("b", "a was absent"))],
        failure: vec![inside(put("b", "a was there"))],
    };
    let r = lab.txn(always(vec![inside(put("a", "1")), inside(Op::Txn(inner))]));
    assert_eq!(lab.all(0), "a=1 b=a was absent");
    let Some(ResponseKind::Txn(inner)) = &r.responses[1].response else { panic!() };
    assert!(inner.succeeded);
    assert_eq!(inner.header, Some(Header::default()), "the header of a nested answer is empty");
}

#[test]
fn what_can_go_wrong_goes_wrong_before_anything_is_written() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    lab.put("a", "2");
    lab.compact(3);
    let bad = [
        (inside(Op::Put(PutRequest { key: bytes("x"), lease: 9, ..Default::default() })), "lease 9"),
        (inside(Op::Put(PutRequest { key: bytes("x"), ignore_value: true, ..Default::default() })), "key"),
        (read(RangeRequest { revision: 2, ..everything() }), "compacted"),
        (read(RangeRequest { revision: -1, ..everything() }), "compacted"),
        (read(RangeRequest { revision: 4, ..everything() }), "future"),
        (read(range("", "")), "key is empty"),
        (RequestOp { request: None }, "key does not exist"),
        (inside(put("", "x")), "key is empty"),
    ];
    for (op, words) in bad {
        let nested = inside(Op::Txn(always(vec![op.clone()])));
        for op in [op, nested] {
            let txn = always(vec![inside(put("a", "3")), inside(delete("a", "\0")), op]);
            let error = lab.op(Op::Txn(txn)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
    assert_eq!((lab.state.revision(), lab.all(0)), (3, "a=2".into()));
    assert_eq!(lab.replay().hash(), lab.state.hash());
}

#[test]
fn of_several_mistakes_etcds_is_named() {
    let mut lab = Lab::new();
    let op = |request| RequestOp { request: Some(request) };
    let future = op(RequestKind::Range(RangeRequest { revision: 99, ..range("a", "") }));
    let put = |key, lease, ignore_value| {
        op(RequestKind::Put(PutRequest { key: bytes(key), lease, ignore_value, ..Default::default() }))
    };
    let mut said = |success| lab.error(Op::Txn(TxnRequest { success, ..Default::default() }));
    assert_eq!(said(vec![future, put("a", 9, false)]), ErrorKind::LeaseNotFound { id: 9 });
    assert_eq!(said(vec![put("a", 9, true)]), ErrorKind::KeyNotFound);
    let alone = PutRequest { key: bytes("a"), lease: 9, ignore_value: true, ..Default::default() };
    assert_eq!(lab.error(Op::Put(alone)), ErrorKind::LeaseNotFound { id: 9 });
}

#[test]
fn on_a_store_never_compacted_a_revision_of_minus_1_is_the_newest() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    let r = lab.txn(always(vec![read(RangeRequest { revision: -1, ..everything() })]));
    assert_eq!(shown(&r.responses[0]).unwrap(), "a=1");
    lab.compact(0);
    let old = always(vec![read(RangeRequest { revision: -1, ..everything() })]);
    assert!(lab.op(Op::Txn(old.clone())).is_err());
    assert!(lab.state.read_txn(&old).is_err());
}

#[test]
fn a_key_deleted_and_put_in_one_revision_has_both_events() {
    let mut lab = Lab::new();
    lab.put("k", "1");
    let r = lab.txn(always(vec![inside(delete("a", "\0")), inside(put("k", "2")), read(everything())]));
    assert_eq!(shown(&r.responses[2]).unwrap(), "k=2");
    let kv = lab.state.range(&range("k", "")).unwrap().kvs.remove(0);
    assert_eq!((kv.create_revision, kv.version), (3, 1));
    // Of a key that the same transaction deleted, nothing is left to be kept.
    let keep = PutRequest { key: bytes("k"), ignore_value: true, ignore_lease: true, ..Default::default() };
    lab.txn(always(vec![inside(delete("a", "\0")), inside(Op::Put(keep))]));
    assert_eq!(lab.all(0), "k=");
    image::assert_same(&lab.reload(), &lab.state);
    lab.compact(4);
    lab.collect();
    image::assert_same(&lab.reload(), &lab.state);
    assert_eq!(lab.state.sizes().versions, 2, "both versions of the compaction's own revision stay");
    lab.put("x", "");
    lab.compact(5);
    assert_eq!(lab.state.sizes().versions, 2);
    image::assert_same(&lab.reload(), &lab.state);
}

#[test]
fn a_read_only_txn_reads_without_the_log() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    let txn = TxnRequest { failure: vec![read(range("b", ""))], ..always(vec![read(range("a", ""))]) };
    assert!(txn.is_read_only());
    let direct = lab.state.read_txn(&txn).unwrap();
    assert_eq!(direct, lab.txn(txn));
    let nested = always(vec![inside(Op::Txn(TxnRequest::default()))]);
    assert!(!nested.is_read_only() && lab.state.read_txn(&nested).is_err());
}
