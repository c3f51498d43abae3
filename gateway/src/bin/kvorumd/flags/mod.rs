//! The flags: what each is, how kvorumd stands to it, and the values that were given.
//!
//! What it will never know: what a value leads to. See [`crate::settings`] for that.

pub(crate) mod environment;
pub(crate) mod file;
pub(crate) mod given;
pub(crate) mod parse;
mod table;
mod table_refused;

pub(crate) use given::Given;

/// Every flag, in the order of etcd's help, kvorum's own last.
pub(crate) fn all() -> impl Iterator<Item = &'static Flag> {
    table::FLAGS.iter().chain(table_refused::FLAGS).chain(table::OWN)
}

/// The flag of this name.
pub(crate) fn find(name: &str) -> Option<&'static Flag> {
    all().find(|flag| flag.name == name)
}

/// One flag.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Without dashes.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As etcd has it, as text. `data-dir` is the one exception.
    pub(crate) default: &'static str,
    pub(crate) stand: Stand,
}

/// What a flag's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Unsigned,
    Signed,

    Duration,
    Text,
    Urls,
    OneOf(&'static [&'static str]),
}

/// How kvorumd stands to a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// It does what it does in etcd: in a line, for the help.
    Used(&'static str),
    /// It would change nothing here, whatever its value, and a warning says so: why.
    Moot(&'static str),
    /// Only its default is taken, which asks for nothing; anything else is refused: why.
    Refused(&'static str),
}

impl Flag {
    const fn new(name: &'static str, kind: Kind, default: &'static str, stand: Stand) -> Flag {
        Flag { name, kind, default, stand }
    }

    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("ETCD_{}", self.name.to_uppercase().replace('-', "_"))
    }

    /// Why this value of it is refused, if it is.
    pub(crate) fn refusal(&self, value: &str) -> Option<&'static str> {
        match self.stand {
            Stand::Refused(why) if !self.is_default(value) => Some(why),
            _ => None,
        }
    }

    /// What to warn of if this value, which is not refused, is given. Whoever asks for the default asks for nothing.
    pub(crate) fn caution(&self, value: &str) -> Option<&'static str> {
        match self.stand {
            Stand::Moot(why) if !self.is_default(value) => Some(why),
            _ => None,
        }
    }

    fn is_default(&self, value: &str) -> bool {
        match (given::read(self.kind, self.default), given::read(self.kind, value)) {
            (Ok(default), Ok(value)) => default == value,
            _ => self.default == value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name and default of every flag that etcd 3.5.30's help shows, and of one that it hides; see the file's
    /// head for how it was made.
    const ETCDS: &str = include_str!("../../../../tests/etcd-3.5.30-flags.txt");

    fn etcds() -> impl Iterator<Item = (&'static str, &'static str)> {
        let lines = ETCDS.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split_once('\t').expect("a name, a tab and a default"))
    }

    #[test]
    fn every_flag_of_etcds_is_in_the_table_with_its_default() {
        for (name, default) in etcds() {
            let flag = find(name).unwrap_or_else(|| panic!("--{name} has no row"));
            // Ours must not be confused with etcd's.
            if name != "data-dir" {
                assert_eq!(flag.default, default, "--{name}");
            }
        }
    }

    #[test]
    fn no_flag_has_two_rows_or_comes_from_nowhere() {
        let mut names: Vec<&str> = all().map(|flag| flag.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(count, names.len());
        let ours: Vec<&str> = table::OWN.iter().map(|flag| flag.name).collect();
        for name in names.iter().filter(|name| !ours.contains(name)) {
            assert!(etcds().any(|(known, _)| known == *name), "--{name} is none of etcd's");
        }
    }

    #[test]
    fn every_default_is_a_value_that_is_taken() {
        for flag in all() {
            given::read(flag.kind, flag.default).unwrap_or_else(|e| panic!("--{}: {e}", flag.name));
            assert_eq!(flag.refusal(flag.default), None, "--{}", flag.name);
        }
    }

    /// The page for operators has the same rows.
    #[test]
    fn the_page_has_a_row_for_every_flag() {
        let page = include_str!("../../../../../docs/KVORUMD.md");
        let rows = all().map(|flag| {
            let (Stand::Used(words) | Stand::Moot(words) | Stand::Refused(words)) = flag.stand;
            let default = if flag.default.is_empty() { String::new() } else { format!("`{}`", flag.default) };
            format!("| `--{}` | {default} | {words} |", flag.name)
        });
        let missing: Vec<String> = rows.filter(|row| !page.contains(row)).collect();
        assert!(missing.is_empty(), "docs/KVORUMD.md lacks:\n{}", missing.join("\n"));
        for row in page.split("\n| `--").skip(1) {
            let name = row.split(['`', ' ']).next().unwrap_or_default();
            assert!(find(name).is_some(), "--{name} has a row and is no flag");
        }
    }

    #[test]
    fn whoever_refuses_says_why() {
        for flag in all() {
            let (Stand::Used(words) | Stand::Moot(words) | Stand::Refused(words)) = flag.stand;
            assert!(words.len() > 10, "--{}: {words}", flag.name);
        }
        assert!(find("cert-file").unwrap().refusal("x").is_some());
        assert_eq!(find("cert-file").unwrap().refusal(""), None, "no certificate is asked for");
        assert_eq!(find("enable-v2").unwrap().refusal("F"), None, "false, in another spelling");
        let wals = find("max-wals").unwrap();
        assert!(wals.caution("7").is_some() && wals.caution("5").is_none());
        assert_eq!(find("enable-v2").unwrap().caution("false"), None);
    }
}
