//! Locks and elections.

use kvorum_gateway::pb::etcdserverpb as pb;
use kvorum_gateway::pb::v3electionpb as election;
use kvorum_gateway::pb::v3lockpb as lock;

use crate::common::{KvClient, LeaseClient, get};
use crate::talk::Talk;

pub(crate) async fn talk(talk: &mut Talk) {
    let mut lease = LeaseClient::new(talk.channel.clone());
    for id in [0xab, 0xcd, -0xef] {
        lease.lease_grant(pb::LeaseGrantRequest { ttl: 600, id }).await.unwrap();
    }
    locks(talk).await;
    elections(talk).await;
}

async fn locks(talk: &mut Talk) {
    let mut locks = lock::lock_client::LockClient::new(talk.channel.clone());
    let mut kv = KvClient::new(talk.channel.clone());
    let ask = |name: &str, lease| lock::LockRequest { name: name.to_string().into(), lease };
    let free = |key: &str| lock::UnlockRequest { key: key.to_string().into() };
    talk.say("lock: take it", locks.lock(ask("jobs", 0xab))).await;
    talk.say("lock: take it again", locks.lock(ask("jobs", 0xab))).await;
    talk.say("lock: its key", kv.range(get("jobs/ab"))).await;
    talk.say("lock: a lease with a sign", locks.lock(ask("other", -0xef))).await;
    talk.say("lock: no name", locks.lock(ask("", 0xab))).await;
    talk.say("lock: a missing lease", locks.lock(ask("jobs", 4242))).await;
    let mut waiter = locks.clone();
    let waits = tokio::spawn(async move { waiter.lock(ask("jobs", 0xcd)).await });
    talk.wait_for("jobs/cd").await;
    talk.say("lock: release it", locks.unlock(free("jobs/ab"))).await;
    talk.say("lock: whoever waited has it", async { waits.await.unwrap() }).await;
    talk.say("lock: release it again", locks.unlock(free("jobs/ab"))).await;
    talk.say("lock: release nothing", locks.unlock(free(""))).await;
    // Without a lease, one is made: its number is in the key.
    let own = locks.lock(ask("own", 0)).await.unwrap().into_inner();
    let number = String::from_utf8(own.key.to_vec()).unwrap().replace("own/", "");
    talk.name(i64::from_str_radix(&number, 16).unwrap(), "lease-own");
    talk.note("lock: no lease", &format!("{own:?}"));
    let key = String::from_utf8(own.key.to_vec()).unwrap();
    talk.say("lock: release it", locks.unlock(free(&key))).await;
}

async fn elections(talk: &mut Talk) {
    let mut elections = election::election_client::ElectionClient::new(talk.channel.clone());
    let name = |name: &str| election::LeaderRequest { name: name.to_string().into() };
    let stand = |lease, value: &str| election::CampaignRequest {
        name: "e".into(),
        lease,
        value: value.to_string().into(),
    };
    talk.say("election: nobody leads", elections.leader(name("e"))).await;
    talk.say("election: proclaim as nobody", elections.proclaim(election::ProclaimRequest::default())).await;
    talk.say("election: resign as nobody", elections.resign(election::ResignRequest::default())).await;
    let leader = Some(election::LeaderKey::default());
    let request = election::ProclaimRequest { leader: leader.clone(), value: "x".into() };
    talk.say("election: proclaim without a key", elections.proclaim(request)).await;
    talk.say("election: resign without a key", elections.resign(election::ResignRequest { leader })).await;
    talk.say("election: a missing lease", elections.campaign(stand(4242, "x"))).await;
    let won = talk.say("election: stand", elections.campaign(stand(0xab, "v1"))).await.unwrap();
    talk.say("election: stand again", elections.campaign(stand(0xab, "v1"))).await;
    talk.say("election: stand again, with another value", elections.campaign(stand(0xab, "v2"))).await;
    talk.say("election: who leads", elections.leader(name("e"))).await;
    let mut observed = elections.observe(name("e")).await.unwrap().into_inner();
    let seen = observed.message().await.map(tonic::Response::new);
    talk.say("election: observe", async { seen }).await;
    let proclaim =
        |value: &str, leader| election::ProclaimRequest { leader, value: value.to_string().into() };
    talk.say("election: proclaim", elections.proclaim(proclaim("v3", won.leader.clone()))).await;
    let seen = observed.message().await.map(tonic::Response::new);
    talk.say("election: observe what is proclaimed", async { seen }).await;
    let other = won.leader.clone().map(|key| election::LeaderKey { rev: 1, ..key });
    talk.say("election: proclaim as another", elections.proclaim(proclaim("v4", other.clone()))).await;
    talk.say("election: resign as another", elections.resign(election::ResignRequest { leader: other }))
        .await;
    let mut second = elections.clone();
    let waits = tokio::spawn(async move { second.campaign(stand(0xcd, "w1")).await });
    talk.wait_for("e/cd").await;
    talk.say("election: resign", elections.resign(election::ResignRequest { leader: won.leader.clone() }))
        .await;
    talk.say("election: whoever waited leads", async { waits.await.unwrap() }).await;
    let seen = observed.message().await.map(tonic::Response::new);
    talk.say("election: observe the next", async { seen }).await;
    talk.say("election: proclaim afterwards", elections.proclaim(proclaim("v5", won.leader.clone()))).await;
    talk.say("election: resign afterwards", elections.resign(election::ResignRequest { leader: won.leader }))
        .await;
}
