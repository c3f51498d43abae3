//! Many at once: a fixed number of requests in flight on a fixed number of connections, for a while.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::servers::Servers;

/// As in the plan.
pub(crate) const CONNECTIONS: usize = 16;
pub(crate) const IN_FLIGHT: usize = 256;

/// What a round came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// Microseconds of the servers' CPU time, all three, per request.
    pub(crate) cpu: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Bytes in the memory of all three at the end.
    pub(crate) memory: u64,
}

/// Connections, spread over the members.
pub(crate) async fn connect(servers: &Servers) -> Vec<Client> {
    let mut clients = Vec::new();
    for i in 0..CONNECTIONS {
        let endpoint = &servers.endpoints[i % servers.endpoints.len()];
        clients.push(Client::connect(endpoint).await.expect("a member that took a write"));
    }
    clients
}

/// Has `act` done over and over by `in_flight` tasks, each with its number and a count that no two share.
pub(crate) async fn drive<C, F, Fut>(
    servers: &Servers,
    clients: &[C],
    in_flight: usize,
    time: Duration,
    act: F,
) -> Round
where
    C: Clone + Send + 'static,
    F: Fn(C, u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let (act, is_over) = (Arc::new(act), Arc::new(AtomicBool::new(false)));
    let next = Arc::new(AtomicU64::new(0));
    let (begun, used) = (Instant::now(), servers.cpu());
    let tasks: Vec<_> = (0..in_flight)
        .map(|task| {
            let client = clients[task % clients.len()].clone();
            let (act, is_over, next) = (act.clone(), is_over.clone(), next.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let (number, asked) = (next.fetch_add(1, Ordering::Relaxed), Instant::now());
                    act(client.clone(), number).await;
                    took.push(asked.elapsed().as_micros() as u32);
                }
                took
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    is_over.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.expect("a client's task"));
    }
    let (seconds, used) = (begun.elapsed().as_secs_f64(), servers.cpu() - used);
    took.sort_unstable();
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or(0) as f64 / 1e3;
    Round {
        per_second: took.len() as f64 / seconds,
        cpu: used.as_secs_f64() * 1e6 / took.len().max(1) as f64,
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        memory: servers.memory().resident,
    }
}
