//! The house rules that a machine can keep, so that reviews are about the rest. Each test says what to do
//! when it fails; ARCHITECTURE.md says why the rules are as they are.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of `kvorum-core`, from the ground up: each imports only from those above it in this list.
const CORE: &[&str] = &[
    // 0: the ground
    "planted",
    "ids",
    "error",
    "time",
    "block",
    // 1: the language
    "request",
    "command",
    "config",
    "storage",
    "transport",
    "check",
    "write",
    "session",
    // 2: what is agreed
    "state",
    // 3: how it is agreed
    "node",
    // 4: handles, and the loop
    "shared",
    "read",
    "reply",
    "mail",
    "status",
    "stats",
    "watch",
    "lease",
    "export",
    "client",
    "members",
    "sugar",
    "lock",
    "election",
    "disk",
    "driver",
];

/// Imports that go up all the same, and why.
const UPWARD: &[(&str, &str, &str)] = &[
    (
        "shared",
        "watch",
        "what a driver shares holds the list of its watches, and a watch holds what is shared",
    ),
    ("mail", "lease", "the mail that asks for a lease to be kept alive names its keeper"),
    ("lease", "client", "a lease's handle revokes through the client that it came from"),
];

/// What a name at the root of `kvorum-core` is exported from.
const EXPORTS: &[(&str, &str)] = &[
    ("Error", "error"),
    ("ErrorKind", "error"),
    ("Outcome", "error"),
    ("Result", "error"),
    ("Time", "time"),
    ("Config", "config"),
    ("Client", "client"),
    ("Write", "write"),
    ("Watch", "watch"),
    ("Lease", "lease"),
    ("Stats", "stats"),
];

/// Where threads are started or waited on, and clocks are read.
const CLOCKS_AND_THREADS: &[(&str, &str)] = &[
    ("src/run.rs", "the running node: its threads, its clock"),
    ("core/src/block.rs", "waiting for a future on the caller's own thread, and the caller's own time-outs"),
    ("transport/src/", "plain threads and blocking sockets"),
    ("storage/src/conformance.rs", "a suite of tests, one of them with an image written on another thread"),
    ("gateway/src/metrics/rpc.rs", "how long calls take, counted only where it is asked for"),
    ("gateway/src/clock.rs", "the end of a stop is waited for also while the runtime stands still"),
    ("gateway/src/taken.rs", "how long nothing was taken of a stream that is not even polled then"),
    (
        "gateway/src/bin/kvorumd/",
        "a process of its own: its log has the time of day, its end is waited for so long",
    ),
];

/// Files that may be longer, and why.
const LONG: &[(&str, &str)] = &[
    ("core/src/request.rs", "etcd's messages, a field a line, half of it documentation"),
    ("sim/src/planted.rs", "a table, a bug a row"),
];

/// `unwrap` and `expect` outside tests, and why they cannot hurt a user's service.
const MAY_PANIC: &[(&str, &str, &str)] = &[
    ("core/src/reply.rs", "expect(polled_again)", "a future polled after it was ready, as the trait allows"),
    ("transport/src/frame.rs", "a Vec has room for every message", "the one way in which encoding fails"),
    ("storage/src/conformance.rs", "", "a suite of tests: panicking is how it speaks"),
];

/// The longest source file, in lines; tests, examples and benches are told as a list and may be longer.
const LONGEST: usize = 500;
const LONGEST_TEST: usize = 800;

struct Source {
    /// From the root of the repository, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// The lines that are code and no test, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = ["\n#[cfg(test)]\nmod tests {", "\n#[cfg(test)]\npub(crate) mod tests {"];
        let end = tests.iter().find_map(|start| self.text.find(start)).unwrap_or(self.text.len());
        let lines = self.text[..end].lines().enumerate();
        lines.filter_map(|(at, line)| {
            let code = line.split(" // ").next().unwrap_or(line);
            (!code.trim_start().starts_with("//")).then_some((at + 1, code))
        })
    }

    fn is_under(&self, start: &str) -> bool {
        self.path.starts_with(start)
    }

    fn is_test(&self) -> bool {
        !self.path.contains("src/") || self.path.contains("/tests/") || self.path.contains("/tests.rs")
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn walk(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                walk(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn files(ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), ending, &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        Source { path, text }
    };
    found.into_iter().map(read).collect()
}

/// The product's own sources: no tests, examples or benches.
fn sources() -> Vec<Source> {
    let houses = ["src/", "core/src/", "storage/src/", "transport/src/", "gateway/src/"];
    let is_product = |file: &Source| houses.iter().any(|house| file.is_under(house)) && !file.is_test();
    files(".rs").into_iter().filter(is_product).collect()
}

/// Whatever a rule found, as one failure.
fn verdict(found: Vec<String>, what_to_do: &str) {
    assert!(found.is_empty(), "\n{}\n\n{what_to_do}\n", found.join("\n"));
}

/// The places in a line where `word` stands by itself.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        !before.is_some_and(is_part) && (word.ends_with(':') || !after.is_some_and(is_part))
    })
}

/// What a line names of its own crate: `crate::x`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).filter(|rest| !rest.is_empty()).map(|rest| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        &rest[..end]
    })
}

fn height(module: &str) -> Option<usize> {
    let module = EXPORTS.iter().find(|(name, _)| *name == module).map_or(module, |(_, home)| home);
    CORE.iter().position(|known| *known == module)
}

#[test]
fn imports_of_the_core_go_down() {
    let mut found = Vec::new();
    for file in sources().iter().filter(|file| file.is_under("core/src/") && file.path != "core/src/lib.rs") {
        let inside = file.path.trim_start_matches("core/src/");
        let module = inside.split(['/', '.']).next().unwrap();
        let Some(here) = height(module) else {
            found.push(format!("{}: the module {module} has no floor", file.path));
            continue;
        };
        for (at, line) in file.code() {
            for name in named(line) {
                let is_known = UPWARD.iter().any(|(from, to, _)| (*from, *to) == (module, name));
                match height(name) {
                    None => found.push(format!("{}:{at}: `{name}` has no floor", file.path)),
                    Some(there) if there > here && !is_known => {
                        found.push(format!(
                            "{}:{at}: {module} imports {name}, which lies above it",
                            file.path
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    verdict(
        found,
        "Each module imports only those below it: move what is needed down, or the code that needs it up. A \
         new module gets its place in CORE in tests/tidy.rs, and a line in ARCHITECTURE.md.",
    );
}

#[test]
fn every_exception_is_still_needed() {
    let mut found = Vec::new();
    let sources = sources();
    for (from, to, _) in UPWARD {
        let file = sources.iter().find(|file| file.path == format!("core/src/{from}.rs")).unwrap();
        if !file.code().any(|(_, line)| named(line).any(|name| name == *to)) {
            found.push(format!("UPWARD: {from} no longer imports {to}"));
        }
    }
    for (path, words, _) in MAY_PANIC {
        if !sources.iter().any(|file| file.path == *path && file.text.contains(words)) {
            found.push(format!("MAY_PANIC: {path}: {words}"));
        }
    }
    let all = files(".rs");
    for (path, _) in LONG {
        if !all.iter().any(|file| file.path == *path && file.text.lines().count() > LONGEST) {
            found.push(format!("LONG: {path}"));
        }
    }
    verdict(found, "Remove these exceptions from tests/tidy.rs: nothing needs them any more.");
}

#[test]
fn the_hands_know_the_core_and_not_each_other() {
    let crates = ["kvorum_core", "kvorum_storage", "kvorum_transport", "kvorum_gateway", "kvorum_sim"];
    let mut found = Vec::new();
    // The server is a user of the whole.
    let is_hand = |file: &&Source| !file.is_under("src/") && !file.is_under("gateway/src/bin/");
    for file in sources().iter().filter(is_hand) {
        let may = if file.is_under("core/") { "" } else { "kvorum_core" };
        for (at, line) in file.code() {
            for name in crates.iter().filter(|name| **name != may && has_word(line, name)) {
                found.push(format!("{}:{at}: {name}", file.path));
            }
        }
    }
    verdict(
        found,
        "storage, transport and gateway import only kvorum_core; the core imports none of our crates.",
    );
}

#[test]
fn raft_is_named_in_one_room() {
    let mut found = Vec::new();
    for file in sources().iter().filter(|file| !file.is_under("core/src/node/")) {
        for (at, line) in file.code() {
            if has_word(line, "raft::") || line.contains("use raft") || has_word(line, "eraftpb") {
                found.push(format!("{}:{at}: {}", file.path, line.trim()));
            }
        }
    }
    verdict(
        found,
        "Only core/src/node names the raft crate. Elsewhere use our own types: see core/src/node/wire.rs.",
    );
}

#[test]
fn clocks_and_threads_stay_in_their_rooms() {
    let mut found = Vec::new();
    for file in sources() {
        if CLOCKS_AND_THREADS.iter().any(|(room, _)| file.is_under(room)) {
            continue;
        }
        for (at, line) in file.code() {
            let words = ["std::thread", "thread::", "Instant", "SystemTime", "UNIX_EPOCH"];
            if words.iter().any(|word| has_word(line, word)) {
                found.push(format!("{}:{at}: {}", file.path, line.trim()));
            }
        }
    }
    verdict(
        found,
        "Time is handed in (kvorum_core::Time), and threads belong to the front door and the transport: \
         anything else cannot be simulated.",
    );
}

#[test]
fn randomness_comes_from_outside() {
    let mut found = Vec::new();
    for file in sources().iter().filter(|file| file.path != "src/builder.rs") {
        for (at, line) in file.code() {
            if ["getrandom", "RandomState", "thread_rng", "rand::"].iter().any(|word| has_word(line, word)) {
                found.push(format!("{}:{at}: {}", file.path, line.trim()));
            }
        }
    }
    verdict(found, "Random numbers are drawn in src/builder.rs and handed down as seeds and identities.");
}

#[test]
fn nothing_is_unsafe() {
    let mut found = Vec::new();
    for file in sources() {
        let is_root = file.path.ends_with("src/lib.rs");
        if is_root && !file.text.contains("#![forbid(unsafe_code)]") {
            found.push(format!("{}: does not forbid it", file.path));
        }
        // A flag of etcd's has the word in its name.
        let is_it = |line: &str| has_word(&line.replace("unsafe-no-fsync", ""), "unsafe");
        for (at, line) in file.code().filter(|(_, line)| is_it(line)) {
            found.push(format!("{}:{at}: {}", file.path, line.trim()));
        }
    }
    verdict(found, "There is no unsafe code here, and every crate's root says #![forbid(unsafe_code)].");
}

#[test]
fn nothing_prints() {
    let mut found = Vec::new();
    for file in sources() {
        for (at, line) in file.code() {
            if ["println!", "eprintln!", "print!", "eprint!", "dbg!"].iter().any(|word| has_word(line, word))
            {
                found.push(format!("{}:{at}: {}", file.path, line.trim()));
            }
        }
    }
    verdict(found, "A library does not write to its user's terminal: say it with an error, or in a status.");
}

#[test]
fn nothing_unwraps() {
    let mut found = Vec::new();
    for file in sources() {
        for (at, line) in file.code() {
            let is_known =
                MAY_PANIC.iter().any(|(path, words, _)| *path == file.path && line.contains(words));
            if (line.contains(".unwrap()") || line.contains(".expect(")) && !is_known {
                found.push(format!("{}:{at}: {}", file.path, line.trim()));
            }
        }
    }
    verdict(
        found,
        "What outsiders get wrong is an error. If it is our own belief, write it as an assertion with its \
         reason, or name the line in MAY_PANIC in tests/tidy.rs.",
    );
}

#[test]
fn every_file_says_what_it_is() {
    let headless = files(".rs").into_iter().filter(|file| !file.text.starts_with("//!"));
    verdict(
        headless.map(|file| file.path).collect(),
        "Begin each file with a //! comment: what it does, and what it will never know.",
    );
}

#[test]
fn files_stay_short() {
    let mut found = Vec::new();
    for file in files(".rs") {
        let (lines, limit) = (file.text.lines().count(), if file.is_test() { LONGEST_TEST } else { LONGEST });
        if lines > limit && !LONG.iter().any(|(path, _)| *path == file.path) {
            found.push(format!("{}: {lines} lines of {limit}", file.path));
        }
    }
    verdict(found, "Which stop of the journey does the newest part belong to? Give it a file of its own.");
}

#[test]
fn every_dependency_has_its_reason() {
    let mut found = Vec::new();
    for file in files("Cargo.toml") {
        let mut is_dependencies = false;
        let mut has_reason = false;
        let mut is_for_tests = false;
        for line in file.text.lines() {
            if line.starts_with('[') {
                is_dependencies = line.trim_end_matches(']').ends_with("dependencies");
                is_for_tests = line == "[dev-dependencies]";
            }
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            let is_ours = name.starts_with("kvorum") || line.contains("workspace = true");
            let is_new = is_dependencies && line.contains('=') && !line.starts_with(['#', ' ', ']']);
            if is_new && !is_ours && !has_reason {
                found.push(format!("{}: {name}", file.path));
            }
            // Tests may take several for one reason.
            let goes_on = is_for_tests && has_reason && !line.is_empty();
            has_reason = line.starts_with('#') || goes_on;
        }
    }
    verdict(found, "Say above each dependency what it is for.");
}

#[test]
fn the_core_needs_no_runtime_and_no_logger() {
    let manifest = fs::read_to_string(root().join("core/Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    let banned = ["tokio", "async-std", "smol", "log ", "log.", "rand ", "rand."];
    let found = banned.iter().filter(|name| dependencies.lines().any(|line| line.starts_with(*name)));
    verdict(
        found.map(|name| (*name).to_string()).collect(),
        "Nothing in the core may need a runtime, a logger, a global or a generator of random numbers.",
    );
}

#[test]
fn the_readme_names_every_example() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut missing = Vec::new();
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_string();
        if !readme.contains(&format!("| `{name}` |")) {
            missing.push(name);
        }
    }
    verdict(missing, "Give each example a row in the README's table of examples.");
}

#[test]
fn links_lead_somewhere() {
    let mut found = Vec::new();
    for file in files(".md") {
        let here = root().join(&file.path);
        for link in file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            let is_local = !path.is_empty() && !link.contains("://");
            if is_local && !here.parent().unwrap().join(path).exists() {
                found.push(format!("{}: {link}", file.path));
            }
        }
    }
    verdict(found, "These links in Markdown files lead nowhere.");
}

#[test]
fn the_readme_says_the_defaults_that_are() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let config = kvorum::Config::new(1, [1]);
    let grouped = |n: u128| {
        let digits = n.to_string();
        let parts: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap()).collect();
        parts.join(",")
    };
    let mib = |bytes: u64| match bytes {
        _ if bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => format!("{} MiB", bytes as f64 / f64::from(1 << 20)),
    };
    let rows = [
        ("cluster_name", format!("`{}`", config.cluster_name)),
        ("heartbeat", format!("{} ms", config.heartbeat.as_millis())),
        ("election_timeout", format!("{} s", config.election_timeout.as_secs())),
        ("request_timeout", format!("{} s", config.request_timeout.as_secs())),
        ("quota_bytes", mib(config.quota_bytes)),
        ("limits.request_bytes", mib(config.limits.request_bytes as u64)),
        ("limits.txn_ops", grouped(config.limits.txn_ops as u128)),
        ("limits.txn_depth", grouped(config.limits.txn_depth as u128)),
        ("limits.lease_ttl", format!("{} s", grouped(config.limits.lease_ttl.unsigned_abs().into()))),
        ("limits.pending", grouped(config.limits.pending as u128)),
        ("limits.uncommitted_bytes", mib(config.limits.uncommitted_bytes)),
        ("max_sessions", grouped(config.max_sessions.into())),
        ("image_log_bytes", mib(config.image_log_bytes)),
        ("keep_bytes", mib(config.keep_bytes)),
        ("catch_up_bytes", mib(config.catch_up_bytes)),
    ];
    let wrong = rows.iter().map(|(name, value)| format!("| `{name}` | {value} |"));
    verdict(
        wrong.filter(|row| !readme.contains(row)).collect(),
        "The README's table of settings should have these rows.",
    );
}
