//! A thousand at once: writers and readers as futures on one thread, three nodes in the same process.

use std::cell::Cell;
use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kvorum::{Client, block_on};

use crate::Options;
use crate::cluster::{Cluster, VALUE, key};
use crate::measure::{Spread, cpu};
use crate::table::Row;

const MANY: u64 = 1024;

/// Keys that the writers and readers share.
const KEYS: u64 = 100_000;

pub(crate) fn writers(options: &Options) -> Vec<Row> {
    let cluster = Cluster::three(&options.dir);
    vec![writers_at(options, "1024 writers, three nodes, at the leader", &[cluster.leader()])]
}

pub(crate) fn writers_everywhere(options: &Options) -> Vec<Row> {
    let cluster = Cluster::three(&options.dir);
    let mut rows = vec![writers_at(options, "1024 writers, three nodes, at all three", &cluster.all())];
    if !options.quick {
        let (rate, cost) = measure_threads(options, &cluster.leader());
        let text = format!("{}; CPU {cost:.1} µs per put", per_second(rate));
        rows.push(Row::without_target("1024 writers as threads, at the leader", text));
    }
    rows
}

fn writers_at(options: &Options, name: &str, clients: &[Client]) -> Row {
    let (rate, cost) = measure(options, clients, put);
    Row::new(
        name,
        "≥ 100 k puts/s, ≤ 15 µs CPU per put",
        format!(
            "{}; CPU {:.1} µs per put ({:.1}–{:.1})",
            per_second(rate),
            cost.median,
            cost.least,
            cost.most
        ),
        rate.median >= 100e3 && cost.median <= 15.0,
        "CPU of all three nodes and of the writers".into(),
    )
}

pub(crate) fn readers(options: &Options) -> Vec<Row> {
    let cluster = Cluster::three(&options.dir);
    fill(&cluster.leader());
    let row = |name: &str, clients: &[Client]| {
        let (rate, cost) = measure(options, clients, get);
        Row::new(
            name,
            "≥ 300 k/s",
            format!("{}; CPU {:.1} µs per read", per_second(rate), cost.median),
            rate.median >= 300e3,
            String::new(),
        )
    };
    vec![
        row("linearizable reads, 1024 readers, at the leader", &[cluster.leader()]),
        row("linearizable reads, 1024 readers, at all three", &cluster.all()),
    ]
}

fn per_second(rate: Spread) -> String {
    format!("{:.0} k/s ({:.0}–{:.0})", rate.median / 1e3, rate.least / 1e3, rate.most / 1e3)
}

async fn put(client: &Client, number: u64) {
    client.put(key(number), VALUE).await.expect("a put");
}

async fn get(client: &Client, number: u64) {
    client.get(key(number)).await.expect("a read");
}

pub(crate) fn fill(client: &Client) {
    let next = Cell::new(0);
    block_on(together(|_| async {
        while next.get() < KEYS {
            let number = next.replace(next.get() + 1);
            put(client, number).await;
        }
    }));
}

async fn together<F: Future<Output = ()>>(one: impl Fn(u64) -> F) {
    let mut all: FuturesUnordered<F> = (0..MANY).map(one).collect();
    while all.next().await.is_some() {}
}

/// Operations per second, and CPU microseconds per operation: rounds of a second or so each.
fn measure(options: &Options, clients: &[Client], act: impl AsyncFn(&Client, u64)) -> (Spread, Spread) {
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    let time = options.scale_time(Duration::from_secs(2), Duration::from_millis(700));
    for round in 0..=options.scale(7, 3) {
        let (start, used) = (Instant::now(), cpu());
        let count = Cell::new(0u64);
        block_on(together(|writer| {
            let (client, count, act) = (&clients[(writer % clients.len() as u64) as usize], &count, &act);
            async move {
                while start.elapsed() < time {
                    let number = count.replace(count.get() + 1);
                    act(client, number.wrapping_mul(7919) % KEYS).await;
                }
            }
        }));
        let (seconds, used) = (start.elapsed().as_secs_f64(), cpu() - used);
        // The first round warms up.
        if round > 0 {
            rates.push(count.get() as f64 / seconds);
            costs.push(used.as_secs_f64() * 1e6 / count.get() as f64);
        }
    }
    (Spread::of(rates), Spread::of(costs))
}

fn measure_threads(options: &Options, client: &Client) -> (Spread, f64) {
    let time = options.scale_time(Duration::from_secs(2), Duration::from_millis(700));
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (start, used) = (Instant::now(), cpu());
        let writer = |writer: u64| {
            let mut number = 0;
            while start.elapsed() < time {
                let key = key((writer * 7919 + number * MANY) % KEYS);
                client.put(key, VALUE).wait().expect("a put");
                number += 1;
            }
            number
        };
        let count: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..MANY).map(|w| scope.spawn(move || writer(w))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a writer")).sum()
        });
        rates.push(count as f64 / start.elapsed().as_secs_f64());
        costs.push((cpu() - used).as_secs_f64() * 1e6 / count as f64);
    }
    (Spread::of(rates), Spread::of(costs).median)
}
