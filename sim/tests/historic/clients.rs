//! Locks that were none, and requests that were sent twice (rows 50, 51 and 60).

use kvorum_core::command::{Op, OpenSession, Response, SessionTag};
use kvorum_core::election::{self, campaign};
use kvorum_core::ids::NodeId;
use kvorum_core::lock::{LockGuard, lock, try_lock};
use kvorum_core::node::{Reply, Request};
use kvorum_core::request::*;
use kvorum_core::{ErrorKind, Lease, Outcome, Write};
use kvorum_sim::{World, poll};

use crate::common::*;

fn lease(world: &mut World, node: NodeId, seconds: u32) -> Lease {
    let client = world.client(node).unwrap();
    let asked = Box::pin(async { client.lease(seconds * SECOND).await });
    world.wait(asked, 8 * SECOND).expect("in time").unwrap()
}

fn locked(world: &mut World, node: NodeId, lease: &Lease) -> LockGuard {
    let client = world.client(node).unwrap();
    world.wait(Box::pin(lock(&client, "l", lease)), 20 * SECOND).expect("in time").unwrap()
}

/// There: whoever waited for a lock was given it without a look at whether its lease, and with it its place, was
/// still there. Shown by: a lock for a lease that has ended.
#[test]
fn etcd_11456_a_lock_is_not_given_to_a_lease_that_has_ended() {
    let (mut world, leader) = led(50, 3);
    let (here, there) = (others(&world, leader)[0], others(&world, leader)[1]);
    let (first, second) = (lease(&mut world, here, 10), lease(&mut world, there, 10));
    let held = locked(&mut world, here, &first);
    let client = world.client(there).unwrap();
    let mut waiting = Box::pin(lock(&client, "l", &second));
    world.run_until(SECOND, |_| poll(&mut waiting).is_some());
    let revoke = world.client(leader).unwrap().revoke(second.id());
    ack(&mut world, revoke);
    // Only now is it its turn.
    let unlocked = Box::pin(held.unlock());
    world.wait(unlocked, 5 * SECOND).unwrap().unwrap();
    let given = world.wait(waiting, 5 * SECOND).expect("an answer");
    let error = given.expect_err("its place is gone");
    assert_eq!(*error.kind(), ErrorKind::LeaseNotFound { id: second.id() });
    let third = lease(&mut world, there, 10);
    let held = locked(&mut world, there, &third);
    assert!(world.wait(Box::pin(held.is_held()), SECOND).unwrap().unwrap());
}

/// The same with `try_lock`, which has nobody to wait for (ours, found by seed 176).
#[test]
fn etcd_11456_nor_is_one_that_is_tried_for() {
    let (mut world, leader) = led(52, 3);
    let node = others(&world, leader)[0];
    let mine = lease(&mut world, node, 10);
    let client = world.client(node).unwrap();
    let mut trying = Box::pin(try_lock(&client, "l", &mine));
    // It queues, and before it has looked who else does, its lease is over.
    assert!(poll(&mut trying).is_none());
    world.run(SECOND);
    let revoke = world.client(leader).unwrap().revoke(mine.id());
    ack(&mut world, revoke);
    let error = world.wait(trying, 5 * SECOND).expect("an answer").expect_err("its place is gone");
    assert_eq!(*error.kind(), ErrorKind::LeaseNotFound { id: mine.id() });
}

/// How many places there are for the lock, as far as the leader's state goes; and how many there were, ever.
fn places(world: &World) -> (usize, usize) {
    let is_one = |event: &&Event| event.is_put() && event.key().starts_with(b"l/");
    let taken = world.judge().history().values().flatten().filter(is_one).count();
    let count = world.judge().state().range(&RangeRequest::prefix("l/")).unwrap().count;
    (count as usize, taken)
}

/// Ours, found by reading: a service gives up a lock while its place is being taken through a member that does not lead.
/// The place must be given up behind that, although the message that takes it is lost and the next one is not. Shown by:
/// a place that nobody waits for, under a lease that is kept alive.
#[test]
fn f1_a_place_that_is_given_up_while_it_is_taken_is_left() {
    let (mut world, leader) = led(57, 3);
    let here = others(&world, leader)[0];
    let mine = lease(&mut world, here, 10);
    let client = world.client(here).unwrap();
    world.net.cut(here, leader);
    let mut locking = Box::pin(lock(&client, "l", &mine));
    assert!(poll(&mut locking).is_none());
    world.run(10 * MILLI);
    world.net.heal();
    drop(locking);
    assert!(world.run_until(5 * SECOND, |world| places(world).1 == 1), "it is taken after all");
    assert!(world.run_until(5 * SECOND, |world| places(world).0 == 0), "nobody leaves it");
    assert!(!mine.is_lost());
}

/// The same for a place that is given up, and a lock that is released, while nobody leads.
#[test]
fn f1_a_place_that_is_given_up_without_a_majority_is_left_later() {
    let (mut world, leader) = led(58, 3);
    let here = others(&world, leader)[0];
    let (mine, next) = (lease(&mut world, here, 120), lease(&mut world, leader, 120));
    let client = world.client(here).unwrap();
    let held = locked(&mut world, here, &mine);
    let mut waiting = Box::pin(lock(&client, "l", &mine));
    assert!(poll(&mut waiting).is_none());
    assert!(world.run_until(SECOND, |world| poll(&mut waiting).is_none() && places(world).0 == 2));
    isolate(&mut world, here);
    drop(waiting);
    let unlocked = world.wait(Box::pin(held.unlock()), 8 * SECOND).expect("an answer");
    assert!(unlocked.is_err(), "nobody can agree to it");
    world.run(20 * SECOND);
    assert_eq!(places(&world).0, 2);
    world.net.heal();
    let _next = locked(&mut world, leader, &next);
    assert_eq!(places(&world).0, 1);
    assert!(!mine.is_lost());
}

/// A holder on a member that hears its leader late, and then not at all: it must stop believing in its lease
/// before anybody else can hold it.
#[test]
fn f1_a_holder_stops_believing_before_its_lease_has_ended() {
    let (mut world, leader) = led(53, 3);
    let here = others(&world, leader)[0];
    let late = std::time::Duration::from_millis(700);
    let link = world.net.link(leader, here);
    (link.fastest, link.slowest) = (late, late);
    let mine = lease(&mut world, here, 3);
    let put = PutRequest::new("held", "mine").with_lease(mine.id());
    let put = world.client(here).unwrap().put_request(put);
    ack(&mut world, put);
    world.run(10 * SECOND);
    assert!(!mine.is_lost(), "it is renewed, though late");
    // Right after an answer has come.
    let rest: Vec<NodeId> = others(&world, here);
    part(&mut world, &[here], &rest);
    let client = world.client(leader).unwrap();
    let is_over = |_: &mut World| client.get_local("held").unwrap().is_none();
    assert!(world.run_until(20 * SECOND, is_over), "the lease ends");
    assert!(mine.is_lost(), "its holder has stopped believing in it");
}

/// A holder whose lease was granted long before it heard of it, on a member whose disk stood still, and that is then
/// cut off: seed 2512. Its time counts from when it asked.
#[test]
fn f1_a_holder_that_hears_late_of_its_lease_does_not_believe_in_it_longer() {
    let (mut world, leader) = led(55, 3);
    let here = others(&world, leader)[0];
    let client = world.client(here).unwrap();
    world.hold_disk(here);
    let mut asked = Box::pin(client.lease(3 * SECOND));
    assert!(world.wait(&mut asked, SECOND * 14 / 5).is_none(), "it hears nothing while its disk stands");
    let id = world.judge().state().leases().next().expect("the others have granted it").id;
    let rest: Vec<NodeId> = others(&world, here);
    part(&mut world, &[here], &rest);
    world.release_disk(here);
    let mine = world.wait(&mut asked, SECOND).expect("an answer").expect("a lease");
    assert_eq!(mine.id(), id);
    let is_over = |world: &mut World| world.judge().state().lease(id).is_none();
    assert!(world.run_until(20 * SECOND, is_over), "the lease ends");
    assert!(mine.is_lost(), "its holder has stopped believing in it");
}

/// A member that is cut off is asked who leads an election: it may not know, but it may not say who led yesterday.
#[test]
fn f1_who_is_cut_off_names_no_leader_of_yesterday() {
    let (mut world, leader) = led(54, 3);
    let nodes = others(&world, leader);
    let (first, second) = (lease(&mut world, nodes[0], 10), lease(&mut world, leader, 10));
    let here = world.client(nodes[0]).unwrap();
    let won = world.wait(Box::pin(campaign(&here, "e", &first, "first")), 5 * SECOND).unwrap().unwrap();
    world.run(SECOND);
    let rest: Vec<NodeId> = others(&world, nodes[1]);
    part(&mut world, &[nodes[1]], &rest);
    world.wait(Box::pin(won.resign()), 5 * SECOND).unwrap().unwrap();
    let there = world.client(leader).unwrap();
    let _won = world.wait(Box::pin(campaign(&there, "e", &second, "second")), 5 * SECOND).unwrap().unwrap();
    let behind = world.client(nodes[1]).unwrap();
    let said = world.wait(Box::pin(election::leader(&behind, "e")), 20 * SECOND).expect("an answer");
    assert!(said.is_err(), "it says {said:?}");
}

/// There: a lock was taken for mutual exclusion; a holder that was paused woke up and wrote beside the next one.
/// Shown by: a write under an old token that a resource takes which goes by tokens. (One that does not, must come
/// to see two holders here, or this would prove nothing.)
#[test]
fn etcd_11457_the_token_fences_off_whoever_was_paused() {
    let (mut world, leader) = led(51, 3);
    let nodes = others(&world, leader);
    let (mut overlaps, mut highest) = (0, 0);
    let mut accepts = |token| {
        let is_accepted = token >= highest;
        highest = highest.max(token);
        is_accepted
    };
    for round in 0..4 {
        let (here, there) = (nodes[round % 2], nodes[(round + 1) % 2]);
        let (mine, next) = (lease(&mut world, here, 3), lease(&mut world, there, 30));
        let held = locked(&mut world, here, &mine);
        assert!(accepts(held.token()));
        world.pause(here, 20 * SECOND);
        let taken = locked(&mut world, there, &next);
        assert!(taken.token() > held.token(), "each holder's is higher");
        overlaps += u32::from(!mine.is_lost());
        assert!(accepts(taken.token()) && !accepts(held.token()), "its owner still believes in it");
        world.run(21 * SECOND);
        assert!(mine.is_lost(), "awake, it knows");
        assert!(!world.wait(Box::pin(held.is_held()), 5 * SECOND).unwrap().unwrap());
        let txn = TxnRequest::new().when(held.still_held()).then(PutRequest::new("guarded", "old"));
        let txn = world.client(here).unwrap().txn(txn);
        assert!(!ack(&mut world, txn).succeeded, "this store needs no token");
        let unlocked = Box::pin(taken.unlock());
        world.wait(unlocked, 5 * SECOND).unwrap().unwrap();
    }
    assert_eq!(overlaps, 4, "without tokens there were two holders each time");
    assert_eq!(get(&mut world, leader, "guarded"), None);
}

/// There: a client library repeated a transaction by itself after a time-out, and it was done twice. Shown by: a
/// value that was written twice; or written, and said not to have been.
#[test]
fn etcd_14890_what_is_not_safe_to_repeat_is_not_repeated() {
    let (mut applied, mut unknown) = (0, 0);
    for seed in 0..16 {
        let (mut world, leader) = led(6000 + seed, 3);
        let node = others(&world, leader)[seed as usize % 2];
        let values: Vec<_> = (0..20).map(|i| format!("value {i}")).collect();
        let client = world.client(node).unwrap();
        let answers: Vec<_> = values
            .iter()
            .map(|value| client.txn(TxnRequest::new().then(PutRequest::new(value, value))))
            .collect();
        if seed % 2 == 0 {
            // The leader dies somewhere between "heard of it" and "told of it".
            world.run((seed as u32 + 1) * MILLI / 3);
            world.lose_power(leader);
            world.run(3 * SECOND);
            world.start(leader);
        } else {
            // Nothing is agreed on for a while, and who forwarded them cannot tell whether they arrived.
            others(&world, leader).into_iter().for_each(|node| world.hold_disk(node));
            world.run(750 * MILLI);
            others(&world, leader).into_iter().for_each(|node| world.release_disk(node));
        }
        for (value, answer) in values.iter().zip(answers) {
            let answer = world.wait(answer, 20 * SECOND).expect("an answer");
            let times = times_written(&world, value);
            match answer {
                Ok(_) => assert_eq!(times, 1, "seed {seed}: {value}"),
                Err(error) if error.outcome() == Outcome::NotApplied => assert_eq!(times, 0),
                Err(_) => unknown += 1,
            }
            assert!(times <= 1, "seed {seed}: {value} was written {times} times");
            applied += times;
        }
        agree(&mut world);
    }
    assert!(applied > 100, "{applied} of 320, {unknown} unknown");
}

/// The other half of it: under a session, the same request may be sent as often as one likes, to whomever one
/// likes. Shown by: a repetition that is done, or answered with something else than the first one.
#[test]
fn etcd_14890_what_has_a_number_is_done_once_however_often_it_is_sent() {
    let (mut world, mut leader) = led(60, 3);
    let send = |world: &mut World, node, op, tag| {
        let write = Write::new(op, tag, world.config(node)).unwrap();
        world.client(node).unwrap().request(Request::Write(write))
    };
    let open = send(&mut world, leader, Op::OpenSession(OpenSession {}), None);
    let Reply::Applied { response: Response::OpenSession(session), .. } = ack(&mut world, open) else {
        panic!("a session");
    };
    for sequence in 1..8 {
        let value = format!("value {sequence}");
        let tag = Some(SessionTag { session, sequence, acknowledged_below: sequence });
        let op = || Op::Put(PutRequest::new("k", &value));
        let mut answers = Vec::new();
        for node in [1, 2, 3, 1, 2] {
            answers.push(send(&mut world, node, op(), tag));
            world.run(sequence as u32 * MILLI / 2);
        }
        world.kill(leader);
        world.start(leader);
        leader = world.wait_for_leader(10 * SECOND).unwrap();
        answers.push(send(&mut world, leader, op(), tag));
        let mut revisions = Vec::new();
        for answer in answers {
            if let Ok(Reply::Applied { response: Response::Put(put), .. }) =
                world.wait(answer, 20 * SECOND).expect("an answer")
            {
                revisions.push(put.revision());
            }
        }
        revisions.dedup();
        assert_eq!(revisions.len(), 1, "all are told the same");
        assert_eq!(times_written(&world, &value), 1);
    }
}

/// Here (seed 43411): a member was sent an image that skipped the entry of a session's write of its own. It asked the
/// leader again, as it should, and the leader dropped that as a repetition. Shown by: a write that happened, and whose
/// client hears nothing until its time is over.
#[test]
fn kvorum_43411_a_session_tells_what_an_image_skipped() {
    let (mut world, leader) = led_with(50, 3, small_images);
    let member = others(&world, leader)[0];
    let client = world.client(member).unwrap();
    let mut opening = Box::pin(client.open_session());
    let session = loop {
        match poll(&mut opening) {
            Some(session) => break session.unwrap(),
            None => world.run(10 * MILLI),
        }
    };
    world.net.cut(leader, member);
    let mut answer = session.put("k", "v");
    world.run(50 * MILLI);
    let taken = world.images_taken();
    fill(&mut world, leader, 30);
    assert!(poll(&mut answer).is_none(), "it cannot have heard of it");
    world.net.heal();
    let asked = world.now();
    assert!(ack(&mut world, answer).revision() > 0);
    assert!(world.images_taken() > taken, "an image skipped it");
    assert!(world.now().since(asked) < 3 * SECOND, "it was told, and did not give up");
    assert_eq!(times_written(&world, "v"), 1);
}
