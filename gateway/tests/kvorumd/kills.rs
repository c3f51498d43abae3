//! Servers that are killed under load, again and again: what was acknowledged is there afterwards, and who watches and
//! resumes sees everything once and in order.
//!
//! `KVORUM_KILLS`: how often each (5 times without it).

use crate::load::Load;
use crate::members::Three;
use crate::process::{READY, Scratch, Server, alone, client_url};

/// Writers and watchers.
const CLIENTS: (usize, usize) = (4, 2);
/// How many writes are acknowledged between two of a server's ends.
const BETWEEN: usize = 40;

fn kills() -> usize {
    std::env::var("KVORUM_KILLS").map_or(5, |number| number.parse().expect("KVORUM_KILLS is a number"))
}

#[test]
fn one_server_that_is_killed_loses_nothing_that_it_acknowledged() {
    let scratch = Scratch::new();
    let flags = alone(&scratch);
    let mut server = Server::ready(&flags);
    let load = Load::start(&[client_url(&flags)], CLIENTS.0, CLIENTS.1);
    for _ in 0..kills() {
        load.more(BETWEEN);
        server.kill();
        server = Server::ready(&flags);
    }
    load.more(BETWEEN);
    check(load, "one server");
    server.stop();
}

#[test]
fn three_servers_that_are_killed_one_by_one_lose_nothing_that_they_acknowledged() {
    let mut three = Three::start(&[]);
    let urls: Vec<String> = three.flags.iter().map(|flags| client_url(flags)).collect();
    let load = Load::start(&urls, CLIENTS.0, CLIENTS.1);
    let mut leaders = 0;
    for round in 0..kills() {
        load.more(BETWEEN);
        // The leader every other time; else one after the other, which may be the leader, too.
        let leader = load.leader();
        let who = leader.filter(|_| round % 2 == 0).unwrap_or(round / 2 % 3);
        leaders += usize::from(leader == Some(who));
        three.servers.remove(who).kill();
        load.more(BETWEEN);
        let mut back = Server::start(&three.flags[who]);
        back.until(READY);
        three.servers.insert(who, back);
    }
    load.more(BETWEEN);
    check(load, &format!("three servers, the leader {leaders} times"));
    three.servers.into_iter().for_each(Server::stop);
}

fn check(mut load: Load, who: &str) {
    let (acknowledged, watched) = load.end();
    for watched in &watched {
        // Every revision is one write of one key.
        let revisions: Vec<i64> = watched.events.iter().map(|write| write.0).collect();
        let expected: Vec<i64> = (2..).take(revisions.len()).collect();
        assert_eq!(revisions, expected, "every revision once and in order");
        for write in &acknowledged {
            assert_eq!(
                watched.events.get(write.0 as usize - 2),
                Some(write),
                "what was acknowledged was seen"
            );
        }
    }
    assert_eq!(load.missing(&acknowledged), [], "what was acknowledged is there");
    let (kills, writes, resumed) =
        (kills(), acknowledged.len(), watched.iter().map(|watched| watched.resumed).collect::<Vec<_>>());
    let events = watched[0].events.len();
    eprintln!(
        "{who}: {kills} kills, {writes} writes acknowledged, {events} seen, watches resumed {resumed:?} times"
    );
}
