//! Each rule broken in the smallest way, beside the nearest run that is legal.

use super::*;
use crate::history::EventLog;
use crate::promises::Replay;

mod random;
mod resume;

fn put(key: &'static str, value: &'static str) -> Change {
    Change::Put { key: key.into(), value: value.into(), lease: 0 }
}

fn delete(key: &'static str) -> Change {
    Change::Delete { key: key.into() }
}

/// A log with what follows from it.
struct Store {
    log: EventLog,
    replay: Replay,
}

impl Store {
    fn new(revisions: Vec<Vec<Change>>) -> Store {
        let (mut log, mut replay) = (EventLog::new(), Replay::new());
        for changes in revisions {
            log.push(log.newest() + 1, changes).unwrap();
        }
        replay.follow(&log);
        Store { log, replay }
    }

    fn past(&self) -> Past<'_> {
        self.replay.of(&self.log)
    }

    /// The events of a revision, as a store without fault would tell them.
    fn events(&self, revision: Revision) -> Vec<WatchEvent> {
        let changes = self.log.at(revision).iter().enumerate();
        changes.map(|(at, change)| event(self.past(), revision, at, change)).collect()
    }
}

fn event(past: Past<'_>, revision: Revision, at: usize, change: &Change) -> WatchEvent {
    let key = change.key();
    let gone = Pair { key: key.clone(), mod_revision: revision, ..Pair::default() };
    WatchEvent {
        is_delete: is_delete(change),
        pair: past.pair_after(key, revision, at).unwrap_or(gone),
        before: past.pair_at(key, revision - 1),
    }
}

/// 2: a=1. 3: b=1. 4: a=2 and b=2. 5: a goes. 6: a=3.
fn store() -> Store {
    Store::new(vec![
        vec![put("a", "1")],
        vec![put("b", "1")],
        vec![put("a", "2"), put("b", "2")],
        vec![delete("a")],
        vec![put("a", "3")],
    ])
}

fn opened(span: Span, start: Revision) -> Opened {
    let (no_put, no_delete, prev_kv, fragment) = (false, false, true, false);
    Opened { span, start, no_put, no_delete, prev_kv, fragment, member: 1, incarnation: 1 }
}

fn all(start: Revision) -> WatchJudge {
    WatchJudge::opened(opened(Span::of("a", "\0"), start)).unwrap()
}

#[track_caller]
fn breaks(rule: Rule, verdict: Result<(), Broken>) {
    assert_eq!(verdict.expect_err("no alarm").rule, rule);
}

impl WatchJudge {
    /// Whole revisions, each in a delivery of its own.
    fn gets(&mut self, told: &Store, revisions: &[Revision]) -> Result<(), Broken> {
        revisions.iter().try_for_each(|r| self.delivered(told.past(), &told.events(*r), Part::Whole))
    }
}

#[test]
fn a_watch_without_fault_is_left_alone() {
    let told = store();
    let mut judge = all(1);
    judge.gets(&told, &[2, 3, 4]).unwrap();
    judge.progress(told.past(), 4).unwrap();
    judge.gets(&told, &[5, 6]).unwrap();
    judge.progress(told.past(), 6).unwrap();
    judge.finish(told.past(), true).unwrap();
    assert_eq!(judge.next_revision(), 7);
}

#[test]
fn w1_a_watch_that_goes_back_is_seen() {
    // #15271: synced watches were played again after a member was restored from an image.
    let told = store();
    let mut judge = all(2);
    judge.gets(&told, &[2, 3]).unwrap();
    breaks(Rule::W1, judge.gets(&told, &[2]));
    let swapped = [told.events(3), told.events(2)].concat();
    breaks(Rule::W1, all(2).delivered(told.past(), &swapped, Part::Whole));
    let straight = [told.events(2), told.events(3)].concat();
    all(2).delivered(told.past(), &straight, Part::Whole).unwrap();
}

#[test]
fn w1_progress_that_goes_back_is_seen() {
    let told = store();
    let mut judge = all(2);
    judge.gets(&told, &[2, 3]).unwrap();
    breaks(Rule::W1, judge.clone().progress(told.past(), 2));
    judge.progress(told.past(), 3).unwrap();
    judge.progress(told.past(), 3).unwrap();
    let mut quiet = WatchJudge::opened(opened(Span::of("x", ""), 2)).unwrap();
    quiet.progress(told.past(), 5).unwrap();
    breaks(Rule::W1, quiet.progress(told.past(), 4));
}

#[test]
fn w2_an_event_that_comes_twice_is_seen() {
    // #17247: what a transaction had cached was sent once more.
    let told = store();
    let events = told.events(4);
    let twice = [events.clone(), events[..1].to_vec()].concat();
    breaks(Rule::W2, all(4).delivered(told.past(), &twice, Part::Whole));
    let mut judge = all(4);
    judge.delivered(told.past(), &events, Part::Whole).unwrap();
    breaks(Rule::W2, judge.delivered(told.past(), &events, Part::Whole));
}

#[test]
fn w2_a_key_that_one_revision_changes_twice_is_no_repetition() {
    let told = Store::new(vec![vec![put("a", "1")], vec![delete("a"), put("a", "2")]]);
    all(2).gets(&told, &[2, 3]).unwrap();
    let mut events = told.events(3);
    events[1].before = None;
    all(3).delivered(told.past(), &events, Part::Whole).unwrap();
    events.push(events[0].clone());
    breaks(Rule::W2, all(3).delivered(told.past(), &events, Part::Whole));
}

#[test]
fn w3_a_split_revision_is_seen() {
    let told = store();
    let events = told.events(4);
    breaks(Rule::W3, all(4).delivered(told.past(), &events[..1], Part::Whole));
    breaks(Rule::W3, all(4).delivered(told.past(), &events[..1], Part::More));
    let mut asked = WatchJudge::opened(Opened { fragment: true, ..opened(Span::of("a", "\0"), 4) }).unwrap();
    breaks(Rule::W3, asked.clone().delivered(told.past(), &events[..1], Part::Whole));
    asked.delivered(told.past(), &events[..1], Part::More).unwrap();
    asked.delivered(told.past(), &events[1..], Part::Whole).unwrap();
}

#[test]
fn w3_a_torn_fragment_is_asked_for_again() {
    let told = store();
    let events = told.events(4);
    let mut judge = WatchJudge::opened(Opened { fragment: true, ..opened(Span::of("a", "\0"), 4) }).unwrap();
    judge.delivered(told.past(), &events[..1], Part::More).unwrap();
    assert_eq!(judge.next_revision(), 4);
    judge.clone().reached(told.past(), 4).unwrap();
    breaks(Rule::W6, judge.clone().progress(told.past(), 4));
    breaks(Rule::W4, judge.clone().gets(&told, &[5]));
    judge.ended(told.past(), End::MemberGone).unwrap();
    breaks(Rule::W5, judge.clone().resumed(told.past(), 2, 1, 5));
    judge.resumed(told.past(), 2, 1, 4).unwrap();
    judge.gets(&told, &[4, 5]).unwrap();
}

#[test]
fn w4_a_gap_is_seen() {
    let told = store();
    breaks(Rule::W4, all(2).gets(&told, &[2, 4]));
    breaks(Rule::W4, all(2).gets(&told, &[3]));
    breaks(Rule::W4, all(4).delivered(told.past(), &told.events(4)[1..], Part::Whole));
    breaks(Rule::W4, all(2).reached(told.past(), 3));
    all(2).reached(told.past(), 2).unwrap();
    all(3).gets(&told, &[3, 4]).unwrap();
    // Of one key, what happens to the others is no gap.
    let mut judge = WatchJudge::opened(opened(Span::of("a", ""), 2)).unwrap();
    judge.gets(&told, &[2]).unwrap();
    judge.delivered(told.past(), &told.events(4)[..1], Part::Whole).unwrap();
    breaks(Rule::W4, judge.gets(&told, &[6]));
}

#[test]
fn w4_a_tombstone_lost_to_a_compaction_is_seen() {
    // #18089, #19179: compacted at a tombstone's own revision, the event was gone for a watch that needed it.
    let mut told = store();
    told.replay.compacted(5);
    breaks(Rule::W4, all(5).gets(&told, &[6]));
    let mut judge = all(5);
    let mut tombstone = told.events(5);
    tombstone[0].before = None;
    judge.delivered(told.past(), &tombstone, Part::Whole).unwrap();
    judge.gets(&told, &[6]).unwrap();
}

#[test]
fn w4_what_never_happened_is_seen() {
    let told = store();
    let mut event = told.events(6).remove(0);
    event.pair.key = "c".into();
    breaks(Rule::W4, all(6).delivered(told.past(), &[event.clone()], Part::Whole));
    event.pair.mod_revision = 7;
    breaks(Rule::W4, all(7).delivered(told.past(), &[event], Part::Whole));
}

#[test]
fn w5_a_resumed_watch_that_skips_is_seen() {
    let told = store();
    let mut judge = all(2);
    judge.gets(&told, &[2, 3]).unwrap();
    judge.ended(told.past(), End::MemberGone).unwrap();
    breaks(Rule::W5, judge.clone().resumed(told.past(), 2, 1, 5));
    breaks(Rule::W5, judge.clone().resumed(told.past(), 2, 1, 3));
    judge.resumed(told.past(), 2, 1, 4).unwrap();
    breaks(Rule::W5, judge.clone().gets(&told, &[5]));
    breaks(Rule::W5, judge.clone().delivered(told.past(), &told.events(4)[1..], Part::Whole));
    judge.gets(&told, &[4, 5]).unwrap();
    breaks(Rule::W5, judge.clone().reached(told.past(), 5));
    judge.reached(told.past(), 6).unwrap();
}

#[test]
fn w5_a_watch_that_was_compacted_goes_on_where_history_begins() {
    let mut told = store();
    told.replay.compacted(5);
    let mut judge = all(2);
    judge.gets(&told, &[2]).unwrap();
    judge.ended(told.past(), End::Compacted { compacted: 5 }).unwrap();
    breaks(Rule::W5, judge.clone().resumed(told.past(), 3, 1, 2));
    judge.resumed(told.past(), 3, 1, 5).unwrap();
    breaks(Rule::W5, judge.clone().gets(&told, &[6]));
    judge.gets(&told, &[5, 6]).unwrap();
}

#[test]
fn w6_progress_that_overtakes_is_seen() {
    // #15220: a notification was sent past events that were waiting.
    let told = store();
    let mut judge = all(2);
    judge.gets(&told, &[2]).unwrap();
    breaks(Rule::W6, judge.clone().progress(told.past(), 3));
    judge.progress(told.past(), 2).unwrap();
    judge.gets(&told, &[3]).unwrap();
    breaks(Rule::W6, judge.clone().progress(told.past(), 7));
}

#[test]
fn w6_an_event_behind_progress_is_seen() {
    let told = store();
    let mut judge = WatchJudge::opened(opened(Span::of("b", ""), 2)).unwrap();
    judge.delivered(told.past(), &told.events(3), Part::Whole).unwrap();
    judge.delivered(told.past(), &told.events(4)[1..], Part::Whole).unwrap();
    let mut late = told.events(4).remove(1);
    late.pair.mod_revision = 5;
    let mut past_it = judge.clone();
    past_it.reached(told.past(), 7).unwrap();
    breaks(Rule::W6, past_it.delivered(told.past(), &[late.clone()], Part::Whole));
    judge.progress(told.past(), 6).unwrap();
    breaks(Rule::W6, judge.delivered(told.past(), &[late], Part::Whole));
}

#[test]
fn w7_a_filter_that_is_ignored_is_seen() {
    let told = store();
    let no_put = || WatchJudge::opened(Opened { no_put: true, ..opened(Span::of("a", "\0"), 5) }).unwrap();
    no_put().gets(&told, &[5]).unwrap();
    breaks(Rule::W7, no_put().gets(&told, &[5, 6]));
    let no_delete = Opened { no_delete: true, ..opened(Span::of("a", "\0"), 5) };
    let no_delete = || WatchJudge::opened(no_delete.clone()).unwrap();
    no_delete().gets(&told, &[6]).unwrap();
    breaks(Rule::W7, no_delete().gets(&told, &[5]));
    let below_b = || WatchJudge::opened(opened(Span::of("a", "b"), 2)).unwrap();
    below_b().gets(&told, &[2]).unwrap();
    breaks(Rule::W7, below_b().gets(&told, &[2, 3]));
    let seen = below_b().gets(&told, &[2, 3]).unwrap_err().seen;
    assert!(seen.starts_with("the put of b at 3, which was not asked for (a watch of "), "{seen}");
}

#[test]
fn w7_a_pair_that_is_not_the_stores_is_seen() {
    let told = store();
    let wrong: [fn(&mut WatchEvent); 8] = [
        |event| event.pair.create_revision = event.pair.mod_revision,
        |event| event.pair.version += 1,
        |event| event.pair.lease = 7,
        |event| event.pair.value = "x".into(),
        |event| event.before = None,
        |event| event.before.as_mut().unwrap().value = "x".into(),
        |event| event.before.as_mut().unwrap().mod_revision += 1,
        |event| event.is_delete = true,
    ];
    for wrong in wrong {
        let mut events = told.events(4);
        wrong(&mut events[0]);
        breaks(Rule::W7, all(4).delivered(told.past(), &events, Part::Whole));
    }
    let mut tombstone = told.events(5);
    tombstone[0].pair.create_revision = 2;
    breaks(Rule::W7, all(5).delivered(told.past(), &tombstone, Part::Whole));
    let mut created = told.events(6);
    created[0].before = told.past().pair_at(b"a", 4);
    breaks(Rule::W7, all(6).delivered(told.past(), &created, Part::Whole));
}

#[test]
fn w7_what_was_before_may_be_forgotten_but_not_wrong() {
    let mut told = store();
    let mut judge = WatchJudge::opened(Opened { prev_kv: false, ..opened(Span::of("a", "\0"), 4) }).unwrap();
    breaks(Rule::W7, judge.clone().gets(&told, &[4]));
    let mut events = told.events(4);
    events.iter_mut().for_each(|event| event.before = None);
    judge.delivered(told.past(), &events, Part::Whole).unwrap();
    told.replay.compacted(3);
    breaks(Rule::W7, all(4).delivered(told.past(), &events, Part::Whole));
    told.replay.compacted(4);
    all(4).delivered(told.past(), &events, Part::Whole).unwrap();
    all(4).gets(&told, &[4]).unwrap();
    events[0].before = told.past().pair_at(b"b", 3);
    breaks(Rule::W7, all(4).delivered(told.past(), &events, Part::Whole));
}

#[test]
fn w8_an_event_below_the_start_is_seen() {
    // #20221: a watch of the future was sent the past, after its member took an image.
    let told = store();
    breaks(Rule::W8, all(9).gets(&told, &[6]));
    breaks(Rule::W8, all(5).gets(&told, &[4]));
    all(5).gets(&told, &[5]).unwrap();
    let mut judge = all(2);
    judge.gets(&told, &[2, 3]).unwrap();
    judge.ended(told.past(), End::MemberGone).unwrap();
    judge.resumed(told.past(), 2, 1, 4).unwrap();
    breaks(Rule::W8, judge.gets(&told, &[3]));
}

#[test]
fn w8_progress_below_the_start_is_seen() {
    // #20221, its other half.
    let told = store();
    breaks(Rule::W8, all(9).progress(told.past(), 6));
    all(7).progress(told.past(), 6).unwrap();
    breaks(Rule::W8, WatchJudge::opened(opened(Span::of("a", ""), -1)).map(|_| ())); // PR #20707
}

#[test]
fn w9_a_silent_end_is_seen() {
    // #17529: a watch that had fallen behind a compaction was dropped without a word.
    let mut told = store();
    breaks(Rule::W9, all(2).ended(told.past(), End::Silent));
    let compacted = |compacted| End::Compacted { compacted };
    breaks(Rule::W9, all(2).ended(told.past(), compacted(3)));
    told.replay.compacted(4);
    let mut judge = all(2);
    judge.gets(&told, &[2]).unwrap();
    breaks(Rule::W9, judge.clone().ended(told.past(), compacted(5)));
    breaks(Rule::W9, judge.clone().ended(told.past(), compacted(3)));
    judge.clone().ended(told.past(), compacted(4)).unwrap();
    judge.gets(&told, &[3]).unwrap();
    breaks(Rule::W9, judge.ended(told.past(), compacted(4)));
    for end in [End::Cancelled, End::MemberGone, End::Permission, End::Incarnation] {
        all(2).ended(told.past(), end).unwrap();
    }
}

#[test]
fn w9_an_overload_says_where_to_go_on() {
    let told = store();
    let mut judge = all(2);
    judge.gets(&told, &[2, 3]).unwrap();
    breaks(Rule::W9, judge.clone().ended(told.past(), End::Overload { resume: 5 }));
    breaks(Rule::W9, judge.clone().ended(told.past(), End::Overload { resume: 3 }));
    judge.ended(told.past(), End::Overload { resume: 4 }).unwrap();
}

#[test]
fn w9_a_watch_that_goes_on_after_its_end_is_seen() {
    let told = store();
    let mut judge = all(2);
    judge.gets(&told, &[2]).unwrap();
    judge.ended(told.past(), End::Cancelled).unwrap();
    breaks(Rule::W9, judge.clone().gets(&told, &[3]));
    breaks(Rule::W9, judge.clone().progress(told.past(), 2));
    breaks(Rule::W9, judge.ended(told.past(), End::MemberGone));
}

#[test]
fn w9_another_incarnation_is_not_gone_on_with() {
    // #16028: a backup takes revisions back, and watches waited for ones that had been and gone.
    let told = store();
    let mut judge = all(2);
    judge.gets(&told, &[2]).unwrap();
    judge.ended(told.past(), End::MemberGone).unwrap();
    breaks(Rule::W9, judge.clone().resumed(told.past(), 1, 2, 3));
    judge.resumed(told.past(), 1, 1, 3).unwrap();
    judge.ended(told.past(), End::Incarnation).unwrap();
    breaks(Rule::W9, judge.resumed(told.past(), 1, 1, 3));
}

#[test]
fn w10_a_watch_that_stays_behind_is_seen() {
    // #8411: nobody told the watches that their member's state had been replaced.
    let told = store();
    let mut judge = all(2);
    judge.gets(&told, &[2, 3, 4, 5]).unwrap();
    breaks(Rule::W10, judge.finish(told.past(), true));
    judge.finish(told.past(), false).unwrap();
    let mut ended = judge.clone();
    ended.ended(told.past(), End::MemberGone).unwrap();
    ended.finish(told.past(), true).unwrap();
    judge.gets(&told, &[6]).unwrap();
    judge.finish(told.past(), true).unwrap();
    WatchJudge::opened(opened(Span::of("x", ""), 2)).unwrap().finish(told.past(), true).unwrap();
    all(9).finish(told.past(), true).unwrap();
}

#[test]
fn w10_a_fragment_that_promises_more_is_waited_for() {
    let told = store();
    let mut judge = WatchJudge::opened(Opened { fragment: true, ..opened(Span::of("a", "\0"), 5) }).unwrap();
    judge.delivered(told.past(), &[told.events(5), told.events(6)].concat(), Part::More).unwrap();
    judge.finish(told.past(), false).unwrap();
    breaks(Rule::W10, judge.finish(told.past(), true));
    let mut gone = judge.clone();
    gone.ended(told.past(), End::MemberGone).unwrap();
    gone.finish(told.past(), true).unwrap();
    // That there was no more is said by a last part without events.
    judge.delivered(told.past(), &[], Part::Whole).unwrap();
    judge.finish(told.past(), true).unwrap();
    assert_eq!(judge.next_revision(), 7);
    // Of a revision of which there was more, it is not true.
    let mut torn = WatchJudge::opened(Opened { fragment: true, ..opened(Span::of("a", "\0"), 4) }).unwrap();
    torn.delivered(told.past(), &told.events(4)[..1], Part::More).unwrap();
    breaks(Rule::W3, torn.delivered(told.past(), &[], Part::Whole));
}

#[test]
fn w11_a_watch_that_waits_for_a_slow_one_is_seen() {
    let at = Moment::from_millis;
    let events = [(at(12), at(10)), (at(29), at(20)), (at(30), at(31))];
    assert_eq!(not_delayed(events, at(9)), Ok(at(9)));
    breaks(Rule::W11, not_delayed(events, at(8)).map(|_| ()));
}
