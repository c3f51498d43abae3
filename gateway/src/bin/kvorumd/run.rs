//! The server's life: start, find a leader, serve; and its end, when it is asked to end or the node has halted.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use kvorum::transports::TcpHandle;
use kvorum::{Client, ErrorKind, Node};
use kvorum_core::planted;
use kvorum_gateway::SyncTimes;
use tokio::task::JoinHandle;

use crate::close;
use crate::cluster::Cluster;
use crate::kin::Kin;
use crate::log::Log;
use crate::observe::observe;
use crate::report;
use crate::serve::{self, Serving};
use crate::settings::Settings;
use crate::signals::{self, Signals};
use crate::start::{Started, hex, start};
use crate::urls::Url;

/// Why the server ends.
enum End {
    /// It was asked to, by this signal.
    Signal(&'static str),
    /// The node has ended by itself, or can never serve.
    Halted(String),
}

/// What every step of the server's life needs.
pub(crate) struct Server<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) cluster: Cluster,
    pub(crate) client: Client,
    pub(crate) peers: TcpHandle,
    pub(crate) sync_times: Arc<SyncTimes>,
    pub(crate) log: &'a Log,
}

/// Runs until the server has ended in peace; the error is why it did not.
pub(crate) fn run(settings: &Settings, log: &Log) -> Result<(), String> {
    report::starting(settings, log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting the runtime: {error}"))?;
    // Before anything is begun that a signal should end well.
    let signals = runtime.block_on(async {
        signals::reopen_at_hangups(log.clone())?;
        Signals::new()
    });
    let signals = signals.map_err(|error| format!("listening to signals: {error}"))?;
    let Started { node, cluster, imported, peers, listeners, metrics, sync_times } = start(settings, log)?;
    let kin = Kin { cluster: cluster.clone(), imported };
    let server = Server { settings, cluster, client: node.client(), peers, sync_times, log };
    let watched = observe(server.client.clone(), server.peers.clone(), settings.heartbeat, kin, log.clone());
    let halted = runtime.spawn(watched);
    let ended = runtime.block_on(live(&server, node, (listeners, metrics), signals, halted));
    // Whoever is still connected is not waited for any longer.
    runtime.shutdown_background();
    ended
}

async fn live(
    server: &Server<'_>,
    node: Node,
    (clients, metrics): (Vec<TcpListener>, Vec<TcpListener>),
    mut signals: Signals,
    mut halted: JoinHandle<String>,
) -> Result<(), String> {
    // A member that is asked how it is answers before it has a majority: whoever kills those that do not would kill
    // members that wait for each other.
    if planted!("looks_wait_for_a_majority") {
        publish(server).await?;
    }
    let mut serving = serve::be_looked_at(server, metrics).await?;
    let end = tokio::select! {
        end = next_end(&mut signals, &mut halted) => end,
        began = begin(server, &mut serving, clients) => {
            began?;
            next_end(&mut signals, &mut halted).await
        }
    };
    let signal = match end {
        End::Signal(signal) => signal,
        End::Halted(reason) => return Err(reason),
    };
    halted.abort();
    close::at_once_at_the_next(signals, server.log.clone());
    close::close(server, node, serving, signal).await
}

async fn next_end(signals: &mut Signals, halted: &mut JoinHandle<String>) -> End {
    tokio::select! {
        (name, _) = signals.next() => End::Signal(name),
        reason = halted => End::Halted(reason.unwrap_or_else(|error| error.to_string())),
    }
}

/// Waits until the cluster has a leader, then serves clients.
async fn begin(server: &Server<'_>, serving: &mut Serving, clients: Vec<TcpListener>) -> Result<(), String> {
    report::now_serving(server);
    publish(server).await?;
    serving.clients(clients)?;
    report::ready(server, serving);
    Ok(())
}

/// Writes this member's name and client URLs into the log, where every member reads them. It takes a majority: until
/// then no client is served.
async fn publish(server: &Server<'_>) -> Result<(), String> {
    let settings = server.settings;
    let urls: Vec<String> = settings.advertise_client.iter().map(Url::to_string).collect();
    while let Err(error) = kvorum_gateway::publish(&server.client, &settings.name, &urls).await {
        if matches!(error.kind(), ErrorKind::TooLarge { .. }) {
            return Err(format!("publishing --name and --advertise-client-urls: {error}"));
        }
        let fields = [
            ("local-member-id", hex(server.cluster.me).into()),
            ("publish-timeout", report::PUBLISH_TIMEOUT.into()),
            ("error", server.cluster.in_hex(&error.to_string()).into()),
        ];
        server.log.warn("failed to publish local member to cluster through raft", &fields);
        // Most errors come after the request's own time-out; those that come at once must not fill the log.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
