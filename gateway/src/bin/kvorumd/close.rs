//! The end of a server that was asked to end: no new clients, leadership handed over, requests under way answered,
//! then the node.

use std::time::{Duration, Instant};

use kvorum::Node;

use crate::advice;
use crate::log::Log;
use crate::run::Server;
use crate::serve::Serving;
use crate::signals::Signals;
use crate::start::hex;
use crate::values::spell;

/// Ends the server. The error is why the node had halted itself by then: the signal may come before that was seen.
pub(crate) async fn close(
    server: &Server<'_>,
    node: Node,
    serving: Serving,
    signal: &str,
) -> Result<(), String> {
    let (log, settings) = (server.log, server.settings);
    log.info("received signal; shutting down", &[("signal", signal.into())]);
    let fields = [
        ("name", settings.name.as_str().into()),
        ("data-dir", settings.data_dir.display().to_string().into()),
    ];
    log.info("closing kvorum server", &fields);
    let closing = serving.close(patience(settings.election));
    hand_over(server).await;
    if !closing.finish().await {
        log.warn("did not wait any longer for the requests under way", &[]);
    }
    let halted = node.status().raft.halted.map(|reason| advice::halted(&reason, &server.cluster));
    // It blocks until its threads have ended.
    let stopped = tokio::task::spawn_blocking(move || node.stop()).await;
    if let Err(error) = stopped {
        log.warn("stopping the node", &[("error", error.to_string().into())]);
    }
    log.info("closed kvorum server", &fields);
    halted.map_or(Ok(()), Err)
}

/// How long requests under way are waited for: as long as etcd waits.
fn patience(election: Duration) -> Duration {
    Duration::from_secs(5) + election * 2
}

/// The next signal ends the process at once.
pub(crate) fn at_once_at_the_next(mut signals: Signals, log: Log) {
    tokio::spawn(async move {
        let (name, number) = signals.next().await;
        log.warn("received another signal; ending at once", &[("signal", name.into())]);
        std::process::exit(128 + i32::from(number));
    });
}

/// Hands leadership to another member, if this one leads, so that the others need no election time-out.
async fn hand_over(server: &Server<'_>) {
    let (log, me) = (server.log, server.cluster.me);
    let status = server.client.status();
    let fields =
        [("local-member-id", hex(me).into()), ("current-leader-member-id", hex(status.raft.leader).into())];
    if !status.is_leader() {
        return log.info("skipped leadership transfer; local server is not leader", &fields);
    }
    if !server.cluster.has_others() {
        return log.info("skipped leadership transfer for single voting member cluster", &fields);
    }
    if !is_anybody_there(server) {
        return log.info("skipped leadership transfer; no other member is reachable", &fields);
    }
    log.info("leadership transfer starting", &fields);
    let began = Instant::now();
    let leader = transfer(server).await;
    let took = spell(began.elapsed());
    let me = ("local-member-id", hex(me).into());
    match leader {
        Some(leader) => {
            let fields = [me, ("new-leader-member-id", hex(leader).into()), ("took", took.into())];
            log.info("leadership transfer finished", &fields);
        }
        // As it is for the last one when all are asked to end.
        None if !is_anybody_there(server) => {
            let fields =
                [me, ("took", took.into()), ("error", "no other member is reachable any more".into())];
            log.info("leadership transfer failed", &fields);
        }
        None => {
            log.warn("leadership transfer failed", &[me, ("took", took.into()), ("error", NOBODY.into())])
        }
    }
}

fn is_anybody_there(server: &Server<'_>) -> bool {
    server.peers.peers_status().values().any(|peer| peer.connected)
}

/// etcd's words, and what they mean.
const NOBODY: &str = "etcdserver: request timed out, leader transfer took too long: no member took over; leaving \
                      without handing over";

/// Who leads afterwards, if that is somebody else within an election time-out.
async fn transfer(server: &Server<'_>) -> Option<u64> {
    let until = Instant::now() + server.settings.election;
    // Should it fail, the status shows it.
    let _ = server.client.hand_over_leadership().await;
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    while Instant::now() < until {
        looks.tick().await;
        let raft = server.client.status().raft;
        if raft.leader != server.cluster.me && raft.leader != 0 {
            return Some(raft.leader);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_waited_for_as_long_as_in_etcd() {
        assert_eq!(patience(Duration::from_secs(1)), Duration::from_secs(7));
    }
}
