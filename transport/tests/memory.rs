//! Nodes in one process.

mod common;

use bytes::Bytes;
use common::*;
use crossbeam::channel::Receiver;
use kvorum_core::transport::{Incoming, Transport};
use kvorum_transport::{MemoryNetwork, MemoryTransport};

fn join(network: &MemoryNetwork, id: u64) -> (MemoryTransport, Receiver<Incoming>) {
    let mut transport = network.transport();
    let (to, inbox) = inbox();
    transport.start(local(id), to).expect("start");
    (transport, inbox)
}

fn say(transport: &mut MemoryTransport, from: u64, to: u64, n: u64) {
    transport.send(message(from, to, n, Bytes::new()));
}

fn heard(inbox: &Receiver<Incoming>) -> Vec<u64> {
    let messages = inbox.try_iter().filter_map(|incoming| match incoming {
        Incoming::Message(envelope) => Some(number(&envelope)),
        _ => None,
    });
    messages.collect()
}

#[test]
fn what_is_sent_arrives_in_order_unless_the_link_is_cut() {
    let network = MemoryNetwork::new();
    let (mut one, one_in) = join(&network, 1);
    let (mut two, two_in) = join(&network, 2);
    (0..100).for_each(|n| say(&mut one, 1, 2, n));
    assert_eq!(heard(&two_in), (0..100).collect::<Vec<_>>());

    network.cut(1, 2);
    say(&mut one, 1, 2, 1);
    say(&mut one, 1, 2, 2);
    say(&mut two, 2, 1, 3);
    assert!(matches!(one_in.try_iter().collect::<Vec<_>>()[..], [Incoming::Unreachable(2)]));
    assert!(matches!(two_in.try_iter().collect::<Vec<_>>()[..], [Incoming::Unreachable(1)]));

    network.heal(1, 2);
    network.cut_one_way(1, 2);
    say(&mut one, 1, 2, 4);
    say(&mut two, 2, 1, 5);
    assert_eq!((heard(&one_in), heard(&two_in)), (vec![5], vec![]));
    network.heal_all();
    say(&mut one, 1, 2, 6);
    assert_eq!(heard(&two_in), [6]);
}

#[test]
fn a_member_is_there_once_and_may_come_back() {
    let network = MemoryNetwork::new();
    let (mut one, one_in) = join(&network, 1);
    let (two, _) = join(&network, 2);
    assert!(network.transport().start(local(2), inbox().0).is_err());
    drop(two);
    say(&mut one, 1, 2, 1);
    assert!(matches!(one_in.try_recv(), Ok(Incoming::Unreachable(2))));
    let (_two, two_in) = join(&network, 2);
    say(&mut one, 1, 2, 2);
    assert_eq!(heard(&two_in), [2]);
}

#[test]
fn members_of_other_clusters_do_not_meet() {
    let network = MemoryNetwork::new();
    let (mut one, _) = join(&network, 1);
    let (to, other_in) = inbox();
    let mut other = network.transport();
    let elsewhere = kvorum_core::transport::Local { cluster: CLUSTER + 1, ..local(2) };
    other.start(elsewhere, to).unwrap();
    say(&mut one, 1, 2, 1);
    assert!(other_in.try_recv().is_err());
}

fn sent(inbox: &Receiver<Incoming>) -> (u64, u64, bool) {
    match wait_for(inbox, |i| matches!(i, Incoming::ImageSent { .. })) {
        Incoming::ImageSent { to, index, stored } => (to, index, stored),
        _ => unreachable!(),
    }
}

fn offered(inbox: &Receiver<Incoming>) -> oneshot::Sender<Box<dyn kvorum_core::transport::ImageReceiver>> {
    match wait_for(inbox, |i| matches!(i, Incoming::ImageOffer { .. })) {
        Incoming::ImageOffer { accept, .. } => accept,
        _ => unreachable!(),
    }
}

#[test]
fn images_end_in_one_word() {
    let network = MemoryNetwork::new();
    let (mut one, one_in) = join(&network, 1);
    let (_two, two_in) = join(&network, 2);
    let mut send = |source| one.send_image(message(1, 2, 1, Bytes::new()), Box::new(source));

    send(TestSource::new(1, 20, 1 << 20));
    let accept = offered(&two_in);
    send(TestSource::new(2, 1, 1));
    assert_eq!(sent(&one_in), (2, 2, false), "one at a time");
    let (taker, fates) = receiver(None, false);
    assert!(accept.send(taker).is_ok());
    assert_eq!(sent(&one_in), (2, 1, true));
    assert_eq!(fates.try_iter().last(), Some(Fate::Finished));

    send(TestSource::new(3, 3, 10));
    drop(offered(&two_in));
    assert_eq!(sent(&one_in), (2, 3, false), "refused");

    send(TestSource::new(4, 3, 10));
    let (taker, fates) = receiver(Some(2), false);
    assert!(offered(&two_in).send(taker).is_ok());
    assert_eq!(sent(&one_in), (2, 4, false), "failed");
    assert_eq!(fate(&fates), Fate::Dropped);

    network.cut(1, 2);
    send(TestSource::new(5, 3, 10));
    assert_eq!(sent(&one_in), (2, 5, false), "cut");
}

#[test]
fn a_cut_in_the_middle_ends_an_image_and_so_does_the_drop() {
    for cut in [true, false] {
        let network = MemoryNetwork::new();
        let (mut one, one_in) = join(&network, 1);
        let (_two, two_in) = join(&network, 2);
        let (open, gate) = crossbeam::channel::unbounded();
        let source = TestSource { gate: Some(gate), ..TestSource::new(7, 3, 10) };
        one.send_image(message(1, 2, 7, Bytes::new()), Box::new(source));
        let (taker, fates) = receiver(None, false);
        assert!(offered(&two_in).send(taker).is_ok());
        open.send(()).unwrap();
        assert!(matches!(fates.recv_timeout(PATIENCE), Ok(Fate::Chunk(_))));
        if cut {
            network.cut(1, 2);
            drop(open);
            assert_eq!(sent(&one_in), (2, 7, false));
            assert_eq!(fate(&fates), Fate::Dropped);
        } else {
            drop(open);
            drop(one);
            assert!(one_in.try_iter().any(|i| matches!(i, Incoming::ImageSent { .. })));
        }
    }
}
