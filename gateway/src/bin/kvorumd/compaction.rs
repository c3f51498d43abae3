//! `--auto-compaction-mode` and `--auto-compaction-retention`, by etcd's rules.
//!
//! What it will never know: revisions and clocks. The leader's node compacts, in the core.

use std::time::Duration;

use kvorum::AutoCompaction;

use crate::values;

/// The policy that the two flags ask for. A plain number is hours in one mode and revisions in the other; 0 is none.
pub(crate) fn policy(mode: &str, retention: &str) -> Result<AutoCompaction, String> {
    let is_revision = match mode {
        "periodic" | "" => false,
        "revision" => true,
        _ => return Err(format!("unknown auto-compaction-mode {mode:?}")),
    };
    let plain = retention.parse::<u64>().ok();
    Ok(match plain {
        _ if retention.is_empty() => AutoCompaction::Off,
        Some(0) => AutoCompaction::Off,
        Some(_) if mode.is_empty() => return Err("--auto-compaction-mode is undefined".into()),
        Some(count) if is_revision => AutoCompaction::Revisions(count),
        Some(hours) => AutoCompaction::Age(Duration::from_secs(hours.saturating_mul(3600))),
        // etcd takes the nanoseconds of "5m" for a number of revisions, which nobody can mean.
        None if is_revision => {
            return Err(format!("--auto-compaction-retention {retention:?} is no number of revisions"));
        }
        None => match values::duration(retention) {
            Ok(Duration::ZERO) => AutoCompaction::Off,
            Ok(age) => AutoCompaction::Age(age),
            Err(reason) => return Err(format!("error parsing CompactionRetention: {reason}")),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_read_as_etcd_reads_it() {
        let age = |secs| Ok(AutoCompaction::Age(Duration::from_secs(secs)));
        for (mode, retention, expected) in [
            ("periodic", "0", Ok(AutoCompaction::Off)),
            ("periodic", "", Ok(AutoCompaction::Off)),
            ("periodic", "0s", Ok(AutoCompaction::Off)),
            ("periodic", "1", age(3600)),
            ("periodic", "5m", age(300)),
            ("periodic", "1h30m", age(5400)),
            ("revision", "1000", Ok(AutoCompaction::Revisions(1000))),
            ("revision", "0", Ok(AutoCompaction::Off)),
            ("", "0", Ok(AutoCompaction::Off)),
            ("", "1", Err("--auto-compaction-mode is undefined")),
            ("foo", "1", Err("unknown auto-compaction-mode \"foo\"")),
            ("periodic", "abc", Err("error parsing CompactionRetention: time: invalid duration \"abc\"")),
            ("periodic", "-1", Err("error parsing CompactionRetention: time: invalid duration \"-1\"")),
            ("revision", "5m", Err("--auto-compaction-retention \"5m\" is no number of revisions")),
        ] {
            assert_eq!(policy(mode, retention), expected.map_err(String::from), "{mode} {retention}");
        }
    }
}
