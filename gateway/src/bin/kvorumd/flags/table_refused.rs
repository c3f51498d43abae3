//! etcd's flags that are refused unless they ask for what is so anyway, each with its reason.

use super::Kind::{Bool, Duration, OneOf, Text, Urls};
use super::{Flag, Kind, Stand};

const fn refused(name: &'static str, kind: Kind, default: &'static str, why: &'static str) -> Flag {
    Flag::new(name, kind, default, Stand::Refused(why))
}

const NO_TLS: &str =
    "TLS is not there yet: put a proxy that speaks it in front, or stay on a private network";
const NO_PEER_TLS: &str = "TLS between members is not there yet: keep the peer port on a private network";
const NO_DISCOVERY: &str = "there is no discovery: name all members with --initial-cluster";
const ONE_PORT: &str = "gRPC, JSON and health share --listen-client-urls";
const NO_V2: &str = "the v2 API is not there, as in etcd 3.6";

pub(super) const FLAGS: &[Flag] = &[
    refused("wal-dir", Text, "", "the log and the images lie in one directory"),
    refused("listen-client-http-urls", Urls, "", ONE_PORT),
    refused("enable-grpc-gateway", Bool, "true", "the JSON gateway cannot be switched off"),
    refused("socket-reuse-port", Bool, "false", "a port belongs to one process"),
    refused("discovery", Text, "", NO_DISCOVERY),
    refused("discovery-srv", Text, "", NO_DISCOVERY),
    refused(
        "pre-vote",
        Bool,
        "true",
        "a member always asks whether it would win before it disturbs a leader",
    ),
    refused("enable-v2", Bool, "false", NO_V2),
    refused("cert-file", Text, "", NO_TLS),
    refused("key-file", Text, "", NO_TLS),
    refused("client-cert-auth", Bool, "false", NO_TLS),
    refused("client-cert-file", Text, "", NO_TLS),
    refused("client-key-file", Text, "", NO_TLS),
    refused("client-crl-file", Text, "", NO_TLS),
    refused("client-cert-allowed-hostname", Text, "", NO_TLS),
    refused("trusted-ca-file", Text, "", NO_TLS),
    refused("auto-tls", Bool, "false", NO_TLS),
    refused("peer-cert-file", Text, "", NO_PEER_TLS),
    refused("peer-key-file", Text, "", NO_PEER_TLS),
    refused("peer-client-cert-auth", Bool, "false", NO_PEER_TLS),
    refused("peer-trusted-ca-file", Text, "", NO_PEER_TLS),
    refused("peer-cert-allowed-cn", Text, "", NO_PEER_TLS),
    refused("peer-cert-allowed-hostname", Text, "", NO_PEER_TLS),
    refused("peer-auto-tls", Bool, "false", NO_PEER_TLS),
    refused("peer-client-cert-file", Text, "", NO_PEER_TLS),
    refused("peer-client-key-file", Text, "", NO_PEER_TLS),
    refused("peer-crl-file", Text, "", NO_PEER_TLS),
    refused("cors", Text, "*", "requests are taken from every origin: put a proxy in front to restrict them"),
    refused(
        "host-whitelist",
        Text,
        "*",
        "requests are taken for every host: put a proxy in front to restrict them",
    ),
    refused("auth-token", Text, "simple", "users and their tokens are not there yet"),
    refused("enable-pprof", Bool, "false", "there is no Go runtime to profile; use perf"),
    refused(
        "enable-log-rotation",
        Bool,
        "false",
        "leave the rotation of log files to logrotate or the journal",
    ),
    refused("experimental-enable-distributed-tracing", Bool, "false", "nothing is traced yet"),
    refused("proxy", OneOf(&["off", "readonly", "on"]), "off", "the v2 proxy is not there, as in etcd 3.6"),
    refused("experimental-enable-v2v3", Text, "", NO_V2),
    refused("experimental-peer-skip-client-san-verification", Bool, "false", NO_PEER_TLS),
    refused("experimental-memory-mlock", Bool, "false", "pages are not locked in memory"),
    refused(
        "experimental-warning-apply-duration",
        Duration,
        "100ms",
        "slow requests are not logged one by one",
    ),
    refused("force-new-cluster", Bool, "false", "a cluster cannot be begun anew from one member's data yet"),
    refused("unsafe-no-fsync", Bool, "false", "every write is synced before it is acknowledged"),
];
