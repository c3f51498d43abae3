//! What clients asked and were told, written down for the judge of histories.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use kvorum_core::ids::NodeId;
use kvorum_core::request::*;
use kvorum_core::{Answer, Client, Error, Outcome as Fate, Result};

use super::convert;
use crate::history::{Change, Delete, Op, Outcome, Put, Request, Response, Span};
use crate::scene::Scene;
use crate::timeline::{Lane, Told, What};

/// Everything that all clients asked and were told. Clones are the same book.
#[derive(Clone)]
pub struct Recorder {
    scene: Scene,
    book: Rc<Book>,
}

#[derive(Default)]
struct Book {
    ops: RefCell<Vec<Op>>,
    /// Those that have not returned, by their numbers.
    running: RefCell<BTreeMap<u64, Op>>,
    open: Cell<usize>,
    attempts: Cell<u64>,
}

/// A node's handle that writes down what is asked through it. Only plain calls: sessions are recorded by
/// whoever numbers them.
#[derive(Clone)]
pub struct Recorded {
    recorder: Recorder,
    client: Client,
    who: u64,
    node: NodeId,
}

/// One call that has not returned. Dropped, it has no outcome that anybody knows.
pub(super) struct Call {
    recorder: Recorder,
    op: Option<Op>,
    number: u64,
}

impl Recorder {
    /// An empty book.
    pub fn new(scene: &Scene) -> Recorder {
        Recorder { scene: scene.clone(), book: Rc::default() }
    }

    /// A node's handle, for client number `who`; `None`: the node does not run.
    pub fn client(&self, who: u64, node: NodeId) -> Option<Recorded> {
        let client = self.scene.client(node)?;
        Some(Recorded { recorder: self.clone(), client, who, node })
    }

    /// How many calls have not returned.
    pub fn open(&self) -> usize {
        self.book.open.get()
    }

    /// Everything that was asked, in the order of its end; what has not ended comes last, and may have happened.
    pub fn ops(&self) -> Vec<Op> {
        let running = self.book.running.borrow();
        self.book.ops.borrow().iter().chain(running.values()).cloned().collect()
    }

    /// Somebody asked for this change whose calls are not written down: it may have been.
    pub(super) fn explain(&self, change: &Change) {
        let request = match change.clone() {
            Change::Put { key, value, lease } => Request::Put(Put { key, value, lease, ..Put::default() }),
            Change::Delete { key } => Request::Delete(Delete { span: Span::one(key), prev_kv: false }),
        };
        self.book.ops.borrow_mut().push(Op {
            client: 0,
            attempt_of: None,
            member: None,
            incarnation: 0,
            call: 0,
            ret: u64::MAX,
            request,
            outcome: Outcome::Unknown,
        });
    }

    /// A number for attempts that belong together.
    pub(super) fn next_attempt(&self) -> u64 {
        self.book.attempts.set(self.book.attempts.get() + 1);
        self.book.attempts.get()
    }

    pub(super) fn begin(&self, who: u64, node: NodeId, request: Request, attempt_of: Option<u64>) -> Call {
        let number = self.scene.next_call();
        self.scene.mark(
            || Lane::Client(format!("client {who}")),
            || What::Call(number, format!("{} (through node {node})", request)),
        );
        self.book.open.set(self.book.open.get() + 1);
        let op = Op {
            client: who,
            attempt_of,
            member: Some(node),
            incarnation: self.scene.life(node),
            call: self.scene.now().as_nanos(),
            ret: u64::MAX,
            request,
            outcome: Outcome::Unknown,
        };
        self.book.running.borrow_mut().insert(number, op.clone());
        Call { recorder: self.clone(), op: Some(op), number }
    }
}

impl Call {
    /// It was answered.
    pub(super) fn answered(self, header: Option<Header>, response: Response) {
        let revision = header.map_or(0, |header| header.revision);
        self.end(Outcome::Answered { revision, response });
    }

    /// It failed.
    pub(super) fn failed(mut self, error: &Error) {
        let is_unknown = error.outcome() == Fate::Unknown;
        let told = if is_unknown { Told::Unknown } else { Told::Refused };
        self.note(told, || error.to_string());
        if !is_unknown {
            self.finish(Outcome::Refused);
        }
    }

    fn end(mut self, outcome: Outcome) {
        self.note(Told::Done, || match &outcome {
            Outcome::Answered { revision, response } => format!("revision {revision}: {response:?}"),
            _ => String::new(),
        });
        self.finish(outcome);
    }

    fn note(&self, told: Told, words: impl FnOnce() -> String) {
        let Some(op) = &self.op else { return };
        let (who, number) = (op.client, self.number);
        self.recorder
            .scene
            .mark(|| Lane::Client(format!("client {who}")), || What::Return(number, told, words()));
    }

    fn finish(&mut self, outcome: Outcome) {
        let Some(mut op) = self.op.take() else { return };
        let book = &self.recorder.book;
        book.running.borrow_mut().remove(&self.number);
        book.open.set(book.open.get() - 1);
        let counted = match &outcome {
            Outcome::Answered { .. } => "calls answered",
            Outcome::Refused => "calls refused",
            Outcome::Unknown => "calls of unknown outcome",
        };
        self.recorder.scene.count(counted);
        if outcome != Outcome::Unknown {
            op.ret = self.recorder.scene.now().as_nanos();
        }
        op.outcome = outcome;
        book.ops.borrow_mut().push(op);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(Outcome::Unknown);
    }
}

async fn take<T>(
    call: Call,
    answer: Answer<T>,
    said: impl FnOnce(&T) -> (Option<Header>, Response),
) -> Result<T> {
    let result = answer.await;
    match &result {
        Ok(answer) => {
            let (header, response) = said(answer);
            call.answered(header, response);
        }
        Err(error) => call.failed(error),
    }
    result
}

impl Recorded {
    /// The node's own handle: what is asked through it is not written down.
    pub fn plain(&self) -> &Client {
        &self.client
    }

    /// The node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    pub(super) fn begin(&self, request: Request) -> Call {
        self.recorder.begin(self.who, self.node, request, None)
    }

    /// See [`Client::put_request`].
    ///
    /// # Errors
    ///
    /// The client's.
    pub async fn put(&self, request: PutRequest) -> Result<PutResponse> {
        let call = self.begin(convert::put(&request));
        take(call, self.client.put_request(request), |a| (a.header, convert::put_answer(a))).await
    }

    /// See [`Client::delete_request`].
    ///
    /// # Errors
    ///
    /// The client's.
    pub async fn delete(&self, request: DeleteRangeRequest) -> Result<DeleteRangeResponse> {
        let call = self.begin(convert::delete(&request));
        take(call, self.client.delete_request(request), |a| (a.header, convert::delete_answer(a))).await
    }

    /// See [`Client::range`].
    ///
    /// # Errors
    ///
    /// The client's.
    pub async fn range(&self, request: RangeRequest) -> Result<RangeResponse> {
        let call = self.begin(convert::range(&request));
        take(call, self.client.range(request), |a| (a.header, convert::range_answer(a))).await
    }

    /// See [`Client::txn`].
    ///
    /// # Errors
    ///
    /// The client's.
    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse> {
        let call = self.begin(convert::txn(&request));
        take(call, self.client.txn(request), |a| (a.header, convert::txn_answer(a))).await
    }

    /// Any other call that shows a revision: when it was asked, when it returned, and the revision are written
    /// down, and nothing else.
    ///
    /// # Errors
    ///
    /// The client's.
    pub async fn glance<T>(&self, answer: Answer<T>, header: impl FnOnce(&T) -> Option<Header>) -> Result<T> {
        let call = self.begin(Request::Glance);
        take(call, answer, |a| (header(a), Response::Glance)).await
    }
}
