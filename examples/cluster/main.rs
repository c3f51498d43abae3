//! Three nodes, three processes, real files, and `kill -9`.
//!
//! ```text
//! cargo run --release --example cluster -- [DIR] [--kill-all]
//! ```
//!
//! Starts three nodes as processes of their own, joined over TCP on this machine, each with a data directory
//! and every write synced. Loads every file below DIR (default: this repository) as a key (its path) with a
//! value (its content) through one node, and mirrors the tree in a map through a watch on another one.
//! Half-way, the leader gets SIGKILL; it is started again and catches up. With `--kill-all`, all three are
//! killed at once, started again, and asked for every write that was acknowledged before. At the end
//! everything is read back through each of the three nodes and compared with the files, byte for byte, and
//! with the mirror.
//!
//! Look for: how long the cluster takes to commit again (an election takes one to two election timeouts of
//! 1 s), 'events' being exactly the number of revisions although nodes died, the same state hash on all
//! three nodes, and 'everything is equal' in the last line. Only then the exit status is 0.
//!
//! The part that embeds kvorum is `child.rs`. The rest sets it in scene:
//! `nodes.rs` and `process.rs` start, ask and kill processes, `wire.rs` is what they say to each other,
//! `load.rs` loads, `mirror.rs` watches, `compare.rs` compares.

mod child;
mod compare;
mod files;
mod load;
mod mirror;
mod nodes;
mod process;
mod screen;
mod wire;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use child::Setup;
use compare::Table;
use files::Tree;
use load::{AT_ONCE, Load};
use mirror::Mirror;
use nodes::{NODES, Nodes, Result};
use screen::Screen;

/// The argument that makes this program a node process.
const CHILD: &str = "--node-process";

/// A key that no file can have: no path contains a zero byte.
pub(crate) const PROBE: &[u8] = b"\0probe";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == CHILD)
        && let Some(setup) = Setup::from_args(&args[1..])
    {
        child::run(setup);
    }
    let data = std::env::temp_dir().join(format!("kvorum-cluster-{}", std::process::id()));
    match options().and_then(|(dir, kill_all)| play(&dir, kill_all, &data)) {
        Ok(()) => {
            // It lies in the temporary folder: somebody else will clear it away if we can't.
            let _ = std::fs::remove_dir_all(&data);
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("\nFAILED: {reason}");
            if data.exists() {
                eprintln!("The nodes' data is kept in {}.", data.display());
            }
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<(PathBuf, bool)> {
    let (mut dir, mut kill_all) = (None, false);
    for argument in std::env::args_os().skip(1) {
        if argument == "--kill-all" {
            kill_all = true;
        } else if argument.as_encoded_bytes().starts_with(b"-") || dir.is_some() {
            return Err("usage: cargo run --release --example cluster -- [DIR] [--kill-all]".into());
        } else {
            dir = Some(PathBuf::from(argument));
        }
    }
    Ok((dir.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()), kill_all))
}

/// This program, as a node process.
fn command(setup: &Setup) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a running program has a path"));
    command.arg(CHILD).args(setup.to_args());
    command
}

fn play(dir: &Path, kill_all: bool, data: &Path) -> Result<()> {
    let screen = Screen::new();
    let tree = Tree::read(dir, kvorum::Limits::default().request_bytes as u64)?;
    tree.skipped.iter().for_each(|skipped| screen.say(format!("left out: {skipped}")));
    screen.say(format!("{} files below {}", tree.files.len(), dir.display()));
    std::fs::create_dir_all(data).map_err(|error| format!("{}: {error}", data.display()))?;
    let nodes = Nodes::new(&data.display().to_string(), command, |_| {})?;
    nodes.start_all()?;
    let leader = nodes.leader()?;
    let (through, watched) = (1 + leader % 3, 1 + (leader + 1) % 3);
    screen.say(format!(
        "node {leader} leads; loading through node {through}, {AT_ONCE} files at once, watching node {watched}"
    ));
    let load = Load::new(&nodes, through, &tree.files);
    let mirror = Mirror::new(watched);
    let scene = Scene { screen: &screen, nodes: &nodes, load: &load, mirror: &mirror, is_over: false.into() };
    let table = scene.run(kill_all)?;
    table.print(&nodes, &load, &mirror)
}

/// What is under way at once.
struct Scene<'a> {
    screen: &'a Screen,
    nodes: &'a Nodes,
    load: &'a Load<'a>,
    mirror: &'a Mirror,
    is_over: AtomicBool,
}

impl Scene<'_> {
    /// Loads, watches and kills, each on threads of their own.
    fn run(&self, kill_all: bool) -> Result<Table> {
        let began = Instant::now();
        thread::scope(|scope| {
            let watcher = scope.spawn(|| self.mirror.run(self.nodes));
            let loaders: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| self.load.work())).collect();
            scope.spawn(|| self.show_progress());
            let half = self.wait_for_half(&loaders);
            let at_half = (began.elapsed(), self.load.done.load(Ordering::Acquire));
            let drama = half.and_then(|()| if kill_all { self.kill_all() } else { self.kill_leader() });
            // Whatever went wrong: let everybody out first.
            self.load.go_on();
            let loaded = loaders.into_iter().try_for_each(|loader| loader.join().unwrap_or_else(panicked));
            // What went wrong in the load says more than that it ended.
            let last = loaded.and(drama).and_then(|drama| {
                let last = self.nodes.put(1, PROBE, b"end")?.0;
                self.mirror.wait_for(last).map(|()| (drama, last))
            });
            self.mirror.stop();
            self.is_over.store(true, Ordering::Relaxed);
            watcher.join().unwrap_or_else(panicked)?;
            let ((failover, catch_up), last) = last?;
            let took = self.load.finished.get().map_or(Duration::ZERO, |end| end.duration_since(began));
            Ok(Table { took, at_half, failover, catch_up, last })
        })
    }

    fn show_progress(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            self.screen.progress(self.load.done.load(Ordering::Acquire), self.load.all());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until half of the files are stored, or loading has ended in another way.
    fn wait_for_half(&self, loaders: &[thread::ScopedJoinHandle<'_, Result<()>>]) -> Result<()> {
        while 2 * self.load.done.load(Ordering::Acquire) < self.load.all() {
            if loaders.iter().all(|loader| loader.is_finished()) {
                return Err("loading ended before half of the files were stored".into());
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Kills the leader; answers how long the cluster took to commit again, and how long the killed node took
    /// to have everything that the others had when it was started again.
    fn kill_leader(&self) -> Result<(Duration, Duration)> {
        let leader = self.nodes.leader()?;
        let killed = Instant::now();
        self.nodes.kill(&[leader]);
        self.screen.say(format!("half-way: killed node {leader}, the leader"));
        let survivor = 1 + leader % 3;
        let survivor = if survivor == self.load.node() { 1 + survivor % 3 } else { survivor };
        self.nodes.put(survivor, PROBE, b"after the kill")?;
        let failover = killed.elapsed();
        let successor = self.nodes.leader()?;
        self.screen.say(format!(
            "the cluster commits again after {:.0} ms; node {successor} leads",
            millis(failover)
        ));
        let started = Instant::now();
        self.nodes.start(leader)?;
        self.nodes.caught_up(leader)?;
        let catch_up = started.elapsed();
        self.screen
            .say(format!("node {leader} was started again and caught up in {:.0} ms", millis(catch_up)));
        Ok((failover, catch_up))
    }

    /// Kills all three at once, starts them again, and asks for every write that was acknowledged.
    fn kill_all(&self) -> Result<(Duration, Duration)> {
        self.load.pause();
        self.nodes.kill(&NODES);
        self.load.wait_until_idle();
        let acknowledged = self.load.fates().count();
        self.screen
            .say(format!("half-way: killed all three nodes; {acknowledged} files had been acknowledged"));
        let started = Instant::now();
        self.nodes.start_all()?;
        self.nodes.put(1, PROBE, b"after the kill")?;
        let failover = started.elapsed();
        self.screen.say(format!(
            "all three were started again; the cluster commits again after {:.0} ms",
            millis(failover)
        ));
        self.nodes.settled()?;
        let catch_up = started.elapsed();
        compare::acknowledged(self.nodes, self.load)?;
        self.screen.say(format!(
            "all {acknowledged} acknowledged files are there, at the revisions that were acknowledged; going on"
        ));
        Ok((failover, catch_up))
    }
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn panicked<T>(panic: Box<dyn std::any::Any + Send>) -> Result<T> {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    Err(format!("a thread of this example panicked: {}", words.unwrap_or("see above")))
}
