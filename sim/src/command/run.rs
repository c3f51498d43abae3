//! `run`: many seeds, or one again.

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

use kvorum_sim::{Run, RunOptions, SOMETIMES};
use lexopt::prelude::*;

use super::args::{self, replay_line};
use super::batch::{Batch, Watcher};
use super::summary::Summary;
use super::{End, Stop, cpu, help, replay, seed};

const HELP: &str = "\
Runs seeds over threads until the first violation, or one seed again, bit for bit.

Usage: kvorum-sim run --seeds N [OPTIONS]
       kvorum-sim run --seed S [OPTIONS]

Options:
      --seeds N        run this many seeds
      --from S         the first of them [0]
      --jobs J         threads [as many as there are processors]
      --keep-going     go on after a violation, and list all at the end
      --seed S         run this seed, and tell its plan, its counts and its verdict
      --trace          with --seed: print the timeline
      --sample-determinism
                       run one seed in a hundred twice (with --seed: this one) and compare
      --json           print one line of JSON per seed, in the order of the seeds
";

const EXAMPLES: &str = "
Examples:
  kvorum-sim run --seeds 1000                          as before a commit
  kvorum-sim run --seeds 100000 --from 5000 --keep-going --sample-determinism
  kvorum-sim run --seed 1667                           replay
  kvorum-sim run --seed 1667 --trace | less
  kvorum-sim run --seed 1667 --without 3,7-9           the same without some of its faults

1000 seeds or more also fail if something that must sometimes happen never did.
";

struct Asked {
    seed: Option<u64>,
    seeds: Option<u64>,
    from: Option<u64>,
    jobs: Option<usize>,
    keep_going: bool,
    sample: bool,
    json: bool,
    trace: bool,
    options: RunOptions,
}

fn parse(parser: &mut lexopt::Parser) -> Result<Option<Asked>, Stop> {
    let mut asked = Asked {
        seed: None,
        seeds: None,
        from: None,
        jobs: None,
        keep_going: false,
        sample: false,
        json: false,
        trace: false,
        options: RunOptions::default(),
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => return Ok(None),
            Long("seed") => asked.seed = Some(args::value(parser, "seed")?),
            Long("seeds") => asked.seeds = Some(args::value(parser, "seeds")?),
            Long("from") => asked.from = Some(args::value(parser, "from")?),
            Long("jobs") => asked.jobs = Some(args::value(parser, "jobs")?),
            Long("keep-going") => asked.keep_going = true,
            Long("sample-determinism") => asked.sample = true,
            Long("json") => asked.json = true,
            Long("trace") => asked.trace = true,
            Long(name) => {
                let name = name.to_string();
                if !args::take(&name, parser, &mut asked.options)? {
                    return Err(Stop::Usage(format!("`run` knows no --{name}")));
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if asked.seed.is_some() == asked.seeds.is_some() {
        return Err(Stop::usage("`run` takes either --seeds N or --seed S"));
    }
    if asked.jobs == Some(0) || asked.seeds == Some(0) {
        return Err(Stop::usage("--jobs and --seeds are at least 1"));
    }
    if asked.from.unwrap_or(0).checked_add(asked.seeds.unwrap_or(0)).is_none() {
        return Err(Stop::usage("there are not that many seeds"));
    }
    if asked.seed.is_some() && (asked.from.is_some() || asked.jobs.is_some() || asked.keep_going) {
        return Err(Stop::usage("--from, --jobs and --keep-going go with --seeds"));
    }
    if asked.trace && asked.seed.is_none() {
        return Err(Stop::usage("--trace goes with --seed"));
    }
    Ok(Some(asked))
}

/// `run`.
pub(crate) fn command(parser: &mut lexopt::Parser) -> Result<End, Stop> {
    let Some(asked) = parse(parser)? else {
        return help(&format!("{HELP}{}{EXAMPLES}", args::HELP));
    };
    match asked.seed {
        Some(seed) => one(seed, asked),
        None => many(asked),
    }
}

fn one(number: u64, asked: Asked) -> Result<End, Stop> {
    let options = RunOptions { timeline: asked.trace, ..asked.options };
    let run = if asked.sample { seed::run_twice } else { seed::run }(number, &options);
    args::check_faults(&options, run.faults.len())?;
    let mut out = io::stdout().lock();
    if asked.json {
        writeln!(out, "{}", run.json())?;
    } else {
        replay::print(&mut out, &run, &options)?;
    }
    Ok(if run.violation.is_some() { End::Broken } else { End::Well })
}

fn many(asked: Asked) -> Result<End, Stop> {
    seed::silence_panics();
    let options = asked.options.clone();
    let mut told = Told {
        seeds: asked.seeds.unwrap_or_default(),
        json: asked.json,
        sample: asked.sample,
        options: &options,
        since: Instant::now(),
        ticks: 0,
        summary: Summary::default(),
        broken: Vec::new(),
    };
    let batch = Batch {
        from: asked.from.unwrap_or(0),
        seeds: told.seeds,
        jobs: asked.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
        keep_going: asked.keep_going,
        sample: asked.sample,
        run: &|number, twice| if twice { seed::run_twice } else { seed::run }(number, &asked.options),
    };
    batch.run(&mut told)?;
    // Whoever reads lines of JSON wants nothing else there.
    if asked.json { told.finish(&mut io::stderr().lock()) } else { told.finish(&mut io::stdout().lock()) }
}

/// Tells how a batch goes.
struct Told<'a> {
    seeds: u64,
    json: bool,
    sample: bool,
    options: &'a RunOptions,
    since: Instant,
    ticks: u64,
    summary: Summary,
    broken: Vec<Run>,
}

impl Watcher for Told<'_> {
    fn done(&mut self, run: &Run) -> Result<(), Stop> {
        self.summary.add(run);
        if self.json {
            writeln!(io::stdout(), "{}", run.json())?;
        }
        if run.violation.is_some() {
            self.broken.push(run.clone());
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Stop> {
        self.ticks += 1;
        let is_terminal = io::stderr().is_terminal();
        // A log that nobody watches need not grow with every second of an hour.
        if !is_terminal && self.ticks > 10 && !self.ticks.is_multiple_of(10) {
            return Ok(());
        }
        let (done, seconds) = (self.summary.seeds, self.since.elapsed().as_secs_f64());
        let speed = cpu::used().map_or(0.0, |cpu| self.summary.speed(cpu));
        let line = format!(
            "{done} of {} seeds, {:.1} seeds/s, {speed:.0} simulated hours per CPU hour, {} violations",
            self.seeds,
            done as f64 / seconds,
            self.summary.violations
        );
        if is_terminal {
            eprint!("\r\x1b[K{line}")
        } else {
            eprintln!("{line}")
        }
        Ok(())
    }
}

impl Told<'_> {
    fn finish(&self, out: &mut dyn Write) -> Result<End, Stop> {
        if self.ticks > 0 && io::stderr().is_terminal() {
            eprintln!();
        }
        let wall: Duration = self.since.elapsed();
        self.summary.print(out, wall, cpu::used(), SOMETIMES)?;
        for run in &self.broken {
            self.print_broken(out, run)?;
        }
        let never = self.summary.never(SOMETIMES);
        for name in &never {
            writeln!(out, "\nnever happened in {} seeds: {name}", self.summary.seeds)?;
        }
        Ok(if self.broken.is_empty() && never.is_empty() { End::Well } else { End::Broken })
    }

    fn print_broken(&self, out: &mut dyn Write, run: &Run) -> io::Result<()> {
        let Some(violation) = &run.violation else { return Ok(()) };
        let again = replay_line(run.seed, self.options, run.faults.len());
        let twice = if self.sample && violation.checker == kvorum_sim::Checker::Determinism {
            " --sample-determinism"
        } else {
            ""
        };
        writeln!(out, "\nseed {}: {violation}\n  replay:   {again}{twice}", run.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_told_with_the_line_that_replays_it() {
        let options = RunOptions { without: [8].into(), ..RunOptions::default() };
        let (summary, broken) = (Summary::default(), Vec::new());
        let since = Instant::now();
        let mut told = Told {
            seeds: 1,
            json: false,
            sample: false,
            options: &options,
            since,
            ticks: 0,
            summary,
            broken,
        };
        told.done(&kvorum_sim::report::demo(2)).unwrap();
        let mut out = Vec::new();
        assert_eq!(told.finish(&mut out).unwrap(), End::Broken);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\nseed 2: violation at 41.327561 s, seen by the history checker"), "{text}");
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "  replay:   cargo run --release -p kvorum-sim -- run --seed 2 --seconds 60 --without 8"
        );
    }
}
