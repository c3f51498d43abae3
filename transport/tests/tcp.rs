//! Members that mean well, over TCP.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use common::*;
use kvorum_core::ErrorKind;
use kvorum_core::transport::{Body, Inbox, Incoming, Transport};
use kvorum_transport::{TcpOptions, TcpTransport};

#[test]
fn two_members_talk_both_ways() {
    let (mut one, mut two) = two(quick());
    one.say(2, 11);
    two.say(1, 22);
    assert_eq!(two.hear(), message(1, 2, 11, Bytes::new()));
    assert_eq!(one.hear(), message(2, 1, 22, Bytes::new()));
}

#[test]
fn three_members_hear_who_speaks_to_them() {
    let mut all: Vec<Member> = (1..=3).map(|id| Member::start(id, &[], quick())).collect();
    let addresses: Vec<(u64, String)> = all.iter().map(|m| (m.id, m.address.clone())).collect();
    for member in &all {
        addresses.iter().for_each(|(id, at)| member.handle.set_peer(*id, at).expect("set_peer"));
    }
    for member in &mut all {
        assert_eq!(member.handle.peers_status().len(), 2, "the member itself is no peer");
        (1..=3).for_each(|to| member.say(to, member.id * 10 + to));
    }
    for member in &all {
        let mut heard = [number(&member.hear()), number(&member.hear())];
        heard.sort_unstable();
        let mut want: Vec<u64> =
            (1..=3).filter(|id| *id != member.id).map(|id| id * 10 + member.id).collect();
        want.sort_unstable();
        assert_eq!(heard[..], want[..]);
    }
}

#[test]
fn order_is_kept_on_a_connection() {
    let (mut one, two) = two(quick());
    for n in 0..10_000 {
        one.say(2, n);
    }
    for n in 0..10_000 {
        assert_eq!(number(&two.hear()), n);
    }
    until("all counted as sent", || one.handle.peers_status()[&2].sent == 10_000);
    assert_eq!(two.handle.peers_status()[&1].received, 10_000);
}

#[test]
fn large_messages_arrive_whole() {
    let (mut one, two) = two(TcpOptions::default());
    for (n, size) in [(1, 1 << 20), (2, 40 << 20), (3, 10), (4, (64 << 20) - 100)] {
        let data = Bytes::from(vec![n as u8; size]);
        one.transport.send(message(1, 2, n, data.clone()));
        let heard = two.hear();
        let Some(Body::Raft(raft)) = heard.body else { panic!("{heard:?}") };
        assert!(raft.index == n && raft.entries[0].data == data);
    }
}

#[test]
fn one_over_the_limit_is_dropped_and_the_rest_goes_on() {
    let (mut one, two) = two(TcpOptions { max_frame: 1 << 20, ..quick() });
    one.transport.send(message(1, 2, 1, chunk(1, 1 << 20)));
    one.say(2, 2);
    assert_eq!(number(&two.hear()), 2);
    assert_eq!(one.handle.peers_status()[&2].dropped, 1);
}

#[test]
fn a_peer_that_restarts_is_found_again() {
    let (mut one, mut two) = two(quick());
    let address = two.address.clone();
    for round in 0..3 {
        one.say(2, round);
        assert_eq!(number(&two.hear()), round);
        drop(two);
        let lost = wait_for(&one.inbox, |i| matches!(i, Incoming::Unreachable(_)));
        assert!(matches!(lost, Incoming::Unreachable(2)));
        two = Member::start_at(&address, 2, &[(1, &one.address)], quick());
        let before = one.handle.peers_status()[&2].connects;
        until("connected again", || {
            let status = &one.handle.peers_status()[&2];
            status.connected && status.connects >= before.max(round + 2)
        });
    }
    two.say(1, 99);
    assert_eq!(number(&one.hear()), 99);
}

#[test]
fn a_loss_is_told_once() {
    let one = Member::start(1, &[(2, NOWHERE)], quick());
    wait_for(&one.inbox, |i| matches!(i, Incoming::Unreachable(2)));
    // Many attempts later there is still no second word.
    let more = one.inbox.recv_timeout(Duration::from_millis(300));
    assert!(more.is_err(), "{more:?}");
}

#[test]
fn what_waits_is_bounded_and_the_oldest_goes() {
    // Nobody there yet, so that everything waits.
    let address = free_address();
    let mut one = Member::start(1, &[(2, &address)], TcpOptions { queue_frames: 10, ..quick() });
    (0..100).for_each(|n| one.say(2, n));
    let status = one.handle.peers_status()[&2].clone();
    assert_eq!((status.queued, status.dropped), (10, 90));
    let two = Member::start_at(&address, 2, &[(1, NOWHERE)], quick());
    for n in 90..100 {
        assert_eq!(number(&two.hear()), n);
    }
}

#[test]
fn sending_never_waits_for_a_peer_that_does_not_read() {
    let (mut one, two) = two(TcpOptions { queue_bytes: 4 << 20, ..quick() });
    drop(two);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    one.handle.set_peer(2, listener.local_addr().unwrap()).unwrap();
    let data = chunk(1, 1 << 20);
    (0..200).for_each(|n| one.transport.send(message(1, 2, n, data.clone())));
    let status = one.handle.peers_status()[&2].clone();
    assert!(status.queued_bytes <= 4 << 20 && status.dropped >= 190, "{status:?}");
}

#[test]
fn wrong_addresses_are_tried_and_told() {
    // The resolver refuses this name without asking the network.
    let peers = [(2, "no..such..host:1"), (3, "not an address"), (4, NOWHERE)];
    let one = Member::start(1, &peers, quick());
    until("each has failed", || one.handle.peers_status().values().all(|s| s.last_error.is_some()));
    let three = Member::start(3, &[(1, &one.address)], quick());
    one.handle.set_peer(3, &three.address).unwrap();
    until("the mended one is connected", || one.handle.peers_status()[&3].connected);
}

#[test]
fn who_refuses_is_told_with_the_reason() {
    let one = Member::start(1, &[], quick());
    let two = Member::start(2, &[(1, &one.address)], quick());
    until("a stranger is refused", || {
        let why = two.handle.peers_status()[&1].last_error.clone();
        why.is_some_and(|why| why.contains("the peer does not know this member"))
    });
    // The same address, for another member.
    two.handle.set_peer(7, &one.address).unwrap();
    until("the wrong member is refused", || {
        let why = two.handle.peers_status()[&7].last_error.clone();
        why.is_some_and(|why| why.contains("another member listens at this address"))
    });
    one.handle.set_peer(2, &two.address).unwrap();
    until("connected once it is known", || two.handle.peers_status()[&1].connected);
    one.handle.remove_peer(2);
    until("and not any more", || !two.handle.peers_status()[&1].connected);
}

#[test]
fn an_address_in_use_is_a_typed_error() {
    let one = Member::start(1, &[], quick());
    let mut other = TcpTransport::new(&one.address, BTreeMap::new());
    let error = other.start(local(2), Inbox::new(|_| true)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { action, .. } if action.contains(&one.address)));
    let idle = Duration::from_millis(1);
    let options = TcpOptions { idle_timeout: idle, ..quick() };
    let mut odd = TcpTransport::with_options("127.0.0.1:0", BTreeMap::new(), options);
    let error = odd.start(local(2), Inbox::new(|_| true)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Config { .. }));
}

#[test]
fn an_idle_connection_stays() {
    let (mut one, two) = two(quick());
    until("connected", || one.handle.peers_status()[&2].connected);
    let connects = one.handle.peers_status()[&2].connects;
    // Twice the idle time-out without a message.
    let quiet = two.inbox.recv_timeout(Duration::from_millis(1600));
    assert!(!matches!(quiet, Ok(Incoming::Message(_))));
    one.say(2, 1);
    assert_eq!(number(&two.hear()), 1);
    assert_eq!(one.handle.peers_status()[&2].connects, connects);
}
