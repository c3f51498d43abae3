//! What the tests share: members with a channel for an inbox, images, and patience with an end.
// Each test program uses a part of this.
#![allow(dead_code, unreachable_pub)]

// The gateway's tests have the same need.
#[path = "../../../gateway/tests/common/ports.rs"]
mod ports;
pub mod raw;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam::channel::{Receiver, Sender, unbounded};
use kvorum_core::storage::{ImageMeta, ImageSource, LogPosition};
use kvorum_core::transport::{
    Body, Envelope, ImageReceiver, Inbox, Incoming, Local, RaftMessage, Transport, WireEntry,
};
use kvorum_core::{ErrorKind, Result};
use kvorum_transport::{TcpHandle, TcpOptions, TcpTransport};

pub const CLUSTER: u64 = 0xC1;
/// Longer than anything takes on a busy machine; reached only by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Impatient, so that the tests of time-outs are short.
pub fn quick() -> TcpOptions {
    TcpOptions {
        hello_timeout: Duration::from_millis(400),
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(50),
        ping_interval: Duration::from_millis(100),
        idle_timeout: Duration::from_millis(800),
        image_stall: Duration::from_secs(2),
        image_store: Duration::from_secs(4),
        ..TcpOptions::default()
    }
}

pub fn local(node: u64) -> Local {
    Local { cluster: CLUSTER, node, incarnation: 1 }
}

pub fn inbox() -> (Inbox, Receiver<Incoming>) {
    let (sender, receiver): (Sender<Incoming>, _) = unbounded();
    (Inbox::new(move |incoming| sender.send(incoming).is_ok()), receiver)
}

pub struct Member {
    pub id: u64,
    pub transport: TcpTransport,
    pub handle: TcpHandle,
    pub inbox: Receiver<Incoming>,
    pub address: String,
}

/// Where nobody listens, and nobody comes to while a member that listened there is down.
pub fn free_address() -> String {
    format!("127.0.0.1:{}", ports::free_port())
}

/// Nobody listens on port 1: a peer for tests that only connect from it.
pub const NOWHERE: &str = "127.0.0.1:1";

impl Member {
    pub fn start(id: u64, peers: &[(u64, &str)], options: TcpOptions) -> Member {
        Member::start_at(&free_address(), id, peers, options)
    }

    pub fn start_at(listen: &str, id: u64, peers: &[(u64, &str)], options: TcpOptions) -> Member {
        let peers: BTreeMap<u64, String> = peers.iter().map(|(id, at)| (*id, at.to_string())).collect();
        let mut transport = TcpTransport::with_options(listen, peers, options);
        let (to, inbox) = inbox();
        transport.start(local(id), to).expect("start");
        let handle = transport.handle();
        let address = handle.local_addr().expect("started").to_string();
        Member { id, transport, handle, inbox, address }
    }

    pub fn say(&mut self, to: u64, number: u64) {
        self.transport.send(message(self.id, to, number, Bytes::new()));
    }

    /// The next message.
    pub fn hear(&self) -> Envelope {
        match wait_for(&self.inbox, |incoming| matches!(incoming, Incoming::Message(_))) {
            Incoming::Message(envelope) => envelope,
            _ => unreachable!(),
        }
    }

    /// Waits for the end of an image: whether it was stored.
    pub fn image_sent(&self) -> (u64, u64, bool) {
        match wait_for(&self.inbox, |incoming| matches!(incoming, Incoming::ImageSent { .. })) {
            Incoming::ImageSent { to, index, stored } => (to, index, stored),
            _ => unreachable!(),
        }
    }

    pub fn image_offer(&self) -> (Envelope, oneshot::Sender<Box<dyn ImageReceiver>>) {
        match wait_for(&self.inbox, |incoming| matches!(incoming, Incoming::ImageOffer { .. })) {
            Incoming::ImageOffer { envelope, accept } => (envelope, accept),
            _ => unreachable!(),
        }
    }

    pub fn send_image(&mut self, to: u64, source: TestSource) {
        let envelope = message(self.id, to, source.meta.position.index, Bytes::new());
        self.transport.send_image(envelope, Box::new(source));
    }
}

/// Two members that know each other.
pub fn two(options: TcpOptions) -> (Member, Member) {
    let one = Member::start(1, &[(2, NOWHERE)], options.clone());
    let two = Member::start(2, &[(1, &one.address)], options);
    one.handle.set_peer(2, &two.address).expect("set_peer");
    (one, two)
}

pub fn wait_for(inbox: &Receiver<Incoming>, wanted: impl Fn(&Incoming) -> bool) -> Incoming {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let incoming = inbox.recv_deadline(deadline).expect("nothing came in time");
        if wanted(&incoming) {
            return incoming;
        }
    }
}

/// Looks again and again, for what no channel tells.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

pub fn message(from: u64, to: u64, number: u64, data: Bytes) -> Envelope {
    let entries = vec![WireEntry { index: number, term: 1, kind: 0, data }];
    let raft = RaftMessage { kind: 3, term: 1, index: number, entries, ..RaftMessage::default() };
    Envelope { cluster: CLUSTER, from, to, directory: 5, incarnation: 1, body: Some(raft.into()) }
}

pub fn number(envelope: &Envelope) -> u64 {
    match &envelope.body {
        Some(Body::Raft(raft)) => raft.index,
        other => panic!("not a raft message: {other:?}"),
    }
}

/// An image of `chunks` chunks that can wait before each, for a test to catch it in the middle.
pub struct TestSource {
    pub meta: ImageMeta,
    pub chunks: u64,
    pub size: usize,
    pub next: u64,
    pub gate: Option<Receiver<()>>,
}

impl TestSource {
    pub fn new(index: u64, chunks: u64, size: usize) -> TestSource {
        let position = LogPosition { index, term: 1 };
        TestSource { meta: ImageMeta { position, ..ImageMeta::default() }, chunks, size, next: 0, gate: None }
    }
}

pub fn chunk(number: u64, size: usize) -> Bytes {
    (0..size).map(|n| (n as u64 ^ number.wrapping_mul(31)) as u8).collect()
}

impl ImageSource for TestSource {
    fn meta(&self) -> &ImageMeta {
        &self.meta
    }

    fn size(&self) -> u64 {
        self.chunks * self.size as u64
    }

    fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        if self.next == self.chunks {
            return Ok(None);
        }
        if let Some(gate) = &self.gate {
            let _ = gate.recv_timeout(PATIENCE);
        }
        self.next += 1;
        Ok(Some(chunk(self.next, self.size)))
    }
}

/// What became of an image at its receiver.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    Chunk(Bytes),
    Finished,
    Dropped,
}

/// Tells everything; fails at the chunk or the finish that it is told to fail at.
pub struct TestReceiver {
    pub tell: Sender<Fate>,
    pub fail_at_chunk: Option<u64>,
    pub fail_at_finish: bool,
    taken: u64,
    finished: bool,
}

pub fn receiver(
    fail_at_chunk: Option<u64>,
    fail_at_finish: bool,
) -> (Box<dyn ImageReceiver>, Receiver<Fate>) {
    let (tell, fate) = unbounded();
    (Box::new(TestReceiver { tell, fail_at_chunk, fail_at_finish, taken: 0, finished: false }), fate)
}

impl ImageReceiver for TestReceiver {
    fn chunk(&mut self, chunk: Bytes) -> Result<()> {
        self.taken += 1;
        if self.fail_at_chunk == Some(self.taken) {
            return Err(ErrorKind::Io { action: "writing".into(), reason: "disk on fire".into() }.into());
        }
        let _ = self.tell.send(Fate::Chunk(chunk));
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if self.fail_at_finish {
            return Err(ErrorKind::Io { action: "syncing".into(), reason: "disk on fire".into() }.into());
        }
        self.finished = true;
        let _ = self.tell.send(Fate::Finished);
        Ok(())
    }
}

impl Drop for TestReceiver {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.tell.send(Fate::Dropped);
        }
    }
}

/// Waits for the end of an image at its receiver.
pub fn fate(of: &Receiver<Fate>) -> Fate {
    loop {
        match of.recv_timeout(PATIENCE).expect("no end of the image in time") {
            Fate::Chunk(_) => {}
            end => return end,
        }
    }
}
