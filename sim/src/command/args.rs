//! What the subcommands have in common: how a seed is to be run, and the line that runs it again.

use std::fmt;
use std::str::FromStr;

use kvorum_sim::RunOptions;
use lexopt::ValueExt;

use super::Stop;

/// The options that say how a seed is run; to be printed in each command's help.
pub(crate) const HELP: &str =
    "      --seconds T      how long faults and clients go on, in simulated seconds [60]
      --nodes N        nodes, instead of what the seed says
      --without LIST   leave out these faults of the plan: numbers and ranges, as in 3,7-9
      --only LIST      leave out all other faults
";

/// Takes an option that says how a seed is run. Whether it was one.
pub(crate) fn take(name: &str, parser: &mut lexopt::Parser, options: &mut RunOptions) -> Result<bool, Stop> {
    if !RunOptions::ARGUMENTS.contains(&name) {
        return Ok(false);
    }
    let value = parser.value()?.string()?;
    options.take_argument(name, &value).map_err(Stop::usage)
}

/// The value of an option that takes a number.
pub(crate) fn value<T: FromStr<Err: fmt::Display>>(
    parser: &mut lexopt::Parser,
    name: &str,
) -> Result<T, Stop> {
    let text = parser.value()?.string()?;
    text.parse().map_err(|why| Stop::Usage(format!("--{name} {text}: {why}")))
}

/// Whether all faults that were named are in the plan of the seed, which has so many.
pub(crate) fn check_faults(options: &RunOptions, faults: usize) -> Result<(), Stop> {
    let named = options.without.iter().chain(options.only.iter().flatten());
    match named.max().filter(|number| **number >= faults) {
        Some(number) => {
            Err(Stop::Usage(format!("this seed's plan has {faults} faults, from 0: there is no {number}")))
        }
        None => Ok(()),
    }
}

/// The line to paste that replays a seed.
pub(crate) fn replay_line(seed: u64, options: &RunOptions, faults: usize) -> String {
    format!("cargo run --release -p kvorum-sim -- run {}", options.arguments(seed, faults))
}
