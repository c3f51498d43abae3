//! Images to followers that fell behind, and what may happen meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use kvorum_core::ids::NodeId;
use kvorum_sim::World;

const SECOND: Duration = Duration::from_secs(1);

/// A leader, and a node that is down and has missed so much that only an image can help it.
fn in_need_of_an_image() -> (World, NodeId, NodeId) {
    let mut world = World::new(5).nodes_with(3, |config| {
        config.image_log_bytes = 500;
        config.keep_bytes = 0;
        config.catch_up_bytes = 0;
    });
    world.start_all();
    world.wait_for_leader(10 * SECOND).expect("a leader");
    let behind = world.ids().into_iter().find(|node| Some(*node) != world.leader()).unwrap();
    world.kill(behind);
    for i in 0..50 {
        let leader = world.wait_for_leader(10 * SECOND).unwrap();
        let answer = world.client(leader).unwrap().put(format!("k{i}"), "v");
        world.wait(answer, SECOND).expect("in time").unwrap();
    }
    world.run(SECOND);
    let leader = world.leader().expect("still a leader");
    (world, leader, behind)
}

/// It has just been given one.
fn just_given_an_image() -> (World, NodeId) {
    let (mut world, _, behind) = in_need_of_an_image();
    world.start(behind);
    assert!(world.run_until(10 * SECOND, |world| world.images_taken() > 0), "it needs an image");
    (world, behind)
}

/// Seed 1667 of the random runs: raft campaigned while the image's place in the log was not durable, looked
/// for the entries that the image had replaced, and panicked.
#[test]
fn a_follower_does_not_campaign_before_its_image_is_durable() {
    let (mut world, behind) = just_given_an_image();
    world.hold_disk(behind);
    for other in world.ids() {
        world.net.cut(other, behind);
    }
    world.run(5 * SECOND);
    world.net.heal();
    world.release_disk(behind);
    world.run(5 * SECOND);
    assert!(world.client(behind).unwrap().get_local("k49").unwrap().is_some());
}

/// Seed 10467 of the random runs: the image was durable, the log's new beginning was not; after the restart
/// raft went on behind the image, and the disk was handed entries with a gap before them.
#[test]
fn a_crash_between_an_image_and_the_log_behind_it_is_made_up_for() {
    let (mut world, behind) = just_given_an_image();
    world.lose_power(behind);
    world.start(behind);
    for i in 0..5 {
        let leader = world.wait_for_leader(10 * SECOND).unwrap();
        let answer = world.client(leader).unwrap().put(format!("more{i}"), "v");
        world.wait(answer, 5 * SECOND).expect("in time").unwrap();
        world.run(SECOND);
        assert!(world.client(behind).unwrap().get_local(format!("more{i}")).unwrap().is_some());
        world.lose_power(behind);
        world.start(behind);
    }
    assert!(world.client(behind).unwrap().get_local("k49").unwrap().is_some());
}

/// The newest image is damaged while its node runs, and a follower wants it: it is not handed out again and again, nor
/// does the node stop, which has everything in memory. It writes another.
#[test]
fn a_leader_whose_images_are_damaged_writes_another_for_whoever_needs_one() {
    for damaged in [1, 2] {
        let (mut world, leader, behind) = in_need_of_an_image();
        let images = || world.disk(leader).files().into_keys().filter(|name| name.starts_with("image-"));
        let newest_first: Vec<_> = images().collect::<BTreeSet<_>>().into_iter().rev().collect();
        assert!(newest_first.len() >= damaged, "{newest_first:?}");
        newest_first.iter().take(damaged).for_each(|name| world.disk(leader).flip(name, 500, 1));
        world.start(behind);
        let helped = world.run_until(20 * SECOND, |world| {
            world.client(behind).is_some_and(|client| matches!(client.get_local("k49"), Ok(Some(_))))
        });
        assert!(helped, "with {damaged} damaged, nobody helps it; {:?}", world.status(leader));
    }
}
