//! What the core owes because of what the raft crate does (RAFT.md): each named after its row there.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kvorum_core::ids::NodeId;
use kvorum_core::node::Role;
use kvorum_core::storage::{Batch, Storage};
use kvorum_core::transport::{
    AppliedHash, Body, Envelope, Forward, RaftMessage, Verdict, WireEntry, WireImageMeta,
};
use kvorum_core::{ErrorKind, Outcome};
use kvorum_sim::{Purpose, Rng, Seen, Stream, World, poll};
use kvorum_storage::faulty::FaultyDisk;
use kvorum_storage::{FileStorage, Options};

const SECOND: Duration = Duration::from_secs(1);

fn led(seed: u64, nodes: u64) -> (World, NodeId) {
    let mut world = World::new(seed).nodes(nodes);
    world.start_all();
    let leader = world.wait_for_leader(10 * SECOND).expect("a leader");
    world.run(3 * SECOND);
    (world, leader)
}

fn put(world: &mut World, node: NodeId, key: &str, value: &str) {
    let answer = world.client(node).expect("it runs").put(key, value);
    world.wait(answer, 5 * SECOND).expect("in time").unwrap_or_else(|error| panic!("{error}"));
}

fn others(world: &World, than: NodeId) -> Vec<NodeId> {
    world.ids().into_iter().filter(|node| *node != than).collect()
}

fn isolate(world: &mut World, node: NodeId) {
    for other in others(world, node) {
        world.net.cut(node, other);
        world.net.cut(other, node);
    }
}

#[test]
fn defence_2_the_only_voter_does_not_elect_itself_over_what_is_not_written() {
    let (mut world, node) = led(1, 1);
    put(&mut world, node, "k", "v");
    world.kill(node);
    world.hold_disk(node);
    world.start(node);
    let mut answer = world.client(node).unwrap().put("k", "w");
    world.run(5 * SECOND);
    assert!(poll(&mut answer).is_none(), "nothing of its new term is written");
    world.release_disk(node);
    assert_eq!(world.wait_for_leader(5 * SECOND), Some(node));
    put(&mut world, node, "k", "x");
}

#[test]
fn defence_3_a_read_index_that_raft_dropped_is_asked_again() {
    let mut world = World::new(2).nodes(3);
    world.start_all();
    let answers: Vec<_> = world.ids().into_iter().map(|node| world.client(node).unwrap().get("k")).collect();
    for answer in answers {
        let got = world.wait(answer, 6 * SECOND).expect("there was no leader when it was asked").unwrap();
        assert_eq!(got, None);
    }
}

#[test]
fn defence_3_a_read_outlives_its_leader() {
    let (mut world, leader) = led(3, 3);
    let asker = others(&world, leader)[0];
    world.net.cut(asker, leader);
    let answer = world.client(asker).unwrap().get("k");
    world.run(Duration::from_millis(100));
    world.kill(leader);
    world.wait(answer, 6 * SECOND).expect("another leader answers").unwrap();
}

#[test]
fn defence_4_all_nodes_reading_at_once_are_all_answered() {
    let (mut world, _) = led(4, 3);
    for _ in 0..20 {
        let ids = world.ids();
        let answers: Vec<_> = ids.iter().map(|node| world.client(*node).unwrap().get("k")).collect();
        for answer in answers {
            world.wait(answer, Duration::from_millis(100)).expect("no context is anybody else's").unwrap();
        }
    }
}

#[test]
fn defence_6_a_leader_that_was_deposed_without_knowing_answers_no_read() {
    let (mut world, old) = led(5, 3);
    put(&mut world, old, "k", "old");
    isolate(&mut world, old);
    let mut stale = world.client(old).unwrap().get("k");
    let moved = world.run_until(10 * SECOND, |world| world.leader().is_some_and(|leader| leader != old));
    assert!(moved);
    let new = world.leader().unwrap();
    put(&mut world, new, "k", "new");
    assert!(poll(&mut stale).is_none_or(|got| got.is_err()), "what it has is old");
}

#[test]
fn etcd_15247_a_leader_that_is_cut_off_renews_no_lease() {
    let (mut world, leader) = led(9, 3);
    let granted = world.client(leader).unwrap().grant(Duration::from_secs(30));
    let lease = world.wait(granted, 5 * SECOND).expect("in time").unwrap().id;
    isolate(&mut world, leader);
    let mut renewal = world.client(leader).unwrap().keep_alive(lease);
    world.run(Duration::from_millis(200));
    assert!(poll(&mut renewal).is_none(), "nobody has said that it still leads");
    world.run(10 * SECOND);
    assert!(poll(&mut renewal).is_none_or(|answer| answer.is_err()), "and nobody ever will");
}

#[test]
fn defence_7_what_is_not_agreed_on_is_bounded_by_bytes_of_everything() {
    let mut world = World::new(6).nodes_with(3, |config| config.limits.uncommitted_bytes = 10_000);
    world.start_all();
    let leader = world.wait_for_leader(10 * SECOND).unwrap();
    world.run(3 * SECOND);
    let before = world.status(leader).unwrap().raft.last_index;
    let follower = others(&world, leader)[0];
    for other in others(&world, leader) {
        world.net.cut(other, leader);
    }
    let keys: Vec<_> = (0..500).map(|i| format!("{i:0>500}")).collect();
    let mine: Vec<_> = keys.iter().map(|key| world.client(leader).unwrap().put(key, "")).collect();
    world.run(Duration::from_millis(300));
    let grown = world.status(leader).unwrap().raft.last_index - before;
    assert!(grown <= 30, "{grown} entries of 500 bytes, which only keys have");
    world.net.heal();
    let theirs: Vec<_> = keys.iter().map(|key| world.client(follower).unwrap().put(key, "f")).collect();
    let mut refused = 0;
    for answer in mine.into_iter().chain(theirs) {
        match world.wait(answer, 20 * SECOND).expect("answered") {
            Ok(_) => {}
            Err(error) => {
                refused += usize::from(matches!(error.kind(), ErrorKind::Overloaded));
            }
        }
    }
    assert!(refused > 0, "a leader without room says so to those who forward");
}

#[test]
fn defence_8_a_peer_whose_image_was_lost_on_the_way_is_sent_another() {
    let mut world = World::new(8).nodes_with(3, |config| {
        config.image_log_bytes = 500;
        config.keep_bytes = 0;
        config.catch_up_bytes = 0;
    });
    world.start_all();
    let leader = world.wait_for_leader(10 * SECOND).unwrap();
    let behind = others(&world, leader)[0];
    world.kill(behind);
    for i in 0..30 {
        put(&mut world, leader, &format!("k{i}"), "v");
    }
    world.net.link(leader, behind).loss = 900;
    world.start(behind);
    world.run(20 * SECOND);
    world.net.heal();
    world.run(10 * SECOND);
    assert!(world.client(behind).unwrap().get_local("k29").unwrap().is_some());
}

#[test]
fn defence_11_forwarded_writes_are_applied_once_however_the_network_repeats_and_loses_them() {
    let (mut world, leader) = led(11, 3);
    let follower = others(&world, leader)[0];
    let link = world.net.link(follower, leader);
    (link.loss, link.duplicate, link.slowest) = (300, 700, Duration::from_millis(150));
    let answers: Vec<_> =
        (0..200).map(|i| world.client(follower).unwrap().put("k", format!("value {i}"))).collect();
    let done = answers.into_iter().filter_map(|answer| world.wait(answer, 10 * SECOND)?.ok()).count();
    assert!(done > 150, "a follower forwards ({done} of 200)");
    let mut times: BTreeMap<Bytes, u32> = BTreeMap::new();
    for event in world.judge().history().values().flatten() {
        *times.entry(event.kv.clone().unwrap().value).or_default() += 1;
    }
    assert!(times.values().all(|count| *count == 1), "{times:?}");
    assert!(times.len() >= done);
}

#[test]
fn who_waits_is_bounded() {
    let mut world = World::new(13).nodes(1);
    world.config(1).limits.pending = 3;
    world.start_all();
    world.wait_for_leader(10 * SECOND).unwrap();
    world.hold_disk(1);
    let client = world.client(1).unwrap();
    let waiting: Vec<_> = (0..3).map(|_| client.put("k", "v")).collect();
    let one_more = world.wait(client.put("k", "v"), SECOND).expect("at once").unwrap_err();
    assert_eq!(*one_more.kind(), ErrorKind::Overloaded);
    world.release_disk(1);
    for answer in waiting {
        world.wait(answer, 5 * SECOND).unwrap().unwrap();
    }
}

#[test]
fn defence_12_a_disk_error_halts_the_node_before_raft_hears_of_it() {
    let (mut world, leader) = led(12, 3);
    put(&mut world, leader, "before", "v");
    for node in [leader, others(&world, leader)[0]] {
        world.disk(node).fail_at(world.disk(node).operations());
        let writer = world.leader().unwrap();
        let answer = world.client(writer).unwrap().put("k", "v");
        world.run_until(10 * SECOND, |world| world.why_halted(node).is_some());
        let why = world.why_halted(node).expect("it cannot go on");
        assert!(why.contains("disk failed"), "{why}");
        if let Some(Err(error)) = world.wait(answer, 10 * SECOND) {
            assert_eq!(error.outcome(), Outcome::Unknown);
        }
        assert_eq!(world.disk(node).writes_after_failed_sync(), 0);
        world.kill(node);
        world.start(node);
        let leader = world.wait_for_leader(10 * SECOND).expect("the others go on");
        put(&mut world, leader, "after", "v");
    }
}

#[test]
fn a_wiped_node_halts_instead_of_voting() {
    let (mut world, leader) = led(13, 3);
    put(&mut world, leader, "k", "v");
    let wiped = others(&world, leader)[0];
    world.kill(wiped);
    world.wipe(wiped);
    world.start(wiped);
    world.run(5 * SECOND);
    let why = world.why_halted(wiped).expect("it forgot what it promised");
    assert!(why.contains("another data directory"), "{why}");
    put(&mut world, leader, "k", "w");
}

/// A node's disk with only a part of its log, or with another one: what no storage does by itself.
fn forged(world: &World, node: NodeId, forge: impl FnOnce(&mut Batch)) -> FaultyDisk {
    let mut old = FileStorage::with_disk(world.disk(node).mount(), Options::default()).unwrap();
    let found = old.recover().unwrap();
    let disk = FaultyDisk::new(1);
    let mut new = FileStorage::with_disk(disk.mount(), Options::default()).unwrap();
    new.recover().unwrap();
    new.set_identity(&found.identity.unwrap()).unwrap();
    let mut batch = Batch { reset: None, entries: found.entries, hard_state: Some(found.hard_state) };
    forge(&mut batch);
    new.append(&[batch]).unwrap();
    drop(new);
    disk.kill();
    disk
}

#[test]
fn a_node_whose_disk_lost_what_it_had_acknowledged_halts() {
    let (mut world, leader) = led(14, 3);
    let victim = others(&world, leader)[0];
    for i in 0..10 {
        put(&mut world, leader, "k", &i.to_string());
    }
    world.kill(victim);
    let disk = forged(&world, victim, |batch| {
        batch.entries.truncate(5);
        let hard = batch.hard_state.as_mut().unwrap();
        hard.commit = hard.commit.min(5);
    });
    world.set_disk(victim, disk);
    // What is still on its way would be refused, and raft would then send the rest again without a word: a
    // loss that is healed before anybody can tell.
    world.run(SECOND);
    world.start(victim);
    world.run(5 * SECOND);
    let why = world.why_halted(victim).expect("its word cannot be relied on");
    assert!(why.contains("lost part of the log"), "{why}");
    put(&mut world, leader, "k", "after");
}

/// Changes the last value of a log.
fn write_another_value(batch: &mut Batch) {
    let last = batch.entries.iter_mut().rfind(|entry| !entry.data.is_empty()).unwrap();
    let mut data = last.data.to_vec();
    let at = data.iter().rposition(|byte| *byte == b'9').unwrap();
    data[at] = b'8';
    last.data = data.into();
}

#[test]
fn a_node_whose_state_differs_from_the_majoritys_halts() {
    let (mut world, leader) = led(15, 3);
    let liar = others(&world, leader)[0];
    for i in 0..10 {
        put(&mut world, leader, "k", &i.to_string());
    }
    world.run(SECOND);
    world.kill(liar);
    world.stop_judging();
    let disk = forged(&world, liar, write_another_value);
    world.set_disk(liar, disk);
    world.start(liar);
    put(&mut world, leader, "k", "after");
    world.run(5 * SECOND);
    let why = world.why_halted(liar).expect("it holds something else");
    assert!(why.contains("differs"), "{why}");
    put(&mut world, leader, "k", "goes on");
}

#[test]
fn etcds_postmortem_who_does_not_answer_does_not_agree() {
    let (mut world, leader) = led(16, 3);
    let [liar, absent] = others(&world, leader)[..] else { unreachable!() };
    for i in 0..10 {
        put(&mut world, leader, "k", &i.to_string());
    }
    world.run(SECOND);
    for node in world.ids() {
        world.kill(node);
    }
    world.stop_judging();
    let disk = forged(&world, liar, write_another_value);
    world.set_disk(liar, disk);
    world.start(leader);
    world.start(liar);
    world.run(10 * SECOND);
    for node in [leader, liar] {
        assert_eq!(world.why_halted(node), None, "one word against another");
    }
    world.start(absent);
    world.run(5 * SECOND);
    let why = world.why_halted(liar).expect("two against one");
    assert!(why.contains("differs"), "{why}");
}

/// The last message that a node sent another, to be changed.
fn genuine(world: &mut World, from: NodeId, to: NodeId) -> (Envelope, RaftMessage) {
    world.note_events();
    world.run(SECOND);
    let sent = world.take_seen().into_iter().rev().find_map(|seen| match seen {
        Seen::Sent(envelope) if (envelope.from, envelope.to) == (from, to) => match &envelope.body {
            Some(Body::Raft(message)) => Some(((*envelope).clone(), RaftMessage::clone(message))),
            _ => None,
        },
        _ => None,
    });
    sent.expect("they talk")
}

#[test]
fn defence_9_what_no_member_says_is_dropped_and_counted() {
    let (mut world, leader) = led(9, 3);
    let victim = others(&world, leader)[0];
    let third = others(&world, leader)[1];
    put(&mut world, leader, "k", "v");
    let (envelope, heartbeat) = genuine(&mut world, leader, victim);
    let last = world.status(victim).unwrap().raft.last_index;
    let entry = |index, term| WireEntry { index, term, ..WireEntry::default() };
    let say = |change: &dyn Fn(&mut RaftMessage)| {
        let mut message = RaftMessage { applied: None, ..heartbeat.clone() };
        change(&mut message);
        Envelope { body: Some(message.into()), ..envelope.clone() }
    };
    let append = 3;
    let term = heartbeat.term;
    let wrong: Vec<(&str, Envelope)> = vec![
        ("an unknown kind", say(&|m| m.kind = 77)),
        ("a note to oneself", say(&|m| m.kind = 0)),
        ("a proposal from the wire", say(&|m| (m.kind, m.term) = (2, 0))),
        (
            "a proposal with entries",
            say(&|m| {
                (m.kind, m.term) = (2, 0);
                m.entries = vec![entry(0, 0)];
            }),
        ),
        ("an empty read index", say(&|m| (m.kind, m.term) = (15, 0))),
        ("an empty answer to a read index", say(&|m| m.kind = 16)),
        (
            "entries with a hole",
            say(&|m| {
                (m.kind, m.index, m.log_term) = (append, last, term);
                m.entries = vec![entry(last + 1, term), entry(last + 3, term)];
            }),
        ),
        (
            "entries that do not follow",
            say(&|m| {
                (m.kind, m.index, m.log_term) = (append, last, term);
                m.entries = vec![entry(last + 5, term)];
            }),
        ),
        (
            "entries instead of what is committed",
            say(&|m| {
                (m.kind, m.index, m.log_term, m.term) = (append, last - 1, term, term + 1);
                m.entries = vec![entry(last, term + 1)];
            }),
        ),
        ("an image of nothing", say(&|m| m.kind = 7)),
        ("to another", Envelope { to: third, ..say(&|_| {}) }),
        ("from nobody", Envelope { from: 99, ..say(&|_| {}) }),
        ("from itself", Envelope { from: victim, ..say(&|_| {}) }),
        ("of another cluster", Envelope { cluster: 1, ..say(&|_| {}) }),
        ("of another directory", Envelope { directory: 1, ..say(&|_| {}) }),
        ("of no start", Envelope { incarnation: 0, ..say(&|_| {}) }),
        ("nothing at all", Envelope { body: None, ..envelope.clone() }),
    ];
    for (what, envelope) in wrong {
        let before = world.status(victim).unwrap().raft;
        if envelope.to != victim {
            // The network's mistake: it arrives here all the same.
            let mail = world.mail(victim).unwrap();
            let incoming = kvorum_core::transport::Incoming::Message(envelope);
            mail.send(kvorum_core::mail::Mail::Incoming(incoming)).unwrap();
        } else {
            world.inject(envelope);
        }
        world.run(Duration::from_millis(1));
        let after = world.status(victim).unwrap().raft;
        assert!(after.dropped > before.dropped, "{what} passed");
        assert_eq!(
            (after.term, after.last_index, after.halted),
            (before.term, before.last_index, None),
            "{what}"
        );
    }
    put(&mut world, leader, "k", "w");
}

#[test]
fn defence_9_only_the_leader_may_call_for_a_campaign() {
    let (mut world, leader) = led(10, 3);
    let (victim, third) = (others(&world, leader)[0], others(&world, leader)[1]);
    let (envelope, message) = genuine(&mut world, leader, victim);
    let (answer, _) = genuine(&mut world, third, leader);
    let call = RaftMessage { kind: 14, term: message.term, ..RaftMessage::default() };
    let forged = Envelope { to: victim, body: Some(call.clone().into()), ..answer };
    world.inject(forged);
    world.run(2 * SECOND);
    assert_eq!(world.leader(), Some(leader), "another member's call is nothing");
    let call = Envelope { body: Some(call.into()), ..envelope };
    world.inject(call);
    world.run(2 * SECOND);
    assert_eq!(world.leader(), Some(victim), "the leader's own is");
}

#[test]
fn defence_9_what_an_earlier_start_said_is_dropped() {
    let (mut world, leader) = led(16, 3);
    let restarted = others(&world, leader)[0];
    let (old, _) = genuine(&mut world, restarted, leader);
    world.kill(restarted);
    world.start(restarted);
    world.run(3 * SECOND);
    let leader = world.leader().unwrap();
    let before = world.status(leader).unwrap().raft.dropped;
    world.inject(Envelope { to: leader, ..old });
    world.run(Duration::from_millis(1));
    assert_eq!(world.status(leader).unwrap().raft.dropped, before + 1);
}

/// What a verdict says of starts means the lower ones only, and of its own directory.
#[test]
fn a_verdict_about_starts_is_for_the_lower_ones() {
    let (mut world, leader) = led(17, 3);
    let victim = others(&world, leader)[0];
    world.kill(victim);
    world.start(victim);
    let (said, _) = genuine(&mut world, victim, leader);
    let (directory, own) = (said.directory, said.incarnation);
    assert_eq!(own, 2);
    let (from_leader, _) = genuine(&mut world, leader, victim);
    let mut tell = |directory, heard| {
        let verdict = Verdict { directory, heard, ..Verdict::default() };
        world.inject(Envelope { body: Some(Body::Verdict(verdict)), ..from_leader.clone() });
        world.run(SECOND);
        world.why_halted(victim)
    };
    assert_eq!(tell(directory, 0), None, "of nothing");
    assert_eq!(tell(directory, own - 1), None, "late: it was for the start before");
    assert_eq!(tell(directory, own), None, "for the start before, once this one was heard");
    assert_eq!(tell(directory + 1, own + 1), None, "for another disk");
    let why = tell(directory, own + 1).expect("a later one was there");
    assert!(why.contains("older copy") && why.contains("start 3"), "{why}");
}

/// A verdict from one who is taken for an earlier start is not answered with one: two such would go on for ever.
#[test]
fn a_verdict_is_not_answered() {
    let (mut world, leader) = led(18, 3);
    let victim = others(&world, leader)[0];
    let (old, _) = genuine(&mut world, victim, leader);
    world.kill(victim);
    world.start(victim);
    world.run(SECOND);
    let mut verdicts = |envelope: Envelope| {
        world.take_seen();
        world.inject(envelope);
        world.run(SECOND / 1000);
        let seen = world.take_seen();
        let is_verdict =
            |seen: &&Seen| matches!(seen, Seen::Sent(e) if matches!(e.body, Some(Body::Verdict(_))));
        seen.iter().filter(is_verdict).count()
    };
    assert_eq!(verdicts(old.clone()), 1);
    let verdict = Verdict { directory: old.directory, heard: 9, ..Verdict::default() };
    assert_eq!(verdicts(Envelope { body: Some(Body::Verdict(verdict)), ..old }), 0);
}

fn near(draw: &mut Stream, value: u64) -> u64 {
    match draw.below(10) {
        0 => 0,
        1 => draw.any(),
        2 => u64::MAX - draw.below(2),
        _ => value.saturating_sub(2) + draw.below(5),
    }
}

/// A message of a mad member: mostly plausible, and never meant.
fn mad(draw: &mut Stream, term: u64, last: u64) -> RaftMessage {
    let kind = draw.between(0, 20) as i32 - 1;
    let index = near(draw, last);
    let message_term = near(draw, term);
    let log_term = near(draw, term);
    let entries = (0..draw.below(4)).map(|i| {
        let follows = draw.chance(700);
        WireEntry {
            index: if follows { index.wrapping_add(i + 1) } else { near(draw, last) },
            term: if draw.chance(700) { log_term } else { near(draw, term) },
            kind: u32::from(draw.chance(30)),
            data: Bytes::from(vec![7; draw.pick(&[0, 0, 3, 24])]),
        }
    });
    let entries: Vec<_> = entries.collect();
    let commit = near(draw, last);
    let image = draw.chance(200).then(|| WireImageMeta {
        index: near(draw, last),
        term: near(draw, term),
        voters: if draw.chance(800) { vec![1, 2, 3] } else { vec![draw.below(5)] },
        learners: Vec::new(),
        hash: vec![0; draw.pick(&[32, 32, 5])].into(),
    });
    RaftMessage {
        kind,
        term: message_term,
        log_term,
        index,
        entries,
        commit,
        commit_term: near(draw, term),
        reject: draw.chance(300),
        reject_hint: near(draw, last),
        request_snapshot: if draw.chance(100) { near(draw, last) } else { 0 },
        context: Bytes::from(vec![1; draw.pick(&[0, 0, 13, 24])]),
        priority: draw.pick(&[0, 0, 1, -1]),
        image,
        applied: draw.chance(100).then(|| AppliedHash { index: near(draw, last), hash: vec![1; 32].into() }),
    }
}

/// `count` messages of a member gone mad to a node in a role. It may halt, or follow where it should not; it
/// must not panic.
fn madness(role: Role, count: u64) {
    let mut draw = Rng::new(role as u64).stream(Purpose::Lie, role as u64);
    let mut told = 0;
    while told < count {
        let (mut world, leader) = led(draw.any(), 3);
        let victim = if role == Role::Leader { leader } else { others(&world, leader)[0] };
        let from = others(&world, victim)[0];
        let hearer = victim_or_leader(&world, victim, from);
        let (envelope, _) = genuine(&mut world, from, hearer);
        let envelope = Envelope { to: victim, ..envelope };
        world.stop_judging();
        if role == Role::Candidate {
            isolate(&mut world, victim);
            world.run_until(5 * SECOND, |w| w.status(victim).unwrap().raft.role == Role::Candidate);
        }
        for _ in 0..draw.between(1, 2000) {
            let view = world.status(victim).unwrap().raft;
            if view.halted.is_some() || view.term > 1 << 60 {
                break;
            }
            let body = match draw.below(20) {
                0 => {
                    let (term, lowest) = (near(&mut draw, view.term), draw.below(u64::MAX));
                    Body::Forward(Forward { term, commands: Vec::new(), lowest })
                }
                _ => mad(&mut draw, view.term, view.last_index).into(),
            };
            world.inject(Envelope { body: Some(body), ..envelope.clone() });
            world.run(Duration::from_micros(draw.pick(&[0, 10, 1000])));
            told += 1;
        }
        world.run(Duration::from_millis(200));
    }
}

/// Followers talk to leaders only.
fn victim_or_leader(world: &World, victim: NodeId, from: NodeId) -> NodeId {
    let leader = world.leader().unwrap();
    if from == leader { victim } else { leader }
}

#[test]
fn defence_9_a_member_gone_mad_brings_down_no_follower() {
    madness(Role::Follower, 8000);
}

#[test]
fn defence_9_a_member_gone_mad_brings_down_no_candidate() {
    madness(Role::Candidate, 8000);
}

#[test]
fn defence_9_a_member_gone_mad_brings_down_no_leader() {
    madness(Role::Leader, 8000);
}

#[test]
fn defence_9_strangers_change_nothing() {
    let (mut world, leader) = led(17, 3);
    put(&mut world, leader, "k", "v");
    let mut draw = Rng::new(17).stream(Purpose::Lie, 17);
    let victim = others(&world, leader)[0];
    let (envelope, _) = genuine(&mut world, leader, victim);
    let term = world.status(leader).unwrap().raft.term;
    for _ in 0..3000 {
        let to = draw.pick(&[1, 2, 3]);
        let view = world.status(to).unwrap().raft;
        let body = Some(mad(&mut draw, view.term, view.last_index).into());
        let mut stranger = Envelope { to, body, ..envelope.clone() };
        match draw.below(4) {
            0 => stranger.cluster = draw.any(),
            1 => stranger.from = draw.pick(&[0, 4, 99]),
            2 => stranger.directory ^= 1 << draw.below(64),
            _ => stranger.incarnation = 0,
        }
        world.inject(stranger);
        world.run(Duration::from_micros(100));
    }
    assert_eq!(world.leader(), Some(leader));
    assert_eq!(world.status(leader).unwrap().raft.term, term);
    put(&mut world, leader, "k", "w");
}
