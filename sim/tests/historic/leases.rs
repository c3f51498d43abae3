//! Leases that ended too early, never, or twice (rows 43 to 49).

use std::time::Duration;

use kvorum_core::ids::{LeaseId, NodeId};
use kvorum_core::request::*;
use kvorum_core::{Answer, Config};
use kvorum_sim::World;

use crate::common::*;

/// Members that speak seldom: minutes pass quickly.
fn slow(config: &mut Config) {
    config.heartbeat = 400 * MILLI;
    config.election_timeout = 4 * SECOND;
}

fn grant(world: &mut World, node: NodeId, id: LeaseId, ttl: i64) {
    let asked = world.client(node).unwrap().grant_request(LeaseGrantRequest { id, ttl });
    assert_eq!(ack(world, asked).ttl, ttl);
    for key in [format!("a{id}"), format!("b{id}")] {
        let asked = world.client(node).unwrap().put_request(PutRequest::new(key, "v").with_lease(id));
        ack(world, asked);
    }
}

/// Renews; 0: there is no such lease.
fn renew(world: &mut World, node: NodeId, id: LeaseId) -> i64 {
    let asked = world.client(node).unwrap().keep_alive(id);
    ack(world, asked).ttl
}

fn left(world: &mut World, node: NodeId, id: LeaseId) -> i64 {
    let asked = world.client(node).unwrap().time_to_live(LeaseTimeToLiveRequest { id, keys: false });
    ack(world, asked).ttl
}

/// How long a lease goes on from now, and that both its keys go in one revision.
fn lasts(world: &mut World, id: LeaseId, limit: Duration) -> Option<Duration> {
    let begin = world.now();
    let before = world.judge().newest();
    let key = format!("a{id}");
    let gone = |world: &mut World| {
        let history = world.judge().history().range(before + 1..);
        history.flat_map(|(_, events)| events).any(|event| !event.is_put() && event.key() == key.as_bytes())
    };
    if !world.run_until(limit, gone) {
        return None;
    }
    let (_, events) = world.judge().history().last_key_value().unwrap();
    assert_eq!(events.len(), 2, "both keys in one revision: {events:?}");
    Some(world.now().since(begin))
}

/// There: a leader stuck in a sync was deposed without knowing; when it woke up, it ended all leases, and it went
/// on to answer renewals. Shown by: a lease that ends although another leader has answered its renewals.
#[test]
fn etcd_12528_a_leader_that_was_stuck_ends_no_lease() {
    let (mut world, old) = led(43, 3);
    grant(&mut world, old, 7, 5);
    let at = others(&world, old)[0];
    world.pause(old, 12 * SECOND);
    leader_but(&mut world, old);
    let asked_of_old = world.client(old).unwrap().keep_alive(7);
    for _ in 0..16 {
        assert_eq!(renew(&mut world, at, 7), 5);
        world.run(SECOND);
    }
    // It woke up three seconds ago, and believes that eleven have passed.
    assert_eq!(ack(&mut world, asked_of_old).ttl, 5, "answered by who leads now");
    assert_eq!(get(&mut world, old, "a7").as_deref(), Some("v"));
    // Stuck again, but in its disk: it can neither end the lease nor renew it.
    let leader = world.leader().unwrap();
    isolate(&mut world, leader);
    world.hold_disk(leader);
    let mut renewal = world.client(leader).unwrap().keep_alive(7);
    let mut renewed = None;
    let at = others(&world, leader)[0];
    leader_but(&mut world, leader);
    for _ in 0..9 {
        assert_eq!(renew(&mut world, at, 7), 5);
        world.run(SECOND);
        renewed = renewed.or_else(|| kvorum_sim::poll(&mut renewal));
        assert!(renewed.as_ref().is_none_or(|answer| answer.is_err()), "{renewed:?}");
    }
    world.release_disk(leader);
    world.net.heal();
    assert_eq!(renew(&mut world, at, 7), 5);
    let lasted = lasts(&mut world, 7, 10 * SECOND).expect("nobody renews it any more");
    assert!(lasted >= 4900 * MILLI && lasted < 7 * SECOND, "{lasted:?}");
}

/// There: the end of a lease by its client and a renewal, at two leaders, each believed to have won. Shown by: a
/// renewal that is acknowledged although the end was before it was asked.
#[test]
fn etcd_7029_a_revoked_lease_is_renewed_by_nobody() {
    let (mut world, mut leader) = led(44, 3);
    for round in 0..12 {
        grant(&mut world, leader, 100 + round, 20);
        let id = 100 + round;
        let to = others(&world, leader)[round as usize % 2];
        world.client(leader).unwrap().begin_transfer(to);
        world.run(round as u32 % 5 * MILLI / 2);
        let revoke = world.client(others(&world, to)[0]).unwrap().revoke(id);
        let renewals: Vec<_> =
            world.ids().iter().map(|node| world.client(*node).unwrap().keep_alive(id)).collect();
        ack(&mut world, revoke);
        for node in world.ids() {
            assert_eq!(renew(&mut world, node, id), 0, "round {round}, node {node}");
            assert_eq!(left(&mut world, node, id), -1);
        }
        for renewal in renewals {
            assert!([0, 20].contains(&ack(&mut world, renewal).ttl));
        }
        assert_eq!(get(&mut world, to, &format!("a{id}")), None);
        leader = world.wait_for_leader(20 * SECOND).unwrap();
        agree(&mut world);
    }
}

/// There: every new leader began all leases' time anew, so that a lease did not end as long as leaders changed.
/// Shown by: a lease of 300 s that outlives five leaders of 70 s each.
#[test]
fn etcd_9888_a_lease_ends_although_leaders_change() {
    let (mut world, leader) = led_with(45, 3, slow);
    grant(&mut world, leader, 7, 300);
    let begin = world.now();
    for round in 0..4 {
        assert_eq!(lasts(&mut world, 7, 70 * SECOND), None, "not before its time");
        let leader = world.leader().unwrap();
        if round % 2 == 0 {
            world.kill(leader);
            leader_but(&mut world, leader);
            world.start(leader);
        } else {
            let to = others(&world, leader)[0];
            transfer(&mut world, to);
        }
    }
    lasts(&mut world, 7, 120 * SECOND).expect("it ends");
    let lasted = world.now().since(begin);
    // Each leader loses what it had counted since the last note, a minute at most.
    assert!(lasted >= 299 * SECOND && lasted < 370 * SECOND, "{lasted:?}");
}

/// There: what remained of leases was written down by the first leader only, and was forgotten by a restart.
/// Shown by: a lease that has more left after a second leader, or after a restart of all, than it should.
#[test]
fn etcd_13508_what_remains_is_noted_by_every_leader_and_survives_a_restart() {
    let (mut world, leader) = led_with(46, 3, |config| {
        small_images(config);
        slow(config);
    });
    grant(&mut world, leader, 7, 300);
    let mut most = 300;
    for node in [1, 2, 3] {
        if world.leader() == Some(node) {
            continue;
        }
        world.run(65 * SECOND);
        most -= 60;
        transfer(&mut world, node);
        assert!((most - 15..=most).contains(&left(&mut world, node, 7)), "after a transfer");
    }
    fill(&mut world, 1, 20);
    world.run(SECOND);
    for node in world.ids() {
        world.lose_power(node);
    }
    world.start_all();
    world.wait_for_leader(20 * SECOND).unwrap();
    assert_eq!(most, 180);
    assert!((most - 20..=most).contains(&left(&mut world, 1, 7)), "after a restart of all");
    // A renewal takes the note back, for the leaders to come too.
    assert_eq!(renew(&mut world, 2, 7), 300);
    let leader = world.leader().unwrap();
    world.kill(leader);
    leader_but(&mut world, leader);
    world.start(leader);
    assert!(left(&mut world, leader, 7) >= 295, "the renewal was acknowledged");
}

/// There: the time that a lease had left went up again with the third leader. Shown by: more left than the note
/// before said.
#[test]
fn etcd_17132_what_remains_never_goes_up_with_a_new_leader() {
    let (mut world, leader) = led_with(47, 3, slow);
    grant(&mut world, leader, 7, 600);
    let mut most = 600;
    for round in 1..=5 {
        world.run(62 * SECOND);
        let leader = world.leader().unwrap();
        let to = others(&world, leader)[round % 2];
        transfer(&mut world, to);
        for node in world.ids() {
            let left = left(&mut world, node, 7);
            assert!(left <= 600 - 60 * round as i64 && left <= most, "round {round}: {left} after {most}");
            most = left + 3;
        }
    }
}

/// There: a renewal was answered with success although the lease had been revoked before. Shown by: anything but
/// 0, on any node, also on one that has not heard of the revocation yet.
#[test]
fn etcd_20615_a_renewal_after_the_end_says_so() {
    let (mut world, leader) = led(48, 3);
    let (slow, other) = (others(&world, leader)[0], others(&world, leader)[1]);
    let link = world.net.link(leader, slow);
    (link.fastest, link.slowest) = (150 * MILLI, 300 * MILLI);
    for id in 1..6 {
        grant(&mut world, other, id, 30);
        let revoke = world.client(other).unwrap().revoke(id);
        ack(&mut world, revoke);
        let put = PutRequest::new("k", "v").with_lease(id);
        let put = world.client(slow).unwrap().put_request(put);
        assert_eq!(renew(&mut world, slow, id), 0);
        not_applied(&mut world, put);
    }
    // The same of one whose time was over.
    grant(&mut world, other, 9, 2);
    lasts(&mut world, 9, 5 * SECOND).expect("it ends");
    for node in world.ids() {
        assert_eq!((renew(&mut world, node, 9), left(&mut world, node, 9)), (0, -1));
    }
    grant(&mut world, other, 9, 30);
    assert_eq!(renew(&mut world, slow, 9), 30, "granted anew, it lives");
}

/// There: while leaders changed, a lease was said to have about 292 years left. Shown by: more than was granted,
/// or less than nothing, or "gone", of a lease that lives.
#[test]
fn etcd_17642_what_remains_is_never_more_than_was_granted() {
    let (mut world, leader) = led(49, 3);
    grant(&mut world, leader, 7, 60);
    let mut asked = Vec::new();
    for round in 0..36 {
        let leader = world.wait_for_leader(20 * SECOND).unwrap();
        let to = others(&world, leader)[round % 2];
        if round % 10 == 5 {
            world.kill(leader);
            world.start(leader);
        } else {
            world.client(leader).unwrap().begin_transfer(to);
        }
        for _ in 0..10 {
            for node in world.ids() {
                let request = LeaseTimeToLiveRequest { id: 7, keys: true };
                asked.push(world.client(node).unwrap().time_to_live(request));
            }
            world.run(7 * MILLI);
        }
        if round % 5 == 0 {
            asked.drain(..).for_each(|answer| {
                let left = ack(&mut world, answer);
                assert!((40..=60).contains(&left.ttl) && left.granted_ttl == 60, "{left:?}");
                assert_eq!(left.keys, ["a7", "b7"]);
            });
            assert_eq!(renew(&mut world, 1, 7), 60);
        }
    }
    assert!(world.judge().leaders().len() > 20);
}

/// A renewal that was asked for is answered in time, and not with a yes.
fn comes_to_nothing(world: &mut World, asked: Answer<LeaseKeepAliveResponse>, what: &str) {
    let limit = world.config(1).request_timeout + 500 * MILLI;
    let answer = world.wait(asked, limit).unwrap_or_else(|| panic!("no answer: {what}"));
    answer.expect_err(what);
}

/// Here, found by reading: a renewal that waits for an entry was not among those whose time can be over, and a disk that
/// hangs lets no entry be done. Shown by: a renewal that is not answered for longer than a client waits.
#[test]
fn kvorum_a_renewal_is_answered_in_time_though_a_disk_hangs() {
    let (mut world, leader) = led(49, 3);
    let behind = others(&world, leader)[0];
    for (id, ttl) in [(7, 300), (8, 10)] {
        grant(&mut world, leader, id, ttl);
    }
    world.hold_disk(behind);
    put(&mut world, leader, "k", "v");
    let asked = world.client(behind).unwrap().keep_alive(7);
    comes_to_nothing(&mut world, asked, "a member that has not done yet what the leader had done");
    world.release_disk(behind);
    // Until what is left of the one is noted.
    for _ in 0..12 {
        assert_eq!(renew(&mut world, leader, 8), 10);
        world.run(6 * SECOND);
    }
    let late = 150 * MILLI;
    for other in others(&world, leader) {
        for (from, to) in [(leader, other), (other, leader)] {
            let link = world.net.link(from, to);
            (link.fastest, link.slowest) = (late, late);
        }
    }
    let client = world.client(leader).unwrap();
    let renewal = client.keep_alive(8);
    world.run(9900 * MILLI);
    assert_eq!(ack(&mut world, renewal).ttl, 10);
    world.hold_disk(leader);
    // Asked before the end of the other is proposed, and looked at afterwards.
    let asked = [7, 8].map(|id| client.keep_alive(id));
    for (asked, what) in asked.into_iter().zip(["a note is to be taken back", "its end is on its way"]) {
        comes_to_nothing(&mut world, asked, what);
    }
    assert_eq!(world.leader(), Some(leader));
    world.release_disk(leader);
    assert_eq!([7, 8].map(|id| renew(&mut world, leader, id)), [300, 0]);
    agree(&mut world);
}

/// Here, found by reading: a renewal that waited for the entry that takes a note back was acknowledged when that was done,
/// although the lease's time was over meanwhile and its end proposed behind it. Shown by: a renewal that is acknowledged,
/// of a lease that is gone.
#[test]
fn kvorum_a_renewal_whose_entry_is_late_is_not_told_that_the_lease_goes_on() {
    let (mut world, leader) = led(50, 3);
    grant(&mut world, leader, 7, 100);
    // What is left is noted meanwhile.
    world.run(99_800 * MILLI);
    others(&world, leader).into_iter().for_each(|other| world.hold_disk(other));
    let last_index = |world: &World| world.status(leader).unwrap().raft.last_index;
    let before = last_index(&world);
    let asked = [(); 2].map(|()| world.client(leader).unwrap().keep_alive(7));
    world.run(100 * MILLI);
    assert_eq!(last_index(&world), before + 1, "one entry for both");
    world.run(400 * MILLI);
    assert_eq!(last_index(&world), before + 2, "and one for the end");
    others(&world, leader).into_iter().for_each(|other| world.release_disk(other));
    for asked in asked {
        assert_eq!(ack(&mut world, asked).ttl, 0);
    }
    assert_eq!(renew(&mut world, leader, 7), 0);
    agree(&mut world);
}

/// The same for one that is handed on: its time goes on. Shown by: a renewal asked of a leader that is cut off, and steps
/// down, which waits for the next one as if it were asked only then.
#[test]
fn kvorum_a_renewal_that_is_handed_on_does_not_wait_anew() {
    let (mut world, leader) = led(48, 3);
    grant(&mut world, leader, 7, 300);
    isolate(&mut world, leader);
    let asked = world.client(leader).unwrap().keep_alive(7);
    comes_to_nothing(&mut world, asked, "whoever was cut off cannot tell");
    world.net.heal();
    agree(&mut world);
    assert_eq!(renew(&mut world, leader, 7), 300);
}
