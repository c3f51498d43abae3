//! What is logged on the way up: all settings, and the sentences that supervisors and test harnesses wait for, in
//! etcd's words.

use crate::log::{Field, Log, Value};
use crate::notify;
use crate::run::Server;
use crate::serve::{CLUSTER_VERSION, ETCD_VERSION, Serving};
use crate::settings::Settings;
use crate::start::hex;
use crate::urls::Url;
use crate::values::spell;

/// What etcd shows with it at these defaults, and what a request may take here.
pub(crate) const PUBLISH_TIMEOUT: &str = "7s";

/// etcd's largest quota and request that it does not warn of.
const USUAL_QUOTA: i64 = 8 << 30;
const USUAL_REQUEST: usize = 10 << 20;

/// The first line with everything in it.
pub(crate) fn starting(settings: &Settings, log: &Log) {
    let mut fields = versions();
    fields.extend(places(settings));
    fields.extend(tunables(settings));
    log.info("starting a kvorum server", &fields);
    if settings.quota > USUAL_QUOTA {
        let fields =
            [("quota-size-bytes", settings.quota.into()), ("quota-maximum-size-bytes", USUAL_QUOTA.into())];
        log.warn("quota exceeds the maximum value", &fields);
    }
    if settings.max_request_bytes > USUAL_REQUEST {
        let fields = [
            ("max-request-bytes", settings.max_request_bytes.into()),
            ("recommended-request-bytes", USUAL_REQUEST.into()),
        ];
        log.warn("exceeded recommended request limit", &fields);
    }
}

fn versions() -> Vec<Field<'static>> {
    vec![
        ("kvorumd-version", env!("CARGO_PKG_VERSION").into()),
        ("etcd-version", ETCD_VERSION.into()),
        ("os", std::env::consts::OS.into()),
        ("arch", std::env::consts::ARCH.into()),
        ("max-cpu-available", std::thread::available_parallelism().map_or(1, usize::from).into()),
    ]
}

fn places(settings: &Settings) -> Vec<Field<'static>> {
    vec![
        ("name", settings.name.as_str().into()),
        ("data-dir", settings.data_dir.display().to_string().into()),
        ("initial-advertise-peer-urls", urls(&settings.advertise_peer)),
        ("listen-peer-urls", urls(std::slice::from_ref(&settings.listen_peer))),
        ("advertise-client-urls", urls(&settings.advertise_client)),
        ("listen-client-urls", urls(&settings.listen_client)),
        ("listen-metrics-urls", urls(&settings.listen_metrics)),
        ("initial-cluster", settings.initial_cluster.as_str().into()),
        ("initial-cluster-state", if settings.is_new { "new" } else { "existing" }.into()),
        ("initial-cluster-token", settings.token.as_str().into()),
    ]
}

fn tunables(settings: &Settings) -> Vec<Field<'static>> {
    vec![
        ("heartbeat-interval", spell(settings.heartbeat).into()),
        ("election-timeout", spell(settings.election).into()),
        ("snapshot-count", settings.snapshot_count.into()),
        ("image-log-bytes", settings.image_log_bytes().into()),
        ("quota-backend-bytes", settings.quota_bytes().into()),
        ("max-request-bytes", settings.max_request_bytes.into()),
        ("max-txn-ops", settings.max_txn_ops.into()),
        ("auto-compaction-mode", settings.compaction_mode.as_str().into()),
        ("auto-compaction", format!("{:?}", settings.compaction).into()),
        ("strict", settings.strict.into()),
        ("watch-progress-notify-interval", spell(settings.progress_interval).into()),
        ("max-concurrent-streams", u64::from(settings.max_streams).into()),
        ("grpc-keepalive-interval", spell(settings.pings.0).into()),
        ("grpc-keepalive-timeout", spell(settings.pings.1).into()),
    ]
}

/// The node runs, and is looked at from here on.
pub(crate) fn now_serving(server: &Server<'_>) {
    let settings = server.settings;
    let fields = [
        ("local-member-id", hex(server.cluster.me).into()),
        // Where the cluster reaches it: of the flag, only the first start takes notice.
        ("initial-advertise-peer-urls", urls(server.cluster.own_url())),
        ("listen-peer-urls", urls(std::slice::from_ref(&settings.listen_peer))),
        ("advertise-client-urls", urls(&settings.advertise_client)),
        ("listen-client-urls", urls(&settings.listen_client)),
        ("listen-metrics-urls", urls(&settings.listen_metrics)),
    ];
    server.log.info("now serving peer/client/metrics", &fields);
}

/// A leader was found, and clients are served.
pub(crate) fn ready(server: &Server<'_>, serving: &Serving) {
    let (log, settings) = (server.log, server.settings);
    let clients: Vec<String> = settings.advertise_client.iter().map(Url::to_string).collect();
    let attributes = format!("{{Name:{} ClientURLs:[{}]}}", settings.name, clients.join(" "));
    let fields = [
        ("local-member-id", hex(server.cluster.me).into()),
        ("local-member-attributes", attributes.into()),
        ("cluster-id", hex(server.cluster.id).into()),
        ("publish-timeout", PUBLISH_TIMEOUT.into()),
    ];
    log.info("published local member to cluster through raft", &fields);
    log.info("enabled capabilities for version", &[("cluster-version", CLUSTER_VERSION.into())]);
    log.info("ready to serve client requests", &[]);
    for address in serving.addresses() {
        let fields = [("traffic", "grpc+http".into()), ("address", address.to_string().into())];
        log.info("serving client traffic insecurely; this is strongly discouraged!", &fields);
    }
    notify_init_daemon(log);
}

fn notify_init_daemon(log: &Log) {
    match notify::ready() {
        Ok(false) => {}
        Ok(true) => log.info("successfully notified init daemon", &[]),
        Err(error) => {
            log.error("failed to notify systemd for readiness", &[("error", error.to_string().into())])
        }
    }
}

/// URLs as a field shows them.
pub(crate) fn urls(urls: &[Url]) -> Value {
    urls.iter().map(Url::to_string).collect::<Vec<_>>().into()
}
