//! Tries every service with the crate `etcd-client`, as its users would: `try-etcd-client ENDPOINT...`. What it will
//! never know: whose etcd it is.

use std::time::Duration;

use etcd_client::{
    AlarmAction, AlarmType, Client, Compare, CompareOp, DeleteOptions, Error, GetOptions, LeaseGrantOptions,
    LeaseTimeToLiveOptions, LockOptions, ProclaimOptions, PutOptions, ResignOptions, SortOrder, SortTarget,
    Txn, TxnOp, TxnOpResponse,
};

type Result<T> = std::result::Result<T, Error>;

#[tokio::main]
async fn main() -> Result<()> {
    let endpoints: Vec<String> = std::env::args().skip(1).collect();
    let mut client = Client::connect(&endpoints, None).await?;
    macro_rules! try_all {
        ($($name:ident)*) => {$(
            let limit = Duration::from_secs(60);
            tokio::time::timeout(limit, $name(&mut client)).await.expect(stringify!($name))?;
            println!("{}: ok", stringify!($name));
        )*};
    }
    try_all!(kv txn compaction lease lock election cluster maintenance errors);
    Ok(())
}

async fn kv(client: &mut Client) -> Result<()> {
    for (key, value) in [("kv/1", "b"), ("kv/2", "a"), ("kv/3", "c")] {
        client.put(key, value, None).await?;
    }
    let before = client.put("kv/1", "d", Some(PutOptions::new().with_prev_key())).await?;
    assert_eq!(before.prev_key().unwrap().value(), b"b");
    let all = client.get("kv/", Some(GetOptions::new().with_prefix().with_limit(2))).await?;
    assert_eq!((all.kvs().len(), all.count(), all.more()), (2, 3, true));
    let sorted = GetOptions::new().with_prefix().with_sort(SortTarget::Value, SortOrder::Descend);
    let sorted = client.get("kv/", Some(sorted)).await?;
    let values: Vec<&str> = sorted.kvs().iter().map(|kv| kv.value_str().unwrap()).collect();
    assert_eq!(values, ["d", "c", "a"]);
    let revision = before.header().unwrap().revision() - 1;
    let past = client.get("kv/1", Some(GetOptions::new().with_revision(revision))).await?;
    assert_eq!(past.kvs()[0].value(), b"b");
    let local = client.get("kv/1", Some(GetOptions::new().with_serializable().with_keys_only())).await?;
    assert_eq!(local.kvs()[0].value(), b"");
    let deleted = client.delete("kv/", Some(DeleteOptions::new().with_prefix().with_prev_key())).await?;
    assert_eq!((deleted.deleted(), deleted.prev_kvs().len()), (3, 3));

    for at in 0..30 {
        client.put(format!("kv/{at:02}"), "x".repeat(100_000), None).await?;
    }
    let mut stream = client.kv_client().get_stream("kv/", Some(GetOptions::new().with_prefix())).await?;
    let (mut keys, mut count) = (0, 0);
    while let Some(piece) = stream.message().await? {
        keys += piece.kvs().len();
        count = piece.count();
    }
    assert_eq!((keys, count), (30, 30));
    client.delete("kv/", Some(DeleteOptions::new().with_prefix())).await?;
    Ok(())
}

async fn txn(client: &mut Client) -> Result<()> {
    client.put("txn/a", "1", None).await?;
    let inner = Txn::new().and_then([TxnOp::put("txn/b", "2", None), TxnOp::get("txn/b", None)]);
    let txn = Txn::new()
        .when([
            Compare::value("txn/a", CompareOp::Equal, "1"),
            Compare::version("txn/b", CompareOp::Equal, 0),
        ])
        .and_then([TxnOp::put("txn/a", "3", None), TxnOp::txn(inner), TxnOp::delete("txn/c", None)])
        .or_else([TxnOp::get("txn/a", None)]);
    let done = client.txn(txn.clone()).await?;
    assert!(done.succeeded() && done.op_responses().len() == 3);
    let again = client.txn(txn).await?;
    assert!(!again.succeeded());
    match &again.op_responses()[0] {
        TxnOpResponse::Get(get) => assert_eq!(get.kvs()[0].value(), b"3"),
        other => panic!("{other:?}"),
    }
    Ok(())
}

async fn compaction(client: &mut Client) -> Result<()> {
    let first = client.put("old", "1", None).await?.header().unwrap().revision();
    let second = client.put("old", "2", None).await?.header().unwrap().revision();
    client.compact(second, None).await?;
    let compacted = client.get("old", Some(GetOptions::new().with_revision(first))).await.unwrap_err();
    assert!(compacted.to_string().contains("required revision has been compacted"), "{compacted}");
    Ok(())
}

async fn lease(client: &mut Client) -> Result<()> {
    let lease = client.lease_grant(60, Some(LeaseGrantOptions::new().with_id(4711))).await?;
    assert_eq!((lease.id(), lease.ttl()), (4711, 60));
    client.put("leased", "", Some(PutOptions::new().with_lease(4711))).await?;
    let left = client.lease_time_to_live(4711, Some(LeaseTimeToLiveOptions::new().with_keys())).await?;
    assert_eq!((left.granted_ttl(), left.keys()), (60, &[b"leased".to_vec()][..]));
    let (mut keeper, mut renewals) = client.lease_keep_alive(4711).await?;
    for _ in 0..3 {
        keeper.keep_alive().await?;
        assert_eq!(renewals.message().await?.unwrap().ttl(), 60);
    }
    assert!(client.leases().await?.leases().iter().any(|lease| lease.id() == 4711));
    client.lease_revoke(4711).await?;
    assert_eq!(client.get("leased", None).await?.count(), 0);
    assert_eq!(client.lease_time_to_live(4711, None).await?.ttl(), -1);
    Ok(())
}

async fn lock(client: &mut Client) -> Result<()> {
    let lease = client.lease_grant(60, None).await?.id();
    let held = client.lock("name", Some(LockOptions::new().with_lease(lease))).await?;
    assert_eq!(held.key(), format!("name/{lease:x}").as_bytes());
    let mut other = client.clone();
    let waits = tokio::spawn(async move { other.lock("name", None).await });
    while client.get("name/", Some(GetOptions::new().with_prefix())).await?.count() < 2 {}
    assert!(!waits.is_finished());
    client.unlock(held.key()).await?;
    let held = waits.await.expect("it does not panic")?;
    client.unlock(held.key()).await?;
    client.lease_revoke(lease).await?;
    Ok(())
}

async fn election(client: &mut Client) -> Result<()> {
    let lease = client.lease_grant(60, None).await?.id();
    assert!(client.leader("election").await.is_err());
    let mut observed = client.observe("election").await?;
    let won = client.campaign("election", "me", lease).await?;
    let leader = won.leader().expect("a leader has a key").clone();
    assert_eq!(observed.message().await?.unwrap().kv().unwrap().value(), b"me");
    client.proclaim("still me", Some(ProclaimOptions::new().with_leader(leader.clone()))).await?;
    assert_eq!(observed.message().await?.unwrap().kv().unwrap().value(), b"still me");
    assert_eq!(client.leader("election").await?.kv().unwrap().value(), b"still me");
    client.resign(Some(ResignOptions::new().with_leader(leader))).await?;
    assert!(client.leader("election").await.is_err());
    client.lease_revoke(lease).await?;
    Ok(())
}

async fn cluster(client: &mut Client) -> Result<()> {
    let members = client.member_list().await?;
    assert!(!members.members().is_empty());
    Ok(())
}

async fn maintenance(client: &mut Client) -> Result<()> {
    let status = client.status().await?;
    assert_eq!(status.version(), "3.5.30");
    assert!(status.leader() != 0 && status.raft_index() >= status.raft_applied_index());
    client.defragment().await?;
    client.alarm(AlarmAction::Activate, AlarmType::Nospace, None).await?;
    assert_eq!(client.alarm(AlarmAction::Get, AlarmType::None, None).await?.alarms().len(), 1);
    assert!(client.put("full", "", None).await.is_err());
    client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, None).await?;
    client.put("full", "", None).await?;
    Ok(())
}

async fn errors(client: &mut Client) -> Result<()> {
    let said = |error: Error| match error {
        Error::GRpcStatus(status) => format!("{:?}: {}", status.code(), status.message()),
        other => format!("{other:?}"),
    };
    let refused = client.put("", "", None).await.unwrap_err();
    assert_eq!(said(refused), "InvalidArgument: etcdserver: key is not provided");
    let refused = client.put("a", "", Some(PutOptions::new().with_lease(99))).await.unwrap_err();
    assert_eq!(said(refused), "NotFound: etcdserver: requested lease not found");
    let refused = client.put("a", "x".repeat(1_600_000), None).await.unwrap_err();
    assert_eq!(said(refused), "InvalidArgument: etcdserver: request is too large");
    let refused = client.lease_grant(9_000_000_001, None).await.unwrap_err();
    assert_eq!(said(refused), "OutOfRange: etcdserver: too large lease TTL");
    let refused = client.lock("l", Some(LockOptions::new().with_lease(99))).await.unwrap_err();
    assert_eq!(said(refused), "Unknown: etcdserver: requested lease not found");
    Ok(())
}
