//! The leaders of an election, one after the other, as etcd shows them: whoever leads now, each value that it shows,
//! then whoever leads next. Leaders that came and went between two looks are not seen. What it will never know: who
//! observes.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::{Stream, stream};
use kvorum_core::ids::Revision;
use kvorum_core::request::{Event, Header, KeyValue, WatchRequest};
use kvorum_core::{Client, ErrorKind, Result, Watch, WatchItem};
use tonic::Status;

use crate::errors::unknown;
use crate::pb::v3electionpb::LeaderResponse;
use crate::queue::oldest;

/// Follows the leaders of the election whose keys begin with `prefix`.
pub(crate) fn observe(
    client: Client,
    prefix: Bytes,
) -> impl Stream<Item = std::result::Result<LeaderResponse, Status>> {
    let observer = Observer { client, prefix, follows: None };
    stream::unfold(Some(observer), |observer| async {
        let mut observer = observer?;
        match observer.next().await {
            Ok(leader) => Some((Ok(leader), Some(observer))),
            Err(error) => Some((Err(unknown(error)), None)),
        }
    })
}

struct Observer {
    client: Client,
    prefix: Bytes,
    follows: Option<Following>,
}

/// A leader's key is followed until it is deleted.
struct Following {
    watch: Watch,
    seen: VecDeque<Event>,
}

impl Observer {
    async fn next(&mut self) -> Result<LeaderResponse> {
        loop {
            let Some(follows) = &mut self.follows else { return self.look().await };
            match follows.next().await? {
                Some(kv) => return Ok(self.said(self.header(None), kv)),
                None => self.follows = None,
            }
        }
    }

    /// Whoever leads now, or is the first to lead.
    async fn look(&mut self) -> Result<LeaderResponse> {
        let mut read = self.client.range(oldest(&self.prefix)).await?;
        let (header, kv) = match read.kvs.pop() {
            Some(kv) => (read.header.unwrap_or_default(), kv),
            None => {
                let behind = WatchRequest::prefix(&self.prefix).from(read.revision() + 1);
                let kv = first_put(self.client.watch(behind)?).await?;
                (self.header(Some(kv.mod_revision)), kv)
            }
        };
        let watch = self.client.watch(WatchRequest::key(&kv.key).from(header.revision + 1))?;
        self.follows = Some(Following { watch, seen: VecDeque::new() });
        Ok(self.said(header, kv))
    }

    /// A header as of `revision`, or else as of now.
    fn header(&self, revision: Option<Revision>) -> Header {
        let status = self.client.status();
        let (cluster_id, member_id, raft_term) = (status.cluster, status.node, status.raft.term);
        Header { cluster_id, member_id, revision: revision.unwrap_or(status.revision), raft_term }
    }

    fn said(&self, header: Header, kv: KeyValue) -> LeaderResponse {
        LeaderResponse { header: Some(header.into()), kv: Some(kv.into()) }
    }
}

impl Following {
    /// The next value of the leader's key; `None` when it is deleted.
    async fn next(&mut self) -> Result<Option<KeyValue>> {
        loop {
            if let Some(event) = self.seen.pop_front() {
                return Ok(if event.is_put() { event.kv } else { None });
            }
            self.seen = events(&mut self.watch).await?.into();
        }
    }
}

async fn first_put(mut watch: Watch) -> Result<KeyValue> {
    loop {
        let put = events(&mut watch).await?.into_iter().find(Event::is_put);
        if let Some(kv) = put.and_then(|event| event.kv) {
            return Ok(kv);
        }
    }
}

async fn events(watch: &mut Watch) -> Result<Vec<Event>> {
    loop {
        match watch.next().await {
            Some(Ok(WatchItem::Events(events))) => return Ok(events),
            Some(Ok(WatchItem::Progress(_))) => {}
            Some(Err(error)) => return Err(error),
            None => return Err(ErrorKind::Stopped.into()),
        }
    }
}
