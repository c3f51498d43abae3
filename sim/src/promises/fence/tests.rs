//! Each rule broken in the smallest way, beside the nearest run that is legal.

use super::*;

fn put(key: &'static str, value: &'static str) -> Change {
    Change::Put { key: key.into(), value: value.into(), lease: 1 }
}

fn delete(key: &'static str) -> Change {
    Change::Delete { key: key.into() }
}

/// 2: a queues. 3: b queues. 4: somebody else's key. 5: a says something. 6: a goes. 7: c queues. 8: b goes.
fn log() -> EventLog {
    let mut log = EventLog::new();
    let changes = [
        put("lock/a", "a"),
        put("lock/b", "b"),
        put("lockx", ""),
        put("lock/a", "aa"),
        delete("lock/a"),
        put("lock/c", "c"),
        delete("lock/b"),
    ];
    for change in changes {
        log.push(log.newest() + 1, vec![change]).unwrap();
    }
    log
}

fn judge() -> FenceJudge {
    let mut judge = FenceJudge::new("lock/");
    judge.follow(&log()).unwrap();
    judge
}

#[track_caller]
fn breaks<T: std::fmt::Debug>(rule: Rule, verdict: Result<T, Broken>) {
    assert_eq!(verdict.expect_err("no alarm").rule, rule);
}

#[test]
fn the_oldest_key_owns_the_lock() {
    let judge = judge();
    let owners: Vec<Option<Revision>> = (1..=9).map(|r| judge.owner_at(r).map(|owner| owner.0)).collect();
    let (a, b, c) = (Some(2), Some(3), Some(7));
    assert_eq!(owners, [None, a, a, a, a, b, b, c, c]);
}

#[test]
fn f1a_two_owners_are_seen() {
    let mut judge = FenceJudge::new("lock/");
    judge.revision(2, &[put("lock/a", "")]).unwrap();
    judge.revision(3, &[put("lock/b", ""), put("lock/c", "")]).unwrap();
    let mut both = judge.clone();
    breaks(Rule::F1a, both.revision(4, &[delete("lock/a")]));
    judge.revision(4, &[delete("lock/c"), delete("lock/a")]).unwrap();
    assert_eq!(judge.owner_at(4), Some((3, &"lock/b".into())));
}

#[test]
fn f1b_a_lock_given_to_one_who_waits_is_seen() {
    let judge = judge();
    judge.locked(b"lock/a", 2, 2).unwrap();
    judge.locked(b"lock/a", 2, 5).unwrap();
    breaks(Rule::F1b, judge.locked(b"lock/b", 3, 5));
    judge.locked(b"lock/b", 3, 6).unwrap();
    breaks(Rule::F1b, judge.locked(b"lock/b", 2, 6));
    breaks(Rule::F1b, judge.locked(b"lock/c", 7, 9));
}

#[test]
fn f1b_a_lock_given_to_one_whose_lease_is_gone_is_seen() {
    // #11456: it did not look whether its own key was still there.
    let judge = judge();
    breaks(Rule::F1b, judge.locked(b"lock/a", 2, 6));
    breaks(Rule::F1b, judge.locked_within(b"lock/a", 2, 6..=8));
    judge.locked_within(b"lock/a", 2, 5..=8).unwrap();
    judge.locked_within(b"lock/b", 3, 2..=6).unwrap();
    breaks(Rule::F1b, judge.locked_within(b"lock/b", 3, 2..=5));
    breaks(Rule::F1b, judge.locked_within(b"lock/b", 3, 8..=8));
}

/// At revision 6 of that log: a has gone without knowing, b owns the lock.
fn halfway() -> FenceJudge {
    let mut judge = FenceJudge::new("lock/");
    log().since(2).filter(|(revision, _)| *revision <= 6).for_each(|(revision, changes)| {
        judge.revision(revision, changes).unwrap();
    });
    judge
}

#[test]
fn f1c_a_token_that_goes_back_is_seen() {
    let mut judge = halfway();
    judge.accepted(b"lock/a", 2).unwrap();
    judge.accepted(b"lock/b", 3).unwrap();
    judge.accepted(b"lock/b", 3).unwrap();
    breaks(Rule::F1c, judge.accepted(b"lock/a", 2));
}

#[test]
fn f1c_a_write_by_one_who_never_owned_is_seen() {
    breaks(Rule::F1c, halfway().accepted(b"lock/b", 2));
    breaks(Rule::F1c, halfway().accepted(b"lock/c", 7));
    let mut judge = FenceJudge::new("lock/");
    judge.revision(2, &[put("lock/a", "")]).unwrap();
    judge.revision(3, &[put("lock/b", "")]).unwrap();
    breaks(Rule::F1c, judge.accepted(b"lock/b", 3));
}

#[test]
fn f1c_a_fence_keeps_out_what_no_fence_lets_through() {
    // #11457, #10811: a lock alone does not keep out a holder that was paused.
    let (mut judge, mut fenced) = (halfway(), Resource::fenced());
    assert_eq!(fenced.write(&mut judge, b"lock/a", 2), Ok(true), "nobody has written since");
    assert_eq!(fenced.write(&mut judge, b"lock/b", 3), Ok(true));
    assert_eq!(fenced.write(&mut judge, b"lock/b", 3), Ok(true));
    assert_eq!(fenced.write(&mut judge, b"lock/a", 2), Ok(false));
    assert_eq!((judge.overlaps(), judge.afterwards()), (0, 1));
    let (mut judge, mut unfenced) = (halfway(), Resource::unfenced());
    for (key, token) in [("lock/b", 3), ("lock/a", 2), ("lock/b", 3), ("lock/a", 2)] {
        assert_eq!(unfenced.write(&mut judge, key.as_bytes(), token), Ok(true));
    }
    assert_eq!((judge.overlaps(), judge.afterwards()), (2, 2));
}

fn shown(key: &'static str, create_revision: Revision, mod_revision: Revision, value: &'static str) -> Shown {
    Shown { key: key.into(), create_revision, mod_revision, value: value.into() }
}

/// What one observer is shown, one after the other.
fn observe(all: &[Shown]) -> Result<(), Broken> {
    let (judge, log, mut observed) = (judge(), log(), Observed::default());
    all.iter().try_for_each(|shown| judge.shown(&log, &mut observed, shown))
}

#[test]
fn f1d_leaders_are_shown_once_and_in_order() {
    let (a, aa) = (shown("lock/a", 2, 2, "a"), shown("lock/a", 2, 5, "aa"));
    let (b, c) = (shown("lock/b", 3, 3, "b"), shown("lock/c", 7, 7, "c"));
    // b's words are older than a's last, and b leads later all the same.
    observe(&[a.clone(), aa.clone(), b.clone(), c.clone()]).unwrap();
    observe(&[aa.clone(), c.clone()]).unwrap();
    breaks(Rule::F1d, observe(&[a.clone(), a.clone()]));
    breaks(Rule::F1d, observe(&[aa.clone(), a.clone()]));
    breaks(Rule::F1d, observe(&[a, b.clone(), aa]));
    breaks(Rule::F1d, observe(&[b, c.clone(), c]));
}

#[test]
fn f1d_one_who_never_led_is_not_shown() {
    breaks(Rule::F1d, observe(&[shown("lock/a", 2, 2, "x")]));
    breaks(Rule::F1d, observe(&[shown("lock/a", 2, 3, "a")]));
    breaks(Rule::F1d, observe(&[shown("lock/a", 3, 2, "a")]));
    breaks(Rule::F1d, observe(&[shown("lock/d", 9, 9, "d")]));
    let mut log = EventLog::new();
    for changes in [vec![put("lock/a", "a")], vec![put("lock/b", "b")], vec![delete("lock/b")]] {
        log.push(log.newest() + 1, changes).unwrap();
    }
    let mut judge = FenceJudge::new("lock/");
    judge.follow(&log).unwrap();
    breaks(Rule::F1d, judge.shown(&log, &mut Observed::default(), &shown("lock/b", 3, 3, "b")));
}
