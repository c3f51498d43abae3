//! Bytes that changed after they were synced are found, wherever they are; never believed, never cut.

mod common;

use common::{Model, Step, chunks, entry, image_of, meta, mount, run, script};
use kvorum_core::storage::*;
use kvorum_core::{Error, ErrorKind, Result};
use kvorum_storage::FileStorage;
use kvorum_storage::faulty::FaultyDisk;

fn grown(seed: u64) -> (FaultyDisk, Model) {
    let disk = FaultyDisk::new(seed);
    let mut model = Model::default();
    run(&disk, &script(seed, 1), &mut model).unwrap();
    (disk, model)
}

fn read(disk: &FaultyDisk) -> Result<(Recovered, u64)> {
    let mut storage = mount(disk)?;
    let found = storage.recover()?;
    let image = image_of(&mut storage)?;
    Ok((found, image))
}

fn is_corrupt(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt { .. })
}

fn append(disk: &FaultyDisk, count: u64, size: usize) {
    let mut storage = mount(disk).unwrap();
    let found = storage.recover().unwrap();
    let next = found.base.index + found.entries.len() as u64 + 1;
    for i in next..next + count {
        storage.append(&[Batch { entries: vec![entry(i, 1, size)], ..Batch::default() }]).unwrap();
    }
}

fn save_image(storage: &mut FileStorage, index: u64) {
    let mut sink = storage.create_image(&meta(index)).unwrap();
    chunks(index).iter().for_each(|chunk| sink.write(chunk).unwrap());
    sink.finish().unwrap();
}

/// Every bit of every byte of every file: the content is as it was, or the damage is reported. Only an image
/// may be replaced by the one before it.
#[test]
fn no_flipped_bit_anywhere_is_believed() {
    let (disk, _) = grown(2);
    append(&disk, 2, 700);
    let (good, image) = read(&disk.fork(0)).unwrap();
    let (mut found, mut harmless, mut fallbacks) = (0, 0, 0);
    for (name, bytes) in disk.files() {
        for byte in 0..bytes.len() {
            let copy = disk.fork(byte as u64);
            copy.flip(&name, byte, (byte * 5 % 8) as u8);
            match read(&copy) {
                Ok((log, found)) => {
                    assert_eq!(log, good, "{name}, byte {byte}: the log is as it was");
                    fallbacks += u64::from(found < image);
                    let fell_back = found < image && name.contains(&format!("{image:020}"));
                    assert!(
                        found == image || fell_back,
                        "{name}, byte {byte}: only a damaged image is replaced"
                    );
                    harmless += 1;
                }
                Err(e) => {
                    assert!(is_corrupt(&e), "{name}, byte {byte}: {e}");
                    assert!(e.to_string().contains(&name), "the file is named: {e}");
                    found += 1;
                }
            }
        }
    }
    assert!(found > 5000 && fallbacks > 500, "found {found}, harmless {harmless}, fallbacks {fallbacks}");
}

#[test]
fn protocol_aware_recovery_rot_in_the_last_acknowledged_group_is_not_a_torn_write() {
    // Two groups of two sectors each, in one segment, which is the last.
    let disk = FaultyDisk::new(1);
    append(&disk, 2, 700);
    let name = "log-00000000000000000001.wal";
    assert_eq!(disk.files().keys().filter(|n| n.ends_with(".wal")).count(), 1);
    let length = disk.files()[name].len();
    for byte in 512..length {
        let copy = disk.fork(1);
        copy.flip(name, byte, 3);
        assert!(is_corrupt(&read(&copy).unwrap_err()), "byte {byte} of {length}");
    }
}

#[test]
fn a_torn_tail_is_cut_at_every_length() {
    let disk = FaultyDisk::new(1);
    append(&disk, 2, 100);
    let name = "log-00000000000000000001.wal";
    let before = disk.files()[name].len();
    append_here(&disk, 3000);
    let bytes = disk.files()[name].clone();
    for length in before..bytes.len() {
        for zeros in [0, 1, 700] {
            let copy = disk.fork(1);
            let mut torn = bytes[..length].to_vec();
            // Zeros follow in whole sectors; a sector is not torn within.
            if zeros > 0 {
                torn.truncate(length / 512 * 512);
                torn.resize(torn.len() + zeros, 0);
            }
            copy.put(name, &torn);
            assert_eq!(read(&copy).unwrap().0.entries.len(), 2, "length {length}, {zeros} zeros");
            append(&copy, 2, 100);
            assert_eq!(read(&copy).unwrap().0.entries.len(), 4, "the log goes on after the cut");
        }
    }
    assert_eq!(read(&disk).unwrap().0.entries.len(), 3);
}

/// Appends to the segment that is there, as the process that made it would have: the carried group is
/// avoided by starting from a fork that never was restarted.
fn append_here(disk: &FaultyDisk, size: usize) {
    let fresh = FaultyDisk::new(1);
    let mut storage = mount(&fresh).unwrap();
    storage.recover().unwrap();
    for (i, size) in [(1, 100), (2, 100), (3, size)] {
        storage.append(&[Batch { entries: vec![entry(i, 1, size)], ..Batch::default() }]).unwrap();
    }
    let name = "log-00000000000000000001.wal";
    disk.put(name, &fresh.files()[name]);
}

#[test]
fn a_hole_with_an_acknowledged_group_behind_it_is_damage() {
    let disk = FaultyDisk::new(1);
    append(&disk, 3, 100);
    let name = "log-00000000000000000001.wal";
    assert_eq!(disk.files().keys().filter(|n| n.ends_with(".wal")).count(), 1, "no later segment tells");
    let mut bytes = disk.files()[name].clone();
    bytes[1024..1536].fill(0);
    disk.put(name, &bytes);
    let error = read(&disk).unwrap_err();
    assert!(error.to_string().contains("there is a later one behind it"), "{error}");
    assert!(matches!(error.kind(), ErrorKind::Corrupt { offset: 1024, .. }), "{error}");
}

#[test]
fn nats_lost_half_a_log_a_segment_that_is_missing_is_damage() {
    let (disk, _) = grown(2);
    append(&disk, 12, 700);
    let segments: Vec<String> = disk.files().into_keys().filter(|n| n.ends_with(".wal")).collect();
    assert!(segments.len() > 3);
    for name in &segments[1..] {
        let copy = disk.fork(1);
        copy.vanish(name);
        assert!(is_corrupt(&read(&copy).unwrap_err()), "{name}");
    }
    let copy = disk.fork(1);
    segments.iter().for_each(|name| copy.vanish(name));
    assert!(is_corrupt(&read(&copy).unwrap_err()), "a log that there was, and that is gone");
    // Without the oldest, the log begins behind the image.
    segments[..segments.len() - 1].iter().for_each(|name| disk.vanish(name));
    assert!(is_corrupt(&read(&disk).unwrap_err()));
}

#[test]
fn a_file_under_another_ones_name_or_from_another_directory_is_damage() {
    let (disk, _) = grown(2);
    append(&disk, 12, 700);
    let files = disk.files();
    let segments: Vec<&String> = files.keys().filter(|n| n.ends_with(".wal")).collect();
    let copy = disk.fork(1);
    copy.put(segments[1], &files[segments[2]]);
    assert!(is_corrupt(&read(&copy).unwrap_err()));

    let other = FaultyDisk::new(1);
    let identity = Identity { cluster: 1, node: 2, directory: 4, incarnation: 1 };
    run(&other, &[Step::Identity(identity)], &mut Model::default()).unwrap();
    files.iter().filter(|(n, _)| n.ends_with(".wal")).for_each(|(n, b)| other.put(n, b));
    let error = read(&other).unwrap_err();
    assert!(error.to_string().contains("another directory"), "{error}");

    disk.vanish("identity");
    let error = read(&disk).unwrap_err();
    assert!(error.to_string().contains("`identity` is missing"), "{error}");
}

#[test]
fn a_misdirected_sector_is_found() {
    let disk = FaultyDisk::new(1);
    append(&disk, 3, 100);
    let name = "log-00000000000000000001.wal";
    let mut bytes = disk.files()[name].clone();
    bytes.copy_within(512..1024, 1024);
    disk.put(name, &bytes);
    assert!(is_corrupt(&read(&disk).unwrap_err()));
}

#[test]
fn etcd_ccf477d_a_huge_length_allocates_nothing() {
    let name = meta(9).position;
    let name = format!("image-{:020}-{:020}.img", name.index, name.term);
    let disk = FaultyDisk::new(1);
    append(&disk, 10, 10);
    let mut storage = mount(&disk).unwrap();
    storage.recover().unwrap();
    save_image(&mut storage, 9);
    drop(storage);
    let good = disk.files()[&name].clone();
    // The header's length, and a chunk's: whatever is read, it is no more than the file has.
    for at in 12..good.len() - 4 {
        let mut bytes = good.clone();
        bytes[at..at + 4].fill(0xff);
        disk.put(&name, &bytes);
        let found = read(&disk).map(|(_, image)| image);
        assert!(found.as_ref().is_ok_and(|i| *i == 0) || found.is_err(), "byte {at}: {found:?}");
    }
}

#[test]
fn a_newer_builds_files_are_not_called_damaged() {
    let newer = |bytes: &mut Vec<u8>, sum_at: usize| {
        bytes[8] = 9;
        let sum = crc32c::crc32c(&bytes[..sum_at]);
        bytes[sum_at..sum_at + 4].copy_from_slice(&sum.to_le_bytes());
    };
    let (disk, _) = grown(2);
    for (name, bytes) in disk.files() {
        let copy = disk.fork(1);
        let mut bytes = bytes;
        let sum_at = match &name[..3] {
            "log" => 508,
            "ima" => 16 + 60 + 3 * 8 - 4,
            "ide" => 52,
            _ => continue,
        };
        newer(&mut bytes, sum_at);
        copy.put(&name, &bytes);
        let error = read(&copy).unwrap_err();
        let expected = ErrorKind::Version { path: format!("/faulty/{name}"), found: 9, supported: 1 };
        assert_eq!(error.kind(), &expected, "{name}");
    }
}

#[test]
fn an_unreadable_sector_halts_and_is_not_taken_for_the_end() {
    let (disk, _) = grown(2);
    let probe = disk.fork(1);
    let before = probe.reads();
    read(&probe).unwrap();
    for i in 0..probe.reads() - before {
        let copy = disk.fork(1);
        copy.fail_read_at(before + i);
        let error = read(&copy).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
    }
}

fn with_two_images() -> FaultyDisk {
    let disk = FaultyDisk::new(1);
    append(&disk, 20, 300);
    let mut storage = mount(&disk).unwrap();
    storage.recover().unwrap();
    for index in [5, 10, 15] {
        save_image(&mut storage, index);
        storage.drop_head(index).unwrap();
    }
    disk
}

fn image_name(index: u64) -> String {
    format!("image-{index:020}-{:020}.img", 1)
}

#[test]
fn the_older_image_stands_in_for_a_damaged_one_and_the_log_goes_on_from_it() {
    let disk = with_two_images();
    assert!(!disk.files().contains_key(&image_name(5)), "two images are enough");
    assert!(!disk.files().contains_key("log-00000000000000000001.wal"), "a head was dropped");
    disk.flip(&image_name(15), 500, 1);
    let (log, image) = read(&disk).unwrap();
    assert_eq!(image, 10);
    assert!(log.base.index < 10 && log.entries.last().unwrap().index == 20);
    // A third one takes the place of the damaged one, not of the good one.
    let mut storage = mount(&disk).unwrap();
    storage.recover().unwrap();
    image_of(&mut storage).unwrap();
    save_image(&mut storage, 20);
    drop(storage);
    assert!(disk.files().contains_key(&image_name(10)));
    assert_eq!(read(&disk).unwrap().1, 20);
}

#[test]
fn an_image_without_a_log_behind_it_does_not_stand_in() {
    let disk = with_two_images();
    let mut storage = mount(&disk).unwrap();
    storage.recover().unwrap();
    let reset = Some(LogPosition { index: 15, term: 1 });
    storage.append(&[Batch { reset, ..Batch::default() }]).unwrap();
    drop(storage);
    assert_eq!(read(&disk).unwrap().1, 15);
    disk.flip(&image_name(15), 0, 1);
    let error = read(&disk).unwrap_err();
    assert!(is_corrupt(&error) && error.to_string().contains(&image_name(15)), "{error}");
}

/// A follower was sent an image, acknowledged it, and was killed before its log was reset: seed 9071.
#[test]
fn a_damaged_image_that_is_ahead_of_the_log_has_no_substitute() {
    let disk = with_two_images();
    let mut storage = mount(&disk).unwrap();
    storage.recover().unwrap();
    save_image(&mut storage, 25);
    drop(storage);
    assert_eq!(read(&disk).unwrap().1, 25);
    disk.flip(&image_name(25), 500, 1);
    let error = read(&disk).unwrap_err();
    assert!(is_corrupt(&error) && error.to_string().contains(&image_name(25)), "{error}");

    // Nor is a log that begins at 1 enough, if it ends before the image.
    let disk = FaultyDisk::new(1);
    append(&disk, 9, 10);
    let mut storage = mount(&disk).unwrap();
    storage.recover().unwrap();
    save_image(&mut storage, 12);
    drop(storage);
    disk.flip(&image_name(12), 70, 1);
    assert!(is_corrupt(&read(&disk).unwrap_err()));
}

#[test]
fn both_images_damaged_is_the_end_but_not_if_the_log_is_whole() {
    let disk = with_two_images();
    disk.flip(&image_name(15), 70, 1);
    disk.flip(&image_name(10), 70, 1);
    assert!(is_corrupt(&read(&disk).unwrap_err()));

    let disk = FaultyDisk::new(1);
    append(&disk, 9, 10);
    let mut storage = mount(&disk).unwrap();
    storage.recover().unwrap();
    save_image(&mut storage, 5);
    drop(storage);
    disk.flip(&image_name(5), 70, 1);
    assert_eq!(read(&disk).unwrap().1, 0, "a log that begins at 1 needs no image");
}

#[test]
fn etcd_11613_a_leftover_of_a_crashed_write_is_removed_and_not_used() {
    let disk = with_two_images();
    let names = ["image-9.img.1.tmp", "log-00000000000000000099.wal.tmp", "identity.tmp"];
    names.iter().for_each(|name| disk.put(name, b"half"));
    disk.put("somebody-elses.tmp", b"not ours");
    assert_eq!(read(&disk).unwrap().1, 15);
    let files = disk.files();
    assert!(names.iter().all(|name| !files.contains_key(*name)));
    assert!(files.contains_key("somebody-elses.tmp"), "what is not ours is left alone");
}

#[test]
fn one_directory_one_owner() {
    let disk = FaultyDisk::new(1);
    let first = mount(&disk).unwrap();
    let error = mount(&disk).err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::DirectoryInUse { .. }), "{error}");
    drop(first);
    let mut storage = mount(&disk).unwrap();
    storage.recover().unwrap();
    let identity = Identity { cluster: 1, node: 2, directory: 3, incarnation: 1 };
    storage.set_identity(&identity).unwrap();
    storage.set_identity(&Identity { directory: 4, ..identity }).unwrap_err();
    storage.set_identity(&Identity { incarnation: 2, ..identity }).unwrap();
}

#[test]
fn an_image_that_lacks_a_refused_chunk_is_not_finished() {
    let disk = FaultyDisk::new(1);
    let mut storage = mount(&disk).unwrap();
    storage.recover().unwrap();
    let mut sink = storage.create_image(&meta(1)).unwrap();
    sink.write(&[1; 10]).unwrap();
    sink.write(&vec![1; (1 << 20) + 1]).unwrap_err();
    sink.finish().unwrap_err();
    assert!(storage.open_image().unwrap().is_none());
    storage.append(&[Batch::default()]).expect("a caller's mistake is not the disk's");
}

#[test]
fn nothing_is_written_before_it_was_read() {
    let disk = FaultyDisk::new(1);
    let mut storage = mount(&disk).unwrap();
    storage.append(&[Batch::default()]).unwrap_err();
    storage.create_image(&meta(1)).err().unwrap();
    assert_eq!(disk.operations(), 0);
}

#[test]
fn what_was_written_by_this_process_is_not_read_through_first_but_damage_in_it_is_remembered() {
    let disk = FaultyDisk::new(1);
    append(&disk, 20, 300);
    let mut storage = mount(&disk).unwrap();
    storage.recover().unwrap();
    [5, 10].into_iter().for_each(|index| save_image(&mut storage, index));
    let before = disk.reads();
    let mut newest = storage.open_image().unwrap().unwrap();
    let opened = disk.reads() - before;
    while newest.next_chunk().unwrap().is_some() {}
    let all = disk.reads() - before;
    assert!(opened < all - opened, "{opened} reads to open it, {all} with the chunks");

    disk.flip(&image_name(10), 500, 1);
    let mut newest = storage.open_image().unwrap().unwrap();
    assert_eq!(newest.meta().position.index, 10);
    let error = std::iter::from_fn(|| newest.next_chunk().transpose()).find_map(Result::err).unwrap();
    assert!(is_corrupt(&error), "{error}");
    let stands_in = storage.open_image().unwrap().unwrap();
    assert_eq!(stands_in.meta().position.index, 5, "the damaged one is handed out for ever");
}
