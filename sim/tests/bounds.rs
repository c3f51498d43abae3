//! What a world is asked for and no world can have is refused, in words that name the argument and its range.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use kvorum_sim::plan::LONGEST;
use kvorum_sim::{RunOptions, Swarm, World, rehearse};

fn running() -> World {
    let mut world = World::new(1).nodes(3);
    world.start_all();
    world.wait_for_leader(Duration::from_secs(10)).expect("a leader");
    world
}

/// The words with which something panics.
fn refused<T>(run: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(run()))).expect_err("it is refused");
    match panic.downcast::<String>() {
        Ok(words) => *words,
        Err(panic) => (*panic.downcast::<&str>().expect("words")).to_string(),
    }
}

/// The cluster still works; what was done to one node leaves the two others alone.
fn works(world: &mut World) {
    let two =
        |world: &mut World| [2, 3].into_iter().find_map(|node| world.client(node).map(|c| c.put("k", "v")));
    let answer = two(world).expect("it runs");
    world.wait(answer, Duration::from_secs(30)).expect("in time").expect("agreed on");
}

#[test]
fn a_clock_drifts_within_bounds_and_no_further() {
    for ppm in [-999_999, 9_000_000] {
        let mut world = running();
        world.set_drift(1, ppm);
        world.run(Duration::from_secs(3));
        works(&mut world);
    }
    for ppm in [i64::MIN, -2_000_000, -1_000_000, 9_000_001, i64::MAX] {
        let words = refused(|| running().set_drift(1, ppm));
        assert_eq!(words, format!("a clock's drift is from -999999 to 9000000 ppm, and not {ppm}"));
    }
}

#[test]
fn a_clock_jumps_a_year_and_no_further() {
    let mut world = running();
    world.jump_clock(1, Duration::from_secs(365 * 86_400));
    world.run(Duration::from_secs(3));
    works(&mut world);
    for by in [Duration::from_secs(365 * 86_400 + 1), Duration::MAX] {
        let words = refused(|| running().jump_clock(1, by));
        assert_eq!(words, format!("a clock jumps 31536000s at once at most, and not {by:?}"));
    }
}

#[test]
fn a_clock_may_stand_still_for_good() {
    let mut world = running();
    world.freeze_clock(1, Duration::MAX);
    world.run(Duration::from_secs(3));
    works(&mut world);
    world.thaw_clock(1);
    world.run(Duration::from_secs(3));
    assert!(world.leader().is_some());
}

#[test]
fn a_disk_may_take_for_ever() {
    let mut world = World::new(1).nodes(3);
    world.sync_time = (Duration::ZERO, Duration::MAX);
    world.start_all();
    world.run(Duration::from_secs(3));
    let mut world = running();
    world.slow_disk(1, Duration::MAX);
    world.run(Duration::from_secs(3));
    works(&mut world);
}

#[test]
fn a_node_that_is_not_there_is_named() {
    let mut world = running();
    let words = "there is no node 9";
    assert_eq!(refused(|| world.disk(9).used()), words);
    assert_eq!(refused(|| world.wipe(9)), words);
    assert_eq!(refused(|| world.set_drift(9, 1)), words);
    assert_eq!(refused(|| world.start(9)), words);
    assert_eq!(refused(|| world.kill(9)), words);
}

#[test]
fn the_disk_of_a_running_node_is_not_taken_away() {
    let mut world = running();
    assert_eq!(refused(|| world.wipe(1)), "node 1 runs: it must be killed before its disk can be wiped");
    let disk = world.disk(2).fork(1);
    let words = refused(|| world.set_disk(1, disk));
    assert_eq!(words, "node 1 runs: it must be killed before it can be given another disk");
    works(&mut world);
    world.kill(1);
    world.wipe(1);
}

#[test]
fn a_world_gets_its_nodes_once() {
    let words = refused(|| running().nodes(5));
    assert_eq!(words, "this world has its 3 nodes already: take another one, World::new(1)");
    assert_eq!(
        refused(|| World::new(1).nodes(u64::MAX)),
        format!("a world has 62 nodes at most, and not {}", u64::MAX)
    );
    // Its faults have room for all of them.
    for seed in 0..20 {
        drop(Swarm::default().plan(seed, 62, Duration::from_secs(60)));
    }
    let words = refused(|| Swarm::default().plan(1, u64::MAX, Duration::from_secs(1)));
    assert_eq!(words, format!("a plan is for 62 nodes at most, and not for {}", u64::MAX));
}

#[test]
fn a_run_lasts_a_day_at_most() {
    let longer = LONGEST + Duration::from_nanos(1);
    for swarm in [Swarm::none(), Swarm::default()] {
        for duration in [longer, Duration::MAX] {
            let words = refused(|| World::new(1).nodes(3).faults(swarm.clone()).lasting(duration).run(()));
            assert_eq!(words, format!("faults go on for 86400s (a day) at most, and not for {duration:?}"));
        }
    }
    assert!(
        refused(|| rehearse(1, &RunOptions { duration: longer, ..Default::default() })).contains("(a day)")
    );
    assert_eq!(Swarm::default().plan(1, 3, LONGEST).duration, LONGEST);
}
