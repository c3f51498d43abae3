//! Memory at equal content: both hold the same keys, written equally often, in clusters that did nothing else.

use std::time::Duration;

use kvorum_gateway::pb::etcdserverpb as pb;

use crate::Options;
use crate::client::{Client, Watches};
use crate::load::{CONNECTIONS, connect};
use crate::process::Memory;
use crate::report;
use crate::rows::{KEYS, fill};
use crate::servers::Servers;

/// What `--only` calls it, and the word that measures nothing else.
pub(crate) const NAME: &str = "memory";

/// More would not differ: what is held is the same each time.
const MOST_ROUNDS: usize = 3;

/// How long nobody asks anything before memory is read: both free some of it behind the requests.
const QUIET: Duration = Duration::from_secs(10);

/// How often every key is written again.
const OVERWRITES: usize = 3;

/// Watches of which nothing is heard.
const WATCHES: u64 = 100_000;

/// What is held when memory is read.
const CONTENTS: [&str; 5] = [
    "nothing",
    "100,000 keys, written once",
    "the same, each overwritten 3 times, history kept",
    "the same, compacted (etcd: and defragmented)",
    "nothing, and 100,000 idle watches",
];

/// Of all three members, in the order of [`CONTENTS`].
type Readings = [Memory; CONTENTS.len()];

/// Measures both in turn and prints a table.
pub(crate) async fn measure(options: &Options) -> Result<(), String> {
    let programs = options.programs();
    let mut rounds = vec![Vec::new(); programs.len()];
    for _ in 0..options.rounds.clamp(1, MOST_ROUNDS) {
        for ((name, program), rounds) in programs.iter().zip(&mut rounds) {
            let servers = Servers::start(name, program, &options.dir).await?;
            let [nothing, once, history, compacted] = keys(&servers).await;
            drop(servers);
            let servers = Servers::start(name, program, &options.dir).await?;
            rounds.push([nothing, once, history, compacted, watches(&servers).await]);
        }
    }
    let both: Vec<Readings> = rounds.iter().map(|rounds| middle(rounds)).collect();
    println!("\n{}", report::memory(&both, CONTENTS));
    for (name, [nothing, once, _, _, watches]) in ["kvorumd", "etcd"].into_iter().zip(&both) {
        let key = more(*once, *nothing) / KEYS as f64;
        let watch = more(*watches, *nothing) / WATCHES as f64;
        println!("- {name}: {key:.0} B for a key on three members, {watch:.0} B for a watch on one");
    }
    Ok(())
}

fn more(than: Memory, nothing: Memory) -> f64 {
    than.resident.saturating_sub(nothing.resident) as f64
}

/// The middle of several rounds, by what is resident.
fn middle(rounds: &[Readings]) -> Readings {
    std::array::from_fn(|at| {
        let mut readings: Vec<Memory> = rounds.iter().map(|round| round[at]).collect();
        readings.sort_by_key(|memory| memory.resident);
        readings.get(readings.len() / 2).copied().unwrap_or_default()
    })
}

async fn keys(servers: &Servers) -> [Memory; 4] {
    let nothing = quiet(servers).await;
    let begun = revision(&one_of(servers, 0).await).await;
    fill(servers).await;
    let once = quiet(servers).await;
    for _ in 0..OVERWRITES {
        fill(servers).await;
    }
    let history = quiet(servers).await;
    hold_the_same(servers, begun + (1 + OVERWRITES as i64) * KEYS as i64).await;
    compact(servers).await;
    [nothing, once, history, quiet(servers).await]
}

/// That all members hold what was written, all of it and nothing else: rows of different contents say nothing.
async fn hold_the_same(servers: &Servers, wanted: i64) {
    for at in 0..servers.endpoints.len() {
        let client = one_of(servers, at).await;
        assert_eq!(revision(&client).await, wanted, "{}: every put took a revision", servers.name);
        let keys =
            pb::RangeRequest { key: "bench/".into(), range_end: "bench0".into(), ..Default::default() };
        let found = client.count(keys).await.expect("a count");
        assert_eq!(found, KEYS as i64, "{}: every key is there", servers.name);
    }
}

async fn compact(servers: &Servers) {
    let client = one_of(servers, 0).await;
    client.compact(revision(&client).await).await.expect("a compaction");
    for at in 0..servers.endpoints.len() {
        one_of(servers, at).await.defragment().await.expect("a defragmentation");
    }
}

async fn revision(client: &Client) -> i64 {
    client.revision().await.expect("a revision")
}

async fn one_of(servers: &Servers, at: usize) -> Client {
    Client::connect(&servers.endpoints[at]).await.expect("a member that took a write")
}

async fn quiet(servers: &Servers) -> Memory {
    tokio::time::sleep(QUIET).await;
    servers.memory()
}

/// Every watch has a key of its own. Connections and streams are there before, but are little beside the watches.
async fn watches(servers: &Servers) -> Memory {
    let opening: Vec<_> = connect(servers)
        .await
        .into_iter()
        .enumerate()
        .map(|(at, client)| tokio::spawn(open(client, at)))
        .collect();
    let mut open = Vec::new();
    for stream in opening {
        open.push(stream.await.expect("a client's task"));
    }
    let memory = quiet(servers).await;
    drop(open);
    memory
}

async fn open(client: Client, at: usize) -> Watches {
    let key = |number| format!("idle/{at}/{number}").into();
    let mut stream = client.watches(key(0)).await.expect("a stream");
    for number in 0..WATCHES / CONNECTIONS as u64 {
        if number > 0 {
            stream.watch(key(number)).await;
        }
        assert!(stream.next().await.created, "a watch is open");
    }
    stream
}
