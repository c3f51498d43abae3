//! The process or the machine dies at every operation of every node's disk, in the middle of it, and again
//! while it recovers; then all nodes at once. What was promised to anybody is kept.
//!
//! The tests take a sample of the points, as many as are worth waiting for. All of them:
//! `KVORUM_ALL=1 cargo test --release -p kvorum-sim --test crash_points -- --nocapture`.

mod recorded;
mod restart;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::Bytes;
use kvorum_core::ids::{NodeId, Revision};
use kvorum_core::request::{EventKind, KeyValue, RangeRequest};
use kvorum_core::{Client, Config};
use kvorum_sim::{Playback, Tape, World, Written};
use kvorum_storage::faulty::{FaultyDisk, Survivors};
use recorded::{Promise, Recorded, SECOND, TINY, Told, record, tune};
use restart::{Found, start};

/// How a process ends; with `None` the page cache survives.
const WAYS: [Option<Survivors>; 5] = [
    None,
    Some(Survivors::Nothing),
    Some(Survivors::Everything),
    Some(Survivors::Prefix),
    Some(Survivors::Subset),
];

fn crash(disk: &FaultyDisk, way: Option<Survivors>) {
    match way {
        None => disk.kill(),
        Some(survivors) => disk.lose_power(survivors),
    }
}

fn all() -> bool {
    std::env::var_os("KVORUM_ALL").is_some()
}

/// The run of three; made once for all tests.
fn run() -> &'static Recorded {
    static RUN: OnceLock<Recorded> = OnceLock::new();
    RUN.get_or_init(|| record(7, 3, 2000))
}

/// What one node's disk must hold, because of what was done and said before.
#[derive(Clone, Default)]
struct Owed {
    promise: Promise,
    vote: (u64, NodeId),
    /// What the disk had for sure at an earlier point.
    durable: Option<Found>,
}

impl Owed {
    fn promised(&mut self, next: Promise) {
        if next.term > self.promise.term {
            self.promise = Promise { term: next.term, ..Promise::default() };
        }
        self.promise.stored = self.promise.stored.max(next.stored);
        if next.vote != 0 {
            self.vote = (next.term, next.vote);
        }
    }

    fn check(&self, found: &Found) {
        let hard = found.recovered.hard_state;
        let Promise { term, stored, .. } = self.promise;
        assert!(hard.term >= term, "it spoke in term {term}, and is back in {}", hard.term);
        let is_kept = hard.term > self.vote.0 || hard.vote == self.vote.1;
        assert!(is_kept, "it voted {:?}, and knows of {hard:?}", self.vote);
        // A later leader may have replaced what an earlier one had it store.
        let is_there = found.last >= stored || hard.term > term;
        assert!(is_there, "entry {stored} was acknowledged, the last one is {}", found.last);
        self.durable.iter().for_each(|before| not_less(before, found));
    }
}

fn image_index(found: &Found) -> u64 {
    found.image.as_ref().map_or(0, |image| image.position.index)
}

/// The end of the log, as (term, index): what an election compares.
fn last_position(found: &Found) -> (u64, u64) {
    let base = found.recovered.base;
    let log = found.recovered.entries.last().map_or((base.term, base.index), |e| (e.term, e.index));
    let image = found.image.as_ref().map_or((0, 0), |image| (image.position.term, image.position.index));
    log.max(image)
}

/// Nothing that was durable goes away.
fn not_less(before: &Found, now: &Found) {
    let (was, is) = (before.recovered.hard_state, now.recovered.hard_state);
    assert!(is.term >= was.term && is.commit >= was.commit, "{was:?} became {is:?}");
    assert!(is.term > was.term || was.vote == 0 || is.vote == was.vote, "{was:?} became {is:?}");
    let (was, is) = (last_position(before), last_position(now));
    assert!(is >= was, "the log (term, index) reached to {was:?} and reaches to {is:?}");
    assert!(image_index(now) >= image_index(before), "an image is gone");
    assert!(now.commit >= before.commit && now.applied.index >= before.applied.index);
    assert!(now.recovered.identity.is_some() || before.recovered.identity.is_none());
    let incarnation = |found: &Found| found.recovered.identity.map_or(0, |identity| identity.incarnation);
    assert!(incarnation(now) >= incarnation(before), "it would speak again as a process that was before");
}

/// What must hold whatever was promised.
fn consistent(found: &Found, run: &Recorded) {
    let index = found.applied.index;
    assert_eq!(found.hash, run.hashes[index as usize], "the state at entry {index} is not the log's");
    assert!(index <= found.commit && found.commit <= found.last, "{index} {} {}", found.commit, found.last);
    assert!(found.commit >= found.recovered.hard_state.commit);
    assert!(image_index(found) >= found.recovered.base.index, "a gap between the image and the log");
}

struct Points<'a> {
    run: &'a Recorded,
    config: &'a Config,
    owed: Owed,
    starts: u64,
}

impl Points<'_> {
    fn start(&mut self, disk: &FaultyDisk) -> Found {
        self.starts += 1;
        let found = start(disk, self.config, TINY).unwrap_or_else(|error| panic!("{error}"));
        consistent(&found, self.run);
        found
    }

    /// A start after a crash; and what it found is what it acts on, so it stays found.
    fn recover(&mut self, disk: &FaultyDisk, seed: usize) -> Found {
        let found = self.start(disk);
        self.owed.check(&found);
        disk.lose_power(if seed.is_multiple_of(2) { Survivors::Nothing } else { Survivors::Subset });
        let again = self.start(disk);
        not_less(&found, &again);
        let (was, is) = (&found.recovered, &again.recovered);
        let kept = was.entries.iter().filter(|e| e.index > is.base.index).all(|e| is.entries.contains(e));
        assert!(kept || image_index(&found) >= found.last, "what a start acted on was not durable");
        found
    }

    /// It dies again, `after` operations into its recovery; answers whether it had come to its end before.
    fn again(&mut self, disk: &FaultyDisk, way: Option<Survivors>, after: u64) -> bool {
        disk.stop_at(disk.operations() + after);
        self.starts += 1;
        let is_over = start(disk, self.config, TINY).is_ok();
        crash(disk, way);
        let found = self.start(disk);
        self.owed.check(&found);
        is_over
    }

    /// All is lost that was not synced: what is found is what later points must find, too.
    fn bare(&mut self, tape: &Playback) {
        let copy = tape.disk().fork(tape.at() as u64);
        copy.lose_power(Survivors::Nothing);
        self.owed.durable = Some(self.recover(&copy, tape.at()));
    }

    /// All ways to die here, and in the middle of the next operation; `is_thorough`: and again at every
    /// operation of the recovery.
    fn all_ways(&mut self, tape: &Playback, is_thorough: bool) {
        let number = tape.at();
        for (i, way) in WAYS.into_iter().enumerate() {
            let seed = number * 5 + i;
            let copy = tape.disk().fork(seed as u64);
            crash(&copy, way);
            let (second, after) = (WAYS[(number + i) % 5], (seed % 17) as u64);
            self.again(&copy.fork(seed as u64), second, after);
            self.recover(&copy, seed);
            if tape.next().is_some() {
                let copy = tape.torn(seed as u64);
                crash(&copy, way);
                self.recover(&copy, seed);
            }
            for after in (0..40).take_while(|_| is_thorough) {
                let copy = tape.disk().fork(after);
                crash(&copy, way);
                if self.again(&copy, WAYS[(after as usize + i) % 5], after) {
                    break;
                }
            }
        }
    }
}

fn every_point(node: NodeId) {
    let run = run();
    // Every seventh point, and every 126th in all ways; or all of them.
    let (step, full) = if all() { (1, 1) } else { (7, 126) };
    let mut tape = run.tapes[&node].playback(node);
    let mut points = Points { run, config: &run.configs[&node], owed: Owed::default(), starts: 0 };
    let mut promises = run.promises[&node].iter().peekable();
    let (mut count, length) = (0, run.tapes[&node].len());
    // The first start is always among them.
    for number in (0..=length).filter(|n| *n < 30 || (n + node as usize).is_multiple_of(step)) {
        tape.advance_to(number).unwrap();
        while let Some((_, promise)) = promises.next_if(|(at, _)| *at <= number) {
            points.owed.promised(*promise);
        }
        let here = format!("node {node}, point {number}: before {:?}", tape.next().map(brief));
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            points.bare(&tape);
            if number < 30 || (number + node as usize).is_multiple_of(full) {
                points.all_ways(&tape, number.is_multiple_of(if all() { 20 } else { 10 }));
            }
        }));
        assert!(told.is_ok(), "{here}");
        count += 1;
    }
    println!("node {node}: {count} of {length} points, {} starts", points.starts);
    assert!(points.starts > 2000, "{}", points.starts);
}

fn brief(written: &Written) -> String {
    match written {
        Written::Append(file, bytes) => format!("Append({file}, {} bytes)", bytes.len()),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_crash_point_of_node_1() {
    every_point(1);
}

#[test]
fn every_crash_point_of_node_2() {
    every_point(2);
}

#[test]
fn every_crash_point_of_node_3_which_was_away_and_was_given_an_image() {
    every_point(3);
}

#[test]
fn the_recorded_run_has_what_it_should() {
    let run = run();
    let count = |what: &dyn Fn(&Written) -> bool| {
        run.tapes.values().map(|tape| tape.written().iter().filter(|w| what(w)).count()).min().unwrap()
    };
    let named = |name: &str, start: &str, end: &str| name.starts_with(start) && name.ends_with(end);
    let segments = count(&|w| matches!(w, Written::Rename(_, to) if named(to, "log-", ".wal")));
    let images = count(&|w| matches!(w, Written::Rename(_, to) if named(to, "image-", ".img")));
    let heads = count(&|w| matches!(w, Written::Remove(name) if named(name, "log-", ".wal")));
    let old = count(&|w| matches!(w, Written::Remove(name) if named(name, "image-", ".img")));
    let operations: Vec<usize> = run.tapes.values().map(Tape::len).collect();
    println!("{operations:?} operations; at least {segments} segments, {images} images, {heads} heads");
    assert!(segments > 50 && images > 20 && heads > 40 && old > 15, "{segments} {images} {heads} {old}");
    assert!(run.images_taken > 0, "a follower was given an image");
    let told = |what: &dyn Fn(&Told) -> bool| run.told.iter().filter(|(_, told)| what(told)).count();
    assert!(told(&|t| t.revision > 0) > 1400 && told(&|t| t.compacted > 0) > 50);
    assert!(told(&|t| t.granted > 0) > 50 && told(&|t| t.revoked > 0) > 50);
}

/// What clients had been told by a moment.
#[derive(Default)]
struct Clients {
    revision: Revision,
    compacted: Revision,
    granted: Vec<i64>,
    revoked: Vec<i64>,
    /// All pairs at that revision.
    pairs: BTreeMap<Bytes, KeyValue>,
}

impl Clients {
    fn told(&mut self, run: &Recorded, told: &Told) {
        for (_, events) in run.history.range(self.revision + 1..told.revision.max(self.revision) + 1) {
            for event in events {
                let kv = event.kv.clone().unwrap();
                match event.kind == EventKind::Put as i32 {
                    true => self.pairs.insert(kv.key.clone(), kv),
                    false => self.pairs.remove(&kv.key),
                };
            }
        }
        self.revision = self.revision.max(told.revision);
        self.compacted = self.compacted.max(told.compacted);
        self.granted.extend((told.granted != 0).then_some(told.granted));
        self.revoked.extend((told.revoked != 0).then_some(told.revoked));
    }

    fn check(&self, client: &Client) {
        let status = client.status();
        assert!(status.revision >= self.revision, "{} < {}", status.revision, self.revision);
        assert!(status.compacted >= self.compacted, "{} < {}", status.compacted, self.compacted);
        if self.revision > 1 {
            let found = client.range_local(&RangeRequest::prefix("").at(self.revision)).unwrap();
            let acknowledged: Vec<KeyValue> = self.pairs.values().cloned().collect();
            assert_eq!(found.kvs, acknowledged, "at revision {}", self.revision);
        }
    }
}

/// All nodes die at the same moment, start again, and go on.
fn all_at_once(run: &Recorded, count: usize) {
    let mut tapes: Vec<Playback> = run.tapes.iter().map(|(node, tape)| tape.playback(*node)).collect();
    let mut told = run.told.iter().peekable();
    let mut clients = Clients::default();
    for i in 0..count {
        let at = 1 + i * (run.moments.len() - 1) / count;
        // Only one of them was longer than the moment before; some of what it wrote then is written.
        let (before, after) = (&run.moments[at - 1], &run.moments[at]);
        let lengths = before.iter().zip(after).map(|(b, a)| b + (a - b).min(1 + i % 4));
        tapes.iter_mut().zip(lengths).for_each(|(tape, length)| tape.advance_to(length).unwrap());
        let moment = tapes.iter().map(Playback::at).sum();
        while let Some((_, told)) = told.next_if(|(length, _)| *length <= moment) {
            clients.told(run, told);
        }
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            restarted(run, &tapes, &clients, moment, i);
        }));
        let points: Vec<usize> = tapes.iter().map(Playback::at).collect();
        assert!(told.is_ok(), "all at once at {points:?}, the {i}-th time");
    }
    println!("{} nodes: died {count} times together", tapes.len());
}

fn restarted(run: &Recorded, tapes: &[Playback], clients: &Clients, moment: usize, seed: usize) {
    let mut world = World::new(seed as u64).nodes_with(tapes.len() as u64, tune).storage_options(TINY);
    world.set_past(run.log.clone());
    for (node, tape) in (1..).zip(tapes) {
        let seed = (seed * 3) as u64 + node;
        let disk = if seed.is_multiple_of(4) { tape.torn(seed) } else { tape.disk().fork(seed) };
        // One time all in the same way, the next time each in its own.
        crash(&disk, WAYS[(seed as usize / if seed.is_multiple_of(2) { 1 } else { 15 }) % 5]);
        world.set_disk(node, disk);
    }
    for node in world.ids() {
        assert!(world.start(node), "{:?}", world.why_halted(node));
    }
    let leader = world.wait_for_leader(10 * SECOND).expect("a leader");
    let client = world.client(leader).unwrap();
    let leases = world.wait(client.leases(), 5 * SECOND).expect("in time").unwrap().leases;
    let is_ending = |id: &i64| run.ending.get(id).is_some_and(|asked| *asked <= moment);
    let missing: Vec<_> =
        clients.granted.iter().filter(|id| !leases.contains(id) && !is_ending(id)).collect();
    assert!(missing.is_empty(), "leases that were granted are gone: {missing:?}");
    assert!(clients.revoked.iter().all(|id| !leases.contains(id)), "a lease is back that was revoked");
    let put = world.wait(client.put("after", "all"), 5 * SECOND).expect("it goes on").unwrap();
    assert!(put.header.unwrap().revision > clients.revision);
    let statuses = |world: &World| -> Vec<_> {
        world.ids().into_iter().filter_map(|n| world.status(n)).map(|s| (s.hash_index, s.hash)).collect()
    };
    let agreed = world.run_until(5 * SECOND, |world| {
        let all = statuses(world);
        all.iter().all(|status| *status == all[0]) && world.client(leader).is_some()
    });
    assert!(agreed, "{:?}", statuses(&world));
    for node in world.ids() {
        assert_eq!(world.why_halted(node), None);
        clients.check(&world.client(node).unwrap());
    }
}

#[test]
fn all_nodes_die_at_once_and_every_acknowledged_write_is_there() {
    all_at_once(run(), if all() { 5000 } else { 120 });
}

#[test]
fn a_node_that_is_alone_dies_and_every_acknowledged_write_is_there() {
    let run = record(8, 1, 400);
    all_at_once(&run, if all() { 2000 } else { 120 });
}
