//! Watches on one server: a stream with many, and what each has said. What it will never know: what it should say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvorum_gateway::pb::{etcdserverpb as pb, mvccpb};
use pb::watch_client::WatchClient;
use pb::watch_request::RequestUnion;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use crate::ask::LONGEST;
use crate::common::soon;
use crate::masks::Own;

/// How long a question for progress is given. etcd drops those that come while a watch is still behind.
const PATIENCE: Duration = Duration::from_millis(20);

const LIMIT: Duration = Duration::from_secs(20);

/// The number of a stream's first watch.
pub(crate) const NEVER: i64 = 1 << 40;

/// What a watch has said, apart from how its events were parcelled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Created { revision: i64 },
    Event(mvccpb::Event),
    Canceled { created: bool, compacted: i64, reason: String },
}

/// A stream of watches.
pub(crate) struct Follow {
    asks: mpsc::UnboundedSender<pb::WatchRequest>,
    answers: Streaming<pb::WatchResponse>,
    said: BTreeMap<i64, Vec<Said>>,
    /// Watches that a compaction ended. etcd tells no progress before the client ends such a watch, too.
    gone: BTreeSet<i64>,
    /// Watches whose last answer was but a part.
    unfinished: BTreeSet<i64>,
}

impl Follow {
    pub(crate) async fn open(channel: Channel) -> Follow {
        let (asks, receiver) = mpsc::unbounded_channel();
        // One that never sees anything: without any, etcd says neither that the stream is open nor how far it is.
        let never = pb::WatchCreateRequest { key: "never".into(), watch_id: NEVER, ..Default::default() };
        asks.send(pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(never)) }).unwrap();
        let mut client = WatchClient::new(channel).max_decoding_message_size(LONGEST);
        let opened = client.watch(UnboundedReceiverStream::new(receiver));
        let answers = soon("a stream of watches", opened).await.unwrap().into_inner();
        Follow { asks, answers, said: BTreeMap::new(), gone: BTreeSet::new(), unfinished: BTreeSet::new() }
    }

    fn ask(&self, what: RequestUnion) {
        self.asks.send(pb::WatchRequest { request_union: Some(what) }).unwrap();
    }

    /// Asks for a watch or its end, and waits until that is answered.
    pub(crate) async fn change(&mut self, what: RequestUnion, own: &Own) {
        self.ask(what);
        loop {
            let answer = soon("an answer about a watch", self.answers.message()).await;
            let answer = answer.unwrap().expect("the stream goes on");
            // Not the end of one that began too early.
            let is_end = answer.canceled && answer.compact_revision == 0;
            let is_it = answer.created || (is_end && !self.gone.contains(&answer.watch_id));
            if !is_progress(&answer) {
                self.note(answer, own);
            }
            if is_it {
                return;
            }
        }
    }

    /// What all watches said up to a revision that the store has just come to.
    pub(crate) async fn drain(
        &mut self,
        revision: i64,
        own: &Own,
    ) -> Result<BTreeMap<i64, Vec<Said>>, String> {
        let whole = async {
            loop {
                self.ask(RequestUnion::ProgressRequest(pb::WatchProgressRequest {}));
                while let Ok(answer) = tokio::time::timeout(PATIENCE, self.answers.message()).await {
                    let answer = answer.unwrap().expect("the stream goes on");
                    if is_progress(&answer) {
                        if answer.header.is_some_and(|header| header.revision >= revision) {
                            return;
                        }
                        continue;
                    }
                    self.note(answer, own);
                }
            }
        };
        let is_whole = tokio::time::timeout(LIMIT, whole).await.is_ok();
        let said = std::mem::take(&mut self.said);
        if is_whole { Ok(said) } else { Err(format!("not at revision {revision} in time; so far: {said:?}")) }
    }

    fn note(&mut self, answer: pb::WatchResponse, own: &Own) {
        // Ours is done with such a watch, and says nothing to its end.
        let is_gone = self.gone.remove(&answer.watch_id);
        if is_gone && answer.canceled && !answer.created {
            return;
        }
        if answer.canceled && !answer.created && answer.compact_revision != 0 {
            self.gone.insert(answer.watch_id);
            let watch_id = answer.watch_id;
            self.ask(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id }));
        }
        let said = self.said.entry(answer.watch_id).or_default();
        let header = answer.header.expect("every answer has a header");
        if answer.canceled {
            let (created, compacted) = (answer.created, answer.compact_revision);
            said.push(Said::Canceled { created, compacted, reason: answer.cancel_reason });
        } else if answer.created {
            said.push(Said::Created { revision: header.revision });
        }
        let of = |event: &mvccpb::Event| event.kv.as_ref().map(|kv| kv.mod_revision);
        let before =
            said.iter().rev().find_map(|said| if let Said::Event(event) = said { of(event) } else { None });
        let may_split = self.unfinished.remove(&answer.watch_id);
        let is_split = before.is_some() && answer.events.first().and_then(of) == before;
        assert!(may_split || !is_split, "two answers of watch {} for one revision", answer.watch_id);
        if answer.fragment {
            self.unfinished.insert(answer.watch_id);
        }
        for mut event in answer.events {
            own.pair(&mut event.kv);
            own.pair(&mut event.prev_kv);
            said.push(Said::Event(event));
        }
    }
}

fn is_progress(answer: &pb::WatchResponse) -> bool {
    answer.watch_id == -1 && !answer.created && !answer.canceled && answer.events.is_empty()
}
