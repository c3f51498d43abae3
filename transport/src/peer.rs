//! What a transport knows of one peer, and the list of all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kvorum_core::ids::NodeId;
use parking_lot::Mutex;

use crate::options::TcpOptions;
use crate::queue::Queue;

/// How things stand with one peer. The counters run from the start of the transport (or from when the peer
/// was last added) and never go down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStatus {
    /// Where it is dialed.
    pub address: String,
    /// Whether messages can go out to it now.
    pub connected: bool,
    /// Why the last connection to it, or from it, could not be made or was lost. Kept after a success.
    pub last_error: Option<String>,
    /// Connections made to it.
    pub connects: u64,
    /// Messages that wait to be sent.
    pub queued: usize,
    /// Their bytes, encoded.
    pub queued_bytes: usize,
    /// Messages that were dropped: pushed out by newer ones, too large, or lost with a connection.
    pub dropped: u64,
    /// Messages handed to the operating system.
    pub sent: u64,
    /// Bytes handed to the operating system, frames and pings included; images are not.
    pub sent_bytes: u64,
    /// Messages that came in whole.
    pub received: u64,
    /// Connections from this peer that were closed because of what it sent: wrong checksums, lengths, kinds,
    /// messages that do not decode or are not its own.
    pub foul: u64,
}

/// A count that many threads add to and that orders nothing.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One peer.
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    pub(crate) address: String,
    pub(crate) queue: Queue,
    pub(crate) connected: AtomicBool,
    /// Set while an image is on its way to this peer.
    pub(crate) image_busy: Arc<AtomicBool>,
    pub(crate) connects: Count,
    pub(crate) dropped: Count,
    pub(crate) sent: Count,
    pub(crate) sent_bytes: Count,
    pub(crate) received: Count,
    pub(crate) foul: Count,
    last_error: Mutex<Option<String>>,
}

impl Peer {
    pub(crate) fn new(id: NodeId, address: String, options: &TcpOptions) -> Peer {
        Peer {
            id,
            address,
            queue: Queue::new(options.queue_bytes, options.queue_frames),
            connected: AtomicBool::default(),
            image_busy: Arc::default(),
            connects: Count::default(),
            dropped: Count::default(),
            sent: Count::default(),
            sent_bytes: Count::default(),
            received: Count::default(),
            foul: Count::default(),
            last_error: Mutex::default(),
        }
    }

    pub(crate) fn failed(&self, why: impl ToString) {
        *self.last_error.lock() = Some(why.to_string());
    }

    pub(crate) fn status(&self) -> PeerStatus {
        let (queued, queued_bytes) = self.queue.depth();
        PeerStatus {
            address: self.address.clone(),
            connected: self.connected.load(Ordering::Relaxed),
            last_error: self.last_error.lock().clone(),
            connects: self.connects.get(),
            queued,
            queued_bytes,
            dropped: self.dropped.get(),
            sent: self.sent.get(),
            sent_bytes: self.sent_bytes.get(),
            received: self.received.get(),
            foul: self.foul.get(),
        }
    }
}

/// All peers. Exists before the transport is started, and for as long as anyone asks.
#[derive(Default)]
pub(crate) struct Peers {
    list: Mutex<BTreeMap<NodeId, Arc<Peer>>>,
    /// Accepted connections that were closed before they had said a hello that fits.
    pub(crate) refused: Count,
}

impl Peers {
    pub(crate) fn get(&self, id: NodeId) -> Option<Arc<Peer>> {
        self.list.lock().get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Peer>> {
        self.list.lock().values().cloned().collect()
    }

    pub(crate) fn insert(&self, peer: Arc<Peer>) -> Option<Arc<Peer>> {
        self.list.lock().insert(peer.id, peer)
    }

    pub(crate) fn remove(&self, id: NodeId) -> Option<Arc<Peer>> {
        self.list.lock().remove(&id)
    }
}
