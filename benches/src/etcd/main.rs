//! kvorumd beside etcd, on this machine, with the same client: prints a table.
//!
//! `cargo run --release -p kvorum-benches --bin etcd_bench -- [memory] [--rounds N] [--seconds N] [--only ROW]...
//! [--dir DIR] [--etcd PROGRAM] [--kvorumd PROGRAM]`. Three members each, every write synced, in turn: a round of a row of
//! one, then of the other, and again. Medians, with the least and the most in brackets. Then memory at equal content, in
//! clusters of its own; `memory` measures that alone. etcd is fetched by `../shared/tools/get-etcd` if no program is
//! named; where there is none, kvorumd is measured alone, and that is said.

#[path = "../machine.rs"]
mod machine;

mod client;
mod json;
mod load;
mod memory;
mod process;
mod report;
mod rows;
mod servers;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use load::Round;
use report::Measured;
use servers::Servers;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "etcd_bench [memory] [--rounds N] [--seconds N] [--only ROW]... [--dir DIR] [--etcd PROGRAM] \
     [--kvorumd PROGRAM]";

struct Options {
    rounds: usize,
    time: Duration,
    only: Vec<String>,
    dir: PathBuf,
    etcd: Option<PathBuf>,
    kvorumd: PathBuf,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<Options> {
        let dir = std::env::temp_dir().join(format!("etcd-bench-{}", std::process::id()));
        let beside = std::env::current_exe().ok()?.with_file_name("kvorumd");
        let (rounds, time) = (5, Duration::from_secs(4));
        let mut options =
            Options { rounds, time, only: Vec::new(), dir, etcd: fetched_etcd(), kvorumd: beside };
        while let Some(word) = words.next() {
            if word == memory::NAME {
                options.only.push(word);
                continue;
            }
            let value = words.next()?;
            match word.as_str() {
                "--rounds" => options.rounds = value.parse().ok()?,
                "--seconds" => options.time = Duration::from_secs_f64(value.parse().ok()?),
                "--only" => options.only.push(value),
                "--dir" => options.dir = value.into(),
                "--etcd" => options.etcd = Some(value.into()),
                "--kvorumd" => options.kvorumd = value.into(),
                _ => return None,
            }
        }
        Some(options)
    }

    /// kvorumd, and etcd if there is one.
    fn programs(&self) -> Vec<(&'static str, &Path)> {
        let etcd = self.etcd.as_deref().map(|program| ("etcd", program));
        [("kvorumd", self.kvorumd.as_path())].into_iter().chain(etcd).collect()
    }

    fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| row.contains(only.as_str()))
    }
}

/// A real etcd, if this machine has one or can fetch it.
fn fetched_etcd() -> Option<PathBuf> {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tools/get-etcd");
    let output = Command::new(tool).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| Path::new(folder.trim()).join("etcd"))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    for (name, fact) in machine::describe(&std::env::temp_dir()) {
        println!("- {name}: {fact}");
    }
    // Asked to end, it ends its servers first: they are dropped with what measures them.
    let measured = tokio::select! {
        measured = measure(&options) => measured,
        asked = asked_to_end() => asked,
    };
    if let Err(reason) = measured {
        eprintln!("{reason}");
        std::process::exit(1);
    }
}

async fn asked_to_end() -> Result<(), String> {
    let terminate = signal(SignalKind::terminate());
    let mut terminate = terminate.map_err(|error| format!("listening to signals: {error}"))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Err("asked to end".into())
}

async fn measure(options: &Options) -> Result<(), String> {
    if options.etcd.is_none() {
        println!("- etcd: not here, so kvorumd is measured alone");
    }
    let rows: Vec<&str> = rows::ROWS.iter().copied().filter(|row| options.wants(row)).collect();
    if !rows.is_empty() {
        measure_rows(options, &rows).await?;
    }
    if options.wants(memory::NAME) {
        memory::measure(options).await?;
    }
    Ok(())
}

async fn measure_rows(options: &Options, rows: &[&str]) -> Result<(), String> {
    let mut both = Vec::new();
    for (name, program) in options.programs() {
        both.push(Servers::start(name, program, &options.dir).await?);
    }
    for servers in &both {
        rows::fill(servers).await;
    }
    println!("\n{}", report::HEAD);
    for row in rows {
        let mut measured = vec![Vec::new(); both.len()];
        // The first round of each warms up.
        for round in 0..=options.rounds {
            for (servers, rounds) in both.iter().zip(&mut measured) {
                let one: Round = rows::round(row, servers, options.time).await;
                if round > 0 {
                    rounds.push(one);
                }
            }
        }
        let measured: Vec<Measured> = measured.iter().map(|rounds| Measured::of(rounds)).collect();
        println!("{}", report::line(row, &measured));
    }
    Ok(())
}
