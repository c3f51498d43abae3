//! What a watch missed, repeated, invented or never said (rows 26 to 35, 37, 74 and 76), and the revision that
//! went back (row 25).

use kvorum_core::ids::{NodeId, Revision};
use kvorum_core::request::*;
use kvorum_core::{ErrorKind, Watch, WatchItem};
use kvorum_sim::{World, poll_watch};

use crate::common::*;

/// There: the newest revision was inferred, at the start, from the keys that were left; a compaction had removed
/// the newest tombstones. Shown by: a revision that is given twice.
#[test]
fn etcd_17780_the_revision_does_not_go_back_when_the_newest_tombstones_are_gone() {
    let (mut world, mut leader) = led_with(25, 3, small_images);
    let mut newest = 1;
    for round in 0..4 {
        for i in 0..8 {
            put(&mut world, leader, &format!("k{i}"), "v");
        }
        for i in 0..8 {
            newest = delete(&mut world, leader, &format!("k{i}"));
        }
        compact(&mut world, leader, newest);
        // Leases take no revisions, but room in the log: images are cut behind the compaction.
        for _ in 0..20 {
            let granted = world.client(leader).unwrap().grant(600 * SECOND);
            ack(&mut world, granted);
        }
        world.run(SECOND);
        for node in world.ids() {
            if round % 2 == 0 { world.lose_power(node) } else { world.kill(node) }
        }
        world.start_all();
        agree(&mut world);
        leader = world.leader().unwrap();
        for node in world.ids() {
            let status = world.status(node).unwrap();
            assert_eq!((status.revision, status.compacted, status.sizes.keys), (newest, newest, 0));
        }
        newest += 1;
        assert_eq!(put(&mut world, leader, "k", "v"), newest);
        newest += 1;
        assert_eq!(delete(&mut world, leader, "k"), newest);
    }
    let asked =
        world.client(leader).unwrap().compact_request(CompactionRequest { revision: newest, physical: true });
    ack(&mut world, asked);
    world.kill(leader);
    world.start(leader);
    agree(&mut world);
    assert_eq!(put(&mut world, 1, "last", "v"), newest + 1);
}

/// A key that was put, deleted and compacted at the revision of its delete, on a member that has freed it, on
/// one that started from an image since, and on one that was given an image by a leader.
fn compacted_at_a_tombstone(seed: u64) -> (World, Revision) {
    let (mut world, leader) = led_with(seed, 3, small_images);
    let (restarted, away) = (others(&world, leader)[0], others(&world, leader)[1]);
    world.kill(away);
    put(&mut world, leader, "k", "v");
    let gone = delete(&mut world, leader, "k");
    let freed =
        world.client(leader).unwrap().compact_request(CompactionRequest { revision: gone, physical: true });
    ack(&mut world, freed);
    fill(&mut world, leader, 20);
    world.run(SECOND);
    world.lose_power(restarted);
    world.start_all();
    agree(&mut world);
    assert!(world.images_taken() > 0);
    (world, gone)
}

/// There: a compaction at a tombstone's own revision removed the delete that a watch from there still had to be
/// told. Shown by: a watch from the compaction's revision whose first event is a later one.
#[test]
fn etcd_18089_a_watcher_at_the_tombstone_s_own_revision_gets_the_delete() {
    let (world, gone) = compacted_at_a_tombstone(26);
    for node in world.ids() {
        let mut watch = watch_all(&world, node, gone);
        let expected = format!("{gone}-k {}", history(&world, gone + 1));
        assert_eq!(heard(&mut watch), expected, "on {node}");
        let early = heard(&mut watch_all(&world, node, gone - 1));
        assert!(early.starts_with("ended: revision"), "on {node}: {early}");
    }
}

/// There: of a key only its tombstone was left, and it was not put into the index when the store was opened.
/// Shown by: a watch, or a read of that revision, that differs between a member that started anew and the rest.
#[test]
fn etcd_19179_a_tombstone_that_is_all_that_is_left_survives_a_restart() {
    let (mut world, gone) = compacted_at_a_tombstone(27);
    for _ in 0..2 {
        for node in world.ids() {
            let read = RangeRequest::key("k").at(gone).local();
            assert_eq!(world.client(node).unwrap().range_local(&read).unwrap().count, 0);
            let request = WatchRequest::key("k").from(gone).with_prev_kv();
            let mut watch = world.client(node).unwrap().watch(request).unwrap();
            let Some(Some(Ok(WatchItem::Events(events)))) = poll_watch(&mut watch) else {
                panic!("there is something to hear on {node}");
            };
            assert_eq!((events.len(), events[0].is_put(), events[0].revision()), (1, false, gone));
            assert_eq!(events[0].prev_kv, None, "which is compacted");
        }
        for node in world.ids() {
            world.lose_power(node);
        }
        world.start_all();
        agree(&mut world);
    }
}

/// There: a watch that was slow fell behind a compaction; it lost events and was told nothing. Shown by: a watch
/// that has a gap, or says nothing more.
#[test]
fn etcd_17529_a_watch_behind_a_compaction_is_told_where_it_can_go_on() {
    let (mut world, leader) = led(28, 3);
    for node in world.ids() {
        let mut slow = watch_all(&world, node, 0);
        let request = WatchRequest::key("idle");
        let mut idle = world.client(node).unwrap().watch(request).unwrap();
        let first = put(&mut world, leader, "busy", "v");
        let newest = fill(&mut world, leader, 10);
        compact(&mut world, leader, newest);
        agree(&mut world);
        let ended = poll_watch(&mut slow).expect("not silence").expect("nor a quiet end").unwrap_err();
        assert_eq!(*ended.kind(), ErrorKind::Compacted { requested: first, compacted: newest });
        assert_eq!(slow.resume_revision(), first);
        assert!(matches!(poll_watch(&mut slow), Some(None)), "it is over");
        // Nothing of the idle one's was compacted.
        assert_eq!(heard(&mut idle), "");
        let next = put(&mut world, leader, "idle", "v");
        agree(&mut world);
        assert_eq!(heard(&mut idle), format!("{next}+idle"));
        assert_eq!(heard(&mut watch_all(&world, node, newest)), history(&world, newest));
    }
}

/// There: a notification of how far a watch is overtook events that it stood for. Shown by: an event at or below
/// a revision that was said to be done with.
#[test]
fn etcd_15220_progress_never_overtakes_an_event() {
    let (mut world, leader) = led(29, 3);
    let follower = others(&world, leader)[0];
    let link = world.net.link(leader, follower);
    (link.slowest, link.loss) = (60 * MILLI, 200);
    let ask = WatchRequest::prefix("").from(2).with_progress(20 * MILLI);
    let mut watches: Vec<_> =
        world.ids().iter().map(|node| world.client(*node).unwrap().watch(ask.clone()).unwrap()).collect();
    let mut reached = vec![(1, 0); watches.len()];
    for i in 0..200 {
        let mut answers = Vec::new();
        for key in ["a", "b", "c"] {
            answers.push(world.client(leader).unwrap().put(key, i.to_string()));
        }
        world.run(i % 9 * 2 * MILLI);
        for (watch, (through, said)) in watches.iter_mut().zip(&mut reached) {
            watch.request_progress();
            while let Some(Some(Ok(item))) = poll_watch(watch) {
                match item {
                    WatchItem::Events(events) => {
                        for event in events {
                            assert_eq!(event.revision(), *through + 1, "each revision once, none below");
                            *through = event.revision();
                        }
                    }
                    WatchItem::Progress(revision) => {
                        assert_eq!(revision, *through, "all of it was delivered, and nothing else");
                        *said += 1;
                    }
                }
            }
        }
    }
    assert!(reached.iter().all(|(through, said)| *through > 100 && *said > 50), "{reached:?}");
}

/// A follower that is cut off while its process goes on, until only an image can help it.
fn cut_off(seed: u64) -> (World, NodeId, NodeId) {
    let (mut world, leader) = led_with(seed, 3, small_images);
    let follower = others(&world, leader)[0];
    fill(&mut world, leader, 5);
    agree(&mut world);
    isolate(&mut world, follower);
    (world, leader, follower)
}

fn rejoin(world: &mut World) {
    let taken = world.images_taken();
    world.net.heal();
    agree(world);
    assert!(world.images_taken() > taken, "it was an image");
}

/// There: a follower got its state from a snapshot; its watches, which had been up to date, were served all over
/// again. Shown by: an event that is told twice, or not at all.
#[test]
fn etcd_15271_watches_go_on_across_an_image_without_a_repetition() {
    let (mut world, leader, follower) = cut_off(30);
    let mut early = watch_all(&world, follower, 2);
    let mut now = watch_all(&world, follower, 0);
    let before = history(&world, 2);
    assert_eq!(heard(&mut early), before);
    let next = world.status(follower).unwrap().revision + 1;
    fill(&mut world, leader, 30);
    assert_eq!(heard(&mut now), "");
    rejoin(&mut world);
    let missed = history(&world, next);
    assert_eq!((heard(&mut early), heard(&mut now)), (missed.clone(), missed));
    let newest = put(&mut world, leader, "k", "v");
    agree(&mut world);
    assert_eq!((heard(&mut early), heard(&mut now)), (format!("{newest}+k"), format!("{newest}+k")));
}

/// There: after a snapshot was installed, watches were not attached to the new store, and heard nothing ever
/// again. Shown by: a watch that is silent about a change behind the image.
#[test]
fn etcd_8411_watches_still_hear_after_an_image() {
    let (mut world, leader, follower) = cut_off(31);
    let client = world.client(follower).unwrap();
    let asks = [WatchRequest::key("idle"), WatchRequest::prefix("id"), WatchRequest::prefix("")];
    let mut watches: Vec<_> = asks.into_iter().map(|ask| client.watch(ask).unwrap()).collect();
    for watch in &mut watches {
        assert_eq!(heard(watch), "");
    }
    fill(&mut world, leader, 30);
    rejoin(&mut world);
    heard(&mut watches[2]);
    assert_eq!((heard(&mut watches[0]), heard(&mut watches[1])), (String::new(), String::new()));
    for _ in 0..3 {
        let put = put(&mut world, leader, "idle", "v");
        let gone = delete(&mut world, leader, "idle");
        agree(&mut world);
        for watch in &mut watches {
            assert_eq!(heard(watch), format!("{put}+idle {gone}-idle"));
        }
    }
}

/// There: a watch waited for a revision of the future when a snapshot was installed, and the member panicked.
/// Shown by: a panic, or a watch that does not begin where it was asked to.
#[test]
fn etcd_9775_a_watch_of_the_future_outlives_an_image() {
    let (mut world, leader, follower) = cut_off(32);
    let now = world.status(follower).unwrap().revision;
    let starts = [now + 1, now + 10, now + 35, now + 1000, i64::MAX];
    let mut watches: Vec<_> = starts.iter().map(|start| watch_all(&world, follower, *start)).collect();
    fill(&mut world, leader, 30);
    rejoin(&mut world);
    let newest = fill(&mut world, leader, 10);
    agree(&mut world);
    assert_eq!(newest, now + 40);
    for (start, watch) in starts.into_iter().zip(&mut watches) {
        assert_eq!(heard(watch), history(&world, start), "from {start}");
    }
}

/// There: a watch of a future revision was given older events, and older notifications, once a snapshot came.
/// Shown by: anything that it says of a revision below the one that was asked for.
#[test]
fn etcd_20221_a_watch_of_the_future_says_nothing_of_before() {
    let (mut world, leader, follower) = cut_off(33);
    let start = world.status(follower).unwrap().revision + 20;
    let open = |world: &World, node| {
        let ask = WatchRequest::prefix("").from(start).with_progress(50 * MILLI);
        world.client(node).unwrap().watch(ask).unwrap()
    };
    let mut watches = [open(&world, follower), open(&world, leader)];
    let mut listen = |world: &mut World| {
        world.run(200 * MILLI);
        watches.iter_mut().for_each(Watch::request_progress);
        watches.each_mut().map(heard)
    };
    assert_eq!(listen(&mut world), ["", ""], "nothing below was asked for");
    assert_eq!(fill(&mut world, leader, 19), start - 1);
    assert_eq!(listen(&mut world), ["", ""]);
    rejoin(&mut world);
    assert_eq!(listen(&mut world), ["", ""], "the image ends below");
    for i in 0..3 {
        let revision = put(&mut world, leader, "k", "v");
        assert_eq!(revision, start + i);
        agree(&mut world);
        let said = listen(&mut world);
        let expected = format!("{revision}+k through {revision}");
        assert!(said.iter().all(|said| said.starts_with(&expected)), "{said:?}");
    }
}

/// There: what a transaction had read for its own answer was kept and told to watches once more. Shown by: a
/// key of a revision that is told twice, or a revision that is told in two pieces.
#[test]
fn etcd_17247_a_transaction_is_told_once_and_in_one_piece() {
    let (mut world, leader) = led(34, 3);
    let mut watches: Vec<_> = world.ids().into_iter().map(|node| watch_all(&world, node, 2)).collect();
    put(&mut world, leader, "gone", "v");
    let inner = TxnRequest::new().then(RangeRequest::prefix("")).then(PutRequest::new("b", "1"));
    let txn = TxnRequest::new()
        .when(Compare::exists("gone"))
        .then(RangeRequest::prefix(""))
        .then(PutRequest::new("a", "1").with_prev_kv())
        .then(inner)
        .then(DeleteRangeRequest::prefix("g").with_prev_kv())
        .then(RangeRequest::prefix(""));
    for node in world.ids() {
        let asked = world.client(node).unwrap().txn(txn.clone());
        ack(&mut world, asked);
    }
    agree(&mut world);
    for watch in &mut watches {
        let mut revisions = Vec::new();
        while let Some(Some(Ok(WatchItem::Events(events)))) = poll_watch(watch) {
            revisions.extend(events.chunk_by(|a, b| a.revision() == b.revision()).map(|events| {
                events.iter().map(|event| event.key().escape_ascii().to_string()).collect::<Vec<_>>()
            }));
        }
        // Only the first one finds what it looks for; the others do nothing.
        assert_eq!(revisions, [vec!["gone"], vec!["a", "b", "gone"]]);
    }
    assert_eq!(history(&world, 2), "2+gone 3+a 3+b 3-gone");
}

/// There: a negative revision was taken, and the watch was then synchronized from nowhere. Shown by: a watch
/// that begins, or an answer that is not the same on every member.
#[test]
fn etcd_20707_a_negative_revision_begins_no_watch() {
    let (mut world, leader) = led(35, 3);
    for compacted in [0, 4] {
        fill(&mut world, leader, 5);
        if compacted > 0 {
            compact(&mut world, leader, compacted);
        }
        agree(&mut world);
        for node in world.ids() {
            for requested in [-1, -2, i64::MIN] {
                let ask = WatchRequest::prefix("").from(requested);
                let error = world.client(node).unwrap().watch(ask).expect_err("there is no such place");
                assert!(matches!(error.kind(), ErrorKind::Compacted { requested: r, .. } if *r == requested));
            }
            assert_eq!(world.status(node).unwrap().sizes.watchers, 0, "nobody has one");
        }
    }
}

/// There: watches that nobody read kept their events in memory, and kept others waiting. Shown by: a watch that
/// is late because of others, or a slow one that has lost something when it reads at last.
#[test]
fn etcd_16839_watches_that_nobody_reads_delay_nobody() {
    let (mut world, leader) = led(37, 3);
    let node = others(&world, leader)[0];
    let mut idle: Vec<_> = (0..300).map(|_| watch_all(&world, node, 2)).collect();
    let mut read = watch_all(&world, node, 2);
    let bytes = world.status(node).unwrap().sizes.bytes;
    for i in 0..60 {
        let revision = put(&mut world, node, "k", "x");
        assert_eq!(heard(&mut read), format!("{revision}+k"), "at once, on the node that answered");
        assert!(world.status(node).unwrap().sizes.bytes <= bytes + (i + 1) * 300);
    }
    let all = history(&world, 2);
    assert!(idle.iter_mut().all(|watch| heard(watch) == all));
}

/// There: a watch read history first and was registered for news a moment later; what happened in between was
/// never told. Shown by: a gap or a repetition in a watch that was opened while others wrote.
#[test]
fn xline_166_a_watch_opened_at_any_moment_has_no_gap() {
    let (mut world, leader) = led(74, 3);
    let mut watches: Vec<(Revision, Watch)> = Vec::new();
    let mut answers = Vec::new();
    for i in 0..60 {
        answers.push(world.client(1 + i % 3).unwrap().put(format!("k{}", i % 4), i.to_string()));
        // One step at a time, so that every place between two turns is one of them.
        for node in world.ids() {
            let (newest, until) = (world.status(node).unwrap().revision, world.now() + MILLI);
            watches.push((2, watch_all(&world, node, 2)));
            watches.push((newest.max(2), watch_all(&world, node, newest.max(2))));
            watches.push((newest + 1, watch_all(&world, node, 0)));
            world.step(until);
        }
    }
    for answer in answers {
        ack(&mut world, answer);
    }
    let newest = fill(&mut world, leader, 3);
    agree(&mut world);
    assert_eq!(newest, 64);
    for (from, mut watch) in watches {
        assert_eq!(heard(&mut watch), history(&world, from), "from {from}");
    }
}

/// There: the task that tells events ended before it had told those of the last entries. Shown by: a watch on a
/// node that ends which lacks what that node had answered.
#[test]
fn xline_9827929_the_last_events_are_told_before_the_end() {
    let (mut world, leader) = led(76, 3);
    let mut watches: Vec<_> =
        world.ids().into_iter().map(|node| (node, watch_all(&world, node, 2))).collect();
    fill(&mut world, leader, 5);
    let last = put(&mut world, leader, "last", "v");
    // Its process ends in the moment of the answer; the watch is read only then.
    world.kill(leader);
    let at_leader = watches.iter_mut().find(|(node, _)| *node == leader).unwrap();
    let all = history(&world, 2);
    assert_eq!(heard(&mut at_leader.1), format!("{all} ended: the node is stopped"));
    assert!(all.ends_with(&format!("{last}+last")));
    // Another halts because of its disk.
    let next = leader_but(&mut world, leader);
    world.start(leader);
    agree(&mut world);
    let victim = others(&world, next).into_iter().find(|node| *node != leader).unwrap();
    let last = put(&mut world, next, "last", "w");
    agree(&mut world);
    world.disk(victim).fail_at(world.disk(victim).operations());
    put(&mut world, next, "more", "v");
    assert!(world.run_until(5 * SECOND, |world| world.why_halted(victim).is_some()));
    let said = heard(&mut watches.iter_mut().find(|(node, _)| *node == victim).unwrap().1);
    assert!(
        said.contains(&format!("{last}+last")) && said.contains("ended: the node halted itself"),
        "{said}"
    );
}
