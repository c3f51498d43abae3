//! What the scenes share: a cluster with a leader, short ways to ask, and what "all agree" means.

use std::time::Duration;

use kvorum_core::ids::{NodeId, Revision};
use kvorum_core::request::Event;
use kvorum_core::transport::{Body, Envelope, RaftMessage};
use kvorum_core::{Answer, Config, Error, Outcome, Watch, WatchItem};
use kvorum_sim::{Seen, World, poll_watch};
use kvorum_storage::Options;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MILLI: Duration = Duration::from_millis(1);

/// Segments so small that a few writes fill one.
pub(crate) const TINY: Options = Options { segment_bytes: 2048, image_sync_bytes: 600 };

/// Raft's numbers for what travels.
pub(crate) const APPEND: i32 = 3;
pub(crate) const APPEND_ANSWER: i32 = 4;
pub(crate) const VOTE_ANSWER: i32 = 6;
pub(crate) const HEARTBEAT_ANSWER: i32 = 9;
pub(crate) const READ_QUESTION: i32 = 15;

/// Nothing old is kept in memory: whoever missed a little needs an image.
pub(crate) fn small_images(config: &mut Config) {
    config.image_log_bytes = 500;
    config.keep_bytes = 0;
    config.catch_up_bytes = 0;
}

pub(crate) fn led(seed: u64, nodes: u64) -> (World, NodeId) {
    led_with(seed, nodes, |_| {})
}

pub(crate) fn led_with(seed: u64, nodes: u64, tune: impl Fn(&mut Config)) -> (World, NodeId) {
    settled(World::new(seed).nodes_with(nodes, tune))
}

/// Starts everybody, and waits until what a new cluster has to agree on first is agreed on.
pub(crate) fn settled(mut world: World) -> (World, NodeId) {
    world.start_all();
    world.wait_for_leader(20 * SECOND).expect("a leader");
    world.run(3 * SECOND);
    let leader = world.leader().expect("still a leader");
    (world, leader)
}

/// A cluster with short logs, and a follower that is down and can be helped by an image only.
pub(crate) fn behind(seed: u64) -> (World, NodeId, NodeId) {
    let (mut world, leader) = led_with(seed, 3, small_images);
    let behind = others(&world, leader)[0];
    world.kill(behind);
    fill(&mut world, leader, 30);
    (world, leader, behind)
}

pub(crate) fn others(world: &World, than: NodeId) -> Vec<NodeId> {
    world.ids().into_iter().filter(|node| *node != than).collect()
}

/// Nothing gets from one group to the other, either way.
pub(crate) fn part(world: &mut World, one: &[NodeId], other: &[NodeId]) {
    for &a in one {
        for &b in other {
            world.net.cut(a, b);
            world.net.cut(b, a);
        }
    }
}

pub(crate) fn isolate(world: &mut World, node: NodeId) {
    let rest = others(world, node);
    part(world, &[node], &rest);
}

/// The leader, once it is another than before.
pub(crate) fn leader_but(world: &mut World, old: NodeId) -> NodeId {
    let found = world.run_until(20 * SECOND, |world| world.leader().is_some_and(|leader| leader != old));
    assert!(found, "nobody but {old} comes to lead");
    world.leader().unwrap()
}

/// Hands leadership over, and waits until the new leader is known.
pub(crate) fn transfer(world: &mut World, to: NodeId) {
    let leader = world.wait_for_leader(20 * SECOND).expect("a leader");
    if leader != to {
        let answer = world.client(leader).unwrap().transfer_leadership(to);
        ack(world, answer);
        assert!(world.run_until(5 * SECOND, |world| world.leader() == Some(to)), "{to} is to lead");
    }
}

/// The answer, which must come and be no error.
pub(crate) fn ack<T>(world: &mut World, answer: Answer<T>) -> T {
    let answer = world.wait(answer, 8 * SECOND).expect("an answer in time");
    answer.unwrap_or_else(|error| panic!("{error:?}"))
}

/// The error, which must come.
pub(crate) fn refused<T: std::fmt::Debug>(world: &mut World, answer: Answer<T>) -> Error {
    world.wait(answer, 8 * SECOND).expect("an answer in time").expect_err("it is to be refused")
}

/// The error, which must say that nothing happened.
pub(crate) fn not_applied<T: std::fmt::Debug>(world: &mut World, answer: Answer<T>) -> Error {
    let error = refused(world, answer);
    assert_eq!(error.outcome(), Outcome::NotApplied, "{error}");
    error
}

pub(crate) fn put(world: &mut World, node: NodeId, key: &str, value: &str) -> Revision {
    let answer = world.client(node).expect("it runs").put(key, value);
    ack(world, answer).revision()
}

pub(crate) fn delete(world: &mut World, node: NodeId, key: &str) -> Revision {
    let answer = world.client(node).expect("it runs").delete(key);
    let deleted = ack(world, answer);
    assert_eq!(deleted.deleted, 1, "{key} was there");
    deleted.revision()
}

pub(crate) fn compact(world: &mut World, node: NodeId, revision: Revision) {
    let answer = world.client(node).expect("it runs").compact(revision);
    ack(world, answer);
}

/// Some writes over a few keys.
pub(crate) fn fill(world: &mut World, node: NodeId, count: usize) -> Revision {
    let mut newest = 0;
    for i in 0..count {
        newest = put(world, node, &format!("fill{}", i % 7), &format!("value {i}"));
    }
    newest
}

/// A linearizable read.
pub(crate) fn get(world: &mut World, node: NodeId, key: &str) -> Option<String> {
    let answer = world.client(node).expect("it runs").get(key);
    ack(world, answer).map(|kv| String::from_utf8_lossy(&kv.value).into_owned())
}

/// What a node itself has.
pub(crate) fn local(world: &World, node: NodeId, key: &str) -> Option<String> {
    let kv = world.client(node).expect("it runs").get_local(key).unwrap();
    kv.map(|kv| String::from_utf8_lossy(&kv.value).into_owned())
}

/// Waits until every node runs and is at the same entry with the same hash, and some node leads.
pub(crate) fn agree(world: &mut World) {
    let is_same = |world: &mut World| {
        let mut seen = Vec::new();
        for node in world.ids() {
            let Some(status) = world.status(node).filter(|status| status.raft.halted.is_none()) else {
                return false;
            };
            seen.push((status.hash_index, status.hash, status.revision, status.compacted));
        }
        world.leader().is_some() && seen.windows(2).all(|two| two[0] == two[1])
    };
    if !world.run_until(20 * SECOND, is_same) {
        for node in world.ids() {
            eprintln!("{:?} {:?}", world.status(node), world.why_halted(node));
        }
        panic!("they do not come to agree");
    }
}

/// A watch of every key, from a revision on.
pub(crate) fn watch_all(world: &World, node: NodeId, from: Revision) -> Watch {
    let request = kvorum_core::request::WatchRequest::prefix("").from(from);
    world.client(node).expect("it runs").watch(request).unwrap()
}

fn shown(event: &Event) -> String {
    let sign = if event.is_put() { '+' } else { '-' };
    format!("{}{sign}{}", event.revision(), event.key().escape_ascii())
}

/// What a watch has to say by now: `5+k` for a put, `6-k` for a delete, how far it is, and how it ended.
pub(crate) fn heard(watch: &mut Watch) -> String {
    let mut words = Vec::new();
    while let Some(item) = poll_watch(watch) {
        match item {
            Some(Ok(WatchItem::Events(events))) => words.extend(events.iter().map(shown)),
            Some(Ok(WatchItem::Progress(revision))) => words.push(format!("through {revision}")),
            Some(Err(error)) => words.push(format!("ended: {error}")),
            None => break,
        }
    }
    words.join(" ")
}

/// What a watch of every key from a revision on must have said.
pub(crate) fn history(world: &World, from: Revision) -> String {
    let events = world.judge().history().range(from..).flat_map(|(_, events)| events);
    events.map(shown).collect::<Vec<_>>().join(" ")
}

/// How often each value was ever written, anywhere.
pub(crate) fn times_written(world: &World, value: &str) -> usize {
    let events = world.judge().history().values().flatten();
    events.filter(|event| event.is_put() && event.value() == value.as_bytes()).count()
}

/// The messages of raft among what was seen: who said it to whom.
pub(crate) fn raft_messages(seen: Vec<Seen>) -> Vec<(Envelope, RaftMessage)> {
    let message = |seen| match seen {
        Seen::Sent(envelope) => match &envelope.body {
            Some(Body::Raft(message)) => Some(((*envelope).clone(), RaftMessage::clone(message))),
            _ => None,
        },
        _ => None,
    };
    seen.into_iter().filter_map(message).collect()
}

/// The last message that a node sent another, to be changed.
pub(crate) fn genuine(world: &mut World, from: NodeId, to: NodeId) -> (Envelope, RaftMessage) {
    world.note_events();
    world.run(SECOND);
    let sent = raft_messages(world.take_seen()).into_iter().rev();
    let mut sent = sent.filter(|(envelope, _)| (envelope.from, envelope.to) == (from, to));
    sent.next().expect("they talk")
}
