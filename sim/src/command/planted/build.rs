//! Builds our own crates with a planted bug, and runs what was built.
//!
//! The flag goes through a wrapper around rustc that cargo uses for the workspace's crates only, so that
//! what comes from the registry is built once. Each bug has a wrapper of its own: cargo counts its path to
//! what tells one build from another, so that nothing built with one bug is taken for another's.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use super::Stop;

/// Where the workspace is.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What came of looking for a bug.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A checker found fault with the last of so many seeds.
    Broken { checker: String, seeds: u64 },
    /// Nobody found fault with any.
    Nothing { seeds: u64 },
    /// The command ended early, without a word about the next seed.
    Died { seeds: u64 },
    /// The time was up.
    TooLate { seeds: u64 },
    /// The test that must fail does.
    TestFailed,
    /// The test that must fail does not.
    TestPassed,
    /// No test goes by that name.
    NoSuchTest,
}

/// Where planted bugs are built.
pub(super) struct Workshop {
    target: PathBuf,
    profile: String,
    jobs: Option<usize>,
}

/// Done, or the log that tells why not.
type Built = Result<(), PathBuf>;

impl Workshop {
    pub(super) fn new(profile: &str, jobs: Option<usize>) -> Result<Workshop, Stop> {
        let target = root().canonicalize()?.join("target/planted");
        fs::create_dir_all(target.join("wrappers"))?;
        fs::create_dir_all(target.join("logs"))?;
        Ok(Workshop { target, profile: profile.into(), jobs })
    }

    /// The script that hands rustc the flag.
    fn wrapper(&self, plant: &str) -> Result<PathBuf, Stop> {
        let path = self.target.join("wrappers").join(plant);
        let script =
            format!("#!/bin/sh\nrustc=$1\nshift\nexec \"$rustc\" \"$@\" --cfg 'planted=\"{plant}\"'\n");
        if fs::read_to_string(&path).is_ok_and(|old| old == script) {
            return Ok(path);
        }
        fs::write(&path, script)?;
        make_executable(&path)?;
        Ok(path)
    }

    fn cargo(&self, plant: &str, words: &[&str]) -> Result<Command, Stop> {
        // What `cargo run` sets describes its own build.
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(root()).args(words).args(["--profile", &self.profile]);
        cargo.env("CARGO_TARGET_DIR", &self.target).env("RUSTC_WORKSPACE_WRAPPER", self.wrapper(plant)?);
        cargo.stdin(Stdio::null());
        if let Some(jobs) = self.jobs {
            cargo.args(["--jobs", &jobs.to_string()]);
        }
        Ok(cargo)
    }

    fn build(&self, plant: &str, words: &[&str]) -> Result<Built, Stop> {
        let log = self.target.join("logs").join(format!("{plant}.txt"));
        let file = File::create(&log)?;
        let status = self.cargo(plant, words)?.stdout(file.try_clone()?).stderr(file).status()?;
        Ok(if status.success() { Ok(()) } else { Err(log) })
    }

    /// Builds this command with a bug in it.
    pub(super) fn build_command(&self, plant: &str) -> Result<Built, Stop> {
        self.build(plant, &["build", "-p", "kvorum-sim", "--bin", "kvorum-sim"])
    }

    /// Builds a test with a bug in what it tests.
    pub(super) fn build_test(&self, plant: &str, target: &str) -> Result<Built, Stop> {
        let (mut words, _) = test_words(target);
        words.push("--no-run");
        self.build(plant, &words)
    }

    /// Runs the command that was built last until it finds fault with a seed.
    pub(super) fn search(&self, from: u64, budget: u64, seconds: f64, until: Instant) -> Result<Found, Stop> {
        let profile = if self.profile == "dev" { "debug" } else { &self.profile };
        let mut command = Command::new(self.target.join(profile).join("kvorum-sim"));
        command.args(["run", "--json", "--seeds", &budget.to_string(), "--from", &from.to_string()]);
        command.args(["--seconds", &seconds.to_string()]);
        if let Some(jobs) = self.jobs {
            command.args(["--jobs", &jobs.to_string()]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let lines = lines_of(&mut child);
        let found = look_for_a_violation(&lines, until, budget);
        // It may have more to say that nobody wants to hear.
        _ = child.kill();
        child.wait()?;
        Ok(found)
    }

    /// Runs the test that must fail.
    pub(super) fn run_test(&self, plant: &str, target: &str, until: Instant) -> Result<Found, Stop> {
        let (words, filter) = test_words(target);
        let mut command = self.cargo(plant, &words)?;
        if let Some(filter) = filter {
            command.args(["--", filter]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let lines = lines_of(&mut child);
        let mut said = Vec::new();
        let is_over = loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => said.push(line),
                Err(error) => break error == mpsc::RecvTimeoutError::Disconnected,
            }
        };
        if !is_over {
            _ = child.kill();
        }
        let status = child.wait()?;
        let ran = said.iter().any(|line| line.starts_with("test ") && line.contains(" ... "));
        Ok(match (is_over, ran) {
            // It stands still: a test that never ends is no test that passes.
            (false, _) => Found::TooLate { seeds: 0 },
            (true, false) => Found::NoSuchTest,
            (true, true) if status.success() => Found::TestPassed,
            (true, true) => Found::TestFailed,
        })
    }
}

/// Cargo's words for `<target>[::<filter>]`, and the filter. `core`, `storage` and `sim` are those packages'
/// own unit tests; anything else is a file in sim/tests.
fn test_words(target: &str) -> (Vec<&str>, Option<&str>) {
    let (target, filter) = match target.split_once("::") {
        Some((target, filter)) => (target, Some(filter)),
        None => (target, None),
    };
    let words = match target {
        "core" => vec!["test", "-p", "kvorum-core", "--lib"],
        "storage" => vec!["test", "-p", "kvorum-storage", "--lib"],
        "sim" => vec!["test", "-p", "kvorum-sim", "--lib"],
        file => vec!["test", "-p", "kvorum-sim", "--test", file],
    };
    (words, filter)
}

/// A process's lines, read on a thread so that waiting for one can end.
fn lines_of(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let output = child.stdout.take().expect("its output was asked for");
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn look_for_a_violation(lines: &mpsc::Receiver<String>, until: Instant, budget: u64) -> Found {
    let mut seeds = 0;
    loop {
        let line = match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Timeout) => return Found::TooLate { seeds },
            Err(mpsc::RecvTimeoutError::Disconnected) if seeds < budget => return Found::Died { seeds },
            Err(mpsc::RecvTimeoutError::Disconnected) => return Found::Nothing { seeds },
        };
        seeds += 1;
        if let Some(checker) = checker_in(&line) {
            return Found::Broken { checker: checker.into(), seeds };
        }
    }
}

/// The checker in a line of `run --json`: it stands right behind the seed.
fn checker_in(line: &str) -> Option<&str> {
    let (_, rest) = line.strip_prefix("{\"seed\":")?.split_once(",\"checker\":\"")?;
    Some(rest.split_once('"')?.0)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<(), Stop> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<(), Stop> {
    Err(Stop::trouble("planted bugs are built through a shell script: this system has none"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvorum_sim::{Checker, Run, Violation};

    #[test]
    fn a_line_tells_who_found_fault() {
        let mut run = Run { seed: 7, ..Run::default() };
        assert_eq!(checker_in(&run.json()), None);
        run.violation = Some(Violation::new(Checker::Durability, "\"checker\":\"x\"", "a"));
        assert_eq!(checker_in(&run.json()), Some("durability"));
    }

    #[test]
    fn tests_are_named_by_file_and_filter() {
        assert_eq!(test_words("sync"), (vec!["test", "-p", "kvorum-sim", "--test", "sync"], None));
        let (words, filter) = test_words("core::node::tests::a");
        assert_eq!((words[2], filter), ("kvorum-core", Some("node::tests::a")));
    }
}
