//! A cluster embedded as a user would, over real threads.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use kvorum::request::{
    CompactionRequest, LeaseTimeToLiveRequest, PutRequest, RangeRequest, RangeResponse, ResponseKind,
    TxnRequest, WatchRequest,
};
use kvorum::transports::MemoryNetwork;
use kvorum::{Node, WatchItem, block_on};

fn three(network: &MemoryNetwork) -> BTreeMap<u64, Node> {
    let peers = [1, 2, 3].map(|id| (id, ""));
    peers
        .iter()
        .map(|&(id, _)| {
            let node = Node::builder().id(id).peers(peers).transport(network.transport());
            (
                id,
                node.heartbeat(Duration::from_millis(20))
                    .election_timeout(Duration::from_millis(200))
                    .start()
                    .unwrap(),
            )
        })
        .collect()
}

#[test]
fn any_node_takes_any_request() {
    let network = MemoryNetwork::new();
    let nodes = three(&network);
    for (id, node) in &nodes {
        let key = format!("key-{id}");
        node.client().put(&key, "v").wait().unwrap();
        for other in nodes.values() {
            assert!(other.client().get(&key).wait().unwrap().is_some(), "{key} must be readable everywhere");
        }
    }
    let lease = nodes[&2].client().grant(Duration::from_secs(60)).wait().unwrap();
    for node in nodes.values() {
        assert_eq!(node.client().keep_alive(lease.id).wait().unwrap().ttl, 60);
        assert_eq!(node.client().leases().wait().unwrap().leases, [lease.id]);
    }
}

#[test]
fn a_watch_on_another_node_sees_everything_in_order() {
    let network = MemoryNetwork::new();
    let nodes = three(&network);
    let mut watch = nodes[&3].client().watch(WatchRequest::prefix("w/").from(1)).unwrap();
    for i in 0..100 {
        nodes[&1].client().put(format!("w/{i:03}"), "v").wait().unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 100 {
        match watch.next_timeout(Duration::from_secs(10)).unwrap() {
            Some(WatchItem::Events(events)) => {
                seen.extend(events.into_iter().map(|event| event.kv.unwrap().mod_revision));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn transactions_locks_and_elections() {
    let network = MemoryNetwork::new();
    let nodes = three(&network);
    let (a, b) = (nodes[&1].client(), nodes[&2].client());
    block_on(async {
        let txn = TxnRequest::new().then(PutRequest::new("x", "1")).then(RangeRequest::key("x"));
        assert_eq!(a.txn(txn).await?.responses.len(), 2);
        let (one, two) = (a.lease(Duration::from_secs(10)).await?, b.lease(Duration::from_secs(10)).await?);
        let first = kvorum::lock::lock(&a, "l", &one).await?;
        assert!(kvorum::lock::try_lock(&b, "l", &two).await?.is_none());
        let token = first.token();
        first.unlock().await?;
        let second = kvorum::lock::lock(&b, "l", &two).await?;
        assert!(second.token() > token);
        let leadership = kvorum::election::campaign(&a, "e", &one, "a").await?;
        let leader = kvorum::election::leader(&b, "e").await?.expect("somebody leads");
        assert_eq!((&leader.value[..], leader.create_revision), (&b"a"[..], leadership.token()));
        kvorum::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_watch_says_how_far_it_is_when_asked_and_by_itself() {
    let node = Node::builder().start().unwrap();
    let store = node.client();
    let mut asked = store.watch(WatchRequest::key("quiet")).unwrap();
    let mut timed = store.watch(WatchRequest::key("quiet").with_progress(Duration::from_millis(50))).unwrap();
    let revision = store.put("loud", "v").wait().unwrap().revision();
    asked.request_progress();
    assert_eq!(asked.next_wait().unwrap().unwrap(), WatchItem::Progress(revision));
    assert_eq!(timed.next_wait().unwrap().unwrap(), WatchItem::Progress(revision));
    store.put("quiet", "no more").wait().unwrap();
    asked.request_progress();
    assert!(matches!(asked.next_wait(), Some(Ok(WatchItem::Events(_)))), "never before what it has to say");
    assert_eq!(asked.next_wait().unwrap().unwrap(), WatchItem::Progress(revision + 1));
}

#[test]
fn several_watches_are_caught_up_when_all_have_handed_out_everything() {
    let node = Node::builder().start().unwrap();
    let store = node.client();
    let mut both = ["one", "two"].map(|key| store.watch(WatchRequest::key(key)).unwrap());
    let newest = store.put("another", "v").wait().unwrap().revision();
    assert_eq!(store.caught_up(&both), Some(newest));
    let newest = store.put("two", "v").wait().unwrap().revision();
    assert_eq!(store.caught_up(&both), None, "one of them has something to say");
    assert!(matches!(both[1].next_wait(), Some(Ok(WatchItem::Events(_)))));
    assert_eq!(store.caught_up(&both), Some(newest));
    assert_eq!(store.caught_up(&[]), Some(newest), "nobody is behind");
}

#[test]
fn history_is_forgotten_by_number_and_by_age() {
    use kvorum::AutoCompaction::{Age, Revisions};
    for policy in [Revisions(50), Age(Duration::from_millis(200))] {
        let node = Node::builder().auto_compaction(policy).start().unwrap();
        let store = node.client();
        while node.status().compacted == 0 {
            store.put("k", "v").wait().unwrap();
        }
        let status = node.status();
        assert!(status.compacted < status.revision, "{policy:?} keeps something");
        assert!(store.get("k").wait().unwrap().is_some());
    }
}

#[test]
fn a_physical_compaction_is_answered() {
    let node = Node::builder().start().unwrap();
    let store = node.client();
    for i in 0..1000 {
        store.put("k", i.to_string()).wait().unwrap();
    }
    let request = CompactionRequest { revision: 1001, physical: true };
    store.compact_request(request).wait().unwrap();
    assert_eq!(node.status().sizes.versions, 1);
}

#[test]
fn a_lease_tells_its_time_and_its_keys_on_any_node() {
    let network = MemoryNetwork::new();
    let nodes = three(&network);
    let lease = nodes[&1].client().grant(Duration::from_secs(60)).wait().unwrap().id;
    nodes[&2].client().put_request(PutRequest::new("k", "v").with_lease(lease)).wait().unwrap();
    for node in nodes.values() {
        let told =
            node.client().time_to_live(LeaseTimeToLiveRequest { id: lease, keys: true }).wait().unwrap();
        assert_eq!((told.granted_ttl, told.keys.len()), (60, 1));
        assert!((50..=60).contains(&told.ttl), "{}", told.ttl);
    }
    nodes[&3].client().revoke(lease).wait().unwrap();
    let gone =
        nodes[&1].client().time_to_live(LeaseTimeToLiveRequest { id: lease, keys: true }).wait().unwrap();
    assert_eq!((gone.ttl, nodes[&1].client().get("k").wait().unwrap()), (-1, None));
    assert_eq!(nodes[&2].client().keep_alive(lease).wait().unwrap().ttl, 0);
}

#[test]
fn tasks_that_share_a_lease_exclude_each_other() {
    let node = Node::builder().start().unwrap();
    let store = node.client();
    block_on(async {
        let lease = store.lease(Duration::from_secs(10)).await?;
        let first = kvorum::lock::lock(&store, "l", &lease).await?;
        assert!(kvorum::lock::try_lock(&store, "l", &lease).await?.is_none());
        assert!(first.is_held().await?, "the attempt of another task changes nothing");
        // A place that was given up before it was seen to be taken is nobody's.
        let given_up = Box::pin(kvorum::lock::lock(&store, "l", &lease));
        assert!(kvorum::block_on_timeout(given_up, Duration::ZERO).is_none());
        first.unlock().await?;
        let second = kvorum::lock::lock(&store, "l", &lease).await?;
        assert!(second.is_held().await?);
        kvorum::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_lock_that_was_taken_before_the_compaction_is_waited_for_in_peace() {
    let node = Node::builder().start().unwrap();
    let store = node.client();
    let lease = block_on(store.lease(Duration::from_secs(10))).unwrap();
    let first = block_on(kvorum::lock::lock(&store, "l", &lease)).unwrap();
    let revision = store.put("x", "y").wait().unwrap().revision();
    store.compact(revision).wait().unwrap();
    let mut waits = Box::pin(kvorum::lock::lock(&store, "l", &lease));
    let mut looks = 0;
    let counted = std::future::poll_fn(|context| {
        looks += 1;
        waits.as_mut().poll(context)
    });
    assert!(kvorum::block_on_timeout(counted, Duration::from_millis(300)).is_none());
    assert!(looks < 20, "it looked {looks} times");
    drop(first);
}

#[test]
fn leadership_is_handed_over_without_refusing_anybody() {
    let network = MemoryNetwork::new();
    let nodes = three(&network);
    let stores: Vec<_> = nodes.values().map(Node::client).collect();
    stores[0].put("k", "0").wait().unwrap();
    for round in 0..20 {
        let answers: Vec<_> =
            (0..90).map(|i| stores[i % 3].put(format!("k{i}"), round.to_string())).collect();
        let to = 1 + round % 3;
        for store in &stores {
            drop(store.transfer_leadership(to));
        }
        for answer in answers {
            answer.wait().unwrap();
        }
    }
}

#[test]
fn a_leader_that_is_asked_to_hands_over_to_whom_it_finds() {
    let network = MemoryNetwork::new();
    let nodes = three(&network);
    nodes[&1].client().put("k", "0").wait().unwrap();
    let led = nodes[&1].status().raft.leader;
    let (store, began) = (nodes[&led].client(), Instant::now());
    store.hand_over_leadership().wait().unwrap();
    while store.status().raft.leader == led || store.status().raft.leader == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "{led} still leads");
        // A round to the others: what is new to them is then new here.
        store.get("k").wait().unwrap();
    }
    // There is nothing to hand over where nobody leads, or nobody else is there.
    let follows = nodes.values().find(|node| !node.status().is_leader()).unwrap();
    follows.client().hand_over_leadership().wait().unwrap();
    let alone = Node::builder().start().unwrap();
    alone.client().put("k", "0").wait().unwrap();
    alone.client().hand_over_leadership().wait().unwrap();
    alone.client().put("k", "1").wait().unwrap();
}

#[test]
fn a_cluster_id_of_ones_own_stands_in_every_header() {
    let node = Node::builder().cluster_id(0xdead_beef).start().unwrap();
    assert_eq!(node.status().cluster, 0xdead_beef);
    assert_eq!(node.client().put("k", "v").wait().unwrap().header.unwrap().cluster_id, 0xdead_beef);
}

#[test]
fn a_session_makes_writes_safe_to_repeat() {
    let node = Node::builder().start().unwrap();
    let store = block_on(node.client().open_session()).unwrap();
    assert_eq!(store.put("k", "1").wait().unwrap().header.unwrap().revision, 2);
    assert_eq!(store.put("k", "2").wait().unwrap().header.unwrap().revision, 3);
    store.close_session().wait().unwrap();
    assert!(store.put("k", "3").wait().is_err());
}

#[test]
fn a_long_read_holds_nobody_up_and_is_of_its_moment() {
    const KEYS: usize = 20_000;
    let node = Node::builder().start().unwrap();
    let client = node.client();
    let puts: Vec<_> = (0..KEYS).map(|i| client.put(format!("k{i:05}"), "old")).collect();
    puts.into_iter().for_each(|put| drop(put.wait().unwrap()));
    let all = RangeRequest { serializable: true, ..RangeRequest::prefix("k") };
    let twice = TxnRequest::default().then(all.clone()).then(all.clone());
    let moment = client.put("z", "").wait().unwrap().header.unwrap().revision;

    let (mut range, mut txn) = (client.range(all.clone()), client.txn(twice));
    let mut poll = Context::from_waker(Waker::noop());
    assert!(
        Pin::new(&mut range).poll(&mut poll).is_pending() && Pin::new(&mut txn).poll(&mut poll).is_pending()
    );
    // Nobody but this thread would go on with the reads: the node goes on between two slices.
    let newest = client.put("k00000", "new").wait().unwrap().header.unwrap().revision;
    client.delete("k19999").wait().unwrap();
    client.compact(newest).wait().unwrap();

    let is_of_the_moment = |read: RangeResponse| {
        assert_eq!((read.count, read.header.unwrap().revision), (KEYS as i64, moment));
        assert!(read.kvs.len() == KEYS && read.kvs.iter().all(|kv| kv.value == "old"));
    };
    is_of_the_moment(range.wait().unwrap());
    for response in txn.wait().unwrap().responses {
        let Some(ResponseKind::Range(read)) = response.response else { panic!("{response:?}") };
        is_of_the_moment(read);
    }
    // And one that asks the cluster first.
    let read = client.range(RangeRequest::prefix("k")).wait().unwrap();
    assert_eq!((read.count, &read.kvs[0].value[..]), (KEYS as i64 - 1, &b"new"[..]));
}
