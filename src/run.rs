//! A running node: its two threads and its clock. The only place where the product starts a thread for the
//! node or asks what time it is.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, unbounded};
use kvorum_core::disk::{DiskJob, DiskWorker, load_image};
use kvorum_core::driver::Driver;
use kvorum_core::mail::Mail;
use kvorum_core::node::{self, Start};
use kvorum_core::storage::{Identity, Recovered, Storage};
use kvorum_core::transport::{Inbox, Local, Transport};
use kvorum_core::{Client, Config, ErrorKind, Result, Status, Time};

use crate::builder::Builder;

/// How much mail one turn of the loop takes in, so that replies and time do not wait for a flood to end.
const MAIL_PER_TURN: usize = 4096;

/// How many writes may share one sync.
const WRITES_PER_SYNC: usize = 1024;

/// A running node. Dropped, it stops: leadership is handed over, whoever waits is answered, threads end.
#[derive(Debug)]
#[must_use = "a node that is dropped stops"]
pub struct Node {
    client: Client,
    mail: Sender<Mail>,
    threads: Vec<JoinHandle<()>>,
}

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) identity: Identity,
    pub(crate) storage: Box<dyn Storage>,
    pub(crate) recovered: Recovered,
    pub(crate) transport: Box<dyn Transport>,
}

impl Node {
    /// Sets a node up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A handle for using the store. Clone it at will.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// What the node knows of itself and its cluster.
    pub fn status(&self) -> Status {
        self.client.status()
    }

    /// Stops the node and waits until it has let go of its directory and its port. If it leads, leadership is
    /// handed over first, so that the cluster does not have to wait for an election. Blocks for as long as that
    /// takes, up to about one election timeout, and so does dropping the node: in asynchronous code, do it on a
    /// thread for blocking work.
    pub fn stop(self) {}

    pub(crate) fn start(parts: Parts) -> Result<Node> {
        let Parts { config, identity, mut storage, recovered, mut transport } = parts;
        let image = load_image(storage.as_mut(), identity.cluster)?;
        let patience = config.election_timeout;
        let node = node::Node::start(Start { config, identity, recovered, image, now: Time::ZERO })?;
        let (mail, inbox) = unbounded();
        let (disk, jobs) = unbounded();
        let worker = DiskWorker::new(storage, node.state().clone(), identity.cluster, mail.clone());
        let local =
            Local { cluster: identity.cluster, node: identity.node, incarnation: identity.incarnation };
        let sender = mail.clone();
        transport.start(local, Inbox::new(move |incoming| sender.send(Mail::Incoming(incoming)).is_ok()))?;
        let driver = Driver::new(node, transport, disk, mail.clone());
        let client = driver.client();
        let name = identity.node;
        let threads = vec![
            spawn(format!("kvorum-{name}"), move || drive(driver, &inbox, patience))?,
            spawn(format!("kvorum-{name}-disk"), move || write(worker, &jobs))?,
        ];
        Ok(Node { client, mail, threads })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // If its thread has ended by itself, there is nobody to tell.
        let _ = self.mail.send(Mail::Stop);
        for thread in self.threads.drain(..) {
            // A thread that panicked has printed why; its node is gone either way.
            let _ = thread.join();
        }
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new().name(name).spawn(run).map_err(|error| {
        ErrorKind::Io { action: "starting a thread".into(), reason: error.to_string() }.into()
    })
}

/// The monotonic clock, counted from when it was made.
struct Clock(Instant);

impl Clock {
    fn now(&self) -> Time {
        Time::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

fn drive(mut driver: Driver, inbox: &Receiver<Mail>, patience: Duration) {
    let clock = Clock(Instant::now());
    let mut deadline = driver.turn(clock.now(), std::iter::empty());
    while !driver.is_stopping() {
        match turn(&mut driver, &clock, inbox, deadline) {
            Some(next) => deadline = next,
            None => return,
        }
    }
    hand_over(&mut driver, &clock, inbox, patience);
}

/// Waits for mail or the deadline, then takes a turn; `None` if nobody can send mail any more.
fn turn(driver: &mut Driver, clock: &Clock, inbox: &Receiver<Mail>, deadline: Time) -> Option<Time> {
    let first = match inbox.recv_timeout(deadline.since(clock.now())) {
        Ok(mail) => Some(mail),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => return None,
    };
    let mail = first.into_iter().chain(inbox.try_iter().take(MAIL_PER_TURN));
    Some(driver.turn(clock.now(), mail))
}

/// Hands leadership to another member, if this one leads, and sees that it took it.
fn hand_over(driver: &mut Driver, clock: &Clock, inbox: &Receiver<Mail>, patience: Duration) {
    let until = clock.now() + patience;
    if driver.successor().is_some_and(|to| driver.client().begin_transfer(to)) {
        let mut deadline = clock.now();
        while driver.successor().is_some() && clock.now() < until {
            match turn(driver, clock, inbox, deadline.min(until)) {
                Some(next) => deadline = next,
                None => return,
            }
        }
    }
}

fn write(mut worker: DiskWorker, jobs: &Receiver<DiskJob>) {
    let mut queue = Vec::new();
    loop {
        let next = if worker.is_busy() {
            jobs.try_recv()
        } else {
            jobs.recv().map_err(|_| TryRecvError::Disconnected)
        };
        match next {
            Ok(job) => queue.push(job),
            Err(TryRecvError::Empty) => {}
            // Everything that was asked for has been done; an image under way is nobody's any more.
            Err(TryRecvError::Disconnected) => return,
        }
        queue.extend(jobs.try_iter().take(WRITES_PER_SYNC));
        worker.work(&mut queue);
    }
}
