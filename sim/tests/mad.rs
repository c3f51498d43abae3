//! Runs the second tier (`tests/mad_seeds.rs`), which needs a flag that the rest is built without.
//!
//! It has a target directory and a profile of its own: nothing else is built anew because of it, whatever flags
//! are set, and nobody who uses the library ever sees the flag. `KVORUM_SEEDS`, `KVORUM_SEED`,
//! `KVORUM_FIRST_SEED` and `KVORUM_SECONDS` are passed on; `KVORUM_MAD=0` leaves it out.
#![cfg(not(madsim))]

use std::path::Path;
use std::process::{Command, Output};

/// What separates flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: char = '\x1f';

/// Why it cannot run here, if so.
fn obstacle() -> Option<String> {
    if cfg!(not(any(target_os = "linux", target_os = "macos"))) {
        return Some("madsim takes the place of libc's clock and chance, here it cannot".into());
    }
    if std::env::var("KVORUM_MAD").is_ok_and(|says| says == "0") {
        return Some("KVORUM_MAD=0".into());
    }
    let tree =
        cargo(&["tree", "-p", "kvorum-sim", "--offline", "--depth", "1"]).map(|mut cargo| cargo.output());
    match tree {
        Some(Ok(output)) if output.status.success() => None,
        // Not fetched yet: that is no obstacle unless it cannot be.
        Some(Ok(_)) => {
            let fetched = cargo(&["fetch"]).and_then(|mut cargo| cargo.output().ok());
            let is_there = fetched.as_ref().is_some_and(|output| output.status.success());
            (!is_there).then(|| format!("madsim cannot be fetched: {}", last_words(fetched)))
        }
        Some(Err(error)) => Some(format!("cargo does not run: {error}")),
        None => Some("no cargo is running this".into()),
    }
}

fn last_words(output: Option<Output>) -> String {
    let words = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
    words.lines().last().unwrap_or_default().to_string()
}

/// Cargo, as it runs this test, with one more flag for the compiler.
fn cargo(arguments: &[&str]) -> Option<Command> {
    let mut cargo = Command::new(std::env::var_os("CARGO")?);
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    // Whatever is set in the environment goes before `--config`, which would then say nothing: it is extended.
    let encoded = std::env::var("CARGO_ENCODED_RUSTFLAGS").ok();
    let plain = std::env::var("RUSTFLAGS").ok();
    let set = encoded.or_else(|| plain.map(|flags| words(&flags)));
    match set {
        Some(flags) => {
            let all: Vec<&str> = flags.split(SEPARATOR).filter(|flag| !flag.is_empty()).collect();
            let all = [&all[..], &["--cfg", "madsim"]].concat();
            cargo.env("CARGO_ENCODED_RUSTFLAGS", all.join(&SEPARATOR.to_string())).env_remove("RUSTFLAGS");
        }
        None => _ = cargo.args(["--config", r#"build.rustflags=["--cfg","madsim"]"#]),
    }
    cargo.args(arguments);
    Some(cargo)
}

fn words(flags: &str) -> String {
    flags.split_whitespace().collect::<Vec<_>>().join(&SEPARATOR.to_string())
}

#[test]
fn seeds_under_madsim() {
    if let Some(why) = obstacle() {
        println!("the second tier is left out: {why}");
        return;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../madsim");
    let test = [
        "test",
        "-p",
        "kvorum-sim",
        "--test",
        "mad_seeds",
        "--test",
        "mad_service",
        "--profile",
        "mad",
        "--target-dir",
    ];
    let Some(mut cargo) = cargo(&test) else { return };
    let output = cargo.arg(directory).args(["--", "--nocapture"]).output().expect("it has run before");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let is_run = |tests: &str| said.contains(&format!("{tests} passed"));
    assert!(is_run("1") && is_run("2"), "nothing was run: the flag has not come through");
}
