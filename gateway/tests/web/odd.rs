//! Odd requests over plain HTTP, and what etcd 3.5.30 says to them. `KVORUM_RECORD` writes its answers anew.

use std::net::SocketAddr;

use crate::common::{compare, one};
use crate::etcd;
use crate::http::ask;
use crate::plain::plain;

const REQUESTS: &str = include_str!("../golden/requests_http.txt");
const RECORDED: &str = include_str!("../golden/golden_http.etcd-3.5.30.txt");

/// The headers that are compared.
const HEADERS: [&str; 6] = [
    "content-type",
    "grpc-metadata-content-type",
    "access-control-allow-origin",
    "allow",
    "location",
    "x-content-type-options",
];

/// Where ours is another answer: etcd's, ours, and why.
const DIFFERENT: &[(&str, &str, &str)] = &[];

async fn converse(address: SocketAddr) -> Vec<String> {
    let mut lines = Vec::new();
    for request in REQUESTS.lines() {
        let parts: Vec<&str> = request.splitn(4, " |").collect();
        let [name, line, headers, body] = parts[..] else { panic!("{request}") };
        let headers: Vec<(&str, &str)> = headers.trim().split_once(": ").into_iter().collect();
        let body = body.strip_prefix(' ').unwrap_or(body).replace("\\n", "\n");
        let answer = ask(address, line.trim(), &headers, &body).await;
        let shown = HEADERS.iter().filter_map(|name| Some(format!("{name}: {}", answer.header(name)?)));
        let shown: Vec<String> = shown.collect();
        let said = plain(&answer.body).replace('\n', "\\n");
        lines.push(format!("{name} | {} | {} | {said}", answer.status, shown.join("; ")));
    }
    lines
}

fn recorded() -> Vec<String> {
    RECORDED.lines().map(Into::into).collect()
}

#[tokio::test]
async fn odd_requests_get_etcds_answers() {
    let gate = one().await;
    let mut expected = recorded();
    for (etcds, ours, why) in DIFFERENT {
        let line = expected.iter_mut().find(|line| line == etcds);
        *line.unwrap_or_else(|| panic!("etcd does not say this any more ({why}): {etcds}")) = (*ours).into();
    }
    compare(&expected, &converse(gate.server.local_addresses()[0]).await);
}

#[tokio::test]
async fn a_real_etcd_still_says_what_was_recorded() {
    let etcd = match etcd::start().await {
        Ok(etcd) => etcd,
        Err(why) => return println!("skipped: {why}"),
    };
    let lines = converse(etcd.address).await;
    if std::env::var_os("KVORUM_RECORD").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/golden_http.etcd-3.5.30.txt");
        return std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
    compare(&recorded(), &lines);
}
