//! One server: its first start, its next, what it says, and how it ends.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::process::{READY, Scratch, Server, alone, command, field, free_port};

#[test]
fn it_says_etcds_words_in_etcds_order_and_ends_in_peace() {
    let scratch = Scratch::new();
    let mut server = Server::start(&alone(&scratch));
    let settings = server.until("starting a kvorum server");
    assert!(
        settings.contains("\"election-timeout\":\"1s\"")
            && settings.contains("\"quota-backend-bytes\":2147483648")
    );
    let published = server.until("published local member to cluster through raft");
    assert!(published.starts_with("{\"level\":\"info\",\"ts\":\"2"), "{published}");
    let id = field(&published, "local-member-id");
    assert!(u64::from_str_radix(&id, 16).is_ok_and(|id| id > 0), "{id}");
    server.until("enabled capabilities for version");
    server.until(READY);
    server.signal("TERM");
    server.until("received signal; shutting down");
    server.until("skipped leadership transfer for single voting member cluster");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_later_start_needs_no_initial_flags_and_ignores_others() {
    let scratch = Scratch::new();
    let flags = alone(&scratch);
    let mut first = Server::start(&flags);
    let began = first.until("starting local member");
    first.until(READY);
    first.stop();
    let later: Vec<String> = flags
        .iter()
        .filter(|flag| !flag.contains("initial"))
        .cloned()
        .chain(["--initial-cluster=x=http://127.0.0.1:9".into()])
        .chain(["--initial-advertise-peer-urls=http://127.0.0.1:9".into()])
        .collect();
    let mut second = Server::start(&later);
    // What counts instead is said, and where it stands.
    let peer_url = flags.iter().find_map(|flag| flag.strip_prefix("--initial-advertise-peer-urls=")).unwrap();
    let file = scratch.path().join("alone/member/cluster").display().to_string();
    for flag in ["initial-cluster", "initial-advertise-peer-urls"] {
        let ignored = second.until(&format!("ignored --{flag},"));
        assert!(ignored.contains(&format!("\"members\":[\"alone={peer_url}\"]")), "{ignored}");
        assert_eq!(field(&ignored, "file"), file);
    }
    let went_on = second.until("restarting local member");
    for id in ["local-member-id", "cluster-id"] {
        assert_eq!(field(&began, id), field(&went_on, id));
    }
    let serving = second.until("now serving peer/client/metrics");
    assert!(serving.contains(&format!("\"initial-advertise-peer-urls\":[\"{peer_url}\"]")), "{serving}");
    second.until(READY);
    second.signal("INT");
    assert_eq!(second.wait().code(), Some(0));
}

#[test]
fn the_environment_stands_in_for_flags() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    let data_dir = scratch.path().join("elsewhere");
    flags.retain(|flag| !flag.starts_with("--data-dir"));
    let mut start = command(&flags);
    start.env("ETCD_DATA_DIR", &data_dir).env("ETCD_NAME", "shadow").env("ETCD_NO_SUCH", "1");
    start.env("ETCD_INITIAL_CLUSTER_TOKEN", "");
    let mut server = Server::of(&mut start);
    server.until(READY);
    assert!(data_dir.join("member/cluster").exists());
    assert!(server.has_said("\"variable-name\":\"ETCD_DATA_DIR\""));
    assert!(server.has_said("\"environment-variable\":\"ETCD_NAME\""), "a flag goes before its variable");
    assert!(server.has_said("\"environment-variable\":\"ETCD_NO_SUCH=1\""));
    assert!(server.has_said("\"environment-variable\":\"ETCD_INITIAL_CLUSTER_TOKEN=\""), "it sets nothing");
    assert!(server.has_said("\"initial-cluster-token\":\"etcd-cluster\""));
    server.stop();
}

#[test]
fn a_configuration_file_takes_the_place_of_flags_and_environment() {
    let scratch = Scratch::new();
    let lines: Vec<String> = alone(&scratch).iter().map(|flag| flag[2..].replacen('=', ": ", 1)).collect();
    let path = scratch.path().join("kvorumd.yaml");
    fs::write(&path, lines.join("\n")).unwrap();
    let mut start = command(&["--config-file", path.to_str().unwrap(), "--name=flag", "--cert-file=c"]);
    let mut server = Server::of(start.env("ETCD_NAME", "variable"));
    server.until("loaded server configuration");
    assert_eq!(field(&server.until("starting a kvorum server"), "name"), "alone");
    server.until(READY);
    server.stop();
}

#[test]
fn a_flag_that_changes_nothing_is_taken_and_said() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    flags.extend(["--max-wals=7", "--enable-v2=false", "-logger", "zap"].map(String::from));
    let mut server = Server::start(&flags);
    assert!(server.until("flag changes nothing").contains("max-wals"));
    server.until(READY);
    // Whoever asks for the default asks for nothing.
    assert!(!server.has_said("\"flag\":\"enable-v2\"") && !server.has_said("\"flag\":\"logger\""));
    server.stop();
}

#[test]
fn the_log_goes_where_and_how_it_is_told() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    let file = scratch.path().join("log");
    flags.extend([format!("--log-outputs=stderr,{}", file.display()), "--log-format=console".into()]);
    let mut server = Server::start(&flags);
    let line = server.until(READY);
    assert!(line.contains("\tinfo\t"), "{line}");
    server.stop();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(&line) && text.contains("closed kvorum server"));
}

/// As logrotate does it: the file is moved away, and then the server is told.
#[test]
fn a_hangup_opens_the_logs_files_anew_and_ends_nothing() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    let (file, moved) = (scratch.path().join("log"), scratch.path().join("log.1"));
    flags.push(format!("--log-outputs=stderr,{}", file.display()));
    let mut server = Server::ready(&flags);
    fs::rename(&file, &moved).unwrap();
    server.signal("HUP");
    let anew = server.until("received hangup; opened the log's files anew");
    assert!(anew.contains(&format!("\"files\":[\"{}\"]", file.display())), "{anew}");
    // One that cannot be opened is written to as before.
    fs::rename(&file, scratch.path().join("log.2")).unwrap();
    fs::create_dir(&file).unwrap();
    server.signal("HUP");
    let failed = server.until("went on with a log file as it was");
    assert!(failed.contains("opening the log"), "{failed}");
    server.stop();
    let [first, second] = [moved, scratch.path().join("log.2")].map(|path| fs::read_to_string(path).unwrap());
    assert!(first.contains(READY) && !first.contains("hangup"), "{first}");
    assert!(second.starts_with(&anew) && second.contains("closed kvorum server"), "{second}");
}

#[test]
fn systemd_is_told_when_clients_are_served() {
    let scratch = Scratch::new();
    let path = scratch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut start = command(&alone(&scratch));
    let mut server = Server::of(start.env("NOTIFY_SOCKET", &path));
    let mut said = [0; 64];
    let length = socket.recv(&mut said).unwrap();
    assert_eq!(&said[..length], b"READY=1");
    assert!(server.until("successfully notified init daemon").contains("info"));
    assert!(server.has_said(READY));
    server.stop();
}

#[test]
fn a_server_without_a_majority_waits_and_can_be_ended() {
    let scratch = Scratch::new();
    let peers = [("a", free_port()), ("b", free_port())];
    let mut server = Server::start(&crate::process::member("a", &peers, free_port(), scratch.path()));
    server.until("now serving peer/client/metrics");
    server.until("became candidate");
    assert!(!server.has_said(READY));
    server.stop();
}
