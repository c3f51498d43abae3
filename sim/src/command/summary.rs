//! What many seeds came to.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use kvorum_sim::Run;

/// From this many seeds on, each of the things that must sometimes happen must have happened.
pub(crate) const ENOUGH: u64 = 1000;

/// How the names of those things begin among a run's counts.
pub(crate) const SOMETIMES: &str = "sometimes/";

/// What seeds came to, added up.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) seeds: u64,
    pub(crate) violations: u64,
    pub(crate) simulated: Duration,
    /// How often, and in how many seeds.
    counts: BTreeMap<&'static str, (u64, u64)>,
}

impl Summary {
    pub(crate) fn add(&mut self, run: &Run) {
        self.seeds += 1;
        self.violations += u64::from(run.violation.is_some());
        self.simulated += run.simulated;
        for (name, count) in &run.counts {
            let (sum, seeds) = self.counts.entry(name).or_default();
            *sum += count;
            *seeds += u64::from(*count > 0);
        }
    }

    /// What should have happened and never did: known only after many seeds.
    pub(crate) fn never(&self, sometimes: &[&'static str]) -> Vec<&'static str> {
        let happened = |name: &&&str| self.counts.get(**name).is_some_and(|(sum, _)| *sum > 0);
        let missing = sometimes.iter().filter(|name| self.seeds >= ENOUGH && !happened(name));
        missing.copied().collect()
    }

    /// Simulated hours per hour of a processor.
    pub(crate) fn speed(&self, cpu: Duration) -> f64 {
        self.simulated.as_secs_f64() / cpu.as_secs_f64().max(1e-9)
    }

    /// Prints it, with the things that must sometimes happen.
    pub(crate) fn print(
        &self,
        out: &mut dyn Write,
        wall: Duration,
        cpu: Option<Duration>,
        sometimes: &[&'static str],
    ) -> io::Result<()> {
        let rate = self.seeds as f64 / wall.as_secs_f64().max(1e-9);
        writeln!(out, "{} seeds, {} with a violation", self.seeds, self.violations)?;
        writeln!(out, "  wall time  {:>10.1} s, {rate:.1} seeds per second", wall.as_secs_f64())?;
        let hours = self.simulated.as_secs_f64() / 3600.0;
        match cpu {
            Some(cpu) => {
                writeln!(out, "  CPU time   {:>10.1} s", cpu.as_secs_f64())?;
                writeln!(out, "  simulated  {hours:>10.2} h, {:.0} hours per CPU hour", self.speed(cpu))?;
            }
            None => writeln!(out, "  simulated  {hours:>10.2} h")?,
        }
        let plain = self.counts.iter().filter(|(name, _)| !name.starts_with(SOMETIMES));
        writeln!(out, "\ncounts {:>41} {:>9}", "times", "in seeds")?;
        for (name, (sum, seeds)) in plain {
            writeln!(out, "  {name:<34} {sum:>11} {seeds:>9}")?;
        }
        self.print_sometimes(out, sometimes)
    }

    fn print_sometimes(&self, out: &mut dyn Write, sometimes: &[&'static str]) -> io::Result<()> {
        let counted = self.counts.keys().filter(|name| name.starts_with(SOMETIMES));
        let of = |name: &&'static str| (*name, self.counts.get(name).copied().unwrap_or_default());
        let all: BTreeMap<&str, (u64, u64)> = sometimes.iter().chain(counted).map(of).collect();
        if !all.is_empty() {
            writeln!(out, "\nsometimes {:>38} {:>9}", "times", "in seeds")?;
        }
        for (name, (sum, seeds)) in all {
            let never = if sum == 0 { "  never" } else { "" };
            let name = name.trim_start_matches(SOMETIMES);
            writeln!(out, "  {name:<34} {sum:>11} {seeds:>9}{never}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seeds: u64, counts: &[(&'static str, u64)]) -> Summary {
        let mut summary = Summary::default();
        for _ in 0..seeds {
            let counts = counts.iter().copied().collect();
            summary.add(&Run { simulated: Duration::from_secs(60), counts, ..Run::default() });
        }
        summary
    }

    #[test]
    fn what_never_happened_is_named_after_a_thousand_seeds() {
        let counts = [("sometimes/a", 2), ("sometimes/b", 0)];
        let wanted = ["sometimes/a", "sometimes/b", "sometimes/c"];
        assert_eq!(after(1000, &counts).never(&wanted), ["sometimes/b", "sometimes/c"]);
        assert!(after(999, &counts).never(&wanted).is_empty());
    }

    #[test]
    fn a_summary_tells_how_often_and_in_how_many_seeds() {
        let mut out = Vec::new();
        let summary = after(120, &[("crashes", 3), ("sometimes/split vote", 1), ("kill", 2)]);
        let wanted = ["sometimes/split vote", "sometimes/torn tail", "kill"];
        let (wall, cpu) = (Duration::from_secs(10), Some(Duration::from_secs(20)));
        summary.print(&mut out, wall, cpu, &wanted).unwrap();
        let text = String::from_utf8(out).unwrap();
        let words = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = text.lines().map(words).collect();
        for line in [
            "120 seeds, 0 with a violation",
            "simulated 2.00 h, 360 hours per CPU hour",
            "crashes 360 120",
            "split vote 120 120",
            "torn tail 0 0 never",
        ] {
            assert!(lines.iter().any(|found| found == line), "{line}\n{text}");
        }
        assert_eq!(lines.iter().filter(|line| **line == "kill 240 120").count(), 2, "{text}");
    }
}
