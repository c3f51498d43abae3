//! How a seed is to be run as arguments of a command: what is printed beside a violation, and read again.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::run::RunOptions;

/// The longest a seed may run, in seconds.
const LONGEST: f64 = crate::plan::LONGEST.as_secs() as f64;

impl RunOptions {
    /// What [`RunOptions::take_argument`] knows.
    pub const ARGUMENTS: [&str; 4] = ["seconds", "nodes", "without", "only"];

    /// The arguments that run a seed of `faults` faults ([`crate::Run::faults`]) again as these options say, naming those
    /// that are left out or those that are not, whichever is shorter. A command that takes `--seed` and hands the rest to
    /// [`RunOptions::take_argument`] understands them; [`crate::Rehearsal::replay_by`] prints them.
    ///
    /// ```
    /// use kvorum_sim::RunOptions;
    ///
    /// let mut least = RunOptions { only: Some([3, 7].into()), ..RunOptions::default() };
    /// least.duration = std::time::Duration::from_millis(4_100);
    /// assert_eq!(least.arguments(12, 20), "--seed 12 --seconds 4.1 --only 3,7");
    ///
    /// let mut again = RunOptions::default();
    /// assert_eq!(again.take_argument("seconds", "4.1"), Ok(true));
    /// assert_eq!(again.take_argument("only", "3,7"), Ok(true));
    /// assert_eq!(again, least);
    /// ```
    pub fn arguments(&self, seed: u64, faults: usize) -> String {
        let mut words = format!("--seed {seed} --seconds {}", self.duration.as_secs_f64());
        if let Some(nodes) = self.nodes {
            words += &format!(" --nodes {nodes}");
        }
        let (kept, left_out): (Vec<usize>, Vec<usize>) = (0..faults).partition(|number| self.keeps(*number));
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

    /// Takes the value of one of these arguments, named without its hyphens. `false`: it is none of them.
    ///
    /// # Errors
    ///
    /// What is wrong with the value.
    pub fn take_argument(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            "seconds" => self.duration = seconds(value)?,
            "nodes" => match value.parse() {
                Ok(nodes) if (1..=9).contains(&nodes) => self.nodes = Some(nodes),
                _ => return Err("--nodes takes 1 to 9".into()),
            },
            "without" => self.without = numbers(name, value)?,
            "only" => self.only = Some(numbers(name, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=LONGEST).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("--seconds: seconds are a number from 0 to {LONGEST}")),
    }
}

/// `3,7-9` is 3, 7, 8 and 9.
fn numbers(name: &str, text: &str) -> Result<BTreeSet<usize>, String> {
    let mut all = BTreeSet::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        match (low.trim().parse::<usize>(), high.trim().parse::<usize>()) {
            (Ok(low), Ok(high)) if low <= high && high < 100_000 => all.extend(low..=high),
            _ => {
                return Err(format!(
                    "--{name}: `{part}` is neither a number below 100000 nor a range of such, as 7-9"
                ));
            }
        }
    }
    Ok(all)
}

/// The opposite of [`numbers`], as short as it goes.
fn ranges(numbers: impl IntoIterator<Item = usize>) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        for text in ["", "0", "3,7-9", "0-2,4,6-100"] {
            assert_eq!(ranges(numbers("only", text).unwrap()), text);
        }
        assert_eq!(ranges(numbers("only", "9,1-3,2-4,").unwrap()), "1-4,9");
        for text in ["x", "3-1", "-", "1-", "1;2", "0-99999999999", "-1"] {
            assert!(numbers("only", text).is_err(), "{text}");
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
        assert_eq!(options.arguments(5, 20), "--seed 5 --seconds 4.1");
        options.only = Some([3, 7].into());
        assert_eq!(options.arguments(5, 20), "--seed 5 --seconds 4.1 --only 3,7");
        options.only = Some((1..20).collect());
        options.nodes = Some(3);
        assert_eq!(options.arguments(5, 20), "--seed 5 --seconds 4.1 --nodes 3 --without 0");
        options.only = Some([].into());
        assert_eq!(options.arguments(5, 20), "--seed 5 --seconds 4.1 --nodes 3 --without 0-19");
    }

    #[test]
    fn what_is_printed_is_read_again() {
        let all = [
            RunOptions { duration: Duration::from_millis(12_400), nodes: Some(5), ..RunOptions::default() },
            RunOptions { without: [0, 3, 4, 5].into(), ..RunOptions::default() },
            RunOptions { only: Some([3].into()), ..RunOptions::default() },
            RunOptions { only: Some([].into()), ..RunOptions::default() },
        ];
        for options in all {
            let (line, mut read) = (options.arguments(7, 30), RunOptions::default());
            let words: Vec<&str> = line.split(' ').collect();
            for pair in words.chunks(2) {
                let is_known = read.take_argument(pair[0].trim_start_matches('-'), pair[1]);
                assert_eq!(is_known, Ok(pair[0] != "--seed"), "{line}");
            }
            let same = |number| read.keeps(number) == options.keeps(number);
            assert!(
                (0..30).all(same) && read.duration == options.duration && read.nodes == options.nodes,
                "{line}"
            );
        }
        let mut options = RunOptions::default();
        for (name, value) in [("nodes", "0"), ("nodes", "10"), ("seconds", "-1"), ("only", "x")] {
            assert!(options.take_argument(name, value).is_err(), "{name} {value}");
        }
    }
}
