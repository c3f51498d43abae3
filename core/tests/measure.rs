//! Speed and memory of the state machine. Run by hand:
//! `cargo test --release -p kvorum-core --test measure -- --ignored --nocapture`

use std::time::{Duration, Instant};

use bytes::Bytes;
use kvorum_core::command::{Command, Op, Origin};
use kvorum_core::request::{CompactionRequest, PutRequest, RangeRequest, WatchRequest};
use kvorum_core::state::{ImageLoader, State};
use kvorum_core::storage::{ImageMeta, LogPosition};
use prost::Message;

const KEYS: u64 = 1_000_000;

/// Entries as they come out of a log: every one in a buffer of its own.
fn entry(op: Op) -> Bytes {
    let origin = Some(Origin { node: 1, incarnation: 1, request: 123_456 });
    Command { origin, session: None, op: Some(op) }.encode_to_vec().into()
}

/// Twenty bytes, scattered.
fn key(n: u64) -> String {
    format!("/benchmark/{:09}", n * 387_420_489 % 1_000_000_007 % 1_000_000_000)
}

fn put(n: u64) -> Bytes {
    entry(Op::Put(PutRequest { key: key(n).into(), value: vec![n as u8; 256].into(), ..Default::default() }))
}

fn apply(state: &mut State, data: &Bytes) -> Duration {
    let at = LogPosition { index: state.applied().index + 1, term: 1 };
    let start = Instant::now();
    let applied = state.apply(at, data);
    let took = start.elapsed();
    assert!(applied.result.is_ok(), "{:?}", applied.result);
    took
}

fn apply_all(state: &mut State, what: &str, keys: impl Iterator<Item = u64>) {
    let (mut count, mut total, mut worst) = (0, Duration::ZERO, Duration::ZERO);
    let keys: Vec<u64> = keys.collect();
    for keys in keys.chunks(1000) {
        let entries: Vec<_> = keys.iter().map(|n| put(*n)).collect();
        let start = cpu();
        for entry in &entries {
            worst = worst.max(apply(state, entry));
        }
        (count, total) = (count + entries.len() as u32, total + (cpu() - start));
    }
    println!("{what}: {count} puts, {:?} of CPU each, worst {worst:?}", total / count);
}

/// How long this thread has been running: the machine may have other work.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS: 0 kB");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[test]
#[ignore = "a measurement"]
fn measure() {
    let before = resident();
    let mut state = State::new(1);
    apply_all(&mut state, "new keys", 0..KEYS);
    let used = resident() - before;
    println!("{} B a key of {} B and a value of 256 B", used / state.sizes().keys, key(0).len());
    apply_all(&mut state, "same keys", (0..KEYS / 2).map(|n| n * 7919 % KEYS));
    println!("after overwriting half: {} B a version", (resident() - before) / state.sizes().versions);
    reads(&state);
    watches(&mut state);
    images(&mut state);
    compaction(&mut state);
    bare();
}

/// What to compare with, in the same run: the map, the hash and the decoding by themselves.
fn bare() {
    let pairs: Vec<_> = (0..KEYS).map(|n| (key(n).into_bytes(), vec![n as u8; 256])).collect();
    let mut map = std::collections::BTreeMap::new();
    let start = cpu();
    for (key, value) in &pairs {
        map.insert(key.clone(), value.clone());
    }
    println!("a bare map of copies: {:?} of CPU a put", (cpu() - start) / KEYS as u32);
    let start = cpu();
    let found = (0..200_000).filter(|n| map.contains_key(&pairs[n * 7919 % pairs.len()].0)).count();
    println!("a bare map: {:.0} reads/s", found as f64 / (cpu() - start).as_secs_f64());
    let bytes = [7; 560];
    let start = cpu();
    for _ in 0..100_000 {
        std::hint::black_box(blake3::hash(std::hint::black_box(&bytes)));
    }
    println!("a bare hash of 560 B: {:?} of CPU", (cpu() - start) / 100_000);
    let entry = put(1);
    let start = cpu();
    for _ in 0..100_000 {
        std::hint::black_box(Command::decode(entry.clone()).is_ok());
    }
    println!("decoding a put: {:?} of CPU", (cpu() - start) / 100_000);
}

fn reads(state: &State) {
    let requests: Vec<_> = (0..200_000)
        .map(|n| RangeRequest { key: key(n * 7919 % KEYS).into(), ..Default::default() })
        .collect();
    for what in ["first", "again"] {
        let start = cpu();
        let found: usize = requests.iter().map(|r| state.range(r).map_or(0, |r| r.kvs.len())).sum();
        assert_eq!(found, requests.len());
        println!("point reads, {what}: {:.0}/s", found as f64 / (cpu() - start).as_secs_f64());
    }
    let all = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..Default::default() };
    let ranges: Vec<_> = (0..900)
        .map(|n| {
            let (key, end) = (format!("/benchmark/{n:03}"), format!("/benchmark/{:03}", n + 1));
            RangeRequest { key: key.into(), range_end: end.into(), ..all.clone() }
        })
        .collect();
    for what in ["first", "again"] {
        let start = cpu();
        let found: i64 = ranges.iter().map(|r| state.range(r).map_or(0, |r| r.count)).sum();
        println!("ranges, {what}: {:?} per 1000 keys", (cpu() - start) * 1000 / found as u32);
    }
    let start = cpu();
    let r = state.range(&RangeRequest { count_only: true, ..all }).expect("readable");
    println!("count of everything: {:?} per 1000 keys", (cpu() - start) * 1000 / r.count as u32);
}

fn watches(state: &mut State) {
    let before = resident();
    let mut cursors: Vec<_> = (0..100_000)
        .map(|n| {
            let end: Bytes = if n % 2 == 0 { Bytes::new() } else { format!("{}~", key(n)).into() };
            let r = WatchRequest { key: key(n).into(), range_end: end, ..Default::default() };
            state.open_watch(&r).expect("a range")
        })
        .collect();
    println!("100k watches: {} B each, with their cursors", (resident() - before) / 100_000);
    apply_all(state, "with 100k watches", 0..100_000);
    let start = cpu();
    let events: usize =
        cursors.iter_mut().map(|c| state.pull(c, 100, 1 << 20).map_or(0, |pulled| pulled.events.len())).sum();
    println!("pulling: {:?} a watch, {events} events", (cpu() - start) / 100_000);
    for cursor in cursors {
        state.close_watch(cursor.id());
    }
}

fn images(state: &mut State) {
    let start = cpu();
    let mut cut = state.cut_image();
    let meta = ImageMeta { position: cut.position(), hash: cut.hash(), ..Default::default() };
    let mut chunks = Vec::new();
    let mut worst = Duration::ZERO;
    loop {
        let start = cpu();
        let Some(chunk) = cut.next_chunk(state) else { break };
        worst = worst.max(cpu() - start);
        chunks.push(chunk);
    }
    state.release_cut(cut);
    let bytes: usize = chunks.iter().map(Bytes::len).sum();
    println!("image: {bytes} bytes in {:?}, worst chunk {worst:?}", cpu() - start);
    let start = cpu();
    let mut loader = ImageLoader::new(1);
    for chunk in chunks {
        loader.feed(&chunk).expect("a good chunk");
    }
    let loaded = loader.finish(&meta).expect("a good image");
    println!("loaded in {:?}", cpu() - start);
    assert_eq!(loaded.hash(), state.hash());
}

fn compaction(state: &mut State) {
    let revision = state.revision();
    let took = apply(state, &entry(Op::Compact(CompactionRequest { revision, physical: false })));
    println!("compaction over {revision} revisions: {took:?}");
    let (start, mut steps, mut worst) = (cpu(), 0, Duration::ZERO);
    loop {
        let start = cpu();
        let more = state.collect_garbage(1000);
        worst = worst.max(cpu() - start);
        steps += 1;
        if !more {
            break;
        }
    }
    println!("collected in {:?}, {steps} steps of 1000, worst {worst:?}", cpu() - start);
}
