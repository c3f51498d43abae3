//! The state against a naive model of it: whatever happens, both say the same.
//!
//! `PROPTEST_CASES=20000 cargo test --release -p kvorum-core --test model` for a soak.

#![allow(unreachable_pub, reason = "modules of a test are reached from nowhere")]

#[path = "model/mod.rs"]
mod reference;

use bytes::Bytes;
use kvorum_core::command::Op;
use proptest::prelude::*;
use proptest::test_runner::Config;
use reference::run::Run;
use reference::step::{Step, steps};

fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut run = Run::new().map_err(TestCaseError::fail)?;
    for (i, step) in steps.iter().enumerate() {
        run.step(step).map_err(|e| TestCaseError::fail(format!("step {i}: {e}")))?;
    }
    run.finish().map_err(|e| TestCaseError::fail(format!("at the end: {e}")))
}

/// So many cases, unless the environment says otherwise.
fn cases(default: u32) -> Config {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    Config {
        cases: number("PROPTEST_CASES").unwrap_or(default),
        max_shrink_iters: number("PROPTEST_MAX_SHRINK_ITERS").unwrap_or(20_000),
        // What was found becomes a test of its own in `model_found.rs`.
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(cases(400))]

    /// Many short lives, and few long ones.
    #[test]
    fn short_lives(steps in steps(1..40)) {
        run(&steps)?;
    }
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn long_lives(steps in steps(100..250)) {
        run(&steps)?;
    }
}

proptest! {
    #![proptest_config(cases(12))]

    /// Values so large that an image has several chunks, between which other things happen.
    #[test]
    fn large_values(mut steps in steps(30..80)) {
        for step in &mut steps {
            if let Step::Apply(Op::Put(r), _) = step && !r.value.is_empty() {
                r.value = Bytes::from(vec![r.value[0]; 300_000 + r.value.len()]);
            }
        }
        run(&steps)?;
    }
}
