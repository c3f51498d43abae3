//! Every prefix of a recorded run's disk recovers to a state that the log explains.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use kvorum_core::disk::load_image;
use kvorum_core::node::{Node, Start};
use kvorum_core::state::State;
use kvorum_core::storage::{LogEntry, LogPosition, Storage};
use kvorum_core::transport::Body;
use kvorum_core::{Config, Time};
use kvorum_sim::{Seen, Tape, World};
use kvorum_storage::faulty::{FaultyDisk, Survivors};
use kvorum_storage::{FileStorage, Options};

const SECOND: Duration = Duration::from_secs(1);
const TINY: Options = Options { segment_bytes: 3000, image_sync_bytes: 1 << 20 };

fn tune(config: &mut Config) {
    config.image_log_bytes = 2500;
    config.keep_bytes = 0;
    config.catch_up_bytes = 0;
}

/// The states that the log explains: the hash after each entry.
struct Explained {
    state: State,
    hashes: BTreeMap<u64, [u8; 32]>,
}

impl Explained {
    fn new(cluster: u64) -> Explained {
        Explained { state: State::new(cluster), hashes: BTreeMap::from([(0, [0; 32])]) }
    }

    fn learn(&mut self, entries: &[LogEntry]) {
        for entry in entries {
            if entry.index == self.state.applied().index + 1 {
                self.state.apply(LogPosition { index: entry.index, term: entry.term }, &entry.data);
                self.hashes.insert(entry.index, self.state.hash());
            }
        }
    }
}

/// Recovers a copy of `disk` after a crash, as a start of the node would; answers how far its log reaches.
fn recover(disk: &FaultyDisk, config: &Config, explained: &mut Explained, is_learning: bool) -> Option<u64> {
    let mut storage = FileStorage::with_disk(disk.mount(), TINY).expect("the lock is free");
    let recovered = storage.recover().unwrap_or_else(|error| panic!("{error}"));
    let mut identity = recovered.identity?;
    if is_learning {
        explained.learn(&recovered.entries);
    }
    identity.incarnation += 1;
    storage.set_identity(&identity).unwrap();
    let image = load_image(&mut storage, identity.cluster).unwrap_or_else(|error| panic!("{error}"));
    let reaches = recovered.entries.last().map_or(recovered.base.index, |entry| entry.index);
    let reaches = reaches.max(image.as_ref().map_or(0, |(meta, _)| meta.position.index));
    let start = Start { config: config.clone(), identity, recovered, image, now: Time::ZERO };
    let mut node = Node::start(start).unwrap_or_else(|error| panic!("{error}"));
    while node.poll_output().is_some() {}
    let state = node.state().read();
    let (index, hash) = (state.applied().index, state.hash());
    assert_eq!(Some(&hash), explained.hashes.get(&index), "the state at entry {index} is not the log's");
    Some(reaches)
}

fn crash(disk: &FaultyDisk, number: usize, way: usize) -> FaultyDisk {
    let copy = disk.fork(number as u64);
    match way {
        0 => copy.kill(),
        1 => copy.lose_power(Survivors::Nothing),
        2 => copy.lose_power(Survivors::Prefix),
        _ => copy.lose_power(Survivors::Subset),
    }
    copy
}

#[test]
fn every_prefix_of_one_nodes_disk_recovers_with_all_that_was_acknowledged() {
    let tape = Tape::default();
    let mut world = World::new(1).nodes_with(1, tune).storage_options(TINY);
    let noted = tape.clone();
    world.wrap_disk(1, move |disk| noted.over(disk));
    world.start_all();
    world.wait_for_leader(10 * SECOND).unwrap();
    // How long the tape was when each revision was acknowledged.
    let mut acknowledged = Vec::new();
    for i in 0..150 {
        let answer = world.client(1).unwrap().put(format!("key{}", i % 7), format!("value {i}"));
        let put = world.wait(answer, SECOND).expect("in time").unwrap();
        acknowledged.push((tape.len(), put.header.unwrap().revision));
        world.run(Duration::from_millis(i % 30));
    }
    let config = world.config(1).clone();
    let mut explained = Explained::new(config.cluster_id());
    let mut usable = 0;
    tape.play(1, |number, disk| {
        for way in 0..4 {
            if way > 1 && number % 3 != 0 {
                continue;
            }
            let copy = crash(disk, number, way);
            // Only what a process sees teaches; what a loss of power leaves must be explained by it.
            let reached = recover(&copy, &config, &mut explained, way == 0);
            let newest = acknowledged.iter().rev().find(|(at, _)| *at <= number).map(|(_, r)| *r);
            if number % 20 != 0 || reached.is_none() {
                continue;
            }
            copy.kill();
            let mut again = World::new(2).nodes_with(1, tune).storage_options(TINY);
            again.set_disk(1, copy);
            again.start_all();
            assert_eq!(again.wait_for_leader(10 * SECOND), Some(1));
            let answer = again.client(1).unwrap().put("after", "all");
            let put = again.wait(answer, 5 * SECOND).expect("usable").unwrap();
            let revision = put.header.unwrap().revision;
            assert!(revision > newest.unwrap_or(1), "cut at {number} ({way}): {newest:?} was acknowledged");
            usable += 1;
        }
    })
    .unwrap();
    assert!(usable > 20 && tape.len() > 300, "{usable} of {}", tape.len());
}

#[test]
fn every_prefix_of_a_followers_disk_holds_what_it_told_the_leader() {
    let tape = Tape::default();
    let mut world = World::new(2).nodes_with(3, tune).storage_options(TINY);
    let noted = tape.clone();
    world.wrap_disk(3, move |disk| noted.over(disk));
    world.start_all();
    let mut leader = world.wait_for_leader(10 * SECOND).unwrap();
    if leader == 3 {
        let answer = world.client(3).unwrap().transfer_leadership(1);
        world.wait(answer, SECOND).unwrap().unwrap();
        world.run(SECOND);
        leader = world.leader().unwrap();
    }
    world.note_events();
    let told = Rc::new(RefCell::new(Vec::new()));
    let mut log: BTreeMap<u64, LogEntry> = BTreeMap::new();
    for i in 0..120 {
        let answer = world.client(leader).unwrap().put(format!("key{}", i % 7), format!("value {i}"));
        let mut answer = Some(answer);
        let length = tape.clone();
        world.run_until(Duration::from_millis(5 + i % 20), |world| {
            for seen in world.take_seen() {
                let Seen::Sent(envelope) = seen else { continue };
                let Some(Body::Raft(message)) = envelope.body else { continue };
                if envelope.from == 3 && message.kind == 4 && !message.reject {
                    told.borrow_mut().push((length.len(), message.index));
                }
                for entry in message.entries.into_iter().filter(|_| envelope.from == leader) {
                    let kind = kvorum_core::storage::EntryKind::Command;
                    let (index, term, data) = (entry.index, entry.term, entry.data);
                    log.insert(index, LogEntry { index, term, kind, data });
                }
            }
            if answer.as_mut().is_some_and(|answer| kvorum_sim::poll(answer).is_some()) {
                answer = None;
            }
            false
        });
    }
    let config = world.config(3).clone();
    let mut explained = Explained::new(config.cluster_id());
    let told = told.borrow();
    tape.play(3, |number, disk| {
        for way in 0..4 {
            let copy = crash(disk, number, way);
            if number == 0 || tape.is_empty() {
                continue;
            }
            // The first entries were sent before anybody listened: a process that sees them teaches them.
            let reached = recover(&copy, &config, &mut explained, way == 0);
            let Some(reached) = reached else { continue };
            let owed = told.iter().rev().find(|(at, _)| *at <= number).map_or(0, |(_, index)| *index);
            assert!(reached >= owed, "cut at {number} ({way}): entry {owed} was acknowledged");
        }
    })
    .unwrap();
    for (index, entry) in &log {
        if *index == explained.state.applied().index + 1 {
            explained.learn(std::slice::from_ref(entry));
        }
    }
    assert!(tape.len() > 200 && explained.hashes.len() > 100);
}
