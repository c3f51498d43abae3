//! Joins nodes in one process: for tests, and for clusters of threads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use kvorum_core::ids::NodeId;
use kvorum_core::storage::ImageSource;
use kvorum_core::transport::{Envelope, Inbox, Incoming, Local, Transport};
use kvorum_core::{ErrorKind, Result};
use parking_lot::Mutex;

use crate::fault::Fault;
use crate::image_in::wait_accepted;
use crate::report::Report;
use crate::shared::Stop;
use crate::socket::Threads;

/// How long a node may take to accept an image.
const ACCEPT: Duration = Duration::from_secs(30);

/// A network of nodes in one process. Clones are the same network.
///
/// Messages are handed straight to the receiver's inbox, on the sender's thread and without any lock held.
/// Links can be cut and healed, each way by itself.
///
/// ```
/// use kvorum_core::transport::{Envelope, Inbox, Incoming, Local, Transport};
/// use kvorum_transport::MemoryNetwork;
///
/// let network = MemoryNetwork::new();
/// let (mut one, mut two) = (network.transport(), network.transport());
/// let (sender, received) = std::sync::mpsc::channel();
/// one.start(Local { cluster: 7, node: 1, incarnation: 1 }, Inbox::new(|_| true))?;
/// two.start(Local { cluster: 7, node: 2, incarnation: 1 }, Inbox::new(move |i| sender.send(i).is_ok()))?;
/// one.send(Envelope { cluster: 7, from: 1, to: 2, ..Envelope::default() });
/// assert!(matches!(received.recv(), Ok(Incoming::Message(envelope)) if envelope.from == 1));
/// # Ok::<(), kvorum_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryNetwork(Arc<Mutex<Net>>);

#[derive(Default)]
struct Net {
    nodes: BTreeMap<NodeId, (Local, Inbox)>,
    /// From, to.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Losses that the sender has been told of.
    told: BTreeSet<(NodeId, NodeId)>,
}

impl MemoryNetwork {
    /// A network without nodes.
    pub fn new() -> MemoryNetwork {
        MemoryNetwork::default()
    }

    /// A transport that joins this network when it is started, and leaves it when it is dropped.
    pub fn transport(&self) -> MemoryTransport {
        MemoryTransport { network: self.clone(), running: None }
    }

    /// From now on nothing passes between `a` and `b`; images under way fail.
    pub fn cut(&self, a: NodeId, b: NodeId) {
        self.cut_one_way(a, b);
        self.cut_one_way(b, a);
    }

    /// From now on nothing passes from `from` to `to`.
    pub fn cut_one_way(&self, from: NodeId, to: NodeId) {
        self.0.lock().cut.insert((from, to));
    }

    /// Undoes [`MemoryNetwork::cut`] and [`MemoryNetwork::cut_one_way`] between `a` and `b`.
    pub fn heal(&self, a: NodeId, b: NodeId) {
        let mut net = self.0.lock();
        net.cut.remove(&(a, b));
        net.cut.remove(&(b, a));
    }

    /// Undoes every cut.
    pub fn heal_all(&self) {
        self.0.lock().cut.clear();
    }

    /// The inbox at the end of an open link between members of one cluster.
    fn reach(&self, local: Local, to: NodeId) -> Option<Inbox> {
        let mut net = self.0.lock();
        let open = !net.cut.contains(&(local.node, to));
        let (other, inbox) = net.nodes.get(&to)?;
        let inbox = (open && other.cluster == local.cluster).then(|| inbox.clone())?;
        net.told.remove(&(local.node, to));
        Some(inbox)
    }

    /// Hands something over, or tells the sender, once per loss, that the link is lost.
    fn pass(&self, sender: &Member, to: NodeId, incoming: Incoming) -> bool {
        let passed = self.reach(sender.local, to).is_some_and(|inbox| inbox.deliver(incoming));
        if !passed && self.0.lock().told.insert((sender.local.node, to)) {
            sender.inbox.deliver(Incoming::Unreachable(to));
        }
        passed
    }
}

/// A node's place in a [`MemoryNetwork`]. Images travel on a short-lived thread each (`kvorum-image-…`), which
/// ends before the drop of the transport does.
pub struct MemoryTransport {
    network: MemoryNetwork,
    running: Option<Running>,
}

struct Running {
    member: Arc<Member>,
    busy: BTreeMap<NodeId, Arc<AtomicBool>>,
}

/// What a transport and its images' threads share.
struct Member {
    local: Local,
    inbox: Inbox,
    stop: Stop,
    threads: Threads,
}

impl Transport for MemoryTransport {
    fn start(&mut self, local: Local, inbox: Inbox) -> Result<()> {
        if self.running.is_some() {
            return Err(config("it was started before".into()));
        }
        let mut net = self.network.0.lock();
        if net.nodes.contains_key(&local.node) {
            return Err(config(format!("member {} is on this network already", local.node)));
        }
        net.nodes.insert(local.node, (local, inbox.clone()));
        let member = Member { local, inbox, stop: Stop::default(), threads: Threads::default() };
        self.running = Some(Running { member: Arc::new(member), busy: BTreeMap::new() });
        Ok(())
    }

    fn send(&mut self, envelope: Envelope) {
        let Some(running) = &self.running else { return };
        self.network.pass(&running.member, envelope.to, Incoming::Message(envelope));
    }

    fn send_image(&mut self, envelope: Envelope, source: Box<dyn ImageSource>) {
        let Some(running) = &mut self.running else { return };
        let (to, index) = (envelope.to, source.meta().position.index);
        let busy = running.busy.entry(to).or_default();
        let member = Arc::clone(&running.member);
        let Some(mut report) = Report::begin(member.inbox.clone(), to, index, Some(busy)) else { return };
        let network = self.network.clone();
        let body = move || {
            if carry(&network, &member, envelope, source).is_ok() {
                report.stored();
            }
        };
        // Without a thread to be had, `body` and the report in it are dropped, and that says it.
        let _ = running.member.threads.spawn(format!("kvorum-image-{to}"), body);
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        // Dropped after the lock: an inbox may own anything, another transport of this network included.
        let left = self.network.0.lock().nodes.remove(&running.member.local.node);
        drop(left);
        running.member.stop.raise();
        running.member.threads.join();
    }
}

/// Brings an image to its receiver, as long as the link is open.
fn carry(
    network: &MemoryNetwork,
    member: &Member,
    envelope: Envelope,
    mut source: Box<dyn ImageSource>,
) -> std::result::Result<(), Fault> {
    let to = envelope.to;
    let go_on = || !member.stop.is_up() && network.reach(member.local, to).is_some();
    let (accept, accepted) = oneshot::channel();
    if !network.pass(member, to, Incoming::ImageOffer { envelope, accept }) {
        return Err(Fault::Closed);
    }
    let deadline = Instant::now() + ACCEPT;
    let mut receiver = wait_accepted(&accepted, || !go_on() || Instant::now() >= deadline)?;
    while let Some(chunk) = source.next_chunk().map_err(Fault::Storage)? {
        if !go_on() {
            return Err(Fault::Closed);
        }
        receiver.chunk(chunk).map_err(Fault::Storage)?;
    }
    receiver.finish().map_err(Fault::Storage)
}

fn config(reason: String) -> kvorum_core::Error {
    ErrorKind::Config { reason: format!("memory transport: {reason}") }.into()
}
