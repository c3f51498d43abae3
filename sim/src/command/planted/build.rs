//! Builds our own crates with all planted bugs in them, and runs what was built with one of them switched on.
//!
//! The flag goes through a wrapper around rustc that cargo uses for the workspace's crates only, so that
//! what comes from the registry is not built with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use kvorum_sim::planted::program::{Program, split};

use super::Stop;

/// The environment variable that switches a bug on.
const SWITCH: &str = "KVORUM_PLANTED";

const WRAPPER: &str = "#!/bin/sh\nrustc=$1\nshift\nexec \"$rustc\" \"$@\" --cfg 'planted=\"any\"'\n";

/// Where the workspace is.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What came of looking for a bug.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A checker found fault with the last of so many seeds.
    Broken { checker: String, seeds: u64 },
    /// It found fault with that seed without the bug, too.
    FalseAlarm { checker: String, seeds: u64 },
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
    /// The test that must fail does so without the bug, too.
    TestAlwaysFails,
    /// No test goes by that name.
    NoSuchTest,
}

/// The seeds of a search.
#[derive(Clone, Copy)]
pub(super) struct Seeds {
    pub(super) from: u64,
    pub(super) budget: u64,
    pub(super) seconds: f64,
    pub(super) jobs: usize,
}

/// Planted bugs, built.
pub(super) struct Workshop {
    target: PathBuf,
    profile: String,
    /// The programs with tests in them, by the names that the table has for them.
    tests: BTreeMap<String, PathBuf>,
}

impl Workshop {
    pub(super) fn new(profile: &str) -> Result<Workshop, Stop> {
        let target = root().canonicalize()?.join("target/planted");
        fs::create_dir_all(target.join("logs"))?;
        let wrapper = target.join("rustc-with-bugs");
        // Cargo builds everything anew when it has changed.
        if !fs::read_to_string(&wrapper).is_ok_and(|old| old == WRAPPER) {
            fs::write(&wrapper, WRAPPER)?;
            make_executable(&wrapper)?;
        }
        Ok(Workshop { target, profile: profile.into(), tests: BTreeMap::new() })
    }

    /// What cargo says to these words, if all is well.
    fn cargo(&self, words: &[String]) -> Result<String, Stop> {
        // What `cargo run` sets describes its own build.
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(root()).args(words).args(["--profile", &self.profile]);
        cargo.env("CARGO_TARGET_DIR", &self.target);
        cargo.env("RUSTC_WORKSPACE_WRAPPER", self.target.join("rustc-with-bugs"));
        let log = self.target.join("logs/build.txt");
        let output = cargo.stdin(Stdio::null()).stderr(File::create(&log)?).output()?;
        if !output.status.success() {
            return Err(Stop::trouble(format!("planted bugs do not build: see {}", log.display())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Builds this command.
    pub(super) fn build_command(&self) -> Result<(), Stop> {
        self.cargo(&["build", "-p", "kvorum-sim", "--bin", "kvorum-sim"].map(Into::into)).map(|_| ())
    }

    /// Builds the programs in which these tests are, one by one: what nobody asks for is not built. Where a test
    /// starts a command of its own package, cargo builds that along with it, bugs and all.
    pub(super) fn build_tests(&mut self, tests: &[&str]) -> Result<(), Stop> {
        let programs: BTreeSet<&str> = tests.iter().map(|test| split(test).0).collect();
        for program in programs {
            let mut words = ["test", "--no-run", "--message-format", "json"].map(String::from).to_vec();
            words.extend(Program::named(program).words());
            let said = self.cargo(&words)?;
            let built = said.lines().rev().find_map(executable_in);
            let path = built.ok_or_else(|| Stop::trouble(format!("cargo built no tests for `{program}`")))?;
            self.tests.insert(program.into(), path.into());
        }
        Ok(())
    }

    fn start(&self, program: &Path, folder: &str, plant: &str, words: &[String]) -> Result<Child, Stop> {
        let mut command = Command::new(program);
        // As cargo does for tests, some of which read files.
        command.current_dir(root().join(folder));
        command.args(words).env(SWITCH, plant).env("RUST_BACKTRACE", "0");
        Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?)
    }

    /// Runs seeds with a bug until a checker finds fault with one.
    pub(super) fn search(&self, plant: &str, seeds: Seeds, until: Instant) -> Result<Found, Stop> {
        let found = self.run_seeds(plant, seeds, until)?;
        let Found::Broken { checker, seeds: tried } = found else { return Ok(found) };
        // Whoever finds fault with it without the bug has not found the bug.
        let same = Seeds { from: seeds.from + tried - 1, budget: 1, jobs: 1, ..seeds };
        Ok(match self.run_seeds("", same, until + std::time::Duration::from_secs(60))? {
            Found::Nothing { .. } => Found::Broken { checker, seeds: tried },
            _ => Found::FalseAlarm { checker, seeds: tried },
        })
    }

    fn run_seeds(&self, plant: &str, seeds: Seeds, until: Instant) -> Result<Found, Stop> {
        let profile = if self.profile == "dev" { "debug" } else { &self.profile };
        let program = self.target.join(profile).join("kvorum-sim");
        let words = format!(
            "run --json --seeds {} --from {} --seconds {} --jobs {}",
            seeds.budget, seeds.from, seeds.seconds, seeds.jobs
        );
        let words: Vec<String> = words.split(' ').map(String::from).collect();
        let mut child = self.start(&program, "sim", plant, &words)?;
        let found = look_for_a_violation(&lines_of(&mut child), until, seeds.budget);
        // It may have more to say that nobody wants to hear.
        _ = child.kill();
        child.wait()?;
        Ok(found)
    }

    /// Runs the test that must fail with a bug, and pass without.
    pub(super) fn run_test(&self, plant: &str, test: &str, until: Instant) -> Result<Found, Stop> {
        match self.run_test_once("", test, until)? {
            Found::TestPassed => self.run_test_once(plant, test, until),
            Found::TestFailed => Ok(Found::TestAlwaysFails),
            other => Ok(other),
        }
    }

    fn run_test_once(&self, plant: &str, test: &str, until: Instant) -> Result<Found, Stop> {
        let (program, name) = split(test);
        let words = ["--exact", name].map(String::from);
        let mut child = self.start(&self.tests[program], Program::named(program).folder, plant, &words)?;
        let lines = lines_of(&mut child);
        let mut ran = false;
        let is_over = loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => ran |= line.starts_with("test ") && line.contains(" ... "),
                Err(error) => break error == mpsc::RecvTimeoutError::Disconnected,
            }
        };
        if !is_over {
            _ = child.kill();
        }
        let status = child.wait()?;
        Ok(match (is_over, ran) {
            // It stands still: a test that never ends is no test that passes.
            (false, _) => Found::TooLate { seeds: 0 },
            (true, false) => Found::NoSuchTest,
            (true, true) if status.success() => Found::TestPassed,
            (true, true) => Found::TestFailed,
        })
    }
}

/// The program in a line of cargo's JSON, if it is one with tests in it.
fn executable_in(line: &str) -> Option<&str> {
    let (profile, rest) = line.split_once("\"profile\":{")?.1.split_once('}')?;
    let (path, _) = rest.split_once("\"executable\":\"")?.1.split_once('"')?;
    profile.contains("\"test\":true").then_some(path)
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
    fn cargo_says_where_a_program_with_tests_is() {
        let line = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"x","doc":false,"test":true},"profile":{"test":true},"executable":"/t/x-1","fresh":true}"#;
        assert_eq!(executable_in(line), Some("/t/x-1"));
        assert_eq!(executable_in(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
