//! `shrink`: the least of a failing seed that still fails in the same way.

use std::io::{self, Write};
use std::time::Duration;

use kvorum_sim::RunOptions;
use kvorum_sim::shrink::shrink;
use lexopt::prelude::*;

use super::{End, Stop, args, help, replay, seed};

const HELP: &str = "\
Finds the least of a failing seed that still breaks a promise of the same checker: first less time, then
fewer faults. Prints what is left, and the line that replays it. Ends with 0 if the seed does not fail.

Usage: kvorum-sim shrink --seed S [OPTIONS]

Options:
      --seed S         the seed
";

const EXAMPLES: &str = "
Examples:
  kvorum-sim shrink --seed 1667
  kvorum-sim shrink --seed 1667 --seconds 20 --only 3,7-9      goes on from what is known already
";

/// `shrink`.
pub(crate) fn command(parser: &mut lexopt::Parser) -> Result<End, Stop> {
    let (mut number, mut options) = (None, RunOptions::default());
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => return help(&format!("{HELP}{}{EXAMPLES}", args::HELP)),
            Long("seed") => number = Some(args::value(parser, "seed")?),
            Long(name) => {
                let name = name.to_string();
                if !args::take(&name, parser, &mut options)? {
                    return Err(Stop::Usage(format!("`shrink` knows no --{name}")));
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    make_small(number.ok_or_else(|| Stop::usage("`shrink` takes --seed S"))?, &options)
}

fn make_small(number: u64, options: &RunOptions) -> Result<End, Stop> {
    seed::silence_panics();
    let mut out = io::stdout().lock();
    let whole = seed::run(number, options);
    args::check_faults(options, whole.faults.len())?;
    let Some(violation) = &whole.violation else {
        writeln!(out, "seed {number} breaks no promise in {} s", options.duration.as_secs_f64())?;
        return Ok(End::Well);
    };
    eprintln!("{violation}\nshrinking {} faults", whole.faults.len());
    let run = |smaller: &RunOptions| seed::run(number, smaller).violation.map(|violation| violation.checker);
    let tell = &mut |line: &str| eprintln!("  {line}");
    let at = Duration::from_nanos(violation.at.as_nanos());
    let small = shrink(options, whole.faults.len(), at, violation.checker, &run, tell);
    let least = seed::run(number, &small.options);
    writeln!(out, "seed {number}, after {} runs: the faults that are left", small.runs)?;
    replay::print_faults(&mut out, &least, &small.options, false)?;
    replay::print_verdict(&mut out, &least, &small.options)?;
    Ok(End::Broken)
}
