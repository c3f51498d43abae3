//! etcd's own tools: what kvorum saved becomes an etcd, and what an etcd saved becomes a kvorumd.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tonic::transport::{Channel, Endpoint};

use crate::common::{KvClient, everything, get, one, put};
use crate::picture::{Picture, fill};
use crate::process::{Scratch, Server, free_port, member};
use crate::{channel, etcd, imported, save, write};

/// An etcd on a data directory, killed when it is dropped.
struct Restored(Child);

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn start(binary: &Path, data_dir: &Path, restored: bool) -> (Restored, Channel) {
    let [client, peer] = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
    let mut command = Command::new(binary);
    command.args(["--name=default", "--log-level=fatal", "--unsafe-no-fsync", "--data-dir"]).arg(data_dir);
    command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer]);
    if !restored {
        command
            .args(["--initial-advertise-peer-urls", &peer, "--initial-cluster"])
            .arg(format!("default={peer}"));
    }
    let process = Restored(command.stderr(Stdio::null()).spawn().unwrap());
    let channel = Endpoint::from_shared(client).unwrap().connect_lazy();
    for _ in 0..600 {
        if KvClient::new(channel.clone()).range(get("ready?")).await.is_ok() {
            return (process, channel);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("etcd does not answer");
}

/// etcd, and etcdutl beside it; or says why there is none.
fn tools() -> Result<(PathBuf, PathBuf), String> {
    let binary = etcd::find()?;
    let etcdutl = binary.with_file_name("etcdutl");
    if !etcdutl.is_file() {
        return Err(format!("there is no {}", etcdutl.display()));
    }
    Ok((binary, etcdutl))
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let all = [output.stdout, output.stderr].concat();
    let all = String::from_utf8_lossy(&all).into_owned();
    assert!(output.status.success(), "{command:?}: {all}");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_restores_what_kvorum_saved() {
    let (binary, etcdutl) = match tools() {
        Ok(tools) => tools,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let gate = one().await;
    let leases = fill(&gate.channel).await;
    let before = Picture::of(&gate.channel, leases).await;
    let scratch = Scratch::new();
    let file = write(&scratch, &save(&gate.channel).await);
    let status = said(Command::new(&etcdutl).args(["snapshot", "status", "-w", "fields"]).arg(&file));
    assert!(status.contains(&format!("\"Revision\" : {}", before.revision)), "{status}");
    let data_dir = scratch.path().join("etcd");
    said(Command::new(&etcdutl).args(["snapshot", "restore"]).arg(&file).arg("--data-dir").arg(&data_dir));
    let (etcd, channel) = start(&binary, &data_dir, true).await;
    before.assert_same(&Picture::of(&channel, leases).await);
    let answer = KvClient::new(channel).put(put("after", "it")).await.unwrap().into_inner();
    assert_eq!(answer.header.unwrap().revision, before.revision + 1);
    drop(etcd);
}

#[tokio::test(flavor = "multi_thread")]
async fn kvorumd_imports_what_etcd_saved() {
    let binary = match etcd::find() {
        Ok(binary) => binary,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let scratch = Scratch::new();
    let data_dir = scratch.path().join("etcd");
    let (etcd, from) = start(&binary, &data_dir, false).await;
    let leases = fill(&from).await;
    // What etcd's hash at the revision of a compaction is of changes when it is started again (DIFFERENCES.md).
    drop(etcd);
    let (etcd, from) = start(&binary, &data_dir, true).await;
    let (before, file) = (Picture::of(&from, leases).await, write(&scratch, &save(&from).await));
    let flags = member("a", &[("a", free_port())], free_port(), &scratch.path().join("a"));
    imported(&file, &flags).unwrap();
    let server = Server::ready(&flags);
    before.assert_same(&Picture::of(&channel(&flags), leases).await);
    server.stop();
    // Its directory as it lies there is taken as well, and never by itself.
    drop(etcd);
    let flags = member("b", &[("b", free_port())], free_port(), &scratch.path().join("b"));
    let skip = [&flags[..], &["--skip-hash-check=true".to_string()]].concat();
    imported(&data_dir.join("member/snap/db"), &skip).unwrap();
    let server = Server::ready(&flags);
    let newest = KvClient::new(channel(&flags)).range(get("large")).await.unwrap().into_inner();
    assert_eq!(newest.kvs.first().map(|kv| kv.value.len()), Some(100_000));
    server.stop();
}

/// An etcd that was restored with a bump has a row without a key, and revisions that never were.
#[tokio::test(flavor = "multi_thread")]
async fn kvorumd_imports_from_an_etcd_whose_revision_was_bumped() {
    let (binary, etcdutl) = match tools() {
        Ok(tools) => tools,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let gate = one().await;
    fill(&gate.channel).await;
    let scratch = Scratch::new();
    let (file, data_dir) = (write(&scratch, &save(&gate.channel).await), scratch.path().join("etcd"));
    let mut restore = Command::new(&etcdutl);
    restore.args(["snapshot", "restore", "--bump-revision=1000", "--mark-compacted", "--data-dir"]);
    said(restore.arg(&data_dir).arg(&file));
    let (etcd, from) = start(&binary, &data_dir, true).await;
    KvClient::new(from.clone()).put(put("after", "it")).await.unwrap();
    let all = |channel| async { KvClient::new(channel).range(everything()).await.unwrap().into_inner() };
    let (before, file) = (all(from.clone()).await, write(&scratch, &save(&from).await));
    drop(etcd);
    let flags = member("a", &[("a", free_port())], free_port(), &scratch.path().join("a"));
    imported(&file, &flags).unwrap();
    let server = Server::ready(&flags);
    let after = all(channel(&flags)).await;
    assert_eq!((before.kvs, before.count), (after.kvs, after.count));
    let revision = after.header.unwrap().revision;
    assert_eq!(before.header.unwrap().revision, revision);
    assert!(revision > 1000, "{revision}");
    server.stop();
}
