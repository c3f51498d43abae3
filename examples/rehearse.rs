//! A service of your own, rehearsed: a job queue on three nodes that crash, stand still, lose each other and
//! their disks; with a mistake in it that no test finds, and without.
//!
//! Clients put jobs under `jobs/`. On every node a worker takes jobs, each under a lock, does the work, and
//! enters the result in a ledger outside of the store. Each step is what you would write; the worker even asks
//! the cluster whether it still holds the lock before it writes. But between the answer and the write, its
//! process may stand still for seconds.
//!
//! Look for: the first half finds the seed in which that happens, names the promise that broke, leaves out
//! everything that it does not take, and draws the rest as a page, `target/rehearse.html`. In the second half
//! the ledger checks the lock's fencing token: the same seeds, that one among them, and a hundred more find nothing.
//!
//!     cargo run --release --example rehearse
//!     cargo run --release --example rehearse -- --seed 12            one seed again, with the mistake
//!     cargo run --release --example rehearse -- --right --seed 12    and without
//!     cargo run --release --example rehearse -- --seed 12 --seconds 8.1 --only 3,7    what is left of it

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use kvorum::request::{Compare, CompareResult, PutRequest, RangeRequest, TxnRequest};
use kvorum::{Client, Config, Lease, lock};
use kvorum_sim::{
    App, NodeId, Run, RunOptions, Scene, Swarm, Task, Violation, World, report, seeds, shrink, twice,
};

const MISTAKEN: u64 = 2_000;
const MORE: u64 = 100;
const USAGE: &str = "usage: rehearse [[--right] --seed S [--seconds T] [--without LIST] [--only LIST]]";

/// Whether the ledger looks at the token that comes with a write.
#[derive(Clone, Copy, PartialEq)]
enum UsesToken {
    Yes,
    No,
}

/// What the locks protect: somebody else's service, which knows nothing of the store.
struct Ledger {
    uses_token: UsesToken,
    /// Of each job, the highest token that it was written with.
    highest: BTreeMap<String, i64>,
}

impl Ledger {
    /// Takes a write, or refuses it. The referee looks over its shoulder.
    fn write(&mut self, scene: &Scene, who: &str, job: &str, token: i64) -> Result<(), i64> {
        let highest = self.highest.entry(job.to_string()).or_insert(token);
        if token < *highest && self.uses_token == UsesToken::Yes {
            scene.count("refused by the ledger");
            return Err(*highest);
        }
        if token < *highest {
            let seen =
                format!("{who} wrote {job} with token {token}, after a holder with token {highest} had");
            scene.broken("the ledger takes no write of an older holder after a newer one's", seen);
        }
        *highest = token;
        Ok(())
    }
}

/// The service, and what the referee knows of it. Everything is on one thread: no locks, no channels.
struct JobQueue {
    ledger: Rc<RefCell<Ledger>>,
    acknowledged: Rc<RefCell<BTreeSet<String>>>,
}

impl App for JobQueue {
    /// Impatient nodes: leases of a second are possible, and more happens in a simulated minute.
    fn configure(&mut self, config: &mut Config) {
        config.heartbeat = Duration::from_millis(50);
        config.election_timeout = Duration::from_millis(300);
    }

    /// Beside each node, in its process: a worker, which dies and stands still with it.
    fn node(&mut self, scene: &Scene, node: NodeId, store: Client) -> Task {
        let worker = Worker {
            name: format!("worker {node}"),
            scene: scene.clone(),
            store,
            ledger: self.ledger.clone(),
        };
        Box::pin(worker.work())
    }

    /// Outside of the nodes: clients, who submit jobs to whichever node runs, until the run comes to rest.
    fn begin(&mut self, scene: &Scene) {
        for number in 1..=6 {
            scene.spawn(submit(scene.clone(), number, self.acknowledged.clone()));
        }
    }

    /// When the faults are over and everything has come to rest.
    fn end(&mut self, world: &mut World) -> Result<(), Violation> {
        let jobs = world.ask(|store| store.range(RangeRequest::prefix("jobs/")))?;
        let values: BTreeMap<_, _> = jobs.kvs.iter().map(|kv| (&kv.key[..], &kv.value[..])).collect();
        for job in self.acknowledged.borrow().iter() {
            let value = values.get(job.as_bytes()).map(|value| String::from_utf8_lossy(value));
            if value.as_deref() != Some("done") || !self.ledger.borrow().highest.contains_key(job) {
                let seen = format!("{job} is {value:?} long after the last fault");
                return Err(Violation::of_app("every acknowledged job is done", seen));
            }
        }
        Ok(())
    }
}

/// A client: submits a job, and waits until it is done. It remembers what was acknowledged; a call that failed
/// may have happened or not, and is owed nothing.
async fn submit(scene: Scene, number: u64, acknowledged: Rc<RefCell<BTreeSet<String>>>) {
    let mut chance = scene.chance(number);
    for count in 1.. {
        scene.sleep(Duration::from_millis(chance.between(50, 300))).await;
        if scene.is_resting() {
            return;
        }
        let Some(store) = scene.client(chance.between(1, scene.node_count())) else { continue };
        let job = format!("jobs/{number}-{count}");
        if store.put(&job, "new").await.is_ok() {
            scene.note("clients", || format!("submitted {job}"));
            scene.count("jobs acknowledged");
            acknowledged.borrow_mut().insert(job.clone());
            while let Ok(Some(kv)) = store.get(&job).await
                && kv.value != "done"
            {
                scene.sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

struct Worker {
    name: String,
    scene: Scene,
    store: Client,
    ledger: Rc<RefCell<Ledger>>,
}

impl Worker {
    /// Takes jobs under one lease as long as it lives, then under another.
    async fn work(self) {
        loop {
            if let Ok(lease) = self.store.lease(Duration::from_secs(1)).await {
                while !lease.is_lost() && self.look_for_jobs(&lease).await.is_ok() {
                    self.scene.sleep(Duration::from_millis(200)).await;
                }
            }
            self.scene.sleep(Duration::from_millis(500)).await;
        }
    }

    async fn look_for_jobs(&self, lease: &Lease) -> kvorum::Result<()> {
        let jobs = self.store.range(RangeRequest::prefix("jobs/")).await?;
        for kv in jobs.kvs.iter().filter(|kv| kv.value == "new") {
            self.try_job(&String::from_utf8_lossy(&kv.key), lease).await?;
        }
        Ok(())
    }

    async fn try_job(&self, job: &str, lease: &Lease) -> kvorum::Result<()> {
        let Some(held) = lock::try_lock(&self.store, &format!("locks/{job}"), lease).await? else {
            return Ok(()); // somebody else is at it
        };
        // Whoever held it before may have done it meanwhile.
        if self.store.get(job).await?.is_some_and(|kv| kv.value == "new") {
            let token = held.token();
            self.note(|| format!("takes {job}, token {token}"));
            self.scene.sleep(Duration::from_millis(100)).await; // the work
            if !held.is_held().await? {
                self.note(|| format!("gives {job} up"));
                return Ok(());
            }
            // It holds the lock! And then: a slow network, a scheduler, a debugger, a laptop lid.
            self.scene.sleep(Duration::from_millis(300)).await; // the way to the ledger
            match self.ledger.borrow_mut().write(&self.scene, &self.name, job, token) {
                Ok(()) => self.note(|| format!("wrote {job}, token {token}")),
                Err(highest) => {
                    self.note(|| format!("{job}: token {token} refused, {highest} was here"));
                    return Ok(());
                }
            }
            // In the store itself no token is needed: a condition does the same.
            let is_new = Compare::value(job, CompareResult::Equal, "new");
            let done =
                TxnRequest::new().when(held.still_held()).when(is_new).then(PutRequest::new(job, "done"));
            if self.store.txn(done).await?.succeeded {
                self.scene.count("jobs done");
            }
        }
        held.unlock().await
    }

    fn note(&self, words: impl FnOnce() -> String) {
        self.scene.note(&self.name, words);
    }
}

/// One seed: three nodes, whatever goes wrong, and the service.
fn rehearse(seed: u64, uses_token: UsesToken, options: &RunOptions) -> Run {
    let right = if uses_token == UsesToken::Yes { "--right" } else { "" };
    let ledger = Rc::new(RefCell::new(Ledger { uses_token, highest: BTreeMap::new() }));
    World::new(seed)
        .nodes(3)
        .faults(Swarm::default())
        .with(options)
        .replay_by(format!("cargo run --release --example rehearse -- {right}").trim_end())
        .run(JobQueue { ledger, acknowledged: Rc::default() })
}

/// What the command was asked for: a seed, with a mistake or without, and how it is to be run.
struct Asked {
    seed: Option<u64>,
    uses_token: UsesToken,
    options: RunOptions,
}

impl Asked {
    /// The simulator knows its own arguments: those that it prints behind the command.
    fn read(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
        let options = RunOptions { duration: Duration::from_secs(20), ..RunOptions::default() };
        let mut asked = Asked { seed: None, uses_token: UsesToken::No, options };
        while let Some(arg) = args.next() {
            let name = arg.strip_prefix("--").ok_or(USAGE)?;
            if name == "right" {
                asked.uses_token = UsesToken::Yes;
                continue;
            }
            let value = args.next().ok_or(USAGE)?;
            match name {
                "seed" => asked.seed = Some(value.parse().map_err(|_| USAGE)?),
                _ if !asked.options.take_argument(name, &value)? => return Err(USAGE.into()),
                _ => {}
            }
        }
        Ok(asked)
    }
}

fn main() -> ExitCode {
    if std::env::args().skip(1).any(|arg| arg == "--help" || arg == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let done = Asked::read(std::env::args().skip(1)).and_then(|asked| match asked.seed {
        Some(seed) => one(seed, &asked).map_err(|error| error.to_string()),
        None => all(&asked.options).map_err(|error| error.to_string()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("{words}");
            ExitCode::from(2)
        }
    }
}

fn one(seed: u64, asked: &Asked) -> std::io::Result<()> {
    let options = RunOptions { timeline: true, ..asked.options.clone() };
    tell(&rehearse(seed, asked.uses_token, &options), &options)
}

fn all(options: &RunOptions) -> std::io::Result<()> {
    // Does the service itself leave nothing to chance? A seed that is run twice would show it.
    let same = twice(0, |seed| rehearse(seed, UsesToken::Yes, options));
    assert!(same.violation.is_none(), "{same}");

    println!("A ledger that ignores the token: seeds from 0 on, until a promise breaks.\n");
    let since = Instant::now();
    let found = seeds(0..MISTAKEN, |seed| rehearse(seed, UsesToken::No, options));
    let run = found.broken.expect("it is a mistake, and is found");
    println!("{run}\n\nfound after {:.1} s.", since.elapsed().as_secs_f64());

    // What does it take? The same seed again, with ever fewer of its faults.
    let again = |options: &RunOptions| rehearse(run.seed, UsesToken::No, options);
    let least = shrink::least(&run, options, &again);
    println!("Of its {} faults it takes {}:\n", run.faults.len(), least.kept(&run).len());
    least.kept(&run).iter().for_each(|fault| println!("  {fault}"));
    tell(&again(&RunOptions { timeline: true, ..least.options.clone() }), &least.options)?;

    let right = run.seed + 1 + MORE;
    println!("\nA ledger that checks the token: {right} seeds, those of before and {MORE} more.\n");
    let since = Instant::now();
    let found = seeds(0..right, |seed| rehearse(seed, UsesToken::Yes, options));
    let (counts, per_second) = (&found.counts, right as f64 / since.elapsed().as_secs_f64());
    println!("{found}, at {per_second:.0} seeds a second.");
    for name in ["jobs acknowledged", "jobs done", "refused by the ledger"] {
        println!("  {:>6} {name}", counts.get(name).unwrap_or(&0));
    }
    assert!(found.is_clean(), "{found}");
    Ok(())
}

/// Prints the end of a run, and draws all of it.
fn tell(run: &Run, options: &RunOptions) -> std::io::Result<()> {
    println!("\nIts last moments:\n");
    run.timeline.last(15).iter().for_each(|moment| println!("{moment}"));
    println!("\n{run}");
    let page = std::path::Path::new("target").join("rehearse.html");
    std::fs::write(&page, report::html(run, options, &run.replay))?;
    println!("\nAll of it, to look at: {}", page.display());
    Ok(())
}
