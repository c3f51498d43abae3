//! etcd's clients for Python, unchanged: `etcd3gw` over JSON, `etcd3` over gRPC (`clients.py`).
//!
//! They are installed into an environment of their own below `target`. Where that is not possible (no Python, no way to
//! the registry), it is said, and nothing is tested.

#[path = "../common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The versions that were seen to work. The older client's messages are of an older protobuf.
const PACKAGES: [&str; 3] = ["etcd3gw==2.7.0", "etcd3==0.12.0", "protobuf==3.20.3"];

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Err(format!("{command:?}: {}\n{said}", output.status))
}

/// An environment with the clients; or why there is none.
fn environment() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-clients");
    let (python, is_ready) = (folder.join("bin/python"), folder.join("ready"));
    if std::fs::read_to_string(&is_ready).is_ok_and(|packages| packages == PACKAGES.join(" ")) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let install = ["-m", "pip", "install", "--quiet", "--timeout", "15", "--retries", "1", "--no-input"];
    run(Command::new(&python).args(install).args(PACKAGES))?;
    std::fs::write(is_ready, PACKAGES.join(" ")).map_err(|error| error.to_string())?;
    Ok(python)
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_clients_find_an_etcd() {
    let python = match tokio::task::spawn_blocking(environment).await.unwrap() {
        Ok(python) => python,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let gate = common::one().await;
    let address = gate.server.local_addresses()[0];
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/clients.py");
    let mut command = Command::new(python);
    command.arg(script).args([address.ip().to_string(), address.port().to_string()]);
    let ran = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    let said = ran.unwrap_or_else(|said| panic!("{said}"));
    assert!(String::from_utf8_lossy(&said.stdout).ends_with("all is well\n"));
}
