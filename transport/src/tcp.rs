//! The transport over TCP, as its user sees it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Weak};
use std::time::Duration;

use kvorum_core::ids::NodeId;
use kvorum_core::storage::ImageSource;
use kvorum_core::transport::{Envelope, Inbox, Local, Transport};
use kvorum_core::{ErrorKind, Result};
use parking_lot::Mutex;
use prost::Message;
use socket2::SockRef;

use crate::options::TcpOptions;
use crate::peer::{Peer, PeerStatus, Peers};
use crate::report::Report;
use crate::shared::Shared;
use crate::{accept, image_out, writer};

/// Joins members by TCP: plain threads and blocking sockets.
///
/// Two threads per peer that is dialed, one per connection that was accepted, one that accepts, and one
/// per image under way; all are named `kvorum-…` and end when the transport is dropped. Dropping it waits
/// for them: no longer than the inbox, an image's receiver or source, or the resolver of a peer's name
/// takes.
///
/// Not encrypted, and members are believed who they say they are: use it on a private network.
///
/// ```
/// use std::collections::BTreeMap;
/// use kvorum_core::transport::{Inbox, Local, Transport};
/// use kvorum_transport::TcpTransport;
///
/// let peers = BTreeMap::from([(2, "db2.internal:2380".to_string()), (3, "db3.internal:2380".to_string())]);
/// let mut transport = TcpTransport::new("127.0.0.1:0", peers);
/// let (sender, received) = std::sync::mpsc::channel();
/// let inbox = Inbox::new(move |incoming| sender.send(incoming).is_ok());
/// transport.start(Local { cluster: 7, node: 1, incarnation: 1 }, inbox)?;
/// println!("listening at {:?}", transport.local_addr());
/// # Ok::<(), kvorum_core::Error>(())
/// ```
pub struct TcpTransport {
    listen: String,
    core: Arc<Core>,
    /// Here and in the acceptor's thread only: when both are gone, the address is free.
    listener: Option<Arc<TcpListener>>,
    running: Option<Arc<Shared>>,
}

/// What the transport and its handles share.
struct Core {
    options: TcpOptions,
    peers: Arc<Peers>,
    started: Mutex<Started>,
}

#[derive(Default)]
struct Started {
    address: Option<SocketAddr>,
    /// Weak: a handle must not keep the transport's sockets.
    shared: Weak<Shared>,
}

/// Looks at a [`TcpTransport`] and changes its peers, while a node owns it. Cheap to clone; of no effect
/// when the transport is gone.
#[derive(Clone)]
pub struct TcpHandle(Arc<Core>);

impl TcpTransport {
    /// A transport that will listen on `listen` (`host:port`; port 0: any that is free) and dial `peers`
    /// (`host:port`; names are resolved anew at each attempt). An entry for the member itself is ignored, so
    /// that all members may share one list.
    pub fn new(listen: impl ToString, peers: BTreeMap<NodeId, String>) -> TcpTransport {
        TcpTransport::with_options(listen, peers, TcpOptions::default())
    }

    /// The same, with other than the default settings.
    pub fn with_options(
        listen: impl ToString,
        peers: BTreeMap<NodeId, String>,
        options: TcpOptions,
    ) -> TcpTransport {
        let list = Peers::default();
        for (id, address) in peers {
            list.insert(Arc::new(Peer::new(id, address, &options)));
        }
        let core = Core { options, peers: Arc::new(list), started: Mutex::default() };
        TcpTransport { listen: listen.to_string(), core: Arc::new(core), listener: None, running: None }
    }

    /// A handle that stays when the transport is given to a node.
    pub fn handle(&self) -> TcpHandle {
        TcpHandle(Arc::clone(&self.core))
    }

    /// Where it listens; `None` before it was started.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.core.started.lock().address
    }

    /// How things stand with each peer.
    pub fn peers_status(&self) -> BTreeMap<NodeId, PeerStatus> {
        self.handle().peers_status()
    }

    fn bind(&self) -> Result<(TcpListener, SocketAddr)> {
        let error = |e: std::io::Error| ErrorKind::Io {
            action: format!("listening on {}", self.listen),
            reason: e.to_string(),
        };
        let listener = TcpListener::bind(self.listen.as_str()).map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        Ok((listener, address))
    }

    fn begin(&self, shared: &Arc<Shared>, listener: &Arc<TcpListener>) -> Result<()> {
        let (theirs, listener) = (Arc::clone(shared), Arc::clone(listener));
        let acceptor = move || accept::run(&theirs, &listener);
        shared.threads.spawn("kvorum-accept".into(), acceptor).map_err(no_thread)?;
        shared.peers.all().into_iter().try_for_each(|peer| start_writer(shared, peer))
    }
}

impl Transport for TcpTransport {
    fn start(&mut self, local: Local, inbox: Inbox) -> Result<()> {
        self.core.options.check()?;
        if self.running.is_some() {
            return Err(config("it was started before"));
        }
        if local.node == 0 {
            return Err(config("member 0 does not exist"));
        }
        let (listener, address) = self.bind()?;
        let shared = Arc::new(Shared {
            options: self.core.options.clone(),
            local,
            inbox,
            peers: Arc::clone(&self.core.peers),
            inbound: Default::default(),
            sockets: Default::default(),
            threads: Default::default(),
            stop: Default::default(),
        });
        // From here on a failure is cleaned up by the drop.
        let listener = self.listener.insert(Arc::new(listener)).clone();
        self.running = Some(Arc::clone(&shared));
        let mut started = self.core.started.lock();
        self.core.peers.remove(local.node);
        *started = Started { address: Some(address), shared: Arc::downgrade(&shared) };
        self.begin(&shared, &listener)
    }

    fn send(&mut self, envelope: Envelope) {
        let Some(shared) = &self.running else { return };
        let Some(peer) = shared.peers.get(envelope.to) else { return };
        // The receiver would close the connection upon it, and lose what else is under way.
        let own = (envelope.cluster, envelope.from) == (shared.local.cluster, shared.local.node);
        debug_assert!(own, "a message in another's name");
        let size = envelope.encoded_len();
        if !own || size > shared.options.max_frame {
            peer.dropped.add(1);
            peer.failed(format!("a message of {size} bytes cannot be sent"));
            return;
        }
        peer.dropped.add(peer.queue.push(envelope, size));
    }

    fn max_message(&self) -> usize {
        self.core.options.max_frame
    }

    fn send_image(&mut self, envelope: Envelope, source: Box<dyn ImageSource>) {
        // Not started, there is no inbox to tell.
        let Some(shared) = &self.running else { return };
        let peer = shared.peers.get(envelope.to);
        let busy = peer.as_ref().map(|peer| &peer.image_busy);
        let index = source.meta().position.index;
        let Some(report) = Report::begin(shared.inbox.clone(), envelope.to, index, busy) else { return };
        let Some(peer) = peer else { return };
        let name = format!("kvorum-image-{}", peer.id);
        let theirs = Arc::clone(shared);
        let body = move || image_out::run(&theirs, &peer, &envelope, source, report);
        // Without a thread to be had, `body` and the report in it are dropped, and that says it.
        let _ = shared.threads.spawn(name, body);
    }
}

impl Drop for TcpTransport {
    fn drop(&mut self) {
        let Some(shared) = self.running.take() else { return };
        // Under the lock of `started`, no handle adds a peer whose writer would not be told.
        {
            let _started = self.core.started.lock();
            shared.stop.raise();
            shared.peers.all().iter().for_each(|peer| peer.queue.close());
        }
        shared.sockets.close();
        if let Some(listener) = self.listener.take() {
            wake(&listener);
        }
        shared.threads.join();
    }
}

impl TcpHandle {
    /// Where the transport listens; `None` before it was started.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.started.lock().address
    }

    /// How things stand with each peer.
    pub fn peers_status(&self) -> BTreeMap<NodeId, PeerStatus> {
        self.0.peers.all().iter().map(|peer| (peer.id, peer.status())).collect()
    }

    /// Accepted connections that were closed before they had said a hello that fits.
    pub fn refused(&self) -> u64 {
        self.0.peers.refused.get()
    }

    /// Adds a peer, or moves one to another address: what waits for it at the old one is dropped, its
    /// connections are made anew and its counters begin anew. Nothing happens if it is the member itself, or
    /// is known at that address already.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if no thread can be started.
    pub fn set_peer(&self, id: NodeId, address: impl ToString) -> Result<()> {
        let started = self.0.started.lock();
        let shared = started.shared.upgrade().filter(|shared| !shared.stop.is_up());
        let address = address.to_string();
        let own = shared.as_ref().is_some_and(|shared| shared.local.node == id);
        if own || self.0.peers.get(id).is_some_and(|peer| peer.address == address) {
            return Ok(());
        }
        let peer = Arc::new(Peer::new(id, address, &self.0.options));
        if let Some(old) = self.0.peers.insert(Arc::clone(&peer)) {
            old.queue.close();
        }
        let Some(shared) = shared else { return Ok(()) };
        shared.inbound.evict(id);
        start_writer(&shared, peer)
    }

    /// Forgets a peer: it is not dialed any more, its connections are closed and it is refused from now on.
    pub fn remove_peer(&self, id: NodeId) {
        let started = self.0.started.lock();
        if let Some(old) = self.0.peers.remove(id) {
            old.queue.close();
        }
        if let Some(shared) = started.shared.upgrade() {
            shared.inbound.evict(id);
        }
    }
}

fn start_writer(shared: &Arc<Shared>, peer: Arc<Peer>) -> Result<()> {
    let theirs = Arc::clone(shared);
    let name = format!("kvorum-write-{}", peer.id);
    shared.threads.spawn(name, move || writer::run(&theirs, &peer)).map_err(no_thread)
}

/// Frees the acceptor's thread. Shutting a listening socket down does it on Linux; elsewhere a connection
/// does.
fn wake(listener: &TcpListener) {
    let _ = SockRef::from(listener).shutdown(Shutdown::Both);
    let Ok(mut address) = listener.local_addr() else { return };
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let _ = TcpStream::connect_timeout(&address, Duration::from_millis(200));
}

fn config(reason: &str) -> kvorum_core::Error {
    ErrorKind::Config { reason: format!("TCP transport: {reason}") }.into()
}

fn no_thread(e: std::io::Error) -> kvorum_core::Error {
    ErrorKind::Io { action: "starting a thread".into(), reason: e.to_string() }.into()
}
