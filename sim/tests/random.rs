//! Runs that seeds make up. More of them: `KVORUM_SEEDS=5000 cargo test --release -p kvorum-sim --test random`.
//! One of them again: `KVORUM_SEED=17 …`. Another range: `KVORUM_FIRST_SEED=100000`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use kvorum_sim::swarm::{Report, run};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn add(sum: &mut Report, one: &Report) {
    sum.acknowledged += one.acknowledged;
    sum.unknown += one.unknown;
    sum.refused += one.refused;
    sum.reads += one.reads;
    sum.retries += one.retries;
    sum.crashes += one.crashes;
    sum.leaders += one.leaders;
    sum.images += one.images;
    sum.expired += one.expired;
    sum.renewed += one.renewed;
    sum.events += one.events;
    sum.compacted += one.compacted;
    sum.entries += one.entries;
    for (name, count) in &one.faults {
        *sum.faults.entry(name).or_default() += count;
    }
    sum.converged_millis = sum.converged_millis.max(one.converged_millis);
}

#[test]
fn whatever_a_seed_makes_up_nothing_acknowledged_is_lost_and_all_agree() {
    let seconds = Duration::from_secs(number("KVORUM_SECONDS").unwrap_or(20));
    let seeds = match number("KVORUM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = number("KVORUM_FIRST_SEED").unwrap_or(0);
            first..first + number("KVORUM_SEEDS").unwrap_or(20)
        }
    };
    let mut sum = Report::default();
    let mut failed = Vec::new();
    for seed in seeds {
        if std::env::var_os("KVORUM_TRACE").is_some() {
            println!("seed {seed}");
        }
        match catch_unwind(AssertUnwindSafe(|| run(seed, seconds))) {
            Ok(report) => add(&mut sum, &report),
            Err(_) => {
                let seconds = seconds.as_secs();
                println!(
                    "KVORUM_SEED={seed} KVORUM_SECONDS={seconds} cargo test --release -p kvorum-sim --test random"
                );
                failed.push(seed);
            }
        }
    }
    println!("{sum:?}");
    assert!(failed.is_empty(), "these seeds fail: {failed:?}");
}
