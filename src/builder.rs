//! Setting a node up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use kvorum_core::config::{AutoCompaction, Config};
use kvorum_core::ids::{ClusterId, NodeId};
use kvorum_core::storage::{Identity, Storage};
use kvorum_core::transport::Transport;
use kvorum_core::{Error, ErrorKind, Result};
use kvorum_storage::{FileStorage, MemoryStorage};
use kvorum_transport::{MemoryNetwork, TcpTransport};

use crate::run::{Node, Parts};

/// Sets a node up. With nothing said, it is one node, alone, in memory.
pub struct Builder {
    id: NodeId,
    peers: Vec<(NodeId, String)>,
    listen: Option<String>,
    storage: Place,
    transport: Option<Box<dyn Transport>>,
    tune: Box<dyn FnOnce(&mut Config)>,
}

enum Place {
    Memory,
    Directory(PathBuf),
    Own(Box<dyn Storage>),
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            id: 1,
            peers: Vec::new(),
            listen: None,
            storage: Place::Memory,
            transport: None,
            tune: Box::new(|_| {}),
        }
    }
}

impl Builder {
    /// Which member this is (default: 1). Never 0, and never an id that another member ever had.
    pub fn id(mut self, id: NodeId) -> Builder {
        self.id = id;
        self
    }

    /// Keeps everything in this directory, which is created if need be. Every write is synced before it is
    /// acknowledged. The directory belongs to this member for ever.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Builder {
        self.storage = Place::Directory(path.into());
        self
    }

    /// Keeps everything in memory (the default). What a node in memory knew is gone when it stops; a member
    /// of a cluster that comes back that way is refused by the others, because it forgot what it promised.
    pub fn in_memory(mut self) -> Builder {
        self.storage = Place::Memory;
        self
    }

    /// Keeps everything in a storage of your own: see [`crate::storage`] for the rules, and
    /// [`crate::storages::conformance`] for a suite that checks them.
    pub fn storage(mut self, storage: impl Storage + 'static) -> Builder {
        self.storage = Place::Own(Box::new(storage));
        self
    }

    /// The members that the cluster begins with, this one included, and where they are reached
    /// (`host:port`). All members are given the same ids. Without it, the node is alone.
    pub fn peers<A: ToString>(mut self, peers: impl IntoIterator<Item = (NodeId, A)>) -> Builder {
        self.peers = peers.into_iter().map(|(id, address)| (id, address.to_string())).collect();
        self
    }

    /// Where to listen for the other members (`host:port`), if that is not where they reach this one.
    pub fn listen(mut self, address: impl ToString) -> Builder {
        self.listen = Some(address.to_string());
        self
    }

    /// Reaches the other members over a transport of your own (see [`crate::transport`]), or over one of
    /// [`crate::transports`] that you have set up yourself.
    pub fn transport(mut self, transport: impl Transport + 'static) -> Builder {
        self.transport = Some(Box::new(transport));
        self
    }

    /// The cluster's name (default: `kvorum`). Members with other names refuse each other.
    pub fn cluster_name(self, name: impl Into<String>) -> Builder {
        let name = name.into();
        self.tune(move |config| config.cluster_name = name)
    }

    /// The cluster's id, where another rule makes it than kvorum's own (a hash of its name and its first members'
    /// ids): etcd's, say. All members are given the same one; never 0.
    pub fn cluster_id(self, id: ClusterId) -> Builder {
        self.tune(move |config| config.cluster = Some(id))
    }

    /// How often a leader says that it is there (default: 100 ms).
    pub fn heartbeat(self, every: Duration) -> Builder {
        self.tune(move |config| config.heartbeat = every)
    }

    /// How long the others wait for a leader's word before they elect another: this long to twice as long
    /// (default: 1 s). Also the least that a failover takes; at least five heartbeats.
    pub fn election_timeout(self, timeout: Duration) -> Builder {
        self.tune(move |config| config.election_timeout = timeout)
    }

    /// How long a request may wait before it is answered with [`ErrorKind::Timeout`] (default: 7 s).
    pub fn request_timeout(self, timeout: Duration) -> Builder {
        self.tune(move |config| config.request_timeout = timeout)
    }

    /// When history is forgotten without being asked (default: all but the newest 100,000 revisions).
    pub fn auto_compaction(self, policy: AutoCompaction) -> Builder {
        self.tune(move |config| config.compaction = policy)
    }

    /// How many bytes keys and values may take, with 256 bytes for each version (default: 2 GiB; 0: no
    /// limit). All of it is kept in memory.
    pub fn quota_bytes(self, bytes: u64) -> Builder {
        self.tune(move |config| config.quota_bytes = bytes)
    }

    /// Sets anything else of [`Config`].
    pub fn tune(mut self, tune: impl FnOnce(&mut Config) + 'static) -> Builder {
        let before = self.tune;
        self.tune = Box::new(move |config| {
            before(config);
            tune(config);
        });
        self
    }

    /// Starts the node: reads back what its storage holds, begins to listen, and joins its cluster. It does
    /// not wait for a leader; requests do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`]; [`ErrorKind::DirectoryInUse`], [`ErrorKind::WrongMember`],
    /// [`ErrorKind::WrongCluster`], [`ErrorKind::Corrupt`], [`ErrorKind::Version`] for the data directory;
    /// [`ErrorKind::Io`] for it, or for the address to listen on.
    pub fn start(mut self) -> Result<Node> {
        if self.peers.is_empty() {
            self.peers.push((self.id, String::new()));
        }
        let peers = distinct(self.id, self.peers, self.transport.is_none())?;
        let mut config = Config::new(self.id, peers.keys().copied());
        config.seed = random()?;
        config.is_volatile = matches!(self.storage, Place::Memory);
        (self.tune)(&mut config);
        config.check()?;
        let mut storage = open(self.storage)?;
        let recovered = storage.recover()?;
        let identity = identify(&config, recovered.identity)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => reach(self.id, peers, self.listen)?,
        };
        config.check_message(transport.max_message())?;
        storage.set_identity(&identity)?;
        Node::start(Parts { config, identity, storage, recovered, transport })
    }
}

fn open(place: Place) -> Result<Box<dyn Storage>> {
    Ok(match place {
        Place::Memory => Box::new(MemoryStorage::throw_away()),
        Place::Directory(path) => Box::new(FileStorage::open(path)?),
        Place::Own(storage) => storage,
    })
}

/// The peers, each named once; and, if they are `dialed`, each at an address of its own.
fn distinct(me: NodeId, list: Vec<(NodeId, String)>, dialed: bool) -> Result<BTreeMap<NodeId, String>> {
    let wrong = |reason: String| Err(ErrorKind::Config { reason }.into());
    let has_others = list.len() > 1;
    let mut peers = BTreeMap::new();
    for (id, address) in list {
        let port = address
            .rsplit_once(':')
            .and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>().ok()).flatten());
        // This member's own address may stay empty, if it is told where to listen.
        let is_needed = dialed && has_others && !(id == me && address.is_empty());
        if is_needed && port.is_none() {
            return wrong(format!("the address of peer {id}, {address:?}, is not host:port"));
        }
        if let Some((other, _)) = peers.iter().find(|(_, taken)| dialed && has_others && **taken == address) {
            return wrong(format!("the peers {other} and {id} have the same address, {address}"));
        }
        if peers.insert(id, address).is_some() {
            return wrong(format!("the peers name member {id} twice"));
        }
    }
    Ok(peers)
}

fn reach(
    me: NodeId,
    mut peers: BTreeMap<NodeId, String>,
    listen: Option<String>,
) -> Result<Box<dyn Transport>> {
    let own = peers.remove(&me).unwrap_or_default();
    if peers.is_empty() {
        return Ok(Box::new(MemoryNetwork::new().transport()));
    }
    let listen = listen.unwrap_or(own);
    if listen.is_empty() {
        let reason = "a node with peers needs an address to listen on".into();
        return Err(ErrorKind::Config { reason }.into());
    }
    Ok(Box::new(TcpTransport::new(listen, peers)))
}

/// Whose data this is from now on: as found, with this start counted; or a new identity for a new storage.
fn identify(config: &Config, found: Option<Identity>) -> Result<Identity> {
    let (cluster, node) = (config.cluster_id(), config.node);
    let Some(found) = found else {
        return Ok(Identity { cluster, node, directory: random()?.max(1), incarnation: 1 });
    };
    if found.node != node {
        return Err(ErrorKind::WrongMember { expected: node, found: found.node }.into());
    }
    if found.cluster != cluster {
        return Err(ErrorKind::WrongCluster { expected: cluster, found: found.cluster }.into());
    }
    Ok(Identity { incarnation: found.incarnation + 1, ..found })
}

fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    getrandom::getrandom(&mut bytes).map_err(|error| -> Error {
        let action = "asking the operating system for a random number".into();
        ErrorKind::Io { action, reason: error.to_string() }.into()
    })?;
    Ok(u64::from_le_bytes(bytes))
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("id", &self.id).field("peers", &self.peers).finish_non_exhaustive()
    }
}
