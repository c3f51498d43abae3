//! What members told each other, and should not have believed (rows 22, 59, 61 and 72).

use kvorum_core::ErrorKind;
use kvorum_core::mail::Mail;
use kvorum_core::transport::{Envelope, Incoming, RaftMessage, WireEntry};
use kvorum_sim::World;

use crate::common::*;

/// There: a second snapshot came right behind a first one, and the member panicked. Shown by: a panic, a halt, or
/// a member that never catches up, where an image is due with every entry.
#[test]
fn etcd_18055_images_in_quick_succession() {
    let (mut world, mut leader) = led_with(22, 3, |config| {
        small_images(config);
        config.image_log_bytes = 1;
    });
    for round in 0..8 {
        let behind = others(&world, leader)[round % 2];
        isolate(&mut world, behind);
        fill(&mut world, leader, 8);
        world.net.heal();
        let link = world.net.link(leader, behind);
        (link.loss, link.duplicate, link.slowest) = (150, 300, 25 * MILLI);
        for _ in 0..12 {
            fill(&mut world, leader, 2);
            world.run(30 * MILLI);
            leader = world.wait_for_leader(10 * SECOND).unwrap();
        }
        world.net.heal();
        agree(&mut world);
    }
    assert!(world.images_taken() > 12, "{}", world.images_taken());
}

/// There: a member took messages that were meant for another one that had had its address before. Shown by: a
/// message to somebody else, or from somebody else's past, that changes anything.
#[test]
fn etcd_17078_what_is_meant_for_another_member_is_not_heard() {
    let (mut world, leader) = led(59, 3);
    let (victim, third) = (others(&world, leader)[0], others(&world, leader)[1]);
    put(&mut world, leader, "k", "v");
    agree(&mut world);
    let (envelope, heartbeat) = genuine(&mut world, leader, victim);
    let view = world.status(victim).unwrap().raft;
    let (log_term, index) = (view.term, view.last_index);
    let entry = WireEntry { index: index + 1, term: view.term + 5, ..WireEntry::default() };
    let append = RaftMessage {
        kind: APPEND,
        term: view.term + 5,
        log_term,
        index,
        entries: vec![entry],
        applied: None,
        ..heartbeat
    };
    let genuine = Envelope { body: Some(append.into()), ..envelope };
    let wrong = [
        ("to another member", Envelope { to: third, ..genuine.clone() }),
        ("to one that is gone", Envelope { to: 9, ..genuine.clone() }),
        ("from one that never was", Envelope { from: 9, ..genuine.clone() }),
        (
            "from a cluster that had this address",
            Envelope { cluster: genuine.cluster + 1, ..genuine.clone() },
        ),
        ("from a disk that was replaced", Envelope { directory: genuine.directory + 1, ..genuine.clone() }),
    ];
    for (what, envelope) in wrong {
        let mail = world.mail(victim).unwrap();
        mail.send(Mail::Incoming(Incoming::Message(envelope))).unwrap();
        world.run(MILLI);
        let after = world.status(victim).unwrap().raft;
        assert_eq!((after.term, after.last_index), (view.term, view.last_index), "{what}");
    }
    assert_eq!(world.status(victim).unwrap().raft.dropped, view.dropped + 5);
    // From an earlier start of its sender, which is the same address, member and directory.
    world.kill(leader);
    world.start(leader);
    agree(&mut world);
    world.run(2 * SECOND);
    let before = world.status(victim).unwrap().raft;
    world.inject(genuine);
    world.run(MILLI);
    let after = world.status(victim).unwrap().raft;
    assert_eq!((after.term, after.last_index), (before.term, before.last_index));
    assert_eq!(after.dropped, before.dropped + 1);
}

/// There: a request's size was not looked at before room was made for it. Shown by: anything but a refusal, with
/// both sizes, that has no effect, from the node that was asked.
#[test]
fn etcd_22147_a_request_over_the_limit_is_refused_where_it_is_asked() {
    let (mut world, leader) = led_with(61, 3, |config| config.limits.request_bytes = 10_000);
    let last = world.status(leader).unwrap().raft.last_index;
    for node in world.ids() {
        let answer = world.client(node).unwrap().put("k", vec![0; 10_001]);
        let error = not_applied(&mut world, answer);
        assert!(matches!(error.kind(), ErrorKind::TooLarge { size: 10_001.., limit: 10_000 }), "{error}");
        assert_eq!(world.status(node).unwrap().raft.last_index, last, "it went nowhere");
    }
    assert_eq!(put(&mut world, leader, "k", &"x".repeat(9_000)), 2);
}

/// The log of a follower, and of what it has only an image.
fn purged(seed: u64) -> (World, u64, u64) {
    let (mut world, leader) = led_with(seed, 3, small_images);
    let victim = others(&world, leader)[0];
    fill(&mut world, leader, 40);
    agree(&mut world);
    (world, leader, victim)
}

/// There: entries that followed a place in the log which was purged long ago replaced what was committed. Shown
/// by: an entry, a term at an index, or a state that an old or a forged append changes.
#[test]
fn openraft_511_an_append_behind_a_purged_entry_replaces_nothing() {
    let (mut world, leader, victim) = purged(72);
    let (envelope, heartbeat) = genuine(&mut world, leader, victim);
    let before = world.status(victim).unwrap();
    let (term, last) = (before.raft.term, before.raft.last_index);
    for later in [0, 1] {
        for prev in [1, 2, last / 2, last - 1] {
            let entry = |index| WireEntry { index, term: term + later, ..WireEntry::default() };
            let entries = (prev + 1..=prev + 3).map(entry).collect();
            let append = RaftMessage {
                kind: APPEND,
                term: term + later,
                log_term: term,
                index: prev,
                entries,
                commit: last,
                applied: None,
                ..heartbeat.clone()
            };
            // A place before the beginning, and entries that another leader would have there.
            world.inject(Envelope { body: Some(append.into()), ..envelope.clone() });
            world.run(5 * MILLI);
            let view = world.status(victim).unwrap();
            assert_eq!(view.raft.halted, None);
            assert!(view.raft.last_index >= last && view.raft.commit >= last, "after {prev}: {view:?}");
            assert_eq!((view.hash_index >= before.hash_index, view.revision), (true, before.revision));
        }
    }
    world.run(5 * SECOND);
    agree(&mut world);
    put(&mut world, victim, "k", "v");
    agree(&mut world);
}

/// There: a leader could not read its own log, and sent an append that was shorter than it should have been.
/// Shown by: a follower that takes a place in the log for the end; or a leader that goes on as if it could read.
#[test]
fn openraft_1795_a_leader_that_cannot_read_its_disk_sends_nothing_forged() {
    let mut failed = 0;
    for read in 0..3 {
        let (mut world, leader, victim) = purged(7200 + read);
        world.kill(victim);
        fill(&mut world, leader, 20);
        // What the follower needs lies in an image on the leader's disk.
        world.disk(leader).fail_read_at(world.disk(leader).reads() + read);
        world.start(victim);
        world.run(5 * SECOND);
        if let Some(why) = world.why_halted(leader) {
            failed += 1;
            assert!(why.contains("the disk failed"), "{why}");
            world.kill(leader);
            assert!(world.start(leader));
        }
        agree(&mut world);
    }
    assert!(failed > 0, "nobody's read failed");
}
