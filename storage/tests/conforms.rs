//! The storages of this crate pass the suite that everybody's must pass.

use kvorum_storage::faulty::FaultyDisk;
use kvorum_storage::{FileStorage, MemoryStorage, Options, RealDisk, conformance};
use std::sync::Arc;

fn tiny() -> Options {
    Options { segment_bytes: 2048, image_sync_bytes: 1000 }
}

#[test]
fn memory() {
    conformance::suite(|| {
        let place = MemoryStorage::new();
        Box::new(move || place.clone())
    });
}

#[test]
fn files_on_a_disk_in_memory() {
    for options in [Options::default(), tiny()] {
        conformance::suite(|| {
            let disk = FaultyDisk::new(1);
            Box::new(move || FileStorage::with_disk(disk.mount(), options).unwrap())
        });
    }
}

#[test]
fn files_on_a_real_disk() {
    let root = tempdir();
    let mut count = 0;
    conformance::suite(|| {
        count += 1;
        let place = root.join(format!("{count}/deeper"));
        Box::new(move || {
            let disk = Arc::new(RealDisk::open(&place).unwrap());
            FileStorage::with_disk(disk, Options { segment_bytes: 16 << 10, ..tiny() }).unwrap()
        })
    });
    std::fs::remove_dir_all(root).unwrap();
}

fn tempdir() -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("kvorum-conforms-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}
