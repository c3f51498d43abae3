//! What clients get from servers as processes: over gRPC, across restarts, kills and hand-overs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kvorum_gateway::pb::etcdserverpb as pb;
use pb::cluster_client::ClusterClient;
use pb::kv_client::KvClient;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::members::Three;
use crate::process::{READY, Scratch, Server, alone, client_url, field};

/// A client that is used from a test's own thread.
pub(crate) struct Client {
    runtime: Runtime,
    channel: Channel,
}

impl Client {
    pub(crate) fn of<S: AsRef<str>>(flags: &[S]) -> Client {
        // With a thread of its own: a client that does not listen when the server says good-bye is waited for.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let endpoint = Endpoint::from_shared(client_url(flags)).unwrap().timeout(Duration::from_secs(30));
        // As soon as there is something to say, and again after a restart.
        let channel = runtime.block_on(async { endpoint.connect_lazy() });
        Client { runtime, channel }
    }

    pub(crate) fn put(&self, key: &str, value: &str) -> Result<pb::ResponseHeader, Status> {
        let request = pb::PutRequest {
            key: key.to_string().into(),
            value: value.to_string().into(),
            ..Default::default()
        };
        let answer = self.runtime.block_on(KvClient::new(self.channel.clone()).put(request))?;
        Ok(answer.into_inner().header.unwrap())
    }

    /// All pairs.
    fn all(&self) -> Vec<(String, String)> {
        let request = pb::RangeRequest { key: "\0".into(), range_end: "\0".into(), ..Default::default() };
        let answer = self.runtime.block_on(KvClient::new(self.channel.clone()).range(request)).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        answer.into_inner().kvs.iter().map(|kv| (text(&kv.key), text(&kv.value))).collect()
    }

    fn members(&self) -> pb::MemberListResponse {
        let request = pb::MemberListRequest { linearizable: true };
        self.runtime
            .block_on(ClusterClient::new(self.channel.clone()).member_list(request))
            .unwrap()
            .into_inner()
    }
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.into(), value.into())
}

#[test]
fn what_was_acknowledged_survives_a_restart_and_a_kill() {
    let scratch = Scratch::new();
    let flags = alone(&scratch);
    let mut server = Server::start(&flags);
    let published = server.until("published local member to cluster through raft");
    server.until(READY);
    let client = Client::of(&flags);
    let header = client.put("a", "1").unwrap();
    assert_eq!(header.revision, 2);
    assert_eq!(format!("{:x}", header.member_id), field(&published, "local-member-id"));
    assert_eq!(format!("{:x}", header.cluster_id), field(&published, "cluster-id"));
    server.stop();
    let server = Server::ready(&flags);
    let client = Client::of(&flags);
    assert_eq!(client.put("b", "2").unwrap().revision, 3);
    server.kill();
    let server = Server::ready(&flags);
    let client = Client::of(&flags);
    assert_eq!(client.all(), [pair("a", "1"), pair("b", "2")]);
    assert_eq!(client.put("c", "3").unwrap().revision, 4);
    server.stop();
}

#[test]
fn three_servers_are_one_store_and_name_each_other() {
    let three = Three::start(&[]);
    let clients: Vec<Client> = three.flags.iter().map(|flags| Client::of(flags)).collect();
    for (at, client) in clients.iter().enumerate() {
        client.put(&format!("key-{at}"), "v").unwrap();
        let next = &clients[(at + 1) % 3];
        assert!(next.all().contains(&pair(&format!("key-{at}"), "v")), "every write is seen everywhere");
    }
    let list = clients[0].members().members;
    let names: BTreeSet<&str> = list.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["a", "b", "c"]));
    // All have published by now: each serves clients only then.
    for (name, flags) in ["a", "b", "c"].into_iter().zip(&three.flags) {
        let member = list.iter().find(|member| member.name == name).unwrap();
        assert_eq!(member.client_ur_ls, [client_url(flags)], "whoever is asked");
    }
    assert!(list.iter().all(|member| member.peer_ur_ls.len() == 1));
    three.servers.into_iter().for_each(Server::stop);
}

#[test]
fn no_write_through_the_others_fails_when_the_leader_is_asked_to_end() {
    let mut three = Three::start(&[]);
    let leads = three.leader();
    let other = Client::of(&three.flags[(leads + 1) % 3]);
    let mut leader = three.servers.remove(leads);
    other.put("before", "").unwrap();
    leader.signal("TERM");
    let began = Instant::now();
    let mut writes = 0;
    while !leader.has_said("closed kvorum server") || writes < 100 {
        other.put(&format!("during-{writes}"), "").unwrap();
        writes += 1;
        assert!(began.elapsed() < Duration::from_secs(60));
    }
    assert_eq!(leader.wait().code(), Some(0));
    assert_eq!(other.all().len(), writes + 1);
    three.servers.into_iter().for_each(Server::stop);
}

#[test]
fn a_leader_that_ends_answers_what_it_had_taken_in() {
    let mut three = Three::start(&[]);
    let leads = three.leader();
    let (own, other) = (Client::of(&three.flags[leads]), Client::of(&three.flags[(leads + 1) % 3]));
    let leader = three.servers.remove(leads);
    let mut done = BTreeSet::new();
    let mut refused = None;
    for at in 0..100_000 {
        if at == 50 {
            leader.signal("TERM");
        }
        match own.put(&format!("key-{at}"), "") {
            Ok(_) => done.insert(format!("key-{at}")),
            Err(status) => {
                refused = Some(status);
                break;
            }
        };
    }
    let refused = refused.expect("a server that has ended takes nothing in");
    assert!(matches!(refused.code(), Code::Unavailable | Code::Unknown), "{refused:?}");
    let there: BTreeSet<String> = other.all().into_iter().map(|(key, _)| key).collect();
    assert!(done.is_subset(&there) && done.len() >= 50);
    drop(leader);
    three.servers.into_iter().for_each(Server::stop);
}

#[test]
fn limits_and_quota_are_what_the_flags_say() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    flags.extend(
        ["--max-txn-ops=1", "--max-request-bytes=2000", "--quota-backend-bytes=3000"].map(String::from),
    );
    let mut server = Server::ready(&flags);
    let client = Client::of(&flags);
    let long = client.put("k", &"v".repeat(2100)).unwrap_err();
    assert_eq!((long.code(), long.message()), (Code::InvalidArgument, "etcdserver: request is too large"));
    let get = |key: &str| pb::RequestOp {
        request: Some(pb::request_op::Request::RequestRange(pb::RangeRequest {
            key: key.to_string().into(),
            ..Default::default()
        })),
    };
    let request = pb::TxnRequest { success: vec![get("a"), get("b")], ..Default::default() };
    let many = client.runtime.block_on(KvClient::new(client.channel.clone()).txn(request)).unwrap_err();
    assert_eq!(many.message(), "etcdserver: too many operations in txn request");
    let full = (0..10).find_map(|at| client.put(&format!("k{at}"), &"v".repeat(1000)).err()).unwrap();
    assert_eq!(full.message(), "etcdserver: mvcc: database space exceeded");
    assert!(server.until("alarm raised").contains("NOSPACE"));
    server.stop();
}

/// Where etcd refuses the first already; `DIFFERENCES.md` has a row for it.
#[test]
fn a_quota_that_is_lower_than_what_is_there_refuses_the_second_write() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    let server = Server::ready(&flags);
    Client::of(&flags).put("k", &"v".repeat(5000)).unwrap();
    server.stop();
    flags.push("--quota-backend-bytes=3000".into());
    let server = Server::ready(&flags);
    let client = Client::of(&flags);
    client.put("k1", "v").unwrap();
    let full = client.put("k2", "v").unwrap_err();
    assert_eq!(full.message(), "etcdserver: mvcc: database space exceeded");
    server.stop();
}

#[test]
fn history_is_compacted_as_the_flags_say_and_the_log_says_so() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    flags.extend(["--auto-compaction-mode=revision", "--auto-compaction-retention=10"].map(String::from));
    let mut server = Server::ready(&flags);
    let client = Client::of(&flags);
    for at in 0..30 {
        client.put("k", &at.to_string()).unwrap();
    }
    assert!(server.until("finished scheduled compaction").contains("\"compact-revision\":"));
    server.stop();
}

#[test]
fn an_image_is_written_as_often_as_the_flags_say_and_the_log_says_so() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    // The least there is: after 1 MiB of log.
    flags.push("--snapshot-count=1".into());
    let mut server = Server::ready(&flags);
    let client = Client::of(&flags);
    for at in 0..12 {
        client.put(&format!("k{at}"), &"v".repeat(100_000)).unwrap();
    }
    assert!(server.until("saved snapshot").contains("\"snapshot-index\":"));
    server.stop();
    let server = Server::ready(&flags);
    assert_eq!(Client::of(&flags).all().len(), 12);
    server.stop();
}
