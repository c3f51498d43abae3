//! Requests and answers in words, for people who look for what went wrong.

use std::fmt::{self, Display, Formatter};

use super::Change;
use super::op::{KeyValue, Op, Outcome, Request, Response, Span, Txn};

/// Longer keys, values and lists are cut.
const LONGEST: usize = 48;

/// Bytes as text; what is no text is escaped.
pub(super) fn text(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(LONGEST)];
    let rest = bytes.len() - shown.len();
    let more = if rest > 0 { format!("… ({rest} more)") } else { String::new() };
    format!("\"{}{more}\"", shown.escape_ascii())
}

/// A list, cut.
pub(super) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let rest = items.len().saturating_sub(LONGEST);
    let shown = items[..items.len() - rest].join(", ");
    if rest > 0 { format!("[{shown}, … ({rest} more)]") } else { format!("[{shown}]") }
}

/// Nanoseconds as milliseconds.
fn millis(nanos: u64) -> String {
    format!("{}.{:06} ms", nanos / 1_000_000, nanos % 1_000_000)
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Change::Put { key, value, lease: 0 } => write!(f, "put {} = {}", text(key), text(value)),
            Change::Put { key, value, lease } => {
                write!(f, "put {} = {} on lease {lease}", text(key), text(value))
            }
            Change::Delete { key } => write!(f, "delete {}", text(key)),
        }
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.end[..] {
            [] => write!(f, "{}", text(&self.key)),
            [0] => write!(f, "{} and all behind", text(&self.key)),
            end => write!(f, "{} to {}", text(&self.key), text(end)),
        }
    }
}

impl Display for KeyValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let KeyValue { key, value, create_revision, mod_revision, version, lease } = self;
        write!(f, "{} = {} (created {create_revision}, ", text(key), text(value))?;
        write!(f, "changed {mod_revision}, version {version}")?;
        if *lease != 0 {
            write!(f, ", lease {lease}")?;
        }
        f.write_str(")")
    }
}

impl Display for Request {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Request::Put(put) => {
                let value = if put.ignore_value { "the same".to_string() } else { text(&put.value) };
                write!(f, "put {} = {value}", text(&put.key))?;
                match (put.ignore_lease, put.lease) {
                    (true, _) => f.write_str(" on the same lease"),
                    (false, 0) => Ok(()),
                    (false, lease) => write!(f, " on lease {lease}"),
                }
            }
            Request::Delete(delete) => write!(f, "delete {}", delete.span),
            Request::Range(range) => {
                let local = if range.serializable { " locally" } else { "" };
                write!(f, "read {}{local}", range.span)?;
                if range.revision > 0 {
                    write!(f, " at revision {}", range.revision)?;
                }
                if range.limit > 0 {
                    write!(f, ", {} at most", range.limit)?;
                }
                Ok(())
            }
            Request::Txn(txn) => txn.fmt(f),
            Request::Glance => f.write_str("glance"),
        }
    }
}

impl Display for Txn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let compares = self.compares.iter().map(|c| format!("{} {:?} {:?}", c.span, c.relation, c.operand));
        write!(f, "if {} then {} else {}", list(compares), list(&self.success), list(&self.failure))
    }
}

impl Display for Response {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Response::Put { prev: None } => f.write_str("put"),
            Response::Put { prev: Some(prev) } => write!(f, "put over {prev}"),
            Response::Delete { deleted, prev } if prev.is_empty() => write!(f, "{deleted} deleted"),
            Response::Delete { deleted, prev } => write!(f, "{deleted} deleted: {}", list(prev)),
            Response::Range { kvs, more, count } => {
                let more = if *more { " and more" } else { "" };
                write!(f, "{}{more} of {count}", list(kvs))
            }
            Response::Txn { succeeded, responses } => {
                write!(f, "{}: {}", if *succeeded { "held" } else { "failed" }, list(responses))
            }
            Response::Glance => f.write_str("seen"),
        }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.client)?;
        if let Some(member) = self.member {
            write!(f, " at member {member} (life {})", self.incarnation)?;
        }
        if let Some(number) = self.attempt_of {
            write!(f, ", attempt of {number}")?;
        }
        write!(f, ", from {} ", millis(self.call))?;
        match &self.outcome {
            Outcome::Answered { revision, response } => {
                write!(f, "to {}: {} -> {response}, at revision {revision}", millis(self.ret), self.request)
            }
            Outcome::Refused => write!(f, "to {}: {} -> refused", millis(self.ret), self.request),
            Outcome::Unknown => write!(f, "on: {} -> outcome unknown", self.request),
        }
    }
}
