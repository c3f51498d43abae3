//! A seed on a thread of its own: a used thread remembers what a fresh one does not.

use std::thread;

use kvorum_sim::{Checker, Run, RunOptions, Violation, rehearse};

const NAME: &str = "seed ";

/// Runs a seed on a fresh thread.
pub(crate) fn run(seed: u64, options: &RunOptions) -> Run {
    let options = options.clone();
    let thread = thread::Builder::new().name(format!("{NAME}{seed}"));
    let running = thread.spawn(move || rehearse(seed, &options)).expect("the system has room for a thread");
    running.join().unwrap_or_else(|_| {
        // The rehearsal catches what its nodes do: this is a bug of its own.
        let violation = Violation::new(Checker::Panic, "the rehearsal itself never panics", "it did");
        Run { seed, violation: Some(violation), ..Run::default() }
    })
}

/// Runs a seed twice, and finds fault with any difference.
pub(crate) fn run_twice(seed: u64, options: &RunOptions) -> Run {
    run(seed, options).compared_with(&run(seed, options))
}

/// From now on a seed's panic prints nothing: it is told as a violation, and its replay prints it.
pub(crate) fn silence_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !thread::current().name().is_some_and(|name| name.starts_with(NAME)) {
            usual(panic);
        }
    }));
}
