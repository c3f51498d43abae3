//! The leader's process is killed: how long until the next write is committed?

use std::io::BufRead as _;
use std::time::{Duration, Instant};

use kvorum::Node;

use crate::Options;
use crate::child::{Talker, say};
use crate::cluster::addresses;
use crate::measure::Spread;
use crate::table::Row;

/// The default of the builder.
const ELECTION_TIMEOUT: f64 = 1000.0;

pub(crate) fn failover(options: &Options) -> Row {
    let dir = options.dir.join("failover");
    let _ = std::fs::remove_dir_all(&dir);
    let peers: Vec<String> =
        addresses(3).into_iter().map(|(id, address)| format!("{id}={address}")).collect();
    let peers = peers.join(",");
    let place = |id: usize| dir.join(id.to_string()).display().to_string();
    let start = |id: usize| Talker::start(&["member", &id.to_string(), &place(id), &peers]);
    let mut members: Vec<Talker> = (1..=3).map(start).collect();
    let mut times = Vec::new();
    for round in 0..options.scale(15, 7) as usize {
        let leader = leader(&mut members);
        members[leader].kill();
        let killed = Instant::now();
        // In turn the one and the other of those left.
        let survivor = (leader + 1 + round % 2) % 3;
        put(&mut members[survivor]);
        times.push(killed.elapsed().as_secs_f64() * 1e3);
        members[leader] = start(leader + 1);
        put(&mut members[leader]);
    }
    drop(members);
    let _ = std::fs::remove_dir_all(&dir);
    let time = Spread::of(times);
    Row::new(
        "leader killed (SIGKILL) to next commit",
        "≤ 1.5 × election timeout at the median",
        format!("{:.0} ms ({:.0}–{:.0})", time.median, time.least, time.most),
        time.median <= 1.5 * ELECTION_TIMEOUT,
        format!("election timeout {ELECTION_TIMEOUT:.0} ms, heartbeat 100 ms"),
    )
}

fn leader(members: &mut [Talker]) -> usize {
    loop {
        let found = members.iter_mut().position(|member| {
            member.tell("leads");
            member.hear().trim() == "true"
        });
        match found {
            Some(leader) => return leader,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn put(member: &mut Talker) {
    member.tell("put");
    assert_eq!(member.hear().trim(), "true", "a survivor commits");
}

pub(crate) fn child_member(id: u64, dir: &str, peers: &str) {
    let peers = peers.split(',').map(|peer| {
        let (id, address) = peer.split_once('=').expect("id=address");
        (id.parse::<u64>().expect("an id"), address.to_owned())
    });
    let node = Node::builder().id(id).peers(peers).data_dir(dir).start().expect("a member starts");
    let client = node.client();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.as_str() {
            "leads" => say(node.status().is_leader()),
            "put" => say(until_done(|| client.put("failover", "v").wait().is_ok())),
            _ => return,
        }
    }
}

fn until_done(mut act: impl FnMut() -> bool) -> bool {
    (0..10).any(|_| act())
}
