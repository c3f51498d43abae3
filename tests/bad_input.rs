//! Bad input, and what it gets: every row of the first table in `docs/ERRORS.md` is a test here of the same
//! name, and the other way round. Each bad input is a typed error with the facts in it, or a node that says
//! why it halted; never a panic, and never the loss of a write that was acknowledged.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::Future;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use kvorum::request::*;
use kvorum::storages::faulty::FaultyDisk;
use kvorum::storages::{FileStorage, Options};
use kvorum::transports::{MemoryNetwork, TcpOptions, TcpTransport};
use kvorum::{Builder, Client, ErrorKind, Node, Outcome, Result, block_on};

const TABLES: &str = include_str!("../docs/ERRORS.md");

/// Small segments, so that a log has several soon.
const SMALL: Options = Options { segment_bytes: 2048, image_sync_bytes: 8 << 20 };

fn alone() -> Node {
    Node::builder().start().unwrap()
}

/// A client of a node of its own, which would stop otherwise.
struct Store {
    client: Client,
    _node: Node,
}

impl std::ops::Deref for Store {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

fn store() -> Store {
    let node = alone();
    Store { client: node.client(), _node: node }
}

/// Why a call was refused. It had no effect.
fn refused<T: Debug>(result: Result<T>) -> ErrorKind {
    let error = result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied, "{error}");
    error.kind().clone()
}

/// One member of three, with short times.
fn member(id: u64, network: &MemoryNetwork) -> Builder {
    let builder = Node::builder().id(id).peers([1, 2, 3].map(|id| (id, ""))).transport(network.transport());
    builder.heartbeat(Duration::from_millis(20)).election_timeout(Duration::from_millis(200))
}

fn three(network: &MemoryNetwork) -> Vec<Node> {
    let nodes: Vec<Node> = [1, 2, 3].iter().map(|&id| member(id, network).start().unwrap()).collect();
    nodes[0].client().put("warm", "up").wait().unwrap();
    nodes
}

fn leader(nodes: &[Node]) -> usize {
    let mut found = None;
    eventually("a leader", || {
        found = nodes.iter().position(|node| node.status().is_leader());
        found.is_some()
    });
    found.unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A directory of this test's own, removed when it passed.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("kvorum-bad-input-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Scratch(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn on(disk: &FaultyDisk) -> Builder {
    Node::builder().storage(FileStorage::with_disk(disk.mount(), SMALL).unwrap())
}

/// Writes until there are two images and the log no longer begins at its beginning; answers how many keys.
fn fill(disk: &FaultyDisk) -> usize {
    let node = on(disk)
        .tune(|config| {
            config.image_log_bytes = 1000;
            config.keep_bytes = 0;
        })
        .start()
        .unwrap();
    let mut keys = 0;
    let first = "log-00000000000000000001.wal";
    eventually("two images", || {
        node.client().put(format!("k{keys}"), [7; 100]).wait().unwrap();
        keys += 1;
        let files = disk.files();
        files.keys().filter(|name| name.ends_with(".img")).count() == 2 && !files.contains_key(first)
    });
    keys
}

fn images(disk: &FaultyDisk) -> Vec<String> {
    disk.files().into_keys().filter(|name| name.ends_with(".img")).collect()
}

// The request is wrong.

#[test]
fn empty_key() {
    let store = store();
    assert_eq!(refused(store.put("", "v").wait()), ErrorKind::EmptyKey);
    assert_eq!(refused(store.get("").wait()), ErrorKind::EmptyKey);
    assert_eq!(refused(store.get_local("")), ErrorKind::EmptyKey);
    assert_eq!(refused(store.delete("").wait()), ErrorKind::EmptyKey);
    let txn = TxnRequest::new().when(Compare::exists("")).then(PutRequest::new("k", "v"));
    assert_eq!(refused(store.txn(txn).wait()), ErrorKind::EmptyKey);
    assert_eq!(refused(store.txn(TxnRequest::new().then(RangeRequest::key(""))).wait()), ErrorKind::EmptyKey);
}

#[test]
fn inverted_range() {
    let store = store();
    store.put("m", "v").wait().unwrap();
    let (key, range_end) = ("z".into(), "a".into());
    let read = RangeRequest { key, range_end, ..RangeRequest::default() };
    assert_eq!(store.range(read.clone()).wait().unwrap().count, 0);
    let delete = DeleteRangeRequest { key: "z".into(), range_end: "a".into(), prev_kv: true };
    assert_eq!(store.delete_request(delete).wait().unwrap().deleted, 0);
    let watch = WatchRequest { key: read.key, range_end: read.range_end, ..WatchRequest::default() };
    assert_eq!(refused(store.watch(watch)), ErrorKind::EmptyRange);
}

#[test]
fn unknown_lease() {
    let store = store();
    let gone = ErrorKind::LeaseNotFound { id: 7 };
    assert_eq!(refused(store.put_request(PutRequest::new("k", "v").with_lease(7)).wait()), gone);
    assert_eq!(refused(store.revoke(7).wait()), gone);
    assert_eq!(store.keep_alive(7).wait().unwrap().ttl, 0);
    let asked = LeaseTimeToLiveRequest { id: 7, keys: true };
    assert_eq!(store.time_to_live(asked).wait().unwrap().ttl, -1);
    let kept = store.keep(7, Duration::from_secs(10));
    eventually("the handle of a lease that is none to say so", || kept.is_lost());
}

#[test]
fn duplicate_lease() {
    let store = store();
    let grant = LeaseGrantRequest { ttl: 60, id: -9 };
    assert_eq!(store.grant_request(grant).wait().unwrap().id, -9);
    assert_eq!(refused(store.grant_request(grant).wait()), ErrorKind::LeaseExists { id: -9 });
}

#[test]
fn ttl_out_of_range() {
    let store = store();
    let grant = |ttl| store.grant_request(LeaseGrantRequest { ttl, id: 0 }).wait();
    for ttl in [9_000_000_001, i64::MAX] {
        let limit = 9_000_000_000;
        assert_eq!(refused(grant(ttl)), ErrorKind::LeaseTtlTooLarge { ttl, limit });
    }
    assert_eq!(
        refused(store.grant(Duration::MAX).wait()),
        ErrorKind::LeaseTtlTooLarge { ttl: i64::MAX, limit: 9_000_000_000 }
    );
    for ttl in [0, -5, i64::MIN, 1] {
        assert_eq!(grant(ttl).unwrap().ttl, 2, "raised to one and a half election timeouts");
    }
}

#[test]
fn too_many_ops() {
    let store = store();
    let many = |n| (0..n).fold(TxnRequest::new(), |txn, i| txn.then(PutRequest::new(format!("{i}"), "v")));
    assert_eq!(refused(store.txn(many(129)).wait()), ErrorKind::TooManyOps { limit: 128 });
    assert!(store.txn(many(128)).wait().unwrap().succeeded);
}

#[test]
fn value_too_large() {
    let store = store();
    let limit = 1536 * 1024;
    match refused(store.put("k", vec![0; 2 << 20]).wait()) {
        ErrorKind::TooLarge { size, limit: said } => assert!(size > 2 << 20 && said == limit),
        other => panic!("{other:?}"),
    }
    store.put("k", vec![0; limit - 100]).wait().unwrap();
}

#[test]
fn request_too_large() {
    let store = store();
    let part = |i: usize| PutRequest::new(format!("k{i}"), vec![0; 600 * 1024]);
    let txn = (0..3).fold(TxnRequest::new(), |txn, i| txn.then(part(i)));
    assert!(matches!(refused(store.txn(txn).wait()), ErrorKind::TooLarge { limit: 1_572_864, .. }));
    assert_eq!(store.get("k0").wait().unwrap(), None);
}

#[test]
fn published_too_large() {
    let node = Node::builder().tune(|config| config.limits.request_bytes = 1000).start().unwrap();
    let store = node.client();
    let long = "x".repeat(2000);
    store.publish(&long, [""]).wait().unwrap();
    let longer = "x".repeat(64 << 10);
    assert!(matches!(
        refused(store.publish("a", [longer]).wait()),
        ErrorKind::TooLarge { limit: 65_536, .. }
    ));
    assert_eq!(store.published_local()[0].name, long);
    store.publish("", Vec::<String>::new()).wait().unwrap();
    assert_eq!(store.published_local()[0].name, "");
}

#[test]
fn revision_in_the_future() {
    let store = store();
    store.put("k", "v").wait().unwrap();
    let future = ErrorKind::FutureRevision { requested: 99, current: 2 };
    assert_eq!(refused(store.range(RangeRequest::key("k").at(99)).wait()), future);
    assert_eq!(refused(store.compact(99).wait()), future);
    // A watch may wait for the future.
    let mut watch = store.watch(WatchRequest::key("k").from(4)).unwrap();
    store.put("k", "3").wait().unwrap();
    store.put("k", "4").wait().unwrap();
    let seen = watch.next_timeout(Duration::from_secs(20)).unwrap();
    let Some(kvorum::WatchItem::Events(events)) = seen else { panic!("{seen:?}") };
    assert_eq!(events[0].kv.as_ref().unwrap().mod_revision, 4);
}

#[test]
fn revision_compacted() {
    let store = store();
    for value in ["2", "3", "4"] {
        store.put("k", value).wait().unwrap();
    }
    store.compact(3).wait().unwrap();
    let gone = ErrorKind::Compacted { requested: 2, compacted: 3 };
    assert_eq!(refused(store.range(RangeRequest::key("k").at(2)).wait()), gone);
    assert_eq!(refused(store.compact(2).wait()), gone);
    let mut watch = store.watch(WatchRequest::key("k").from(2)).unwrap();
    match watch.next_wait().unwrap().unwrap_err().kind() {
        ErrorKind::Compacted { compacted: 3, .. } => {}
        other => panic!("{other:?}"),
    }
    assert!(watch.next_wait().is_none(), "a watch ends once");
}

#[test]
fn nested_too_deep() {
    let store = store();
    let deep = |n| {
        (0..n)
            .fold(TxnRequest::new().then(PutRequest::new("k", "v")), |inner, _| TxnRequest::new().then(inner))
    };
    assert_eq!(refused(store.txn(deep(17)).wait()), ErrorKind::NestedTooDeep { limit: 16 });
    assert!(store.txn(deep(16)).wait().unwrap().succeeded);
}

#[test]
fn key_written_twice() {
    let store = store();
    let twice = TxnRequest::new().then(PutRequest::new("k", "1")).then(PutRequest::new("k", "2"));
    assert_eq!(refused(store.txn(twice).wait()), ErrorKind::DuplicateKey);
}

#[test]
fn contradictory_request() {
    let store = store();
    let put = PutRequest { ignore_value: true, ..PutRequest::new("k", "v") };
    assert_eq!(refused(store.put_request(put).wait()), ErrorKind::ValueProvided);
    let put = PutRequest { ignore_lease: true, lease: 7, ..PutRequest::new("k", "v") };
    assert_eq!(refused(store.put_request(put).wait()), ErrorKind::LeaseProvided);
    let put = PutRequest { ignore_value: true, ..PutRequest::new("k", "") };
    assert_eq!(refused(store.put_request(put).wait()), ErrorKind::KeyNotFound);
    let nothing = TxnRequest::new().then(RequestOp { request: None });
    assert_eq!(refused(store.txn(nothing).wait()), ErrorKind::KeyNotFound);
    let sort = RangeRequest { sort_order: 9, ..RangeRequest::key("k") };
    assert_eq!(refused(store.range(sort).wait()), ErrorKind::InvalidSort);
}

#[test]
fn not_utf8() {
    let store = store();
    let key = [0xff, 0x00, 0xfe, b'\n'];
    store.put(key, [0x80, 0x00]).wait().unwrap();
    assert_eq!(&store.get(key).wait().unwrap().unwrap().value[..], [0x80, 0x00]);
    assert_eq!(store.range(RangeRequest::prefix([0xff])).wait().unwrap().count, 1);
}

#[test]
fn closed_session() {
    let node = alone();
    let store = block_on(node.client().open_session()).unwrap();
    store.put("k", "1").wait().unwrap();
    store.close_session().wait().unwrap();
    assert!(matches!(refused(store.put("k", "2").wait()), ErrorKind::SessionNotFound { id: 1.. }));
    assert_eq!(&node.client().get("k").wait().unwrap().unwrap().value[..], b"1");
}

// The cluster can't, now.

#[test]
fn quota_reached() {
    let node = Node::builder().quota_bytes(10_000).start().unwrap();
    let store = node.client();
    let mut written = 0;
    let full = loop {
        match store.put(format!("k{written}"), [0; 500]).wait() {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full.outcome(), Outcome::NotApplied);
    assert!(matches!(full.kind(), ErrorKind::NoSpace { used, quota: 10_000 } if *used > 10_000));
    assert!(node.status().no_space);
    for i in 0..written {
        assert!(store.get(format!("k{i}")).wait().unwrap().is_some(), "reads still work");
    }
    let revision = store.delete_request(DeleteRangeRequest::prefix("k")).wait().unwrap();
    store.compact(revision.header.unwrap().revision).wait().unwrap();
    store.lift_no_space().wait().unwrap();
    store.put("k", "again").wait().unwrap();
}

#[test]
fn no_majority() {
    let network = MemoryNetwork::new();
    let node = member(1, &network).request_timeout(Duration::from_millis(300)).start().unwrap();
    assert_eq!(refused(node.client().put("k", "v").wait()), ErrorKind::NoLeader);
    assert_eq!(refused(node.client().get("k").wait()), ErrorKind::NoLeader);
    assert_eq!(node.client().get_local("k").unwrap(), None, "its own state needs nobody");
}

#[test]
fn too_many_waiting() {
    let network = MemoryNetwork::new();
    let node = member(1, &network).tune(|config| config.limits.pending = 1).start().unwrap();
    let first = node.client().put("k", "1");
    assert_eq!(refused(node.client().put("k", "2").wait()), ErrorKind::Overloaded);
    drop(first);
}

#[test]
fn leadership_to_nobody() {
    let network = MemoryNetwork::new();
    let nodes = three(&network);
    let leads = leader(&nodes);
    match refused(nodes[leads].client().transfer_leadership(9).wait()) {
        ErrorKind::Config { reason } => assert!(reason.contains('9')),
        other => panic!("{other:?}"),
    }
    let other = nodes[(leads + 1) % 3].client();
    assert!(matches!(refused(other.transfer_leadership(1).wait()), ErrorKind::NotLeader { leader: 1..=3 }));
}

#[test]
fn stopped_node() {
    let node = alone();
    let store = node.client();
    store.put("k", "v").wait().unwrap();
    let lease = block_on(store.lease(Duration::from_secs(60))).unwrap();
    let mut watch = store.watch(WatchRequest::key("k")).unwrap();
    node.stop();
    assert_eq!(refused(store.put("k", "w").wait()), ErrorKind::Stopped);
    assert_eq!(refused(store.get("k").wait()), ErrorKind::Stopped);
    assert_eq!(refused(store.keep_alive(lease.id()).wait()), ErrorKind::Stopped);
    assert_eq!(*watch.next_wait().unwrap().unwrap_err().kind(), ErrorKind::Stopped);
    assert!(lease.is_lost(), "nobody renews it any more");
    assert!(store.keep(lease.id(), lease.ttl()).is_lost());
    let mut late = store.watch(WatchRequest::key("k")).unwrap();
    assert_eq!(*late.next_wait().unwrap().unwrap_err().kind(), ErrorKind::Stopped);
}

#[test]
fn stopped_with_requests_under_way() {
    let network = MemoryNetwork::new();
    let lonely = member(1, &network).start().unwrap();
    let never_sent = lonely.client().put("k", "v");
    lonely.stop();
    assert_eq!(refused(never_sent.wait()), ErrorKind::Stopped);

    let network = MemoryNetwork::new();
    let mut nodes = three(&network);
    let leads = leader(&nodes);
    let node = nodes.remove(leads);
    let me = node.status().node;
    [1, 2, 3].iter().filter(|id| **id != me).for_each(|id| network.cut(me, *id));
    let proposed = node.client().put("k", "v");
    // Taken in and proposed: a later answer of the same node says so.
    eventually("the proposal", || node.status().raft.last_index > node.status().raft.commit);
    node.stop();
    let error = proposed.wait().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::Stopped, Outcome::Unknown));
}

#[test]
fn dropped_runtime() {
    let node = alone();
    let store = node.client();
    // An answer that nobody waits for: the request was sent all the same.
    drop(store.put("dropped", "v"));
    eventually("the write that nobody waits for", || store.get("dropped").wait().unwrap().is_some());
    // An executor that is dropped in the middle of it, and another one that goes on. On a busy machine a write may
    // be done before it is first polled: that one has no middle, another is tried.
    let begun = std::iter::from_fn(|| {
        let mut answer = Box::pin(store.put("moved", "v"));
        let polled = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        Some(polled.is_pending().then_some(answer))
    });
    let answer = begun.take(10_000).flatten().next().expect("a write that is under way");
    std::thread::spawn(move || block_on(answer)).join().unwrap().unwrap();
    assert!(store.get("moved").wait().unwrap().is_some());
    // A lock that nobody waits for any more is not taken behind its owner's back.
    let held = block_on(async {
        let lease = store.lease(Duration::from_secs(60)).await?;
        Result::Ok((kvorum::lock::lock(&store, "l", &lease).await?, lease))
    });
    let (held, _lease) = held.unwrap();
    let other = block_on(store.lease(Duration::from_secs(60))).unwrap();
    {
        let mut waiting = pin!(kvorum::lock::lock(&store, "l", &other));
        for _ in 0..20 {
            assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    block_on(held.unlock()).unwrap();
    eventually("the queue to be empty", || {
        store.range(RangeRequest::prefix("l/")).wait().unwrap().count == 0
    });
    // A campaign, the same.
    let leads = block_on(kvorum::election::campaign(&store, "e", &_lease, "me")).unwrap();
    {
        let mut waiting = pin!(kvorum::election::campaign(&store, "e", &other, "other"));
        for _ in 0..20 {
            assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    block_on(leads.resign()).unwrap();
    eventually("no candidate", || block_on(kvorum::election::leader(&store, "e")).unwrap().is_none());
}

// The start.

fn wrong(builder: Builder, words: &str) {
    match refused(builder.start()) {
        ErrorKind::Config { reason } => assert!(reason.contains(words), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn peer_list_without_oneself() {
    wrong(Node::builder().id(4).peers([(1, "a:1"), (2, "b:1"), (3, "c:1")]), "do not name this member");
}

#[test]
fn contradictory_configuration() {
    wrong(Node::builder().id(0), "0 is not a node id");
    wrong(Node::builder().heartbeat(Duration::from_secs(1)), "5 heartbeats");
    wrong(Node::builder().heartbeat(Duration::MAX), "5 heartbeats");
    wrong(Node::builder().peers([(1, "a:1"), (2, "b:1"), (2, "c:1")]), "twice");
    wrong(Node::builder().peers([(1, "a:1"), (2, "b")]), "host:port");
    wrong(Node::builder().peers([(1, "a:1"), (2, "a:1")]), "same address");
    wrong(Node::builder().election_timeout(Duration::from_secs(51)), "50 s");
    wrong(Node::builder().tune(|config| config.limits.request_bytes = 61 << 20), "60 MiB");
    let small = TcpOptions { max_frame: 1 << 20, ..TcpOptions::default() };
    let small = TcpTransport::with_options("127.0.0.1:0", [(2, "127.0.0.1:1".into())].into(), small);
    let two = [(1, "127.0.0.1:0"), (2, "127.0.0.1:1")];
    wrong(Node::builder().peers(two).transport(small), "carries messages of 1048576 bytes");
    wrong(Node::builder().peers([(1, ""), (2, "b:1")]), "address to listen on");
}

#[test]
fn wrong_peer_address() {
    let peers = [(1, "127.0.0.1:0"), (2, "no-such-host.invalid:1"), (3, "127.0.0.1:1")];
    let node = Node::builder().peers(peers).request_timeout(Duration::from_millis(300)).start().unwrap();
    assert_eq!(refused(node.client().put("k", "v").wait()), ErrorKind::NoLeader);
}

fn listens_in_vain(builder: Builder, address: &str) {
    match refused(builder.start()) {
        ErrorKind::Io { action, .. } => assert!(action.contains(address), "{action}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn wrong_listen_address() {
    let peers = [(1, "192.0.2.1:7001"), (2, "b:1")];
    listens_in_vain(Node::builder().peers(peers), "192.0.2.1:7001");
    listens_in_vain(Node::builder().peers(peers).listen("nonsense"), "nonsense");
}

#[test]
fn port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let scratch = Scratch::new("port");
    let builder =
        || Node::builder().data_dir(scratch.path()).peers([(1, address.clone()), (2, "b:1".into())]);
    listens_in_vain(builder(), &address);
    drop(taken);
    drop(builder().start().expect("port and directory are free again"));
}

#[test]
fn directory_in_use() {
    let scratch = Scratch::new("in-use");
    let node = Node::builder().data_dir(scratch.path()).start().unwrap();
    match refused(Node::builder().data_dir(scratch.path()).start()) {
        ErrorKind::DirectoryInUse { path } => assert!(path.contains("in-use"), "{path}"),
        other => panic!("{other:?}"),
    }
    node.client().put("k", "v").wait().unwrap();
    node.stop();
    let node = Node::builder().data_dir(scratch.path()).start().unwrap();
    assert!(node.client().get("k").wait().unwrap().is_some());
}

#[test]
fn directory_that_cannot_be() {
    let scratch = Scratch::new("file");
    std::fs::write(scratch.path(), "a file").unwrap();
    let refused = refused(Node::builder().data_dir(scratch.path().join("below")).start());
    assert!(matches!(&refused, ErrorKind::Io { action, .. } if action.contains("below")), "{refused:?}");
    std::fs::remove_file(scratch.path()).unwrap();
}

#[test]
fn directory_of_another_member() {
    let scratch = Scratch::new("member");
    Node::builder().data_dir(scratch.path()).start().unwrap().client().put("k", "v").wait().unwrap();
    let other = Node::builder().id(2).data_dir(scratch.path()).start();
    assert_eq!(refused(other), ErrorKind::WrongMember { expected: 2, found: 1 });
    let node = Node::builder().data_dir(scratch.path()).start().unwrap();
    assert!(node.client().get("k").wait().unwrap().is_some(), "its own member still finds everything");
}

#[test]
fn directory_of_another_cluster() {
    let scratch = Scratch::new("cluster");
    drop(Node::builder().data_dir(scratch.path()).start().unwrap());
    let named = Node::builder().data_dir(scratch.path()).cluster_name("other").start();
    let grown = Node::builder().data_dir(scratch.path()).peers([(1, "127.0.0.1:0"), (2, "b:1")]).start();
    for kind in [refused(named), refused(grown)] {
        assert!(matches!(kind, ErrorKind::WrongCluster { expected, found } if expected != found));
    }
}

// The disk.

#[test]
fn damaged_log() {
    let disk = FaultyDisk::new(1);
    let node = on(&disk).start().unwrap();
    (0..20).for_each(|i| drop(node.client().put(format!("k{i}"), [7; 100]).wait().unwrap()));
    node.stop();
    let log = disk.files().into_iter().find(|(name, _)| name.starts_with("log-")).unwrap();
    disk.flip(&log.0, 512 + 100, 3);
    match refused(on(&disk).start()) {
        ErrorKind::Corrupt { path, offset, .. } => assert!(path.contains(&log.0) && offset >= 512),
        other => panic!("{other:?}"),
    }
    disk.flip(&log.0, 512 + 100, 3);
    let node = on(&disk).start().expect("nothing was changed by the attempt");
    assert!(node.client().get("k19").wait().unwrap().is_some());
}

#[test]
fn damaged_image() {
    let disk = FaultyDisk::new(2);
    let keys = fill(&disk);
    let [older, newest] = &images(&disk)[..] else { panic!("{:?}", images(&disk)) };
    disk.flip(newest, 200, 0);
    let node = on(&disk).start().expect("the older image stands in");
    for i in 0..keys {
        assert!(node.client().get(format!("k{i}")).wait().unwrap().is_some(), "k{i} was acknowledged");
    }
    node.stop();
    disk.flip(older, 200, 0);
    match refused(on(&disk).start()) {
        ErrorKind::Corrupt { path, .. } => assert!(path.contains("image-"), "{path}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn full_disk() {
    let disk = FaultyDisk::new(3);
    let node = on(&disk).start().unwrap();
    let store = node.client();
    let lease = block_on(store.lease(Duration::from_secs(60))).unwrap();
    let mut watch = store.watch(WatchRequest::prefix("k").from(1)).unwrap();
    let used: usize = disk.files().values().map(Vec::len).sum();
    disk.set_capacity(Some(used as u64 + 20_000));
    let mut written = 0;
    let error = loop {
        match store.put(format!("k{written}"), [7; 100]).wait() {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind(), ErrorKind::Halted { reason } if reason.contains("disk")), "{error}");
    eventually("the reason in the status", || node.status().raft.halted.is_some());
    assert!(matches!(refused(store.put("k", "v").wait()), ErrorKind::Halted { .. }));
    assert!(matches!(refused(store.get("k0").wait()), ErrorKind::Halted { .. }));
    eventually("the lease's handle to say that nobody renews it", || lease.is_lost());
    let another = store.keep(lease.id(), lease.ttl());
    eventually("a new handle to say the same", || another.is_lost());
    let end = watch.iter().find_map(Result::err).unwrap();
    assert!(matches!(end.kind(), ErrorKind::Halted { .. }), "{end}");
    node.stop();
    disk.set_capacity(None);
    let node = on(&disk).start().expect("with space, it goes on");
    for i in 0..written {
        assert!(node.client().get(format!("k{i}")).wait().unwrap().is_some(), "k{i} was acknowledged");
    }
    // Whether the disk failed under this write (it may be there), or under an image just before it.
    if error.outcome() == Outcome::NotApplied {
        assert_eq!(node.client().get(format!("k{written}")).wait().unwrap(), None);
    }
}

#[test]
fn lost_disk() {
    let network = MemoryNetwork::new();
    let mut nodes = three(&network);
    let client = nodes[0].client();
    client.put("k", "all three know of it").wait().unwrap();
    eventually("the third to have it", || nodes[2].client().get_local("k").unwrap().is_some());
    drop(nodes.remove(2));
    client.put("k", "v").wait().unwrap();
    let forgetful = member(3, &network).start().unwrap();
    eventually("the member that forgot to be told so", || forgetful.status().raft.halted.is_some());
    match refused(forgetful.client().get("k").wait()) {
        // Whichever of the two is noticed first.
        ErrorKind::Halted { reason } => {
            assert!(reason.contains("data directory") || reason.contains("lost part of the log"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    client.put("k", "the others go on").wait().unwrap();
}

// The tables.

#[test]
fn the_table_and_the_tests_name_the_same_rows() {
    let tests: BTreeSet<&str> = include_str!("bad_input.rs")
        .split("#[test]\nfn ")
        .skip(1)
        .filter_map(|rest| rest.split('(').next())
        .filter(|name| !name.starts_with("the_table"))
        .collect();
    assert_eq!(rows("## Bad input"), tests, "docs/ERRORS.md (left) and tests/bad_input.rs (right) differ");
}

#[test]
fn the_table_names_every_kind_of_error() {
    let source = include_str!("../core/src/error.rs");
    let (_, body) = source.split_once("pub enum ErrorKind {").unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let variants = body.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?;
        name.starts_with(|c: char| c.is_ascii_uppercase()).then(|| name.trim_end_matches([',', ' ', '{']))
    });
    assert_eq!(rows("## Every kind of error"), variants.collect(), "docs/ERRORS.md (left), error.rs (right)");
}

/// The names in the first column of the table under a heading.
fn rows(heading: &str) -> BTreeSet<&'static str> {
    let (_, section) = TABLES.split_once(heading).unwrap_or_else(|| panic!("no {heading:?} in ERRORS.md"));
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}
