//! The flags that are used, those that would change nothing, and kvorum's own. The refused ones have a table of
//! their own.

use super::Kind::{Bool, Duration, OneOf, Signed, Text, Unsigned, Urls};
use super::{Flag, Kind, Stand};

const fn used(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Flag {
    Flag::new(name, kind, default, Stand::Used(help))
}

const fn moot(name: &'static str, kind: Kind, default: &'static str, why: &'static str) -> Flag {
    Flag::new(name, kind, default, Stand::Moot(why))
}

const NO_BBOLT: &str = "keys live in memory and in the log: there is no bbolt file";
const NO_COUNT: &str = "images and parts of the log are removed when nothing needs them any more";
const NO_DISCOVERY: &str = "there is no discovery, which alone it is about";
const NO_PROXY: &str = "there is no v2 proxy, which alone it is about";
const NO_TLS: &str = "there is no TLS yet, which alone it is about";
const NO_USERS: &str = "there are no users yet, which alone it is about";
const NO_TRACING: &str = "there is no tracing, which alone it is about";
const HASHES: &str = "members compare the hash of all that was applied with every heartbeat";
const CHECKPOINTS: &str = "what remains of long leases is always written down in the log";
const OWN_LIMITS: &str = "connections between members have limits of their own: 5 s without a sign of life";

/// kvorum's own.
pub(super) const OWN: &[Flag] = &[
    used("strict", Bool, "false", "Refuse transactions that write a key twice also where etcd overlooks it."),
    used(
        "log-format",
        OneOf(&["json", "console"]),
        "json",
        "Write the log as JSON or for people (etcd 3.6's flag).",
    ),
];

/// etcd's, in the order of its help.
pub(super) const FLAGS: &[Flag] = &[
    used("name", Text, "default", "Human-readable name for this member."),
    used("data-dir", Text, "${name}.kvorum", "Path to the data directory. (etcd's default is ${name}.etcd.)"),
    used(
        "snapshot-count",
        Unsigned,
        "100000",
        "How often an image of the store is written: 100000 stands for 64 MiB of log, others in proportion.",
    ),
    used("heartbeat-interval", Unsigned, "100", "Time (in milliseconds) of a heartbeat interval."),
    used("election-timeout", Unsigned, "1000", "Time (in milliseconds) for an election to timeout."),
    moot(
        "initial-election-tick-advance",
        Bool,
        "true",
        "a member's first election time-out is like any other",
    ),
    used("listen-peer-urls", Urls, "http://localhost:2380", "URL to listen on for peer traffic."),
    used(
        "listen-client-urls",
        Urls,
        "http://localhost:2379",
        "List of URLs to listen on for client traffic.",
    ),
    moot("max-snapshots", Unsigned, "5", NO_COUNT),
    moot("max-wals", Unsigned, "5", NO_COUNT),
    used(
        "quota-backend-bytes",
        Signed,
        "0",
        "Bytes that keys and values may take, with 256 bytes a version. 0: 2 GiB; negative: no limit.",
    ),
    moot("backend-bbolt-freelist-type", Text, "map", NO_BBOLT),
    moot("backend-batch-interval", Duration, "0s", NO_BBOLT),
    moot("backend-batch-limit", Signed, "0", NO_BBOLT),
    used("max-txn-ops", Unsigned, "128", "Maximum number of operations permitted in a transaction."),
    used(
        "max-request-bytes",
        Unsigned,
        "1572864",
        "Maximum client request size in bytes the server will accept (60 MiB at most).",
    ),
    used(
        "listen-metrics-urls",
        Urls,
        "",
        "List of URLs to answer on with metrics and health alone; --listen-client-urls answer them, too.",
    ),
    used(
        "metrics",
        OneOf(&["basic", "extensive"]),
        "basic",
        "Level of detail of /metrics: 'extensive' has a histogram of how long each call takes.",
    ),
    used(
        "max-concurrent-streams",
        Unsigned,
        "4294967295",
        "Maximum concurrent streams that each client can open at a time (0 for no limit).",
    ),
    used(
        "grpc-keepalive-interval",
        Duration,
        "2h",
        "How long a connection may be silent before it is pinged (0 to disable).",
    ),
    used(
        "grpc-keepalive-timeout",
        Duration,
        "20s",
        "How long the answer to a ping may take before the connection is cut (0 to disable).",
    ),
    moot("grpc-keepalive-min-time", Duration, "5s", "no client is sent away for pinging too often"),
    moot("socket-reuse-address", Bool, "false", "addresses are always reused while in TIME_WAIT"),
    moot("raft-read-timeout", Duration, "5s", OWN_LIMITS),
    moot("raft-write-timeout", Duration, "5s", OWN_LIMITS),
    used(
        "initial-advertise-peer-urls",
        Urls,
        "http://localhost:2380",
        "This member's peer URL to advertise to the rest of the cluster.",
    ),
    used(
        "initial-cluster",
        Text,
        "default=http://localhost:2380",
        "Initial cluster configuration for bootstrapping.",
    ),
    used(
        "initial-cluster-state",
        OneOf(&["new", "existing"]),
        "new",
        "Initial cluster state; ignored once there is data.",
    ),
    used(
        "initial-cluster-token",
        Text,
        "etcd-cluster",
        "Initial cluster token: members of clusters with others refuse each other.",
    ),
    used(
        "advertise-client-urls",
        Urls,
        "http://localhost:2379",
        "List of this member's client URLs to advertise to the public.",
    ),
    moot("discovery-fallback", OneOf(&["exit", "proxy"]), "proxy", NO_DISCOVERY),
    moot("discovery-proxy", Text, "", NO_DISCOVERY),
    moot("discovery-srv-name", Text, "", NO_DISCOVERY),
    moot("strict-reconfig-check", Bool, "true", "members cannot be added or removed yet"),
    used(
        "auto-compaction-retention",
        Text,
        "0",
        "Auto compaction retention length. 0 means disable auto compaction.",
    ),
    used(
        "auto-compaction-mode",
        Text,
        "periodic",
        "Interpret 'auto-compaction-retention' one of: periodic (hours, or a duration), revision (a number of them).",
    ),
    moot(
        "v2-deprecation",
        OneOf(&["not-yet", "write-only", "write-only-drop-data", "gone"]),
        "not-yet",
        "there is no v2 store",
    ),
    moot("self-signed-cert-validity", Unsigned, "1", NO_TLS),
    moot("cipher-suites", Text, "", NO_TLS),
    moot("tls-min-version", Text, "TLS1.2", NO_TLS),
    moot("tls-max-version", Text, "", NO_TLS),
    moot("bcrypt-cost", Unsigned, "10", NO_USERS),
    moot("auth-token-ttl", Unsigned, "300", NO_USERS),
    moot("logger", OneOf(&["zap"]), "zap", "the log is always in zap's form"),
    used(
        "log-outputs",
        Text,
        "default",
        "Where to log: 'stderr' ('default'), 'stdout' or files, with commas between them.",
    ),
    used(
        "log-level",
        Text,
        "info",
        "Configures log level. Only supports debug, info, warn, error, panic, or fatal.",
    ),
    moot(
        "log-rotation-config-json",
        Text,
        r#"{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}"#,
        "log files are not rotated, which alone it is about",
    ),
    moot("experimental-distributed-tracing-address", Text, "localhost:4317", NO_TRACING),
    moot("experimental-distributed-tracing-service-name", Text, "etcd", NO_TRACING),
    moot("experimental-distributed-tracing-instance-id", Text, "", NO_TRACING),
    moot("experimental-distributed-tracing-sampling-rate", Signed, "0", NO_TRACING),
    moot("proxy-failure-wait", Unsigned, "5000", NO_PROXY),
    moot("proxy-refresh-interval", Unsigned, "30000", NO_PROXY),
    moot("proxy-dial-timeout", Unsigned, "1000", NO_PROXY),
    moot("proxy-write-timeout", Unsigned, "5000", NO_PROXY),
    moot("proxy-read-timeout", Unsigned, "0", NO_PROXY),
    moot("experimental-initial-corrupt-check", Bool, "false", HASHES),
    moot("experimental-corrupt-check-time", Duration, "0s", HASHES),
    moot("experimental-compact-hash-check-enabled", Bool, "false", HASHES),
    moot("experimental-compact-hash-check-time", Duration, "1m", HASHES),
    moot("experimental-enable-lease-checkpoint", Bool, "false", CHECKPOINTS),
    moot("experimental-enable-lease-checkpoint-persist", Bool, "false", CHECKPOINTS),
    moot(
        "experimental-compaction-batch-limit",
        Signed,
        "1000",
        "a compaction is at once for readers, and frees memory in small steps",
    ),
    moot(
        "experimental-compaction-sleep-interval",
        Duration,
        "10ms",
        "a compaction is at once for readers, and frees memory in small steps",
    ),
    used(
        "experimental-watch-progress-notify-interval",
        Duration,
        "10m",
        "Duration of periodical watch progress notification.",
    ),
    moot("experimental-downgrade-check-time", Duration, "5s", "the cluster version does not change"),
    moot("experimental-txn-mode-write-with-shared-buffer", Bool, "true", NO_BBOLT),
    moot("experimental-bootstrap-defrag-threshold-megabytes", Unsigned, "0", NO_BBOLT),
    moot("experimental-stop-grpc-service-on-defrag", Bool, "false", NO_BBOLT),
    moot(
        "experimental-snapshot-catchup-entries",
        Unsigned,
        "5000",
        "entries are kept for members that are behind by bytes, not by number",
    ),
    used(
        "config-file",
        Text,
        "",
        "Path to a file with all settings, in YAML; other flags and variables are ignored then.",
    ),
    used("version", Bool, "false", "Print the version and exit."),
];
