//! Where a watch that ended may go on.

use super::*;

#[test]
fn w5_a_watch_that_was_compacted_does_not_skip_what_is_there() {
    let mut told = store();
    told.replay.compacted(4);
    let mut judge = all(2);
    judge.gets(&told, &[2]).unwrap();
    judge.ended(told.past(), End::Compacted { compacted: 4 }).unwrap();
    for start in [5, 6, 7, 1000, Revision::MAX] {
        breaks(Rule::W5, judge.clone().resumed(told.past(), 2, 1, start));
    }
    // At the compaction's own revision its events are there.
    let mut at_it = judge.clone();
    at_it.resumed(told.past(), 2, 1, 4).unwrap();
    at_it.gets(&told, &[4, 5, 6]).unwrap();
    at_it.finish(told.past(), true).unwrap();
    // Another member may have more.
    let mut before_it = judge.clone();
    before_it.resumed(told.past(), 2, 1, 3).unwrap();
    before_it.gets(&told, &[3, 4, 5, 6]).unwrap();
    // Even where nothing lies between: it could not know that.
    let mut quiet = WatchJudge::opened(opened(Span::of("x", ""), 2)).unwrap();
    quiet.ended(told.past(), End::Compacted { compacted: 4 }).unwrap();
    breaks(Rule::W5, quiet.resumed(told.past(), 2, 1, 5));
}

#[test]
fn w5_an_owner_who_reads_anew_goes_on_behind_what_was_read() {
    let mut told = store();
    told.replay.compacted(4);
    let mut judge = all(2);
    judge.gets(&told, &[2, 3]).unwrap();
    breaks(Rule::W5, judge.clone().reread(told.past(), 2));
    breaks(Rule::W5, judge.clone().reread(told.past(), 7));
    judge.ended(told.past(), End::MemberGone).unwrap();
    judge.reread(told.past(), 5).unwrap();
    breaks(Rule::W5, judge.clone().resumed(told.past(), 2, 1, 5));
    breaks(Rule::W5, judge.clone().resumed(told.past(), 2, 1, 7));
    judge.resumed(told.past(), 2, 1, 6).unwrap();
    // It holds for this once.
    judge.clone().ended(told.past(), End::MemberGone).unwrap();
    breaks(Rule::W5, judge.clone().resumed(told.past(), 2, 1, 7));
    judge.gets(&told, &[6]).unwrap();
    judge.finish(told.past(), true).unwrap();

    let mut compacted = all(2);
    compacted.ended(told.past(), End::Compacted { compacted: 4 }).unwrap();
    compacted.reread(told.past(), 6).unwrap();
    compacted.resumed(told.past(), 2, 1, 7).unwrap();
    compacted.finish(told.past(), true).unwrap();
}

#[test]
fn w5_nobody_goes_on_in_a_future_that_was_not_asked_for() {
    let told = store();
    let mut judge = all(2);
    judge.gets(&told, &[2, 3, 4, 5, 6]).unwrap();
    judge.ended(told.past(), End::MemberGone).unwrap();
    judge.clone().resumed(told.past(), 2, 1, 7).unwrap();
    breaks(Rule::W5, judge.resumed(told.past(), 2, 1, 8));
    let mut future = all(9);
    future.ended(told.past(), End::MemberGone).unwrap();
    breaks(Rule::W5, future.clone().resumed(told.past(), 2, 1, 10));
    future.resumed(told.past(), 2, 1, 9).unwrap();
}
