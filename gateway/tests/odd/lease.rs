//! Leases.

use kvorum_gateway::pb::etcdserverpb as pb;
use tonic::{Response, Status};

use crate::common::{KvClient, LeaseClient, get, put};
use crate::talk::Talk;

fn grant(ttl: i64, id: i64) -> pb::LeaseGrantRequest {
    pb::LeaseGrantRequest { ttl, id }
}

pub(crate) async fn talk(talk: &mut Talk) {
    let mut lease = LeaseClient::new(talk.channel.clone());
    let mut kv = KvClient::new(talk.channel.clone());
    for (ttl, name) in [(0, "lease-a"), (-5, "lease-b"), (1, "lease-c"), (i64::MIN, "lease-d")] {
        // What it is called is known when it is there.
        let granted = lease.lease_grant(grant(ttl, 0)).await.unwrap().into_inner();
        talk.name(granted.id, name);
        assert!(granted.id > 0);
        talk.note(&format!("lease: a TTL of {ttl}"), &format!("{granted:?}"));
        lease.lease_revoke(pb::LeaseRevokeRequest { id: granted.id }).await.unwrap();
    }
    talk.say("lease: a TTL that is too large", lease.lease_grant(grant(9_000_000_001, 0))).await;
    talk.say("lease: the largest TTL", lease.lease_grant(grant(9_000_000_000, 9))).await;
    talk.say("lease: a negative number", lease.lease_grant(grant(60, -7))).await;
    talk.say("lease: the same number", lease.lease_grant(grant(60, -7))).await;
    talk.say("lease: the same number, a TTL that is too large", lease.lease_grant(grant(9_000_000_001, -7)))
        .await;
    talk.say("lease: put on it", kv.put(pb::PutRequest { lease: -7, ..put("l2", "") })).await;
    talk.say("lease: put on it", kv.put(pb::PutRequest { lease: -7, ..put("l1", "") })).await;
    talk.say("lease: a key of it", kv.range(get("l1"))).await;
    let ask = |id, keys| pb::LeaseTimeToLiveRequest { id, keys };
    let mut left = lease.lease_time_to_live(ask(-7, true)).await.unwrap().into_inner();
    assert!((58..=60).contains(&left.ttl), "{left:?}");
    // Etcd's come as they come.
    left.keys.sort();
    talk.note("lease: its time and keys", &format!("{:?}", pb::LeaseTimeToLiveResponse { ttl: 0, ..left }));
    talk.say("lease: the time of a missing one", lease.lease_time_to_live(ask(4242, true))).await;
    talk.say("lease: the time of none", lease.lease_time_to_live(ask(0, false))).await;
    let all = lease.lease_leases(pb::LeaseLeasesRequest {}).await.unwrap().into_inner();
    let mut ids: Vec<i64> = all.leases.iter().map(|lease| lease.id).collect();
    ids.sort_unstable();
    talk.note("lease: all of them", &format!("{ids:?}"));
    for id in [-7, 4242, 0] {
        talk.say(&format!("lease: renew {id}"), renew(&mut lease, id)).await;
    }
    talk.say("lease: put off it", kv.put(put("l2", "off"))).await;
    let keep = pb::PutRequest { ignore_lease: true, ..put("l1", "kept") };
    talk.say("lease: put, and keep it", kv.put(keep)).await;
    talk.say("lease: end it", lease.lease_revoke(pb::LeaseRevokeRequest { id: -7 })).await;
    talk.say("lease: end it again", lease.lease_revoke(pb::LeaseRevokeRequest { id: -7 })).await;
    talk.say("lease: end none", lease.lease_revoke(pb::LeaseRevokeRequest { id: 0 })).await;
    talk.say("lease: the key on it", kv.range(get("l1"))).await;
    talk.say("lease: the key off it", kv.range(get("l2"))).await;
    talk.say("lease: renew it", renew(&mut lease, -7)).await;
}

/// The first answer of a stream with one request.
async fn renew(
    lease: &mut LeaseClient<tonic::transport::Channel>,
    id: i64,
) -> Result<Response<Option<pb::LeaseKeepAliveResponse>>, Status> {
    let asked = futures_util::stream::iter([pb::LeaseKeepAliveRequest { id }]);
    let mut answers = lease.lease_keep_alive(asked).await?.into_inner();
    let first = answers.message().await?;
    assert_eq!(answers.message().await?, None, "one answer to one request");
    Ok(Response::new(first))
}
