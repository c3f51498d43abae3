//! Memory and restarts, each in a process of its own, so that nothing else counts.

use std::cell::Cell;
use std::path::Path;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kvorum::request::WatchRequest;
use kvorum::{Client, Node, block_on};

use crate::Options;
use crate::child::{ask, say};
use crate::cluster::{VALUE, key, one};
use crate::measure::{Spread, cpu, resident};
use crate::table::Row;

const MIB: f64 = 1024.0 * 1024.0;

pub(crate) fn memory(options: &Options) -> Vec<Row> {
    let keys = options.scale(1_000_000, 100_000);
    let raw = keys as f64 * (20.0 + VALUE.len() as f64);
    let target = 1.6 * raw + 100.0 * keys as f64;
    let row = |name: &str, place: &str| {
        let used: f64 = ask(&["memory", place, &keys.to_string()]);
        Row::new(
            &format!("memory, {keys} keys, {name}"),
            &format!("≤ {:.0} MiB (1.6 × keys + values + 100 B each)", target / MIB),
            format!("{:.0} MiB = {:.2} × keys + values", used / MIB, used / raw),
            used <= target,
            format!("keys + values: {:.0} MiB", raw / MIB),
        )
    };
    let dir = options.dir.join("memory");
    let rows = vec![row("data directory", &dir.display().to_string()), row("in memory", "-")];
    let _ = std::fs::remove_dir_all(dir);
    rows
}

/// In the child: what a node takes more, once it holds the keys.
pub(crate) fn child_memory(place: &str, keys: u64) {
    let before = resident();
    let node = match place {
        "-" => Node::builder().start().expect("a node in memory"),
        dir => one(Path::new(dir)),
    };
    load(&node.client(), keys);
    say(resident() - before);
    drop(node);
}

pub(crate) fn restart(options: &Options) -> Row {
    let keys = options.scale(1_000_000, 100_000);
    let dir = options.dir.join("restart");
    let _ = std::fs::remove_dir_all(&dir);
    let place = dir.display().to_string();
    let _: f64 = ask(&["load", &place, &keys.to_string()]);
    let times: Vec<f64> = (0..options.scale(7, 3)).map(|_| ask(&["restart", &place])).collect();
    let _ = std::fs::remove_dir_all(&dir);
    let time = Spread::of(times);
    let scaled = 2000.0 * keys as f64 / 1e6;
    Row::new(
        &format!("restart with {keys} keys"),
        &format!("< {scaled:.0} ms"),
        format!("{:.0} ms ({:.0}–{:.0})", time.median, time.least, time.most),
        time.median < scaled,
        "from start() to the first linearizable read; files in the page cache".into(),
    )
}

pub(crate) fn child_load(dir: &str, keys: u64) {
    let node = one(Path::new(dir));
    load(&node.client(), keys);
    say(node.status().revision);
    // Ended as a crash would end it: nothing is tidied up.
    std::process::abort();
}

pub(crate) fn child_restart(dir: &str) {
    let start = Instant::now();
    let used = cpu();
    let node = Node::builder().data_dir(dir).start().expect("a node restarts");
    assert!(node.client().get(key(0)).wait().expect("a read").is_some(), "nothing is lost");
    say(start.elapsed().as_secs_f64() * 1e3);
    eprintln!("  restart: CPU {:.0} ms", (cpu() - used).as_secs_f64() * 1e3);
}

fn load(client: &Client, keys: u64) {
    let next = Cell::new(0);
    let writer = || async {
        while next.get() < keys {
            let number = next.replace(next.get() + 1);
            client.put(key(number), VALUE).await.expect("a put");
        }
    };
    block_on(async {
        let mut all: FuturesUnordered<_> = (0..1024).map(|_| writer()).collect();
        while all.next().await.is_some() {}
    });
}

pub(crate) fn watchers(options: &Options) -> Vec<Row> {
    let count = options.scale(100_000, 20_000);
    let target = 35e6 * count as f64 / 1e5;
    let row = |name: &str, kind: &str| {
        let used: f64 = ask(&["watchers", kind, &count.to_string()]);
        Row::new(
            &format!("{count} idle watchers, {name}"),
            &format!("< {:.0} MB", target / 1e6),
            format!("{:.1} MB = {:.0} B each", used / 1e6, used / count as f64),
            used < target,
            String::new(),
        )
    };
    vec![row("one key each", "key"), row("one prefix each", "prefix")]
}

pub(crate) fn child_watchers(kind: &str, count: u64) {
    let node = Node::builder().start().expect("a node in memory");
    let client = node.client();
    let open = |i| {
        let request = if kind == "key" { WatchRequest::key(key(i)) } else { WatchRequest::prefix(key(i)) };
        client.watch(request).expect("a watch")
    };
    // What the allocator takes at first is not theirs.
    drop((0..100).map(open).collect::<Vec<_>>());
    let mut watches = Vec::with_capacity(count as usize);
    let before = resident();
    watches.extend((0..count).map(open));
    say(resident() - before);
}
