//! Seeds of the second tier. Built by `tests/mad.rs` with `--cfg madsim`; without it, there is nothing here.
#![cfg(madsim)]

use std::collections::BTreeMap;
use std::time::Duration;

use kvorum_sim::{RunOptions, mad};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn under_madsim_nothing_that_was_promised_is_broken() {
    let seconds = number("KVORUM_SECONDS").unwrap_or(20);
    let options = RunOptions { duration: Duration::from_secs(seconds), ..RunOptions::default() };
    let first = number("KVORUM_SEED").or(number("KVORUM_FIRST_SEED")).unwrap_or(0);
    let count = if number("KVORUM_SEED").is_some() { 1 } else { number("KVORUM_SEEDS").unwrap_or(20) };
    let mut counts = BTreeMap::new();
    let mut failed = Vec::new();
    for seed in first..first + count {
        let run = mad::rehearse(seed, &options);
        if let Some(violation) = &run.violation {
            println!("seed {seed}: {violation}");
            println!("KVORUM_SEED={seed} cargo test -p kvorum-sim --test mad");
            failed.push(seed);
        }
        run.counts.iter().for_each(|(name, count)| *counts.entry(*name).or_insert(0) += count);
    }
    println!("{counts:#?}");
    assert!(failed.is_empty(), "these seeds fail: {failed:?}");
}
