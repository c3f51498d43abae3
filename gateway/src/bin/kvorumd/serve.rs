//! The one place where the server hands its node to the gateway.
//!
//! What it will never know: what is asked.

use std::net::TcpListener;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::run::Server;

/// The version of etcd's API that is spoken.
pub(crate) const ETCD_VERSION: &str = "3.5.30";
/// The cluster's version, which is the API's without its last part.
pub(crate) const CLUSTER_VERSION: &str = "3.5";

/// Clients are served as long as it lives.
pub(crate) struct Serving {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Serves clients on these listeners.
pub(crate) async fn serve(server: &Server<'_>, listeners: Vec<TcpListener>) -> Result<Serving, String> {
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for listener in listeners {
        listener.set_nonblocking(true).map_err(|error| error.to_string())?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
        let (mut stopped, client) = (stopped.clone(), server.client.clone());
        tasks.spawn(async move {
            while !*stopped.borrow() {
                tokio::select! {
                    _ = stopped.changed() => {}
                    taken = listener.accept() => drop((taken, client.clone())),
                }
            }
        });
    }
    Ok(Serving { stop, tasks })
}

impl Serving {
    /// Takes no further connections and begins no further requests.
    pub(crate) fn close(&self) {
        let _ = self.stop.send(true);
    }

    /// Waits until the requests under way are answered, so long at most; answers whether they were.
    pub(crate) async fn finish(mut self, limit: Duration) -> bool {
        tokio::time::timeout(limit, async { while self.tasks.join_next().await.is_some() {} }).await.is_ok()
    }
}
