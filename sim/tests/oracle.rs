//! The judge of histories against the oracle that tries everything. `KVORUM_HISTORIES=1000000` with
//! `--release` is the long run; `KVORUM_SEED` says where it begins.

use kvorum_sim::history::compare;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn the_judge_and_the_oracle_agree() {
    let count = number("KVORUM_HISTORIES", 30_000);
    let tally = compare(number("KVORUM_SEED", 1), count).unwrap_or_else(|story| panic!("{story}"));
    println!("{tally}");
    assert!(tally.untouched >= count / 64);
    // Both verdicts must be common, or agreeing would be cheap.
    assert!(tally.legal() > count / 6 && tally.illegal() > count / 4, "{tally}");
    for (name, legal, illegal) in &tally.operators {
        assert!(*illegal > 0 && illegal + legal > count / 1000, "{name} hardly changes anything\n{tally}");
    }
}
