//! `report`: a seed's timeline as a page.

use std::path::PathBuf;

use kvorum_sim::{Run, RunOptions, report};
use lexopt::prelude::*;

use super::args::{self, replay_line};
use super::{End, Stop, help, seed};

const HELP: &str = "\
Draws a seed's timeline as one HTML page that needs nothing else. Ends with 0 whatever the verdict is.

Usage: kvorum-sim report --seed S -o FILE.html [OPTIONS]

Options:
      --seed S         the seed
  -o, --output FILE    where the page is to be written
";

const EXAMPLES: &str = "
Examples:
  kvorum-sim report --seed 1667 -o /tmp/1667.html
  kvorum-sim report --seed 1667 --seconds 4.1 --only 3,7 -o /tmp/1667.html     what `shrink` left of it
";

/// `report`.
pub(crate) fn command(parser: &mut lexopt::Parser) -> Result<End, Stop> {
    let (mut number, mut file, mut is_demo) = (None, None, false);
    let mut options = RunOptions { timeline: true, ..RunOptions::default() };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => return help(&format!("{HELP}{}{EXAMPLES}", args::HELP)),
            Long("seed") => number = Some(args::value(parser, "seed")?),
            Long("output") | Short('o') => file = Some(PathBuf::from(parser.value()?)),
            // A made-up run: for whoever works on the page itself.
            Long("demo") => is_demo = true,
            Long(name) => {
                let name = name.to_string();
                if !args::take(&name, parser, &mut options)? {
                    return Err(Stop::Usage(format!("`report` knows no --{name}")));
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let file = file.ok_or_else(|| Stop::usage("`report` takes -o FILE"))?;
    let number: u64 = number.ok_or_else(|| Stop::usage("`report` takes --seed S"))?;
    let run = if is_demo { report::demo(number) } else { seed::run(number, &options) };
    args::check_faults(&options, run.faults.len())?;
    write(&file, &run, &options)
}

fn write(file: &PathBuf, run: &Run, options: &RunOptions) -> Result<End, Stop> {
    let page = report::html(run, options, &replay_line(run.seed, options, run.faults.len()));
    std::fs::write(file, page).map_err(|error| Stop::trouble(format!("{}: {error}", file.display())))?;
    let verdict = run.violation.as_ref().map_or("every promise was kept".into(), ToString::to_string);
    println!("{}: seed {}, {} moments\n{verdict}", file.display(), run.seed, run.timeline.moments().len());
    Ok(End::Well)
}
