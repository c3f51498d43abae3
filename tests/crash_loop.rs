//! Three real processes over TCP, killed with SIGKILL again and again, one, two or all three at a time, at
//! random moments, while many threads write. Every acknowledged write must be there at the end with its
//! content and its revision, every revision's event must have been seen by a watch exactly once, and the
//! nodes must agree on every byte.
//!
//! The node processes are this test binary again: see [`node_process`].
//!
//! `KVORUM_SOAK=1000 cargo test --release --test crash_loop` runs a thousand rounds instead of a few;
//! `KVORUM_SEED` repeats a run's choices (but not its timing).

#[allow(dead_code, unreachable_pub)]
#[path = "../examples/cluster/child.rs"]
mod child;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/cluster/mirror.rs"]
mod mirror;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/cluster/nodes.rs"]
mod nodes;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/cluster/process.rs"]
mod process;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/cluster/wire.rs"]
mod wire;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use child::Setup;
use mirror::Mirror;
use nodes::{NODES, Nodes};
use wire::{Pair, Reply, Request, Verdict};

/// Holds a node process's arguments, one a line.
const CHILD: &str = "KVORUM_CRASH_LOOP_CHILD";

const WRITERS: u64 = 8;

/// No round may take longer than this, kills and elections included.
const ROUND: Duration = Duration::from_secs(30);

/// Not a test: what a node process runs. Without its arguments, it does nothing.
#[test]
fn node_process() {
    if let Ok(arguments) = std::env::var(CHILD) {
        let arguments: Vec<String> = arguments.lines().map(str::to_owned).collect();
        child::run(Setup::from_args(&arguments).expect("our own arguments make sense"));
    }
}

fn command(setup: &Setup) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "node_process", "--nocapture"]).env(CHILD, setup.to_args().join("\n"));
    command
}

/// Small logs, so that images are saved and sent around; quick elections, so that the rounds are short.
fn tune(setup: &mut Setup) {
    setup.heartbeat = Duration::from_millis(50);
    setup.election_timeout = Duration::from_millis(400);
    setup.image_log_bytes = 256 << 10;
    setup.keep_bytes = 16 << 10;
}

#[test]
fn whatever_is_killed_nothing_acknowledged_is_lost() {
    let rounds = from_environment("KVORUM_SOAK").unwrap_or(6);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = from_environment("KVORUM_SEED").unwrap_or(now.as_nanos() as u64);
    let data = std::env::temp_dir().join(format!("kvorum-crash-loop-{}", std::process::id()));
    println!("seed {seed}, data in {} (kept if this fails)", data.display());
    play(&data, rounds, &mut Random(seed | 1));
    std::fs::remove_dir_all(data).unwrap();
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn play(data: &PathBuf, rounds: u64, random: &mut Random) {
    std::fs::create_dir_all(data).unwrap();
    let nodes = Nodes::new(data.to_str().unwrap(), command, tune).unwrap();
    nodes.start_all().unwrap();
    let mirror = Mirror::new(1 + random.below(3));
    let load = Load { nodes: &nodes, is_over: AtomicBool::new(false), acknowledged: Mutex::default() };
    thread::scope(|scope| {
        let watcher = scope.spawn(|| mirror.run(&nodes));
        let load = &load;
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || load.write(writer))).collect();
        let bell = Bell(&load.is_over);
        let hurt = (0..rounds).try_for_each(|round| hurt(&nodes, random, round));
        drop(bell);
        let wrote = writers.into_iter().try_for_each(|writer| writer.join().unwrap());
        let last = hurt.and(wrote).and_then(|()| nodes.put(1, b"last", b"").map(|(last, _)| last));
        let seen = last.and_then(|last| mirror.wait_for(last).map(|()| last));
        mirror.stop();
        watcher.join().unwrap().unwrap();
        check(&nodes, load, &mirror, seen.unwrap());
    });
}

/// Ends the load even if something panics, so that the test ends.
struct Bell<'a>(&'a AtomicBool);

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Lets the cluster work for a moment, kills some nodes, lets the rest alone for a moment, starts the killed
/// ones again one by one, and waits until the cluster commits again.
fn hurt(nodes: &Nodes, random: &mut Random, round: u64) -> Result<(), String> {
    let began = Instant::now();
    thread::sleep(random.millis(600));
    let mut victims = NODES.to_vec();
    while victims.len() as u64 > 1 + round % 3 {
        victims.remove(random.below(victims.len() as u64) as usize);
    }
    nodes.kill(&victims);
    thread::sleep(random.millis(900));
    for &victim in &victims {
        nodes.start(victim)?;
        thread::sleep(random.millis(100));
    }
    nodes.put(1 + random.below(3), b"probe", &round.to_le_bytes())?;
    let took = began.elapsed();
    println!("round {round}: killed {victims:?}; took {} ms", took.as_millis());
    if took > ROUND { Err(format!("round {round} took {took:?}")) } else { Ok(()) }
}

struct Load<'a> {
    nodes: &'a Nodes,
    is_over: AtomicBool,
    acknowledged: Mutex<Vec<Acknowledged>>,
}

struct Acknowledged {
    key: String,
    revision: u64,
    tries: u32,
}

impl Load<'_> {
    /// Writes keys of its own, one after the other, through whatever node is there. Each key only ever gets
    /// one value, so that a write whose outcome is unknown may be repeated.
    fn write(&self, writer: u64) -> Result<(), String> {
        for number in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            let key = format!("w{writer}/{number:06}");
            let Some((revision, tries)) = self.put(&key, writer + number)? else { break };
            self.acknowledged.lock().unwrap().push(Acknowledged { key, revision, tries });
        }
        Ok(())
    }

    /// `None`: time was up before it was acknowledged.
    fn put(&self, key: &str, first: u64) -> Result<Option<(u64, u32)>, String> {
        let request = Request::Put { key: key.into(), value: value(key) };
        let until = Instant::now() + nodes::PATIENCE;
        for tries in 1.. {
            // The next node, in case this one is dead.
            let node = 1 + (first + u64::from(tries)) % 3;
            match self.nodes.process(node).and_then(|process| process.ask(&request).recv().ok()) {
                Some(Reply::Put { revision }) => return Ok(Some((revision, tries))),
                Some(Reply::Failed { verdict: Verdict::Again, .. }) | None => {}
                Some(other) => return Err(nodes::unexpected(node, "a put", &other)),
            }
            if self.is_over.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if Instant::now() > until {
                return Err(format!("{key} was not acknowledged for {:?}", nodes::PATIENCE));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(None)
    }
}

/// A key's only value: from a few bytes to some kilobytes, so that records span blocks and logs fill images.
fn value(key: &str) -> Vec<u8> {
    let mut random = Random(key.bytes().fold(5381, |hash, byte| hash * 33 + u64::from(byte)) | 1);
    let length = if random.below(16) == 0 { random.below(20_000) } else { random.below(600) };
    (0..length).map(|_| random.below(256) as u8).collect()
}

fn check(nodes: &Nodes, load: &Load<'_>, mirror: &Mirror, last: u64) {
    let acknowledged = load.acknowledged.lock().unwrap();
    for id in NODES {
        let all = read_all(nodes, id, last);
        for Acknowledged { key, revision, tries } in acknowledged.iter() {
            let at = all.binary_search_by(|pair| pair.key.as_slice().cmp(key.as_bytes()));
            let pair = at.map(|at| &all[at]);
            let pair = pair.unwrap_or_else(|_| panic!("node {id} lost {key}, acknowledged at {revision}"));
            assert!(pair.value == value(key), "node {id} has another value for {key}");
            assert!(pair.mod_revision >= *revision, "node {id} has {key} at {}", pair.mod_revision);
            if *tries == 1 {
                assert_eq!((pair.mod_revision, pair.version), (*revision, 1), "{key} on node {id}");
            }
        }
        mirror.look(|seen| {
            let mirrored = seen.pairs.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
            let stored = all.iter().map(|pair| (pair.key.as_slice(), pair.value.as_slice()));
            assert!(mirrored.eq(stored), "the mirror is not what node {id} holds");
        });
    }
    let hashes = nodes.settled().unwrap();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "the nodes' states differ: {hashes:?}");
    let (events, resumed) = mirror.look(|seen| (seen.events, seen.resumed));
    // Revision 1 is the empty store. That none was seen twice or out of order, the mirror checks itself.
    assert_eq!(events, last - 1, "one event for each revision");
    println!(
        "{} writes acknowledged, {events} events seen, watch resumed {resumed} times",
        acknowledged.len()
    );
    assert!(acknowledged.len() > 100, "the load was never under way");
}

fn read_all(nodes: &Nodes, id: u64, revision: u64) -> Vec<Pair> {
    let (mut all, mut start) = (Vec::new(), Vec::new());
    loop {
        let request = Request::Range { start, limit: 500, revision };
        let Reply::Range { more, pairs, .. } = nodes.call(id, &request).unwrap().0 else {
            panic!("node {id} does not let itself be read");
        };
        all.extend(pairs);
        if !more {
            return all;
        }
        start = all.last().map(|pair| pair.key.clone()).unwrap_or_default();
        start.push(0);
    }
}

/// A xorshift generator: the test's choices, repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }

    fn millis(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }
}
