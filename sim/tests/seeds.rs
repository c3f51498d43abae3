//! Many seeds: all of a range, and what is said when the run itself panics.

use std::panic::catch_unwind;
use std::sync::Mutex;

use kvorum_sim::{Checker, Run, Violation, seeds};

#[test]
fn a_range_may_end_where_numbers_end() {
    let begun = Mutex::new(Vec::new());
    let found = seeds(u64::MAX - 2..u64::MAX, |seed| {
        begun.lock().unwrap().push(seed);
        assert!(begun.lock().unwrap().len() <= 2, "and no further");
        Run { seed, ..Run::default() }
    });
    assert_eq!(found.clean, 2);
    let mut begun = begun.into_inner().unwrap();
    begun.sort_unstable();
    assert_eq!(begun, [u64::MAX - 2, u64::MAX - 1]);
}

#[test]
fn a_run_that_panics_is_named_with_its_seed_and_its_words() {
    let result = catch_unwind(|| {
        seeds(0..100, |seed| {
            assert!(seed < 7, "no run for {seed}");
            Run { seed, ..Run::default() }
        })
    });
    let words = result.expect_err("it panics").downcast::<String>().expect("in words");
    assert_eq!(*words, "the run of seed 7 panicked: no run for 7");
}

#[test]
fn a_promise_that_is_broken_before_a_panic_is_told_of() {
    let found = seeds(0..100, |seed| {
        assert!(seed < 7, "no run for {seed}");
        let violation = (seed == 6).then(|| Violation::new(Checker::App, "all is well", "it is not"));
        Run { seed, violation, ..Run::default() }
    });
    assert_eq!((found.clean, found.broken.map(|run| run.seed)), (6, Some(6)));
}
