//! One seed in detail, as text.

use std::io::{self, Write};

use kvorum_core::Time;
use kvorum_core::node::Role;
use kvorum_sim::timeline::{Lane, Moment, Told, What};
use kvorum_sim::{Run, RunOptions};

use super::args::replay_line;
use super::summary::SOMETIMES;

/// Prints a run: its plan, its timeline if it was kept, its counts, and its verdict last.
pub(crate) fn print(out: &mut dyn Write, run: &Run, options: &RunOptions) -> io::Result<()> {
    let (faults, simulated) = (options.duration.as_secs_f64(), run.simulated.as_secs_f64());
    writeln!(
        out,
        "seed {}: {} nodes, {faults} s of faults, {simulated:.3} s simulated",
        run.seed, run.nodes
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
    let width = moments.iter().map(|moment| lane(&moment.lane).chars().count()).max().unwrap_or(0);
    for moment in moments {
        let (at, lane) = (clock(moment.at), lane(&moment.lane));
        writeln!(out, "{at}  {lane:<width$}  {}", what(&moment.what))?;
    }
    Ok(())
}

/// Seconds, with the microseconds.
fn clock(at: Time) -> String {
    let micros = at.as_nanos() / 1000;
    format!("{:>6}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn lane(lane: &Lane) -> String {
    match lane {
        Lane::Node(id) => format!("node {id}"),
        Lane::Client(name) => name.clone(),
        Lane::World => "world".into(),
    }
}

fn what(what: &What) -> String {
    match what {
        What::Started => "started".into(),
        What::Ended(how) => format!("ended: {how}"),
        What::Role(role, term) => {
            let role = match role {
                Role::Follower => "follower",
                Role::Candidate => "candidate",
                Role::Leader => "leader",
                Role::Ended => "ended",
            };
            format!("{role} in term {term}")
        }
        What::Halted(why) => format!("HALTED: {why}"),
        What::Commit(index, revision) => format!("commit {index}, revision {revision}"),
        What::Fault(number, words) => format!("fault {number}: {words}"),
        What::Over(number) => format!("fault {number} is over"),
        What::Healed => "the network heals".into(),
        What::Paused => "paused".into(),
        What::Resumed => "goes on".into(),
        What::Call(number, asked) => format!("#{number} → {asked}"),
        What::Return(number, told, answer) => {
            let told = match told {
                Told::Done => "done",
                Told::Refused => "refused",
                Told::Unknown => "outcome unknown",
            };
            format!("#{number} ← {told}: {answer}")
        }
        What::Note(words) => format!("note: {words}"),
        What::Violation(words) => format!("VIOLATION: {words}"),
    }
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
                "     0.000000  node 1    started",
                "     0.001000  node 2    started",
                "     0.002000  node 3    started"
            ]
        );
    }
}
