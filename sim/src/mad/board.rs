//! The service in rehearsal, as a user would write it: a board of jobs on every node, asked by clients over the
//! network, built on transactions, a watch, a lease and a lock.
//!
//! It promises that no job is done twice. What it asks of kvorum is written down for the judge of histories,
//! what its watches and locks were told for theirs.

use std::rc::Rc;
use std::time::Duration;

use kvorum_core::ids::{NodeId, Revision};
use kvorum_core::lock::lock;
use kvorum_core::request::*;
use kvorum_core::{Client, ErrorKind, Result, WatchItem};
use madsim::net::Endpoint;
use madsim::time::{sleep, timeout};

use super::stage::{Stage, service_address};
use crate::plan::Trigger;
use crate::promises::{FenceJudge, Resource};
use crate::rng::Stream;
use crate::violation::{Checker, Violation};
use crate::workload::{Caller, KvClient, Recorded, Recorder};

/// What clients ask.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// A new job.
    Post(String),
    /// Any job that nobody has, for this worker.
    Claim(String),
    /// This worker has done this job.
    Finish(String, String),
    /// Whether there are jobs, as this node sees it.
    Any,
    /// Forget what was done.
    Tidy,
}

/// What they are told.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// It is so, or not.
    Done(bool),
    /// The job that is this worker's now.
    Claimed(Option<String>),
    /// It may or may not have been done.
    Failed,
}

/// One question on its way.
pub(super) struct Letter {
    pub(super) who: u64,
    pub(super) answer_to: u64,
    pub(super) ask: Ask,
}

/// Letters with questions have this tag.
pub(super) const ASK: u64 = 0;

/// What is written down about the service for those who judge it.
pub(super) struct Desk {
    pub(super) recorder: Option<Recorder>,
    /// Milliseconds between what residents ask.
    pub(super) pause: u64,
    pub(super) mirrors: Vec<Mirror>,
    fence: FenceJudge,
    resource: Resource,
}

/// Everything that one watch was told.
pub(super) struct Mirror {
    pub(super) node: NodeId,
    pub(super) start: Revision,
    pub(super) items: Vec<WatchItem>,
    /// Why it ended, if it was told.
    pub(super) end: Option<ErrorKind>,
    /// Its process ended with it.
    pub(super) is_dead: bool,
}

impl Default for Desk {
    fn default() -> Desk {
        Desk {
            recorder: None,
            pause: 100,
            mirrors: Vec::new(),
            fence: FenceJudge::new(format!("{LOCK}/")),
            resource: Resource::fenced(),
        }
    }
}

const JOBS: &str = "job/";
const DONE: &str = "done/";
const OPEN: &str = "open";
/// What the handles write by themselves lies below it.
pub(super) const LOCK: &str = "lock/foreman";

/// The board, as one node serves it.
struct Board(Recorded);

impl Board {
    async fn post(&self, job: &str) -> Result<bool> {
        let key = format!("{JOBS}{job}");
        let txn = TxnRequest::new()
            .when(Compare::is_missing(&key))
            .when(Compare::is_missing(format!("{DONE}{job}")))
            .then(PutRequest::new(&key, OPEN));
        Ok(self.0.txn(txn).await?.succeeded)
    }

    async fn claim(&self, worker: &str) -> Result<Option<String>> {
        let jobs = self.0.range(RangeRequest::prefix(JOBS)).await?;
        let Some(open) = jobs.kvs.iter().find(|kv| kv.value == OPEN) else { return Ok(None) };
        let is_as_seen = Compare::mod_revision(&open.key, CompareResult::Equal, open.mod_revision);
        let txn = TxnRequest::new().when(is_as_seen).then(PutRequest::new(&open.key, worker));
        let is_ours = self.0.txn(txn).await?.succeeded;
        let name = String::from_utf8_lossy(&open.key[JOBS.len()..]).into_owned();
        Ok(is_ours.then_some(name))
    }

    async fn finish(&self, worker: &str, job: &str) -> Result<bool> {
        let key = format!("{JOBS}{job}");
        let txn = TxnRequest::new()
            .when(Compare::value(&key, CompareResult::Equal, worker))
            .then(DeleteRangeRequest::key(&key))
            .then(PutRequest::new(format!("{DONE}{job}"), worker));
        Ok(self.0.txn(txn).await?.succeeded)
    }

    async fn answer(&self, ask: &Ask) -> Result<Told> {
        Ok(match ask {
            Ask::Post(job) => Told::Done(self.post(job).await?),
            Ask::Claim(worker) => Told::Claimed(self.claim(worker).await?),
            Ask::Finish(worker, job) => Told::Done(self.finish(worker, job).await?),
            Ask::Any => Told::Done(self.0.range(RangeRequest::prefix(JOBS).local()).await?.count > 0),
            Ask::Tidy => Told::Done(self.0.delete(DeleteRangeRequest::prefix(DONE)).await?.deleted > 0),
        })
    }
}

/// Begins the service on a node. It ends with the process, in the middle of whatever it does.
pub(super) fn begin(stage: &Rc<Stage>, node: NodeId) {
    let Some(client) = stage.scene.client(node) else { return };
    let life = stage.scene.life(node);
    stage.spawn(serve(stage.clone(), node));
    stage.spawn(mirror(stage.clone(), node, client.clone()));
    let draw = stage.scene.chance(node * 1_000 + life);
    stage.spawn(foreman(stage.clone(), node, client, draw));
    let draw = stage.scene.chance(1_000_000 + node * 1_000 + life);
    stage.spawn(resident(stage.clone(), node, life, draw));
}

/// Answers letters, each in a task of its own.
async fn serve(stage: Rc<Stage>, node: NodeId) {
    let endpoint = Endpoint::bind(service_address(node)).await;
    let endpoint = Rc::new(endpoint.unwrap_or_else(|error| panic!("the service of {node}: {error}")));
    while let Ok((payload, from)) = endpoint.recv_from_raw(ASK).await {
        let Ok(letter) = payload.downcast::<Letter>() else { continue };
        let recorded = stage.desk.borrow().recorder.as_ref().and_then(|r| r.client(letter.who, node));
        let Some(recorded) = recorded else { continue };
        let (stage_, endpoint) = (stage.clone(), endpoint.clone());
        stage.spawn(async move {
            let answer = Board(recorded).answer(&letter.ask).await;
            if answer.is_ok() {
                stage_.see(|world| world.moment(Trigger::Answered, node));
            }
            let told = answer.unwrap_or(Told::Failed);
            // Whoever asked may have gone.
            let _ = endpoint.send_to_raw(from, letter.answer_to, Box::new(told)).await;
        });
    }
}

/// Follows all jobs, from the first to the last.
async fn mirror(stage: Rc<Stage>, node: NodeId, client: Client) {
    let mut start = 1;
    loop {
        let request = WatchRequest::prefix(JOBS).from(start).with_progress(Duration::from_secs(2));
        let mut watch = match client.watch(request) {
            Ok(watch) => watch,
            Err(error) => {
                match error.kind() {
                    ErrorKind::Compacted { compacted, .. } => start = *compacted,
                    _ => sleep(Duration::from_millis(200)).await,
                }
                continue;
            }
        };
        let at = stage.desk.borrow().mirrors.len();
        let new = Mirror { node, start, items: Vec::new(), end: None, is_dead: false };
        stage.desk.borrow_mut().mirrors.push(new);
        let dies = Dies(stage.clone(), at);
        while let Some(item) = watch.next().await {
            stage.scene.count("items from watches");
            let mirror = &mut stage.desk.borrow_mut().mirrors[at];
            match item {
                Ok(item) => mirror.items.push(item),
                Err(error) => mirror.end = Some(error.kind().clone()),
            }
        }
        drop(dies);
        start = watch.resume_revision();
        let ended = stage.desk.borrow().mirrors[at].end.clone();
        match ended {
            Some(ErrorKind::Compacted { compacted, .. }) => start = start.max(compacted),
            _ => sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Notes that a watch ended with its process.
struct Dies(Rc<Stage>, usize);

impl Drop for Dies {
    fn drop(&mut self) {
        if let Ok(mut desk) = self.0.desk.try_borrow_mut() {
            desk.mirrors[self.1].is_dead = true;
        }
    }
}

/// Of all nodes, one is foreman at a time, and writes to something outside that looks at tokens.
async fn foreman(stage: Rc<Stage>, node: NodeId, client: Client, mut draw: Stream) {
    while !stage.scene.is_resting() {
        sleep(Duration::from_millis(draw.between(50, 1500))).await;
        let ttl = Duration::from_millis(draw.pick(&[1_000, 2_000, 5_000]));
        // A call that takes for ever is given up: dropped, as any task may be.
        let shift = shift(&stage, node, &client, ttl, &mut draw);
        let _ = timeout(Duration::from_secs(15), shift).await;
    }
}

async fn shift(
    stage: &Rc<Stage>,
    node: NodeId,
    client: &Client,
    ttl: Duration,
    draw: &mut Stream,
) -> Result<()> {
    let lease = client.lease(ttl).await?;
    let guard = lock(client, LOCK, &lease).await?;
    stage.scene.count("locks held");
    let recorder = stage.desk.borrow().recorder.clone();
    for turn in 0..draw.between(1, 6) {
        sleep(Duration::from_millis(draw.between(1, 400))).await;
        write_outside(stage, node, guard.key(), guard.token());
        let Some(recorded) = recorder.as_ref().and_then(|r| r.client(70 + node, node)) else { break };
        let note = PutRequest::new("foreman", format!("{node}-{}-{turn}", guard.token()));
        let wrote = recorded.txn(TxnRequest::new().when(guard.still_held()).then(note)).await?;
        if !wrote.succeeded {
            stage.scene.count("locks lost");
            return Ok(());
        }
    }
    if draw.chance(700) {
        guard.unlock().await?;
    }
    if draw.chance(500) {
        lease.revoke().await?;
    }
    Ok(())
}

fn write_outside(stage: &Stage, node: NodeId, key: &[u8], token: Revision) {
    let desk = &mut *stage.desk.borrow_mut();
    let told = stage.see(|world| {
        desk.fence.follow(world.judge().log())?;
        desk.resource.write(&mut desk.fence, key, token)
    });
    match told {
        Ok(true) => {}
        Ok(false) => stage.scene.count("writes fenced off"),
        Err(broken) => stage.scene.report(Violation::new(Checker::Fence, "F1", broken.to_string()).on(node)),
    }
}

/// Asks everything that the store has to offer, in the node's own process.
async fn resident(stage: Rc<Stage>, node: NodeId, life: u64, draw: Stream) {
    let (recorder, pause) = {
        let desk = stage.desk.borrow();
        (desk.recorder.clone(), desk.pause)
    };
    let Some(recorder) = recorder else { return };
    let (who, scene) = (50 + node, stage.scene.clone());
    let values = life * 100_000;
    let caller = Caller { who, scene, recorder: recorder.clone(), draw, pace: pause, values };
    let mut kv = KvClient { caller, known: 1 };
    while !stage.scene.is_resting() {
        sleep(Duration::from_millis(kv.caller.draw.between(1, pause))).await;
        let Some(client) = recorder.client(who, node) else { return };
        kv.ask(&client).await;
    }
}
