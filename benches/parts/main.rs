//! The parts, one at a time: `cargo bench -p kvorum-benches`.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kvorum_core::command::{Command, Op, Origin};
use kvorum_core::request::{PutRequest, RangeRequest, TxnRequest, WatchRequest};
use kvorum_core::state::{ImageLoader, State};
use kvorum_core::storage::{Batch, EntryKind, ImageMeta, LogEntry, LogPosition, Storage as _};
use kvorum_core::transport::{Envelope, RaftMessage, WireEntry};
use kvorum_storage::FileStorage;
use prost::Message as _;

const KEYS: u64 = 100_000;

fn key(number: u64) -> String {
    format!("bench/key/{number:010}")
}

fn command(op: Op) -> Bytes {
    let origin = Some(Origin { node: 1, incarnation: 1, request: 77 });
    Command { origin, session: None, op: Some(op) }.encode_to_vec().into()
}

fn put(number: u64) -> Bytes {
    command(Op::Put(PutRequest::new(key(number), [b'v'; 256])))
}

/// A state with keys, and the index of the next entry.
struct Filled(State, u64);

impl Filled {
    fn new() -> Filled {
        let mut filled = Filled(State::new(1), 1);
        (0..KEYS).for_each(|number| filled.apply(&put(number)));
        filled
    }

    fn apply(&mut self, data: &Bytes) {
        let at = LogPosition { index: self.1, term: 1 };
        black_box(self.0.apply(at, data));
        self.1 += 1;
    }
}

fn apply(c: &mut Criterion) {
    let mut group = c.benchmark_group("apply");
    let mut filled = Filled::new();
    let mut next = 0;
    group.bench_function("put over a key", |b| {
        b.iter_batched(
            || {
                next += 1;
                put(next * 7919 % KEYS)
            },
            |data| filled.apply(&data),
            BatchSize::SmallInput,
        );
    });
    let mut filled = Filled::new();
    let mut fresh = KEYS;
    group.bench_function("put of a new key", |b| {
        b.iter_batched(
            || {
                fresh += 1;
                put(fresh)
            },
            |data| filled.apply(&data),
            BatchSize::SmallInput,
        );
    });
    let mut filled = Filled::new();
    let txn = TxnRequest::new().then(PutRequest::new(key(5), "v")).then(RangeRequest::key(key(6)));
    let txn = command(Op::Txn(txn));
    group.bench_function("transaction, one put and one read", |b| b.iter(|| filled.apply(&txn)));
    group.finish();
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    let Filled(mut state, index) = Filled::new();
    let keys: Vec<String> = (0..KEYS).map(|number| key(number * 7919 % KEYS)).collect();
    let mut keys = keys.iter().cycle();
    group.bench_function("one key", |b| b.iter(|| state.get(keys.next().unwrap().as_bytes())));
    let request = RangeRequest { limit: 1000, ..RangeRequest::prefix("bench/") };
    group.throughput(Throughput::Elements(1000));
    group.bench_function("1000 keys", |b| b.iter(|| state.range(&request).unwrap()));
    let mut cursor = state.open_watch(&WatchRequest::prefix("bench/").from(2)).unwrap();
    group.bench_function("1000 events for a watch", |b| {
        b.iter(|| {
            let pulled = state.pull(&mut cursor, 1000, usize::MAX).unwrap();
            if pulled.events.len() < 1000 {
                cursor = state.open_watch(&WatchRequest::prefix("bench/").from(2)).unwrap();
            }
        });
    });
    let _ = index;
    group.finish();
}

fn image(c: &mut Criterion) {
    let mut group = c.benchmark_group("image");
    group.sample_size(10).throughput(Throughput::Elements(KEYS));
    let Filled(mut state, _) = Filled::new();
    let write = |state: &mut State| {
        let mut cut = state.cut_image();
        let meta = ImageMeta { position: cut.position(), hash: cut.hash(), ..ImageMeta::default() };
        let chunks: Vec<Bytes> = std::iter::from_fn(|| cut.next_chunk(state)).collect();
        state.release_cut(cut);
        (meta, chunks)
    };
    group.bench_function("write 100,000 keys", |b| b.iter(|| write(&mut state)));
    let (meta, chunks) = write(&mut state);
    group.bench_function("load 100,000 keys", |b| {
        b.iter_with_large_drop(|| {
            let mut loader = ImageLoader::new(1);
            chunks.iter().for_each(|chunk| loader.feed(chunk).unwrap());
            loader.finish(&meta).unwrap()
        });
    });
    group.finish();
}

fn codecs(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec");
    let data = put(5);
    let decoded = Command::decode(data.clone()).unwrap();
    group.bench_function("encode a put", |b| b.iter(|| decoded.encode_to_vec()));
    group.bench_function("decode a put", |b| b.iter(|| Command::decode(data.clone()).unwrap()));
    let entries = (0..64).map(|index| WireEntry { index, term: 3, kind: 0, data: data.clone() }).collect();
    let message = RaftMessage { kind: 3, term: 3, entries, ..RaftMessage::default() };
    let body = Some(message.into());
    let envelope = Envelope { cluster: 7, from: 1, to: 2, directory: 9, incarnation: 1, body };
    let bytes = Bytes::from(envelope.encode_to_vec());
    group.throughput(Throughput::Elements(64));
    group.bench_function("encode 64 entries", |b| b.iter(|| envelope.encode_to_vec()));
    group.bench_function("decode 64 entries", |b| b.iter(|| Envelope::decode(bytes.clone()).unwrap()));
    group.bench_function("decode 64 entries, copied", |b| b.iter(|| Envelope::decode(&bytes[..]).unwrap()));
    group.finish();
}

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("storage");
    group.sample_size(20);
    let dir = std::env::temp_dir().join(format!("kvorum-parts-{}", std::process::id()));
    let mut storage = FileStorage::open(&dir).expect("a directory to measure in");
    storage.recover().expect("an empty directory");
    let data = put(5);
    let mut index = 0;
    for count in [1, 256] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("append {count} entries and sync"), |b| {
            b.iter(|| {
                let entry = |index| LogEntry { index, term: 1, kind: EntryKind::Command, data: data.clone() };
                let entries = (index + 1..=index + count).map(entry).collect();
                index += count;
                storage.append(&[Batch { entries, ..Batch::default() }]).unwrap();
            });
        });
    }
    group.finish();
    drop(storage);
    std::fs::remove_dir_all(dir).expect("the directory can be removed");
}

criterion_group!(parts, apply, read, image, codecs, append);
criterion_main!(parts);
