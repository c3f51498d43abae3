//! One seed in detail, as text.

use std::io::{self, Write};

use kvorum_sim::timeline::Moment;
use kvorum_sim::{Run, RunOptions};

use super::args::replay_line;
use super::summary::SOMETIMES;

/// Prints a run: its plan, its timeline if it was kept, its counts, and its verdict last.
pub(crate) fn print(out: &mut dyn Write, run: &Run, options: &RunOptions) -> io::Result<()> {
    let (faults, simulated) = (options.duration.as_secs_f64(), run.simulated.as_secs_f64());
    writeln!(
        out,
        "seed {}: {} node{}, {faults} s of faults, {simulated:.3} s simulated",
        run.seed,
        run.nodes,
        if run.nodes == 1 { "" } else { "s" }
    )?;
    writeln!(out, "\nplan")?;
    print_faults(out, run, options, true)?;
    if !run.timeline.moments().is_empty() {
        writeln!(out, "\ntimeline")?;
        print_timeline(out, run.timeline.moments())?;
    }
    let (sometimes, plain): (Vec<_>, Vec<_>) = run.counts.iter().partition(|(n, _)| n.starts_with(SOMETIMES));
    for (title, counts) in [("counts", plain), ("sometimes", sometimes)] {
        if !counts.is_empty() {
            writeln!(out, "\n{title}")?;
        }
        for (name, count) in counts {
            writeln!(out, "  {:<34} {count:>11}", name.trim_start_matches(SOMETIMES))?;
        }
    }
    writeln!(out, "\ntrace  {}", run.trace)?;
    print_verdict(out, run, options)
}

/// Prints the faults of a plan, with their numbers.
pub(crate) fn print_faults(
    out: &mut dyn Write,
    run: &Run,
    options: &RunOptions,
    left_out_too: bool,
) -> io::Result<()> {
    let kept = |number: &usize| left_out_too || options.keeps(*number);
    let numbers: Vec<usize> = (0..run.faults.len()).filter(kept).collect();
    if numbers.is_empty() {
        writeln!(out, "  no faults")?;
    }
    for number in numbers {
        let left_out = if options.keeps(number) { "" } else { "(left out) " };
        writeln!(out, "  {number:>4}  {left_out}{}", run.faults[number])?;
    }
    Ok(())
}

/// Prints what was promised and what was seen, and how to see it again.
pub(crate) fn print_verdict(out: &mut dyn Write, run: &Run, options: &RunOptions) -> io::Result<()> {
    let Some(violation) = &run.violation else { return writeln!(out, "\nevery promise was kept") };
    writeln!(out, "\n{violation}")?;
    writeln!(out, "  replay:   {}", replay_line(run.seed, options, run.faults.len()))
}

fn print_timeline(out: &mut dyn Write, moments: &[Moment]) -> io::Result<()> {
    moments.iter().try_for_each(|moment| writeln!(out, "{moment}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_aligned() {
        let run = kvorum_sim::report::demo(1);
        let mut out = Vec::new();
        print_timeline(&mut out, run.timeline.moments()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let first: Vec<&str> = text.lines().take(3).collect();
        assert_eq!(
            first,
            [
                "     0.000000  node 1      started",
                "     0.001000  node 2      started",
                "     0.002000  node 3      started"
            ]
        );
    }
}
