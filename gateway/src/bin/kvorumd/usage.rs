//! What is printed instead of serving: help and versions.

use std::fmt::Write;

use crate::flags::{Flag, Stand, all, find};
use crate::serve::ETCD_VERSION;

const HEAD: &str = "Usage:

  kvorumd [flags]
    Serve one member of a kvorum cluster to etcd's clients. Without flags: one durable node on 127.0.0.1:2379.

  kvorumd import FILE [flags]
    Make the data directory of a new member from an etcd snapshot; 'kvorumd import --help' has more.

  kvorumd --version
    Show the version.

  kvorumd -h | --help
    Show the help information.

Flags are etcd's, and so are the environment variables (ETCD_DATA_DIR for --data-dir); a flag goes before its variable.

";

const IMPORT_HEAD: &str = "Usage:

  kvorumd import FILE [flags]
    Make the data directory of a new member from FILE, which 'etcdctl snapshot save FILE' wrote. Every member of a
    cluster imports the same FILE, with the flags that it will be started with, or its
    ETCD_... variables, or its --config-file. All of kvorumd's flags are taken.

Flags:
  --skip-hash-check 'false'
    Do not look at the hash behind the snapshot: for a database that was copied out of the data directory of an etcd that
    is stopped (member/snap/db), which has none.
";

/// The flags that say something to an import.
const IMPORTS: &[&str] =
    &["name", "data-dir", "initial-cluster", "initial-cluster-token", "initial-advertise-peer-urls"];

/// The help of `import`.
pub(crate) fn import_help() -> String {
    let mut text = IMPORT_HEAD.to_string();
    for flag in IMPORTS.iter().filter_map(|name| find(name)) {
        if let Stand::Used(words) = flag.stand {
            line(&mut text, flag, words);
        }
    }
    text
}

fn line(text: &mut String, flag: &Flag, words: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  --{} '{}'\n    {words}", flag.name, flag.default);
}

/// The help.
pub(crate) fn help() -> String {
    let mut text = HEAD.to_string();
    let section = |text: &mut String, title: &str, pick: fn(Stand) -> Option<&'static str>| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{title}:");
        for flag in all() {
            if let Some(words) = pick(flag.stand) {
                line(text, flag, words);
            }
        }
        text.push('\n');
    };
    section(&mut text, "Supported", |stand| match stand {
        Stand::Used(words) => Some(words),
        _ => None,
    });
    section(&mut text, "Accepted with a warning, because they would change nothing", |stand| match stand {
        Stand::Moot(words) => Some(words),
        _ => None,
    });
    section(&mut text, "Refused, unless they ask for the default", |stand| match stand {
        Stand::Refused(words) => Some(words),
        _ => None,
    });
    text
}

/// The versions.
pub(crate) fn version() -> String {
    format!(
        "kvorumd Version: {}\netcd API Version: {ETCD_VERSION}\nOS/Arch: {}/{}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
