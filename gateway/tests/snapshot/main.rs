//! Coming from etcd and leaving to it: snapshots that are saved, imported, damaged, and handed to etcd's own tools (those
//! parts are skipped where there is no etcd 3.5.30 with etcdutl beside it; see `odd/etcd.rs`).

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)]
#[path = "../odd/etcd.rs"]
mod etcd;
mod killed;
mod large;
mod lost;
mod picture;
#[path = "../common/ports.rs"]
mod ports;
#[allow(dead_code)]
#[path = "../kvorumd/process.rs"]
mod process;
mod refused;
mod some;
mod stalled;
mod tools;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kvorum_gateway::backup::{BoltError, ImportError, Trailer, import};
use sha2::{Digest, Sha256};
use tonic::transport::{Channel, Endpoint};

use common::{MaintenanceClient, everything, one, put};
use picture::{Picture, fill};
use process::{Scratch, Server, client_url, free_port, member, run};

/// Saves a snapshot as etcd's clients do, and looks at what they look at.
async fn save(channel: &Channel) -> Vec<u8> {
    let request = kvorum_gateway::pb::etcdserverpb::SnapshotRequest {};
    let mut stream = MaintenanceClient::new(channel.clone()).snapshot(request).await.unwrap().into_inner();
    let (mut file, mut left) = (Vec::new(), None);
    while let Some(piece) = stream.message().await.unwrap() {
        assert!(piece.blob.len() <= 32 << 10 && !piece.blob.is_empty());
        // Only etcd 3.6 says of which version a file is.
        assert_eq!(piece.version, "");
        let told = left.replace(piece.remaining_bytes);
        assert!(told.is_none_or(|told| told - piece.remaining_bytes.min(told) <= 32 << 10), "{told:?}");
        file.extend_from_slice(&piece.blob);
    }
    assert_eq!((left, file.len() % 512), (Some(0), 32), "pages, and a hash");
    let (database, hash) = file.split_at(file.len() - 32);
    assert_eq!(Sha256::digest(database).as_slice(), hash);
    file
}

fn write(scratch: &Scratch, bytes: &[u8]) -> PathBuf {
    let path = scratch.path().join("snapshot");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Runs `kvorumd import`; what it complained of, if it did.
fn imported(file: &Path, flags: &[String]) -> Result<(), String> {
    let file = file.display().to_string();
    let words: Vec<&str> = ["import", &file].into_iter().chain(flags.iter().map(String::as_str)).collect();
    let output = run(&words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn channel(flags: &[String]) -> Channel {
    let endpoint = Endpoint::from_shared(client_url(flags)).unwrap().timeout(Duration::from_secs(30));
    endpoint.connect_lazy()
}

/// A member that is configured by its environment or by a file is not imported somewhere else.
#[tokio::test(flavor = "multi_thread")]
async fn variables_and_the_configuration_file_say_where_as_at_a_start() {
    let gate = one().await;
    let scratch = Scratch::new();
    let path = write(&scratch, &save(&gate.channel).await);
    let [by_variable, by_file] = ["variable", "file"].map(|name| scratch.path().join(name));
    let config = scratch.path().join("config");
    std::fs::write(&config, format!("data-dir: {}\n", by_file.display())).unwrap();
    for (name, value, data_dir) in
        [("ETCD_DATA_DIR", &by_variable, &by_variable), ("ETCD_CONFIG_FILE", &config, &by_file)]
    {
        let output = process::command(&["import", path.to_str().unwrap()]).env(name, value).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        assert!(data_dir.join("member").is_dir(), "{name}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_members_import_what_one_saved() {
    let gate = one().await;
    let leases = fill(&gate.channel).await;
    let (before, file) = (Picture::of(&gate.channel, leases).await, save(&gate.channel).await);
    let scratch = Scratch::new();
    let path = write(&scratch, &file);
    let peers = ["a", "b", "c"].map(|name| (name, free_port()));
    let flags = ["a", "b", "c"].map(|name| member(name, &peers, free_port(), &scratch.path().join(name)));
    for flags in &flags {
        imported(&path, flags).unwrap();
        let again = imported(&path, flags).unwrap_err();
        assert!(again.contains("has a member's data already"), "{again}");
    }
    let mut servers = flags.each_ref().map(|flags| Server::start(flags));
    servers.iter_mut().for_each(|server| _ = server.until(process::READY));
    for flags in &flags {
        before.assert_same(&Picture::of(&channel(flags), leases).await);
    }
    // It goes on from there, and all three agree on it.
    let kv = || common::KvClient::new(channel(&flags[0]));
    let answer = kv().put(put("after", "it")).await.unwrap().into_inner();
    assert_eq!(answer.header.unwrap().revision, before.revision + 1);
    for flags in &flags {
        let all = common::KvClient::new(channel(flags)).range(everything()).await.unwrap().into_inner();
        assert!(all.kvs.iter().any(|kv| &kv.key[..] == b"after"));
        assert_eq!(all.header.unwrap().revision, before.revision + 1);
    }
    servers.into_iter().for_each(Server::stop);
}

/// Every damage is refused with what is wrong, nothing of it is left, and the whole file can be imported afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_refused_and_leaves_nothing_behind() {
    let gate = one().await;
    let leases = fill(&gate.channel).await;
    let (before, file) = (Picture::of(&gate.channel, leases).await, save(&gate.channel).await);
    let scratch = Scratch::new();
    let flags = member("a", &[("a", free_port())], free_port(), &scratch.path().join("a"));
    let mut flipped = file.clone();
    flipped[20_000] ^= 1;
    let all_wrong: &[(&[u8], &str)] = &[
        (&flipped, "expected sha256"),
        (&file[..file.len() - 32], "snapshot missing hash but --skip-hash-check=false"),
        (&file[..file.len() - 4096], "it is cut off: its database has"),
        (&file[..file.len() - 33], "it is cut off: its database has"),
        (b"kvorum", "it is no snapshot of etcd's"),
    ];
    for (bytes, reason) in all_wrong {
        let said = imported(&write(&scratch, bytes), &flags).unwrap_err();
        assert!(said.contains(reason), "{reason}: {said}");
    }
    let said = imported(&scratch.path().join("nothing"), &flags).unwrap_err();
    assert!(said.contains("opening"), "{said}");
    let said = imported(&write(&scratch, &file), &[&flags[..], &["--skip-hash-check=maybe".into()]].concat());
    assert!(said.unwrap_err().contains("invalid boolean value"));
    assert!(!scratch.path().join("a").exists(), "nothing is left of it");
    // A database that was copied out of a directory has no hash.
    let bare = write(&scratch, &file[..file.len() - 32]);
    imported(&bare, &[&flags[..], &["--skip-hash-check".into()]].concat()).unwrap();
    let server = Server::ready(&flags);
    before.assert_same(&Picture::of(&channel(&flags), leases).await);
    server.stop();
}

/// Without its hash, the file is looked at all the more: whatever is flipped in it, nothing panics, and what is taken is
/// a history that makes sense.
#[tokio::test]
async fn no_damage_makes_an_import_panic() {
    let gate = one().await;
    fill(&gate.channel).await;
    let file = save(&gate.channel).await;
    let database = &file[..file.len() - 32];
    let (mut refused, mut taken) = (0, 0);
    // Every byte that is not zero, of a file of zeros for the most part, is flipped in one of its bits.
    for at in (0..database.len()).filter(|at| database[*at] != 0).step_by(7) {
        let mut damaged = database.to_vec();
        damaged[at] ^= 1 << (at % 8);
        match import(&damaged[..], Trailer::Skipped) {
            Ok(_) => taken += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(
        refused > 100 && taken > 0,
        "{refused} refused, {taken} taken: values have no checksum of their own"
    );
    for length in (0..database.len()).step_by(1009) {
        assert!(import(&database[..length], Trailer::Skipped).is_err(), "cut off at {length}");
    }
    let error = import(&database[..4096], Trailer::Checked).unwrap_err();
    let (needs, has) = (database.len() as u64, 4096);
    assert_eq!(error, ImportError::Bolt(BoltError::Cut { needs, has }), "a hash is not all that is missing");
    assert_eq!(import(database, Trailer::Checked).unwrap_err(), ImportError::NoHash);
}
