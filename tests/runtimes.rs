//! The same program on tokio, on smol, and on plain threads: kvorum's handles need no particular runtime.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use kvorum::request::{Event, EventKind, PutRequest, WatchRequest};
use kvorum::transports::MemoryNetwork;
use kvorum::{Client, Node, Result, Wait, Watch, WatchItem, block_on, lock};

/// Three nodes in this process.
fn cluster() -> Vec<Node> {
    let network = MemoryNetwork::new();
    let peers = [1, 2, 3].map(|id| (id, ""));
    let start = |(id, _)| {
        let node = Node::builder().id(id).peers(peers).transport(network.transport());
        let node = node.heartbeat(Duration::from_millis(20)).election_timeout(Duration::from_millis(200));
        node.start().unwrap()
    };
    peers.map(start).into()
}

/// The next item of any stream, as a runtime's own combinators would take it.
async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

fn values(events: &[Event]) -> Vec<Option<String>> {
    let value = |event: &Event| {
        let kv = event.kv.as_ref().unwrap();
        let is_put = event.kind == EventKind::Put as i32;
        is_put.then(|| String::from_utf8(kv.value.to_vec()).unwrap())
    };
    events.iter().map(value).collect()
}

/// What every variant's watch must see, in this order.
fn expected() -> Vec<Option<String>> {
    let puts = (0..10).map(|number| Some(number.to_string()));
    puts.chain([Some("leased".to_owned()), None]).collect()
}

/// The program, in asynchronous words.
async fn program(one: Client, two: Client) -> Result<()> {
    let mut watch = two.watch(WatchRequest::prefix("k/").from(1))?;
    for number in 0..10 {
        one.put(format!("k/{number}"), number.to_string()).await?;
    }
    let read = two.get("k/9").await?.expect("it was written through the other node");
    assert_eq!(&read.value[..], b"9");

    let lease = one.lease(Duration::from_secs(10)).await?;
    one.put_request(PutRequest::new("k/leased", "leased").with_lease(lease.id())).await?;
    let guard = lock::lock(&one, "lock", &lease).await?;
    let rival = two.lease(Duration::from_secs(10)).await?;
    assert!(lock::try_lock(&two, "lock", &rival).await?.is_none(), "only one can hold it");
    let token = guard.token();
    guard.unlock().await?;
    assert!(lock::lock(&two, "lock", &rival).await?.token() > token);
    lease.revoke().await?;
    assert!(one.get("k/leased").await?.is_none(), "its key went with the lease");

    let mut seen = Vec::new();
    while seen.len() < expected().len() {
        if let WatchItem::Events(events) = next(&mut watch).await.expect("a watch goes on")? {
            seen.extend(values(&events));
        }
    }
    assert_eq!(seen, expected());
    Ok(())
}

/// The same program in the words of threads.
fn program_of_threads(one: Client, two: Client) -> Result<()> {
    let mut watch = two.watch(WatchRequest::prefix("k/").from(1))?;
    let writer = one.clone();
    let writer = std::thread::spawn(move || {
        (0..10).try_for_each(|n| writer.put(format!("k/{n}"), n.to_string()).wait().map(|_| ()))
    });
    writer.join().expect("it does not panic")?;
    let read = two.get("k/9").wait()?.expect("it was written through the other node");
    assert_eq!(&read.value[..], b"9");

    let lease = one.lease(Duration::from_secs(10)).wait()?;
    one.put_request(PutRequest::new("k/leased", "leased").with_lease(lease.id())).wait()?;
    let guard = lock::lock(&one, "lock", &lease).wait()?;
    let rival = two.lease(Duration::from_secs(10)).wait()?;
    assert!(lock::try_lock(&two, "lock", &rival).wait()?.is_none(), "only one can hold it");
    let token = guard.token();
    guard.unlock().wait()?;
    assert!(lock::lock(&two, "lock", &rival).wait()?.token() > token);
    lease.revoke().wait()?;
    assert!(one.get("k/leased").wait_timeout(Duration::from_secs(10))?.is_none(), "its key went with it");

    let mut seen = Vec::new();
    for item in watch.iter() {
        if let WatchItem::Events(events) = item? {
            seen.extend(values(&events));
        }
        if seen.len() >= expected().len() {
            break;
        }
    }
    assert_eq!(seen, expected());
    Ok(())
}

fn run(execute: impl FnOnce(Pin<Box<dyn Future<Output = Result<()>> + Send>>) -> Result<()>) {
    let nodes = cluster();
    execute(Box::pin(program(nodes[0].client(), nodes[1].client()))).unwrap();
}

#[test]
fn on_tokio() {
    run(|program| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async { tokio::spawn(program).await.unwrap() })
    });
}

#[test]
fn on_one_thread_of_tokio() {
    run(|program| tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(program));
}

#[test]
fn on_smol() {
    run(|program| smol::block_on(smol::spawn(program)));
}

#[test]
fn on_nothing_but_our_own_block_on() {
    run(block_on);
}

#[test]
fn on_plain_threads() {
    let nodes = cluster();
    program_of_threads(nodes[0].client(), nodes[1].client()).unwrap();
}

#[test]
fn a_runtime_that_is_dropped_takes_its_tasks_along_and_nothing_else() {
    let nodes = cluster();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let mut watch: Watch = nodes[0].client().watch(WatchRequest::key("k").from(1)).unwrap();
    let client = nodes[0].client();
    runtime.spawn(async move { next(&mut watch).await });
    runtime.spawn(async move { client.put("other", "v").await });
    runtime.shutdown_background();
    nodes[1].client().put("k", "v").wait().unwrap();
    let seen: BTreeMap<u64, bool> = nodes
        .iter()
        .map(|node| (node.status().node, node.client().get("k").wait().unwrap().is_some()))
        .collect();
    assert!(seen.into_values().all(|is_there| is_there));
}
