//! Leases, locks, elections and what operators ask, over three members: any member takes any request.

mod common;

use std::time::Duration;

use common::{Gate, get, one, put, soon, three, until};
use futures_util::stream;
use kvorum::Node;
use kvorum_gateway::pb::etcdserverpb as pb;
use kvorum_gateway::pb::v3electionpb as election;
use kvorum_gateway::pb::v3lockpb::{LockRequest, UnlockRequest, lock_client::LockClient};
use kvorum_gateway::{Member, Options};
use pb::AlarmType;
use pb::alarm_request::AlarmAction;
use tonic::{Code, Status};

async fn grant(gate: &Gate, ttl: i64, id: i64) {
    let request = pb::LeaseGrantRequest { ttl, id };
    soon("a lease", gate.lease().lease_grant(request)).await.unwrap();
}

async fn exists(gate: &Gate, key: &str) -> bool {
    soon("a read", gate.kv().range(get(key))).await.unwrap().into_inner().count > 0
}

async fn until_there(gate: &Gate, key: &str) {
    soon(key, async { while !exists(gate, key).await {} }).await;
}

async fn until_gone(gate: &Gate, key: &str) {
    soon(key, async { while exists(gate, key).await {} }).await;
}

fn lock(gate: &Gate, name: &'static str, lease: i64) -> impl Future<Output = Result<String, Status>> + use<> {
    let mut locks = LockClient::new(gate.channel.clone());
    async move {
        let held = locks.lock(LockRequest { name: name.into(), lease }).await?.into_inner();
        Ok(String::from_utf8(held.key.to_vec()).unwrap())
    }
}

async fn unlock(gate: &Gate, key: &'static str) {
    let mut locks = LockClient::new(gate.channel.clone());
    soon("the release", locks.unlock(UnlockRequest { key: key.into() })).await.unwrap();
}

#[tokio::test]
async fn a_lease_is_renewed_on_any_member_and_ends_with_its_keys() {
    let gates = three().await;
    grant(&gates[0], 1, 7).await;
    soon("a put", gates[1].kv().put(pb::PutRequest { lease: 7, ..put("k", "") })).await.unwrap();
    for gate in &gates {
        let asked = stream::iter([pb::LeaseKeepAliveRequest { id: 7 }]);
        let mut renewed = gate.lease().lease_keep_alive(asked).await.unwrap().into_inner();
        let answer = soon("a renewal", renewed.message()).await.unwrap().unwrap();
        assert_eq!((answer.id, answer.ttl), (7, 1));
    }
    until_gone(&gates[2], "k").await;
    for gate in &gates {
        let asked = pb::LeaseTimeToLiveRequest { id: 7, keys: true };
        let left = soon("the time", gate.lease().lease_time_to_live(asked)).await.unwrap().into_inner();
        assert_eq!((left.ttl, left.granted_ttl, left.keys.len()), (-1, 0, 0));
    }
}

#[tokio::test]
async fn many_renewals_on_one_stream_are_answered_in_order() {
    let gates = three().await;
    let leases: Vec<i64> = (1..=50).collect();
    for &id in &leases {
        grant(&gates[0], 600, id).await;
    }
    let asked = (0..3000).map(|at| leases[at % leases.len()]).collect::<Vec<i64>>();
    let requests = stream::iter(asked.clone().into_iter().map(|id| pb::LeaseKeepAliveRequest { id }));
    // On a member that does not lead.
    let mut answers = gates[1].lease().lease_keep_alive(requests).await.unwrap().into_inner();
    for id in asked {
        let answer = soon("a renewal", answers.message()).await.unwrap().unwrap();
        assert_eq!((answer.id, answer.ttl), (id, 600));
    }
    assert!(answers.message().await.unwrap().is_none());
}

#[tokio::test]
async fn locks_exclude_across_members_and_pass_on_in_order() {
    let gates = three().await;
    for id in [1, 2, 3] {
        grant(&gates[0], 600, id).await;
    }
    assert_eq!(soon("the lock", lock(&gates[0], "l", 1)).await.unwrap(), "l/1");
    let second = tokio::spawn(lock(&gates[1], "l", 2));
    until_there(&gates[0], "l/2").await;
    let third = tokio::spawn(lock(&gates[2], "l", 3));
    until_there(&gates[0], "l/3").await;
    assert!(!second.is_finished() && !third.is_finished());
    unlock(&gates[1], "l/1").await;
    assert_eq!(soon("the lock", second).await.unwrap().unwrap(), "l/2");
    assert!(!third.is_finished());
    // A holder's lease that ends is a release.
    gates[0].lease().lease_revoke(pb::LeaseRevokeRequest { id: 2 }).await.unwrap();
    assert_eq!(soon("the lock", third).await.unwrap().unwrap(), "l/3");
}

#[tokio::test]
async fn who_gives_up_waiting_for_a_lock_leaves_the_queue() {
    let gate = one().await;
    for id in [1, 2] {
        grant(&gate, 600, id).await;
    }
    lock(&gate, "l", 1).await.unwrap();
    let waits = tokio::spawn(lock(&gate, "l", 2));
    until_there(&gate, "l/2").await;
    waits.abort();
    until_gone(&gate, "l/2").await;
    assert!(exists(&gate, "l/1").await);
}

#[tokio::test]
async fn who_waits_for_a_lock_with_a_lease_that_ends_does_not_get_it() {
    let gate = one().await;
    for id in [1, 2] {
        grant(&gate, 600, id).await;
    }
    lock(&gate, "l", 1).await.unwrap();
    let waits = tokio::spawn(lock(&gate, "l", 2));
    until_there(&gate, "l/2").await;
    gate.lease().lease_revoke(pb::LeaseRevokeRequest { id: 2 }).await.unwrap();
    unlock(&gate, "l/1").await;
    let refused = soon("the end", waits).await.unwrap().unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, "mutex: session is expired"));
}

#[tokio::test]
async fn a_lock_that_was_waited_for_long_is_had_though_history_was_compacted() {
    let gate = one().await;
    for id in [1, 2] {
        grant(&gate, 600, id).await;
    }
    lock(&gate, "l", 1).await.unwrap();
    let waits = tokio::spawn(lock(&gate, "l", 2));
    until_there(&gate, "l/2").await;
    for value in ["1", "2", "3"] {
        gate.kv().put(put("other", value)).await.unwrap();
    }
    let revision = gate.node.status().revision;
    gate.kv().compact(pb::CompactionRequest { revision, physical: true }).await.unwrap();
    unlock(&gate, "l/1").await;
    assert_eq!(soon("the lock", waits).await.unwrap().unwrap(), "l/2");
}

fn elections(gate: &Gate) -> election::election_client::ElectionClient<tonic::transport::Channel> {
    election::election_client::ElectionClient::new(gate.channel.clone())
}

fn campaign(lease: i64, value: &'static str) -> election::CampaignRequest {
    election::CampaignRequest { name: "e".into(), lease, value: value.into() }
}

#[tokio::test]
async fn observers_on_other_members_see_each_leader_and_value() {
    let gates = three().await;
    for id in [1, 2] {
        grant(&gates[0], 600, id).await;
    }
    let name = election::LeaderRequest { name: "e".into() };
    // Before there is a leader at all.
    let mut observed = elections(&gates[2]).observe(name).await.unwrap().into_inner();
    let won = soon("leadership", elections(&gates[0]).campaign(campaign(1, "a"))).await.unwrap().into_inner();
    let mut seen = async |what: &str| {
        let leader = soon(what, observed.message()).await.unwrap().unwrap();
        String::from_utf8(leader.kv.unwrap().value.to_vec()).unwrap()
    };
    assert_eq!(seen("the first leader").await, "a");
    let next = {
        let mut elections = elections(&gates[1]);
        tokio::spawn(async move { elections.campaign(campaign(2, "b")).await })
    };
    until_there(&gates[0], "e/2").await;
    let show = election::ProclaimRequest { leader: won.leader.clone(), value: "a, again".into() };
    soon("a proclamation", elections(&gates[0]).proclaim(show)).await.unwrap();
    assert_eq!(seen("its other value").await, "a, again");
    let resign = election::ResignRequest { leader: won.leader };
    soon("the resignation", elections(&gates[0]).resign(resign)).await.unwrap();
    let next = soon("leadership", next).await.unwrap().unwrap().into_inner();
    assert_eq!(&next.leader.unwrap().key[..], b"e/2");
    assert_eq!(seen("the next leader").await, "b");
}

#[tokio::test]
async fn who_gives_up_a_campaign_leaves_the_queue() {
    let gate = one().await;
    for id in [1, 2] {
        grant(&gate, 600, id).await;
    }
    elections(&gate).campaign(campaign(1, "a")).await.unwrap();
    let mut client = elections(&gate);
    let waits = tokio::spawn(async move { client.campaign(campaign(2, "b")).await });
    until_there(&gate, "e/2").await;
    waits.abort();
    until_gone(&gate, "e/2").await;
}

#[tokio::test]
async fn who_waits_to_lead_with_a_lease_that_ends_does_not_lead() {
    let gate = one().await;
    for id in [1, 2] {
        grant(&gate, 600, id).await;
    }
    let won = elections(&gate).campaign(campaign(1, "a")).await.unwrap().into_inner();
    let mut client = elections(&gate);
    let waits = tokio::spawn(async move { client.campaign(campaign(2, "b")).await });
    until_there(&gate, "e/2").await;
    gate.lease().lease_revoke(pb::LeaseRevokeRequest { id: 2 }).await.unwrap();
    let resign = election::ResignRequest { leader: won.leader };
    elections(&gate).resign(resign).await.unwrap();
    let refused = soon("the end", waits).await.unwrap().unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, "election: not leader"));
}

#[tokio::test]
async fn leadership_is_moved_when_the_leader_is_asked() {
    let gates = three().await;
    let target_id = gates[1].node.status().node;
    let refused = gates[2].maintenance().move_leader(pb::MoveLeaderRequest { target_id }).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, "etcdserver: not leader"));
    let mut leader = gates[0].maintenance();
    let moved = leader.move_leader(pb::MoveLeaderRequest { target_id });
    assert_eq!(soon("the move", moved).await.unwrap().into_inner(), pb::MoveLeaderResponse::default());
    until("it leads", || gates[1].node.status().is_leader()).await;
    let status = gates[0].maintenance().status(pb::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.leader, target_id);
}

#[tokio::test]
async fn an_alarm_that_is_raised_at_one_member_holds_at_all() {
    let gates = three().await;
    let ask = |action: AlarmAction| pb::AlarmRequest {
        action: action as i32,
        alarm: AlarmType::Nospace as i32,
        member_id: 2,
    };
    soon("the alarm", gates[0].maintenance().alarm(ask(AlarmAction::Activate))).await.unwrap();
    for gate in &gates {
        let there = soon("the list", gate.maintenance().alarm(ask(AlarmAction::Get))).await.unwrap();
        assert_eq!(there.into_inner().alarms.len(), 1);
        let refused = soon("a put", gate.kv().put(put("a", ""))).await.unwrap_err();
        assert_eq!(refused.message(), "etcdserver: mvcc: database space exceeded");
    }
    soon("the end of it", gates[1].maintenance().alarm(ask(AlarmAction::Deactivate))).await.unwrap();
    soon("a put", gates[2].kv().put(put("a", ""))).await.unwrap();
}

#[tokio::test]
async fn members_are_listed_as_the_options_say() {
    let member = |id: u64| Member {
        id,
        name: format!("m{id}"),
        peer_urls: vec![format!("http://10.0.0.{id}:2380")],
        client_urls: vec![format!("http://10.0.0.{id}:2379")],
    };
    let options = Options { members: vec![member(1), member(2)], ..Options::default() };
    let gate = Gate::new(Node::builder().start().unwrap(), options).await;
    let mut cluster = pb::cluster_client::ClusterClient::new(gate.channel.clone());
    let list = cluster.member_list(pb::MemberListRequest { linearizable: true }).await.unwrap().into_inner();
    assert_eq!(list.header.unwrap().revision, 0, "answers about the cluster have no revision");
    assert_eq!(
        list.members[1],
        pb::Member {
            id: 2,
            name: "m2".into(),
            peer_ur_ls: vec!["http://10.0.0.2:2380".into()],
            client_ur_ls: vec!["http://10.0.0.2:2379".into()],
            is_learner: false,
        }
    );
    let refused = cluster.member_remove(pb::MemberRemoveRequest { id: 2 }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[tokio::test]
async fn whoever_is_asked_for_members_knows_what_each_has_said_of_itself() {
    let gates = three().await;
    let everybody = |gate: &Gate| gate.node.client().published_local().len() == 3;
    until("all have been told of all", || gates.iter().all(everybody)).await;
    gates[1].node.client().publish("renamed", ["http://10.0.0.9:2379"]).await.unwrap();
    let renamed = gates[1].node.client().config().node;
    for gate in &gates {
        let mut cluster = pb::cluster_client::ClusterClient::new(gate.channel.clone());
        let request = pb::MemberListRequest { linearizable: true };
        let list = soon("the list", cluster.member_list(request)).await.unwrap().into_inner().members;
        let mut ids: Vec<u64> = list.iter().map(|member| member.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3]);
        for member in list {
            let (name, urls) = if member.id == renamed {
                ("renamed", vec!["http://10.0.0.9:2379".to_string()])
            } else {
                ("default", vec![])
            };
            assert_eq!((member.name.as_str(), member.client_ur_ls), (name, urls));
        }
    }
}

#[tokio::test]
async fn without_a_majority_only_local_answers_come() {
    let mut gates = three().await;
    let kept = gates.pop().unwrap();
    grant(&kept, 600, 7).await;
    soon("a put", kept.kv().put(put("a", "1"))).await.unwrap();
    drop(gates);
    let local = pb::RangeRequest { serializable: true, ..get("a") };
    assert_eq!(soon("a local read", kept.kv().range(local)).await.unwrap().into_inner().count, 1);
    let mut cluster = pb::cluster_client::ClusterClient::new(kept.channel.clone());
    let local = pb::MemberListRequest { linearizable: false };
    soon("a local list", cluster.member_list(local)).await.unwrap();
    let leases = soon("the leases", kept.lease().lease_leases(pb::LeaseLeasesRequest {})).await.unwrap();
    assert_eq!(leases.into_inner().leases, [pb::LeaseStatus { id: 7 }]);
    let started = std::time::Instant::now();
    let refused = soon("the refusal", kept.kv().put(put("a", "2"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    let known = ["etcdserver: request timed out", "etcdserver: no leader"];
    assert!(known.contains(&refused.message()), "{refused:?}");
    assert!(started.elapsed() >= Duration::from_secs(5), "it was not waited for");
}
