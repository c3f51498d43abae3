//! Clients that go on whatever happens to the servers: writers that note what was acknowledged, and watchers that resume
//! where they were. What it will never know: who is killed when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kvorum_gateway::pb::etcdserverpb as pb;
use pb::kv_client::KvClient;
use pb::watch_client::WatchClient;
use pb::watch_request::RequestUnion;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// How long a writer waits for an answer before it asks another member.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a client waits before it asks where nobody listened.
const PAUSE: Duration = Duration::from_millis(10);
/// How long everything that is waited for may take.
const LIMIT: Duration = Duration::from_secs(120);
/// How many reads are under way together.
const AT_ONCE: usize = 100;
/// How many keys a writer has: each is overwritten often.
const KEYS: usize = 7;

/// A write: its revision, key and value.
pub(crate) type Write = (i64, String, String);

/// Writers and watchers at work.
pub(crate) struct Load {
    runtime: Runtime,
    channels: Vec<Channel>,
    acknowledged: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Vec<Write>>>,
    watchers: Vec<JoinHandle<Watched>>,
}

/// What a watcher saw.
pub(crate) struct Watched {
    pub(crate) events: Vec<Write>,
    /// How often it had to begin anew.
    pub(crate) resumed: usize,
}

impl Load {
    pub(crate) fn start(urls: &[String], writers: usize, watchers: usize) -> Load {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let connect = |url: &String| {
            Endpoint::from_shared(url.clone()).unwrap().connect_timeout(PATIENCE).connect_lazy()
        };
        let channels: Vec<Channel> = runtime.block_on(async { urls.iter().map(connect).collect() });
        let (acknowledged, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let writers = (0..writers)
            .map(|me| runtime.spawn(write(me, channels.clone(), acknowledged.clone(), stop.clone())));
        let writers = writers.collect();
        let watchers = (0..watchers).map(|me| runtime.spawn(watch(me, channels.clone()))).collect();
        Load { channels: channels.clone(), acknowledged, stop, writers, watchers, runtime }
    }

    /// Waits until so many more writes were acknowledged.
    pub(crate) fn more(&self, count: usize) {
        let (began, before) = (Instant::now(), self.acknowledged.load(Ordering::Relaxed));
        while self.acknowledged.load(Ordering::Relaxed) < before + count {
            assert!(began.elapsed() < LIMIT, "nothing is acknowledged any more");
            std::thread::sleep(PAUSE);
        }
    }

    /// Which member says that it leads.
    pub(crate) fn leader(&self) -> Option<usize> {
        let leads = async |channel: &Channel| {
            let mut maintenance = pb::maintenance_client::MaintenanceClient::new(channel.clone());
            let status = maintenance.status(pb::StatusRequest {}).await.ok()?.into_inner();
            Some(status.leader == status.header?.member_id)
        };
        self.runtime.block_on(async {
            for (at, channel) in self.channels.iter().enumerate() {
                if tokio::time::timeout(PATIENCE, leads(channel)).await == Ok(Some(true)) {
                    return Some(at);
                }
            }
            None
        })
    }

    /// Ends the writers, and the watchers when they have seen the last write. What was acknowledged, and what each
    /// watcher saw.
    pub(crate) fn end(&mut self) -> (Vec<Write>, Vec<Watched>) {
        self.stop.store(true, Ordering::Relaxed);
        let (writers, watchers) = (std::mem::take(&mut self.writers), std::mem::take(&mut self.watchers));
        let last = self.channels[0].clone();
        let ended = async {
            let mut writes = Vec::new();
            for writer in writers {
                writes.extend(writer.await.unwrap());
            }
            while put(&last, "end", "").await.is_err() {}
            let mut seen = Vec::new();
            for watcher in watchers {
                seen.push(watcher.await.unwrap());
            }
            (writes, seen)
        };
        self.runtime.block_on(async { tokio::time::timeout(LIMIT, ended).await.expect("an end in time") })
    }

    /// Those of these writes that are not what history says of their key at their revision.
    pub(crate) fn missing(&self, writes: &[Write]) -> Vec<Write> {
        let is_there = async |write: &Write| {
            let key = write.1.clone().into();
            let request = pb::RangeRequest { key, revision: write.0, ..Default::default() };
            let answer = KvClient::new(self.channels[0].clone()).range(request).await.unwrap().into_inner();
            answer.kvs.into_iter().map(written).eq([write.clone()])
        };
        let mut missing = Vec::new();
        for some in writes.chunks(AT_ONCE) {
            let are_there = self.runtime.block_on(futures_util::future::join_all(some.iter().map(is_there)));
            let gone = some.iter().zip(are_there).filter(|(_, is_there)| !is_there);
            missing.extend(gone.map(|(write, _)| write.clone()));
        }
        missing
    }
}

async fn put(channel: &Channel, key: &str, value: &str) -> Result<i64, Status> {
    let (key, value) = (key.to_string().into(), value.to_string().into());
    let mut kv = KvClient::new(channel.clone());
    let answer = kv.put(pb::PutRequest { key, value, ..Default::default() });
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    let answer = answer.map_err(|_| Status::deadline_exceeded("no answer"))??;
    Ok(answer.into_inner().header.unwrap().revision)
}

/// Every value is written once: what became of a write without an answer is not asked.
async fn write(
    me: usize,
    channels: Vec<Channel>,
    acknowledged: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Vec<Write> {
    let (mut done, mut at): (Vec<Write>, usize) = (Vec::new(), me);
    for count in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (key, value) = (format!("{me}/{}", count % KEYS), format!("{me}-{count}"));
        match put(&channels[at % channels.len()], &key, &value).await {
            Ok(revision) => {
                assert!(done.last().is_none_or(|last| last.0 < revision), "revisions go up");
                done.push((revision, key, value));
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                at += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    done
}

/// Follows everything until the last write, over however many streams it takes.
async fn watch(me: usize, channels: Vec<Channel>) -> Watched {
    let mut watched = Watched { events: Vec::new(), resumed: 0 };
    for at in me.. {
        match follow(&channels[at % channels.len()], &mut watched.events).await {
            Ok(()) => break,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        watched.resumed += 1;
    }
    watched
}

async fn follow(channel: &Channel, events: &mut Vec<Write>) -> Result<(), Status> {
    let start_revision = events.last().map_or(1, |last| last.0 + 1);
    let (key, range_end) = (b"\0"[..].into(), b"\0"[..].into());
    let create = pb::WatchCreateRequest { key, range_end, start_revision, ..Default::default() };
    let create = pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    let requests = tokio_stream::StreamExt::chain(tokio_stream::once(create), tokio_stream::pending());
    let mut answers = WatchClient::new(channel.clone()).watch(requests).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        if answer.canceled {
            return Err(Status::aborted(answer.cancel_reason));
        }
        for event in answer.events {
            events.push(written(event.kv.unwrap()));
        }
        if events.last().is_some_and(|last| last.1 == "end") {
            return Ok(());
        }
    }
    Err(Status::aborted("the stream ended"))
}

fn written(kv: kvorum_gateway::pb::mvccpb::KeyValue) -> Write {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (kv.mod_revision, text(&kv.key), text(&kv.value))
}
