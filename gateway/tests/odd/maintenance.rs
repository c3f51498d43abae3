//! What operators ask, and what there is to say of members and users.

use kvorum_gateway::pb::etcdserverpb as pb;

use crate::common::{KvClient, MaintenanceClient, put};
use crate::talk::Talk;

pub(crate) async fn talk(talk: &mut Talk) {
    alarms(talk).await;
    downgrades(talk).await;
    others(talk).await;
}

async fn alarms(talk: &mut Talk) {
    let mut maintenance = MaintenanceClient::new(talk.channel.clone());
    let mut kv = KvClient::new(talk.channel.clone());
    let mut lease = crate::common::LeaseClient::new(talk.channel.clone());
    let ask = |action, alarm, member_id| pb::AlarmRequest { action, alarm, member_id };
    talk.say("alarm: which are there", maintenance.alarm(ask(0, 0, 0))).await;
    talk.say("alarm: lower one that is not there", maintenance.alarm(ask(2, 1, 0))).await;
    talk.say("alarm: raise none", maintenance.alarm(ask(1, 0, 5))).await;
    let member =
        maintenance.status(pb::StatusRequest {}).await.unwrap().into_inner().header.unwrap().member_id;
    talk.say("alarm: raise NOSPACE", maintenance.alarm(ask(1, 1, member))).await;
    talk.say("alarm: which are there", maintenance.alarm(ask(0, 0, 0))).await;
    talk.say("alarm: which of another kind", maintenance.alarm(ask(0, 2, 0))).await;
    talk.say("alarm: put", kv.put(put("full", ""))).await;
    talk.say("alarm: put without a key", kv.put(put("", ""))).await;
    talk.say("alarm: put on a missing lease", kv.put(pb::PutRequest { lease: 99, ..put("full", "") })).await;
    talk.say("alarm: grant", lease.lease_grant(pb::LeaseGrantRequest { ttl: 10, id: 0 })).await;
    let delete = pb::DeleteRangeRequest { key: "t1".into(), ..Default::default() };
    talk.say("alarm: delete", kv.delete_range(delete.clone())).await;
    let request = Some(pb::request_op::Request::RequestDeleteRange(delete));
    let txn = pb::TxnRequest { success: vec![pb::RequestOp { request }], ..Default::default() };
    talk.say("alarm: a transaction that only deletes", kv.txn(txn)).await;
    let request = Some(pb::request_op::Request::RequestPut(put("full", "")));
    let txn =
        pb::TxnRequest { success: vec![pb::RequestOp { request: request.clone() }], ..Default::default() };
    talk.say("alarm: a transaction that puts", kv.txn(txn)).await;
    let txn = pb::TxnRequest { failure: vec![pb::RequestOp { request }], ..Default::default() };
    talk.say("alarm: a transaction that could put", kv.txn(txn)).await;
    let status = maintenance.status(pb::StatusRequest {}).await.unwrap().into_inner();
    let errors = status.errors.join("; ").replace(&member.to_string(), "_");
    talk.note("alarm: what the status says", &errors);
    talk.say("alarm: lower none", maintenance.alarm(ask(2, 0, member))).await;
    talk.say("alarm: lower another", maintenance.alarm(ask(2, 2, member))).await;
    talk.say("alarm: lower it", maintenance.alarm(ask(2, 1, member))).await;
    talk.say("alarm: put", kv.put(put("full", ""))).await;
}

async fn downgrades(talk: &mut Talk) {
    let mut maintenance = MaintenanceClient::new(talk.channel.clone());
    for (action, version) in
        [(0, ""), (0, "x"), (0, "3.4"), (0, "3.5.0"), (0, "3.3.0"), (0, "1.2.3.4"), (2, ""), (9, "3.4.0")]
    {
        let request = pb::DowngradeRequest { action, version: version.into() };
        talk.say(&format!("downgrade: {action} to {version:?}"), maintenance.downgrade(request)).await;
    }
}

async fn others(talk: &mut Talk) {
    let mut maintenance = MaintenanceClient::new(talk.channel.clone());
    for target_id in [0, 1234] {
        let request = pb::MoveLeaderRequest { target_id };
        talk.say(&format!("leader: move to {target_id}"), maintenance.move_leader(request)).await;
    }
    let leader = maintenance.status(pb::StatusRequest {}).await.unwrap().into_inner().leader;
    talk.say("leader: move to itself", maintenance.move_leader(pb::MoveLeaderRequest { target_id: leader }))
        .await;
    talk.say("defragment", maintenance.defragment(pb::DefragmentRequest {})).await;
    let status = maintenance.status(pb::StatusRequest {}).await.unwrap().into_inner();
    talk.note("status: version", &status.version);
    talk.note("status: errors", &format!("{:?} {}", status.errors, status.is_learner));
    assert!(status.raft_index >= status.raft_applied_index && status.db_size >= status.db_size_in_use);
    assert_eq!((status.leader, status.raft_term), {
        let header = status.header.unwrap();
        (header.member_id, header.raft_term)
    });

    let mut cluster = pb::cluster_client::ClusterClient::new(talk.channel.clone());
    for linearizable in [false, true] {
        let list = cluster.member_list(pb::MemberListRequest { linearizable }).await.unwrap().into_inner();
        talk.note(&format!("members: header, {linearizable}"), &format!("{:?}", list.header));
        assert_eq!(list.members.len(), 1);
    }
    let mut auth = pb::auth_client::AuthClient::new(talk.channel.clone());
    talk.say("auth: status", auth.auth_status(pb::AuthStatusRequest {})).await;
    talk.say("auth: authenticate", auth.authenticate(pb::AuthenticateRequest::default())).await;
    talk.say("auth: disable", auth.auth_disable(pb::AuthDisableRequest {})).await;
}
