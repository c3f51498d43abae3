//! The same inputs give the same outputs, byte for byte, in whatever process.

use std::process::Command;
use std::time::Duration;

use kvorum_sim::{RunOptions, rehearse};

const CHILD: &str = "KVORUM_TRACE_CHILD";

fn traces() -> String {
    let options = RunOptions { duration: Duration::from_secs(6), ..RunOptions::default() };
    (0..3).map(|seed| rehearse(seed, &options).trace).collect::<Vec<_>>().join(" ")
}

#[test]
fn two_processes_send_and_write_the_same_bytes() {
    if std::env::var_os(CHILD).is_some() {
        println!("trace: {}", traces());
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "two_processes_send_and_write_the_same_bytes", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    let mine = traces();
    assert!(said.contains(&format!("trace: {mine}")), "{mine}\n{said}");
}
