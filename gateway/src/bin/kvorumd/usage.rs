//! What is printed instead of serving: help and versions.

use std::fmt::Write;

use crate::flags::{Stand, all};
use crate::serve::ETCD_VERSION;

const HEAD: &str = "Usage:

  kvorumd [flags]
    Serve one member of a kvorum cluster to etcd's clients. Without flags: one durable node on 127.0.0.1:2379.

  kvorumd import FILE [flags]
    Make the data directory of a new member from an etcd snapshot.

  kvorumd --version
    Show the version.

  kvorumd -h | --help
    Show the help information.

Flags are etcd's, and so are the environment variables (ETCD_DATA_DIR for --data-dir); a flag goes before its variable.

";

/// The help.
pub(crate) fn help() -> String {
    let mut text = HEAD.to_string();
    let section = |text: &mut String, title: &str, pick: fn(Stand) -> Option<&'static str>| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{title}:");
        for flag in all() {
            if let Some(words) = pick(flag.stand) {
                let _ = writeln!(text, "  --{} '{}'\n    {words}", flag.name, flag.default);
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
