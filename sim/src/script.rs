//! A run as a text to read: commands, and below each the cluster's own words.
//!
//! ```text
//! > nodes 3
//! > leader
//! node 2 leads term 1
//! > put 1 color red
//! 1: put color=red: revision 2
//! ```
//!
//! `L` stands for the leader, `F` and `G` for the two others, as they were when last asked for by `leader`; every other
//! NODE is a number. These are the commands:
//!
//! | command | what it does |
//! | --- | --- |
//! | `set NAME NUMBER` | before `nodes`: sets each node's image-log-bytes, keep-bytes, catch-up-bytes or quota-bytes |
//! | `nodes COUNT` | starts a cluster of so many, once |
//! | `run MILLISECONDS` | lets time pass, and tells who leads and who halts meanwhile |
//! | `leader` | waits for a leader, and names it and the others |
//! | `status` | what each node is and knows |
//! | `kill NODE` | kills its process |
//! | `power NODE` | its machine loses its power, and what was not synced |
//! | `start NODE` | starts it, if it does not run |
//! | `wipe NODE` | gives one that does not run an empty disk |
//! | `hold-disk NODE` | its disk does nothing |
//! | `release-disk NODE` | its disk goes on |
//! | `cut FROM TO` | the second node does not hear the first |
//! | `heal` | all hear one another |
//! | `put NODE KEY VALUE [LEASE]` | puts, and waits for the answer, 20 s at most, as do all below it |
//! | `get NODE KEY` | reads what the cluster agrees on |
//! | `grant NODE LEASE SECONDS` | grants a lease of that number |
//! | `keep-alive NODE LEASE` | renews a lease |
//! | `ttl NODE LEASE` | how long a lease has left, and its keys |
//! | `compact NODE REVISION` | forgets what was before it |
//! | `lift NODE` | lets a store that was full grow again |
//! | `transfer NODE TO` | hands leadership over |
//! | `open-session NODE` | opens the session of `session-put` |
//! | `session-put NODE SEQUENCE KEY VALUE` | puts, as that write of the session: once, however often it is sent |
//! | `begin NAME COMMAND` | asks one of the above, from `put` on, and does not wait |
//! | `await NAME` | waits for the answer to what was begun, 20 s at most |
//! | `peek NAME` | its answer, if it is there |
//! | `watch NAME NODE PREFIX REVISION` | watches keys from a revision on |
//! | `events NAME` | what a watch has told since |
//! | `local NODE KEY` | what a node itself holds |

use std::fmt;
use std::fmt::Write as _;

mod asked;
mod commands;
mod usage;

use commands::Script;

/// A line of a script that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadLine {
    /// Which line, counted from 1.
    pub line: usize,
    /// The command on it.
    pub command: String,
    /// What could have stood there.
    pub expected: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, `{}`: expected {}", self.line, self.command, self.expected)
    }
}

impl std::error::Error for BadLine {}

/// Runs a script: answers it with the cluster's words below each command. Lines that begin with `#`, and empty
/// ones, stay as they are; all other lines that are no commands are replaced.
///
/// ```
/// let said = kvorum_sim::script::run("> nodes 3\n> leader\n> put F color red\n> get G color")?;
/// assert!(said.ends_with("> get G color\nget G color: red\n"), "{said}");
/// # Ok::<(), kvorum_sim::script::BadLine>(())
/// ```
///
/// # Errors
///
/// The first line that is no command, or one that cannot be carried out there.
pub fn run(text: &str) -> Result<String, BadLine> {
    let mut script = Script::new();
    let mut out = String::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(command) = line.strip_prefix('>') {
            let _ = writeln!(out, "{line}");
            let bad = |expected| BadLine { line: number + 1, command: command.trim().into(), expected };
            let words = script.command(command).map_err(bad)?;
            words.lines().for_each(|word| _ = writeln!(out, "{word}"));
        } else if line.is_empty() || line.starts_with('#') {
            let _ = writeln!(out, "{line}");
        }
    }
    Ok(out)
}
