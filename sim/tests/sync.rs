//! Nothing that vouches for a write leaves before the write is synced.

use std::time::Duration;

use kvorum_core::ids::NodeId;
use kvorum_core::transport::Body;
use kvorum_sim::{Seen, World, poll};

const SECOND: Duration = Duration::from_secs(1);

/// The kinds of messages that vouch for something written: votes, and answers to entries.
fn vouches(seen: &Seen, by: NodeId) -> bool {
    match seen {
        Seen::Sent(envelope) if envelope.from == by => match &envelope.body {
            Some(Body::Raft(message)) => [4, 6].contains(&message.kind) && !message.reject,
            _ => false,
        },
        _ => false,
    }
}

fn led(nodes: u64) -> (World, NodeId) {
    let mut world = World::new(3).nodes(nodes);
    world.start_all();
    let leader = world.wait_for_leader(10 * SECOND).expect("a leader");
    world.run(2 * SECOND);
    (world, leader)
}

#[test]
fn no_acknowledgement_before_the_only_node_has_it_synced() {
    let (mut world, leader) = led(1);
    world.hold_disk(leader);
    let mut answer = world.client(leader).unwrap().put("k", "v");
    world.run(3 * SECOND);
    assert!(poll(&mut answer).is_none(), "its disk has synced nothing");
    assert_eq!(world.client(leader).unwrap().get_local("k").unwrap(), None, "and nobody may see it");
    world.release_disk(leader);
    world.wait(answer, SECOND).expect("now it is durable").unwrap();
}

#[test]
fn no_acknowledgement_before_a_quorum_has_it_synced() {
    let (mut world, leader) = led(3);
    for node in world.ids() {
        world.hold_disk(node);
    }
    world.note_events();
    let mut answer = world.client(leader).unwrap().put("k", "v");
    world.run(3 * SECOND);
    let seen = world.take_seen();
    for node in world.ids() {
        assert!(!seen.iter().any(|seen| vouches(seen, node)), "node {node} vouches for what it may lose");
    }
    assert!(poll(&mut answer).is_none());
    let follower = world.ids().into_iter().find(|node| *node != leader).unwrap();
    world.release_disk(follower);
    world.run(SECOND);
    assert!(poll(&mut answer).is_none(), "one of three is no quorum");
    assert!(world.take_seen().iter().any(|seen| vouches(seen, follower)), "it is durable on the follower");
    world.release_disk(leader);
    // The leader may have stepped down meanwhile, having heard nothing from anybody: time for an election.
    world.wait(answer, 3 * SECOND).expect("two of three have it").unwrap();
}

#[test]
fn what_two_followers_have_synced_survives_the_leader_that_has_not() {
    let (mut world, leader) = led(3);
    world.hold_disk(leader);
    let mut answer = world.client(leader).unwrap().put("k", "v");
    world.run(SECOND);
    // Raft hands a leader nothing to apply that its own disk does not have: a limit, and no lie.
    assert!(poll(&mut answer).is_none());
    world.lose_power(leader);
    let error = poll(&mut answer).expect("its node is gone").unwrap_err();
    assert_eq!(error.outcome(), kvorum_core::Outcome::Unknown);
    world.release_disk(leader);
    world.start(leader);
    world.run(5 * SECOND);
    for node in world.ids() {
        assert!(world.client(node).unwrap().get_local("k").unwrap().is_some(), "the others had it");
    }
}

#[test]
fn no_vote_leaves_before_it_is_synced() {
    let (mut world, leader) = led(3);
    world.kill(leader);
    let others: Vec<NodeId> = world.ids().into_iter().filter(|node| *node != leader).collect();
    others.iter().for_each(|node| world.hold_disk(*node));
    world.note_events();
    world.run(5 * SECOND);
    let votes = |world: &mut World| {
        let seen = world.take_seen();
        others.iter().filter(|node| seen.iter().any(|seen| vouches(seen, **node))).count()
    };
    assert_eq!(votes(&mut world), 0, "a vote that is forgotten is given twice");
    assert_eq!(world.leader(), None);
    others.iter().for_each(|node| world.release_disk(*node));
    assert!(world.wait_for_leader(10 * SECOND).is_some());
}
