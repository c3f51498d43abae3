//! Images over TCP: every transfer ends in one word, and a yes means that it is stored.

mod common;

use bytes::Bytes;
use common::*;
use kvorum_core::transport::{Incoming, Transport};

const CHUNK: usize = 1 << 20;

#[test]
fn twenty_megabytes_arrive_and_are_confirmed() {
    let (mut one, mut two) = two(quick());
    one.send_image(2, TestSource::new(42, 20, CHUNK));
    let (envelope, accept) = two.image_offer();
    assert_eq!(envelope, message(1, 2, 42, Bytes::new()));
    let (taker, fate) = receiver(None, false);
    assert!(accept.send(taker).is_ok());
    for n in 1..=20 {
        assert!(fate.recv_timeout(PATIENCE).unwrap() == Fate::Chunk(chunk(n, CHUNK)));
    }
    assert_eq!(fate.recv_timeout(PATIENCE).unwrap(), Fate::Finished);
    assert_eq!(one.image_sent(), (2, 42, true));
    // And the other way, with messages beside it.
    two.send_image(1, TestSource::new(43, 2, CHUNK));
    let (_, accept) = one.image_offer();
    one.say(2, 5);
    assert_eq!(number(&two.hear()), 5);
    let (taker, _fate) = receiver(None, false);
    assert!(accept.send(taker).is_ok());
    assert_eq!(two.image_sent(), (1, 43, true));
}

#[test]
fn one_that_the_node_does_not_want_is_let_go() {
    let (mut one, two) = two(quick());
    one.send_image(2, TestSource::new(1, 5, CHUNK));
    drop(two.image_offer());
    assert_eq!(one.image_sent(), (2, 1, false));
    let why = one.handle.peers_status()[&2].last_error.clone().unwrap();
    assert!(why.contains("the node did not accept the image"), "{why}");
}

#[test]
fn one_that_the_node_does_not_answer_is_let_go() {
    let (mut one, two) = two(quick());
    one.send_image(2, TestSource::new(1, 5, CHUNK));
    let (_, accept) = two.image_offer();
    assert_eq!(one.image_sent(), (2, 1, false));
    let (taker, fate) = receiver(None, false);
    drop(accept.send(taker));
    assert_eq!(fate.recv_timeout(PATIENCE).unwrap(), Fate::Dropped);
}

#[test]
fn an_error_of_the_receiver_in_the_middle_is_told() {
    let (mut one, two) = two(quick());
    for (at_chunk, at_finish) in [(Some(3), false), (None, true)] {
        one.send_image(2, TestSource::new(1, 8, CHUNK));
        let (_, accept) = two.image_offer();
        let (taker, ended) = receiver(at_chunk, at_finish);
        assert!(accept.send(taker).is_ok());
        assert_eq!(one.image_sent(), (2, 1, false));
        assert_eq!(fate(&ended), Fate::Dropped);
    }
    one.say(2, 9);
    assert_eq!(number(&two.hear()), 9);
}

#[test]
fn a_second_one_to_the_same_peer_is_refused_at_once() {
    let (mut one, two) = two(quick());
    one.send_image(2, TestSource::new(1, 3, CHUNK));
    let (_, accept) = two.image_offer();
    one.send_image(2, TestSource::new(2, 3, CHUNK));
    assert_eq!(one.image_sent(), (2, 2, false));
    let (taker, _fate) = receiver(None, false);
    assert!(accept.send(taker).is_ok());
    assert_eq!(one.image_sent(), (2, 1, true));
}

#[test]
fn peers_that_are_away_or_unknown_get_none() {
    let mut one = Member::start(1, &[(2, NOWHERE), (3, "no..such..host:1")], quick());
    for to in [2, 3, 9] {
        one.send_image(to, TestSource::new(to, 3, CHUNK));
        assert_eq!(one.image_sent(), (to, to, false));
    }
}

/// Sender and receiver, with an image held in its middle by the gate.
fn in_the_middle() -> (Member, Member, crossbeam::channel::Receiver<Fate>, crossbeam::channel::Sender<()>) {
    let (mut one, two) = two(quick());
    let (open, gate) = crossbeam::channel::unbounded();
    let source = TestSource { gate: Some(gate), ..TestSource::new(7, 3, CHUNK) };
    let envelope = message(1, 2, 7, Bytes::new());
    one.transport.send_image(envelope, Box::new(source));
    let (_, accept) = two.image_offer();
    let (taker, fate) = receiver(None, false);
    assert!(accept.send(taker).is_ok());
    open.send(()).unwrap();
    assert!(matches!(fate.recv_timeout(PATIENCE), Ok(Fate::Chunk(_))));
    (one, two, fate, open)
}

#[test]
fn the_sender_that_goes_away_in_the_middle_still_tells() {
    let (one, _two, ended, open) = in_the_middle();
    let Member { transport, inbox, .. } = one;
    drop(open);
    drop(transport);
    let end = inbox.try_iter().filter(|i| matches!(i, Incoming::ImageSent { .. })).collect::<Vec<_>>();
    assert!(matches!(end[..], [Incoming::ImageSent { to: 2, index: 7, .. }]), "{end:?}");
    fate(&ended);
}

#[test]
fn the_receiver_that_goes_away_in_the_middle_is_noticed() {
    let (one, two, ended, open) = in_the_middle();
    drop(two);
    assert_eq!(fate(&ended), Fate::Dropped);
    drop(open);
    assert_eq!(one.image_sent(), (2, 7, false));
}

#[test]
fn a_sender_that_stalls_is_given_up_by_the_receiver() {
    let (_one, _two, ended, _open) = in_the_middle();
    assert_eq!(fate(&ended), Fate::Dropped);
}
