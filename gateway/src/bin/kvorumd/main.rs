//! `kvorumd`: a member of a kvorum cluster as a server, for etcd's clients and with etcd's flags.
//!
//! This file reads the command line and decides what to do. The way up from there: `flags` (what was given),
//! `settings` (what it means), `start` (the node), `serve` (the gateway), `run` (the whole life), `close` (its end);
//! docs/KVORUMD.md is for whoever operates it.
#![forbid(unsafe_code)]

mod advice;
mod close;
mod cluster;
mod compaction;
mod directory;
mod disk;
mod etcds;
mod flags;
mod import;
mod imported;
mod kin;
mod log;
mod notify;
mod observe;
mod outputs;
mod prepare;
mod report;
mod roster;
mod run;
mod serve;
mod settings;
mod signals;
mod staging;
mod stamp;
mod start;
mod urls;
mod usage;
mod values;

use std::io::{self, Write};
use std::process::ExitCode;

use flags::parse::{Fault, parse};
use import::Failure;
use log::Log;

/// What Go's programs answer to a wrong command line.
const WRONG_USAGE: u8 = 2;

const HELP: &str = "kvorumd --help";

fn main() -> ExitCode {
    let Ok(words) = std::env::args_os().map(|word| word.into_string()).collect::<Result<Vec<_>, _>>() else {
        return wrong("an argument is not UTF-8", HELP);
    };
    let words = words.get(1..).unwrap_or_default();
    match words.first().map(String::as_str) {
        Some("version") => print(&usage::version()),
        Some("help") => print(&usage::help()),
        Some("import") => match import::import(&words[1..]) {
            Ok(said) => print(&said),
            Err(Failure::Line(Fault::Help)) => print(&usage::import_help()),
            Err(Failure::Line(Fault::Wrong(reason))) => wrong(&reason, "kvorumd import --help"),
            Err(Failure::Work(reason)) => {
                let _ = writeln!(io::stderr(), "{reason}");
                ExitCode::FAILURE
            }
        },
        Some(name @ ("gateway" | "grpc-proxy")) => {
            let reason = "is not supported by kvorumd: clients connect to the members themselves";
            wrong(&format!("'{name}' {reason}"), HELP)
        }
        _ => serve(words),
    }
}

fn serve(words: &[String]) -> ExitCode {
    match parse(words) {
        Err(Fault::Help) => print(&usage::help()),
        Err(Fault::Wrong(reason)) => wrong(&reason, HELP),
        Ok((given, _)) if given.bool("version") => print(&usage::version()),
        Ok((given, rest)) => match prepare::prepare(given, rest.first()) {
            Ok((settings, log)) => end(run::run(&settings, &log), &log),
            // It has been said in the log.
            Err(prepare::Refused) => ExitCode::FAILURE,
        },
    }
}

fn end(ended: Result<(), String>, log: &Log) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            log.fatal("kvorumd failed", &[("error", reason.into())]);
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> ExitCode {
    // Whoever closed the pipe has read enough.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn wrong(reason: &str, help: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{reason}\nSee '{help}'.");
    ExitCode::from(WRONG_USAGE)
}
