//! Long reads: in slices, while the state goes on, and as if they had been done at once.

use super::*;

/// Some range, often a sensible one.
fn some_range(dice: &mut Dice, state: &State) -> RangeRequest {
    let end = [bytes("\0"), bytes("z"), dice.key().into(), bytes("")][dice.below(4) as usize].clone();
    let near = |dice: &mut Dice| (state.revision() - dice.below(12) as i64).max(0);
    RangeRequest {
        key: if dice.below(3) == 0 { dice.key().into() } else { bytes("a") },
        range_end: end,
        limit: dice.below(6) as i64 - 1,
        revision: if dice.below(2) == 0 { 0 } else { near(dice) + dice.below(3) as i64 - 1 },
        sort_order: dice.below(3) as i32,
        sort_target: dice.below(5) as i32,
        keys_only: dice.below(5) == 0,
        count_only: dice.below(6) == 0,
        min_mod_revision: if dice.below(4) == 0 { near(dice) } else { 0 },
        max_create_revision: if dice.below(4) == 0 { near(dice) } else { 0 },
        ..RangeRequest::default()
    }
}

/// Some transaction that only reads.
fn some_txn(dice: &mut Dice, state: &State) -> TxnRequest {
    let mut reads =
        |most: u64| (0..dice.below(most)).map(|_| read(some_range(dice, state))).collect::<Vec<_>>();
    let (success, failure) = (reads(4), reads(4));
    let compare = |dice: &mut Dice| Compare {
        key: if dice.below(20) == 0 { bytes("") } else { dice.key().into() },
        range_end: [bytes("\0"), bytes("")][dice.below(2) as usize].clone(),
        target: CompareTarget::Version as i32,
        result: [CompareResult::Greater, CompareResult::Less][dice.below(2) as usize] as i32,
        with: Some(CompareWith::Version(dice.below(3) as i64)),
    };
    let compare = (0..dice.below(3)).map(|_| compare(dice)).collect();
    TxnRequest { compare, success, failure }
}

/// Does all of it, and after every slice something else to the state.
fn run<T>(
    long: Result<LongRead>,
    lab: &mut Lab,
    dice: &mut Dice,
    answer: impl Fn(&mut LongRead) -> T,
) -> Result<T> {
    let mut long = long?;
    let slice = 1 + dice.below(4) as usize;
    loop {
        match long.next(&lab.state, slice)? {
            Turn::More => {}
            Turn::Done => return Ok(answer(&mut long)),
            Turn::Replaced => panic!("nobody replaced it"),
        }
        for _ in 0..dice.below(4) {
            let op = dice.op(&lab.state);
            let _ = lab.op(op);
        }
        if dice.below(3) == 0 {
            let newest = lab.state.revision();
            let _ = lab.op(compact(newest));
        }
        lab.state.collect_garbage(100);
    }
}

#[test]
fn a_long_read_is_of_the_moment_it_was_begun() {
    for seed in 0..400 {
        let (mut lab, mut dice) = (Lab::new(), Dice::new(seed));
        for _ in 0..60 {
            let op = dice.op(&lab.state);
            let _ = lab.op(op);
        }
        for _ in 0..5 {
            let r = some_range(&mut dice, &lab.state);
            let (expected, long) = (lab.state.range(&r), LongRead::of_range(&lab.state, &r));
            assert_eq!(run(long, &mut lab, &mut dice, LongRead::range), expected, "seed {seed}: {r:?}");

            let t = some_txn(&mut dice, &lab.state);
            let (expected, long) = (lab.state.read_txn(&t), LongRead::of_txn(&lab.state, t.clone()));
            assert_eq!(run(long, &mut lab, &mut dice, LongRead::txn), expected, "seed {seed}: {t:?}");
        }
    }
}

#[test]
fn a_long_read_of_a_state_that_was_replaced_begins_anew() {
    let mut lab = Lab::new();
    let before: Vec<_> = ["a", "b", "c"].map(|key| lab.put(key, "old")).into();
    let mut long = LongRead::of_range(&lab.state, &everything()).unwrap();
    assert_eq!(long.next(&lab.state, 2), Ok(Turn::More));
    let other = lab.reload();
    lab.state.install(other);
    let newest = lab.put("a", "new");
    assert_eq!(long.next(&lab.state, 2), Ok(Turn::Replaced));
    long.restart(&lab.state);
    while long.next(&lab.state, 2) == Ok(Turn::More) {}
    let answer = long.range();
    assert_eq!((show(&answer.kvs), answer.header.unwrap().revision), ("a=new b=old c=old".into(), newest));
    assert!(before.iter().all(|revision| *revision < newest));
}

#[test]
fn no_more_is_kept_than_can_be_shown() {
    let mut lab = Lab::new();
    for i in 0..100 {
        lab.put(&format!("k{i:02}"), &format!("{:02}", (i * 37) % 100));
    }
    for (target, order) in (0..5).flat_map(|target| (0..3).map(move |order| (target, order))) {
        let all = RangeRequest { sort_target: target, sort_order: order, ..everything() };
        let some = RangeRequest { limit: 3, min_mod_revision: 20, ..all.clone() };
        let shown = lab.state.range(&some).unwrap();
        let all = lab.state.range(&RangeRequest { min_mod_revision: 20, ..all }).unwrap();
        assert_eq!(shown.kvs[..], all.kvs[..3], "target {target}, order {order}");
        assert_eq!((shown.more, shown.count, all.kvs.len()), (true, 100, 82));
    }
}

#[test]
fn few_keys_are_read_at_once() {
    let mut lab = Lab::new();
    for key in ["a", "b", "c", "d"] {
        lab.put(key, "");
    }
    let is_short = |key, end, most| lab.state.range_of_few(&range(key, end), most).unwrap().is_some();
    assert!(is_short("a", "\0", 4) && !is_short("a", "\0", 3));
    assert!(is_short("b", "d", 2) && is_short("d", "a", 0) && is_short("a", "", 0));
    let twice = always(vec![read(everything()), read(everything())]);
    assert!(lab.state.is_short_txn(&twice, 8) && !lab.state.is_short_txn(&twice, 7));
}

#[test]
fn long_reads_beside_each_other_are_each_of_their_moment() {
    for seed in 0..300 {
        let (mut lab, mut dice) = (Lab::new(), Dice::new(seed));
        let mut open: Vec<(RangeRequest, Result<RangeResponse>, LongRead)> = Vec::new();
        for _ in 0..200 {
            let op = dice.op(&lab.state);
            let _ = lab.op(op);
            if dice.below(4) == 0 {
                let near = lab.state.revision() - dice.below(3) as i64;
                let _ = lab.op(compact(near));
            }
            lab.state.collect_garbage(1 + dice.below(4) as usize);
            if open.len() < 4 {
                let r = some_range(&mut dice, &lab.state);
                let expected = lab.state.range(&r);
                open.extend(LongRead::of_range(&lab.state, &r).ok().map(|long| (r, expected, long)));
            }
            if open.is_empty() {
                continue;
            }
            let at = dice.below(open.len() as u64) as usize;
            let slice = 1 + dice.below(3) as usize;
            let answer = match open[at].2.next(&lab.state, slice) {
                Ok(Turn::More) => continue,
                Ok(Turn::Done) => Ok(open[at].2.range()),
                Ok(Turn::Replaced) => panic!("nobody replaced it"),
                Err(error) => Err(error),
            };
            let (r, expected, _) = open.swap_remove(at);
            assert_eq!(answer, expected, "seed {seed}: {r:?}");
        }
        drop(open);
        lab.collect();
        assert_eq!(lab.state.physical_revision(), lab.state.compacted());
    }
}

#[test]
fn reads_without_a_pause_between_them_keep_no_more_than_they_need() {
    let mut lab = Lab::new();
    for key in ["a", "b", "c"] {
        lab.put(key, "");
    }
    let begin = |lab: &Lab| LongRead::of_range(&lab.state, &everything()).unwrap();
    let mut reading = begin(&lab);
    for round in 0..50 {
        let newest = lab.put("a", "again");
        lab.compact(newest);
        lab.collect();
        // The next one begins before this one ends.
        let next = begin(&lab);
        assert_eq!(reading.next(&lab.state, 9), Ok(Turn::Done));
        assert_eq!(reading.range().kvs.len(), 3);
        reading = next;
        lab.collect();
        assert!(lab.state.physical_revision() >= newest - 2 || round < 3, "{newest}: garbage is kept");
    }
}
