//! How much a durable append of one entry costs beside a bare append and fdatasync of as many bytes, in turn,
//! in the same directory. `cargo bench -p kvorum-storage [-- DIRECTORY]`

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kvorum_core::storage::{Batch, EntryKind, ImageMeta, LogEntry, LogPosition, Storage};
use kvorum_storage::FileStorage;

const ROUNDS: usize = 3000;
const SIZE: usize = 256;

fn main() {
    let given = std::env::args().skip(1).find(|a| !a.starts_with('-')).map(PathBuf::from);
    let root = given.unwrap_or_else(std::env::temp_dir);
    let dir = root.join(format!("kvorum-bench-{}", std::process::id()));
    let mut storage = FileStorage::open(&dir).expect("a directory to measure in");
    storage.recover().expect("an empty directory");
    single(&dir, &mut storage);
    batches(&mut storage);
    drop(storage);
    restart(&dir);
    image(&dir);
    std::fs::remove_dir_all(&dir).expect("the directory can be removed");
}

fn batch(from: u64, count: u64) -> Batch {
    let data = bytes::Bytes::from(vec![7; SIZE]);
    let entry = |index| LogEntry { index, term: 1, kind: EntryKind::Command, data: data.clone() };
    Batch { entries: (from..from + count).map(entry).collect(), ..Batch::default() }
}

fn timed(act: impl FnOnce()) -> Duration {
    let start = Instant::now();
    act();
    start.elapsed()
}

fn bare(file: &mut File) -> Duration {
    timed(|| {
        file.write_all(&[7; SIZE]).expect("a write");
        file.sync_data().expect("a sync");
    })
}

fn summary(name: &str, times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    println!(
        "{name:<34} p10 {:>6.0}  p50 {:>6.0}  p90 {:>6.0}  p99 {:>6.0} µs",
        at(10),
        at(50),
        at(90),
        at(99)
    );
    at(50)
}

/// One entry per sync, and the bare append before and after it, so that both meet the same disk.
fn single(dir: &std::path::Path, storage: &mut FileStorage) {
    let mut file =
        OpenOptions::new().create(true).append(true).open(dir.join("bare")).expect("a file beside");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for i in 0..ROUNDS as u64 {
        theirs.push(bare(&mut file));
        let one = [batch(i + 1, 1)];
        ours.push(timed(|| _ = storage.append(&one).expect("an append")));
    }
    let theirs = summary("bare append + fdatasync, 256 B", &mut theirs);
    let ours = summary("FileStorage::append, one entry", &mut ours);
    println!("ratio of the medians: {:.2}", ours / theirs);
}

fn batches(storage: &mut FileStorage) {
    let mut next = ROUNDS as u64 + 1;
    let mut times = Vec::new();
    for _ in 0..400 {
        let one = [batch(next, 1000)];
        next += 1000;
        times.push(timed(|| _ = storage.append(&one).expect("an append")));
    }
    let median = summary("FileStorage::append, 1000 entries", &mut times);
    println!("  = {:.0} k entries/s", 1000.0 / median * 1000.0);
}

fn restart(dir: &std::path::Path) {
    // The first begins a new segment, with syncs; the second only reads.
    for _ in 0..2 {
        let start = Instant::now();
        let found = FileStorage::open(dir).and_then(|mut s| s.recover()).expect("a recovery");
        println!("recovery of {} entries: {:.1?}", found.entries.len(), start.elapsed());
    }
}

fn image(dir: &std::path::Path) {
    let mut storage = FileStorage::open(dir).expect("the directory");
    storage.recover().expect("a recovery");
    let meta = ImageMeta { position: LogPosition { index: 100, term: 1 }, ..ImageMeta::default() };
    let chunk = vec![3; 1 << 20];
    let write = timed(|| {
        let mut sink = storage.create_image(&meta).expect("an image");
        (0..300).for_each(|_| sink.write(&chunk).expect("a chunk"));
        sink.finish().expect("an image");
    });
    let read = timed(|| {
        let mut source = storage.open_image().expect("an image").expect("an image");
        while source.next_chunk().expect("a chunk").is_some() {}
    });
    println!("image of 300 MiB: write {write:.1?}, verify and read {read:.1?}");
}
