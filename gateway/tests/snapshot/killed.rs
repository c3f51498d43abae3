//! Imports that are killed: whenever it was, nobody serves half of what was imported, or nothing of it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::common::{KvClient, everything, one, put};
use crate::process::{Scratch, Server, command, free_port, member, run};
use crate::{channel, imported, save, write};

const VALUES: usize = 10;

/// Kills it as soon as something is there. It may have come to its end before.
fn kill_at(child: &mut Child, is_there: impl Fn() -> bool) {
    while !is_there() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
}

fn has_image(data_dir: &Path) -> bool {
    let names = std::fs::read_dir(data_dir.join("importing/store")).into_iter().flatten().flatten();
    names.into_iter().any(|entry| entry.file_name() != "lock")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_is_not_started_on_and_can_be_run_again() {
    let gate = one().await;
    let mut kv = KvClient::new(gate.channel.clone());
    for i in 0..VALUES {
        kv.put(put(&format!("key{i}"), &"x".repeat(1 << 20))).await.unwrap();
    }
    let scratch = Scratch::new();
    let file = write(&scratch, &save(&gate.channel).await);
    // While the file is read, while the store is written, and when nearly all is done.
    for moment in ["reading", "writing", "ending"] {
        let data_dir = scratch.path().join(moment);
        let flags = member("a", &[("a", free_port())], free_port(), &data_dir);
        let words = ["import".to_string(), file.display().to_string()].into_iter().chain(flags.clone());
        let mut import = command(&words.collect::<Vec<_>>()).stdout(Stdio::null()).spawn().unwrap();
        kill_at(&mut import, || match moment {
            "reading" => data_dir.exists() && std::fs::read_dir(&data_dir).unwrap().next().is_some(),
            "writing" => has_image(&data_dir),
            _ => data_dir.join("importing/imported").exists(),
        });
        let status = import.wait().unwrap();
        // Reading it all takes long; of the other moments, any may be the last.
        assert!(moment != "reading" || status.signal() == Some(9), "{status}");
        if data_dir.join("importing").exists() || moment == "reading" {
            not_started_on(&flags, &data_dir);
            // What cannot be imported is no way out of it.
            let nothing = scratch.path().join("nothing");
            std::fs::write(&nothing, "kvorum").unwrap();
            imported(&nothing, &flags).unwrap_err();
            not_started_on(&flags, &data_dir);
            imported(&file, &flags).unwrap();
        }
        assert!(!data_dir.join("importing").exists());
        let server = Server::ready(&flags);
        let request = kvorum_gateway::pb::etcdserverpb::RangeRequest { count_only: true, ..everything() };
        let all = KvClient::new(channel(&flags)).range(request).await.unwrap().into_inner();
        assert_eq!(all.count, VALUES as i64, "{moment}");
        server.stop();
    }
}

fn not_started_on(flags: &[String], data_dir: &Path) {
    let output = run(flags);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("did not come to its end") && said.contains("run 'kvorumd import' again"),
        "{said}"
    );
    assert!(!data_dir.join("member").exists(), "nothing was begun");
}

/// Two imports into one directory do not mix.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_into_a_directory_that_another_one_fills_is_refused() {
    let gate = one().await;
    KvClient::new(gate.channel.clone()).put(put("key", "value")).await.unwrap();
    let scratch = Scratch::new();
    let file = write(&scratch, &save(&gate.channel).await);
    let flags = member("a", &[("a", free_port())], free_port(), &scratch.path().join("a"));
    let storage = kvorum::storages::FileStorage::open(scratch.path().join("a/importing/store")).unwrap();
    let said = imported(&file, &flags).unwrap_err();
    assert!(said.contains("another 'kvorumd import' into it is under way"), "{said}");
    assert!(scratch.path().join("a/importing").exists());
    drop(storage);
    imported(&file, &flags).unwrap();
}
