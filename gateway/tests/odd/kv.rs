//! Keys, values and transactions.

use kvorum_gateway::pb::etcdserverpb as pb;
use pb::compare::{CompareResult, CompareTarget, TargetUnion};
use pb::request_op::Request as Ask;

use crate::common::{KvClient, everything, get, put};
use crate::talk::Talk;

fn op(request: Ask) -> pb::RequestOp {
    pb::RequestOp { request: Some(request) }
}

fn write(key: &str, value: &str) -> pb::RequestOp {
    op(Ask::RequestPut(put(key, value)))
}

fn read(range: pb::RangeRequest) -> pb::RequestOp {
    op(Ask::RequestRange(range))
}

fn delete(key: &str, end: &str) -> pb::DeleteRangeRequest {
    pb::DeleteRangeRequest {
        key: key.to_string().into(),
        range_end: end.to_string().into(),
        ..Default::default()
    }
}

fn erase(key: &str, end: &str) -> pb::RequestOp {
    op(Ask::RequestDeleteRange(delete(key, end)))
}

fn then(success: Vec<pb::RequestOp>) -> pb::TxnRequest {
    pb::TxnRequest { success, ..Default::default() }
}

fn inside(success: Vec<pb::RequestOp>, failure: Vec<pb::RequestOp>) -> pb::RequestOp {
    op(Ask::RequestTxn(pb::TxnRequest { success, failure, ..Default::default() }))
}

fn when(key: &str, target: CompareTarget, result: CompareResult, with: Option<TargetUnion>) -> pb::Compare {
    pb::Compare {
        key: key.to_string().into(),
        target: target as i32,
        result: result as i32,
        target_union: with,
        ..Default::default()
    }
}

fn if_so(compare: pb::Compare) -> pb::TxnRequest {
    pb::TxnRequest { compare: vec![compare], ..Default::default() }
}

pub(crate) async fn talk(talk: &mut Talk) {
    puts(talk).await;
    ranges(talk).await;
    deletes(talk).await;
    txns(talk).await;
    duplicates(talk).await;
    limits(talk).await;
    compares(talk).await;
    checks(talk).await;
    compactions(talk).await;
}

async fn puts(talk: &mut Talk) {
    let mut kv = KvClient::new(talk.channel.clone());
    talk.say("put: nothing", kv.put(pb::PutRequest::default())).await;
    talk.say("put: a key", kv.put(put("foo", "v1"))).await;
    let request = pb::PutRequest { ignore_value: true, ..put("nope", "") };
    talk.say("put: ignore_value of a missing key", kv.put(request)).await;
    let request = pb::PutRequest { ignore_lease: true, ..put("nope", "") };
    talk.say("put: ignore_lease of a missing key", kv.put(request)).await;
    let request = pb::PutRequest { ignore_value: true, ..put("foo", "x") };
    talk.say("put: ignore_value and a value", kv.put(request)).await;
    let request = pb::PutRequest { ignore_lease: true, lease: 5, ..put("foo", "") };
    talk.say("put: ignore_lease and a lease", kv.put(request)).await;
    let request = pb::PutRequest { ignore_value: true, ignore_lease: true, lease: 5, ..put("", "x") };
    talk.say("put: everything wrong, and no key", kv.put(request)).await;
    let request = pb::PutRequest { ignore_value: true, ignore_lease: true, lease: 5, ..put("foo", "x") };
    talk.say("put: everything wrong", kv.put(request)).await;
    let request = pb::PutRequest { lease: 5, ..put("foo", "x") };
    talk.say("put: an unknown lease", kv.put(request)).await;
    let request = pb::PutRequest { lease: -5, ..put("foo", "x") };
    talk.say("put: a negative lease", kv.put(request)).await;
    let request = pb::PutRequest { lease: 5, ignore_value: true, ..put("nope", "") };
    talk.say("put: an unknown lease, ignore_value of a missing key", kv.put(request)).await;
    let request = pb::PutRequest { prev_kv: true, ..put("foo", "v2") };
    talk.say("put: with the pair before", kv.put(request)).await;
    let request = pb::PutRequest { prev_kv: true, ..put("new", "") };
    talk.say("put: with the pair before, there being none", kv.put(request)).await;
    let request = pb::PutRequest { ignore_value: true, ignore_lease: true, prev_kv: true, ..put("foo", "") };
    talk.say("put: the same again", kv.put(request)).await;
    let request = pb::PutRequest { key: vec![0, 255, 254].into(), value: vec![0; 3].into(), ..put("", "") };
    talk.say("put: a key that is no text", kv.put(request)).await;
}

async fn ranges(talk: &mut Talk) {
    let mut kv = KvClient::new(talk.channel.clone());
    talk.say("range: nothing", kv.range(get(""))).await;
    talk.say("range: a key", kv.range(get("foo"))).await;
    talk.say("range: a missing key", kv.range(get("missing"))).await;
    talk.say("range: everything", kv.range(everything())).await;
    let from = |key: &str, end: &str| pb::RangeRequest { range_end: end.to_string().into(), ..get(key) };
    talk.say("range: inverted", kv.range(from("z", "a"))).await;
    talk.say("range: empty", kv.range(from("foo", "foo"))).await;
    talk.say("range: from a key on", kv.range(from("g", "\0"))).await;
    let at = |revision| pb::RangeRequest { revision, ..get("foo") };
    talk.say("range: the past", kv.range(at(2))).await;
    talk.say("range: before it was there", kv.range(at(1))).await;
    talk.say("range: the future", kv.range(at(999))).await;
    talk.say("range: a negative revision", kv.range(at(-5))).await;
    talk.say("range: a negative limit", kv.range(pb::RangeRequest { limit: -5, ..everything() })).await;
    talk.say("range: a limit", kv.range(pb::RangeRequest { limit: 1, ..everything() })).await;
    talk.say("range: a limit that is just enough", kv.range(pb::RangeRequest { limit: 3, ..everything() }))
        .await;
    talk.say("range: keys only", kv.range(pb::RangeRequest { keys_only: true, ..everything() })).await;
    talk.say("range: count only", kv.range(pb::RangeRequest { count_only: true, limit: 1, ..everything() }))
        .await;
    talk.say(
        "range: count only, at a revision",
        kv.range(pb::RangeRequest { count_only: true, revision: 2, ..everything() }),
    )
    .await;
    talk.say("range: local", kv.range(pb::RangeRequest { serializable: true, ..get("foo") })).await;
    let request = pb::RangeRequest { min_mod_revision: 3, limit: 1, ..everything() };
    talk.say("range: a filter and a limit", kv.range(request)).await;
    let request = pb::RangeRequest { max_mod_revision: 3, ..everything() };
    talk.say("range: a filter from above", kv.range(request)).await;
    let request = pb::RangeRequest { min_create_revision: 3, max_create_revision: 3, ..everything() };
    talk.say("range: filters by creation", kv.range(request)).await;
    let request = pb::RangeRequest { min_mod_revision: -3, ..everything() };
    talk.say("range: a negative filter", kv.range(request)).await;
    let request = pb::RangeRequest { max_mod_revision: -3, ..everything() };
    talk.say("range: a negative filter from above", kv.range(request)).await;
    let sorted = |sort_order, sort_target, limit| pb::RangeRequest {
        sort_order,
        sort_target,
        limit,
        keys_only: true,
        ..everything()
    };
    for (order, target, limit) in
        [(0, 1, 1), (1, 1, 1), (2, 1, 1), (0, 4, 2), (1, 4, 2), (2, 0, 0), (2, 2, 1), (1, 3, 2), (0, 3, 2)]
    {
        let what = format!("range: order {order} by {target}, limit {limit}");
        talk.say(&what, kv.range(sorted(order, target, limit))).await;
    }
    talk.say("range: an unknown order", kv.range(sorted(9, 0, 0))).await;
    talk.say("range: an unknown order by version", kv.range(sorted(-1, 1, 2))).await;
    talk.say("range: an unknown order by an unknown target", kv.range(sorted(9, 9, 0))).await;
}

async fn deletes(talk: &mut Talk) {
    let mut kv = KvClient::new(talk.channel.clone());
    talk.say("delete: nothing", kv.delete_range(delete("", ""))).await;
    talk.say("delete: no key, but an end", kv.delete_range(delete("", "z"))).await;
    talk.say("delete: a missing key", kv.delete_range(delete("missing", ""))).await;
    talk.say("delete: inverted", kv.delete_range(delete("z", "a"))).await;
    let request = pb::DeleteRangeRequest { prev_kv: true, ..delete("new", "") };
    talk.say("delete: with the pair", kv.delete_range(request)).await;
    talk.say("delete: again", kv.delete_range(delete("new", ""))).await;
    talk.say("put: the deleted key again", kv.put(put("new", "2"))).await;
    talk.say("range: the deleted key again", kv.range(get("new"))).await;
}

async fn txns(talk: &mut Talk) {
    let mut kv = KvClient::new(talk.channel.clone());
    talk.say("txn: nothing", kv.txn(pb::TxnRequest::default())).await;
    talk.say("txn: an operation that is none", kv.txn(then(vec![pb::RequestOp::default()]))).await;
    let request = pb::TxnRequest { failure: vec![pb::RequestOp::default()], ..Default::default() };
    talk.say("txn: an operation that is none, in the other branch", kv.txn(request)).await;
    talk.say("txn: a put without a key", kv.txn(then(vec![write("", "x")]))).await;
    talk.say("txn: a range without a key", kv.txn(then(vec![read(get(""))]))).await;
    talk.say("txn: a delete without a key", kv.txn(then(vec![erase("", "")]))).await;
    let request = then(vec![
        erase("missing", ""),
        write("t1", "1"),
        read(get("t1")),
        erase("foo", ""),
        read(get("foo")),
        write("t2", "2"),
    ]);
    talk.say("txn: operations see those before them", kv.txn(request)).await;
    let request = then(vec![read(get("t1")), read(pb::RangeRequest { serializable: true, ..get("t2") })]);
    talk.say("txn: reads only", kv.txn(request)).await;
    let request = then(vec![inside(vec![write("t3", "1"), read(get("t3"))], vec![]), read(get("t3"))]);
    talk.say("txn: nested", kv.txn(request)).await;
    talk.say("txn: nested, nothing in it", kv.txn(then(vec![inside(vec![], vec![])]))).await;
    let prev = pb::PutRequest { prev_kv: true, ..put("t1", "2") };
    talk.say("txn: with the pair before", kv.txn(then(vec![op(Ask::RequestPut(prev))]))).await;
    let request = then(vec![write("t4", "1"), inside(vec![erase("t4", "t5")], vec![])]);
    talk.say("txn: what a nested one deletes was put before it", kv.txn(request)).await;
}

async fn duplicates(talk: &mut Talk) {
    let mut kv = KvClient::new(talk.channel.clone());
    let cases = [
        ("put, put", vec![write("d", ""), write("d", "")]),
        ("put, delete", vec![write("d", ""), erase("d", "")]),
        ("delete, put", vec![erase("d", ""), write("d", "")]),
        ("put inside a deleted range", vec![write("d", ""), erase("c", "e")]),
        ("put at the end of a deleted range", vec![write("e", ""), erase("c", "e")]),
        ("delete, delete", vec![erase("q", ""), erase("q", "")]),
        ("from-key delete, put behind", vec![erase("m", "\0"), write("n", "")]),
        ("put, from-key delete", vec![write("n", ""), erase("m", "\0")]),
        (
            "nested put, nested delete",
            vec![inside(vec![write("nn", "")], vec![]), inside(vec![erase("nn", "")], vec![])],
        ),
        (
            "nested delete, nested put",
            vec![inside(vec![erase("nn", "")], vec![]), inside(vec![write("nn", "")], vec![])],
        ),
        (
            "nested put, nested put",
            vec![inside(vec![write("nn", "")], vec![]), inside(vec![write("nn", "")], vec![])],
        ),
        ("nested, both branches", vec![inside(vec![write("nn", "")], vec![write("nn", "")])]),
        ("nested put, put", vec![inside(vec![write("nn", "")], vec![]), write("nn", "")]),
        (
            "nested put in the branch not taken, put",
            vec![inside(vec![], vec![write("nn", "")]), write("nn", "")],
        ),
    ];
    for (what, ops) in cases {
        talk.say(&format!("duplicates: {what}"), kv.txn(then(ops.clone()))).await;
    }
    let request =
        pb::TxnRequest { success: vec![write("d", "")], failure: vec![write("d", "")], ..Default::default() };
    talk.say("duplicates: one in each branch", kv.txn(request)).await;
    let request = then(vec![write("d", ""), write("d", ""), write("", "")]);
    talk.say("duplicates: and no key", kv.txn(request)).await;
}

async fn limits(talk: &mut Talk) {
    let mut kv = KvClient::new(talk.channel.clone());
    let many = |n: usize| vec![erase("missing", ""); n];
    talk.say("limits: 129 operations", kv.txn(then(many(129)))).await;
    talk.say(
        "limits: 129 compares",
        kv.txn(pb::TxnRequest { compare: vec![pb::Compare::default(); 129], ..Default::default() }),
    )
    .await;
    let with = |outer: usize, inner: usize| then([many(outer), vec![inside(many(inner), vec![])]].concat());
    talk.say("limits: 127, and one inside", kv.txn(with(127, 1))).await;
    talk.say("limits: 99, and 28 inside", kv.txn(with(99, 29))).await;
    let large = |n: usize| put("large", &"x".repeat(n));
    talk.say("limits: 1,600,000 bytes", kv.put(large(1_600_000))).await;
    talk.say("limits: 2,500,000 bytes", kv.put(large(2_500_000))).await;
    talk.say("limits: 1,500,000 bytes", kv.put(large(1_500_000))).await;
    talk.say(
        "limits: 1,600,000 bytes in a transaction",
        kv.txn(then(vec![op(Ask::RequestPut(large(1_600_000)))])),
    )
    .await;
    talk.say("limits: a delete of it", kv.delete_range(delete("large", ""))).await;
}

async fn compares(talk: &mut Talk) {
    use CompareResult::{Equal, Greater, Less, NotEqual};
    use CompareTarget::{Create, Lease, Mod, Value, Version};
    let mut kv = KvClient::new(talk.channel.clone());
    talk.say("compare: put", kv.put(put("cmp", "m"))).await;
    let value = |text: &str| Some(TargetUnion::Value(text.to_string().into()));
    let cases = [
        ("nothing", pb::Compare::default()),
        ("the value of a missing key, equal", when("missing", Value, Equal, value(""))),
        ("the value of a missing key, not equal", when("missing", Value, NotEqual, value("a"))),
        ("the version of a missing key", when("missing", Version, Equal, Some(TargetUnion::Version(0)))),
        ("the creation of a missing key", when("missing", Create, Equal, None)),
        ("the change of a missing key", when("missing", Mod, Less, Some(TargetUnion::ModRevision(1)))),
        ("the lease of a missing key", when("missing", Lease, Equal, Some(TargetUnion::Lease(0)))),
        ("a value, greater", when("cmp", Value, Greater, value("a"))),
        ("a value, less", when("cmp", Value, Less, value("a"))),
        ("a value with none", when("cmp", Value, Greater, None)),
        ("another union than the target", when("cmp", Mod, Equal, Some(TargetUnion::Version(3)))),
        ("a version with a value", when("cmp", Version, Greater, value("zzz"))),
        ("an unknown target", pb::Compare { target: 77, ..when("cmp", Version, Equal, None) }),
        ("an unknown target, not equal", pb::Compare { target: 77, ..when("cmp", Version, NotEqual, None) }),
        ("an unknown result", pb::Compare { result: 77, ..when("cmp", Version, Equal, None) }),
        (
            "an unknown result, value of a missing key",
            pb::Compare { result: 77, ..when("missing", Value, Equal, None) },
        ),
        (
            "an empty range",
            pb::Compare {
                range_end: "x2".into(),
                ..when("x1", Version, Equal, Some(TargetUnion::Version(0)))
            },
        ),
        ("an inverted range", pb::Compare { range_end: "a".into(), ..when("x1", Version, Equal, None) }),
        (
            "every key, exists",
            pb::Compare {
                range_end: "\0".into(),
                ..when("\0", Version, Greater, Some(TargetUnion::Version(0)))
            },
        ),
        (
            "every key, has one value",
            pb::Compare { range_end: "\0".into(), ..when("\0", Value, Equal, value("m")) },
        ),
    ];
    for (what, compare) in cases {
        talk.say(&format!("compare: {what}"), kv.txn(if_so(compare))).await;
    }
}

/// More than one thing is wrong: which is said?
async fn checks(talk: &mut Talk) {
    let mut kv = KvClient::new(talk.channel.clone());
    let leased = |lease| op(Ask::RequestPut(pb::PutRequest { lease, ..put("c", "") }));
    let ignoring = op(Ask::RequestPut(pb::PutRequest { ignore_value: true, ..put("nope", "") }));
    let future = read(pb::RangeRequest { revision: 99_999, ..get("foo") });
    talk.say("checks: a missing lease", kv.txn(then(vec![leased(99)]))).await;
    talk.say("checks: ignore_value of a missing key", kv.txn(then(vec![ignoring.clone()]))).await;
    talk.say("checks: the future", kv.txn(then(vec![future.clone()]))).await;
    talk.say("checks: the future, a missing lease", kv.txn(then(vec![future.clone(), leased(99)]))).await;
    talk.say("checks: a missing lease, the future", kv.txn(then(vec![leased(99), future.clone()]))).await;
    talk.say("checks: a missing key, a missing lease", kv.txn(then(vec![ignoring, leased(99)]))).await;
    let both = pb::PutRequest { ignore_value: true, lease: 99, ..put("nope", "") };
    talk.say("checks: both in one put", kv.txn(then(vec![op(Ask::RequestPut(both))]))).await;
    let request = pb::TxnRequest { failure: vec![leased(99), future], ..Default::default() };
    talk.say("checks: what is wrong is in the branch not taken", kv.txn(request)).await;
    let request = then(vec![write("c", ""), inside(vec![leased(99)], vec![])]);
    talk.say("checks: a missing lease, nested", kv.txn(request)).await;
    let request = pb::TxnRequest {
        compare: vec![pb::Compare::default()],
        success: vec![write("d", ""), write("d", "")],
        ..Default::default()
    };
    talk.say("checks: no key in a compare, a key put twice", kv.txn(request)).await;
    talk.say("checks: nothing was done", kv.range(get("c"))).await;
}

async fn compactions(talk: &mut Talk) {
    let mut kv = KvClient::new(talk.channel.clone());
    let compact = |revision, physical| pb::CompactionRequest { revision, physical };
    talk.say("compact: at 0, the first time", kv.compact(compact(0, false))).await;
    talk.say("compact: at 0, again", kv.compact(compact(0, false))).await;
    talk.say("compact: the future", kv.compact(compact(99_999, false))).await;
    talk.say("compact: at 5", kv.compact(compact(5, true))).await;
    talk.say("compact: at 5, again", kv.compact(compact(5, false))).await;
    talk.say("compact: before that", kv.compact(compact(2, false))).await;
    talk.say("compact: a negative revision", kv.compact(compact(-1, false))).await;
    let at = |revision| pb::RangeRequest { revision, ..get("foo") };
    talk.say("compact: a read at the compaction", kv.range(at(5))).await;
    talk.say("compact: a read before it", kv.range(at(4))).await;
    talk.say("compact: a read at a negative revision", kv.range(at(-5))).await;
    talk.say("compact: a read in a transaction before it", kv.txn(then(vec![read(at(4))]))).await;
    talk.say("compact: a read in a transaction at it", kv.txn(then(vec![read(at(5))]))).await;
    talk.say("compact: a read in a transaction at a negative revision", kv.txn(then(vec![read(at(-5))])))
        .await;
    let request = then(vec![write("c2", ""), read(at(-5))]);
    talk.say("compact: the same beside a put", kv.txn(request)).await;
}
