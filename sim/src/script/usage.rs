//! How commands are written, and what is said of one that is written otherwise.

use std::str::FromStr;

/// How each command is written: the module's text says what it does.
const USAGES: [&str; 29] = [
    "set NAME NUMBER",
    "nodes COUNT",
    "run MILLISECONDS",
    "leader",
    "status",
    "kill NODE",
    "power NODE",
    "start NODE",
    "wipe NODE",
    "hold-disk NODE",
    "release-disk NODE",
    "cut FROM TO",
    "heal",
    "put NODE KEY VALUE [LEASE]",
    "get NODE KEY",
    "grant NODE LEASE SECONDS",
    "keep-alive NODE LEASE",
    "ttl NODE LEASE",
    "compact NODE REVISION",
    "lift NODE",
    "transfer NODE TO",
    "open-session NODE",
    "session-put NODE SEQUENCE KEY VALUE",
    "begin NAME COMMAND",
    "await NAME",
    "peek NAME",
    "watch NAME NODE PREFIX REVISION",
    "events NAME",
    "local NODE KEY",
];

/// A number, by what it stands for.
pub(super) fn number<T: FromStr>(word: &str, what: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{what} instead of `{word}`"))
}

/// What is expected of whoever writes this.
pub(super) fn usage(parts: &[&str]) -> String {
    let verb = parts.first().copied().unwrap_or_default();
    let is_of = |usage: &&&str| usage.split(' ').next() == Some(verb);
    match USAGES.iter().find(is_of) {
        Some(usage) => format!("`{usage}`"),
        None => format!("a command: {}", USAGES.map(|usage| format!("`{usage}`")).join(", ")),
    }
}
