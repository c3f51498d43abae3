//! Clients of others, unchanged: the crate `etcd-client` against three members. (etcdctl and others are tried elsewhere.)
//!
//! It cannot be a dependency of this package: its build script wants `protoc`, and nothing but a Rust toolchain may be
//! needed here. So cargo runs once more, in `gateway/clients`, builds a `protoc` first, and has a target directory of
//! its own. `KVORUM_CLIENTS=0` leaves it out.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Cargo, as it runs this test, in the other workspace.
fn cargo(arguments: &[&str]) -> Result<Output, String> {
    let cargo = std::env::var_os("CARGO").ok_or("no cargo is running this")?;
    let mut command = Command::new(cargo);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")).args(arguments);
    command.env("CARGO_TARGET_DIR", target()).env("PROTOC", target().join("debug/protoc"));
    command.output().map_err(|error| format!("cargo does not run: {error}"))
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../clients")
}

/// Why it cannot run here, if so.
fn obstacle() -> Option<String> {
    if std::env::var("KVORUM_CLIENTS").is_ok_and(|says| says == "0") {
        return Some("KVORUM_CLIENTS=0".into());
    }
    match cargo(&["fetch", "--locked"]) {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("it cannot be fetched: {}", text(&output.stderr))),
        Err(why) => Some(why),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_crate_etcd_client_works_unchanged() {
    if let Some(why) = obstacle() {
        return println!("etcd-client is left out: {why}");
    }
    let built = cargo(&["build", "--locked", "--offline", "-p", "protoc"]).unwrap();
    assert!(built.status.success(), "{}", text(&built.stderr));
    let gates = common::three().await;
    let endpoints: Vec<String> =
        gates.iter().map(|gate| gate.server.local_addresses()[0].to_string()).collect();
    let run = ["run", "--locked", "--offline", "-p", "try-etcd-client", "--"].map(String::from);
    let output = tokio::task::spawn_blocking(move || {
        let all: Vec<&str> = run.iter().chain(&endpoints).map(String::as_str).collect();
        cargo(&all).unwrap()
    });
    let output = output.await.unwrap();
    println!("{}", text(&output.stdout));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("errors: ok"), "not everything was tried");
}
