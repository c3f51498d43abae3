//! The log, a line at a time, as etcd's zap writes it: JSON with level, time, caller and message first. Supervisors
//! and test harnesses read it, so keys and their order are etcd's.
//!
//! Written directly instead of with a logging framework: there are no spans or filters here, only lines whose fields
//! have dashes in their names and lists in their values, from a few places that are handed the log they write to.

use std::fmt::Write as _;
use std::panic::Location;
use std::sync::Arc;

use crate::outputs::Outputs;
use crate::stamp;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
    Panic,
    Fatal,
}

impl Level {
    /// The level of this name.
    pub(crate) fn parse(text: &str) -> Option<Level> {
        Some(match text {
            "debug" => Level::Debug,
            "info" => Level::Info,
            "warn" | "warning" => Level::Warn,
            "error" => Level::Error,
            "panic" | "dpanic" => Level::Panic,
            "fatal" => Level::Fatal,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Panic => "panic",
            Level::Fatal => "fatal",
        }
    }
}

/// For whom a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Console,
}

/// What the log is told.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) level: Level,
    pub(crate) format: Format,
    /// `default`, `stderr`, `stdout`, or paths of files.
    pub(crate) outputs: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { level: Level::Info, format: Format::Json, outputs: vec!["default".into()] }
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(i128),
    Bool(bool),
    List(Vec<String>),
}

/// A field of a line.
pub(crate) type Field<'a> = (&'a str, Value);

/// A handle to the log.
#[derive(Clone)]
pub(crate) struct Log {
    target: Arc<Target>,
    /// Whose lines these are: zap's `logger`.
    name: Option<&'static str>,
}

struct Target {
    level: Level,
    format: Format,
    outputs: Outputs,
}

impl Log {
    /// A log that writes where the options say. The error names the file that cannot be opened.
    pub(crate) fn open(options: &Options) -> Result<Log, String> {
        let outputs = Outputs::open(&options.outputs)?;
        let target = Target { level: options.level, format: options.format, outputs };
        Ok(Log { target: Arc::new(target), name: None })
    }

    /// A log as it is by default.
    pub(crate) fn to_stderr() -> Log {
        let target = Target { level: Level::Info, format: Format::Json, outputs: Outputs::stderr() };
        Log { target: Arc::new(target), name: None }
    }

    /// The same log for lines of another part of the server.
    pub(crate) fn named(&self, name: &'static str) -> Log {
        Log { target: self.target.clone(), name: Some(name) }
    }

    /// Opens its files anew, as whoever has moved them away asks for, and says so in the new ones.
    pub(crate) fn reopen(&self) {
        let (reopened, failed): (Vec<_>, Vec<_>) =
            self.target.outputs.reopen().into_iter().partition(|(_, opened)| opened.is_ok());
        let paths: Vec<String> = reopened.into_iter().map(|(path, _)| path).collect();
        self.info("received hangup; opened the log's files anew", &[("files", paths.into())]);
        for (_, opened) in failed {
            self.error(
                "went on with a log file as it was",
                &[("error", opened.err().unwrap_or_default().into())],
            );
        }
    }

    #[track_caller]
    pub(crate) fn info(&self, message: &str, fields: &[Field<'_>]) {
        self.line(Level::Info, message, fields);
    }

    #[track_caller]
    pub(crate) fn warn(&self, message: &str, fields: &[Field<'_>]) {
        self.line(Level::Warn, message, fields);
    }

    #[track_caller]
    pub(crate) fn error(&self, message: &str, fields: &[Field<'_>]) {
        self.line(Level::Error, message, fields);
    }

    /// The last line of a server that ends because of it; ending is the caller's.
    #[track_caller]
    pub(crate) fn fatal(&self, message: &str, fields: &[Field<'_>]) {
        self.line(Level::Fatal, message, fields);
    }

    #[track_caller]
    fn line(&self, level: Level, message: &str, fields: &[Field<'_>]) {
        if level < self.target.level {
            return;
        }
        let line = Line { level, name: self.name, caller: caller(Location::caller()), message, fields };
        let text = match self.target.format {
            Format::Json => line.json(&stamp::now()),
            Format::Console => line.console(&stamp::now()),
        };
        self.target.outputs.write(&text);
    }
}

struct Line<'a> {
    level: Level,
    name: Option<&'static str>,
    caller: String,
    message: &'a str,
    fields: &'a [Field<'a>],
}

impl Line<'_> {
    fn json(&self, stamp: &str) -> String {
        let mut text = format!("{{\"level\":\"{}\",\"ts\":\"{stamp}\"", self.level.name());
        if let Some(name) = self.name {
            // Writing to a string cannot fail, here and below.
            let _ = write!(text, ",\"logger\":\"{name}\"");
        }
        let _ = write!(text, ",\"caller\":\"{}\",\"msg\":", self.caller);
        quote(&mut text, self.message);
        for (key, value) in self.fields {
            text.push(',');
            field(&mut text, key, value);
        }
        text.push_str("}\n");
        text
    }

    fn console(&self, stamp: &str) -> String {
        let name = self.name.map(|name| format!("{name}\t")).unwrap_or_default();
        let mut text = format!("{stamp}\t{}\t{name}{}\t{}", self.level.name(), self.caller, self.message);
        if !self.fields.is_empty() {
            text.push_str("\t{");
            for (at, (key, value)) in self.fields.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                field(&mut text, key, value);
            }
            text.push('}');
        }
        text.push('\n');
        text
    }
}

fn field(text: &mut String, key: &str, value: &Value) {
    quote(text, key);
    text.push(':');
    match value {
        Value::Text(value) => quote(text, value),
        Value::Number(value) => text.push_str(&value.to_string()),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::List(values) => {
            text.push('[');
            for (at, value) in values.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "," });
                quote(text, value);
            }
            text.push(']');
        }
    }
}

fn quote(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

/// The last two parts of the place in the sources, as zap shows it.
fn caller(place: &Location<'_>) -> String {
    let mut parts = place.file().rsplit(['/', '\\']);
    let (file, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("{folder}/{file}:{}", place.line())
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_string())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Value {
        Value::Number(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Number(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::Number(value as i128)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<Vec<String>> for Value {
    fn from(value: Vec<String>) -> Value {
        Value::List(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(name: Option<&'static str>, fields: &'a [Field<'a>]) -> Line<'a> {
        Line { level: Level::Info, name, caller: "kvorumd/run.rs:7".into(), message: "ready", fields }
    }

    #[test]
    fn a_line_is_json_with_etcds_keys_in_etcds_order() {
        let fields = [
            ("name", "a\"b\\c\n\u{1}é<&>".into()),
            ("peers", vec!["x".to_string(), "y".to_string()].into()),
            ("count", 3_u64.into()),
            ("is-learner", false.into()),
        ];
        let text = line(None, &fields).json("T");
        let start = r#"{"level":"info","ts":"T","caller":"kvorumd/run.rs:7","msg":"ready","#;
        let end = r#""name":"a\"b\\c\n\u0001é<&>","peers":["x","y"],"count":3,"is-learner":false}"#;
        assert_eq!(text, format!("{start}{end}\n"));
        let raft = line(Some("raft"), &[]).json("T");
        assert!(raft.starts_with(r#"{"level":"info","ts":"T","logger":"raft","caller":"#), "{raft}");
    }

    #[test]
    fn for_people_there_are_tabs() {
        let fields = [("a", 1_u64.into()), ("b", "x".into())];
        let text = line(None, &fields).console("T");
        assert_eq!(text, "T\tinfo\tkvorumd/run.rs:7\tready\t{\"a\":1, \"b\":\"x\"}\n");
        assert_eq!(line(Some("raft"), &[]).console("T"), "T\tinfo\traft\tkvorumd/run.rs:7\tready\n");
    }

    #[test]
    fn lines_below_the_level_are_not_written() {
        let path = std::env::temp_dir().join(format!("kvorumd-log-{}", std::process::id()));
        let outputs = vec![path.display().to_string()];
        let log = Log::open(&Options { level: Level::Warn, format: Format::Json, outputs }).unwrap();
        log.info("b", &[]);
        log.warn("c", &[]);
        log.error("d", &[]);
        log.fatal("e", &[]);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("\"caller\":\"kvorumd/log.rs:"), "{text}");
    }
}
