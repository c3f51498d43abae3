//! The one place where the server hands its node to the gateway.
//!
//! What it will never know: what is asked.

use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::time::{Duration, Instant};

pub(crate) use kvorum_gateway::ETCD_VERSION;
use kvorum_gateway::{Connections, Member, Options};

use crate::cluster;
use crate::run::Server;
use crate::settings::Settings;
use crate::urls::Url;

/// The cluster's version, which is the API's without its last part.
pub(crate) const CLUSTER_VERSION: &str = "3.5";

/// So long that nobody will see its end, and short enough to be added to a clock.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Whoever looks at this member, and later clients, are served as long as it lives.
pub(crate) struct Serving(kvorum_gateway::Server);

/// What is under way is being answered.
pub(crate) struct Closing {
    stopping: Pin<Box<dyn Future<Output = ()>>>,
    until: Instant,
}

/// Serves whoever looks at this member on these listeners, and no clients yet.
pub(crate) async fn be_looked_at(server: &Server<'_>, metrics: Vec<TcpListener>) -> Result<Serving, String> {
    let serving = kvorum_gateway::serve_on(server.client.clone(), Vec::new(), options(server)).await;
    let mut serving = serving.map_err(|error| error.to_string())?;
    serving.serve_metrics_on(metrics).map_err(|error| error.to_string())?;
    Ok(Serving(serving))
}

fn options(server: &Server<'_>) -> Options {
    let settings = server.settings;
    let (ping_interval, ping_timeout) = settings.pings;
    let or_never = |time: Duration| if time.is_zero() { FOR_EVER } else { time };
    Options {
        name: settings.name.clone(),
        members: server.cluster.members.iter().map(|it| member(server, settings, it)).collect(),
        progress_interval: settings.progress_interval,
        extensive_metrics: settings.has_extensive_metrics,
        sync_times: Some(server.sync_times.clone()),
        connections: Connections {
            streams: settings.max_streams,
            ping_interval: or_never(ping_interval),
            ping_timeout: or_never(ping_timeout),
            ..Connections::default()
        },
        ..Options::default()
    }
}

/// A member as clients are told of it. Where the others serve clients they say themselves.
fn member(server: &Server<'_>, settings: &Settings, member: &cluster::Member) -> Member {
    let is_me = member.id == server.cluster.me;
    let shown = |urls: &[Url]| urls.iter().map(Url::to_string).collect();
    Member {
        id: member.id,
        name: if is_me { settings.name.clone() } else { member.name.clone() },
        peer_urls: vec![member.peer_url.to_string()],
        client_urls: if is_me { shown(&settings.advertise_client) } else { Vec::new() },
    }
}

impl Serving {
    /// Serves clients on these listeners.
    pub(crate) fn clients(&mut self, listeners: Vec<TcpListener>) -> Result<(), String> {
        self.0.serve_clients_on(listeners).map_err(|error| error.to_string())
    }

    /// Where clients are served.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.0.local_addresses()
    }

    /// Takes no further connections and begins no further requests. What is under way has so long.
    pub(crate) fn close(self, limit: Duration) -> Closing {
        Closing { stopping: Box::pin(self.0.stop(limit)), until: Instant::now() + limit }
    }
}

impl Closing {
    /// Waits for what is under way; answers whether it came to its end.
    pub(crate) async fn finish(self) -> bool {
        self.stopping.await;
        Instant::now() < self.until
    }
}
