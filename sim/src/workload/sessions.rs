//! Clients that never give a write up: each has a session, repeats what it does not know the end of through
//! any other node, and must find it done once.

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

    /// Writes in a session until it is gone.
    async fn use_up(&mut self, session: SessionId) {
        for sequence in 1.. {
            if self.scene.is_resting() {
                return;
            }
            self.values += 1;
            let value = format!("{}-{}", self.who, self.values);
            let put = PutRequest::new(format!("key{}", self.draw.below(8)), value);
            let tag = SessionTag { session, sequence, acknowledged_below: sequence };
            if !self.insist(&put, tag).await {
                return;
            }
        }
    }

    /// Repeats one write until its end is known; answers whether the session is still there.
    async fn insist(&mut self, put: &PutRequest, tag: SessionTag) -> bool {
        let attempt_of = self.recorder.next_attempt();
        loop {
            let Some((node, client)) = self.node().await else { continue };
            let Ok(write) = Write::new(Op::Put(put.clone()), Some(tag), &self.config) else { return false };
            let call = self.recorder.begin(self.who, node, convert::put(put), Some(attempt_of));
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
                }
            }
        }
    }
}
