//! What a disk can do to bytes that were synced, done to one of three nodes: bits that flip, sectors that turn
//! to zeros or land elsewhere, files that are cut, gone, or a peer's. The node refuses to start, or halts, and
//! says why; or it ends with what its peers have. It never answers wrongly, panics or hangs, and the others go
//! on.
//!
//! The tests take a sample of the places. All of them:
//! `KVORUM_ALL=1 cargo test --release -p kvorum-sim --test rot -- --nocapture`.

mod restart;

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use kvorum_core::Config;
use kvorum_core::ids::NodeId;
use kvorum_core::request::{KeyValue, RangeRequest};
use kvorum_sim::{Link, World};
use kvorum_storage::Options;
use kvorum_storage::faulty::{FaultyDisk, Random};
use restart::{Found, start};

const SECOND: Duration = Duration::from_secs(1);
const TINY: Options = Options { segment_bytes: 6000, image_sync_bytes: 1000 };
const SECTOR: usize = 512;

fn all() -> bool {
    std::env::var_os("KVORUM_ALL").is_some()
}

/// A cluster of three that has agreed on a little, with images, and of which one node was just killed. Built
/// anew, the same, each time: the peers of the damaged node have not been restarted, and remember what it told
/// them.
fn grown() -> (World, NodeId) {
    let mut world = World::new(11).nodes_with(3, |config| {
        config.image_log_bytes = 4000;
        config.keep_bytes = 0;
        config.catch_up_bytes = 0;
    });
    world = world.storage_options(TINY);
    world.start_all();
    let leader = world.wait_for_leader(10 * SECOND).expect("a leader");
    let victim = world.ids().into_iter().find(|node| *node != leader).unwrap();
    for i in 0..60 {
        if i == 25 {
            world.kill(victim);
            world.start(victim);
        }
        let value = format!("value {i} {}", "x".repeat(i * 53 % 400));
        let answer = world.client(leader).unwrap().put(format!("key{}", i % 9), value);
        let put = world.wait(answer, SECOND).expect("in time").unwrap();
        if i % 7 == 0 {
            let answer = world.client(leader).unwrap().compact(put.header.unwrap().revision);
            world.wait(answer, SECOND).expect("in time").unwrap();
        }
    }
    world.run(SECOND);
    world.kill(victim);
    // What is still on its way would be refused, and raft would then send the rest again without a word: a
    // loss that is healed before anybody can tell.
    world.run(SECOND);
    (world, victim)
}

/// The damaged node's disk before it was damaged, those of its peers, and what a start finds.
struct Bed {
    victim: NodeId,
    config: Config,
    disk: FaultyDisk,
    files: BTreeMap<String, Vec<u8>>,
    peers: Vec<BTreeMap<String, Vec<u8>>>,
    good: Found,
    pairs: Vec<KeyValue>,
}

fn bed() -> &'static Bed {
    static BED: OnceLock<Bed> = OnceLock::new();
    BED.get_or_init(|| {
        let (mut world, victim) = grown();
        let disk = world.disk(victim).fork(0);
        let peers = world.ids().into_iter().filter(|node| *node != victim);
        let peers = peers.map(|node| world.disk(node).files()).collect();
        let config = world.config(victim).clone();
        let good = start(&disk.fork(0), &config, TINY).unwrap();
        let leader = world.leader().unwrap();
        let pairs = world.client(leader).unwrap().range_local(&RangeRequest::prefix("")).unwrap().kvs;
        let files = disk.files();
        Bed { victim, config, disk, files, peers, good, pairs }
    })
}

/// What came of a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The start found what it would have found without it.
    Harmless,
    /// The start was refused, and named a file.
    Refused,
    /// It started with less, and ended with what its peers have.
    Healed,
    /// It started, and halted itself when it heard what it had promised.
    Halted,
}

#[derive(Default)]
struct Tally(BTreeMap<Outcome, u64>);

impl Tally {
    fn of(&self, outcome: &Outcome) -> u64 {
        self.0.get(outcome).copied().unwrap_or(0)
    }

    fn print(&self, what: &str) {
        println!("{what}: {:?}", self.0);
    }

    /// Judges one damage. Most are judged by what a start of the storage finds; only where that differs
    /// without a word, the cluster is asked.
    fn damage(&mut self, what: &str, disk: &FaultyDisk, names: &[&str]) -> Outcome {
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge(disk, names)));
        let outcome = told.unwrap_or_else(|_| panic!("{what}"));
        *self.0.entry(outcome).or_default() += 1;
        outcome
    }
}

fn judge(disk: &FaultyDisk, names: &[&str]) -> Outcome {
    let bed = bed();
    let started = disk.fork(1);
    match start(&started, &bed.config, TINY) {
        Err(error) => {
            let words = error.to_string();
            let is_named = names.iter().any(|name| words.contains(name));
            assert!(is_named, "the reason names a file: {words}");
            Outcome::Refused
        }
        Ok(found) if found == bed.good => Outcome::Harmless,
        Ok(found) => Known { found, files: left(&started, disk) }.outcome(disk),
    }
}

/// What a start found, and every file that it left. Of a file that is damaged only the name: what was read from
/// it is in what was found, and what was not read is not read later either.
#[derive(PartialEq)]
struct Known {
    found: Found,
    files: BTreeMap<String, Option<Vec<u8>>>,
}

fn left(started: &FaultyDisk, damaged: &FaultyDisk) -> BTreeMap<String, Option<Vec<u8>>> {
    let (good, damaged) = (&bed().files, damaged.files());
    let is_damaged = |name: &String| damaged.contains_key(name) && damaged.get(name) != good.get(name);
    let content = |(name, bytes)| if is_damaged(&name) { (name, None) } else { (name, Some(bytes)) };
    started.files().into_iter().map(content).collect()
}

impl Known {
    /// Thousands of flips come to the same: the cluster is asked about the first of them, and now and then
    /// about another, which must come out the same.
    fn outcome(self, disk: &FaultyDisk) -> Outcome {
        static KNOWN: Mutex<Vec<(Known, Outcome, u64)>> = Mutex::new(Vec::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, outcome, count)) = known.iter_mut().find(|(one, ..)| *one == self) {
            let outcome = *outcome;
            *count += 1;
            let is_asked_again = *count % 64 == 0;
            drop(known);
            if is_asked_again {
                assert_eq!(among_peers(disk, bed()), outcome, "it is not the same after all");
            }
            return outcome;
        }
        drop(known);
        let outcome = among_peers(disk, bed());
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).push((self, outcome, 0));
        outcome
    }
}

/// The damaged node starts among its peers, which were there all the time.
fn among_peers(disk: &FaultyDisk, bed: &Bed) -> Outcome {
    let (mut world, victim) = grown();
    world.set_disk(victim, disk.fork(2));
    assert!(world.start(victim), "{:?}", world.why_halted(victim));
    let leader = world.leader().expect("the peers go on");
    let has_caught_up = |world: &World| {
        let (Some(its), Some(theirs)) = (world.status(victim), world.status(leader)) else { return false };
        (its.hash_index, its.hash) == (theirs.hash_index, theirs.hash)
    };
    world.run(2 * SECOND);
    world.run_until(10 * SECOND, |world| world.why_halted(victim).is_some() || has_caught_up(world));
    let halted = world.why_halted(victim);
    let leader = world.wait_for_leader(10 * SECOND).expect("the peers go on");
    let answer = world.client(leader).unwrap().put("after", "all");
    world.wait(answer, 5 * SECOND).expect("the peers go on").unwrap();
    let pairs = |world: &World, node: NodeId| {
        let all = world.client(node).unwrap().range_local(&RangeRequest::prefix("key")).unwrap();
        assert_eq!(all.kvs, bed.pairs, "on node {node}");
    };
    pairs(&world, leader);
    if let Some(why) = halted {
        assert!(why.contains("lost part of the log") || why.contains("/faulty/"), "{why}");
        return Outcome::Halted;
    }
    world.run(SECOND);
    let (its, theirs) = (world.status(victim).unwrap(), world.status(leader).unwrap());
    assert_eq!(world.why_halted(victim), None);
    assert_eq!((its.hash_index, its.hash), (theirs.hash_index, theirs.hash), "it ends as its peers");
    pairs(&world, victim);
    Outcome::Healed
}

fn put(name: &str, bytes: &[u8]) -> FaultyDisk {
    let disk = bed().disk.fork(3);
    disk.put(name, bytes);
    disk
}

fn any_file() -> Vec<&'static str> {
    bed().files.keys().map(String::as_str).collect()
}

fn newest(start: &str) -> &'static str {
    bed().files.keys().rfind(|name| name.starts_with(start)).unwrap()
}

#[test]
fn one_flipped_bit_anywhere() {
    let bed = bed();
    let step = if all() { 1 } else { 13 };
    let mut tally = Tally::default();
    let bytes: usize = bed.files.values().map(Vec::len).sum();
    for (name, bytes) in &bed.files {
        let first = if name == "identity" { 1 } else { step };
        for byte in (0..bytes.len()).step_by(first) {
            let disk = bed.disk.fork(4);
            let bit = (byte * 5 % 8) as u8;
            disk.flip(name, byte, bit);
            let outcome = tally.damage(&format!("{name}, byte {byte}, bit {bit}"), &disk, &[name]);
            assert_ne!(outcome, Outcome::Halted, "{name}, byte {byte}: a flipped bit is not a torn write");
        }
    }
    tally.print(&format!("{bytes} bytes in {} files, one bit flipped", bed.files.len()));
    assert!(bytes > 20_000 && bytes < 100_000, "{bytes}");
    assert!(tally.of(&Outcome::Refused) > 100 && tally.of(&Outcome::Healed) > 10);
}

#[test]
fn two_flipped_bits_in_two_files() {
    let bed = bed();
    let names: Vec<&String> = bed.files.keys().collect();
    let mut random = Random::new(1);
    let mut tally = Tally::default();
    for _ in 0..if all() { 20_000 } else { 300 } {
        let one = random.below(names.len() as u64) as usize;
        let other = (one + 1 + random.below(names.len() as u64 - 1) as usize) % names.len();
        let disk = bed.disk.fork(5);
        let mut what = String::new();
        for name in [names[one], names[other]] {
            let (byte, bit) = (random.below(bed.files[name].len() as u64) as usize, random.below(8) as u8);
            disk.flip(name, byte, bit);
            what = format!("{what} {name}, byte {byte}, bit {bit};");
        }
        tally.damage(&what, &disk, &[names[one], names[other]]);
    }
    tally.print("bits flipped in two files");
    assert_eq!(tally.of(&Outcome::Halted), 0, "flipped bits are not torn writes");
}

#[test]
fn a_sector_of_zeros_anywhere() {
    let mut tally = Tally::default();
    for (name, bytes) in &bed().files {
        for at in (0..bytes.len()).step_by(SECTOR) {
            let mut bytes = bytes.clone();
            let end = (at + SECTOR).min(bytes.len());
            bytes[at..end].fill(0);
            let outcome = tally.damage(&format!("{name}, zeros at {at}"), &put(name, &bytes), &[name]);
            // FORMAT.md: the last group turned to zeros looks like a write that never was.
            let may_be_torn = name == newest("log-");
            assert!(outcome != Outcome::Halted || may_be_torn, "{name}, zeros at {at}");
        }
    }
    tally.print("a sector of zeros");
    assert!(tally.of(&Outcome::Halted) > 0, "the peers tell it what it had");
}

#[test]
fn a_file_that_was_cut() {
    let mut tally = Tally::default();
    for (name, bytes) in &bed().files {
        let is_log = name.starts_with("log-");
        for length in (0..bytes.len()).filter(|at| at % SECTOR == 0 || all() || at % 29 == 0) {
            let disk = put(name, &bytes[..length]);
            let outcome = tally.damage(&format!("{name}, cut at {length}"), &disk, &[name]);
            if is_log && name != newest("log-") {
                assert!(matches!(outcome, Outcome::Refused | Outcome::Harmless), "{name} at {length}");
            }
            // FORMAT.md: a newest segment that is cut looks like one whose last writes never were. No node
            // may then pretend.
            if name == newest("log-") {
                assert!(matches!(outcome, Outcome::Refused | Outcome::Halted | Outcome::Harmless));
            }
        }
    }
    tally.print("a file that was cut");
    assert!(tally.of(&Outcome::Halted) > 0, "the peers tell it what it had");
}

#[test]
fn a_file_that_is_gone() {
    let mut tally = Tally::default();
    let mut silent = Vec::new();
    for name in bed().files.keys() {
        let disk = bed().disk.fork(6);
        disk.vanish(name);
        // The file that misses it may be another one.
        let outcome = tally.damage(&format!("{name} is gone"), &disk, &any_file());
        silent.extend((outcome != Outcome::Refused).then_some((name, outcome)));
    }
    tally.print("a file that is gone");
    println!("not missed: {silent:?}");
    // What lies before the newest image is not needed, and the image is only a shortcut.
    assert!(silent.iter().all(|(name, _)| name.starts_with("image-") || *name == oldest("log-")));
}

#[test]
fn a_peers_file_in_its_place() {
    let mut tally = Tally::default();
    for peer in &bed().peers {
        for (name, bytes) in &bed().files {
            for (theirs, other) in peer.iter().filter(|(theirs, _)| theirs[..3] == name[..3]) {
                let what = format!("{theirs} of a peer as {name}");
                // It may be named by those that do not belong to it.
                let outcome = tally.damage(&what, &put(name, other), &any_file());
                // An image is of the state, not of a node: the same one of a peer is as good.
                let is_same = other == bytes || (name.starts_with("image-") && theirs == name);
                assert!(is_same || outcome != Outcome::Harmless || is_spare(name), "{what}");
            }
        }
    }
    tally.print("a peer's file in its place");
}

fn oldest(start: &str) -> &'static str {
    bed().files.keys().find(|name| name.starts_with(start)).unwrap()
}

/// The older image: nobody reads it while the newest is whole.
fn is_spare(name: &str) -> bool {
    name.starts_with("image-") && name != newest("image-")
}

#[test]
fn a_sector_written_in_the_wrong_place() {
    let bed = bed();
    let mut tally = Tally::default();
    let mut random = Random::new(2);
    let sectors: Vec<(&String, usize)> = bed
        .files
        .iter()
        .flat_map(|(name, bytes)| (0..bytes.len() / SECTOR).map(move |sector| (name, sector * SECTOR)))
        .collect();
    for &(name, at) in &sectors {
        for &(from, source) in &sectors {
            let is_chosen = all() || (from == name && random.below(4) == 0) || random.below(40) == 0;
            if (name, at) == (from, source) || !is_chosen {
                continue;
            }
            let mut bytes = bed.files[name].clone();
            bytes[at..at + SECTOR].copy_from_slice(&bed.files[from][source..source + SECTOR]);
            let what = format!("{from}, {source}, written to {name}, {at}");
            let outcome = tally.damage(&what, &put(name, &bytes), &[name]);
            assert_ne!(outcome, Outcome::Halted, "{what}: it is not a torn write");
        }
    }
    tally.print("a sector in the wrong place");
}

/// Not rot, but a file put back from a copy: the start that follows is one that peers have heard before. They take
/// what it says for the leftovers of the process that was it, and say which later start they have heard. It
/// halts: what that one promised, this one may not know.
#[test]
fn an_identity_of_an_earlier_start_is_told_so_and_halts() {
    let bed = bed();
    let (mut world, victim) = grown();
    assert_eq!(victim, bed.victim);
    for _ in 0..3 {
        assert!(world.start(victim));
        world.run(SECOND);
        world.kill(victim);
    }
    let identity = world.disk(victim).files()["identity"].clone();
    world.disk(victim).put("identity", &bed.files["identity"]);
    let leader = world.leader().unwrap();
    let put = |world: &mut World, key: &str| {
        let answer = world.client(leader).unwrap().put(key, "v");
        world.wait(answer, 5 * SECOND).expect("the peers go on").unwrap();
        world.run(2 * SECOND);
        world.client(victim).unwrap().get_local(key).ok().flatten().is_some()
    };
    assert!(world.start(victim));
    world.run(5 * SECOND);
    let why = world.why_halted(victim).expect("its word cannot be relied on");
    assert!(why.contains("older copy"), "{why}");
    assert!(!put(&mut world, "one"));
    world.kill(victim);
    // The right one back: it is itself again.
    world.disk(victim).put("identity", &identity);
    assert!(world.start(victim));
    assert!(put(&mut world, "two") && world.why_halted(victim).is_none(), "{:?}", world.why_halted(victim));
}

/// The same with all of its disk: a snapshot of its machine.
#[test]
fn a_disk_of_an_earlier_start_is_told_so_and_halts() {
    let (mut world, victim) = grown();
    let snapshot = world.disk(victim).fork(8);
    for _ in 0..2 {
        assert!(world.start(victim));
        world.run(SECOND);
        world.kill(victim);
    }
    world.run(SECOND);
    world.set_disk(victim, snapshot);
    assert!(world.start(victim));
    world.run(5 * SECOND);
    let why = world.why_halted(victim).expect("its word cannot be relied on");
    assert!(why.contains("older copy") || why.contains("lost part of the log"), "{why}");
    let leader = world.leader().expect("the peers go on");
    let answer = world.client(leader).unwrap().put("after", "v");
    world.wait(answer, 5 * SECOND).expect("the peers go on").unwrap();
}

/// A member that is killed and started again at once, over and over, on a network that holds its words back and
/// doubles them: what its earlier starts said is answered, and the answer harms no later start.
#[test]
fn starts_in_quick_succession_do_not_harm_one_another() {
    let mut world = World::new(23).nodes(3);
    world.start_all();
    let leader = world.wait_for_leader(10 * SECOND).expect("a leader");
    let victim = world.ids().into_iter().find(|node| *node != leader).unwrap();
    world.net.set_usual(Link { duplicate: 500, slowest: SECOND / 2, ..Link::default() });
    for i in 0..100 {
        world.kill(victim);
        assert!(world.start(victim), "{:?}", world.why_halted(victim));
        world.run(Duration::from_millis(i % 10 * 60));
    }
    let dropped = |world: &World| -> u64 {
        world.ids().into_iter().filter_map(|node| world.status(node)).map(|s| s.raft.dropped).sum()
    };
    assert!(dropped(&world) > 20, "{}", dropped(&world));
    world.net.set_usual(Link::default());
    let leader = world.wait_for_leader(10 * SECOND).expect("a leader");
    let answer = world.client(leader).unwrap().put("after", "all");
    world.wait(answer, 5 * SECOND).expect("they go on").unwrap();
    world.run(SECOND);
    assert!(world.ids().into_iter().all(|node| world.why_halted(node).is_none()));
    assert!(world.client(victim).unwrap().get_local("after").unwrap().is_some());
}
