//! The least of a run that still breaks the same promise: first less time, then fewer faults.
//!
//! Everything is decided by running again. It knows neither what a fault is nor how a seed is run, so it
//! is tried out on made-up runners.

use std::collections::BTreeSet;
use std::time::Duration;

use kvorum_core::Time;

use crate::{Checker, Run, RunOptions};

/// A run's length is cut to a multiple of this.
const STEP: Duration = Duration::from_millis(100);

/// What is left of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// How to run it: its length, and in `only` the faults that are left.
    pub options: RunOptions,
    /// How often something was run to find out.
    pub runs: usize,
}

/// Makes a run that breaks a promise smaller, as long as the same checker sees it.
///
/// `start` is known to fail by `checker`, at `at`; its plan has `faults` faults. `run` says who finds fault
/// with a run. `tell` hears of every step forward.
///
/// A plan must be the beginning of the same seed's plan for a longer time; where it is not, less is found,
/// but never anything that does not fail.
///
/// ```
/// use kvorum_sim::shrink::shrink;
/// use kvorum_sim::{Checker, RunOptions};
/// use std::time::Duration;
///
/// // Breaks in the fourth second, and only if faults 3 and 7 both strike.
/// let run = |options: &RunOptions| {
///     let fails = options.duration >= Duration::from_secs(4) && options.keeps(3) && options.keeps(7);
///     fails.then_some(Checker::History)
/// };
/// let start = RunOptions::default();
/// let least = shrink(&start, 20, Duration::from_secs(4), Checker::History, &run, &mut |_| {});
/// assert_eq!(least.options.duration, Duration::from_secs(4));
/// assert_eq!(least.options.only, Some([3, 7].into()));
/// ```
pub fn shrink(
    start: &RunOptions,
    faults: usize,
    at: Duration,
    checker: Checker,
    run: &dyn Fn(&RunOptions) -> Option<Checker>,
    tell: &mut dyn FnMut(&str),
) -> Shrunk {
    let kept = (0..faults).filter(|number| start.keeps(*number)).collect();
    let without = BTreeSet::new();
    let best = RunOptions { only: Some(kept), without, timeline: false, trace: false, ..start.clone() };
    let mut search = Search { best, checker, run, tell, runs: 0 };
    search.cut_time(at);
    search.leave_out_faults();
    // With fewer faults it may break earlier.
    search.cut_time(at);
    Shrunk { options: search.best, runs: search.runs }
}

/// The same for a run at hand. `again` runs its seed as it is told; `start` is how it was run.
///
/// Without a violation, nothing is made smaller.
pub fn least(run: &Run, start: &RunOptions, again: &dyn Fn(&RunOptions) -> Run) -> Shrunk {
    let Some(violation) = &run.violation else { return Shrunk { options: start.clone(), runs: 0 } };
    let who = |options: &RunOptions| again(options).violation.map(|violation| violation.checker);
    let at = violation.at.since(Time::ZERO);
    shrink(start, run.faults.len(), at, violation.checker, &who, &mut |_| {})
}

impl Shrunk {
    /// The faults that are left, in words.
    pub fn kept<'a>(&self, run: &'a Run) -> Vec<&'a str> {
        let faults = run.faults.iter().enumerate();
        faults.filter(|(number, _)| self.options.keeps(*number)).map(|(_, words)| words.as_str()).collect()
    }
}

struct Search<'a> {
    /// The smallest that is known to fail.
    best: RunOptions,
    checker: Checker,
    run: &'a dyn Fn(&RunOptions) -> Option<Checker>,
    tell: &'a mut dyn FnMut(&str),
    runs: usize,
}

impl Search<'_> {
    /// Takes `smaller` if the same checker finds fault with it.
    fn takes(&mut self, smaller: RunOptions) -> bool {
        self.runs += 1;
        let fails = (self.run)(&smaller) == Some(self.checker);
        if fails {
            self.best = smaller;
            let (seconds, faults) = (self.best.duration.as_secs_f64(), self.faults().len());
            (self.tell)(&format!("{} runs: {seconds:.1} s, {faults} faults", self.runs));
        }
        fails
    }

    fn faults(&self) -> Vec<usize> {
        self.best.only.iter().flatten().copied().collect()
    }

    fn takes_duration(&mut self, steps: u32) -> bool {
        let smaller = RunOptions { duration: STEP * steps, ..self.best.clone() };
        self.takes(smaller)
    }

    fn takes_faults(&mut self, kept: &[usize]) -> bool {
        let smaller = RunOptions { only: Some(kept.iter().copied().collect()), ..self.best.clone() };
        self.takes(smaller)
    }

    /// Halves the time between what is known to fail and what is known not to, beginning where the promise
    /// was seen broken: it seldom takes longer than that.
    fn cut_time(&mut self, at: Duration) {
        let steps = |time: Duration| time.as_millis().div_ceil(STEP.as_millis()) as u32;
        let (mut passes, mut fails) = (0, steps(self.best.duration));
        let guess = steps(at);
        if guess > 0 && guess < fails {
            if self.takes_duration(guess) { fails = guess } else { passes = guess }
        }
        while fails - passes > 1 {
            let middle = passes + (fails - passes) / 2;
            if self.takes_duration(middle) { fails = middle } else { passes = middle }
        }
    }

    /// Delta debugging (Zeller): leaves out halves, then quarters, … then one by one, until no single fault
    /// can be spared.
    fn leave_out_faults(&mut self) {
        let mut parts = 1;
        loop {
            let kept = self.faults();
            if kept.is_empty() {
                return;
            }
            let size = kept.len().div_ceil(parts);
            if self.spares_a_part(&kept, size) {
                // Fewer are left: parts of the same size are fewer, too.
                parts = (parts - 1).max(1);
            } else if size == 1 {
                return;
            } else {
                parts = (parts * 2).min(kept.len());
            }
        }
    }

    fn spares_a_part(&mut self, kept: &[usize], size: usize) -> bool {
        (0..kept.len()).step_by(size).any(|from| {
            let until = (from + size).min(kept.len());
            self.takes_faults(&[&kept[..from], &kept[until..]].concat())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn least(faults: usize, run: &dyn Fn(&RunOptions) -> Option<Checker>) -> (Duration, Vec<usize>, usize) {
        let mut heard = Vec::new();
        let tell = &mut |line: &str| heard.push(line.to_string());
        let shrunk = shrink(&RunOptions::default(), faults, MINUTE, Checker::History, run, tell);
        let only = shrunk.options.only.clone().unwrap();
        let same = RunOptions {
            duration: shrunk.options.duration,
            only: Some(only.clone()),
            ..RunOptions::default()
        };
        assert_eq!(shrunk.options, same, "nothing else is changed");
        (shrunk.options.duration, only.into_iter().collect(), shrunk.runs)
    }

    #[test]
    fn any_pair_of_faults_is_found_and_the_tenth_of_a_second() {
        for (a, b) in [(0, 1), (0, 39), (17, 18), (5, 33), (38, 39)] {
            let run = |options: &RunOptions| {
                let late = options.duration > Duration::from_millis(12_340);
                (late && options.keeps(a) && options.keeps(b)).then_some(Checker::History)
            };
            let (duration, only, runs) = least(40, &run);
            assert_eq!((duration, only), (Duration::from_millis(12_400), vec![a, b]));
            assert!(runs < 100, "{runs} runs for {a} and {b}");
        }
    }

    #[test]
    fn another_checkers_violation_is_another_bug() {
        let run =
            |options: &RunOptions| Some(if options.keeps(4) { Checker::History } else { Checker::Liveness });
        let (duration, only, _) = least(9, &run);
        assert_eq!((duration, only), (STEP, vec![4]));
    }

    #[test]
    fn what_needs_no_fault_is_left_with_none() {
        assert_eq!(least(300, &|_| Some(Checker::History)).1, Vec::<usize>::new());
        assert_eq!(least(0, &|_| Some(Checker::History)).1, Vec::<usize>::new());
    }

    #[test]
    fn what_was_left_out_already_stays_so() {
        let start = RunOptions { without: [2, 3].into(), ..RunOptions::default() };
        let run = |options: &RunOptions| {
            assert!(!options.keeps(2) && !options.keeps(3));
            (options.keeps(0) && options.keeps(5)).then_some(Checker::Watch)
        };
        let shrunk = shrink(&start, 6, MINUTE, Checker::Watch, &run, &mut |_| {});
        assert_eq!(shrunk.options.only, Some([0, 5].into()));
    }
}
