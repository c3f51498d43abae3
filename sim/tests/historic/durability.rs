//! What was acknowledged and then lost, and what could not be started again (rows 3 to 5, 11 to 18, 20, 62 to
//! 64, 68 and 70).

use kvorum_core::disk::load_image;
use kvorum_core::node::{Node, Start};
use kvorum_core::storage::{Batch, HardState, Storage};
use kvorum_core::{Outcome, Time};
use kvorum_sim::{Crash, Tape, World, poll};
use kvorum_storage::FileStorage;
use kvorum_storage::faulty::{FaultyDisk, Survivors};

use crate::common::*;

/// There: a member that is alone got the same entry as "to be written" and as "agreed on", and answered before
/// the disk had it. Shown by: an answer while the disk stands still, or a key that is gone after the answer.
#[test]
fn etcd_14370_a_node_alone_answers_only_what_its_disk_has() {
    let (mut world, node) = led(3, 1);
    world.hold_disk(node);
    let mut answer = world.client(node).unwrap().put("k", "never");
    world.run(2 * SECOND);
    assert!(poll(&mut answer).is_none(), "nothing is synced");
    assert_eq!(local(&world, node, "k"), None, "nor may anybody see it");
    world.lose_power(node);
    assert_eq!(poll(&mut answer).unwrap().unwrap_err().outcome(), Outcome::Unknown);
    world.release_disk(node);
    for round in 0..10 {
        assert!(world.start(node));
        assert_eq!(world.wait_for_leader(5 * SECOND), Some(node));
        get(&mut world, node, "k");
        let before = world.status(node).unwrap().revision;
        assert_eq!(before, 1 + round, "exactly what was answered is there");
        assert_eq!(put(&mut world, node, "k", &round.to_string()), before + 1);
        world.lose_power(node);
    }
    world.start(node);
    world.wait_for_leader(5 * SECOND).unwrap();
    assert_eq!(get(&mut world, node, "k").as_deref(), Some("9"));
}

/// There: the same question among three, where a follower's answer is what the leader counts. Shown by: a
/// follower that says "stored" while its disk stands still, or a write that two of three had and one has.
#[test]
fn etcd_12589_a_follower_s_answer_follows_its_own_sync() {
    let (mut world, leader) = led(4, 3);
    let (slow, away) = (others(&world, leader)[0], others(&world, leader)[1]);
    isolate(&mut world, away);
    let durable = world.status(slow).unwrap().raft.last_index;
    world.hold_disk(slow);
    world.note_events();
    let mut answer = world.client(leader).unwrap().put("k", "v");
    world.run(300 * MILLI);
    assert!(world.status(slow).unwrap().raft.last_index > durable, "it has heard of the entry");
    let vouches = raft_messages(world.take_seen()).into_iter().any(|(envelope, message)| {
        envelope.from == slow && message.kind == APPEND_ANSWER && message.index > durable
    });
    assert!(!vouches, "its disk has nothing of it");
    assert!(poll(&mut answer).is_none(), "one of three has it");
    world.lose_power(slow);
    world.release_disk(slow);
    world.start(slow);
    assert_eq!(world.status(slow).unwrap().raft.last_index, durable);
    world.net.heal();
    ack(&mut world, answer);
    agree(&mut world);
    assert_eq!(times_written(&world, "v"), 1);
}

/// There: all members lost power at once, and with it writes that had been answered; what was left of their
/// logs disagreed. Shown by: an answered write that is not read afterwards, or two leaders in a term.
#[test]
fn etcd_14143_all_lose_power_in_the_moment_of_the_answer() {
    let (mut world, mut leader) = led(5, 3);
    let ways = [Survivors::Nothing, Survivors::Prefix, Survivors::Subset];
    for round in 0..12 {
        let value = round.to_string();
        let revision = put(&mut world, leader, "k", &value);
        for node in world.ids() {
            world.crash(node, Crash::Power(ways[round % 3]), None);
        }
        world.start_all();
        leader = world.wait_for_leader(20 * SECOND).expect("all can be started");
        let kv = world.client(leader).unwrap().get("k");
        let kv = ack(&mut world, kv).expect("it was answered");
        assert_eq!((kv.mod_revision, &kv.value[..]), (revision, value.as_bytes()));
    }
    agree(&mut world);
}

/// There: after a received snapshot was installed, the receiver's own, older applied index was written over the
/// snapshot's, and entries inside it were applied again. Shown by: another hash at the same entry, or a panic.
#[test]
fn etcd_13922_an_image_brings_its_own_applied_index() {
    let (mut world, leader, behind) = behind(11);
    let applied_before = world.status(leader).unwrap().raft.applied;
    world.start(behind);
    for _ in 0..6 {
        assert!(world.run_until(10 * SECOND, |world| world.images_taken() > 0));
        assert!(world.run_until(5 * SECOND, |w| w.status(behind).unwrap().hash_index >= applied_before));
        let view = world.status(behind).unwrap();
        assert_eq!(view.raft.applied, view.hash_index, "the node and its state agree");
        // Entries behind the image are applied once, before and after a restart from it.
        fill(&mut world, leader, 3);
        agree(&mut world);
        world.lose_power(behind);
        world.start(behind);
        agree(&mut world);
    }
}

/// There: the machine died between the write of what was applied and the write of how far the log was agreed
/// on, and the member came back having applied more than it knew to be agreed on. Shown by: applied > commit.
#[test]
fn etcd_20426_applied_is_never_ahead_of_commit_after_a_crash() {
    let tape = Tape::default();
    let mut world = World::new(12).nodes_with(3, small_images).storage_options(TINY);
    let noted = tape.clone();
    world.wrap_disk(3, move |disk| noted.over(disk));
    let (mut world, leader) = settled(world);
    for i in 0..40 {
        fill(&mut world, leader, 1);
        world.run(i % 5 * 3 * MILLI);
    }
    let config = world.config(3).clone();
    let mut images_ahead = 0;
    let mut playback = tape.playback(12);
    for number in 0..=tape.len() {
        playback.advance_to(number).unwrap();
        let disk = playback.disk();
        for way in [None, Some(Survivors::Nothing), Some(Survivors::Subset)] {
            let copy = disk.fork(number as u64);
            way.map_or_else(|| copy.kill(), |survivors| copy.lose_power(survivors));
            let mut storage = FileStorage::with_disk(copy.mount(), TINY).unwrap();
            let recovered = storage.recover().unwrap_or_else(|error| panic!("cut at {number}: {error}"));
            let Some(identity) = recovered.identity else { continue };
            let image = load_image(&mut storage, identity.cluster).unwrap();
            let image_at = image.as_ref().map_or(0, |(meta, _)| meta.position.index);
            images_ahead += u32::from(image_at > recovered.hard_state.commit);
            let start = Start { config: config.clone(), identity, recovered, image, now: Time::ZERO };
            let mut node = Node::start(start).unwrap_or_else(|error| panic!("cut at {number}: {error}"));
            while node.poll_output().is_some() {}
            let view = node.view();
            assert!(view.applied >= image_at && view.halted.is_none());
            assert!(
                view.applied <= view.commit && view.commit <= view.last_index,
                "cut at {number}: {view:?}"
            );
        }
    }
    assert!(images_ahead > 20, "the circumstance came up {images_ahead} times");
}

/// A follower that needs an image comes back, and something is wrong with its disk; then the disk is well
/// again, the machine starts anew, and all must agree. Answers whether the disk was noticed.
fn comes_back(world: &mut World, behind: u64, crash: Crash, arm: impl FnOnce(&FaultyDisk)) -> bool {
    world.kill(behind);
    let leader = world.wait_for_leader(20 * SECOND).unwrap();
    let newest = fill(world, leader, 6);
    arm(world.disk(behind));
    let has_started = world.start(behind);
    if has_started {
        world.run_until(3 * SECOND, |world| {
            world.why_halted(behind).is_some() || world.status(behind).unwrap().revision >= newest
        });
    }
    let noticed = world.why_halted(behind);
    world.crash(behind, crash, None);
    world.disk(behind).set_capacity(None);
    assert!(world.start(behind), "after {noticed:?}: {:?}", world.why_halted(behind));
    agree(world);
    // Its log goes on behind whatever it came back with.
    let leader = world.leader().unwrap();
    fill(world, leader, 1);
    agree(world);
    noticed.is_some()
}

/// There: a crash behind the hard state's write and before the snapshot's file left a member that could not be
/// started. Shown by: a start that is refused after a crash at any write of an image's way in.
#[test]
fn etcd_11888_a_crash_at_any_write_of_an_image_can_be_started_from() {
    let (mut world, _, behind) = behind(13);
    let crashes = [Crash::Kill, Crash::Power(Survivors::Nothing), Crash::Power(Survivors::Subset)];
    let mut died = 0;
    for write in 0..60 {
        let stop = |disk: &FaultyDisk| disk.stop_at(disk.operations() + write);
        died += u32::from(comes_back(&mut world, behind, crashes[write as usize % 3], stop));
    }
    assert!(died > 10, "{died} of 60 in the middle of it");
    assert!(world.images_taken() > 40, "it was an image that helped: {}", world.images_taken());
}

/// There: a segment of the log got its name by a rename, and nobody synced the directory; the power went, and
/// the segment with it. Shown by: an answered write that is gone once all have lost power behind a new segment.
#[test]
fn etcd_6368_a_new_segment_s_name_is_durable_before_its_content_counts() {
    let (mut world, mut leader) = settled(World::new(14).nodes(3).storage_options(TINY));
    for round in 0..12 {
        let first = put(&mut world, leader, "k", &"x".repeat(900));
        assert_eq!(put(&mut world, leader, "l", &"y".repeat(900)), first + 1);
        for node in world.ids() {
            world.lose_power(node);
        }
        world.start_all();
        leader = world.wait_for_leader(20 * SECOND).expect("all can be started");
        let kv = world.client(leader).unwrap().get("l");
        let found = ack(&mut world, kv).expect("it was answered").mod_revision;
        assert_eq!(found, first + 1, "round {round}");
    }
    let names = world.disk(leader).files().into_keys();
    assert!(names.filter(|name| name.ends_with(".wal")).count() > 10, "there were new segments");
}

/// There: two writes went under one sync, the disk wrote them in another order and the power went: a hole in
/// the tail, which no start got over. Shown by: a start that is refused after any subset of sectors was lost.
#[test]
fn etcd_6378_a_hole_in_the_unsynced_tail_is_cut_off() {
    let (mut world, leader) = led(15, 3);
    let victim = others(&world, leader)[0];
    let mut torn = 0;
    for round in 0..24 {
        world.hold_disk(victim);
        let answers: Vec<_> = (0..6)
            .map(|i| world.client(leader).unwrap().put(format!("k{i}"), format!("{round:0>700}")))
            .collect();
        world.run(20 * MILLI);
        let reaches = world.status(victim).unwrap().raft.last_index;
        world.crash(victim, Crash::Power(Survivors::Subset), Some(1 + round % 2));
        world.release_disk(victim);
        assert!(world.start(victim), "round {round}: {:?}", world.why_halted(victim));
        torn += u32::from(world.status(victim).unwrap().raft.last_index < reaches);
        for answer in answers {
            ack(&mut world, answer);
        }
        agree(&mut world);
    }
    assert!(torn > 5, "{torn} of 24 lost something");
}

/// There: a last record that was torn in the middle, which nobody had been told of, was taken for corruption;
/// elsewhere the opposite was done. Shown by: a torn tail that is refused, or damage before it that is not.
#[test]
fn etcd_15068_a_torn_tail_is_cut_off_and_damage_before_it_is_not() {
    let (mut world, node) = led(16, 1);
    put(&mut world, node, "told", "v");
    let segment = |disk: &FaultyDisk| {
        let files = disk.files();
        files.into_iter().rfind(|(name, _)| name.ends_with(".wal")).expect("a log")
    };
    let (name, before) = segment(world.disk(node));
    put(&mut world, node, "torn", &"x".repeat(2000));
    let (same, after) = segment(world.disk(node));
    assert!(name == same && after.len() > before.len() + 1500);
    let config = world.config(node).clone();
    let again = |change: &dyn Fn(&FaultyDisk)| {
        let disk = world.disk(node).fork(1);
        disk.kill();
        change(&disk);
        let mut other = World::new(1).nodes_with(1, |c| *c = config.clone());
        other.set_disk(1, disk);
        other.start(1);
        other
    };
    for length in (before.len()..after.len()).step_by(61) {
        let mut other = again(&|disk| disk.put(&name, &after[..length]));
        assert_eq!(other.wait_for_leader(5 * SECOND), Some(1), "{:?}", other.why_halted(1));
        assert_eq!(get(&mut other, 1, "told").as_deref(), Some("v"));
        assert_eq!(get(&mut other, 1, "torn"), None, "cut at {length}");
    }
    for byte in (512..before.len()).step_by(61) {
        let other = again(&|disk| disk.flip(&name, byte, 2));
        let why = other.why_halted(1).expect("it may have been told");
        assert!(why.contains("is damaged"), "byte {byte}: {why}");
    }
}

/// There: the log's check ran across segments without carrying the checksum over, and failed once the oldest
/// ones had been removed. Shown by: a start that is refused after the log's head was dropped.
#[test]
fn etcd_11918_a_log_without_its_head_can_be_read() {
    let (mut world, node) = settled(World::new(17).nodes_with(1, small_images).storage_options(TINY));
    let mut acked = 0;
    for _ in 0..8 {
        acked = fill(&mut world, node, 12);
        world.run(SECOND);
        world.lose_power(node);
        assert!(world.start(node), "{:?}", world.why_halted(node));
        world.wait_for_leader(5 * SECOND).unwrap();
    }
    assert_eq!(world.status(node).unwrap().revision, acked);
    let first = world.disk(node).files().into_keys().find(|name| name.ends_with(".wal")).unwrap();
    assert!(first.as_str() > "log-00000000000000000004.wal", "the head is gone: {first}");
}

/// There: the disk was full while a received snapshot was saved; the commit index had moved already, and every
/// start from then on panicked. Shown by: a start that is refused, or a node that disagrees, once there is room.
#[test]
fn etcd_8935_a_disk_that_fills_up_while_an_image_comes_loses_nothing() {
    let (mut world, _, behind) = behind(18);
    let mut full = 0;
    for step in 0..30 {
        let arm = |disk: &FaultyDisk| {
            let used: usize = disk.files().values().map(Vec::len).sum();
            disk.set_capacity(Some(used as u64 + step * 420));
        };
        full += u32::from(comes_back(&mut world, behind, Crash::Kill, arm));
    }
    assert!((5..30).contains(&full), "{full} of 30 disks were too small");
}

/// There: a file that an interrupted rewrite had left behind was taken for the finished one. Shown by: a half
/// file that is still there after a start, or a state that was read from it.
#[test]
fn etcd_11613_what_was_left_half_written_is_removed_and_never_read() {
    let (mut world, leader) = led_with(20, 3, small_images);
    let victim = others(&world, leader)[0];
    fill(&mut world, leader, 30);
    agree(&mut world);
    world.kill(victim);
    let mut left = Vec::new();
    for (name, bytes) in world.disk(victim).files() {
        // As a process leaves them that dies while it writes: the next one to be written has the same name.
        for aside in [format!("{name}.1.tmp"), format!("{name}.tmp")] {
            world.disk(victim).put(&aside, &bytes[..bytes.len() / 2]);
            left.push(aside);
        }
    }
    assert!(left.len() >= 6, "a log, an image, an identity: {left:?}");
    assert!(world.start(victim));
    let files = world.disk(victim).files();
    assert!(left.iter().all(|name| !files.contains_key(name)), "{:?}", files.keys());
    fill(&mut world, leader, 30);
    agree(&mut world);
    world.lose_power(victim);
    assert!(world.start(victim));
    agree(&mut world);
}

/// There: a second snapshot came while the first one's effect on the log was not written yet, and the index up
/// to which the log counted as stored was wrong. Shown by: a panic, a halt, or another hash at the same entry.
#[test]
fn raft_rs_417_a_second_image_before_the_first_is_settled() {
    let mut images = 0;
    for seed in 0..6 {
        let (mut world, leader, behind) = behind(6200 + seed);
        let second = others(&world, leader).into_iter().find(|node| *node != behind).unwrap();
        // The first leader's image is slow, and arrives when the second leader's is being settled.
        let link = world.net.link(leader, behind);
        (link.fastest, link.slowest) = ((80 + 60 * seed as u32) * MILLI, (100 + 60 * seed as u32) * MILLI);
        world.start(behind);
        world.run(1500 * MILLI);
        transfer(&mut world, second);
        fill(&mut world, second, 10);
        world.run_until(5 * SECOND, |world| world.images_taken() > 0);
        world.hold_disk(behind);
        world.run(300 * MILLI);
        fill(&mut world, second, 10);
        world.release_disk(behind);
        world.run(seed as u32 * 20 * MILLI);
        world.lose_power(behind);
        assert!(world.start(behind));
        world.net.heal();
        agree(&mut world);
        images += world.images_taken();
    }
    assert!(images > 9, "there was a second one: {images} for six followers");
}

/// There: something that had to be synced before the messages went out was said to need no sync. Shown by: a
/// vote that leaves before it is written, or two votes of one member in one term.
#[test]
fn raft_rs_128_a_vote_is_synced_before_it_is_told_and_given_once() {
    let (mut world, leader) = led(63, 3);
    let rest = others(&world, leader);
    world.kill(leader);
    world.note_events();
    rest.iter().for_each(|node| world.hold_disk(*node));
    world.run(5 * SECOND);
    let votes = |world: &mut World| -> Vec<_> {
        let said = raft_messages(world.take_seen()).into_iter();
        let votes = said.filter(|(_, message)| message.kind == VOTE_ANSWER && !message.reject);
        votes.map(|(envelope, message)| (envelope.from, message.term, envelope.to)).collect()
    };
    assert_eq!(votes(&mut world), [], "a vote that is forgotten is given twice");
    rest.iter().for_each(|node| world.release_disk(*node));
    let mut given = std::collections::BTreeMap::new();
    for _ in 0..12 {
        world.run(700 * MILLI);
        for node in &rest {
            world.lose_power(*node);
            assert!(world.start(*node));
        }
        for (from, term, to) in votes(&mut world) {
            assert_eq!(*given.entry((from, term)).or_insert(to), to, "{from} votes twice in term {term}");
        }
    }
    world.run(5 * SECOND);
    let given = given.len() + votes(&mut world).len();
    assert!(given > 0 && world.leader().is_some());
}

/// There: how far entries may be applied was computed from what is agreed on, and not also from what the own
/// disk has. Shown by: an applied index beyond the disk's log.
#[test]
fn raft_rs_543_nothing_is_applied_that_the_own_disk_lacks() {
    let (mut world, leader) = led(64, 3);
    for node in world.ids() {
        let durable = world.status(node).unwrap().raft.last_index;
        world.hold_disk(node);
        let answers: Vec<_> = (0..5).map(|i| world.client(leader).unwrap().put("k", i.to_string())).collect();
        world.run_until(400 * MILLI, |world| {
            let view = world.status(node).unwrap().raft;
            assert!(view.applied <= durable && view.applied <= view.commit, "{view:?}, disk {durable}");
            false
        });
        assert!(world.status(node).unwrap().raft.last_index > durable, "it has entries to wait for");
        world.release_disk(node);
        for answer in answers {
            ack(&mut world, answer);
        }
        agree(&mut world);
    }
}

/// There: a member that had lost log entries it had answered for was told of a commit beyond its log, and
/// panicked at every start (or went on). Shown by: anything else than a halt that says why.
#[test]
fn tikv_7353_a_member_set_back_to_an_old_disk_halts() {
    let (mut world, leader) = led(68, 3);
    let victim = others(&world, leader)[0];
    let old = world.disk(victim).fork(1);
    old.kill();
    for i in 0..10 {
        put(&mut world, leader, "k", &i.to_string());
    }
    agree(&mut world);
    world.kill(victim);
    world.set_disk(victim, old);
    // What is still on its way to it is answered by a refusal, and the loss would heal unseen (FOUND.md).
    world.run(SECOND);
    assert!(world.start(victim), "by itself its disk is whole");
    world.run_until(5 * SECOND, |world| world.why_halted(victim).is_some());
    let why = world.why_halted(victim).expect("its word cannot be relied on");
    assert!(why.contains("lost part of the log"), "{why}");
    put(&mut world, leader, "k", "goes on");
    assert_eq!(get(&mut world, leader, "k").as_deref(), Some("goes on"));
}

/// There: the applied index was saved before the hard state, in the order of a library's example; a crash
/// between the two left a member that had applied what it did not know to be agreed on. Shown by: the same.
#[test]
fn tikv_11885_a_crash_between_any_two_writes_of_a_turn() {
    let (mut world, node) = settled(World::new(70).nodes_with(1, small_images).storage_options(TINY));
    let (mut acked, mut unanswered) = (1, 0);
    for tear in 0..40 {
        for _ in 0..3 {
            acked = fill(&mut world, node, 1);
        }
        let answers: Vec<_> = (0..3).map(|_| world.client(node).unwrap().put("last", "words")).collect();
        world.run(tear % 4 * MILLI / 4);
        let survivors = [Survivors::Nothing, Survivors::Subset][tear as usize % 2];
        world.crash(node, Crash::Power(survivors), Some(u64::from(tear) / 4));
        unanswered += answers.into_iter().filter_map(|mut answer| poll(&mut answer)?.err()).count();
        assert!(world.start(node), "tear {tear}: {:?}", world.why_halted(node));
        let view = world.status(node).unwrap().raft;
        assert!(view.applied <= view.commit && view.commit <= view.last_index, "{view:?}");
        get(&mut world, node, "last");
        let revision = world.status(node).unwrap().revision;
        assert!((acked..=acked + 3).contains(&revision), "{acked} was acknowledged, {revision} is there");
    }
    assert!(unanswered > 30, "{unanswered}");
}

/// There: a restart with batches in the log that hold nothing failed. Shown by: a recovery that is refused, or
/// that finds something else.
#[test]
fn xline_5321761_empty_batches_are_no_trouble_to_read_back() {
    let disk = FaultyDisk::new(76);
    let mut storage = FileStorage::with_disk(disk.mount(), TINY).unwrap();
    storage.recover().unwrap();
    let hard = HardState { term: 3, vote: 2, commit: 0 };
    let voted = Batch { hard_state: Some(hard), ..Batch::default() };
    for batches in [vec![], vec![Batch::default()], vec![Batch::default(), voted, Batch::default()], vec![]] {
        storage.append(&batches).unwrap();
        disk.kill();
        storage = FileStorage::with_disk(disk.mount(), TINY).unwrap();
        storage.recover().unwrap();
    }
    disk.lose_power(Survivors::Nothing);
    let found = FileStorage::with_disk(disk.mount(), TINY).unwrap().recover().unwrap();
    assert_eq!((found.hard_state, found.entries.len()), (hard, 0));
}

/// Here (seed 4093): after a restart, only the entries of the log were counted, not the terms, votes and beginnings of
/// segments that each start writes. Shown by: the log of a node that is started again and again, and lives to write
/// a little each time.
#[test]
fn kvorum_4093_a_log_that_grows_by_starts_is_bounded_too() {
    let world =
        World::new(47).nodes_with(1, |config| config.image_log_bytes = 16 << 10).storage_options(TINY);
    let (mut world, node) = settled(world);
    let mut most = 0;
    for round in 0..60 {
        put(&mut world, node, "k", &round.to_string());
        world.lose_power(node);
        world.start(node);
        world.wait_for_leader(5 * SECOND).unwrap();
        world.run(SECOND);
        let files = world.disk(node).files();
        let log = files.iter().filter(|(name, _)| name.starts_with("log"));
        most = most.max(log.map(|(_, bytes)| bytes.len()).sum());
    }
    // What makes an image due, twice, and as much again for what is begun.
    assert!(most <= 48 << 10, "{most} bytes");
}

/// Here (seed 22549): a member let go of its log when it had made an image of its own, and not when it had been sent
/// one. Shown by: the log of a member that is cut off, written past and sent an image, again and again.
#[test]
fn kvorum_22549_a_member_that_is_fed_by_images_lets_go_of_its_log() {
    let mut world = World::new(49).nodes_with(3, small_images).storage_options(TINY);
    // Its own images are never due.
    world.config(3).image_log_bytes = 1 << 20;
    world.start_all();
    world.wait_for_leader(20 * SECOND).unwrap();
    transfer(&mut world, 1);
    for round in 0..20 {
        isolate(&mut world, 3);
        fill(&mut world, 1, 20);
        world.net.heal();
        let (taken, target) = (world.images_taken(), world.status(1).unwrap().revision);
        assert!(
            world.run_until(20 * SECOND, |world| world.status(3).unwrap().revision >= target),
            "{round}: {taken}"
        );
        // Something in its log, too.
        fill(&mut world, 1, 5);
        world.run(SECOND);
    }
    assert!(world.images_taken() >= 20, "it was fed by images");
    let files = world.disk(3).files();
    let log: usize =
        files.iter().filter(|(name, _)| name.starts_with("log")).map(|(_, bytes)| bytes.len()).sum();
    assert!(log <= 30 << 10, "{log} bytes");
}
