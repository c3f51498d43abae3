//! A node process: one kvorum node, which does what its parent asks over stdin and answers over stdout.
//!
//! This is the part that embeds kvorum; everything else in this example only sets it in scene.

use std::io::{self, Write};
use std::process;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use kvorum::request::{EventKind, KeyValue, RangeRequest, WatchRequest};
use kvorum::{AutoCompaction, Client, Error, ErrorKind, Node, WatchItem};

use crate::wire::{Event, HELLO, Pair, Reply, Request, Status, Verdict, read_frame, write_frame};

/// How a node process is set up; it travels as the child's arguments.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub id: u64,
    pub data_dir: String,
    /// Where nodes 1, 2, 3 ... are reached.
    pub addresses: Vec<String>,
    pub heartbeat: Duration,
    pub election_timeout: Duration,
    /// How long the log may get before it is replaced by an image of the state.
    pub image_log_bytes: u64,
    /// How many bytes of the log stay in memory for slow followers; eight times as many for one that was away.
    pub keep_bytes: u64,
}

impl Setup {
    pub(crate) fn to_args(&self) -> Vec<String> {
        let mut args = vec![self.id.to_string(), self.data_dir.clone(), self.addresses.join(",")];
        args.extend([self.heartbeat, self.election_timeout].map(|time| time.as_millis().to_string()));
        args.extend([self.image_log_bytes, self.keep_bytes].map(|number| number.to_string()));
        args
    }

    pub(crate) fn from_args(args: &[String]) -> Option<Setup> {
        let [id, data_dir, addresses, heartbeat, election_timeout, image_log_bytes, keep_bytes] = args else {
            return None;
        };
        Some(Setup {
            id: id.parse().ok()?,
            data_dir: data_dir.clone(),
            addresses: addresses.split(',').map(str::to_owned).collect(),
            heartbeat: Duration::from_millis(heartbeat.parse().ok()?),
            election_timeout: Duration::from_millis(election_timeout.parse().ok()?),
            image_log_bytes: image_log_bytes.parse().ok()?,
            keep_bytes: keep_bytes.parse().ok()?,
        })
    }

    fn start(self) -> kvorum::Result<Node> {
        Node::builder()
            .id(self.id)
            .data_dir(self.data_dir)
            .peers((1..).zip(self.addresses))
            .heartbeat(self.heartbeat)
            .election_timeout(self.election_timeout)
            // The mirror must see every event there ever was.
            .auto_compaction(AutoCompaction::Off)
            .tune(move |config| {
                config.image_log_bytes = self.image_log_bytes;
                config.keep_bytes = self.keep_bytes;
                config.catch_up_bytes = 8 * self.keep_bytes;
            })
            .start()
    }
}

/// Runs a node until the parent closes this process's stdin or is gone.
pub(crate) fn run(setup: Setup) -> ! {
    let id = setup.id;
    let node = setup.start().unwrap_or_else(|error| {
        eprintln!("node {id} does not start: {error}");
        process::exit(1);
    });
    let out = Out::default();
    out.say_hello();
    let desk = Desk::new(node.client(), out);
    let mut stdin = io::stdin().lock();
    while let Ok((number, body)) = read_frame(&mut stdin) {
        match Request::decode(&body) {
            Ok(request) => desk.take(number, request),
            Err(error) => panic!("node {id} was asked something that makes no sense: {error}"),
        }
    }
    // The parent is done with us, or gone. There is nothing to save: what was acknowledged is on disk.
    process::exit(0);
}

/// Where answers go.
#[derive(Clone, Default)]
struct Out(Arc<Mutex<()>>);

impl Out {
    fn say_hello(&self) {
        let mut stdout = io::stdout().lock();
        if stdout.write_all(HELLO).and_then(|()| stdout.flush()).is_err() {
            process::exit(0);
        }
    }

    fn send(&self, number: u64, reply: &Reply) {
        let _one_at_a_time = self.0.lock();
        if write_frame(&mut io::stdout().lock(), number, &reply.encode()).is_err() {
            // Nobody listens any more.
            process::exit(0);
        }
    }
}

/// A request that was handed to the node, and what to do with its answer.
type Pending = (u64, Box<dyn FnOnce() -> Reply + Send>);

/// Takes requests in and hands them to the node at once; answers are waited for on another thread, one for
/// writes and one for reads. That way a thousand requests may be under way and share the cluster's rounds
/// and syncs.
struct Desk {
    client: Client,
    out: Out,
    writes: Sender<Pending>,
    reads: Sender<Pending>,
}

impl Desk {
    fn new(client: Client, out: Out) -> Desk {
        Desk { writes: lane(&out), reads: lane(&out), client, out }
    }

    fn take(&self, number: u64, request: Request) {
        match request {
            Request::Put { key, value } => {
                let answer = self.client.put(key, value);
                wait_later(&self.writes, number, move || answer.wait().map(put_reply));
            }
            Request::Get { key } => {
                let answer = self.client.get(key);
                wait_later(&self.reads, number, move || Ok(Reply::Get(answer.wait()?.map(pair))));
            }
            Request::Range { start, limit, revision } => {
                let answer = self.client.range(page(&start, limit, revision));
                wait_later(&self.reads, number, move || answer.wait().map(range_reply));
            }
            Request::Watch { from } => self.watch(number, from),
            Request::Status => self.out.send(number, &Reply::Status(status(&self.client))),
        }
    }

    fn watch(&self, number: u64, from: u64) {
        let (client, out) = (self.client.clone(), self.out.clone());
        thread::spawn(move || {
            if let Err(error) = follow(&client, from, |events| out.send(number, &Reply::Events(events))) {
                out.send(number, &failure(&error));
            }
        });
    }
}

fn lane(out: &Out) -> Sender<Pending> {
    let (sender, pending) = channel::<Pending>();
    let out = out.clone();
    thread::spawn(move || pending.iter().for_each(|(number, finish)| out.send(number, &finish())));
    sender
}

fn wait_later(
    lane: &Sender<Pending>,
    number: u64,
    wait: impl FnOnce() -> kvorum::Result<Reply> + Send + 'static,
) {
    let finish = Box::new(|| wait().unwrap_or_else(|error| failure(&error)));
    lane.send((number, finish)).expect("a lane lives as long as its process");
}

fn follow(client: &Client, from: u64, mut hand_on: impl FnMut(Vec<Event>)) -> kvorum::Result<()> {
    for item in client.watch(WatchRequest::prefix("").from(signed(from)))? {
        if let WatchItem::Events(events) = item? {
            hand_on(events.into_iter().filter_map(event).collect());
        }
    }
    Ok(())
}

fn page(start: &[u8], limit: u64, revision: u64) -> RangeRequest {
    let start = if start.is_empty() { &[0][..] } else { start };
    let mut page = RangeRequest::key(start).with_limit(signed(limit)).at(signed(revision));
    page.range_end = (&[0][..]).into();
    page
}

fn put_reply(response: kvorum::request::PutResponse) -> Reply {
    Reply::Put { revision: response.header.map_or(0, |header| unsigned(header.revision)) }
}

fn range_reply(response: kvorum::request::RangeResponse) -> Reply {
    let revision = response.header.map_or(0, |header| unsigned(header.revision));
    Reply::Range { revision, more: response.more, pairs: response.kvs.into_iter().map(pair).collect() }
}

fn pair(kv: KeyValue) -> Pair {
    let (mod_revision, version) = (unsigned(kv.mod_revision), unsigned(kv.version));
    Pair { key: kv.key.into(), value: kv.value.into(), mod_revision, version }
}

fn event(event: kvorum::request::Event) -> Option<Event> {
    let kv = event.kv?;
    let value = (event.kind == EventKind::Put as i32).then(|| kv.value.into());
    Some(Event { revision: unsigned(kv.mod_revision), key: kv.key.into(), value })
}

fn status(client: &Client) -> Status {
    let status = client.status();
    Status {
        is_leader: status.is_leader(),
        term: status.raft.term,
        index: status.hash_index,
        hash: status.hash_hex(),
        halted: match (status.raft.halted, status.raft.differing.as_slice()) {
            (Some(reason), _) => reason,
            (None, []) => String::new(),
            (None, differing) => format!("its state differs from that of members {differing:?}"),
        },
    }
}

fn failure(error: &Error) -> Reply {
    use ErrorKind::*;
    let verdict = match error.kind() {
        NoLeader | NotLeader { .. } | LeaderChanged | Timeout | Overloaded | Stopped => Verdict::Again,
        TooLarge { .. } => Verdict::TooLarge,
        _ => Verdict::Final,
    };
    Reply::Failed { verdict, reason: error.to_string() }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or(0)
}
