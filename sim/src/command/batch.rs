//! Many seeds over threads, told of in the order of the seeds: how many threads there are changes nothing
//! but the time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use kvorum_sim::Run;

use super::Stop;

/// Of this many seeds one is run twice.
const SAMPLE: u64 = 100;

/// The seeds, and how to run them.
pub(crate) struct Batch<'a> {
    pub(crate) from: u64,
    pub(crate) seeds: u64,
    pub(crate) jobs: usize,
    /// Go on after a violation.
    pub(crate) keep_going: bool,
    /// Run some seeds twice.
    pub(crate) sample: bool,
    /// Runs a seed, once or twice.
    pub(crate) run: &'a (dyn Fn(u64, bool) -> Run + Sync),
}

/// Whoever wants to know how it goes.
pub(crate) trait Watcher {
    /// A seed is done; those before it were told of before.
    fn done(&mut self, run: &Run) -> Result<(), Stop>;
    /// Some time went by.
    fn tick(&mut self) -> Result<(), Stop>;
}

impl Batch<'_> {
    /// Runs the seeds until the first violation, or all of them.
    pub(crate) fn run(&self, watcher: &mut dyn Watcher) -> Result<(), Stop> {
        let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let (sender, runs) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..self.jobs {
                let (sender, next, stop) = (sender.clone(), &next, &stop);
                scope.spawn(move || self.work(next, stop, &sender));
            }
            drop(sender);
            let told = self.tell(&runs, watcher);
            stop.store(true, Ordering::Relaxed);
            told
        })
    }

    /// Takes one seed after the other.
    fn work(&self, next: &AtomicU64, stop: &AtomicBool, sender: &mpsc::Sender<(u64, Run)>) {
        while !stop.load(Ordering::Relaxed) {
            let count = next.fetch_add(1, Ordering::Relaxed);
            if count >= self.seeds {
                return;
            }
            let number = self.from + count;
            let is_sample = self.sample && count.is_multiple_of(SAMPLE);
            let run = (self.run)(number, is_sample);
            if run.violation.is_some() && !self.keep_going {
                // Seeds before this one are under way: they are waited for, no others are begun.
                stop.store(true, Ordering::Relaxed);
            }
            if sender.send((count, run)).is_err() {
                return;
            }
        }
    }

    /// Hands on what was done in the order of the seeds.
    fn tell(&self, runs: &mpsc::Receiver<(u64, Run)>, watcher: &mut dyn Watcher) -> Result<(), Stop> {
        let (mut early, mut expected) = (BTreeMap::new(), 0);
        let mut tick = Instant::now() + Duration::from_secs(1);
        loop {
            let patience = tick.saturating_duration_since(Instant::now());
            match runs.recv_timeout(patience) {
                Ok((count, run)) => _ = early.insert(count, run),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    watcher.tick()?;
                    tick = Instant::now() + Duration::from_secs(1);
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while let Some(run) = early.remove(&expected) {
                expected += 1;
                watcher.done(&run)?;
                if run.violation.is_some() && !self.keep_going {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvorum_sim::{Checker, Violation};

    #[derive(Default)]
    struct Seen(Vec<u64>);

    impl Watcher for Seen {
        fn done(&mut self, run: &Run) -> Result<(), Stop> {
            self.0.push(run.seed);
            Ok(())
        }
        fn tick(&mut self) -> Result<(), Stop> {
            Ok(())
        }
    }

    /// Seeds from 30 on break; the earlier a seed, the longer it takes.
    fn breaks_from_30(seed: u64, _twice: bool) -> Run {
        thread::sleep(Duration::from_micros(100 * (60 - seed)));
        let violation = (seed >= 30).then(|| Violation::new(Checker::App, "", ""));
        Run { seed, violation, ..Run::default() }
    }

    fn told(jobs: usize, keep_going: bool) -> Vec<u64> {
        let mut seen = Seen::default();
        let batch = Batch { from: 20, seeds: 25, jobs, keep_going, sample: false, run: &breaks_from_30 };
        batch.run(&mut seen).unwrap();
        seen.0
    }

    #[test]
    fn however_many_threads_there_are_the_first_violation_is_the_same() {
        for jobs in [1, 2, 3, 16, 40] {
            assert_eq!(told(jobs, false), (20..=30).collect::<Vec<_>>(), "{jobs} threads");
            assert_eq!(told(jobs, true), (20..45).collect::<Vec<_>>(), "{jobs} threads");
        }
    }

    #[test]
    fn one_seed_in_a_hundred_is_a_sample() {
        let samples = parking_lot::Mutex::new(Vec::new());
        let run = |seed, is_sample| {
            if is_sample {
                samples.lock().push(seed);
            }
            Run { seed, ..Run::default() }
        };
        let batch = Batch { from: 7, seeds: 201, jobs: 1, keep_going: false, sample: true, run: &run };
        batch.run(&mut Seen::default()).unwrap();
        assert_eq!(*samples.lock(), [7, 107, 207]);
    }
}
