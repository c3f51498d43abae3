//! Odd and ordinary requests, and what a real etcd says to them, down to codes and words.
//!
//! The conversations (`kv.rs` and its neighbours) are held with whoever listens. `etcd-3.5.30.txt` is what etcd 3.5.30
//! said; our gateway is held against it, and so is a real etcd, where there is one: `KVORUM_ETCD` names the folder with
//! the binary; else it is looked for where it was fetched to before, and on the PATH. Set `KVORUM_RECORD` to write the
//! file anew.

#[path = "../common/mod.rs"]
mod common;
mod crashes;
mod etcd;
mod kv;
mod lease;
mod lock;
mod maintenance;
#[path = "../common/ports.rs"]
mod ports;
mod raw;
mod talk;

use talk::Talk;

const RECORDED: &str = include_str!("etcd-3.5.30.txt");

/// Where we say something else than etcd, on purpose: etcd's line, ours, and why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "alarm: a transaction that could put | ResourceExhausted: etcdserver: mvcc: database space exceeded",
        "alarm: a transaction that could put | TxnResponse { header: Some(ResponseHeader { cluster_id: _, member_id: _, \
         revision: 37, raft_term: _ }), succeeded: true, responses: [] }",
        "the core looks at the branch that is taken: a transaction that puts nothing needs no space",
    ),
    (
        "downgrade: 0 to \"3.4\" | DowngradeResponse { header: Some(ResponseHeader { cluster_id: _, member_id: _, \
         revision: 38, raft_term: _ }), version: \"3.5.0\" }",
        "downgrade: 0 to \"3.4\" | Unimplemented: kvorum's members have no older version to go back to",
        "what could not be done must not be found possible",
    ),
];

async fn converse(channel: tonic::transport::Channel) -> Vec<String> {
    let mut talk = Talk::new(channel);
    kv::talk(&mut talk).await;
    lease::talk(&mut talk).await;
    lock::talk(&mut talk).await;
    maintenance::talk(&mut talk).await;
    raw::talk(&mut talk).await;
    talk.into_lines()
}

#[tokio::test]
async fn odd_requests_get_etcds_answers() {
    let gate = common::one().await;
    let mut expected: Vec<String> = RECORDED.lines().map(Into::into).collect();
    for (etcds, ours, why) in DIFFERENT {
        let line = expected.iter_mut().find(|line| line == etcds);
        *line.unwrap_or_else(|| panic!("etcd does not say this any more ({why}): {etcds}")) = (*ours).into();
    }
    common::compare(&expected, &converse(gate.channel.clone()).await);
}

#[tokio::test]
async fn a_real_etcd_still_says_what_was_recorded() {
    let etcd = match etcd::start().await {
        Ok(etcd) => etcd,
        Err(why) => return println!("skipped: {why}"),
    };
    let lines = converse(etcd.channel.clone()).await;
    if std::env::var_os("KVORUM_RECORD").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/odd/etcd-3.5.30.txt");
        return std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
    common::compare(&RECORDED.lines().map(Into::into).collect::<Vec<String>>(), &lines);
}
