//! The page that Prometheus reads. Only what is true stands there: etcd's name means etcd's thing. What it will never
//! know: who reads it.

use std::fmt::{Display, Write};
use std::sync::atomic::Ordering;

use super::{Checks, process};
use crate::gateway::{ETCD_VERSION, Gateway};
use crate::health::Check;

/// The page, as of now.
pub(crate) fn page(gateway: &Gateway) -> String {
    let mut page = Page(String::new());
    versions(gateway, &mut page);
    consensus(gateway, &mut page);
    store(gateway, &mut page);
    leases(gateway, &mut page);
    health(gateway, &mut page);
    disk(gateway, &mut page);
    for (name, kind, help, value) in process::values() {
        page.one(name, kind, help, value);
    }
    gateway.metrics.rpcs.write(&mut page.0);
    page.0
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.one(name, "counter", help, value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.one(name, "gauge", help, value);
    }

    fn labelled(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
    }
}

fn versions(gateway: &Gateway, page: &mut Page) {
    let (major_minor, _) = ETCD_VERSION.rsplit_once('.').unwrap_or((ETCD_VERSION, ""));
    let node = gateway.client.status().node;
    for (name, help, label) in [
        (
            "etcd_cluster_version",
            "The version whose API is served.",
            format!("cluster_version=\"{major_minor}\""),
        ),
        (
            "etcd_server_version",
            "The version whose API is served.",
            format!("server_version=\"{ETCD_VERSION}\""),
        ),
        ("etcd_server_id", "This member, in hexadecimal.", format!("server_id=\"{node:x}\"")),
    ] {
        page.head(name, "gauge", help);
        page.labelled(name, &label, 1);
    }
}

fn consensus(gateway: &Gateway, page: &mut Page) {
    let (status, stats) = (gateway.client.status(), gateway.client.stats());
    let raft = &status.raft;
    page.gauge("etcd_server_has_leader", "Whether a leader is known here.", u8::from(raft.leader != 0));
    page.gauge("etcd_server_is_leader", "Whether this member leads.", u8::from(status.is_leader()));
    page.gauge("etcd_server_is_learner", "Whether this member has no vote.", 0);
    page.counter("etcd_server_leader_changes_seen_total", "Leaders seen here.", stats.leaders_seen);
    page.gauge("etcd_server_proposals_committed_total", "The last entry agreed on.", raft.commit);
    page.gauge("etcd_server_proposals_applied_total", "The last entry applied here.", raft.applied);
    page.gauge("etcd_server_proposals_pending", "Writes that wait for an answer here.", raft.writing);
    page.counter(
        "etcd_server_proposals_failed_total",
        "Writes asked for here that failed.",
        stats.writes_failed,
    );
}

fn store(gateway: &Gateway, page: &mut Page) {
    let (status, stats) = (gateway.client.status(), gateway.client.stats());
    let (sizes, applied) = (status.sizes, stats.applied);
    page.gauge("etcd_server_quota_backend_bytes", "The quota; 0: none.", sizes.quota);
    let bytes = "Bytes that count towards the quota.";
    page.gauge("etcd_mvcc_db_total_size_in_bytes", bytes, sizes.bytes);
    page.gauge("etcd_mvcc_db_total_size_in_use_in_bytes", bytes, sizes.bytes);
    page.counter("etcd_mvcc_put_total", "Keys written.", applied.puts);
    page.counter("etcd_mvcc_delete_total", "Deletions.", applied.deletes);
    page.counter("etcd_mvcc_txn_total", "Transactions.", applied.txns);
    page.counter("etcd_mvcc_range_total", "Ranges read here, outside of transactions.", stats.reads);
    page.gauge("etcd_debugging_mvcc_keys_total", "Keys that exist.", sizes.keys);
    page.gauge("etcd_debugging_mvcc_current_revision", "The newest revision.", status.revision);
    // As in etcd, -1 as long as nothing was compacted.
    let compacted = if status.compacted == 0 { -1 } else { status.compacted };
    page.gauge("etcd_debugging_mvcc_compact_revision", "The oldest revision that can be read.", compacted);
    let put = "Bytes of keys and values written.";
    page.counter("etcd_debugging_mvcc_total_put_size_in_bytes", put, applied.put_bytes);
    page.gauge("etcd_debugging_mvcc_watcher_total", "Watches that are open here.", sizes.watchers);
    let streams = gateway.metrics.watch_streams.load(Ordering::Relaxed);
    page.gauge("etcd_debugging_mvcc_watch_stream_total", "Streams of watches that are open here.", streams);
}

fn leases(gateway: &Gateway, page: &mut Page) {
    let (sizes, stats) = (gateway.client.status().sizes, gateway.client.stats());
    let applied = stats.applied;
    page.counter("etcd_debugging_lease_granted_total", "Leases granted.", applied.leases_granted);
    page.counter(
        "etcd_debugging_lease_revoked_total",
        "Leases that ended, expired ones too.",
        applied.leases_ended,
    );
    page.counter("etcd_debugging_lease_renewed_total", "Renewals by this leader.", stats.leases_renewed);
    page.counter("etcd_debugging_server_lease_expired_total", "Leases that expired.", applied.leases_expired);
    page.gauge("kvorum_leases", "Leases that there are.", sizes.leases);
}

fn health(gateway: &Gateway, page: &mut Page) {
    let metrics = &gateway.metrics;
    let (healthy, unhealthy) =
        (metrics.healthy.load(Ordering::Relaxed), metrics.unhealthy.load(Ordering::Relaxed));
    page.counter("etcd_server_health_success", "Answers of /health that all is well.", healthy);
    page.counter("etcd_server_health_failures", "Answers of /health that it is not.", unhealthy);
    let kinds: [(&str, &Checks); 2] = [("livez", &metrics.live), ("readyz", &metrics.ready)];
    page.head("etcd_server_healthcheck", "gauge", "Whether a check went well the last time.");
    for (kind, checks) in kinds {
        for (check, (good, bad, last)) in Check::ALL.iter().zip(&checks.0) {
            if good.load(Ordering::Relaxed) + bad.load(Ordering::Relaxed) > 0 {
                let labels = format!("name=\"{}\",type=\"{kind}\"", check.name());
                page.labelled("etcd_server_healthcheck", &labels, last.load(Ordering::Relaxed));
            }
        }
    }
    page.head("etcd_server_healthchecks_total", "counter", "Checks made.");
    for (kind, checks) in kinds {
        for (check, (good, bad, _)) in Check::ALL.iter().zip(&checks.0) {
            for (status, count) in [("success", good), ("error", bad)] {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = format!("name=\"{}\",status=\"{status}\",type=\"{kind}\"", check.name());
                    page.labelled("etcd_server_healthchecks_total", &labels, count);
                }
            }
        }
    }
}

fn disk(gateway: &Gateway, page: &mut Page) {
    let Some(syncs) = &gateway.options.sync_times else { return };
    let name = "etcd_disk_wal_fsync_duration_seconds";
    page.head(name, "histogram", "How long appends to the log took, with their sync.");
    syncs.times.write(name, "", &mut page.0);
    let bytes = syncs.bytes.load(Ordering::Relaxed);
    page.counter("etcd_disk_wal_write_bytes_total", "Bytes appended to the log.", bytes);
}
