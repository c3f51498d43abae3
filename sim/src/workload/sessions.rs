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

use super::caller::Caller;
use super::convert;

pub(super) struct SessionClient {
    pub(super) caller: Caller,
    /// The limits that the nodes have.
    pub(super) config: Config,
}

impl SessionClient {
    pub(super) async fn run(mut self) {
        while !self.caller.scene.is_resting() {
            if let Some(session) = self.open().await {
                self.use_up(session).await;
            }
        }
    }

    async fn node(&mut self) -> Option<(NodeId, Client)> {
        self.caller.pause().await;
        let node = self.caller.any_node();
        Some((node, self.caller.scene.client(node)?))
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
        let width = self.caller.draw.between(1, 3) as usize;
        let open = Rc::new(RefCell::new(Open::default()));
        for sequence in 1.. {
            while open.borrow().waiting.len() >= width && !open.borrow().is_gone {
                self.caller.scene.sleep(Duration::from_millis(5)).await;
            }
            if self.caller.scene.is_resting() || open.borrow().is_gone {
                return;
            }
            open.borrow_mut().waiting.insert(sequence);
            let value = self.caller.value();
            let put = PutRequest::new(format!("key{}", self.caller.draw.below(8)), value);
            let one = Insisting {
                caller: Caller {
                    scene: self.caller.scene.clone(),
                    recorder: self.caller.recorder.clone(),
                    draw: self.caller.scene.chance(self.caller.who * 1_000_000 + self.caller.values),
                    ..self.caller
                },
                config: self.config.clone(),
                open: open.clone(),
                put,
                session,
                sequence,
            };
            self.caller.scene.spawn(one.run());
            self.caller.pause().await;
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
    caller: Caller,
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
        let node = self.caller.any_node();
        let client = self.caller.scene.client(node);
        if client.is_none() {
            self.caller.pause().await;
        }
        Some((node, client?))
    }

    /// Repeats the write until its end is known; answers whether the session is still there.
    async fn insist(&mut self) -> bool {
        let put = self.put.clone();
        let attempt_of = self.caller.recorder.next_attempt();
        loop {
            let Some((node, client)) = self.node().await else { continue };
            let acknowledged_below = self.open.borrow().waiting.first().copied().unwrap_or(self.sequence);
            let tag = SessionTag { session: self.session, sequence: self.sequence, acknowledged_below };
            let Ok(write) = Write::new(Op::Put(put.clone()), Some(tag), &self.config) else { return false };
            let call =
                self.caller.recorder.begin(self.caller.who, node, convert::put(&put), Some(attempt_of));
            match client.request(Request::Write(write)).await {
                Ok(Reply::Applied { response: Response::Put(answer), .. }) => {
                    call.answered(answer.header, convert::put_answer(&answer));
                    return true;
                }
                Ok(other) => {
                    self.caller
                        .scene
                        .broken("a put is answered as a put", format!("it was answered {other:?}"));
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
                    match error.outcome() {
                        Outcome::NotApplied => call.failed(&error),
                        // Written down now: whoever looks at the end must not miss it.
                        _ => drop(call),
                    }
                    self.caller.scene.count("retries in a session");
                    self.caller.pause().await;
                }
            }
        }
    }
}
