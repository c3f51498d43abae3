//! The command line, by the rules of Go's `flag` package: `-name` and `--name` are the same, a value follows behind
//! `=` or as the next word, a boolean needs none and takes one behind `=` only. By hand, because the usual crates
//! take `-name` for `-n -a -m -e`, and because scripts wait for Go's words about what is wrong.

use super::{Given, Kind, find};

/// Something is wrong with the command line: Go's words, shown with the usage.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Help was asked for.
    Help,
    /// What is wrong.
    Wrong(String),
}

/// Reads flags until a word that is none, and answers what they gave and the words from there on.
pub(crate) fn parse(words: &[String]) -> Result<(Given, Vec<String>), Fault> {
    let mut given = Given::default();
    let mut rest = words.iter();
    while let Some(word) = rest.clone().next() {
        if word == "--" {
            rest.next();
            break;
        }
        let Some(body) = word.strip_prefix('-').filter(|body| !body.is_empty()) else { break };
        rest.next();
        let body = body.strip_prefix('-').unwrap_or(body);
        if body.is_empty() || body.starts_with(['-', '=']) {
            return Err(Fault::Wrong(format!("bad flag syntax: {word}")));
        }
        one(&mut given, body, &mut rest)?;
    }
    Ok((given, rest.cloned().collect()))
}

fn one<'a>(given: &mut Given, body: &str, rest: &mut impl Iterator<Item = &'a String>) -> Result<(), Fault> {
    let (name, value) = match body.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (body, None),
    };
    let Some(flag) = find(name) else {
        let is_help = name == "h" || name == "help";
        let wrong = Fault::Wrong(format!("flag provided but not defined: -{name}"));
        return Err(if is_help { Fault::Help } else { wrong });
    };
    if flag.kind == Kind::Bool {
        let value = value.unwrap_or("true");
        let wrong = |e| Fault::Wrong(format!("invalid boolean value {value:?} for -{name}: {e}"));
        return given.set(flag, value).map_err(wrong);
    }
    let value = match value.or_else(|| rest.next().map(String::as_str)) {
        Some(value) => value,
        None => return Err(Fault::Wrong(format!("flag needs an argument: -{name}"))),
    };
    let wrong = |e| Fault::Wrong(format!("invalid value {value:?} for flag -{name}: {e}"));
    given.set(flag, value).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<(Given, Vec<String>), Fault> {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        parse(&words)
    }

    #[test]
    fn one_dash_two_dashes_a_sign_or_a_space() {
        for words in
            [&["--name=a"][..], &["-name=a"], &["--name", "a"], &["-name", "a"], &["-name=b", "-name=a"]]
        {
            let (given, rest) = read(words).unwrap();
            assert_eq!((given.text("name").as_str(), rest.len()), ("a", 0), "{words:?}");
        }
        assert_eq!(read(&["--name="]).unwrap().0.text("name"), "");
        assert_eq!(
            read(&["--initial-cluster=a=http://h:1"]).unwrap().0.text("initial-cluster"),
            "a=http://h:1"
        );
    }

    #[test]
    fn a_boolean_takes_its_value_behind_a_sign_only() {
        assert!(!read(&["--pre-vote=false"]).unwrap().0.bool("pre-vote"));
        assert!(read(&["--strict"]).unwrap().0.bool("strict"));
        let (given, rest) = read(&["--pre-vote", "false", "--name=b"]).unwrap();
        assert!(given.bool("pre-vote"));
        assert_eq!(rest, ["false", "--name=b"]);
    }

    #[test]
    fn what_is_wrong_gets_gos_words() {
        for (words, reason) in [
            (&["--nosuch", "1"][..], "flag provided but not defined: -nosuch"),
            (&["--name"], "flag needs an argument: -name"),
            (
                &["--heartbeat-interval", "abc"],
                "invalid value \"abc\" for flag -heartbeat-interval: parse error",
            ),
            (&["--max-wals", "-1"], "invalid value \"-1\" for flag -max-wals: parse error"),
            (&["--pre-vote=maybe"], "invalid boolean value \"maybe\" for -pre-vote: parse error"),
            (&["---name=a"], "bad flag syntax: ---name=a"),
            (&["--=a"], "bad flag syntax: --=a"),
            (
                &["--initial-cluster-state", "maybe"],
                "invalid value \"maybe\" for flag -initial-cluster-state: invalid value",
            ),
            (
                &["--listen-client-urls", "ftp://h:1"],
                "invalid value \"ftp://h:1\" for flag -listen-client-urls: URL scheme must be http, https, unix, \
                 or unixs: ftp://h:1",
            ),
        ] {
            assert_eq!(read(words).unwrap_err(), Fault::Wrong(reason.into()));
        }
        assert_eq!(read(&["-h"]).unwrap_err(), Fault::Help);
        assert_eq!(read(&["--help"]).unwrap_err(), Fault::Help);
    }

    #[test]
    fn flags_end_at_two_dashes_or_at_a_word() {
        assert_eq!(read(&["--name=a", "--", "--name=b"]).unwrap().1, ["--name=b"]);
        assert_eq!(read(&["word", "--name=b"]).unwrap().1, ["word", "--name=b"]);
        assert_eq!(read(&["-"]).unwrap().1, ["-"]);
    }
}
