//! etcdctl as a process, and what it prints with everything left out that differs from server to server. What it will
//! never know: what it should print.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// How long one command may take; a check of performance takes a minute.
const LIMIT: Duration = Duration::from_secs(180);
/// Names before numbers that every server has its own of.
const OWN: [&str; 12] = [
    "cluster_id",
    "member_id",
    "raft_term",
    "ClusterID",
    "MemberID",
    "RaftTerm",
    "dbSize",
    "dbSizeInUse",
    "raftIndex",
    "raftTerm",
    "raftAppliedIndex",
    "hash",
];

/// The tool, for one server.
pub(crate) struct Etcdctl {
    binary: PathBuf,
    endpoints: String,
}

impl Etcdctl {
    pub(crate) fn new(folder: &Path, endpoints: &str) -> Etcdctl {
        Etcdctl { binary: folder.join("etcdctl"), endpoints: endpoints.into() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.env("ETCDCTL_API", "3").arg(format!("--endpoints={}", self.endpoints)).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end: what it printed, as it is, or what it complained of.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut child = self.command(arguments).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let (said, complaint) = (all_of(child.stdout.take().unwrap()), all_of(child.stderr.take().unwrap()));
        let said = said.recv_timeout(LIMIT).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("etcdctl {arguments:?} does not end")
        });
        let complaint = complaint.recv_timeout(LIMIT).unwrap();
        let code = child.wait().unwrap().code();
        // The rest is its log, with times.
        let complaint = complaint.lines().filter(|line| line.starts_with("Error: "));
        complaint.fold(format!("{said}exit: {code:?}\n"), |text, line| text + line + "\n")
    }

    /// Starts a command that goes on until it is dropped.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Running { child, lines }
    }
}

fn all_of(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, all) = channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = pipe.read_to_end(&mut text);
        sender.send(String::from_utf8_lossy(&text).into_owned())
    });
    all
}

/// A command that goes on.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Says something to it.
    pub(crate) fn tell(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Its next lines.
    pub(crate) fn lines(&self, count: usize) -> String {
        let line = |at| self.lines.recv_timeout(LIMIT).unwrap_or_else(|_| format!("(no line {at} in time)"));
        (0..count).map(|at| line(at) + "\n").collect()
    }

    /// Asks it to end. (Not by SIGINT, which is ignored by what is started in the background of a shell.)
    pub(crate) fn interrupt(mut self) -> Option<i32> {
        let line = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Leaves out what differs from server to server: ports, long numbers, terms, sizes, times, and a table's widths.
pub(crate) fn masked(text: &str) -> String {
    let is_border = |line: &&str| line.starts_with(['┌', '├', '└']);
    text.lines().filter(|line| !is_border(line)).map(|line| masked_line(line) + "\n").collect()
}

fn masked_line(line: &str) -> String {
    // A table, or a member's state in a line.
    for (is_it, between) in [(line.starts_with('│'), "│"), (line.starts_with("127.0.0.1:"), ", ")] {
        if is_it {
            let cells = line.split(between).map(|cell| masked_cell(cell.trim()));
            return cells.collect::<Vec<_>>().join(" | ");
        }
    }
    masked_words(line.split_once("took ").map_or(line, |(before, _)| before))
}

fn masked_words(line: &str) -> String {
    let mut text = String::new();
    let mut word = String::new();
    for c in line.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        let is_own = is_number(&word) && OWN.iter().any(|name| is_named(&text, name));
        text += if is_own || is_long(&word) || is_port(&text, &word) { "_" } else { &word };
        word.clear();
        text.push(c);
    }
    text.trim_end().into()
}

/// A cell of a table of members and their states.
fn masked_cell(cell: &str) -> String {
    let is_amount = [" B", " kB", " MB", "µs", "ms"].iter().any(|unit| cell.ends_with(unit));
    if is_number(cell) || is_amount { "_".into() } else { masked_words(cell) }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_digit())
}

/// The number of a lease, a member or a cluster, decimal or hexadecimal.
fn is_long(word: &str) -> bool {
    word.len() >= 12 && word.chars().all(|c| c.is_ascii_hexdigit())
}

fn is_port(before: &str, word: &str) -> bool {
    is_number(word) && (before.ends_with("127.0.0.1:") || before.ends_with("localhost:"))
}

/// Whether a number behind this text is called so: `"name":` or `"name" : `.
fn is_named(before: &str, name: &str) -> bool {
    before.trim_end().trim_end_matches(':').trim_end().ends_with(&format!("\"{name}\""))
}
