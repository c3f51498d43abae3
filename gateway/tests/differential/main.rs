//! The same random requests go to a real etcd and to a gateway, and the answers are compared, field by field; so is what
//! watches say meanwhile. Where they may differ stands in `masks.rs`, and with reasons in `DIFFERENCES.md`.
//!
//! `KVORUM_DIFFERENTIAL`: how many requests (some thousands without it). `KVORUM_SEED`: the first run's seed; each
//! further run, with two fresh servers, has the next one. A difference is shown with its seed; a run is repeated by
//! `KVORUM_SEED=that KVORUM_DIFFERENTIAL=20000`.

mod ask;
#[path = "../common/mod.rs"]
mod common;
mod dice;
#[path = "../odd/etcd.rs"]
mod etcd;
mod follow;
mod known;
mod masks;
mod pair;
mod requests;
mod run;
mod txns;
mod watches;
mod world;

/// How many requests a run has: more would only make histories long.
const A_RUN: u64 = 20_000;
/// How many differences are enough to look at.
const ENOUGH: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_says_what_etcd_says() {
    let from = |name: &str, otherwise| {
        std::env::var(name).map_or(otherwise, |number| number.parse().expect("the variable is a number"))
    };
    let (mut seed, requests) = (from("KVORUM_SEED", 1), from("KVORUM_DIFFERENTIAL", 4_000));
    let (mut total, mut found) = (run::Count::default(), Vec::new());
    while total.requests < requests && found.len() < ENOUGH {
        let etcd = match etcd::start().await {
            Ok(etcd) => etcd,
            Err(why) => return eprintln!("skipped: {why}"),
        };
        match run::run(&etcd, seed, A_RUN.min(requests - total.requests)).await {
            Ok(count) => {
                total.requests += count.requests;
                total.refused += count.refused;
                total.events += count.events;
            }
            Err(how) => {
                eprintln!("{how}");
                found.push(how);
            }
        }
        let run::Count { requests, refused, events } = &total;
        eprintln!("seed {seed}: so far {requests} requests, {refused} refused, {events} events of watches");
        seed += 1;
    }
    assert!(found.is_empty(), "{} differences, see above", found.len());
}
