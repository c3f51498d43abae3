//! The same random requests go to a real etcd and to a gateway, and the answers are compared, field by field; so is what
//! watches say meanwhile. Where they may differ stands in `masks.rs`, and with reasons in `DIFFERENCES.md`.
//!
//! `KVORUM_DIFFERENTIAL`: how many requests (some thousands without it). `KVORUM_SEED`: the first run's seed; each
//! further run, with two fresh servers, has the next one. `KVORUM_LANES`: how many runs go side by side. A difference is shown with its seed; a run is repeated by
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
#[path = "../common/ports.rs"]
mod ports;
mod requests;
mod run;
mod txns;
mod watches;
mod world;

use tokio::task::JoinSet;

/// How many requests a run has: more would only make histories long.
const A_RUN: u64 = 20_000;
/// How many differences are enough to look at.
const ENOUGH: u32 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_says_what_etcd_says() {
    let from = |name: &str, otherwise| {
        std::env::var(name).map_or(otherwise, |number| number.parse().expect("the variable is a number"))
    };
    let requests = from("KVORUM_DIFFERENTIAL", 4_000);
    let (mut seed, lanes) = (from("KVORUM_SEED", 1), from("KVORUM_LANES", 1) as usize);
    let (mut runs, mut begun) = (JoinSet::new(), 0);
    let (mut total, mut found) = (run::Count::default(), 0);
    loop {
        while begun < requests && runs.len() < lanes && found < ENOUGH {
            let mut etcd = match etcd::start().await {
                Ok(etcd) => etcd,
                Err(why) => return eprintln!("skipped: {why}"),
            };
            let count = A_RUN.min(requests - begun);
            runs.spawn(async move {
                let (done, differs) = run::run(&etcd, seed, count).await;
                let has_died = differs.is_some() && etcd.has_died().await;
                (seed, done, differs, has_died)
            });
            (seed, begun) = (seed + 1, begun + count);
        }
        let Some(run) = runs.join_next().await else { break };
        let (seed, done, differs, has_died) = run.expect("a run does not panic");
        total.add(&done);
        match differs {
            None => {}
            // There is nothing to compare with.
            Some(how) if has_died => eprintln!("etcd came down (see DIFFERENCES.md): {how}"),
            Some(how) => {
                eprintln!("{how}");
                found += 1;
            }
        }
        let run::Count { requests, refused, events } = &total;
        eprintln!("seed {seed}: so far {requests} requests, {refused} refused, {events} events of watches");
    }
    assert_eq!(found, 0, "there are differences, see above");
}
