//! etcd's service Watch: many watches on one stream.
//!
//! A stream is pulled by whoever sends its answers to the client, and pulls the core's watches in turn: it has no task,
//! no queue, and nothing in store but the answers to what was just asked. So a stream that nobody reads costs its
//! watches' cursors, what its connection's window holds, and the one answer that comes next, which may be large; over all
//! streams, those are counted with other answers that nobody takes (`leaving.rs`).
//!
//! What it will never know: how changes are found, and whether its answers become gRPC or JSON.

mod answer;
mod bell;
mod fragment;
mod stream;
#[cfg(test)]
mod tests;
mod watcher;

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use crate::gateway::Gateway;
use crate::held::Room;
use crate::leash::{Leashed, requires_leader};
use crate::pb::etcdserverpb::{self as pb, watch_server::Watch};
use stream::WatchStream;

/// What a stream is told at its beginning.
#[derive(Clone, Debug)]
struct Settings {
    /// How often a watch that asks for it says how far it is.
    progress_interval: Duration,
    /// The size from which an answer is split, for watches that ask for it.
    fragment_bytes: usize,
    /// How many watches it may have.
    watchers: usize,
    /// For their keys.
    room: Room,
}

impl Gateway {
    /// Answers a client's requests about watches until either is at its end.
    pub(crate) fn watches<R>(
        &self,
        requests: R,
        leader: bool,
    ) -> impl Stream<Item = Result<pb::WatchResponse, Status>> + Send + Unpin + use<R>
    where
        R: Stream<Item = Result<pb::WatchRequest, Status>> + Send + Unpin,
    {
        let settings = Settings {
            progress_interval: self.options.progress_interval,
            fragment_bytes: self.message_limit(),
            watchers: self.options.connections.watches,
            room: self.kept.clone(),
        };
        let stream = WatchStream::new(self.client.clone(), settings, requests);
        let counted = self.metrics.count_stream();
        Leashed::new(stream.inspect(move |_| _ = &counted), self.end_of_stream(leader))
    }
}

#[tonic::async_trait]
impl Watch for Gateway {
    type WatchStream = BoxStream<pb::WatchResponse>;

    async fn watch(
        &self,
        request: Request<Streaming<pb::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.check_untaken()?;
        let leader = requires_leader(request.metadata().as_ref());
        Ok(Response::new(Box::pin(self.watches(request.into_inner(), leader))))
    }
}
