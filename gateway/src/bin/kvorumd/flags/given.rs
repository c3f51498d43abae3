//! The values that flags were given, read once, and the defaults of the others.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Flag, Kind, find};
use crate::urls::{self, Url};
use crate::values;

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Duration(Duration),
    Text(String),
    Urls(Vec<Url>),
}

/// A flag's value, as it was written and as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) flag: &'static Flag,
    pub(crate) text: String,
    value: Value,
}

/// What was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given(BTreeMap<&'static str, Setting>);

impl Given {
    /// Takes a value; the last one given stands. The error is Go's reason.
    pub(crate) fn set(&mut self, flag: &'static Flag, text: &str) -> Result<(), String> {
        let value = read(flag.kind, text)?;
        self.0.insert(flag.name, Setting { flag, text: text.to_string(), value });
        Ok(())
    }

    /// Whether this flag was given, in whichever way.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All that was given, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Setting> {
        self.0.values()
    }

    fn value(&self, name: &str) -> Value {
        if let Some(setting) = self.0.get(name) {
            return setting.value.clone();
        }
        let flag = find(name).unwrap_or_else(|| panic!("there is no flag --{name}"));
        read(flag.kind, flag.default).unwrap_or_else(|e| panic!("the default of --{name}: {e}"))
    }

    pub(crate) fn bool(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Bool(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    pub(crate) fn unsigned(&self, name: &str) -> u64 {
        match self.value(name) {
            Value::Unsigned(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    pub(crate) fn signed(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Signed(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    pub(crate) fn duration(&self, name: &str) -> Duration {
        match self.value(name) {
            Value::Duration(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    pub(crate) fn text(&self, name: &str) -> String {
        match self.value(name) {
            Value::Text(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    pub(crate) fn urls(&self, name: &str) -> Vec<Url> {
        match self.value(name) {
            Value::Urls(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }
}

/// Reads a value of this kind; the error is Go's reason, to be put behind the flag's name.
pub(crate) fn read(kind: Kind, text: &str) -> Result<Value, String> {
    Ok(match kind {
        Kind::Bool => Value::Bool(values::boolean(text)?),
        Kind::Unsigned => Value::Unsigned(values::unsigned(text)?),
        Kind::Signed => Value::Signed(values::signed(text)?),
        // Go has the reason, and does not show it.
        Kind::Duration => Value::Duration(values::duration(text).map_err(|_| "parse error")?),
        Kind::Text => Value::Text(text.to_string()),
        Kind::Urls => Value::Urls(urls::parse_list(text)?),
        Kind::OneOf(choices) if choices.contains(&text) => Value::Text(text.to_string()),
        Kind::OneOf(_) => return Err("invalid value".into()),
    })
}
