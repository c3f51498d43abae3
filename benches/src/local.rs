//! Local point reads on one thread, beside a map behind a lock.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use kvorum::Node;
use parking_lot::RwLock;

use crate::Options;
use crate::cluster::{VALUE, key};
use crate::many::fill;
use crate::measure::Spread;
use crate::table::Row;

const KEYS: u64 = 100_000;

pub(crate) fn reads(options: &Options) -> Row {
    let node = Node::builder().start().expect("a node in memory");
    let client = node.client();
    fill(&client);
    let value = Bytes::from_static(&VALUE);
    let map: BTreeMap<Bytes, Bytes> = (0..KEYS).map(|i| (Bytes::from(key(i)), value.clone())).collect();
    let map = RwLock::new(map);
    let keys: Vec<String> = (0..KEYS).map(|i| key(i.wrapping_mul(7919) % KEYS)).collect();
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..options.scale(15, 5) {
        ours.push(rate(&keys, |key| client.get_local(key).expect("a read").is_some()));
        bare.push(rate(&keys, |key| map.read().get(key.as_bytes()).cloned().is_some()));
    }
    let (ours, bare) = (Spread::of(ours), Spread::of(bare));
    Row::new(
        "local point reads, one thread",
        "≥ 700 k/s",
        format!("{:.0} k/s", ours.median / 1e3),
        ours.median >= 700e3,
        format!("BTreeMap behind RwLock: {:.0} k/s", bare.median / 1e3),
    )
}

fn rate(keys: &[String], read: impl Fn(&str) -> bool) -> f64 {
    let start = Instant::now();
    assert!(keys.iter().all(|key| read(key)), "every key is there");
    keys.len() as f64 / start.elapsed().as_secs_f64()
}
