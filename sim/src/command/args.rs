//! What the subcommands have in common: how a seed is to be run, and the line that runs it again.

use std::collections::BTreeSet;
use std::time::Duration;

use kvorum_sim::RunOptions;
use lexopt::ValueExt;

use super::Stop;

/// The longest a seed may run: a day of simulated time.
const LONGEST: f64 = kvorum_sim::plan::LONGEST.as_secs() as f64;

/// The options that say how a seed is run; to be printed in each command's help.
pub(crate) const HELP: &str =
    "      --seconds T      how long faults and clients go on, in simulated seconds [60]
      --nodes N        nodes, instead of what the seed says
      --without LIST   leave out these faults of the plan: numbers and ranges, as in 3,7-9
      --only LIST      leave out all other faults
";

/// Takes an option that says how a seed is run. Whether it was one.
pub(crate) fn take(name: &str, parser: &mut lexopt::Parser, options: &mut RunOptions) -> Result<bool, Stop> {
    match name {
        "seconds" => options.duration = parser.value()?.parse_with(seconds)?,
        "nodes" => {
            let nodes = parser.value()?.parse()?;
            if !(1..=9).contains(&nodes) {
                return Err(Stop::usage("--nodes takes 1 to 9"));
            }
            options.nodes = Some(nodes);
        }
        "without" => options.without = parser.value()?.parse_with(numbers)?,
        "only" => options.only = Some(parser.value()?.parse_with(numbers)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=LONGEST).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("seconds are a number from 0 to {LONGEST}")),
    }
}

/// `3,7-9` is 3, 7, 8 and 9.
pub(crate) fn numbers(text: &str) -> Result<BTreeSet<usize>, String> {
    let mut all = BTreeSet::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        match (low.trim().parse::<usize>(), high.trim().parse::<usize>()) {
            (Ok(low), Ok(high)) if low <= high && high < 100_000 => all.extend(low..=high),
            _ => return Err(format!("`{part}` is neither a number nor a range of numbers")),
        }
    }
    Ok(all)
}

/// The opposite of [`numbers`], as short as it goes.
pub(crate) fn ranges(numbers: impl IntoIterator<Item = usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, high)) if *high + 1 == number => *high = number,
            _ => runs.push((number, number)),
        }
    }
    let words = runs.into_iter().map(|(low, high)| match high - low {
        0 => low.to_string(),
        _ => format!("{low}-{high}"),
    });
    words.collect::<Vec<_>>().join(",")
}

/// The arguments that run a seed of `faults` faults again, naming those that are left out or those that
/// are not, whichever is shorter.
pub(crate) fn again(seed: u64, options: &RunOptions, faults: usize) -> String {
    let mut words = format!("--seed {seed} --seconds {}", options.duration.as_secs_f64());
    if let Some(nodes) = options.nodes {
        words += &format!(" --nodes {nodes}");
    }
    let (kept, left_out): (Vec<usize>, Vec<usize>) = (0..faults).partition(|number| options.keeps(*number));
    if left_out.is_empty() {
        return words;
    }
    let (without, only) = (ranges(left_out), ranges(kept));
    if only.is_empty() || without.len() <= only.len() {
        words + &format!(" --without {without}")
    } else {
        words + &format!(" --only {only}")
    }
}

/// The line to paste that replays a seed.
pub(crate) fn replay_line(seed: u64, options: &RunOptions, faults: usize) -> String {
    format!("cargo run --release -p kvorum-sim -- run {}", again(seed, options, faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        for text in ["", "0", "3,7-9", "0-2,4,6-100"] {
            assert_eq!(ranges(numbers(text).unwrap()), text);
        }
        assert_eq!(ranges(numbers("9,1-3,2-4,").unwrap()), "1-4,9");
        for text in ["x", "3-1", "-", "1-", "1;2", "0-99999999999", "-1"] {
            assert!(numbers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(seconds("12.4"), Ok(Duration::from_millis(12_400)));
        for text in ["-1", "nan", "inf", "1e9", "a minute"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_shorter_list_is_named() {
        let mut options = RunOptions { duration: Duration::from_millis(4_100), ..RunOptions::default() };
        assert_eq!(again(5, &options, 20), "--seed 5 --seconds 4.1");
        options.only = Some([3, 7].into());
        assert_eq!(again(5, &options, 20), "--seed 5 --seconds 4.1 --only 3,7");
        options.only = Some((1..20).collect());
        options.nodes = Some(3);
        assert_eq!(again(5, &options, 20), "--seed 5 --seconds 4.1 --nodes 3 --without 0");
        options.only = Some([].into());
        assert_eq!(again(5, &options, 20), "--seed 5 --seconds 4.1 --nodes 3 --without 0-19");
    }
}
