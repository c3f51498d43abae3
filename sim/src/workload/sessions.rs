//! Clients that never give a write up: each has a session, repeats what it does not know the end of through
//! any other node, and must find it done once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use kvorum_core::command::{Op, OpenSession, Response, SessionTag};
use kvorum_core::ids::{NodeId, SessionId};
use kvorum_core::node::{Reply, Request};
use kvorum_core::request::PutRequest;
use kvorum_core::{Client, Config, ErrorKind, Outcome, Write};

use super::convert;
use super::record::Recorder;
use crate::rng::Stream;
use crate::scene::Scene;

pub(super) struct SessionClient {
    pub(super) who: u64,
    pub(super) scene: Scene,
    pub(super) recorder: Recorder,
    pub(super) draw: Stream,
    pub(super) pause: u64,
    /// The limits that the nodes have.
    pub(super) config: Config,
    pub(super) values: u64,
}

impl SessionClient {
    pub(super) async fn run(mut self) {
        while !self.scene.is_resting() {
            if let Some(session) = self.open().await {
                self.use_up(session).await;
            }
        }
    }

    async fn pause(&mut self) {
        let pause = Duration::from_millis(self.draw.between(1, self.pause));
        self.scene.sleep(pause).await;
    }

    async fn node(&mut self) -> Option<(NodeId, Client)> {
        self.pause().await;
        let node = 1 + self.draw.below(self.scene.node_count());
        Some((node, self.scene.client(node)?))
    }

    async fn open(&mut self) -> Option<SessionId> {
        let (_, client) = self.node().await?;
        let write = Write::new(Op::OpenSession(OpenSession {}), None, &self.config).ok()?;
        match client.request(Request::Write(write)).await {
            Ok(Reply::Applied { response: Response::OpenSession(id), .. }) => Some(id),
            _ => None,
        }
    }

    /// Writes in a session until it is gone, several at a time.
    async fn use_up(&mut self, session: SessionId) {
        let width = self.draw.between(1, 3) as usize;
        let open = Rc::new(RefCell::new(Open::default()));
        for sequence in 1.. {
            while open.borrow().waiting.len() >= width && !open.borrow().is_gone {
                self.scene.sleep(Duration::from_millis(5)).await;
            }
            if self.scene.is_resting() || open.borrow().is_gone {
                return;
            }
            open.borrow_mut().waiting.insert(sequence);
            self.values += 1;
            let value = format!("{}-{}", self.who, self.values);
            let put = PutRequest::new(format!("key{}", self.draw.below(8)), value);
            let one = Insisting {
                who: self.who,
                scene: self.scene.clone(),
                recorder: self.recorder.clone(),
                draw: self.scene.chance(self.who * 1_000_000 + self.values),
                pause: self.pause,
                config: self.config.clone(),
                open: open.clone(),
                put,
                session,
                sequence,
            };
            self.scene.spawn(one.run());
            self.pause().await;
        }
    }
}

/// What is under way in a session.
#[derive(Default)]
struct Open {
    waiting: BTreeSet<u64>,
    is_gone: bool,
}

/// One write that is not given up.
struct Insisting {
    who: u64,
    scene: Scene,
    recorder: Recorder,
    draw: Stream,
    pause: u64,
    config: Config,
    open: Rc<RefCell<Open>>,
    put: PutRequest,
    session: SessionId,
    sequence: u64,
}

impl Insisting {
    async fn run(mut self) {
        if !self.insist().await {
            self.open.borrow_mut().is_gone = true;
        }
        self.open.borrow_mut().waiting.remove(&self.sequence);
    }

    async fn node(&mut self) -> Option<(NodeId, Client)> {
        let node = 1 + self.draw.below(self.scene.node_count());
        let client = self.scene.client(node);
        if client.is_none() {
            let pause = Duration::from_millis(self.draw.between(1, self.pause));
            self.scene.sleep(pause).await;
        }
        Some((node, client?))
    }

    /// Repeats the write until its end is known; answers whether the session is still there.
    async fn insist(&mut self) -> bool {
        let put = self.put.clone();
        let attempt_of = self.recorder.next_attempt();
        loop {
            let Some((node, client)) = self.node().await else { continue };
            let acknowledged_below = self.open.borrow().waiting.first().copied().unwrap_or(self.sequence);
            let tag = SessionTag { session: self.session, sequence: self.sequence, acknowledged_below };
            let Ok(write) = Write::new(Op::Put(put.clone()), Some(tag), &self.config) else { return false };
            let call = self.recorder.begin(self.who, node, convert::put(&put), Some(attempt_of));
            match client.request(Request::Write(write)).await {
                Ok(Reply::Applied { response: Response::Put(answer), .. }) => {
                    call.answered(answer.header, convert::put_answer(&answer));
                    return true;
                }
                Ok(other) => {
                    self.scene.broken("a put is answered as a put", format!("it was answered {other:?}"));
                    return false;
                }
                Err(error) => {
                    let is_over = matches!(
                        error.kind(),
                        ErrorKind::SessionNotFound { .. }
                            | ErrorKind::SessionSequence { .. }
                            | ErrorKind::NoSpace { .. }
                    );
                    // The session may be gone together with the answer to an earlier attempt.
                    if is_over {
                        return false;
                    }
                    if error.outcome() == Outcome::NotApplied {
                        call.failed(&error);
                    }
                    self.scene.count("retries in a session");
                    let pause = Duration::from_millis(self.draw.between(1, self.pause));
                    self.scene.sleep(pause).await;
                }
            }
        }
    }
}
