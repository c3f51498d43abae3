//! The process or the machine dies at every operation of a run; what was acknowledged must be there, and
//! what was not must be there whole or not at all.

mod common;

use common::{Model, Step, check, mount, run, script};
use kvorum_core::storage::Storage;
use kvorum_storage::faulty::{FaultyDisk, Survivors};

const WAYS: [Option<Survivors>; 5] = [
    None,
    Some(Survivors::Nothing),
    Some(Survivors::Everything),
    Some(Survivors::Prefix),
    Some(Survivors::Subset),
];

fn crash(disk: &FaultyDisk, way: Option<Survivors>) {
    match way {
        None => disk.kill(),
        Some(survivors) => disk.lose_power(survivors),
    }
}

/// Runs the script until operation `stop`, crashes, and checks; then crashes again at every operation of
/// the recovery, and checks again; then goes on with the script.
fn crash_at(steps: &[Step], stop: u64, way: Option<Survivors>, seed: u64, nested: bool) {
    let disk = FaultyDisk::new(seed);
    disk.stop_at(stop);
    let mut model = Model::default();
    let _ = run(&disk, steps, &mut model);
    crash(&disk, way);
    if nested {
        for again in 0..40 {
            let copy = disk.fork(seed ^ again);
            copy.stop_at(copy.operations() + again);
            let died = mount(&copy).and_then(|mut s| s.recover()).is_err();
            crash(&copy, way);
            check(&copy, &model);
            if !died {
                break;
            }
        }
    }
    check(&disk, &model);
    disk.kill();
    let mut model = check_and_adopt(&disk, &model);
    run(&disk, &script(77, model.next_index()), &mut model).expect("life goes on after a crash");
    disk.lose_power(Survivors::Nothing);
    check(&disk, &model);
}

fn check_and_adopt(disk: &FaultyDisk, model: &Model) -> Model {
    let found = check(disk, model);
    disk.kill();
    Model::adopt(found, model)
}

fn every_stop(seed: u64, ways: &[Option<Survivors>], nested: bool) {
    let steps = script(seed, 1);
    let probe = FaultyDisk::new(seed);
    run(&probe, &steps, &mut Model::default()).unwrap();
    for stop in 0..probe.operations() {
        for way in ways {
            crash_at(&steps, stop, *way, seed * 1000 + stop, nested);
        }
    }
}

#[test]
fn killed_or_powerless_at_every_operation() {
    (1..=2).for_each(|seed| every_stop(seed, &WAYS, false));
}

#[test]
fn etcd_6378_any_subset_of_the_last_sectors_is_lost() {
    (10..=18).for_each(|seed| every_stop(seed, &[Some(Survivors::Subset)], false));
}

#[test]
fn crashed_again_while_recovering() {
    every_stop(50, &WAYS, true);
}

#[test]
fn etcd_6368_a_name_is_durable_before_anything_depends_on_it() {
    // Killed at every operation, recovered by a process that sees the names in the page cache, and which
    // acknowledges something; then the power goes.
    let steps = script(3, 1);
    let probe = FaultyDisk::new(3);
    run(&probe, &steps, &mut Model::default()).unwrap();
    for stop in 0..probe.operations() {
        let disk = FaultyDisk::new(stop);
        disk.stop_at(stop);
        let mut model = Model::default();
        let _ = run(&disk, &steps, &mut model);
        disk.kill();
        let model = check_and_adopt(&disk, &model);
        // What was recovered counts as acknowledged: raft acts on it.
        disk.lose_power(Survivors::Nothing);
        check(&disk, &model);
    }
}

#[test]
fn fsyncgate_what_a_failed_sync_dropped_is_not_believed_after_a_restart() {
    let steps = script(4, 1);
    let probe = FaultyDisk::new(4);
    run(&probe, &steps, &mut Model::default()).unwrap();
    for fail in 0..probe.operations() {
        let disk = FaultyDisk::new(fail);
        disk.fail_at(fail);
        let mut model = Model::default();
        run(&disk, &steps, &mut model).expect_err("the failure is noticed");
        assert_eq!(disk.writes_after_failed_sync(), 0, "nothing is written to a file after its sync failed");
        disk.kill();
        let model = check_and_adopt(&disk, &model);
        disk.lose_power(Survivors::Nothing);
        check(&disk, &model);
        assert_eq!(disk.writes_after_failed_sync(), 0, "nor by the next process");
    }
}

#[test]
fn etcd_8935_a_full_disk_at_every_size_loses_nothing() {
    let steps = script(5, 1);
    for room in (0..12_000).step_by(97) {
        let disk = FaultyDisk::new(room);
        disk.set_capacity(Some(room));
        let mut model = Model::default();
        if let Err(e) = run(&disk, &steps, &mut model) {
            assert!(e.to_string().contains("/faulty/"), "the error names the file: {e}");
        }
        disk.kill();
        // On a disk that is still full a restart may be refused, but not lose.
        let _ = mount(&disk).and_then(|mut s| s.recover());
        disk.kill();
        disk.set_capacity(None);
        check(&disk, &model);
    }
}

#[test]
fn the_script_covers_what_it_should() {
    let disk = FaultyDisk::new(1);
    run(&disk, &script(1, 1), &mut Model::default()).unwrap();
    let files = disk.files();
    assert!(
        files.keys().filter(|n| n.ends_with(".wal")).count() >= 2,
        "several segments: {:?}",
        files.keys()
    );
    assert!(!files.contains_key("log-00000000000000000001.wal"), "a head that was dropped");
    assert_eq!(files.keys().filter(|n| n.ends_with(".img")).count(), 2, "two images");
}
