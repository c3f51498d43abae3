//! Watches: every event, in order, once, or an end that says so.

use super::*;

pub(super) fn all_from(start_revision: Revision) -> WatchRequest {
    WatchRequest { range_end: bytes("\0"), start_revision, ..Default::default() }
}

fn of(key: &str, end: &str) -> WatchRequest {
    WatchRequest { key: bytes(key), range_end: bytes(end), ..Default::default() }
}

fn shown(events: &[Event]) -> String {
    let show = |event: &Event| {
        let kv = event.kv.as_ref().unwrap();
        let sign = if event.kind == EventKind::Delete as i32 { "-" } else { "+" };
        let before = event.prev_kv.as_ref().map(|kv| format!("({})", kv.value.escape_ascii()));
        format!("{}{sign}{}{}", kv.mod_revision, kv.key.escape_ascii(), before.unwrap_or_default())
    };
    events.iter().map(show).collect::<Vec<_>>().join(" ")
}

/// All events, as text.
pub(super) fn pull(state: &State, cursor: &mut WatchCursor) -> String {
    let pulled = state.pull(cursor, usize::MAX, usize::MAX).unwrap();
    assert!(!pulled.more);
    assert_eq!(pulled.through, state.revision());
    shown(&pulled.events)
}

fn woken(state: &mut State) -> Vec<WatcherId> {
    let mut woken = Vec::new();
    state.take_woken(&mut woken);
    woken
}

#[test]
fn a_watch_sees_what_comes_after_it_once() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    let mut cursor = lab.state.open_watch(&of("a", "")).unwrap();
    assert_eq!(pull(&lab.state, &mut cursor), "");
    lab.put("a", "2");
    lab.put("b", "2");
    lab.delete("a", "");
    assert_eq!(woken(&mut lab.state), [cursor.id()], "once, until it is pulled");
    assert_eq!(pull(&lab.state, &mut cursor), "3+a 5-a");
    assert_eq!(pull(&lab.state, &mut cursor), "");
    assert_eq!(cursor.next_revision(), 6);
    lab.put("b", "3");
    assert!(woken(&mut lab.state).is_empty());
    let kv = KeyValue { key: bytes("a"), mod_revision: 7, ..Default::default() };
    lab.put("a", "3");
    lab.op(delete("a", "")).unwrap();
    let events = lab.state.pull(&mut cursor, 9, 9).unwrap().events;
    assert_eq!(events[1].kv, Some(KeyValue { mod_revision: 8, ..kv }), "only key and revision");
}

#[test]
fn a_revision_is_never_split() {
    let mut lab = Lab::new();
    let mut cursor = lab.state.open_watch(&all_from(0)).unwrap();
    lab.txn(always(vec![inside(put("a", "")), inside(put("b", "")), inside(put("c", ""))]));
    lab.put("d", "");
    lab.put("e", "");
    for limits in [(1, usize::MAX), (0, 0), (usize::MAX, 1)] {
        let mut cursor = lab.state.open_watch(&all_from(2)).unwrap();
        let first = lab.state.pull(&mut cursor, limits.0, limits.1).unwrap();
        assert_eq!((shown(&first.events).as_str(), first.through, first.more), ("2+a 2+b 2+c", 2, true));
        let second = lab.state.pull(&mut cursor, limits.0, limits.1).unwrap();
        assert_eq!((shown(&second.events).as_str(), second.through, second.more), ("3+d", 3, true));
    }
    assert_eq!(pull(&lab.state, &mut cursor), "2+a 2+b 2+c 3+d 4+e");
}

#[test]
fn the_end_of_a_full_pull_is_known_exactly() {
    let mut lab = Lab::new();
    let mut cursor = lab.state.open_watch(&of("a", "")).unwrap();
    lab.put("a", "");
    for _ in 0..5 {
        lab.put("b", "");
    }
    let pulled = lab.state.pull(&mut cursor, 1, 1).unwrap();
    assert_eq!((pulled.events.len(), pulled.through, pulled.more), (1, 7, false));
}

#[test]
fn a_pull_does_not_look_at_everything_at_once() {
    let mut lab = Lab::new();
    let mut cursor = lab.state.open_watch(&of("a", "")).unwrap();
    lab.put("a", "");
    for _ in 0..25_000 {
        lab.put("b", "");
    }
    lab.put("a", "");
    let mut pulls = Vec::new();
    loop {
        let pulled = lab.state.pull(&mut cursor, 100, 100).unwrap();
        pulls.push(pulled.through);
        if !pulled.more {
            assert_eq!(shown(&pulled.events), "25003+a");
            break;
        }
    }
    assert_eq!(pulls, [10_001, 20_001, 25_003]);
}

#[test]
fn a_pull_looks_no_further_than_the_last_revision_that_touched_its_keys() {
    let mut lab = Lab::new();
    let mut cursor = lab.state.open_watch(&of("a", "")).unwrap();
    lab.put("a", "");
    for _ in 0..15_000 {
        lab.put("b", "");
    }
    assert_eq!(pull(&lab.state, &mut cursor), "2+a", "in one pull");
}

#[test]
fn etcd_18089_and_19179_a_tombstone_at_the_compaction_is_delivered() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    lab.delete("a", "");
    lab.compact(3);
    lab.collect();
    let mut states = [lab.reload(), lab.reload()];
    let again = &mut states[1];
    while again.collect_garbage(1) {}
    lab.state.take_lease_changes();
    for state in states.iter_mut().chain([&mut lab.state]) {
        let mut cursor = state.open_watch(&all_from(3)).unwrap();
        assert_eq!(pull(state, &mut cursor), "3-a");
        assert_eq!(state.range(&everything()).unwrap().count, 0);
    }
}

#[test]
fn a_start_below_the_compaction_ends_the_watch() {
    let mut lab = Lab::new();
    for value in ["1", "2", "3"] {
        lab.put("a", value);
    }
    lab.compact(3);
    let mut cursor = lab.state.open_watch(&all_from(2)).unwrap();
    assert_eq!(woken(&mut lab.state), [cursor.id()]);
    for _ in 0..2 {
        let end = lab.state.pull(&mut cursor, 1, 1).unwrap_err();
        assert_eq!(*end.kind(), ErrorKind::Compacted { requested: 2, compacted: 3 });
    }
    let negative = lab.state.open_watch(&all_from(-1)).unwrap_err();
    assert!(matches!(negative.kind(), ErrorKind::Compacted { requested: -1, .. }));
    let mut cursor = lab.state.open_watch(&all_from(3)).unwrap();
    assert_eq!(pull(&lab.state, &mut cursor), "3+a 4+a");
}

#[test]
fn an_idle_watch_is_not_harmed_by_compaction_and_a_slow_one_is_told() {
    let mut lab = Lab::new();
    let mut idle = lab.state.open_watch(&of("idle", "")).unwrap();
    let mut slow = lab.state.open_watch(&of("busy", "")).unwrap();
    for _ in 0..10 {
        lab.put("busy", "");
    }
    lab.compact(9);
    lab.collect();
    assert_eq!(pull(&lab.state, &mut idle), "");
    lab.put("idle", "");
    lab.compact(12);
    assert_eq!(pull(&lab.state, &mut idle), "12+idle");
    let end = lab.state.pull(&mut slow, 1, 1).unwrap_err();
    assert_eq!(*end.kind(), ErrorKind::Compacted { requested: 2, compacted: 12 });
}

#[test]
fn etcd_20221_a_watch_of_the_future_sees_nothing_of_before() {
    let mut lab = Lab::new();
    let mut cursor = lab.state.open_watch(&all_from(4)).unwrap();
    lab.put("a", "");
    lab.put("a", "");
    assert!(woken(&mut lab.state).is_empty());
    let loaded = lab.reload();
    lab.state.install(loaded);
    assert_eq!(pull(&lab.state, &mut cursor), "");
    lab.put("a", "");
    assert_eq!(pull(&lab.state, &mut cursor), "4+a");
    let mut far = lab.state.open_watch(&all_from(i64::MAX)).unwrap();
    let loaded = lab.reload();
    lab.state.install(loaded);
    assert_eq!(pull(&lab.state, &mut far), "");
}

#[test]
fn etcd_15271_and_8411_watches_go_on_across_an_image() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    let mut idle = lab.state.open_watch(&of("a", "")).unwrap();
    let mut late = lab.state.open_watch(&of("a", "b")).unwrap();
    lab.put("a", "2");
    assert_eq!(pull(&lab.state, &mut idle), "3+a");
    woken(&mut lab.state);
    // A member that was ahead makes the image.
    let mut ahead = Lab { state: lab.replay(), entries: lab.entries.clone(), term: 1 };
    ahead.put("a", "3");
    ahead.delete("a", "");
    lab.state.install(ahead.reload());
    assert_eq!(woken(&mut lab.state), [idle.id()], "the late one was woken before");
    assert_eq!(pull(&lab.state, &mut idle), "4+a 5-a");
    assert_eq!(pull(&lab.state, &mut late), "3+a 4+a 5-a");
    lab.put("a", "4");
    assert_eq!(pull(&lab.state, &mut idle), "6+a");
    // With too little history the end is told.
    ahead.put("a", "4");
    ahead.put("a", "5");
    ahead.put("a", "6");
    ahead.compact(8);
    lab.state.install(ahead.reload());
    let end = lab.state.pull(&mut late, 9, 9).unwrap_err();
    assert_eq!(*end.kind(), ErrorKind::Compacted { requested: 6, compacted: 8 });
}

#[test]
fn filters_and_prev_kv() {
    let mut lab = Lab::new();
    let mut deletes = lab.state.open_watch(&WatchRequest { no_put: true, ..of("a", "") }).unwrap();
    let mut puts =
        lab.state.open_watch(&WatchRequest { no_delete: true, prev_kv: true, ..all_from(0) }).unwrap();
    lab.put("a", "1");
    assert_eq!(woken(&mut lab.state), [puts.id()], "what is filtered out does not wake");
    lab.put("a", "2");
    lab.delete("a", "");
    lab.put("a", "3");
    assert_eq!(pull(&lab.state, &mut deletes), "4-a");
    assert_eq!(pull(&lab.state, &mut puts), "2+a 3+a(1) 5+a");
}

#[test]
fn prev_kv_is_absent_when_compacted_whether_or_not_memory_still_has_it() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    lab.put("a", "2");
    lab.put("a", "3");
    lab.compact(3);
    for _ in 0..2 {
        let r = WatchRequest { prev_kv: true, ..all_from(3) };
        let mut cursor = lab.state.open_watch(&r).unwrap();
        assert_eq!(pull(&lab.state, &mut cursor), "3+a 4+a(2)");
        lab.collect();
    }
}

#[test]
fn ranges_that_hold_no_key_are_refused() {
    let mut lab = Lab::new();
    for (key, end) in [("b", "a"), ("b", "b")] {
        assert_eq!(*lab.state.open_watch(&of(key, end)).unwrap_err().kind(), ErrorKind::EmptyRange);
    }
    let mut lowest = lab.state.open_watch(&WatchRequest::default()).unwrap();
    lab.put("\0", "");
    assert_eq!(pull(&lab.state, &mut lowest), "2+\\x00");
}

#[test]
fn the_index_finds_what_a_scan_finds() {
    for seed in 0..10 {
        let (mut lab, mut dice) = (Lab::new(), Dice::new(seed));
        let mut open: Vec<(WatchRequest, WatchCursor)> = Vec::new();
        for _ in 0..2000 {
            match dice.below(4) {
                0 | 1 => {
                    let key = format!("{:03}", dice.below(300));
                    let end = [String::new(), format!("{:03}", dice.below(300)), "\0".into()];
                    let r = of(&key, &end[dice.below(3) as usize]);
                    if let Ok(cursor) = lab.state.open_watch(&r) {
                        open.push((r, cursor));
                    }
                }
                2 if !open.is_empty() => {
                    let (_, cursor) = open.swap_remove(dice.below(open.len() as u64) as usize);
                    lab.state.close_watch(cursor.id());
                }
                _ => check_woken(&mut lab, &mut dice, &mut open),
            }
        }
        assert_eq!(lab.state.sizes().watchers, open.len() as u64);
        for (_, cursor) in open {
            lab.state.close_watch(cursor.id());
        }
        assert!(lab.state.watches.is_empty());
    }
}

/// Puts a key and compares who is woken with who should be.
fn check_woken(lab: &mut Lab, dice: &mut Dice, open: &mut [(WatchRequest, WatchCursor)]) {
    let key = format!("{:03}", dice.below(300));
    lab.put(&key, "");
    let mut found = woken(&mut lab.state);
    found.sort_unstable();
    let matches = |r: &WatchRequest| match &r.range_end[..] {
        b"" => r.key == key,
        b"\0" => r.key <= key,
        end => r.key <= key && key.as_bytes() < end,
    };
    let mut expected = Vec::new();
    for (r, cursor) in open.iter_mut() {
        let seen = pull(&lab.state, cursor);
        assert_eq!(seen.is_empty(), !matches(r));
        expected.extend(matches(r).then_some(cursor.id()));
    }
    expected.sort_unstable();
    assert_eq!(found, expected);
}
