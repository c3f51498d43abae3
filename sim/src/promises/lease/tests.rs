//! Each rule broken in the smallest way, beside the nearest run that is legal.

use super::*;

mod random;

const TTL: Duration = Duration::from_secs(10);

fn at(seconds: f64) -> Moment {
    Moment::from_secs_f64(seconds)
}

fn call(sent: f64, answered: f64) -> Call {
    Call::new(at(sent), at(answered))
}

fn seen_at(processed: f64, call: Call) -> Call {
    Call { processed: Some(at(processed)), ..call }
}

/// Clocks within a tenth, a second for an election, two for the rest; four seconds lost with a leader.
fn bounds() -> LeaseBounds {
    let second = Duration::from_secs;
    LeaseBounds { drift_ppm: 100_000, election: second(1), checkpoint: second(4), slack: second(2) }
}

/// Lease 7, of ten seconds: asked for at 0, granted by 1, with the key `k` on it.
fn granted() -> LeaseJudge {
    let mut judge = LeaseJudge::new(bounds());
    judge.granted(7, TTL, call(0.0, 1.0)).unwrap();
    judge.revision(2, at(1.5), &[put("k", 7)], Cause::Other).unwrap();
    judge
}

fn put(key: &'static str, lease: i64) -> Change {
    Change::Put { key: key.into(), value: "".into(), lease }
}

fn delete(key: &'static str) -> Change {
    Change::Delete { key: key.into() }
}

fn expires(judge: &mut LeaseJudge, seconds: f64) -> Result<(), Broken> {
    judge.revision(3, at(seconds), &[delete("k")], Cause::Lease)
}

#[track_caller]
fn breaks(rule: Rule, verdict: Result<(), Broken>) {
    assert_eq!(verdict.expect_err("no alarm").rule, rule);
}

#[test]
fn e1_a_lease_that_ends_early_is_seen() {
    // A clock that is a tenth faster counts ten seconds in 9.09.
    breaks(Rule::E1, expires(&mut granted(), 9.0));
    expires(&mut granted(), 9.1).unwrap();
    let mut judge = granted();
    judge.renewed(7, TTL, call(5.0, 6.0)).unwrap();
    breaks(Rule::E1, expires(&mut judge.clone(), 14.0));
    expires(&mut judge, 14.1).unwrap();
}

#[test]
fn e1_a_deposed_leader_must_not_acknowledge() {
    // #12528, #15247: it renewed what its successor had ended, or ended what its successor had renewed.
    let mut judge = granted();
    expires(&mut judge, 12.0).unwrap();
    breaks(Rule::E1, judge.clone().renewed(7, TTL, call(11.0, 13.0)));
    breaks(Rule::E3, judge.clone().renewed(7, TTL, call(12.5, 13.0)));
    judge.renewed(7, TTL, call(2.0, 13.0)).unwrap();
}

#[test]
fn e1_who_knows_when_it_was_processed_judges_more_sharply() {
    let mut judge = granted();
    judge.renewed(7, TTL, call(5.0, 8.0)).unwrap();
    expires(&mut judge, 15.0).unwrap();
    let mut judge = granted();
    judge.renewed(7, TTL, seen_at(7.0, call(5.0, 8.0))).unwrap();
    breaks(Rule::E1, expires(&mut judge.clone(), 15.0));
    expires(&mut judge, 16.1).unwrap();
}

#[test]
fn e1_gone_is_as_good_as_an_end_in_the_log() {
    breaks(Rule::E1, granted().gone(7, call(7.0, 8.0)));
    granted().gone(7, call(8.0, 9.5)).unwrap();
    // Asked before the grant was answered: there may have been none yet.
    granted().gone(7, call(0.5, 3.0)).unwrap();
}

#[test]
fn e1_an_early_end_may_be_a_revocation() {
    let mut judge = granted();
    judge.revoke_asked(7, at(5.0));
    breaks(Rule::E1, expires(&mut judge.clone(), 4.9));
    expires(&mut judge, 5.1).unwrap();
    // A revocation nobody heard of may hit the lease that has the id next.
    judge.granted(7, TTL, call(6.0, 7.0)).unwrap();
    judge.gone(7, call(8.0, 8.5)).unwrap();
    let mut heard = granted();
    heard.revoke_asked(7, at(4.0));
    heard.revoked(7, call(4.0, 5.0)).unwrap();
    expires(&mut heard, 5.0).unwrap();
    heard.granted(7, TTL, call(6.0, 7.0)).unwrap();
    breaks(Rule::E1, heard.gone(7, call(8.0, 8.5)));
}

#[test]
fn e1_an_id_is_not_granted_again_while_it_must_live() {
    breaks(Rule::E1, granted().granted(7, TTL, call(3.0, 4.0)));
    granted().granted(7, TTL, call(9.0, 10.0)).unwrap();
}

#[test]
fn e1_a_log_that_is_seen_late_ends_the_lease_before() {
    let mut judge = granted();
    judge.granted(7, TTL, call(11.0, 12.0)).unwrap();
    expires(&mut judge, 13.0).unwrap();
    judge.revision(4, at(13.5), &[put("k", 7)], Cause::Other).unwrap();
    breaks(Rule::E1, judge.revision(5, at(14.0), &[delete("k")], Cause::Lease));
}

#[test]
fn e2_a_lease_that_outlives_its_bound_is_seen() {
    // Ten seconds by a slow clock are 11.1; counted from the answer at 1, and two to spare.
    expires(&mut granted(), 14.1).unwrap();
    breaks(Rule::E2, expires(&mut granted(), 14.2));
    granted().finish(at(14.1)).unwrap();
    breaks(Rule::E2, granted().finish(at(14.2)));
    breaks(Rule::E2, granted().told(7, TTL, call(14.2, 14.3)));
    breaks(Rule::E2, granted().renewed(7, TTL, call(14.2, 14.3)));
    granted().told(7, TTL, call(14.0, 99.0)).unwrap();
}

#[test]
fn e2_time_that_begins_anew_with_each_leader_is_seen() {
    // #9888, #13508, #17132: what had passed was forgotten, from the first or the second change on.
    let mut judge = granted();
    judge.leader_changed(at(5.0));
    expires(&mut judge.clone(), 19.6).unwrap();
    breaks(Rule::E2, expires(&mut judge.clone(), 19.8));
    judge.leader_changed(at(9.0));
    judge.leader_changed(at(13.0));
    expires(&mut judge.clone(), 30.0).unwrap();
    breaks(Rule::E2, expires(&mut judge.clone(), 31.0));
    judge.renewed(7, TTL, call(14.0, 15.0)).unwrap();
    breaks(Rule::E2, expires(&mut judge.clone(), 29.0));
    expires(&mut judge, 28.0).unwrap();
}

#[test]
fn e2_a_renewal_nobody_heard_of_may_have_been_one() {
    let mut judge = granted();
    judge.may_be_renewed(7, at(4.0), at(8.0));
    expires(&mut judge.clone(), 21.0).unwrap();
    breaks(Rule::E2, expires(&mut judge.clone(), 21.2));
    expires(&mut judge, 9.5).unwrap();
}

#[test]
fn e2_nothing_ends_while_nobody_can_end_it() {
    let mut judge = granted();
    judge.held_up(at(3.0), at(8.0));
    judge.held_up(at(18.0), at(28.0));
    expires(&mut judge.clone(), 19.1).unwrap();
    breaks(Rule::E2, expires(&mut judge, 30.0));
}

#[test]
fn e3_a_lease_that_comes_back_is_seen() {
    // PR #7029, PR #20615: renewed although it had been revoked.
    let mut judge = granted();
    judge.revoke_asked(7, at(2.0));
    judge.revoked(7, call(2.0, 3.0)).unwrap();
    judge.clone().renewed(7, TTL, call(2.5, 5.0)).unwrap();
    breaks(Rule::E3, judge.clone().renewed(7, TTL, call(3.1, 5.0)));
    breaks(Rule::E3, judge.clone().told(7, TTL, call(3.1, 5.0)));
    breaks(Rule::E3, judge.clone().used(7, call(3.1, 5.0)));
    breaks(Rule::E3, judge.clone().revoked(7, call(3.1, 5.0)));
    judge.grant_asked(7, at(4.0));
    judge.clone().renewed(7, TTL, call(3.1, 5.0)).unwrap();
    breaks(Rule::E3, judge.clone().renewed(7, TTL, call(3.1, 3.9)));
    let mut refused = judge.clone();
    refused.grant_refused(7);
    breaks(Rule::E3, refused.renewed(7, TTL, call(3.1, 5.0)));
    judge.granted(7, TTL, call(4.0, 6.0)).unwrap();
    judge.renewed(7, TTL, call(6.5, 7.0)).unwrap();
}

#[test]
fn e3_the_end_may_be_told_after_the_renewal() {
    let mut judge = granted();
    judge.revoke_asked(7, at(2.0));
    judge.used(7, call(6.0, 7.0)).unwrap();
    breaks(Rule::E3, judge.clone().gone(7, call(4.0, 5.0)));
    judge.gone(7, call(4.0, 6.0)).unwrap();
}

#[test]
fn e3_a_key_hung_on_a_dead_lease_is_seen() {
    let mut judge = granted();
    expires(&mut judge, 12.0).unwrap();
    judge.revision(4, at(12.5), &[put("k", 0)], Cause::Other).unwrap();
    breaks(Rule::E3, judge.clone().revision(5, at(13.0), &[put("k", 7)], Cause::Other));
    judge.grant_asked(7, at(12.9));
    judge.revision(5, at(13.0), &[put("k", 7)], Cause::Other).unwrap();
}

#[test]
fn e4_more_than_was_granted_is_seen() {
    // PR #17642: while leaders changed, 9223372036 seconds were left.
    breaks(Rule::E4, granted().told(7, Duration::from_secs(9_223_372_036), call(2.0, 3.0)));
    breaks(Rule::E4, granted().renewed(7, TTL + Duration::from_millis(1), call(2.0, 3.0)));
    granted().renewed(7, TTL, call(2.0, 3.0)).unwrap();
}

#[test]
fn e6_a_lease_that_leaves_a_key_is_seen() {
    let mut judge = granted();
    judge.revision(3, at(2.0), &[put("l", 7), put("m", 0), put("n", 7)], Cause::Other).unwrap();
    judge.revision(4, at(3.0), &[put("n", 0)], Cause::Other).unwrap();
    breaks(Rule::E6, judge.clone().revision(5, at(12.0), &[delete("k")], Cause::Lease));
    breaks(Rule::E6, judge.clone().revision(5, at(12.0), &[delete("k"), delete("m")], Cause::Lease));
    let with_n = [delete("k"), delete("l"), delete("n")];
    breaks(Rule::E6, judge.clone().revision(5, at(12.0), &with_n, Cause::Lease));
    breaks(Rule::E6, judge.clone().revision(5, at(12.0), &[put("k", 7)], Cause::Lease));
    judge.clone().revision(5, at(12.0), &[delete("k"), delete("l")], Cause::Lease).unwrap();
    // A client may delete what it likes, and that ends no lease.
    judge.revision(5, at(3.0), &[delete("k")], Cause::Other).unwrap();
    judge.renewed(7, TTL, call(4.0, 5.0)).unwrap();
    judge.gone(7, call(14.0, 15.0)).unwrap();
    breaks(Rule::E6, judge.clone().finish(at(15.0)));
    judge.revision(6, at(14.9), &[delete("l")], Cause::Lease).unwrap();
    judge.finish(at(99.0)).unwrap();
}

#[test]
fn e7_a_clock_that_stands_ends_nothing() {
    let mut judge = granted();
    judge.clock_stood(at(4.0), at(7.0));
    breaks(Rule::E7, expires(&mut judge.clone(), 12.0));
    breaks(Rule::E1, expires(&mut judge.clone(), 9.0));
    expires(&mut judge.clone(), 12.1).unwrap();
    expires(&mut judge.clone(), 17.1).unwrap();
    breaks(Rule::E2, expires(&mut judge.clone(), 17.2));
    // Decided before, seen during: what was counted then counts.
    let mut judge = granted();
    judge.clock_stood(at(9.5), at(20.0));
    judge.clock_stood(at(10.0), at(20.0));
    expires(&mut judge, 12.0).unwrap();
    // Of what stood while the renewal was under way, nothing is known.
    let mut judge = granted();
    judge.clock_stood(at(0.0), at(1.0));
    expires(&mut judge, 9.5).unwrap();
}

#[test]
fn e_what_is_forgotten_is_not_judged() {
    let mut judge = granted();
    judge.forget(7);
    expires(&mut judge, 2.0).unwrap();
}
