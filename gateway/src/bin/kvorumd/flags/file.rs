//! The configuration file, in YAML as etcd's: `name: value` a line, named like the flags, with two sections for TLS.
//! It takes the place of flags and environment.
//!
//! A key that is no flag's is refused, where etcd ignores it: it may be a misspelling of one that matters.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{Given, Kind, find};

/// Where a file is larger, it is some other file.
pub(crate) const LARGEST: u64 = 1 << 20;

type Events<'a> = dyn Iterator<Item = Result<Event<'a>, String>> + 'a;

/// What the file gives.
pub(crate) fn read(text: &str) -> Result<Given, String> {
    let events = Parser::new_from_str(text);
    let mut events = events.map(|event| event.map(|(event, _)| event).map_err(|error| error.to_string()));
    let mut pairs = Vec::new();
    document(&mut events, &mut pairs)?;
    let (mut given, mut seen) = (Given::default(), BTreeSet::new());
    for (name, value) in pairs {
        let flag = find(&name).filter(|flag| !["version", "config-file"].contains(&flag.name));
        let flag = flag.ok_or_else(|| format!("there is no setting {name:?}"))?;
        if !seen.insert(flag.name) {
            return Err(format!("{name} is set twice"));
        }
        let is_count = flag.kind == Kind::Duration && value.bytes().all(|b| b.is_ascii_digit());
        // There, etcd's durations are numbers of nanoseconds.
        let value = if is_count { format!("{value}ns") } else { value };
        given.set(flag, &value).map_err(|reason| format!("invalid value {value:?} for {name}: {reason}"))?;
    }
    Ok(given)
}

fn document(events: &mut Events<'_>, pairs: &mut Vec<(String, String)>) -> Result<(), String> {
    loop {
        match next(events)? {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::MappingStart(..) => {
                mapping(events, "", pairs)?;
                break;
            }
            // Nothing in it, or nothing but comments.
            Event::StreamEnd => return Ok(()),
            Event::Scalar(text, style, ..) if is_null(&text, style) => break,
            _ => return Err("it is no list of names and values".into()),
        }
    }
    match (next(events)?, next(events)?) {
        (Event::DocumentEnd, Event::StreamEnd) => Ok(()),
        _ => Err("there is something behind the settings".into()),
    }
}

/// A mapping, whose start has been read, to its end. The names in it are put behind `prefix`.
fn mapping(events: &mut Events<'_>, prefix: &str, pairs: &mut Vec<(String, String)>) -> Result<(), String> {
    loop {
        let name = match next(events)? {
            Event::MappingEnd => return Ok(()),
            Event::Scalar(name, ..) => format!("{prefix}{name}"),
            _ => return Err("a name is no text".into()),
        };
        match next(events)? {
            Event::Scalar(text, style, ..) if is_null(&text, style) => {}
            Event::Scalar(text, ..) => pairs.push((name, text.into_owned())),
            Event::SequenceStart(..) => pairs.push((name, sequence(events)?)),
            Event::MappingStart(..) => match (prefix, name.as_str()) {
                ("", "client-transport-security") => section(events, "", pairs)?,
                ("", "peer-transport-security") => section(events, "peer-", pairs)?,
                _ => return Err(format!("there is no section {name:?}")),
            },
            _ => return Err(format!("the value of {name} is none that is taken here")),
        }
    }
}

/// A section: like the whole, but with no sections in it.
fn section(events: &mut Events<'_>, prefix: &str, pairs: &mut Vec<(String, String)>) -> Result<(), String> {
    let mut inner = Vec::new();
    mapping(events, "in a section: ", &mut inner)?;
    let renamed = |(name, value): (String, String)| (name.replacen("in a section: ", prefix, 1), value);
    pairs.extend(inner.into_iter().map(renamed));
    Ok(())
}

/// A list of texts, as a text with commas.
fn sequence(events: &mut Events<'_>) -> Result<String, String> {
    let mut parts = Vec::new();
    loop {
        match next(events)? {
            Event::SequenceEnd => return Ok(parts.join(",")),
            Event::Scalar(text, ..) => parts.push(text.into_owned()),
            _ => return Err("a list has something else than texts in it".into()),
        }
    }
}

fn is_null(text: &str, style: ScalarStyle) -> bool {
    style == ScalarStyle::Plain && ["", "~", "null"].contains(&text)
}

fn next<'a>(events: &mut Events<'a>) -> Result<Event<'a>, String> {
    events.next().unwrap_or_else(|| Err("it ends too early".into()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const GOOD: &str = "# a comment\nname: 'a b'\ndata-dir: /d\nelection-timeout: 2000\nlog-outputs: [stderr, /tmp/x]\n\
                        pre-vote: true\nwal-dir:\nexperimental-watch-progress-notify-interval: 5000000000\n\
                        client-transport-security:\n  cert-file: c\n  client-cert-auth: false\n\
                        peer-transport-security:\n  cert-file: p\n";

    #[test]
    fn what_etcd_reads_is_read() {
        let given = read(GOOD).unwrap();
        assert_eq!((given.text("name").as_str(), given.text("data-dir").as_str()), ("a b", "/d"));
        assert_eq!((given.unsigned("election-timeout"), given.bool("pre-vote")), (2000, true));
        assert_eq!(given.text("log-outputs"), "stderr,/tmp/x");
        let interval = given.duration("experimental-watch-progress-notify-interval");
        assert_eq!(interval, Duration::from_secs(5));
        assert_eq!((given.text("cert-file").as_str(), given.text("peer-cert-file").as_str()), ("c", "p"));
        assert!(!given.has("wal-dir") && given.has("client-cert-auth"));
        for nothing in ["", "# only a comment\n", "---\n", "{}"] {
            assert_eq!(read(nothing).unwrap().all().count(), 0, "{nothing:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, part) in [
            ("nosuch: 1", "no setting \"nosuch\""),
            ("config-file: x", "no setting"),
            ("name: a\nname: b", "name is set twice"),
            ("client-transport-security:\n  cert-file: a\ncert-file: b", "cert-file is set twice"),
            ("socket-options:\n  reuse-port: true", "no section \"socket-options\""),
            ("client-transport-security:\n  peer-transport-security:\n    cert-file: a", "no section"),
            ("heartbeat-interval: abc", "invalid value \"abc\" for heartbeat-interval: parse error"),
            ("- a\n- b", "no list of names"),
            ("word", "no list of names"),
            ("name: &x a\ndata-dir: *x", "none that is taken"),
            ("log-outputs: [[a]]", "something else than texts"),
            ("name: a\n---\nname: b", "behind the settings"),
            ("name: [a", ""),
            ("name: \"a", ""),
            ("\t: :", ""),
        ] {
            let reason = read(text).unwrap_err();
            assert!(reason.contains(part), "{text:?}: {reason}");
        }
        for end in 0..GOOD.len() {
            // Whatever it comes to, it comes to an end.
            let _ = read(&GOOD[..end]);
        }
    }
}
