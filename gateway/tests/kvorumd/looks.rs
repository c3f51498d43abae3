//! What a server says to those who look at it: health, version and metrics, on its own port and on one for that alone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::process::{READY, Scratch, Server, alone, client_url, free_port, member};

/// Asks at an URL.
fn ask(url: &str, path: &str) -> TcpStream {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What is answered at an URL.
fn get(url: &str, path: &str) -> String {
    answer(ask(url, path))
}

#[test]
fn metrics_and_health_have_a_port_of_their_own_if_asked_for() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    let metrics = format!("http://127.0.0.1:{}", free_port());
    flags.extend([format!("--listen-metrics-urls={metrics}"), "--metrics=extensive".into()]);
    let server = Server::ready(&flags);
    for url in [&metrics, &client_url(&flags)] {
        let health = get(url, "/health");
        assert!(
            health.starts_with("HTTP/1.1 200") && health.ends_with("{\"health\":\"true\",\"reason\":\"\"}")
        );
        assert!(get(url, "/readyz").ends_with("\r\n\r\nok\n"));
        let page = get(url, "/metrics");
        assert!(page.contains("\netcd_server_has_leader 1\n"), "{page}");
        // The disk's times: it has written at least its identity and its first entry.
        let synced =
            page.lines().find_map(|line| line.strip_prefix("etcd_disk_wal_fsync_duration_seconds_count "));
        assert!(synced.unwrap().parse::<u64>().unwrap() > 0, "{page}");
    }
    assert!(get(&metrics, "/version").starts_with("HTTP/1.1 404"));
    assert!(
        get(&client_url(&flags), "/version")
            .contains("{\"etcdserver\":\"3.5.30\",\"etcdcluster\":\"3.5.0\"}")
    );
    server.stop();
}

#[test]
fn a_port_for_metrics_that_is_taken_is_refused() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    flags.push(format!("--listen-metrics-urls=http://{}", taken.local_addr().unwrap()));
    let output = crate::process::run(&flags);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("bind: address already in use"), "{said}");
    assert!(!scratch.path().join("alone").exists(), "nothing was begun");
}

/// As etcd does: whoever kills members that do not answer must not kill those that wait for each other.
#[test]
fn a_member_that_waits_for_a_majority_answers_those_who_look_at_it() {
    let scratch = Scratch::new();
    let peers = [("a", free_port()), ("b", free_port())];
    let [mut flags, others] =
        ["a", "b"].map(|name| member(name, &peers, free_port(), &scratch.path().join(name)));
    let metrics = format!("http://127.0.0.1:{}", free_port());
    flags.push(format!("--listen-metrics-urls={metrics}"));
    let mut server = Server::start(&flags);
    server.until("now serving peer/client/metrics");
    let early = ask(&client_url(&flags), "/health");
    server.ever("became candidate");
    assert!(get(&metrics, "/livez").ends_with("\r\n\r\nok\n"));
    let health = get(&metrics, "/health");
    assert!(health.starts_with("HTTP/1.1 503"), "{health}");
    assert!(health.ends_with("{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n"), "{health}");
    let page = get(&metrics, "/metrics");
    assert!(page.contains("\netcd_server_has_leader 0\n"), "{page}");
    // A client waits, and is served when there is a majority.
    early.set_nonblocking(true).unwrap();
    assert!(early.peek(&mut [0]).is_err(), "it is answered before there is a majority");
    early.set_nonblocking(false).unwrap();
    let other = Server::ready(&others);
    assert!(answer(early).starts_with("HTTP/1.1 200"));
    server.until(READY);
    assert!(get(&metrics, "/health").starts_with("HTTP/1.1 200"));
    other.stop();
    server.stop();
}
