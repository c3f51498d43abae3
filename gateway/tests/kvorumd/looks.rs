//! What a server says to those who look at it: health, version and metrics, on its own port and on one for that alone.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::process::{Scratch, Server, alone, client_url, free_port};

/// What is answered at an URL.
fn get(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
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
