//! One leader at a time, among three services that each embed a node.
//!
//! (This is about the leader of *your* service, which you may elect for any task. The store's own leader is
//! kvorum's business.)
//!
//! Look for: each service leads once, with a higher token than the one before; the first resigns and is
//! followed at once, the second dies without a word and is followed when its lease has run out; the observer
//! sees all three in the same order.

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use kvorum::request::RangeRequest;
use kvorum::transports::MemoryNetwork;
use kvorum::{Client, Node, Wait, election};

const NAME: &str = "scheduler";

/// What a service does once it leads.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Resign,
    Die,
}

/// Who came to lead, and with which token.
type Reign = (&'static str, i64);

fn main() -> kvorum::Result<()> {
    let network = MemoryNetwork::new();
    let peers = [1, 2, 3].map(|id| (id, ""));
    let start = |(id, _)| Node::builder().id(id).peers(peers).transport(network.transport()).start();
    let nodes = peers.into_iter().map(start).collect::<kvorum::Result<Vec<_>>>()?;

    let (seen, observed) = channel();
    let client = nodes[2].client();
    let observer = thread::spawn(move || observe(&client, &seen));
    let (reigns, told) = channel();
    let roles = [("ann", End::Resign), ("bob", End::Die), ("cid", End::Resign)];
    let mut services = Vec::new();
    for (node, (name, end)) in nodes.iter().zip(roles) {
        let (client, reigns) = (node.client(), reigns.clone());
        let service = thread::spawn(move || serve(&client, name, end, &reigns));
        // They queue in the order in which they ask. That each waits until the one before has asked is only
        // so that this example always tells the same story.
        while !(has_asked(&node.client(), name)? || service.is_finished()) {
            thread::sleep(Duration::from_millis(5));
        }
        services.push(service);
    }
    for service in services {
        service.join().expect("it does not panic")?;
    }
    let reigns: Vec<Reign> = told.try_iter().collect();
    assert_eq!(reigns.iter().map(|reign| reign.0).collect::<Vec<_>>(), ["ann", "bob", "cid"]);
    assert!(reigns.windows(2).all(|pair| pair[0].1 < pair[1].1), "every later leader has a higher token");
    // The nodes stop, and with them the observer's watch.
    drop(nodes);
    observer.join().expect("it does not panic");
    let observed: Vec<(String, i64)> = observed.try_iter().collect();
    let reigns: Vec<(String, i64)> = reigns.into_iter().map(|(name, token)| (name.into(), token)).collect();
    assert_eq!(observed, reigns, "the observer has seen the same leaders");
    println!("the observer has seen the same three leaders in the same order");
    Ok(())
}

/// Whether the service called `name` leads, or waits for it.
fn has_asked(client: &Client, name: &str) -> kvorum::Result<bool> {
    let all = client.range(RangeRequest::prefix(format!("{NAME}/"))).wait()?;
    Ok(all.kvs.iter().any(|kv| kv.value == name))
}

/// Waits to lead, leads for a moment, and makes room.
fn serve(client: &Client, name: &'static str, end: End, reigns: &Sender<Reign>) -> kvorum::Result<()> {
    let lease = client.lease(Duration::from_secs(2)).wait()?;
    let asked = Instant::now();
    let leadership = election::campaign(client, NAME, &lease, name).wait()?;
    let token = leadership.token();
    println!("{name} leads after {:.1} s, with token {token}", asked.elapsed().as_secs_f64());
    reigns.send((name, token)).expect("somebody listens");
    thread::sleep(Duration::from_millis(500));
    match end {
        End::Resign => {
            println!("{name} resigns");
            leadership.resign().wait()?;
            lease.revoke().wait()?;
        }
        End::Die => println!("{name} dies: its lease is not renewed any more"),
    }
    Ok(())
}

/// Tells who leads, until the node stops.
fn observe(client: &Client, seen: &Sender<(String, i64)>) {
    let mut observer = match election::observe(client, NAME) {
        Ok(observer) => observer,
        Err(error) => return println!("observer: {error}"),
    };
    while let Ok(leader) = observer.next().wait() {
        let name = String::from_utf8_lossy(&leader.value).into_owned();
        println!("observer: {name} leads");
        seen.send((name, leader.create_revision)).expect("somebody listens");
    }
}
