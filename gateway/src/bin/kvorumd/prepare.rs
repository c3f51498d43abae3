//! Between the command line and the start: what was given is completed, told and checked, in the log.

use std::fs;

use crate::flags::environment::{self, Note};
use crate::flags::{Given, file};
use crate::log::Log;
use crate::settings::{self, Settings};

/// What was given is not what can be started with; the log says why.
pub(crate) struct Refused;

/// The settings, and the log that they ask for. `stray` is the first word behind the flags.
pub(crate) fn prepare(given: Given, stray: Option<&String>) -> Result<(Settings, Log), Refused> {
    let mut notes = Vec::new();
    let completed = complete(given, &mut notes).and_then(|given| {
        let log = Log::open(&settings::log_options(&given)?)?;
        Ok((given, log))
    });
    let (given, log, wrong) = match completed {
        Ok((given, log)) => (given, log, None),
        // It is not known where to log to.
        Err(reason) => (Given::default(), Log::to_stderr(), Some(reason)),
    };
    notes.iter().for_each(|note| tell(note, &log));
    log.info("Running: ", &[("args", std::env::args().collect::<Vec<_>>().into())]);
    let stray = stray.map(|word| match word.as_str() {
        "import" => "'import' is a command, and comes first: kvorumd import FILE [flags]".into(),
        "help" | "version" => format!("'{word}' is a command, and comes first: kvorumd {word}"),
        _ => format!("'{word}' is not a valid flag; see 'kvorumd --help'"),
    });
    let refusals: Vec<String> = wrong.into_iter().chain(stray).chain(settings::refusals(&given)).collect();
    if !refusals.is_empty() {
        return Err(refuse(&log, &refusals));
    }
    caution(&given, &log);
    let settings = Settings::of(&given).map_err(|reason| refuse(&log, &[reason]))?;
    Ok((settings, log))
}

/// What was given with flags, with what the environment adds; or what the configuration file has, which replaces both.
pub(crate) fn complete(mut given: Given, notes: &mut Vec<Note>) -> Result<Given, String> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    *notes = environment::take(&mut given, variables)?;
    let path = given.text("config-file");
    if path.is_empty() {
        return Ok(given);
    }
    let cannot = |error: std::io::Error| format!("open {path}: {error}");
    if fs::metadata(&path).map_err(cannot)?.len() > file::LARGEST {
        return Err(format!("{path} is too large for a configuration file"));
    }
    let given = file::read(&fs::read_to_string(&path).map_err(cannot)?);
    notes.push(Note::Loaded { path: path.clone() });
    given.map_err(|reason| format!("{path}: {reason}"))
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
        Note::Loaded { path } => {
            let message = "loaded server configuration, other configuration command line flags and environment \
                           variables will be ignored if provided";
            log.info(message, &[("path", path.as_str().into())]);
        }
        Note::Special { variable, value } => {
            let fields = [("key", variable.as_str().into()), ("value", value.as_str().into())];
            log.warn("cannot set special environment variable", &fields);
        }
    }
}

/// Says of every flag that was asked for what it does not do here, that and why it changes nothing.
fn caution(given: &Given, log: &Log) {
    for setting in given.all() {
        if let Some(why) = setting.flag.caution(&setting.text) {
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

fn refuse(log: &Log, reasons: &[String]) -> Refused {
    for reason in reasons {
        log.warn("failed to verify flags", &[("error", reason.as_str().into())]);
    }
    Refused
}
