//! What all services of one server share: the client of the node, and what the server was told. What it will never
//! know: connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kvorum_core::Client;
use kvorum_core::ids::Revision;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::errors::status;
use crate::held::Room;
use crate::leash::Leader;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::pb::etcdserverpb::ResponseHeader;
use crate::snapshot::Places;
use crate::walks::Walkers;

/// The reference: whose behaviour and words ours are, and who clients are told that we are. Some read it, and ask for
/// what that version can.
pub const ETCD_VERSION: &str = "3.5.30";

/// How much larger than a request a message may be (etcd's number), so that one that is a little too large is refused
/// in words, and not by cutting it off.
pub(crate) const MESSAGE_ROOM: usize = 512 << 10;

/// What all services of one server share. Each service of etcd's is a trait that it has; each in a file of its own.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) client: Client,
    pub(crate) options: Options,
    pub(crate) leader: Leader,
    /// The server is to stop: whatever goes on for ever ends.
    pub(crate) stopping: CancellationToken,
    pub(crate) metrics: Metrics,
    requests: AtomicUsize,
    /// Bytes of requests that wait for the rest.
    pub(crate) held: Room,
    /// Bytes that streams keep for as long as they last: of the longest message that each has had, and keys of watches.
    /// As many, in a room of their own: they must not keep everybody else out.
    pub(crate) kept: Room,
    /// Bytes of answers that their clients have not taken yet.
    pub(crate) untaken: AtomicUsize,
    /// Places for those that go through all that is stored.
    pub(crate) walkers: Walkers,
    /// Places for snapshots that clients read.
    pub(crate) snapshots: Places,
}

/// A request that is under way, as long as it lives.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Gateway>);

impl Gateway {
    pub(crate) fn new(client: Client, options: Options) -> Arc<Gateway> {
        let (leader, stopping) = (Leader::default(), CancellationToken::new());
        let (requests, untaken, walkers) = Default::default();
        let [held, kept] = [(); 2].map(|()| Room::new(options.connections.body_bytes));
        let metrics = Metrics::new(options.extensive_metrics);
        let snapshots = Places::new(options.connections.snapshots);
        Arc::new(Gateway {
            client,
            options,
            leader,
            stopping,
            metrics,
            requests,
            held,
            kept,
            untaken,
            walkers,
            snapshots,
        })
    }

    /// Counts a request as under way, unless there are too many.
    pub(crate) fn admit(self: &Arc<Gateway>) -> Option<Permit> {
        let permit = Permit(self.clone());
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        (before < self.options.connections.requests).then_some(permit)
    }

    /// The largest message that is read to its end, in bytes.
    pub(crate) fn message_limit(&self) -> usize {
        self.client.config().limits.request_bytes.saturating_add(MESSAGE_ROOM)
    }

    /// Waits until this member has proof that it knows all that was acknowledged before.
    pub(crate) async fn catch_up(&self) -> Result<(), Status> {
        self.client.get([0]).await.map(|_| ()).map_err(status)
    }

    /// A header as of now.
    pub(crate) fn header(&self) -> ResponseHeader {
        self.client.header().into()
    }

    /// A header as answers about the cluster have it: without a revision.
    pub(crate) fn cluster_header(&self) -> ResponseHeader {
        ResponseHeader { revision: Revision::default(), ..self.header() }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
