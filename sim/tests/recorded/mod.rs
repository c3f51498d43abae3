//! A scripted run of a cluster whose disks are all taped, with everything that the cluster promised to
//! anybody, and how far the tapes were when it did.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kvorum_core::ids::{Index, NodeId, Revision, Term};
use kvorum_core::request::{
    Compare, CompareResult, DeleteRangeRequest, Event, LeaseGrantRequest, PutRequest, TxnRequest,
};
use kvorum_core::state::State;
use kvorum_core::storage::{LogEntry, LogPosition};
use kvorum_core::transport::{Body, Envelope, RaftMessage};
use kvorum_core::{Client, Config, Result};
use kvorum_sim::{Seen, Tape, World, poll};
use kvorum_storage::Options;
use kvorum_storage::faulty::Random;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Small, so that a short run has many segments, and images that are synced in parts.
pub(crate) const TINY: Options = Options { segment_bytes: 5000, image_sync_bytes: 2000 };

pub(crate) fn tune(config: &mut Config) {
    config.image_log_bytes = 4000;
    config.keep_bytes = 0;
    config.catch_up_bytes = 0;
}

/// What a node told its peers: the bytes that it vouched for had to be on its disk by then.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Promise {
    pub(crate) term: Term,
    /// Whom it voted for in that term.
    pub(crate) vote: NodeId,
    /// Through which entry it had stored what the leader of that term has.
    pub(crate) stored: Index,
}

/// What a client was told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) revision: Revision,
    pub(crate) granted: i64,
    pub(crate) revoked: i64,
    pub(crate) compacted: Revision,
}

/// The run. How far it was is said by the number of operations on all tapes together: no two of them happen at
/// the same time.
#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) configs: BTreeMap<NodeId, Config>,
    pub(crate) tapes: BTreeMap<NodeId, Tape>,
    /// How long each node's tape was, whenever one of them had become longer.
    pub(crate) moments: Vec<Vec<usize>>,
    /// Each node's promises, with the length of its tape when it gave them.
    pub(crate) promises: BTreeMap<NodeId, Vec<(usize, Promise)>>,
    /// What clients were told, with the length of all tapes together.
    pub(crate) told: Vec<(usize, Told)>,
    /// Leases that somebody had asked to end, with the length of all tapes together.
    pub(crate) ending: BTreeMap<i64, usize>,
    pub(crate) history: BTreeMap<Revision, Vec<Event>>,
    /// The log, as it came to be agreed on.
    pub(crate) log: Arc<BTreeMap<Index, LogEntry>>,
    /// The state's hash after each entry, as the log alone explains it.
    pub(crate) hashes: Vec<[u8; 32]>,
    pub(crate) images_taken: u64,
}

type Pending = Pin<Box<dyn Future<Output = Result<Told>>>>;

struct Recorder {
    world: World,
    run: Recorded,
    random: Random,
    /// What was sent.
    heard: BTreeMap<Index, (Term, bytes::Bytes)>,
    applied: BTreeMap<Index, LogEntry>,
    seen_hashes: BTreeMap<Index, [u8; 32]>,
    waiting: Vec<Pending>,
    session: Option<Client>,
    leases: BTreeSet<i64>,
    newest: Revision,
}

/// Runs `operations` client operations on `nodes` nodes. Of three, one is away for a fifth of the run, and the
/// leader is killed once; nobody loses power, so that a tape says all.
pub(crate) fn record(seed: u64, nodes: u64, operations: u64) -> Recorded {
    let mut world = World::new(seed).nodes_with(nodes, tune).storage_options(TINY);
    let mut run = Recorded::default();
    for node in 1..=nodes {
        let tape = Tape::default();
        run.tapes.insert(node, tape.clone());
        run.configs.insert(node, world.config(node).clone());
        world.wrap_disk(node, move |disk| tape.over(disk));
    }
    world.note_events();
    let mut recorder = Recorder {
        world,
        run,
        random: Random::new(seed),
        heard: BTreeMap::new(),
        applied: BTreeMap::new(),
        seen_hashes: BTreeMap::new(),
        waiting: Vec::new(),
        session: None,
        leases: BTreeSet::new(),
        newest: 1,
    };
    recorder.start();
    for number in 0..operations {
        recorder.upset(number * 100 / operations, number.is_multiple_of((operations / 100).max(1)));
        recorder.operation(number);
    }
    recorder.finish()
}

impl Recorder {
    fn start(&mut self) {
        for node in self.world.ids() {
            self.world.start(node);
            self.note();
        }
        self.until(10 * SECOND, |recorder| recorder.world.leader().is_some());
        assert!(self.world.leader().is_some());
    }

    /// What happens at this hundredth of the run.
    fn upset(&mut self, hundredth: u64, is_its_first: bool) {
        if !is_its_first || self.world.ids().len() == 1 {
            return;
        }
        let leader = self.world.leader();
        let away = 3;
        match hundredth {
            30 if leader == Some(away) => {
                let answer = self.world.client(away).unwrap().transfer_leadership(1);
                self.waiting.push(Box::pin(async move { answer.await.map(|()| Told::default()) }));
                self.until(2 * SECOND, |recorder| recorder.world.leader().is_some_and(|new| new != away));
                self.world.kill(away);
            }
            30 => self.world.kill(away),
            50 => assert!(self.world.start(away)),
            70 => leader.into_iter().for_each(|leader| self.world.kill(leader)),
            72 | 85 => self.world.start_all(),
            84 => self.world.kill(2),
            _ => {}
        }
        self.note();
        self.until(10 * SECOND, |recorder| recorder.world.leader().is_some());
    }

    /// One client operation, and a little time.
    fn operation(&mut self, number: u64) {
        let leader = self.world.leader().expect("a leader");
        let client = self.world.client(leader).unwrap();
        if number % 100 == 20 {
            let opened = Box::pin(client.open_session());
            self.session = self.world.wait(opened, SECOND).and_then(|opened| opened.ok());
            self.note();
        }
        let answer = self.ask(number, client);
        self.waiting.push(answer);
        let pause = Duration::from_micros(self.random.below(2000));
        self.until(pause, |_| false);
        let most = (number / 50 % 6) as usize;
        self.until(10 * SECOND, |recorder| recorder.waiting.len() <= most);
        assert!(self.waiting.len() <= most, "answered in time");
    }

    fn ask(&mut self, number: u64, plain: Client) -> Pending {
        let key = format!("key{}", self.random.below(30));
        let length = [4, 16, 60, 250, 900][self.random.below(5) as usize];
        let value = format!("value {number} {}", "x".repeat(length));
        // A session that was opened through a node that is gone since is as good as none.
        let session = self.session.clone().filter(|_| number.is_multiple_of(3));
        let client = session.filter(|s| s.status().node == plain.status().node).unwrap_or(plain);
        match self.random.below(20) {
            0..10 => wrote(client.put(key, value), |r| r.header),
            10..12 => wrote(client.delete(key), |r| r.header),
            12 => wrote(client.delete_request(DeleteRangeRequest::prefix("key1")), |r| r.header),
            13..16 => {
                let missing = Compare::version(&key, CompareResult::Equal, 0);
                let both = TxnRequest::new().when(missing).then(PutRequest::new(&key, "was missing"));
                let both = both.then(PutRequest::new(format!("{key}/b"), value));
                wrote(client.txn(both.otherwise(DeleteRangeRequest::key(&key))), |r| r.header)
            }
            16 => {
                let id = number as i64 + 1;
                self.leases.insert(id);
                let answer = client.grant_request(LeaseGrantRequest { ttl: 5000, id });
                Box::pin(async move { answer.await.map(|_| Told { granted: id, ..Told::default() }) })
            }
            17 => match self.leases.first().copied() {
                Some(lease) => {
                    wrote(client.put_request(PutRequest::new(key, value).with_lease(lease)), |r| r.header)
                }
                None => wrote(client.put(key, value), |r| r.header),
            },
            18 => match self.leases.pop_first() {
                Some(id) => {
                    self.run.ending.insert(id, self.length());
                    let answer = client.revoke(id);
                    Box::pin(async move { answer.await.map(|_| Told { revoked: id, ..Told::default() }) })
                }
                None => wrote(client.put(key, value), |r| r.header),
            },
            _ => {
                let compacted = (self.newest - 15).max(1);
                let answer = client.compact(compacted);
                Box::pin(async move { answer.await.map(|_| Told { compacted, ..Told::default() }) })
            }
        }
    }

    /// Lets time pass, and notes what happens after every single step of it.
    fn until(&mut self, limit: Duration, done: impl Fn(&Recorder) -> bool) {
        let end = self.world.now() + limit;
        while !done(self) && self.world.step(end) {
            self.note();
        }
    }

    fn length(&self) -> usize {
        self.run.tapes.values().map(Tape::len).sum()
    }

    fn note(&mut self) {
        let lengths: Vec<usize> = self.run.tapes.values().map(Tape::len).collect();
        let length = self.length();
        if self.run.moments.last() != Some(&lengths) {
            self.run.moments.push(lengths);
        }
        for seen in self.world.take_seen() {
            if let Seen::Sent(envelope) = seen {
                self.sent(*envelope);
            }
        }
        for node in self.world.ids() {
            if let Some(status) = self.world.status(node) {
                assert_eq!(status.raft.halted, None);
                self.seen_hashes.insert(status.hash_index, status.hash);
            }
        }
        while let Some(entry) = self.world.judge().applied_entry(self.applied.len() as Index + 1) {
            self.applied.insert(entry.index, entry);
        }
        let (told, newest) = (&mut self.run.told, &mut self.newest);
        self.waiting.retain_mut(|answer| match poll(answer) {
            None => true,
            Some(answer) => {
                // An error promises nothing.
                if let Ok(answer) = answer {
                    *newest = answer.revision.max(*newest);
                    told.push((length, answer));
                }
                false
            }
        });
    }

    fn sent(&mut self, envelope: Envelope) {
        let Some(Body::Raft(message)) = envelope.body else { return };
        let RaftMessage { kind, term, index, reject, .. } = *message;
        for entry in message.entries {
            let known = self.heard.entry(entry.index).or_default();
            if entry.term > known.0 {
                *known = (entry.term, entry.data);
            }
        }
        let mut promise = Promise { term, ..Promise::default() };
        match kind {
            PRE_VOTE | PRE_VOTE_ANSWER => return,
            APPEND_ANSWER if !reject => promise.stored = index,
            VOTE => promise.vote = envelope.from,
            VOTE_ANSWER if !reject => promise.vote = envelope.to,
            _ => {}
        }
        let at = self.run.tapes[&envelope.from].len();
        self.run.promises.entry(envelope.from).or_default().push((at, promise));
    }

    fn finish(mut self) -> Recorded {
        self.until(2 * SECOND, |_| false);
        let mut state = State::new(self.world.config(1).cluster_id());
        self.run.hashes.push([0; 32]);
        // A cluster of one sends its log to nobody.
        let alone = self.run.tapes.len() == 1;
        for (&index, entry) in &self.applied {
            let heard = self.heard.get(&index).map(|(term, data)| (*term, data));
            assert!(alone || heard == Some((entry.term, &entry.data)), "entry {index} was sent to somebody");
            state.apply(LogPosition { index, term: entry.term }, &entry.data);
            self.run.hashes.push(state.hash());
        }
        assert!(self.heard.len() <= self.applied.len(), "all that was sent was applied in the end");
        self.run.log = Arc::new(self.applied);
        for (index, hash) in &self.seen_hashes {
            assert_eq!(*hash, self.run.hashes[*index as usize], "the log that was heard is the one applied");
        }
        self.run.history = self.world.judge().history().clone();
        self.run.images_taken = self.world.images_taken();
        self.run
    }
}

fn wrote<T: 'static>(
    answer: impl Future<Output = Result<T>> + 'static,
    header: impl Fn(T) -> Option<kvorum_core::request::Header> + 'static,
) -> Pending {
    Box::pin(async move {
        let revision = header(answer.await?).map_or(0, |header| header.revision);
        Ok(Told { revision, ..Told::default() })
    })
}

// How raft numbers its messages.
const APPEND_ANSWER: i32 = 4;
const VOTE: i32 = 5;
const VOTE_ANSWER: i32 = 6;
const PRE_VOTE: i32 = 17;
const PRE_VOTE_ANSWER: i32 = 18;
