//! What the subcommands have in common: how a seed is to be run, and the line that runs it again.

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

/// The line to paste that replays a seed.
pub(crate) fn replay_line(seed: u64, options: &RunOptions, faults: usize) -> String {
    format!("cargo run --release -p kvorum-sim -- run {}", options.arguments(seed, faults))
}
