//! `kvorumd`: a member of a kvorum cluster as a server, for etcd's clients and with etcd's flags.
//!
//! This file reads the command line and decides what to do. The way up from there: `flags` (what was given),
//! `settings` (what it means), `start` (the node), `serve` (the gateway), `run` (the whole life), `close` (its end);
//! docs/KVORUMD.md is for whoever operates it.
#![forbid(unsafe_code)]

mod close;
mod cluster;
mod compaction;
mod directory;
mod disk;
mod flags;
mod import;
mod log;
mod notify;
mod observe;
mod report;
mod roster;
mod run;
mod serve;
mod settings;
mod signals;
mod stamp;
mod start;
mod urls;
mod usage;
mod values;

use std::io::{self, Write};
use std::process::ExitCode;

use flags::Given;
use flags::environment::{self, Note};
use flags::parse::{Fault, parse};
use log::{Log, Options};
use settings::Settings;

/// What Go's programs answer to a wrong command line.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let Ok(words) = std::env::args_os().map(|word| word.into_string()).collect::<Result<Vec<_>, _>>() else {
        return wrong("an argument is not UTF-8");
    };
    let words = words.get(1..).unwrap_or_default();
    match words.first().map(String::as_str) {
        Some("version") => print(&usage::version()),
        Some("help") => print(&usage::help()),
        Some("import") => finish(import::import(&words[1..])),
        Some(name @ ("gateway" | "grpc-proxy")) => {
            wrong(&format!("'{name}' is not supported by kvorumd: clients connect to the members themselves"))
        }
        _ => serve(words),
    }
}

fn serve(words: &[String]) -> ExitCode {
    match parse(words) {
        Err(fault) => finish(Err(fault)),
        Ok((given, _)) if given.bool("version") => print(&usage::version()),
        Ok((given, rest)) => match prepare(given, rest.first(), words) {
            Ok((settings, log)) => end(run::run(&settings, &log), &log),
            Err(code) => code,
        },
    }
}

/// Everything before the start: what was given is completed, told, and checked. What is wrong is logged here.
fn prepare(mut given: Given, stray: Option<&String>, words: &[String]) -> Result<(Settings, Log), ExitCode> {
    let stderr = Log::open(&Options::default()).map_err(|reason| wrong(&reason))?;
    let notes = environment::take(
        &mut given,
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    );
    let options = settings::log_options(&given).and_then(|options| Log::open(&options));
    let log = options.map_err(|reason| refuse(&stderr, &[reason]))?;
    let notes = notes.map_err(|reason| refuse(&log, &[reason]))?;
    notes.iter().for_each(|note| tell(note, &log));
    log.info(
        "Running: ",
        &[("args", std::env::args().take(1).chain(words.iter().cloned()).collect::<Vec<_>>().into())],
    );
    if let Some(stray) = stray {
        return Err(refuse(&log, &[format!("'{stray}' is not a valid flag")]));
    }
    let refusals = settings::refusals(&given);
    if !refusals.is_empty() {
        return Err(refuse(&log, &refusals));
    }
    caution(&given, &log);
    let settings = Settings::of(&given).map_err(|reason| refuse(&log, &[reason]))?;
    Ok((settings, log))
}

fn tell(note: &Note, log: &Log) {
    match note {
        Note::Used { variable, value } => {
            let fields =
                [("variable-name", variable.as_str().into()), ("variable-value", value.as_str().into())];
            log.info("recognized and used environment variable", &fields);
        }
        Note::Shadowed { variable } => {
            let message =
                "recognized environment variable, but unused: shadowed by corresponding command-line flag";
            log.warn(message, &[("environment-variable", variable.as_str().into())]);
        }
        Note::Unrecognized { variable, value } => {
            let fields = [("environment-variable", format!("{variable}={value}").into())];
            log.warn("unrecognized environment variable", &fields);
        }
        Note::Special { variable, value } => {
            let fields = [("key", variable.as_str().into()), ("value", value.as_str().into())];
            log.warn("cannot set special environment variable", &fields);
        }
    }
}

/// Says of every flag that was given, and changes nothing, that and why it does not.
fn caution(given: &Given, log: &Log) {
    for setting in given.all() {
        if let Some(why) = setting.flag.caution() {
            let fields = [
                ("flag", setting.flag.name.into()),
                ("value", setting.text.as_str().into()),
                ("reason", why.into()),
            ];
            log.warn("flag changes nothing in kvorumd", &fields);
        }
    }
    if !given.has("data-dir") {
        let name = given.text("name");
        log.warn("'data-dir' was empty; using default", &[("data-dir", format!("{name}.kvorum").into())]);
    }
}

fn refuse(log: &Log, reasons: &[String]) -> ExitCode {
    for reason in reasons {
        log.warn("failed to verify flags", &[("error", reason.as_str().into())]);
    }
    ExitCode::FAILURE
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

/// What a command that serves nobody comes to.
fn finish(done: Result<(), Fault>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault::Help) => print(&usage::help()),
        Err(Fault::Wrong(reason)) => wrong(&reason),
    }
}

fn print(text: &str) -> ExitCode {
    // Whoever closed the pipe has read enough.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn wrong(reason: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{reason}\nSee 'kvorumd --help'.");
    ExitCode::from(WRONG_USAGE)
}
