//! How fast and how large kvorum is, beside what it is to be: prints a table.
//!
//! `cargo run --release -p kvorum-benches --bin cluster_bench -- [--quick] [--only ROW] [--dir DIR]
//! [--markdown | --json]`. Every write is synced; DIR must be on the disk that is to be measured (default: the
//! system's temporary directory). Results of a real run are in RESULTS.md.

mod child;
mod cluster;
mod failover;
mod local;
mod machine;
mod many;
mod measure;
mod one_writer;
mod size;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use table::Row;

const USAGE: &str = "cluster_bench [--quick] [--only ROW] [--dir DIR] [--markdown | --json]
rows: one-node three-nodes writers writers-everywhere readers local memory restart watchers failover";

/// What was asked for.
pub(crate) struct Options {
    pub(crate) dir: PathBuf,
    pub(crate) quick: bool,
    only: Vec<String>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Markdown,
    Json,
}

impl Options {
    /// A number for a careful run, and one for a quick one.
    pub(crate) fn scale(&self, careful: u64, quick: u64) -> u64 {
        if self.quick { quick } else { careful }
    }

    pub(crate) fn scale_time(&self, careful: Duration, quick: Duration) -> Duration {
        if self.quick { quick } else { careful }
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    fn parse(mut words: impl Iterator<Item = String>) -> Option<Options> {
        let dir = std::env::temp_dir().join(format!("kvorum-bench-{}", std::process::id()));
        let mut options = Options { dir, quick: false, only: Vec::new(), form: Form::Plain };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => options.quick = true,
                "--only" => options.only.push(words.next()?),
                "--dir" => options.dir = PathBuf::from(words.next()?).join("kvorum-bench"),
                "--markdown" => options.form = Form::Markdown,
                "--json" => options.form = Form::Json,
                _ => return None,
            }
        }
        Some(options)
    }
}

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "--child") {
        return child::run(&words.split_off(1));
    }
    let Some(options) = Options::parse(words.into_iter()) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    std::fs::create_dir_all(&options.dir).expect("a directory to measure in");
    head(&options);
    run(&options);
    let _ = std::fs::remove_dir_all(&options.dir);
}

fn head(options: &Options) {
    let facts = machine::describe(&options.dir);
    match options.form {
        Form::Plain => facts.iter().for_each(|(name, fact)| println!("{name:<18} {fact}")),
        Form::Markdown => {
            facts.iter().for_each(|(name, fact)| println!("- {name}: {fact}"));
            println!("\n{}", table::HEAD);
        }
        Form::Json => facts.iter().for_each(|(name, fact)| println!("{{{name:?}: {fact:?}}}")),
    }
}

fn run(options: &Options) {
    type Measure = fn(&Options) -> Vec<Row>;
    let all: [(&str, Measure); 10] = [
        ("one-node", |o| vec![one_writer::one_node(o)]),
        ("three-nodes", one_writer::three_nodes),
        ("writers", many::writers),
        ("writers-everywhere", many::writers_everywhere),
        ("readers", many::readers),
        ("local", |o| vec![local::reads(o)]),
        ("memory", size::memory),
        ("restart", |o| vec![size::restart(o)]),
        ("watchers", size::watchers),
        ("failover", |o| vec![failover::failover(o)]),
    ];
    for (name, measure) in all {
        if options.wants(name) {
            measure(options).iter().for_each(|row| print(row, options.form));
        }
    }
}

fn print(row: &Row, form: Form) {
    match form {
        Form::Plain => println!("{}", row.plain()),
        Form::Markdown => println!("{}", row.markdown()),
        Form::Json => println!("{}", row.json()),
    }
}
