//! Those who use the service, each on a machine of its own: they post jobs, do them, and ask any node.

use std::rc::Rc;
use std::time::Duration;

use kvorum_core::ids::NodeId;
use madsim::net::Endpoint;
use madsim::runtime::Handle;
use madsim::time::{sleep, timeout};

use super::board::{ASK, Ask, Letter, Told};
use super::service::Place;
use super::stage::{Stage, address, service_address};
use crate::rng::Stream;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(4);

struct Worker {
    stage: Rc<Stage>,
    who: u64,
    endpoint: Endpoint,
    draw: Stream,
    letters: u64,
    posted: u64,
    job: Option<String>,
}

/// How many use our own service.
const WORKERS: u64 = 3;

/// Begins all clients.
pub(super) fn begin(stage: &Stage) {
    for who in 1..=stage.service.as_ref().map_or(WORKERS, |service| service.clients()) {
        let ip = address(3, who);
        let machine = Handle::current().create_node().name(format!("client {who}")).ip(ip).build();
        machine.spawn(async move {
            let stage = Stage::current();
            let stage_ = stage.clone();
            stage.spawn(async move {
                match &stage_.service {
                    Some(service) => service.client(Place::of_client(&stage_, who)).await,
                    None => work(stage_.clone(), who).await,
                }
            });
        });
    }
}

async fn work(stage: Rc<Stage>, who: u64) {
    let Ok(endpoint) = Endpoint::bind((address(3, who), 1)).await else { return };
    let draw = stage.scene.chance(who);
    Worker { stage, who, endpoint, draw, letters: ASK, posted: 0, job: None }.run().await;
}

impl Worker {
    async fn run(mut self) {
        while !self.stage.scene.is_resting() {
            sleep(Duration::from_millis(self.draw.between(1, 150))).await;
            let ask = self.next();
            let node = 1 + self.draw.below(self.stage.scene.node_count());
            let told = self.ask(node, ask.clone()).await;
            self.hear(ask, told);
        }
    }

    fn next(&mut self) -> Ask {
        let me = format!("worker {}", self.who);
        match (self.draw.below(100), self.job.take()) {
            (0..80, Some(job)) => Ask::Finish(me, job),
            (80..90, job) => {
                self.job = job;
                Ask::Any
            }
            (90..93, job) => {
                self.job = job;
                Ask::Tidy
            }
            (0..45, None) => Ask::Claim(me),
            (_, job) => {
                self.job = job;
                self.posted += 1;
                Ask::Post(format!("{}-{}", self.who, self.posted))
            }
        }
    }

    fn hear(&mut self, ask: Ask, told: Option<Told>) {
        let scene = &self.stage.scene;
        match (ask, told) {
            (Ask::Claim(_), Some(Told::Claimed(Some(job)))) => self.job = Some(job),
            (Ask::Finish(..), Some(Told::Done(true))) => scene.count("jobs done"),
            (Ask::Post(_), Some(Told::Done(true))) => scene.count("jobs posted"),
            // It may be done or not: once more does no harm.
            (Ask::Finish(_, job), None | Some(Told::Failed)) => self.job = Some(job),
            (_, None) => scene.count("letters unanswered"),
            _ => {}
        }
    }

    async fn ask(&mut self, node: NodeId, ask: Ask) -> Option<Told> {
        self.letters += 1;
        let letter = Letter { who: self.who, answer_to: self.letters, ask };
        let asked = async {
            self.endpoint.send_to_raw(service_address(node), ASK, Box::new(letter)).await.ok()?;
            let (payload, _) = self.endpoint.recv_from_raw(self.letters).await.ok()?;
            payload.downcast::<Told>().ok().map(|told| *told)
        };
        timeout(PATIENCE, asked).await.ok().flatten()
    }
}
