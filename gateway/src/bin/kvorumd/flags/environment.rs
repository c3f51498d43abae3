//! The environment: `ETCD_DATA_DIR` and the like, for flags that the command line does not give.

use super::{Given, all};

/// What was found in the environment, or in the file that replaces it, for the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// This variable gave its flag a value.
    Used { variable: String, value: String },
    /// The command line gives the flag already. (etcd 3.5 ends here; it is enough to say so.)
    Shadowed { variable: String },
    /// There is no such flag.
    Unrecognized { variable: String, value: String },
    /// The configuration file was read.
    Loaded { path: String },
    /// `ETCD_VERSION` and the like are for the command line only.
    Special { variable: String, value: String },
}

/// Takes what the environment has. An empty value sets nothing, and is noted like a variable that is no flag's, as in etcd.
pub(crate) fn take(
    given: &mut Given,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Note>, String> {
    let mut notes = Vec::new();
    for (variable, value) in variables {
        if variable.starts_with("ETCD_") {
            notes.push(one(given, variable, value)?);
        }
    }
    Ok(notes)
}

fn one(given: &mut Given, variable: String, value: String) -> Result<Note, String> {
    let Some(flag) = all().find(|flag| flag.variable() == variable) else {
        return Ok(Note::Unrecognized { variable, value });
    };
    if given.has(flag.name) {
        return Ok(Note::Shadowed { variable });
    }
    if value.is_empty() {
        return Ok(Note::Unrecognized { variable, value });
    }
    if flag.name == "version" {
        return Ok(Note::Special { variable, value });
    }
    let wrong = |e| format!("invalid value {value:?} for {variable}: {e}");
    given.set(flag, &value).map_err(wrong)?;
    Ok(Note::Used { variable, value })
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_variable_stands_in_for_a_flag_and_the_flag_wins() {
        let mut given = Given::default();
        given.set(find("name").unwrap(), "flag").unwrap();
        let list = [("ETCD_NAME", "a"), ("ETCD_DATA_DIR", "/d"), ("ETCD_WAL_DIR", ""), ("NAME", "x")];
        let notes = take(&mut given, pairs(&list)).unwrap();
        assert_eq!((given.text("name").as_str(), given.text("data-dir").as_str()), ("flag", "/d"));
        assert!(!given.has("wal-dir"));
        let shadowed = Note::Shadowed { variable: "ETCD_NAME".into() };
        let used = Note::Used { variable: "ETCD_DATA_DIR".into(), value: "/d".into() };
        let empty = Note::Unrecognized { variable: "ETCD_WAL_DIR".into(), value: String::new() };
        assert_eq!(notes, [shadowed, used, empty]);
    }

    #[test]
    fn unknown_variables_are_noted_and_wrong_values_refused_in_etcds_words() {
        let mut given = Given::default();
        let notes = take(&mut given, pairs(&[("ETCD_FOO", "1"), ("ETCD_VERSION", "1")])).unwrap();
        assert!(matches!(notes[..], [Note::Unrecognized { .. }, Note::Special { .. }]));
        let wrong = take(&mut given, pairs(&[("ETCD_HEARTBEAT_INTERVAL", "abc")])).unwrap_err();
        assert_eq!(wrong, "invalid value \"abc\" for ETCD_HEARTBEAT_INTERVAL: parse error");
    }
}
