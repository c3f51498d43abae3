//! What is asked for, and the number that the process ends with.
//!
//! | file | topic |
//! | --- | --- |
//! | `args` | what the subcommands have in common, and the line that runs a seed again |
//! | `batch` | many seeds over threads |
//! | `summary` | what they came to |
//! | `replay` | one seed, in detail |
//! | `shrink`, `report` | a failing seed made small, and drawn |
//! | `planted` | bugs that must be found |
//! | `seed` | a seed on a thread of its own |
//! | `cpu` | processor time |

mod args;
mod batch;
mod cpu;
mod planted;
mod replay;
mod report;
mod run;
mod seed;
mod shrink;
mod summary;

use std::fmt;
use std::process::ExitCode;

use lexopt::prelude::*;

/// Why the command stops before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It was asked for something that there is not.
    Usage(String),
    /// Something that it needs failed.
    Trouble(String),
    /// Whoever read its output reads no more.
    Unread,
}

impl Stop {
    fn usage(words: impl fmt::Display) -> Stop {
        Stop::Usage(words.to_string())
    }

    fn trouble(words: impl fmt::Display) -> Stop {
        Stop::Trouble(words.to_string())
    }
}

impl From<lexopt::Error> for Stop {
    fn from(error: lexopt::Error) -> Stop {
        Stop::usage(error)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Stop {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Stop::Unread,
            _ => Stop::trouble(error),
        }
    }
}

/// Whether all was well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Well,
    Broken,
}

const HELP: &str = "\
Rehearses a kvorum cluster: real nodes on simulated disks, clocks and networks, decided by a seed.

Usage: kvorum-sim <COMMAND> [OPTIONS]        (cargo run --release -p kvorum-sim -- <COMMAND> …)

Commands:
  run       runs many seeds, or one seed again
  shrink    finds the least of a failing seed that still fails in the same way
  report    draws a seed's timeline as an HTML page
  planted   builds each planted bug and demands that it is found

`kvorum-sim <COMMAND> --help` tells the rest, with examples.

Ends with 0 if every promise was kept, with 1 if one was broken, with 2 if it could not do what it was
asked for.
";

/// Runs the command that the process was started with.
pub(crate) fn main() -> ExitCode {
    match dispatch() {
        Ok(End::Well) | Err(Stop::Unread) => ExitCode::SUCCESS,
        Ok(End::Broken) => ExitCode::from(1),
        Err(Stop::Usage(words)) => {
            eprintln!("kvorum-sim: {words}\nTry `kvorum-sim --help`.");
            ExitCode::from(2)
        }
        Err(Stop::Trouble(words)) => {
            eprintln!("kvorum-sim: {words}");
            ExitCode::from(2)
        }
    }
}

fn dispatch() -> Result<End, Stop> {
    check_planted()?;
    let mut parser = lexopt::Parser::from_env();
    match parser.next()? {
        Some(Value(name)) => match name.to_str() {
            Some("run") => run::command(&mut parser),
            Some("shrink") => shrink::command(&mut parser),
            Some("report") => report::command(&mut parser),
            Some("planted") => planted::command(&mut parser),
            _ => Err(Stop::Usage(format!("there is no command {name:?}"))),
        },
        Some(Long("help") | Short('h')) => help(HELP),
        Some(Long("version") | Short('V')) => help(concat!("kvorum-sim ", env!("CARGO_PKG_VERSION"), "\n")),
        Some(other) => Err(other.unexpected().into()),
        None => Err(Stop::usage("which command?")),
    }
}

/// A bug is planted only where it is built in: a run without it would be taken for one that does not find it.
fn check_planted() -> Result<(), Stop> {
    let Some(name) = std::env::var_os("KVORUM_PLANTED").filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    if !cfg!(planted = "any") {
        return Err(Stop::usage(
            "KVORUM_PLANTED is set, but no bug is built into this program: see `planted`",
        ));
    }
    match kvorum_sim::planted::PLANTS.iter().any(|plant| name == plant.name) {
        true => Ok(()),
        false => Err(Stop::Usage(format!("KVORUM_PLANTED: no bug is called {name:?}"))),
    }
}

/// Prints what was asked for by `--help`.
fn help(words: &str) -> Result<End, Stop> {
    use std::io::Write;
    std::io::stdout().write_all(words.as_bytes())?;
    Ok(End::Well)
}
