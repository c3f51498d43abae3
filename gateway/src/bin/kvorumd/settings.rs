//! What the server is told, checked, in the order and with the words of etcd.
//!
//! What it will never know: what lies in the data directory. See [`crate::cluster`] for the members.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kvorum::{AutoCompaction, MAX_REQUEST_BYTES};

use crate::compaction;
use crate::flags::{Given, find};
use crate::log::{Format, Level, Options};
use crate::urls::{Scheme, Url};

/// What the server is told.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) listen_client: Vec<Url>,
    pub(crate) advertise_client: Vec<Url>,
    pub(crate) listen_metrics: Vec<Url>,
    pub(crate) has_extensive_metrics: bool,
    pub(crate) listen_peer: Url,
    pub(crate) advertise_peer: Vec<Url>,
    pub(crate) initial_cluster: String,
    /// Whether the members were named, and not left to the default.
    pub(crate) names_members: bool,
    /// Whether `--initial-advertise-peer-urls` was given.
    pub(crate) names_peer_urls: bool,
    pub(crate) is_new: bool,
    pub(crate) token: String,
    pub(crate) heartbeat: Duration,
    pub(crate) election: Duration,
    pub(crate) snapshot_count: u64,
    /// As given: 0 stands for the default, less for none.
    pub(crate) quota: i64,
    pub(crate) max_txn_ops: usize,
    pub(crate) max_request_bytes: usize,
    pub(crate) compaction_mode: String,
    pub(crate) compaction: AutoCompaction,
    pub(crate) strict: bool,
    pub(crate) progress_interval: Duration,
    pub(crate) max_streams: u32,
    /// How long a connection may be silent before it is pinged, and how long the answer may take; zero: for ever.
    pub(crate) pings: (Duration, Duration),
}

/// etcd's quota where none is given.
pub(crate) const DEFAULT_QUOTA: u64 = 2 << 30;

/// etcd's number of entries between two snapshots, which stands for [`IMAGE_LOG_BYTES`] here.
const DEFAULT_SNAPSHOT_COUNT: u64 = 100_000;
const IMAGE_LOG_BYTES: u64 = 64 << 20;

/// As many as are asked for; 0 sets no limit, as in etcd.
fn streams(given: u64) -> u32 {
    match given {
        0 => u32::MAX,
        given => u32::try_from(given).unwrap_or(u32::MAX),
    }
}

/// The largest request that the format between members carries.
const LARGEST_REQUEST: u64 = MAX_REQUEST_BYTES as u64;

impl Settings {
    /// The settings that these values make.
    pub(crate) fn of(given: &Given) -> Result<Settings, String> {
        let name = given.text("name");
        let advertise_peer = given.urls("initial-advertise-peer-urls");
        let (initial_cluster, names_members) = initial_cluster(given, &name, &advertise_peer);
        let settings = Settings {
            data_dir: data_dir(given, &name),
            listen_peer: only(given, "listen-peer-urls")?,
            listen_client: given.urls("listen-client-urls"),
            advertise_client: given.urls("advertise-client-urls"),
            listen_metrics: given.urls("listen-metrics-urls"),
            has_extensive_metrics: given.text("metrics") == "extensive",
            initial_cluster,
            names_members,
            names_peer_urls: given.has("initial-advertise-peer-urls"),
            is_new: given.text("initial-cluster-state") == "new",
            token: given.text("initial-cluster-token"),
            heartbeat: Duration::from_millis(given.unsigned("heartbeat-interval")),
            election: Duration::from_millis(given.unsigned("election-timeout")),
            snapshot_count: given.unsigned("snapshot-count"),
            quota: given.signed("quota-backend-bytes"),
            max_txn_ops: usize::try_from(given.unsigned("max-txn-ops")).unwrap_or(usize::MAX),
            max_request_bytes: request_bytes(given.unsigned("max-request-bytes"))?,
            compaction_mode: given.text("auto-compaction-mode"),
            compaction: AutoCompaction::Off,
            strict: given.bool("strict"),
            progress_interval: given.duration("experimental-watch-progress-notify-interval"),
            max_streams: streams(given.unsigned("max-concurrent-streams")),
            pings: (given.duration("grpc-keepalive-interval"), given.duration("grpc-keepalive-timeout")),
            name,
            advertise_peer,
        };
        settings.check(given)
    }

    fn check(mut self, given: &Given) -> Result<Settings, String> {
        for url in [&self.listen_peer].into_iter().chain(&self.listen_client).chain(&self.listen_metrics) {
            url.bind_address()?;
        }
        is_host("initial-advertise-peer-urls", &self.advertise_peer)?;
        is_host("advertise-client-urls", &self.advertise_client)?;
        check_times(self.heartbeat, self.election)?;
        if given.has("listen-client-urls") && !given.has("advertise-client-urls") {
            return Err(
                "--advertise-client-urls is required when --listen-client-urls is set explicitly".into()
            );
        }
        self.compaction =
            compaction::policy(&self.compaction_mode, &given.text("auto-compaction-retention"))?;
        Ok(self)
    }

    /// Bytes that keys and values may take; 0: no limit.
    pub(crate) fn quota_bytes(&self) -> u64 {
        match self.quota {
            0 => DEFAULT_QUOTA,
            quota => u64::try_from(quota).unwrap_or(0),
        }
    }

    /// Log between two images. kvorum counts its bytes, because what a restart reads are bytes: etcd's default
    /// number of entries stands for kvorum's default number of bytes, and others are in proportion.
    pub(crate) fn image_log_bytes(&self) -> u64 {
        let count = if self.snapshot_count == 0 { DEFAULT_SNAPSHOT_COUNT } else { self.snapshot_count };
        let bytes = u128::from(IMAGE_LOG_BYTES) * u128::from(count) / u128::from(DEFAULT_SNAPSHOT_COUNT);
        u64::try_from(bytes).unwrap_or(u64::MAX).clamp(1 << 20, 64 << 30)
    }

    /// Where to listen for clients.
    pub(crate) fn client_addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.listen_client)
    }

    /// Where metrics and health alone are answered.
    pub(crate) fn metrics_addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.listen_metrics)
    }
}

fn addresses(urls: &[Url]) -> Vec<SocketAddr> {
    urls.iter().filter_map(|url| url.bind_address().ok()).collect()
}

/// What the log is told.
pub(crate) fn log_options(given: &Given) -> Result<Options, String> {
    let level = given.text("log-level");
    Ok(Options {
        level: Level::parse(&level).ok_or_else(|| format!("unrecognized level: {level:?}"))?,
        format: if given.text("log-format") == "json" { Format::Json } else { Format::Console },
        outputs: given.text("log-outputs").split(',').map(str::to_string).collect(),
    })
}

/// Why something that was given is not supported: a line for each.
pub(crate) fn refusals(given: &Given) -> Vec<String> {
    let mut found = Vec::new();
    for setting in given.all() {
        let name = setting.flag.name;
        if let Some(why) = setting.flag.refusal(&setting.text) {
            found.push(format!("--{name} is not supported by kvorumd: {why}"));
        }
        let is_address = name.starts_with("listen-") || name == "initial-advertise-peer-urls";
        let urls = if is_address { given.urls(name) } else { Vec::new() };
        for url in urls.iter().filter(|url| url.scheme != Scheme::Http) {
            found.push(format!("--{name} {url} is not supported by kvorumd: {}", unspoken(url.scheme)));
        }
    }
    found
}

/// Why this scheme is not served.
pub(crate) fn unspoken(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Http | Scheme::Https => "TLS is not there yet, only http:// is",
        Scheme::Unix | Scheme::Unixs => "socket files are not there yet, only http:// is",
    }
}

fn data_dir(given: &Given, name: &str) -> PathBuf {
    if given.has("data-dir") && !given.text("data-dir").is_empty() {
        return given.text("data-dir").into();
    }
    let default = find("data-dir").map_or("", |flag| flag.default);
    default.replace("${name}", name).into()
}

/// The members to begin with, and whether they were named. Whoever gives only a name begins alone under it. An empty one
/// is none, as in etcd: the member is then called `default`, and whoever looks for it under the empty name finds nobody.
fn initial_cluster(given: &Given, name: &str, advertised: &[Url]) -> (String, bool) {
    let named = given.text("initial-cluster");
    let default = find("initial-cluster").map_or("", |flag| flag.default);
    if named != default || name == "default" {
        return (named, given.has("initial-cluster"));
    }
    let name = if name.is_empty() { "default" } else { name };
    (advertised.iter().map(|url| format!("{name}={url}")).collect::<Vec<_>>().join(","), false)
}

fn only(given: &Given, name: &str) -> Result<Url, String> {
    match &given.urls(name)[..] {
        [url] => Ok(url.clone()),
        [] => Err(format!("--{name} must name a URL")),
        _ => Err(format!("--{name} names several URLs: kvorumd listens for members at one address")),
    }
}

fn is_host(flag: &str, urls: &[Url]) -> Result<(), String> {
    match urls.iter().find(|url| url.host.is_empty()) {
        Some(url) => Err(format!(
            "--{flag} {url:?} must be \"host:port\" (unexpected empty host ({url}))",
            url = url.to_string()
        )),
        None => Ok(()),
    }
}

fn check_times(heartbeat: Duration, election: Duration) -> Result<(), String> {
    let (beat, wait) = (heartbeat.as_millis(), election.as_millis());
    if beat == 0 {
        return Err(format!("--heartbeat-interval must be >0 (set to {beat}ms)"));
    }
    if wait == 0 {
        return Err(format!("--election-timeout must be >0 (set to {wait}ms)"));
    }
    if beat.saturating_mul(5) > wait {
        return Err(format!(
            "--election-timeout[{wait}ms] should be at least as 5 times as --heartbeat-interval[{beat}ms]"
        ));
    }
    if wait > 50_000 {
        return Err(format!("--election-timeout[{wait}ms] is too long, and should be set less than 50000ms"));
    }
    Ok(())
}

fn request_bytes(given: u64) -> Result<usize, String> {
    if given > LARGEST_REQUEST {
        return Err(format!(
            "--max-request-bytes is {given}, and may be {LARGEST_REQUEST} at most in kvorumd"
        ));
    }
    Ok(usize::try_from(given).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Cluster;
    use crate::flags::parse::parse;

    fn given(words: &[&str]) -> Given {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        parse(&words).unwrap().0
    }

    fn settings(words: &[&str]) -> Result<Settings, String> {
        Settings::of(&given(words))
    }

    #[test]
    fn with_nothing_said_it_is_what_etcd_is_but_for_the_directory() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.client_addresses(), ["127.0.0.1:2379".parse().unwrap()]);
        assert_eq!(settings.data_dir, PathBuf::from("default.kvorum"));
        assert_eq!(settings.initial_cluster, "default=http://localhost:2380");
        let times = (settings.heartbeat.as_millis(), settings.election.as_millis());
        assert_eq!(times, (100, 1000));
        assert_eq!((settings.quota_bytes(), settings.max_txn_ops), (2 << 30, 128));
        assert_eq!((settings.max_request_bytes, settings.compaction), (1536 * 1024, AutoCompaction::Off));
        assert_eq!(settings.image_log_bytes(), 64 << 20);
        assert!(refusals(&given(&[])).is_empty());
    }

    #[test]
    fn a_name_alone_names_the_directory_and_the_member() {
        let settings = settings(&["--name=n1"]).unwrap();
        assert_eq!(settings.data_dir, PathBuf::from("n1.kvorum"));
        assert_eq!(settings.initial_cluster, "n1=http://localhost:2380");
    }

    #[test]
    fn the_empty_name_is_no_members() {
        let nobody = settings(&["--name="]).unwrap();
        let reason = Cluster::begin(&nobody).unwrap_err();
        assert_eq!(reason, "couldn't find local name \"\" in the initial cluster configuration");
        // Unless it is one's, which etcd takes, too.
        let named = settings(&["--name=", "--initial-cluster==http://localhost:2380"]).unwrap();
        assert!(Cluster::begin(&named).is_ok());
    }

    #[test]
    fn what_contradicts_itself_gets_etcds_words() {
        for (words, reason) in [
            (&["--heartbeat-interval=0"][..], "--heartbeat-interval must be >0 (set to 0ms)"),
            (&["--election-timeout=0"], "--election-timeout must be >0 (set to 0ms)"),
            (
                &["--election-timeout=300"],
                "--election-timeout[300ms] should be at least as 5 times as --heartbeat-interval[100ms]",
            ),
            (
                &["--election-timeout=60000"],
                "--election-timeout[60000ms] is too long, and should be set less than 50000ms",
            ),
            (
                &["--listen-client-urls=http://127.0.0.1:1"],
                "--advertise-client-urls is required when --listen-client-urls is set explicitly",
            ),
            (
                &["--listen-client-urls=http://example.com:1", "--advertise-client-urls=http://h:1"],
                "expected IP in URL for binding (http://example.com:1)",
            ),
            (
                &["--initial-advertise-peer-urls=http://:1"],
                "--initial-advertise-peer-urls \"http://:1\" must be \"host:port\" (unexpected empty host \
                 (http://:1))",
            ),
            (&["--auto-compaction-mode=foo"], "unknown auto-compaction-mode \"foo\""),
        ] {
            assert_eq!(settings(words).unwrap_err(), reason);
        }
        let several = settings(&["--listen-peer-urls=http://127.0.0.1:1,http://127.0.0.1:2"]).unwrap_err();
        assert!(several.contains("--listen-peer-urls"), "{several}");
        assert!(settings(&["--max-request-bytes=62914561"]).unwrap_err().contains("62914560"));
    }

    #[test]
    fn the_quota_is_as_in_etcd_and_images_follow_the_snapshot_count() {
        assert_eq!(settings(&["--quota-backend-bytes=-1"]).unwrap().quota_bytes(), 0);
        assert_eq!(settings(&["--quota-backend-bytes=5"]).unwrap().quota_bytes(), 5);
        let cadence = |count: &str| settings(&["--snapshot-count", count]).unwrap().image_log_bytes();
        assert_eq!(cadence("0"), cadence("100000"));
        assert_eq!(cadence("50000") * 2, cadence("100000"));
        assert_eq!((cadence("1"), cadence("18446744073709551615")), (1 << 20, 64 << 30));
    }

    #[test]
    fn what_is_refused_is_named_with_its_reason() {
        let found = refusals(&given(&["--cert-file=x", "--proxy=on", "--enable-v2=false", "--key-file="]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("--cert-file is not supported by kvorumd: TLS is not there yet"));
        assert!(found[1].starts_with("--proxy is not supported by kvorumd"));
        let found = refusals(&given(&["--listen-client-urls=https://127.0.0.1:1,unix:///x"]));
        assert!(found[0].contains("https://127.0.0.1:1") && found[1].contains("unix:///x"), "{found:?}");
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        assert_eq!(log_options(&given(&["--log-level=foo"])).unwrap_err(), "unrecognized level: \"foo\"");
        assert!(log_options(&given(&["--log-level=panic", "--log-outputs=stderr,/tmp/x"])).is_ok());
    }
}
