//! Every rule of the judge of histories by name: the smallest history that breaks it, and beside it one that
//! looks much the same and is fine. The oracle must say so too.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kvorum_sim::history::{
    Change, Compare, Delete, EventLog, KeyValue, Op, Operand, Outcome, Put, Range, Relation, Request,
    Response, Revision, Rule, Span, Summary, Txn, check, check_with_lease_ends, oracle,
};

fn log(revisions: &[&[Change]]) -> EventLog {
    let mut log = EventLog::new();
    for (at, changes) in revisions.iter().enumerate() {
        log.push(at as Revision + 2, changes.to_vec()).unwrap();
    }
    log
}

fn wrote(key: &'static str, value: &'static str) -> Change {
    Change::Put { key: key.into(), value: value.into(), lease: 0 }
}

fn leased(key: &'static str, lease: i64) -> Change {
    Change::Put { key: key.into(), value: "v".into(), lease }
}

fn gone(key: &'static str) -> Change {
    Change::Delete { key: key.into() }
}

fn pair(
    key: &'static str,
    value: &'static str,
    create: Revision,
    changed: Revision,
    version: i64,
) -> KeyValue {
    let (key, value) = (key.into(), value.into());
    KeyValue { key, value, create_revision: create, mod_revision: changed, version, lease: 0 }
}

/// A request from `call` to `ret`, which is refused until something else is said.
fn op(call: u64, ret: u64, request: Request) -> Op {
    let outcome = Outcome::Refused;
    Op { client: 1, attempt_of: None, member: None, incarnation: 0, call, ret, request, outcome }
}

fn put(call: u64, ret: u64, key: &'static str, value: &'static str) -> Op {
    op(call, ret, Request::Put(Put { key: key.into(), value: value.into(), ..Put::default() }))
}

fn put_leased(call: u64, ret: u64, key: &'static str, lease: i64) -> Op {
    op(call, ret, Request::Put(Put { key: key.into(), value: "v".into(), lease, ..Put::default() }))
}

fn delete(call: u64, ret: u64, key: &'static str) -> Op {
    op(call, ret, Request::Delete(Delete { span: Span::one(key), prev_kv: false }))
}

fn read(call: u64, ret: u64, range: Range) -> Op {
    op(call, ret, Request::Range(Range { span: Span::from("a"), ..range }))
}

fn get(call: u64, ret: u64) -> Op {
    read(call, ret, Range::default())
}

fn local(call: u64, ret: u64, member: u64) -> Op {
    Op { member: Some(member), ..read(call, ret, Range { serializable: true, ..Range::default() }) }
}

/// Put 'if the key is as it was when it did not exist'.
fn create(call: u64, ret: u64, key: &'static str, value: &'static str) -> Op {
    let compare = Compare { span: Span::one(key), relation: Relation::Equal, operand: Operand::Create(0) };
    let put = Request::Put(Put { key: key.into(), value: value.into(), ..Put::default() });
    op(call, ret, Request::Txn(Txn { compares: vec![compare], success: vec![put], failure: Vec::new() }))
}

fn told(op: Op, revision: Revision, response: Response) -> Op {
    Op { outcome: Outcome::Answered { revision, response }, ..op }
}

fn done(op: Op, revision: Revision) -> Op {
    told(op, revision, Response::Put { prev: None })
}

fn deleted(op: Op, revision: Revision, deleted: i64) -> Op {
    told(op, revision, Response::Delete { deleted, prev: Vec::new() })
}

fn saw(op: Op, revision: Revision, kvs: &[KeyValue]) -> Op {
    told(op, revision, Response::Range { kvs: kvs.to_vec(), more: false, count: kvs.len() as i64 })
}

fn unknown(op: Op) -> Op {
    Op { outcome: Outcome::Unknown, ..op }
}

fn attempt(op: Op, number: u64) -> Op {
    Op { attempt_of: Some(number), ..op }
}

#[track_caller]
fn fine(log: &EventLog, ops: &[Op]) -> Summary {
    assert!(oracle::can_be_true(log, ops, None), "the oracle finds no order");
    check(log, ops).unwrap_or_else(|broken| panic!("{broken}"))
}

#[track_caller]
fn breaks(rule: Rule, log: &EventLog, ops: &[Op]) {
    assert!(!oracle::can_be_true(log, ops, None), "the oracle finds an order");
    let broken = check(log, ops).expect_err("the judge finds nothing wrong");
    assert_eq!(broken.rule, rule, "{broken}");
    assert!(broken.ops.iter().all(|&at| at < ops.len()));
    assert!(!broken.seen.is_empty() && broken.to_string().starts_with(rule.sentence()));
}

#[test]
fn a_request_ends_after_it_begins() {
    let log = log(&[&[wrote("a", "1")]]);
    breaks(Rule::Malformed, &log, &[done(put(9, 3, "a", "1"), 2)]);
    fine(&log, &[done(put(9, 9, "a", "1"), 2)]);
}

#[test]
fn attempts_of_one_request_ask_for_the_same() {
    let log = log(&[&[wrote("a", "1")]]);
    let with = |value| [attempt(unknown(put(0, 5, "a", "1")), 7), attempt(unknown(put(6, 9, "a", value)), 7)];
    breaks(Rule::Malformed, &log, &with("2"));
    fine(&log, &with("1"));
}

#[test]
fn an_acknowledged_write_is_not_lost() {
    let log = log(&[&[wrote("a", "1")]]);
    let first = done(put(0, 5, "a", "1"), 2);
    breaks(Rule::Lost, &log, &[first.clone(), done(put(6, 9, "a", "2"), 3)]);
    fine(&log, &[first, unknown(put(6, 9, "a", "2"))]);
}

#[test]
fn nobody_sees_a_revision_that_never_was() {
    let log = log(&[&[wrote("a", "1")]]);
    let first = done(put(0, 5, "a", "1"), 2);
    for never in [3, 0, -1, Revision::MIN, Revision::MAX] {
        breaks(
            Rule::NoSuchRevision,
            &log,
            &[first.clone(), saw(get(6, 9), never, &[pair("a", "1", 2, 2, 1)])],
        );
    }
    fine(&log, &[first, saw(get(6, 9), 2, &[pair("a", "1", 2, 2, 1)])]);
}

#[test]
fn two_cannot_have_made_one_revision() {
    let log = log(&[&[wrote("a", "1")]]);
    breaks(Rule::ClaimedTwice, &log, &[done(put(0, 5, "a", "1"), 2), done(put(0, 5, "a", "1"), 2)]);
    // Two attempts of one request were.
    let twice = [0, 6].map(|call| attempt(done(put(call, call + 5, "a", "1"), 2), 7));
    fine(&log, &twice);
}

#[test]
fn an_acknowledged_write_does_what_it_says() {
    let log = log(&[&[wrote("a", "1")]]);
    breaks(Rule::WrongEffect, &log, &[done(put(0, 5, "a", "2"), 2)]);
    breaks(Rule::WrongEffect, &log, &[done(put_leased(0, 5, "a", 7), 2)]);
    let keep = Request::Put(Put { key: "a".into(), ignore_value: true, ..Put::default() });
    breaks(Rule::WrongEffect, &log, &[done(op(0, 5, keep), 2)]);
    fine(&log, &[done(put(0, 5, "a", "1"), 2)]);
}

#[test]
fn an_answer_tells_what_the_store_held() {
    let log = log(&[&[wrote("a", "1")], &[wrote("b", "2"), wrote("c", "2")]]);
    let two =
        ["b", "c"].map(|key| Request::Put(Put { key: key.into(), value: "2".into(), ..Put::default() }));
    let txn = Request::Txn(Txn { success: two.to_vec(), ..Txn::default() });
    let answers = vec![Response::Put { prev: None }; 2];
    let first = done(put(0, 5, "a", "1"), 2);
    let second = told(op(6, 9, txn), 3, Response::Txn { succeeded: true, responses: answers });
    let rows = [pair("a", "1", 2, 2, 1), pair("b", "2", 3, 3, 1), pair("c", "2", 3, 3, 1)];
    let with = |reading: Op| [first.clone(), second.clone(), reading];
    let wrong = |change: &dyn Fn(&mut Vec<KeyValue>)| {
        let mut rows = rows.to_vec();
        change(&mut rows);
        breaks(Rule::WrongContent, &log, &with(saw(get(10, 11), 3, &rows)));
    };
    fine(&log, &with(saw(get(10, 11), 3, &rows)));
    wrong(&|rows| rows[1].value = "1".into());
    wrong(&|rows| rows[1].create_revision = 2);
    wrong(&|rows| rows[1].mod_revision = 2);
    wrong(&|rows| rows[1].version = 2);
    wrong(&|rows| rows[1].lease = 7);
    wrong(&|rows| rows.swap(0, 1));
    wrong(&|rows| drop(rows.remove(2)));
    let answer = |limit, kvs: &[KeyValue], more, count| {
        let range = Range { limit, ..Range::default() };
        with(told(read(10, 11, range), 3, Response::Range { kvs: kvs.to_vec(), more, count }))
    };
    fine(&log, &answer(2, &rows[..2], true, 3));
    fine(&log, &answer(3, &rows, false, 3));
    breaks(Rule::WrongContent, &log, &answer(2, &rows[..2], false, 3));
    breaks(Rule::WrongContent, &log, &answer(2, &rows[..2], true, 2));
    breaks(Rule::WrongContent, &log, &answer(2, &rows, false, 3));
    breaks(Rule::WrongContent, &log, &with(told(get(10, 11), 3, Response::Glance)));
    // At an explicit revision, the content is of then and the revision of now.
    let past =
        |revision, kvs: &[KeyValue]| with(saw(read(10, 11, Range { revision, ..Range::default() }), 3, kvs));
    fine(&log, &past(2, &rows[..1]));
    fine(&log, &past(1, &[]));
    breaks(Rule::WrongContent, &log, &past(2, &rows));
    breaks(Rule::WrongContent, &log, &past(4, &rows));
}

#[test]
fn a_failed_compare_fails_there() {
    let log = log(&[&[wrote("a", "1")]]);
    let first = done(put(0, 5, "a", "1"), 2);
    let failed = Response::Txn { succeeded: false, responses: Vec::new() };
    fine(&log, &[first.clone(), told(create(0, 9, "a", "2"), 2, failed.clone())]);
    breaks(Rule::WrongContent, &log, &[first, told(create(0, 9, "a", "2"), 1, failed)]);
}

#[test]
fn nothing_changes_unasked() {
    let log = log(&[&[wrote("a", "1")]]);
    breaks(Rule::Phantom, &log, &[]);
    breaks(Rule::Phantom, &log, &[unknown(put(0, 5, "a", "2")), unknown(put(0, 5, "b", "1"))]);
    assert_eq!(fine(&log, &[unknown(put(0, 5, "a", "1"))]).unknown_applied, 1);
}

#[test]
fn a_delete_of_nothing_takes_no_revision() {
    let written = done(put(0, 5, "b", "1"), 2);
    let one = log(&[&[wrote("b", "1")]]);
    fine(&one, &[written.clone(), deleted(delete(6, 9, "a"), 2, 0)]);
    // Etcd once counted such a revision up: then others see one that nothing made.
    breaks(Rule::NoSuchRevision, &one, &[written.clone(), deleted(delete(6, 9, "a"), 3, 0)]);
    let bumped = log(&[&[wrote("b", "1")], &[gone("a")]]);
    breaks(Rule::WrongEffect, &bumped, &[written.clone(), deleted(delete(6, 9, "a"), 3, 1)]);
    breaks(Rule::Phantom, &bumped, &[written, deleted(delete(6, 9, "a"), 3, 0)]);
}

#[test]
fn a_refused_request_has_no_effect_ever() {
    let log = log(&[&[wrote("a", "1")]]);
    breaks(Rule::RefusedVisible, &log, &[put(0, 5, "a", "1")]);
    fine(&log, &[put(0, 5, "a", "1"), unknown(put(0, 5, "a", "1"))]);
}

#[test]
fn a_request_is_applied_once() {
    let twice = log(&[&[wrote("a", "1")], &[wrote("a", "1")]]);
    breaks(Rule::AppliedTwice, &twice, &[done(put(0, 5, "a", "1"), 2)]);
    breaks(Rule::AppliedTwice, &twice, &[unknown(put(0, 5, "a", "1"))]);
    fine(&twice, &[unknown(put(0, 5, "a", "1")), unknown(put(2, 5, "a", "1"))]);
    fine(&twice, &[done(put(0, 5, "a", "1"), 3), unknown(put(2, 5, "a", "1"))]);
}

/// Two revisions can be explained only by the same request, though each has someone.
#[test]
fn explanations_are_not_shared() {
    let put_or = |compare: &'static str, then: &'static str, otherwise: &'static str| {
        let compare = Compare {
            span: Span::one("x"),
            relation: Relation::Equal,
            operand: Operand::Value(compare.into()),
        };
        let put = |key: &'static str| {
            vec![Request::Put(Put { key: key.into(), value: "1".into(), ..Put::default() })]
        };
        let txn = Txn { compares: vec![compare], success: put(then), failure: put(otherwise) };
        unknown(op(0, 5, Request::Txn(txn)))
    };
    // Before x is 1 the transaction writes a, afterwards b.
    let log = log(&[&[wrote("a", "1")], &[wrote("x", "1")], &[wrote("b", "1")]]);
    let x = done(put(0, 9, "x", "1"), 3);
    breaks(Rule::AppliedTwice, &log, &[x.clone(), put_or("1", "b", "a")]);
    fine(&log, &[x.clone(), put_or("1", "b", "a"), put_or("1", "b", "c")]);
    // The first explanation that fits the first revision is the only one of the last.
    fine(&log, &[x, put_or("1", "b", "a"), unknown(put(1, 5, "a", "1"))]);
}

/// A client library that tries again by itself, and tells its user of the last answer only.
#[test]
fn a_retried_transaction_is_not_applied_twice() {
    let twice = log(&[&[wrote("a", "1")], &[gone("a")], &[wrote("a", "1")]]);
    let created = Response::Txn { succeeded: true, responses: vec![Response::Put { prev: None }] };
    let removed = deleted(delete(10, 20, "a"), 3, 1);
    let retried = told(create(0, 30, "a", "1"), 4, created.clone());
    breaks(Rule::AppliedTwice, &twice, &[removed.clone(), retried.clone()]);
    breaks(
        Rule::DuplicatedAttempt,
        &twice,
        &[
            removed.clone(),
            attempt(unknown(create(0, 9, "a", "1")), 7),
            attempt(told(create(10, 30, "a", "1"), 4, created.clone()), 7),
        ],
    );
    // Had they been two requests, both may have been done.
    fine(&twice, &[removed.clone(), unknown(create(0, 9, "a", "1")), retried]);
    // A store that deduplicates tells the second attempt of the first one's success, however long ago.
    let once = log(&[&[wrote("a", "1")], &[gone("a")]]);
    fine(
        &once,
        &[
            removed,
            attempt(unknown(create(0, 9, "a", "1")), 7),
            attempt(told(create(25, 30, "a", "1"), 2, created), 7),
        ],
    );
}

#[test]
fn attempts_are_answered_alike() {
    let log = log(&[&[wrote("a", "1")], &[wrote("a", "1")]]);
    let other = unknown(put(0, 9, "a", "1"));
    let with = |revision| {
        let first = attempt(done(put(0, 5, "a", "1"), 2), 7);
        [first, attempt(done(put(6, 9, "a", "1"), revision), 7), other.clone()]
    };
    breaks(Rule::DuplicatedAttempt, &log, &with(3));
    fine(&log, &with(2));
    // An attempt that was refused says nothing of the others, but has no effect itself.
    let refused = attempt(put(0, 5, "a", "1"), 7);
    let answered = |call| attempt(done(put(call, 9, "a", "1"), 3), 7);
    fine(&log, &[refused.clone(), answered(6), other.clone()]);
    let seen = saw(get(1, 5), 3, &[pair("a", "1", 2, 3, 2)]);
    breaks(Rule::Future, &log, &[refused, answered(6), other.clone(), seen.clone()]);
    fine(&log, &[attempt(unknown(put(0, 5, "a", "1")), 7), answered(6), other, seen]);
}

#[test]
fn a_read_is_not_stale_not_even_after_a_restart() {
    let log = log(&[&[wrote("a", "1")], &[wrote("a", "2")]]);
    let writes = [done(put(0, 5, "a", "1"), 2), done(put(6, 9, "a", "2"), 3)];
    let with = |last: Op| [writes[0].clone(), writes[1].clone(), last];
    let old = [pair("a", "1", 2, 2, 1)];
    let after_restart = Op { member: Some(1), incarnation: 1, ..get(10, 12) };
    breaks(Rule::StaleRead, &log, &with(saw(after_restart, 2, &old)));
    fine(&log, &with(saw(get(9, 12), 2, &old)));
    // A local one may be old.
    let summary = fine(&log, &with(saw(local(10, 12, 1), 2, &old)));
    assert_eq!(summary.staleness[..3], [0, 1, 0]);
    // What changed nothing and showed a revision is held to the same.
    let glance = |call, ret, revision| told(op(call, ret, Request::Glance), revision, Response::Glance);
    breaks(Rule::StaleRead, &log, &with(glance(10, 12, 2)));
    fine(&log, &with(glance(10, 12, 3)));
    // What a local read has shown, others must see from then on.
    let shown = saw(local(6, 7, 1), 3, &[pair("a", "2", 2, 3, 2)]);
    let all = |read: Op| [writes[0].clone(), writes[1].clone(), shown.clone(), read];
    breaks(Rule::StaleRead, &log, &all(saw(get(8, 9), 2, &old)));
    fine(&log, &all(saw(get(7, 9), 2, &old)));
}

#[test]
fn nothing_is_seen_before_it_is_asked() {
    let log = log(&[&[wrote("a", "1")]]);
    let seen = saw(get(0, 5), 2, &[pair("a", "1", 2, 2, 1)]);
    breaks(Rule::Future, &log, &[seen.clone(), done(put(6, 9, "a", "1"), 2)]);
    fine(&log, &[seen.clone(), done(put(5, 9, "a", "1"), 2)]);
    breaks(Rule::Future, &log, &[seen.clone(), unknown(put(6, 9, "a", "1"))]);
    fine(&log, &[seen, unknown(put(5, 9, "a", "1"))]);
    let glance = |ret| told(op(0, ret, Request::Glance), 2, Response::Glance);
    breaks(Rule::Future, &log, &[glance(5), unknown(put(6, 9, "a", "1"))]);
    fine(&log, &[glance(6), unknown(put(6, 9, "a", "1"))]);
    // Not in a local read either.
    let seen = saw(local(0, 5, 1), 2, &[pair("a", "1", 2, 2, 1)]);
    breaks(Rule::Future, &log, &[seen.clone(), unknown(put(6, 9, "a", "1"))]);
    fine(&log, &[seen, unknown(put(5, 9, "a", "1"))]);
}

/// Whoever shows a revision shows all those before it.
#[test]
fn older_revisions_are_older() {
    let log = log(&[&[wrote("a", "1")], &[wrote("b", "1")]]);
    let b = done(put(0, 5, "b", "1"), 3);
    breaks(Rule::Future, &log, &[b.clone(), unknown(put(6, 9, "a", "1"))]);
    fine(&log, &[b.clone(), unknown(put(5, 9, "a", "1"))]);
    // The first answer counts, however often it is repeated.
    let twice = [attempt(b, 7), attempt(done(put(10, 20, "b", "1"), 3), 7)];
    let with = |call| [twice[0].clone(), twice[1].clone(), unknown(put(call, 30, "a", "1"))];
    breaks(Rule::Future, &log, &with(6));
    fine(&log, &with(5));
}

#[test]
fn local_reads_do_not_go_back() {
    let log = log(&[&[wrote("a", "1")]]);
    let first = done(put(0, 1, "a", "1"), 2);
    let new = saw(local(2, 3, 1), 2, &[pair("a", "1", 2, 2, 1)]);
    let with = |old: Op| [first.clone(), new.clone(), saw(old, 1, &[])];
    breaks(Rule::MemberWentBack, &log, &with(local(4, 5, 1)));
    fine(&log, &with(local(3, 5, 1)));
    fine(&log, &with(local(4, 5, 2)));
    // Whoever asks: what a member has shown, it has.
    breaks(Rule::MemberWentBack, &log, &with(Op { client: 2, ..local(4, 5, 1) }));
    fine(&log, &with(Op { client: 2, ..local(3, 5, 1) }));
    fine(&log, &with(Op { client: 2, ..local(4, 5, 2) }));
    fine(&log, &with(Op { client: 2, incarnation: 1, ..local(4, 5, 1) }));
    let unknown = Op { client: 2, member: None, ..local(4, 5, 1) };
    fine(&log, &with(unknown));
    fine(&log, &with(Op { incarnation: 1, ..local(4, 5, 1) }));
}

#[test]
fn a_lease_ends_with_all_its_keys_in_order() {
    let writes = [
        done(put_leased(0, 1, "a", 7), 2),
        done(put_leased(2, 3, "b", 7), 3),
        done(put_leased(4, 5, "c", 9), 4),
    ];
    let with = |last: &[Change]| log(&[&[leased("a", 7)], &[leased("b", 7)], &[leased("c", 9)], last]);
    let whole = with(&[gone("a"), gone("b")]);
    assert_eq!(fine(&whole, &writes).lease_ends, 1);
    breaks(Rule::Phantom, &with(&[gone("a")]), &writes);
    breaks(Rule::Phantom, &with(&[gone("b"), gone("a")]), &writes);
    breaks(Rule::Phantom, &with(&[gone("a"), gone("b"), gone("c")]), &writes);
    let judge = |log: &EventLog, ends: &[(Revision, i64)]| {
        let ends: BTreeMap<Revision, i64> = ends.iter().copied().collect();
        let verdict = check_with_lease_ends(log, &writes, &ends);
        assert_eq!(verdict.is_ok(), oracle::can_be_true(log, &writes, Some(&ends)));
        verdict.map_err(|broken| broken.rule)
    };
    assert!(judge(&whole, &[(5, 7)]).is_ok());
    assert_eq!(judge(&whole, &[]), Err(Rule::Phantom));
    assert_eq!(judge(&whole, &[(5, 9)]), Err(Rule::NotALeaseEnd));
    assert_eq!(judge(&whole, &[(5, 7), (6, 9)]), Err(Rule::NotALeaseEnd));
    assert_eq!(judge(&with(&[gone("a")]), &[(5, 7)]), Err(Rule::NotALeaseEnd));
    // Nor can somebody have made it.
    assert_eq!(
        judge(&log(&[&[leased("a", 7)], &[leased("b", 7)], &[leased("c", 9)]]), &[(3, 7)]),
        Err(Rule::NotALeaseEnd)
    );
}

/// Nothing that can be written down makes the judge panic.
#[test]
fn no_key_is_empty() {
    let wrote_it = log(&[&[wrote("", "1")]]);
    breaks(Rule::WrongEffect, &wrote_it, &[done(put(0, 1, "", "1"), 2)]);
    // Nor is it one that might have been done.
    breaks(Rule::Phantom, &wrote_it, &[unknown(put(0, 1, "", "1"))]);
    fine(&log(&[]), &[put(0, 1, "", "1"), unknown(put(0, 1, "", "1"))]);
    // Not even where nothing comes of it.
    let txn = |key: &'static str| {
        let put = Request::Put(Put { key: key.into(), ..Put::default() });
        let compare =
            Compare { span: Span::one("a"), relation: Relation::Equal, operand: Operand::Version(7) };
        let txn = Txn { compares: vec![compare], success: vec![put], failure: Vec::new() };
        let response = Response::Txn { succeeded: false, responses: Vec::new() };
        told(op(0, 1, Request::Txn(txn)), 1, response)
    };
    fine(&log(&[]), &[txn("a")]);
    breaks(Rule::WrongContent, &log(&[]), &[txn("")]);
    let all = |key: &'static str| {
        saw(op(0, 1, Request::Range(Range { span: Span::from(key), ..Range::default() })), 1, &[])
    };
    fine(&log(&[]), &[all("\0")]);
    breaks(Rule::WrongContent, &log(&[]), &[all("")]);
}

#[test]
fn nonsense_is_judged_too() {
    let log = log(&[&[wrote("", "")], &[gone("z"), gone("z")], &[wrote("a", "1"), gone("a")]]);
    let strange = Range {
        span: Span::between("z", "a"),
        limit: i64::MIN,
        revision: i64::MAX,
        min_mod: i64::MIN,
        max_create: i64::MAX,
        ..Range::default()
    };
    let strange = op(u64::MAX, 0, Request::Range(strange));
    for revision in [i64::MIN, -1, 0, 1, 2, 4, 5, i64::MAX] {
        for response in [Response::Glance, Response::Delete { deleted: i64::MIN, prev: Vec::new() }] {
            let ops = [told(strange.clone(), revision, response.clone()), unknown(put(u64::MAX, 0, "", ""))];
            assert!(check(&log, &ops).is_err());
            let forward = Op { call: 0, ..ops[0].clone() };
            assert!(check(&log, &[forward, ops[1].clone()]).is_err());
        }
    }
}

/// The time that this thread has had a processor, where the system tells: machines are shared.
fn spent() -> Duration {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = BEGAN.get_or_init(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next().and_then(|nanos| nanos.parse().ok()));
    nanos.map_or_else(|| began.elapsed(), Duration::from_nanos)
}

/// A large history, as long runs make them. Prints how fast it is judged.
#[test]
#[ignore = "a measurement: cargo test --release -p kvorum-sim --test history -- --ignored --nocapture"]
fn how_fast() {
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        let (log, ops) = large(count);
        let began = spent();
        let rounds = (1_000_000 / count).clamp(1, 100);
        for _ in 0..rounds {
            let summary = check(&log, &ops).unwrap_or_else(|broken| panic!("{broken}"));
            assert!(summary.unknown_applied > 0);
        }
        let each = (spent() - began) / rounds as u32;
        let rate = count as f64 / each.as_secs_f64() / 1e6;
        println!("{count:>8} requests, {:>6} revisions: {each:>10.2?}, {rate:.2} M/s", log.newest());
    }
}

/// Eight clients on ten keys: puts, reads of one key, conditional puts and now and then a read of everything; one
/// put in ten without an answer, half of these applied.
fn large(count: usize) -> (EventLog, Vec<Op>) {
    let names = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"];
    let (mut log, mut ops) = (EventLog::new(), Vec::new());
    let mut held: BTreeMap<&str, KeyValue> = BTreeMap::new();
    for at in 0..count {
        let now = log.newest();
        let name = names[at * 7 % 10];
        let (call, ret) = (at as u64 * 10, at as u64 * 10 + 70);
        let before = held.get(name).cloned();
        let mut write = |log: &mut EventLog| {
            let value = bytes::Bytes::from(format!("value {at}"));
            let create_revision = before.as_ref().map_or(now + 1, |before| before.create_revision);
            let version = before.as_ref().map_or(1, |before| before.version + 1);
            let lease = 0;
            log.push(now + 1, vec![Change::Put { key: name.into(), value: value.clone(), lease }]).unwrap();
            let key = name.into();
            let pair = KeyValue { key, value, create_revision, mod_revision: now + 1, version, lease };
            held.insert(name, pair);
        };
        let put = Put { key: name.into(), value: format!("value {at}").into(), ..Put::default() };
        let asked = op(call, ret, Request::Put(put.clone()));
        ops.push(match at % 20 {
            0 => {
                write(&mut log);
                unknown(asked)
            }
            10 => unknown(asked),
            1 | 3 | 5 | 7 | 9 | 11 | 13 => {
                write(&mut log);
                done(asked, now + 1)
            }
            2 | 4 => {
                let operand = Operand::Mod(before.as_ref().map_or(0, |before| before.mod_revision));
                let compares = vec![Compare { span: Span::one(name), relation: Relation::Equal, operand }];
                let txn = Txn { compares, success: vec![Request::Put(put)], failure: Vec::new() };
                write(&mut log);
                let responses = vec![Response::Put { prev: None }];
                told(op(call, ret, Request::Txn(txn)), now + 1, Response::Txn { succeeded: true, responses })
            }
            6 => {
                let all: Vec<KeyValue> = held.values().cloned().collect();
                saw(get(call, ret), now, &all)
            }
            _ => {
                let range = Range { span: Span::one(name), ..Range::default() };
                let rows: Vec<KeyValue> = before.into_iter().collect();
                saw(op(call, ret, Request::Range(range)), now, &rows)
            }
        });
    }
    (log, ops)
}
