//! Puts, deletes and ranges, now and in the past.

use super::*;

#[test]
fn a_fresh_store_is_at_revision_1() {
    let mut lab = Lab::new();
    assert_eq!((lab.state.revision(), lab.state.compacted()), (1, 0));
    assert_eq!(lab.state.hash(), [0; 32]);
    assert_eq!(lab.put("a", "1"), 2);
}

#[test]
fn a_key_counts_its_versions_until_it_is_deleted() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    lab.put("a", "2");
    let get = |lab: &Lab| lab.state.range(&range("a", "")).unwrap().kvs[0].clone();
    let kv = get(&lab);
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (2, 3, 2));
    assert_eq!(lab.delete("a", ""), 1);
    lab.put("a", "3");
    let kv = get(&lab);
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (5, 5, 1));
    assert_eq!(lab.all(2), "a=1");
    assert_eq!(lab.all(4), "");
}

#[test]
fn deleting_nothing_takes_no_revision() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    assert_eq!(lab.delete("b", ""), 0);
    assert_eq!(lab.delete("z", "a"), 0, "an inverted range is empty, not an error");
    assert_eq!(lab.state.revision(), 2);
}

#[test]
fn a_range_in_pieces_is_the_range() {
    let mut lab = Lab::new();
    for key in ["a", "b", "c", "d", "e"] {
        lab.put(key, "1");
    }
    let pinned = lab.state.revision();
    let whole = lab.state.range(&everything()).unwrap().kvs;
    lab.put("b", "later");
    lab.put("bb", "later");
    lab.delete("d", "");
    for (bytes, most) in
        [0, 1, 34, 35, 1000].into_iter().flat_map(|bytes| [(bytes, 1), (bytes, 2), (bytes, 9)])
    {
        let mut next = RangeRequest { revision: pinned, ..everything() };
        let mut read = Vec::new();
        loop {
            let piece = lab.state.piece_of(&next, bytes, most).unwrap();
            assert!(!piece.kvs.is_empty() || piece.last == "bb");
            read.extend(piece.kvs);
            next.key = [&piece.last[..], b"\0"].concat().into();
            if !piece.more {
                break;
            }
        }
        assert_eq!(read, whole);
        assert_eq!(lab.state.piece_of(&next, bytes, most).unwrap(), Piece::default());
    }
    let two = lab.state.piece(&RangeRequest { limit: 2, keys_only: true, ..everything() }, 1000).unwrap();
    assert_eq!((show(&two.kvs), &two.last[..], two.more), ("a= b=".into(), &b"b"[..], true));
}

/// However many keys have no pair at the revision: those that are gone, and those that are newer.
#[test]
fn a_piece_looks_at_no_more_keys_than_it_may() {
    let mut lab = Lab::new();
    for at in 0..100 {
        lab.put(&format!("k{at:02}"), "");
    }
    lab.delete("k", "k90");
    let pinned = lab.state.revision();
    lab.put("l", "later");
    let mut next = RangeRequest { revision: pinned, ..everything() };
    let (mut empty, mut read) = (0, Vec::new());
    loop {
        let piece = lab.state.piece_of(&next, 1000, 20).unwrap();
        empty += usize::from(piece.kvs.is_empty());
        read.extend(piece.kvs);
        next.key = [&piece.last[..], b"\0"].concat().into();
        if !piece.more {
            break;
        }
    }
    assert_eq!((empty, read.len()), (5, 10), "four times 20 that are gone, and the newer one");
    assert_eq!(read[0].key, "k90");
    assert_eq!(next.key, "l\0", "the newer one was looked at, too");
}

#[test]
fn an_empty_pair_counts_in_a_piece() {
    let mut lab = Lab::new();
    for at in 0..100 {
        lab.put(&format!("k{at:02}"), "");
    }
    let piece = lab.state.piece(&everything(), 350).unwrap();
    assert_eq!((piece.kvs.len(), piece.more), (10, true), "35 bytes each");
}

#[test]
fn ranges_end_where_etcds_do() {
    let mut lab = Lab::new();
    for key in ["a", "b", "c", "d"] {
        lab.put(key, "");
    }
    let count = |key, end| lab.state.range(&range(key, end)).unwrap().count;
    assert_eq!(count("b", ""), 1);
    assert_eq!(count("b", "d"), 2);
    assert_eq!(count("b", "\0"), 3);
    assert_eq!(count("\0", "\0"), 4);
    assert_eq!(count("d", "b"), 0);
    assert_eq!(count("b", "b"), 0);
}

#[test]
fn count_ignores_limit_and_filters() {
    let mut lab = Lab::new();
    for key in ["a", "b", "c", "d"] {
        lab.put(key, "");
    }
    let r = lab.state.range(&RangeRequest { limit: 2, ..everything() }).unwrap();
    assert_eq!((r.kvs.len(), r.more, r.count), (2, true, 4));
    let r = lab.state.range(&RangeRequest { limit: 4, ..everything() }).unwrap();
    assert_eq!((r.kvs.len(), r.more, r.count), (4, false, 4));
    let r = lab.state.range(&RangeRequest { min_mod_revision: 4, limit: 1, ..everything() }).unwrap();
    assert_eq!((show(&r.kvs), r.more, r.count), ("c=".into(), true, 4));
    let r = lab.state.range(&RangeRequest { max_create_revision: 2, ..everything() }).unwrap();
    assert_eq!((show(&r.kvs), r.more, r.count), ("a=".into(), false, 4));
    let r = lab.state.range(&RangeRequest { count_only: true, limit: 1, ..everything() }).unwrap();
    assert_eq!((r.kvs.len(), r.more, r.count), (0, false, 4));
}

#[test]
fn a_limit_without_an_order_cuts_by_key_before_it_sorts() {
    let mut lab = Lab::new();
    for (key, value) in [("a", "3"), ("b", "2"), ("c", "1"), ("d", "0")] {
        lab.put(key, value);
    }
    let sort_target = SortTarget::Value as i32;
    let by_value = RangeRequest { sort_target, limit: 2, ..everything() };
    // Three are fetched by key, sorted, and cut to two.
    assert_eq!(show(&lab.state.range(&by_value).unwrap().kvs), "c=1 b=2");
    let ordered = RangeRequest { sort_order: SortOrder::Ascend as i32, ..by_value.clone() };
    assert_eq!(show(&lab.state.range(&ordered).unwrap().kvs), "d=0 c=1");
    let ordered = RangeRequest { sort_order: SortOrder::Descend as i32, ..by_value };
    assert_eq!(show(&lab.state.range(&ordered).unwrap().kvs), "a=3 b=2");
    let bad = RangeRequest { sort_order: 9, ..everything() };
    assert_eq!(*lab.state.range(&bad).unwrap_err().kind(), ErrorKind::InvalidSort);
}

#[test]
fn the_header_of_a_read_of_the_past_is_of_now() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    lab.put("a", "2");
    let r = lab.state.range(&RangeRequest { revision: 2, keys_only: true, ..everything() }).unwrap();
    assert_eq!((r.header.unwrap().revision, show(&r.kvs)), (3, "a=".into()));
    assert_eq!(lab.all(-5), "a=2", "a negative revision is the newest");
    let future = lab.state.range(&RangeRequest { revision: 4, ..everything() }).unwrap_err();
    assert_eq!(*future.kind(), ErrorKind::FutureRevision { requested: 4, current: 3 });
}

#[test]
fn ignore_value_and_ignore_lease_need_the_key() {
    let mut lab = Lab::new();
    lab.op(grant(5, 60)).unwrap();
    let keep = |ignore_value, ignore_lease, value: &str, lease| {
        let (key, value) = (bytes("a"), bytes(value));
        Op::Put(PutRequest { key, value, lease, prev_kv: true, ignore_value, ignore_lease })
    };
    assert_eq!(lab.error(keep(true, false, "", 0)), ErrorKind::KeyNotFound);
    assert_eq!(lab.error(keep(true, false, "x", 0)), ErrorKind::ValueProvided);
    assert_eq!(lab.error(keep(false, true, "x", 5)), ErrorKind::LeaseProvided);
    assert_eq!(lab.state.revision(), 1);
    lab.put("a", "1");
    let Response::Put(r) = lab.op(keep(true, false, "", 5)).unwrap() else { panic!() };
    assert_eq!((r.header.unwrap().revision, show(r.prev_kv.as_slice())), (3, "a=1".into()));
    lab.op(keep(false, true, "2", 0)).unwrap();
    let kv = lab.state.range(&range("a", "")).unwrap().kvs.remove(0);
    assert_eq!((&kv.value[..], kv.lease, kv.version), (&b"2"[..], 5, 3));
}

#[test]
fn entries_that_are_no_commands_are_refused_alike() {
    let mut lab = Lab::new();
    let garbage = Bytes::from_static(b"\xff\xff\xff");
    let applied = lab.state.apply(LogPosition { index: 1, term: 1 }, &garbage);
    assert!(matches!(applied.result.unwrap_err().kind(), ErrorKind::Corrupt { offset: 1, .. }));
    let unknown = lab.command(&Command { origin: Some(Origin::default()), ..Default::default() });
    assert!(unknown.result.is_err() && unknown.origin.is_some());
    assert!(lab.state.apply(LogPosition { index: 3, term: 1 }, &Bytes::new()).result.is_ok());
    let before = lab.state.hash();
    lab.state.apply_other(LogPosition { index: 4, term: 1 }, &garbage);
    assert_ne!(lab.state.hash(), before);
    assert_eq!((lab.state.applied().index, lab.state.revision()), (4, 1));
    assert_eq!(lab.error(put("", "x")), ErrorKind::EmptyKey);
    assert_eq!(lab.error(delete("", "x")), ErrorKind::EmptyKey);
}

#[test]
#[should_panic(expected = "entry 1 applied after entry 1")]
fn an_entry_is_never_applied_twice() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    lab.state.apply(LogPosition { index: 1, term: 1 }, &Bytes::new());
}

#[test]
fn the_write_that_goes_over_the_quota_succeeds_and_the_next_does_not() {
    let mut lab = Lab::new();
    lab.op(Op::Settings(Settings { quota_bytes: 600, max_sessions: 0 })).unwrap();
    lab.put("a", "1");
    lab.put("b", "1");
    assert!(!lab.state.no_space());
    lab.put("c", "1");
    assert!(lab.state.no_space());
    let full = ErrorKind::NoSpace { used: 774, quota: 600 };
    assert_eq!(lab.error(put("d", "1")), full);
    assert_eq!(lab.error(grant(1, 60)), full);
    assert_eq!(lab.error(Op::Txn(always(vec![inside(put("d", "1"))]))), full);
    // Only the branch that is taken counts.
    let other = TxnRequest { failure: vec![inside(put("d", "1"))], ..Default::default() };
    lab.op(Op::Txn(other)).unwrap();
    assert_eq!(lab.delete("a", "\0"), 3);
    lab.compact(lab.state.revision());
    assert!(lab.state.no_space(), "not lifted by itself");
    lab.op(Op::NoSpace(NoSpace { raised: false })).unwrap();
    lab.put("d", "1");
    assert!(lab.state.no_space(), "tombstones at the compaction's own revision still count");
    lab.compact(lab.state.revision());
    assert_eq!(lab.state.sizes().bytes, 258);
}

#[test]
fn members_keep_their_first_directory() {
    let mut lab = Lab::new();
    lab.op(Op::MemberSeen(MemberSeen { node: 1, directory: 11 })).unwrap();
    lab.op(Op::MemberSeen(MemberSeen { node: 1, directory: 12 })).unwrap();
    assert_eq!(lab.state.member_directory(1), Some(11));
    assert_eq!(lab.state.member_directory(2), None);
}

#[test]
fn of_what_a_member_says_of_itself_the_last_word_counts() {
    let mut lab = Lab::new();
    let said = |node, name: &str, urls: &[&str]| MemberAttributes {
        node,
        name: name.into(),
        client_urls: urls.iter().map(|url| url.to_string()).collect(),
    };
    let all = [said(1, "a", &["http://a"]), said(2, "b", &[]), said(1, "c", &["http://c", "http://d"])];
    for one in &all {
        lab.op(Op::MemberAttributes(one.clone())).unwrap();
    }
    assert!(lab.state.member_attributes().eq([&all[2], &all[1]]));
}

#[test]
fn the_same_entries_make_the_same_state() {
    for seed in 0..20 {
        let (mut lab, mut dice) = (Lab::new(), Dice::new(seed));
        for _ in 0..300 {
            let (op, session) = (dice.op(&lab.state), dice.tag(&lab.state));
            lab.command(&Command { origin: None, session, op: Some(op) });
            if dice.below(5) == 0 {
                lab.state.collect_garbage(2);
            }
        }
        let replayed = lab.replay();
        assert_eq!(replayed.hash(), lab.state.hash());
        assert_eq!(replayed.sizes(), lab.state.sizes());
        image::assert_same(&lab.state, &replayed);
    }
}

#[test]
fn etcd_18667_the_hash_covers_answers_too() {
    let (mut one, mut other) = (Lab::new(), Lab::new());
    one.put("k", "a");
    other.put("k", "b");
    // As if they had come to differ without a word.
    other.state.hash = one.state.hash();
    for lab in [&mut one, &mut other] {
        lab.txn(always(vec![read(range("k", "")), inside(put("l", "c"))]));
    }
    assert_ne!(one.state.hash(), other.state.hash(), "they answered differently");
}

#[test]
fn a_state_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<State>();
    shared::<ImageCut>();
    shared::<WatchCursor>();
}
