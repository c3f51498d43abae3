//! The three node processes: starting, asking, killing them.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::Setup;
use crate::process::{NodeProcess, locked};
use crate::wire::{Reply, Request, Status, Verdict};

pub(crate) const NODES: [u64; 3] = [1, 2, 3];

/// How long anything may take before it counts as failed: far more than any election does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Between one try and the next.
const PAUSE: Duration = Duration::from_millis(5);

/// What goes wrong, in words.
pub(crate) type Result<T> = std::result::Result<T, String>;

pub(crate) struct Nodes {
    /// Makes the command that runs this program as a node process.
    command: fn(&Setup) -> Command,
    setups: [Setup; 3],
    running: Mutex<[Option<Arc<NodeProcess>>; 3]>,
}

impl Nodes {
    /// Three nodes with their data under `dir`, none of them running. `tune` changes what is not set here.
    pub(crate) fn new(dir: &str, command: fn(&Setup) -> Command, tune: impl Fn(&mut Setup)) -> Result<Nodes> {
        let addresses = free_addresses()?;
        let setups = NODES.map(|id| {
            let mut setup = Setup {
                id,
                data_dir: PathBuf::from(dir).join(format!("node-{id}")).display().to_string(),
                addresses: addresses.clone(),
                heartbeat: Duration::from_millis(100),
                election_timeout: Duration::from_secs(1),
                image_log_bytes: 64 << 20,
                keep_bytes: 16 << 20,
            };
            tune(&mut setup);
            setup
        });
        Ok(Nodes { command, setups, running: Mutex::default() })
    }

    /// Starts a node process and waits until it answers.
    pub(crate) fn start(&self, id: u64) -> Result<()> {
        let process = NodeProcess::start((self.command)(&self.setups[at(id)]))
            .map_err(|error| format!("node {id} cannot be started: {error}"))?;
        let process = Arc::new(process);
        let answer = process.ask(&Request::Status).recv_timeout(PATIENCE);
        if answer.is_err() {
            process.kill();
            process.reap();
            let how = process.ended().unwrap_or_default();
            return Err(format!("node {id} ended as soon as it was started ({how})"));
        }
        locked(&self.running)[at(id)] = Some(process);
        Ok(())
    }

    pub(crate) fn start_all(&self) -> Result<()> {
        NODES.into_iter().try_for_each(|id| self.start(id))
    }

    /// Kills these as `kill -9` does, all at once, and waits until they are gone.
    pub(crate) fn kill(&self, ids: &[u64]) {
        let mut running = locked(&self.running);
        let killed: Vec<_> = ids.iter().filter_map(|id| running[at(*id)].take()).collect();
        killed.iter().for_each(|process| process.kill());
        killed.iter().for_each(|process| process.reap());
    }

    /// The process of a node, if it runs.
    pub(crate) fn process(&self, id: u64) -> Option<Arc<NodeProcess>> {
        locked(&self.running)[at(id)].clone()
    }

    /// Asks a node, again and again until it has an answer, for [`PATIENCE`]; answers also how often it asked.
    ///
    /// A put that is asked for again may happen twice. That is harmless here, because nobody ever puts
    /// anything else under the same key; where it is not, kvorum's sessions make repetition safe
    /// (`Client::open_session`).
    pub(crate) fn call(&self, id: u64, request: &Request) -> Result<(Reply, u32)> {
        let until = Instant::now() + PATIENCE;
        let mut why = "it does not run".to_owned();
        for tries in 1.. {
            let answer = self.process(id).map(|process| process.ask(request));
            match answer.map(|answer| answer.recv_timeout(PATIENCE)) {
                Some(Ok(Reply::Failed { verdict: Verdict::Again, reason })) => why = reason,
                Some(Ok(reply)) => return Ok((reply, tries)),
                Some(Err(_)) | None => why = self.how_it_ended(id)?,
            }
            if Instant::now() > until {
                break;
            }
            thread::sleep(PAUSE);
        }
        Err(format!("node {id} has not answered for {PATIENCE:?}: {why}"))
    }

    /// Why a node gave no answer; an error if it ended without being killed by us.
    fn how_it_ended(&self, id: u64) -> Result<String> {
        match self.process(id).and_then(|process| process.ended()) {
            Some(status) => Err(format!("node {id} ended by itself ({status})")),
            None => Ok("it was killed".into()),
        }
    }

    /// Writes something; answers its revision and how often it was tried.
    pub(crate) fn put(&self, id: u64, key: &[u8], value: &[u8]) -> Result<(u64, u32)> {
        let request = Request::Put { key: key.to_vec(), value: value.to_vec() };
        match self.call(id, &request)? {
            (Reply::Put { revision }, tries) => Ok((revision, tries)),
            (other, _) => Err(unexpected(id, "a put", &other)),
        }
    }

    pub(crate) fn status(&self, id: u64) -> Result<Status> {
        match self.call(id, &Request::Status)?.0 {
            Reply::Status(status) if status.halted.is_empty() => Ok(status),
            Reply::Status(status) => Err(format!("node {id} halted itself: {}", status.halted)),
            other => Err(unexpected(id, "its status", &other)),
        }
    }

    /// Who leads; waits until somebody does. Of two that believe it, the one of the higher term is right.
    pub(crate) fn leader(&self) -> Result<u64> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let mut best = None;
            for id in NODES.into_iter().filter(|id| self.process(*id).is_some()) {
                let status = self.status(id)?;
                if status.is_leader {
                    best = best.max(Some((status.term, id)));
                }
            }
            if let Some((_, id)) = best {
                return Ok(id);
            }
            thread::sleep(PAUSE);
        }
        Err(format!("no node leads after {PATIENCE:?}"))
    }

    /// Waits until all three have applied the same entries; answers each one's hash then.
    pub(crate) fn settled(&self) -> Result<Vec<String>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let statuses = NODES.into_iter().map(|id| self.status(id)).collect::<Result<Vec<_>>>()?;
            if statuses.iter().all(|status| status.index == statuses[0].index) {
                return Ok(statuses.into_iter().map(|status| status.hash).collect());
            }
            if Instant::now() > until {
                let indexes: Vec<u64> = statuses.iter().map(|status| status.index).collect();
                return Err(format!("after {PATIENCE:?} the nodes have applied {indexes:?} entries"));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Waits until a node has applied everything that the others have now.
    pub(crate) fn caught_up(&self, id: u64) -> Result<()> {
        let others = NODES.into_iter().filter(|other| *other != id);
        let goals = others.map(|other| self.status(other)).collect::<Result<Vec<_>>>()?;
        let goal = goals.iter().map(|status| status.index).max().unwrap_or(0);
        let until = Instant::now() + PATIENCE;
        loop {
            let index = self.status(id)?.index;
            if index >= goal {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("after {PATIENCE:?} node {id} has applied {index} of {goal} entries"));
            }
            thread::sleep(PAUSE);
        }
    }
}

pub(crate) fn unexpected(id: u64, asked: &str, reply: &Reply) -> String {
    match reply {
        Reply::Failed { reason, .. } => format!("node {id}, asked for {asked}: {reason}"),
        other => format!("node {id}, asked for {asked}, answered {other:?}"),
    }
}

fn at(id: u64) -> usize {
    usize::try_from(id - 1).expect("there are three nodes")
}

/// Three ports that nobody listens on, below those that the operating system lends to connections: while a
/// node is down, nothing else may come to sit on its port.
fn free_addresses() -> Result<Vec<String>> {
    let first = 10_000 + process::id() % 20_000;
    let free = (first..32_000).chain(10_000..first).filter_map(|port| {
        let address = format!("127.0.0.1:{port}");
        TcpListener::bind(&address).ok().map(|listener| (listener, address))
    });
    // They are held until all three are found.
    let found: Vec<_> = free.take(3).collect();
    if found.len() < 3 {
        return Err("there are no three free ports on 127.0.0.1".into());
    }
    Ok(found.into_iter().map(|(_, address)| address).collect())
}
