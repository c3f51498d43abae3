//! What etcd 3.5.30 was seen to answer (`../golden/golden_*`), asked again of ours.

use std::net::SocketAddr;

use kvorum::Node;
use kvorum_gateway::Options;

use crate::common::Gate;
use crate::http::post;
use crate::plain::{plain, without_numbers};

const FIXED: &str = "{\"code\":12,\"message\":\"kvorum's members are fixed when the cluster begins: none can be added, removed or changed\"}";
const NO_USERS: &str = "{\"code\":12,\"message\":\"kvorum has no users, roles and permissions yet\"}";
const NO_CHANGES: &str = "members cannot be changed yet";
const NO_AUTH: &str = "there are no users yet";

/// Where ours is another answer, on purpose: the request, our answer, and why.
const DIFFERENT: &[(&str, u16, &str, &str)] = &[
    ("member add bad url", 501, FIXED, NO_CHANGES),
    ("member add none", 501, FIXED, NO_CHANGES),
    ("member add dup url", 501, FIXED, NO_CHANGES),
    ("member remove missing", 501, FIXED, NO_CHANGES),
    ("member remove self", 501, FIXED, NO_CHANGES),
    ("member promote missing", 501, FIXED, NO_CHANGES),
    (
        "member list",
        200,
        "{\"header\":{\"cluster_id\":\"_\",\"member_id\":\"_\",\"raft_term\":\"_\"},\"members\":[{\"ID\":\"_\",\"name\":\"default\"}]}",
        "the member that etcd added above was not added",
    ),
    (
        "lease leases",
        200,
        "{\"header\":{\"cluster_id\":\"_\",\"member_id\":\"_\",\"revision\":\"6\",\"raft_term\":\"_\"},\"leases\":[{\"ID\":\"-7\"},{\"ID\":\"_\"},{\"ID\":\"_\"}]}",
        "by number, and not by when they end, which only the leader knows",
    ),
    (
        "alarm get",
        200,
        "{\"header\":{\"cluster_id\":\"_\",\"member_id\":\"_\",\"revision\":\"6\",\"raft_term\":\"_\"}}",
        "etcd hung: it waited for the member that had just been added and was not there",
    ),
    ("auth enable no root", 501, NO_USERS, NO_AUTH),
    ("user add empty", 501, NO_USERS, NO_AUTH),
    ("user get missing", 501, NO_USERS, NO_AUTH),
    ("role add empty", 501, NO_USERS, NO_AUTH),
    ("role get missing", 501, NO_USERS, NO_AUTH),
    ("role grant perm nil", 501, NO_USERS, NO_AUTH),
];

/// `@{text*count}` stands for a text so many times.
fn expanded(body: &str) -> String {
    let Some((before, rest)) = body.split_once("@{") else { return body.into() };
    let (repeated, after) = rest.split_once('}').unwrap();
    let (text, count) = repeated.split_once('*').unwrap();
    format!("{before}{}{after}", text.repeat(count.parse().unwrap()))
}

/// An answer, without what differs in this one from run to run.
fn masked(name: &str, body: &str) -> String {
    let body = plain(body);
    match name {
        // Indexes and sizes are not etcd's.
        "status" => without_numbers(&body, "\":\"", 1).replace("3.5.30", "_").replace("_.5.30", "_"),
        // A hash over a file.
        "hash" => body.split(",\"hash\":").next().unwrap_or_default().into(),
        // The key ends with a lease's number.
        "lock no name" => body.split("\"key\":\"Lz").next().unwrap_or_default().into(),
        _ => body,
    }
}

async fn replay(address: SocketAddr, requests: &str, golden: &str) {
    let mut wrong = String::new();
    assert_eq!(requests.lines().count(), golden.lines().count());
    for (request, golden) in requests.lines().zip(golden.lines()) {
        let (name, request) = request.rsplit_once(" | /").unwrap();
        let (path, body) = request.split_once(" | ").unwrap();
        let (etcds_name, etcds) = golden.rsplit_once(" | {").unwrap_or((golden, ""));
        assert!(etcds_name.trim_end().starts_with(name), "{name}: {golden}");
        let (status, body) = post(address, &format!("/{path}"), &expanded(body)).await;
        let ours = masked(name, &body);
        let different = DIFFERENT.iter().find(|(different, ..)| *different == name);
        let is_right = match different {
            Some((_, code, body, _)) => status == *code && ours == *body,
            None => {
                let etcds = masked(name, &format!("{{{etcds}"));
                // The record is cut off behind so many characters.
                etcds_name.ends_with(&status.to_string()) && ours.starts_with(&etcds)
            }
        };
        if !is_right {
            wrong += &format!("  etcd: {golden}\n  said: {name} | {status} | {ours}\n\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A member with a number like etcd's: some requests name member 1, which must not be there.
async fn one() -> Gate {
    Gate::new(Node::builder().id(2_443_223_534_309_961_547).start().unwrap(), Options::default()).await
}

#[tokio::test]
async fn keys_and_leases() {
    let gate = one().await;
    let golden = include_str!("../golden/golden_kv.etcd-3.5.30.txt");
    replay(gate.server.local_addresses()[0], include_str!("../golden/requests_kv.txt"), golden).await;
}

#[tokio::test]
async fn alarms_locks_elections_and_bad_json() {
    let gate = one().await;
    let golden = include_str!("../golden/golden_lease_maintenance.etcd-3.5.30.txt");
    let requests = include_str!("../golden/requests_lease_maintenance.txt");
    replay(gate.server.local_addresses()[0], requests, golden).await;
}
