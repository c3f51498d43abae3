//! The same entries made another state somewhere (rows 1, 6 to 10, 23, 24, 69 and 75).

use bytes::Bytes;
use kvorum_core::command::{Command, Op};
use kvorum_core::request::*;
use kvorum_core::transport::{Envelope, RaftMessage, WireEntry};
use kvorum_core::{ErrorKind, Outcome};
use kvorum_sim::{Crash, World, poll};
use prost::Message as _;

use crate::common::*;

/// There: "applied up to here" was noted in memory before the entry was applied, and a hook that ran in between
/// made the note durable; after a crash the entry was skipped. Shown by: another hash at the same entry.
#[test]
fn etcd_13766_a_crash_at_any_write_neither_skips_nor_repeats_an_entry() {
    let (mut world, leader) = settled(World::new(1).nodes_with(3, small_images).storage_options(TINY));
    let victim = others(&world, leader)[0];
    for tear in 0..40 {
        let client = world.client(leader).unwrap();
        let answers: Vec<_> = (0..5).map(|i| client.put(format!("k{i}"), format!("{tear}"))).collect();
        world.run(tear % 7 * MILLI);
        world.crash(victim, Crash::Kill, Some(u64::from(tear) % 9));
        assert!(world.start(victim), "{:?}", world.why_halted(victim));
        for answer in answers {
            ack(&mut world, answer);
        }
        // The judge compares the hashes of all at every entry that two of them have applied.
        agree(&mut world);
    }
}

/// There: a transaction that failed half-way left what it had written until then, and the note that it was
/// applied. Shown by: a key, a revision or a hash that a refused transaction has changed on any member.
#[test]
fn etcd_18679_a_transaction_that_fails_half_way_leaves_nothing() {
    let (mut world, leader) = led(6, 3);
    let before = put(&mut world, leader, "a", "1");
    let fails: [RequestOp; 3] = [
        PutRequest::new("late", "v").with_lease(404).into(),
        RangeRequest::key("a").at(before + 50).into(),
        PutRequest { ignore_value: true, ..PutRequest::new("missing", "") }.into(),
    ];
    let mut watch = watch_all(&world, leader, before + 1);
    for fails in fails {
        let inside = TxnRequest::new().then(PutRequest::new("inside", "v")).then(fails.clone());
        for last in [fails, inside.into()] {
            let txn =
                TxnRequest::new().then(PutRequest::new("early", "v")).then(DeleteRangeRequest::key("a"));
            let txn = txn.then(last);
            let asked = world.client(others(&world, leader)[0]).unwrap().txn(txn);
            not_applied(&mut world, asked);
        }
    }
    agree(&mut world);
    for node in world.ids() {
        assert_eq!(world.status(node).unwrap().revision, before);
        assert_eq!((local(&world, node, "early"), local(&world, node, "inside")), (None, None));
        assert_eq!(local(&world, node, "a").as_deref(), Some("1"));
    }
    assert_eq!(heard(&mut watch), "");
}

/// There: members took the reads out of a transaction that was not asked of themselves, so that a read of a
/// compacted revision failed it on one member only. Shown by: a refusal or a hash that only some members have.
#[test]
fn etcd_18667_a_read_of_the_past_inside_a_transaction_fails_everywhere_or_nowhere() {
    let (mut world, leader) = led_with(7, 3, small_images);
    let first = put(&mut world, leader, "a", "1");
    let second = put(&mut world, leader, "a", "2");
    let newest = put(&mut world, leader, "a", "3");
    let txn = |revision, key: &str| {
        TxnRequest::new().then(PutRequest::new(key, "v")).then(RangeRequest::key("a").at(revision))
    };
    for node in world.ids() {
        let asked = world.client(node).unwrap().txn(txn(first, "b"));
        let answer = ack(&mut world, asked);
        assert_eq!(answer.responses[1].as_range().unwrap().kvs[0].value, "1");
    }
    // One member has freed what is compacted, one has it from an image, one was away.
    let (away, restored) = (others(&world, leader)[0], others(&world, leader)[1]);
    world.kill(away);
    compact(&mut world, leader, newest);
    fill(&mut world, leader, 20);
    world.lose_power(restored);
    assert!(world.start(restored) && world.start(away));
    agree(&mut world);
    for (revision, is_readable) in [(first, false), (second, false), (newest, true)] {
        for node in world.ids() {
            let key = format!("c{revision}-{node}");
            let asked = world.client(node).unwrap().txn(txn(revision, &key));
            if is_readable {
                assert_eq!(ack(&mut world, asked).responses[1].as_range().unwrap().kvs[0].value, "3");
            } else {
                let error = not_applied(&mut world, asked);
                let compacted = ErrorKind::Compacted { requested: revision, compacted: newest };
                assert_eq!(*error.kind(), compacted);
            }
            agree(&mut world);
            for node in world.ids() {
                assert_eq!(local(&world, node, &key).is_some(), is_readable, "{key} on {node}");
            }
        }
    }
}

/// There: a client that gave up took its cancelled context along to where entries are applied, which then failed
/// on the member that it was connected to. Shown by: a panic, or a write that only some members have.
#[test]
fn etcd_14110_a_client_that_gives_up_changes_nothing_for_anybody() {
    let (mut world, leader) = led(8, 3);
    let mut kept = Vec::new();
    for i in 0..90 {
        let node = 1 + i % 3;
        let client = world.client(node).unwrap();
        let answer = client.put(format!("k{}", i % 5), format!("value {i}"));
        let watch = client.watch(WatchRequest::prefix("").from(2)).unwrap();
        let read = client.get("k0");
        if i % 2 == 0 {
            world.run(i as u32 % 5 * MILLI / 3);
            drop((answer, watch, read));
        } else {
            kept.push((i, answer));
        }
    }
    for (i, answer) in kept {
        ack(&mut world, answer);
        assert_eq!(times_written(&world, &format!("value {i}")), 1);
    }
    agree(&mut world);
    for i in 0..90 {
        assert!(times_written(&world, &format!("value {i}")) <= 1, "value {i}");
    }
    assert_eq!(get(&mut world, leader, "none"), None);
    assert_eq!(world.status(leader).unwrap().sizes.watchers, 0, "nobody watches any more");
}

/// There: whether a write still fits was decided, while it was applied, from the size of each member's own file.
/// Shown by: members with different disks (and different watches open) that differ in what they refused.
#[test]
fn etcd_16106_no_space_is_decided_alike_whatever_the_disks_are() {
    let (mut world, leader) = led_with(9, 3, |config| {
        small_images(config);
        config.quota_bytes = 10_000;
    });
    for (node, capacity) in [(1, None), (2, Some(1 << 20)), (3, Some(200_000))] {
        world.disk(node).set_capacity(capacity);
    }
    let _more = [watch_all(&world, 1, 2), watch_all(&world, 2, 2), watch_all(&world, 2, 2)];
    let mut full = 0;
    for i in 0..40 {
        let node = 1 + i % 3;
        let answer = world.client(node).unwrap().put(format!("key{i}"), "x".repeat(300));
        match world.wait(answer, 8 * SECOND).expect("an answer") {
            Ok(_) => assert_eq!(full, 0, "whoever is asked"),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::NoSpace { quota: 10_000, .. }), "{error}");
                assert_eq!(error.outcome(), Outcome::NotApplied);
                full += 1;
            }
        }
        agree(&mut world);
    }
    assert_eq!(full, 22, "the eighteenth goes over the quota, and is done");
    assert!(world.ids().into_iter().all(|node| world.status(node).unwrap().no_space));
    let grown = world.client(2).unwrap().grant(60 * SECOND);
    not_applied(&mut world, grown);
    let newest = delete(&mut world, 3, "key0");
    compact(&mut world, 1, newest);
    let lifted = world.client(2).unwrap().lift_no_space();
    ack(&mut world, lifted);
    put(&mut world, 3, "key0", "small");
    agree(&mut world);
    assert_eq!(world.leader(), Some(leader));
}

/// There: a lease whose id was negative was written by members in one way and read back in another. Shown by:
/// such a lease that is gone, has lost its keys, or differs after a restart from what the disk has.
#[test]
fn etcd_14239_a_lease_with_a_negative_id_is_like_any_other() {
    let (mut world, leader) = led_with(10, 3, small_images);
    let ids = [-7, i64::MIN, i64::MAX, -1];
    for id in ids {
        let granted = world.client(leader).unwrap().grant_request(LeaseGrantRequest { id, ttl: 600 });
        assert_eq!(ack(&mut world, granted).id, id);
        let put = PutRequest::new(format!("of{id}"), "v").with_lease(id);
        let asked = world.client(leader).unwrap().put_request(put);
        ack(&mut world, asked);
    }
    fill(&mut world, leader, 20);
    world.run(SECOND);
    for node in world.ids() {
        world.lose_power(node);
    }
    world.start_all();
    agree(&mut world);
    for (i, id) in ids.into_iter().enumerate() {
        let node = 1 + i as u64 % 3;
        let asked = world.client(node).unwrap().time_to_live(LeaseTimeToLiveRequest { id, keys: true });
        let lease = ack(&mut world, asked);
        assert_eq!((lease.granted_ttl, lease.keys), (600, vec![Bytes::from(format!("of{id}"))]), "{id}");
        let asked = world.client(node).unwrap().keep_alive(id);
        assert_eq!(ack(&mut world, asked).ttl, 600);
        let asked = world.client(node).unwrap().revoke(id);
        ack(&mut world, asked);
        assert_eq!(get(&mut world, leader, &format!("of{id}")), None);
    }
    agree(&mut world);
}

/// There: bytes of one member's file changed, and nobody noticed for weeks. Shown by: a member that starts from
/// damaged bytes and holds something else (the judge would say so), or that starts and never agrees.
#[test]
fn etcd_14211_rot_on_one_member_is_noticed_at_its_start() {
    let (mut world, leader) = settled(World::new(23).nodes_with(3, small_images).storage_options(TINY));
    let victim = others(&world, leader)[0];
    fill(&mut world, leader, 40);
    agree(&mut world);
    world.kill(victim);
    let whole = world.disk(victim).fork(1);
    let (mut noticed, mut harmless) = (0, 0);
    for (name, bytes) in whole.files() {
        for byte in (0..bytes.len()).step_by(bytes.len() / 9 + 1) {
            let disk = whole.fork(2);
            disk.flip(&name, byte, 5);
            world.set_disk(victim, disk);
            if world.start(victim) {
                // A damaged image is replaced by the one before it, and the log behind that.
                agree(&mut world);
                harmless += 1;
            } else {
                let why = world.why_halted(victim).unwrap();
                assert!(why.contains("is damaged") && why.contains(&name), "{name}, byte {byte}: {why}");
                noticed += 1;
            }
            world.kill(victim);
        }
    }
    assert!(noticed > 8 && harmless > 0, "{noticed} noticed, {harmless} made up for");
}

/// There: the comparison of members passed when one of them could not answer. Shown by: a verdict while the one
/// who could decide is silent; or none, once it speaks.
#[test]
fn etcd_postmortem_a_member_that_is_silent_agrees_with_nobody() {
    let (mut world, leader) = led(24, 3);
    let (other, silent) = (others(&world, leader)[0], others(&world, leader)[1]);
    put(&mut world, leader, "k", "1");
    agree(&mut world);
    let (envelope, heartbeat) = genuine(&mut world, leader, other);
    isolate(&mut world, silent);
    world.stop_judging();
    // Another entry than the leader's gets into the other's log: now one of the two is wrong, and nobody knows
    // which.
    let last = world.status(other).unwrap().raft.last_index;
    let op = Some(Op::Put(PutRequest::new("k", "wrong")));
    let data = Command { op, ..Command::default() }.encode_to_vec().into();
    let entry = WireEntry { index: last + 1, term: heartbeat.term, data, ..WireEntry::default() };
    let (log_term, index, entries) = (heartbeat.term, last, vec![entry]);
    let append =
        RaftMessage { kind: APPEND, log_term, index, entries, commit: last, applied: None, ..heartbeat };
    world.inject(Envelope { body: Some(append.into()), ..envelope });
    world.run(10 * MILLI);
    assert_eq!(world.status(other).unwrap().raft.last_index, last + 1);
    put(&mut world, leader, "k", "2");
    world.run(2 * SECOND);
    assert_eq!(local(&world, other, "k").as_deref(), Some("wrong"), "they do differ");
    assert_eq!(world.status(leader).unwrap().raft.differing, [other], "which is seen");
    assert_eq!((world.why_halted(leader), world.why_halted(other)), (None, None), "and not judged yet");
    world.net.heal();
    world.run_until(5 * SECOND, |world| world.why_halted(other).is_some());
    assert!(world.why_halted(other).expect("two against one").contains("differs"));
    assert_eq!(world.why_halted(leader), None);
    put(&mut world, leader, "k", "3");
}

/// There: a snapshot was taken while the effects of applied entries were still on their way to what it was taken
/// of. Shown by: a member that comes from an image cut under writes and has another hash than the rest.
#[test]
fn tikv_4716_an_image_cut_under_writes_has_all_that_was_applied() {
    let (mut world, leader, behind) = behind(69);
    for round in 0..5 {
        world.start(behind);
        let taken = world.images_taken();
        let mut answers = Vec::new();
        for i in 0..120 {
            answers.push(world.client(leader).unwrap().put(format!("k{}", i % 50), format!("{round}-{i}")));
            let delete = DeleteRangeRequest::key(format!("k{}", (i + 7) % 50));
            drop(world.client(leader).unwrap().delete_request(delete));
            world.run(MILLI / 5);
        }
        for answer in answers {
            ack(&mut world, answer);
        }
        agree(&mut world);
        assert!(world.images_taken() > taken, "round {round}");
        world.kill(behind);
        fill(&mut world, leader, 20);
    }
}

/// There: a revoke that ended no key took a revision all the same. Shown by: a revision that is taken by
/// whatever changed no key, on the leader or after a replay.
#[test]
fn xline_6b627c4_what_changes_no_key_takes_no_revision() {
    let (mut world, leader) = led(75, 3);
    let revision = put(&mut world, leader, "k", "v");
    let granted = world.client(leader).unwrap().grant(60 * SECOND);
    let id = ack(&mut world, granted).id;
    let revoked = world.client(leader).unwrap().revoke(id);
    assert_eq!(ack(&mut world, revoked).header.unwrap().revision, revision);
    let deleted = world.client(leader).unwrap().delete("nothing");
    assert_eq!(ack(&mut world, deleted).revision(), revision);
    let txn = TxnRequest::new().when(Compare::exists("nothing")).then(PutRequest::new("k", "w"));
    let txn = world.client(leader).unwrap().txn(txn);
    assert_eq!(ack(&mut world, txn).revision(), revision);
    // Ends by its time, too.
    let granted = world.client(leader).unwrap().grant(2 * SECOND);
    ack(&mut world, granted);
    world.run(4 * SECOND);
    assert_eq!(world.status(leader).unwrap().sizes.leases, 0);
    for node in world.ids() {
        world.lose_power(node);
    }
    world.start_all();
    agree(&mut world);
    assert_eq!(put(&mut world, 1, "k", "w"), revision + 1);
}

/// There: effects were shown before they were agreed on, and stayed when they were not. Shown by: a value that a
/// leader without followers shows to a reader or a watch.
#[test]
fn xline_a26b114_nothing_is_shown_that_is_not_agreed_on() {
    let (mut world, leader) = led(751, 3);
    let revision = put(&mut world, leader, "k", "old");
    isolate(&mut world, leader);
    let mut watch = watch_all(&world, leader, revision + 1);
    let mut lost = world.client(leader).unwrap().put("k", "never");
    world.run(800 * MILLI);
    assert!(poll(&mut lost).is_none());
    assert_eq!((local(&world, leader, "k").as_deref(), &heard(&mut watch)[..]), (Some("old"), ""));
    let new = leader_but(&mut world, leader);
    put(&mut world, new, "k", "new");
    world.net.heal();
    agree(&mut world);
    let expected = format!("{}+k", revision + 1);
    assert!(heard(&mut watch).starts_with(&expected));
    if world.wait(lost, 10 * SECOND).expect("an answer").is_err() {
        assert_eq!(times_written(&world, "never"), 0);
    }
}

/// There: a client that came back under another id numbered its requests from the beginning, and was given the
/// answers of old ones. Shown by: an answer whose revision holds something else than what was asked.
#[test]
fn xline_313b819_a_node_that_starts_anew_takes_no_answer_for_its_own() {
    let (mut world, leader) = led(752, 3);
    let node = others(&world, leader)[0];
    for round in 0..20 {
        for old in ["one", "two", "three"] {
            drop(world.client(node).unwrap().put("k", format!("{old} of {round}")));
        }
        world.run(round * MILLI / 4);
        world.kill(node);
        world.start(node);
        let value = format!("new of {round}");
        let revision = put(&mut world, node, "k", &value);
        assert_eq!(world.judge().history()[&revision][0].value(), value.as_bytes());
        assert_eq!(times_written(&world, &value), 1);
    }
}

/// There: how many are enough was computed one too low for some sizes of a cluster. Shown by: an answer with
/// half of the members, or none with one more than half.
#[test]
fn xline_b2964e7_half_of_the_members_are_not_enough() {
    for nodes in [2, 3, 4, 5] {
        let (mut world, leader) = led(760 + nodes, nodes);
        let rest = others(&world, leader);
        let enough = nodes as usize / 2;
        // With itself, one too few.
        let (with, without) = rest.split_at(enough - 1);
        for node in without {
            world.hold_disk(*node);
        }
        let mut answer = world.client(leader).unwrap().put("k", "v");
        world.run(600 * MILLI);
        assert!(poll(&mut answer).is_none(), "{} of {nodes}", with.len() + 1);
        world.release_disk(without[0]);
        ack(&mut world, answer);
    }
}
