//! From settings to a running node: what is in the directory already, then ports, then what is to be made in the
//! directory, then the node.
//!
//! What it will never know: clients. See [`serve`](mod@crate::serve).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use kvorum::storage::Storage;
use kvorum::transports::{TcpHandle, TcpTransport};
use kvorum::{Limits, Node};
use kvorum_gateway::SyncTimes;

use crate::advice;
use crate::cluster::Cluster;
use crate::directory::{Directory, IMPORTING, is_there, strangers};
use crate::disk::Watched;
use crate::imported::Imported;
use crate::log::{Log, Value};
use crate::report::urls;
use crate::settings::Settings;
use crate::urls::Url;

/// A running node, and what the rest of the server needs to know of it.
pub(crate) struct Started {
    pub(crate) node: Node,
    pub(crate) cluster: Cluster,
    /// What its data was made from, if it was imported.
    pub(crate) imported: Option<Imported>,
    /// How things stand with the peers.
    pub(crate) peers: TcpHandle,
    /// Bound, and not listened to yet: clients that come early wait.
    pub(crate) listeners: Vec<TcpListener>,
    /// The same, for metrics and health alone.
    pub(crate) metrics: Vec<TcpListener>,
    /// How long the storage takes.
    pub(crate) sync_times: Arc<SyncTimes>,
}

/// Starts the node.
pub(crate) fn start(settings: &Settings, log: &Log) -> Result<Started, String> {
    // A directory that is not this member's, or in use, is the better reason than a port that is in use with it.
    let found = Directory::find(&settings.data_dir)?;
    if found.is_none() {
        // Flags that name no cluster begin no directory either.
        Cluster::begin(settings)?;
    }
    let peer_address = settings.listen_peer.bind_address()?;
    log.info(
        "configuring peer listeners",
        &[("listen-peer-urls", vec![settings.listen_peer.to_string()].into())],
    );
    // The transport binds it for good; what it would say comes too late, behind a directory that has been begun.
    bind(peer_address)?;
    let urls: Vec<String> = settings.listen_client.iter().map(ToString::to_string).collect();
    log.info("configuring client listeners", &[("listen-client-urls", urls.into())]);
    let listeners = settings.client_addresses().into_iter().map(bind).collect::<Result<Vec<_>, _>>()?;
    if listeners.is_empty() {
        return Err("--listen-client-urls must name a URL".into());
    }
    let metrics = settings.metrics_addresses().into_iter().map(bind).collect::<Result<Vec<_>, _>>()?;
    let sync_times = Arc::<SyncTimes>::default();
    let directory = found.map_or_else(|| Directory::open(&settings.data_dir), Ok)?;
    let is_known = directory.cluster.is_some();
    look_around(settings, is_known, log);
    let cluster = cluster(settings, &directory, log)?;
    let message = if is_known { "restarting local member" } else { "starting local member" };
    let ids = [("local-member-id", hex(cluster.me)), ("cluster-id", hex(cluster.id))];
    log.info(message, &ids.map(|(key, id)| (key, id.into())));
    let Directory { storage, place, cluster: known, imported } = directory;
    if let Some(imported) = &imported {
        let fields = [("revision", imported.revision.into()), ("content", imported.content().into())];
        log.info("the data was imported from a snapshot", &fields);
    }
    let storage = Watched::new(storage, log.clone(), sync_times.clone());
    let started = node(settings, storage, &cluster, peer_address);
    let (node, peers) = started.map_err(|reason| cluster.in_hex(&reason))?;
    // Only now: a start that failed has not bound the directory to what its flags said.
    if known.is_none() {
        place.begin(&cluster)?;
    }
    Ok(Started { node, cluster, imported, peers, listeners, metrics, sync_times })
}

/// Who is in the cluster: as the directory says; or, the first time, as the flags say.
fn cluster(settings: &Settings, directory: &Directory, log: &Log) -> Result<Cluster, String> {
    let Some(known) = &directory.cluster else { return Cluster::begin(settings) };
    let names_others = settings.names_members && !known.is_named_by(&settings.initial_cluster);
    let is_elsewhere = settings.names_peer_urls && !are_same(&settings.advertise_peer, known.own_url());
    let ignored: [(bool, &str, Value); 2] = [
        (names_others, "initial-cluster", settings.initial_cluster.as_str().into()),
        (is_elsewhere, "initial-advertise-peer-urls", urls(&settings.advertise_peer)),
    ];
    for (_, flag, given) in ignored.into_iter().filter(|(is_ignored, ..)| *is_ignored) {
        let fields = [
            (flag, given),
            ("members", known.named().into()),
            ("file", directory.place.path().join("cluster").display().to_string().into()),
            ("hint", "a member moves by its URL in this file, on every member while it is stopped".into()),
        ];
        log.warn(&format!("ignored --{flag}, which differs from the members in the data directory"), &fields);
    }
    Ok(known.clone())
}

/// In letters, or once resolved: what the first start takes for the same.
fn are_same(some: &[Url], others: &[Url]) -> bool {
    let resolved = |urls: &[Url]| urls.iter().map(Url::resolved).collect::<BTreeSet<_>>();
    some == others || resolved(some) == resolved(others)
}

/// What lies beside the member is not touched, and may be there by mistake.
fn look_around(settings: &Settings, has_cluster: bool, log: &Log) {
    let data_dir = ("data-dir", settings.data_dir.display().to_string().into());
    let others = strangers(&settings.data_dir);
    if !others.is_empty() {
        log.warn(
            "found invalid file under data directory",
            &[("filenames", others.into()), data_dir.clone()],
        );
    }
    if has_cluster && is_there(&settings.data_dir.join(IMPORTING)) {
        log.warn("ignored what an import left that came too late; 'importing' can be removed", &[data_dir]);
    }
}

fn node(
    settings: &Settings,
    storage: impl Storage + 'static,
    cluster: &Cluster,
    listen: SocketAddr,
) -> Result<(Node, TcpHandle), String> {
    let addresses: BTreeMap<u64, String> =
        cluster.members.iter().map(|member| (member.id, member.peer_url.address())).collect();
    let transport = TcpTransport::new(listen, addresses.clone());
    let peers = transport.handle();
    let image_log_bytes = settings.image_log_bytes();
    let limits = Limits {
        request_bytes: settings.max_request_bytes,
        txn_ops: settings.max_txn_ops,
        strict_txns: settings.strict,
        ..Limits::default()
    };
    let builder = Node::builder()
        .id(cluster.me)
        .cluster_id(cluster.id)
        .peers(addresses)
        .storage(storage)
        .transport(transport)
        .heartbeat(settings.heartbeat)
        .election_timeout(settings.election)
        .quota_bytes(settings.quota_bytes())
        .auto_compaction(settings.compaction)
        .tune(move |config| {
            config.image_log_bytes = image_log_bytes;
            config.limits = limits;
        });
    let node = builder.start().map_err(|error| advice::refused(&error))?;
    Ok((node, peers))
}

fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "address already in use".into(),
            io::ErrorKind::AddrNotAvailable => "cannot assign requested address".into(),
            _ => error.to_string(),
        };
        format!("listen tcp {address}: bind: {reason}")
    })
}

/// An id as etcd shows it.
pub(crate) fn hex(id: u64) -> String {
    format!("{id:x}")
}
