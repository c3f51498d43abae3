//! "A lost disk" in docs/KVORUMD.md, step by step: what the member says, and the cluster that is made of what the others
//! have.

use std::fs;

use crate::picture::{Picture, fill};
use crate::process::{READY, Scratch, Server, free_port, member};
use crate::{channel, imported, save, write};

const POINTED_TO: &str = "see \\\"A lost disk\\\" in docs/KVORUMD.md";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_others_have_is_a_cluster_again() {
    let scratch = Scratch::new();
    let (old, new) = (scratch.path().join("old"), scratch.path().join("new"));
    let peers = ["a", "b", "c"].map(|name| (name, free_port()));
    let clients = ["a", "b", "c"].map(|name| (name, free_port()));
    let flags_in = |place: &std::path::Path| {
        clients.map(|(name, client)| member(name, &peers, client, &place.join(name)))
    };
    let flags = flags_in(&old);
    let mut servers = flags.each_ref().map(|flags| Server::start(flags));
    servers.iter_mut().for_each(|server| _ = server.until(READY));
    let leases = fill(&channel(&flags[0])).await;
    let [a, b, c] = servers;
    // A directory that is not there after all, as where a disk was not mounted.
    c.stop();
    fs::rename(old.join("c"), old.join("unmounted")).unwrap();
    let mut c = Server::start(&flags[2]);
    let last = c.until("\"level\":\"fatal\"");
    assert!(last.contains("the node halted itself: ") && last.contains(POINTED_TO), "{last}");
    assert_eq!(c.wait().code(), Some(1));
    fs::remove_dir_all(old.join("c")).unwrap();
    fs::rename(old.join("unmounted"), old.join("c")).unwrap();
    let c = Server::ready(&flags[2]);
    let before = Picture::of(&channel(&flags[0]), leases).await;
    // Two are lost, and the one that is left runs.
    b.kill();
    c.kill();
    fs::remove_dir_all(old.join("b")).unwrap();
    let file = write(&scratch, &save(&channel(&flags[0])).await);
    a.kill();
    let flags = flags_in(&new);
    flags.iter().for_each(|flags| imported(&file, flags).unwrap());
    let mut servers = flags.each_ref().map(|flags| Server::start(flags));
    servers.iter_mut().for_each(|server| _ = server.until(READY));
    for flags in &flags {
        before.assert_same(&Picture::of(&channel(flags), leases).await);
    }
    // Who starts on the old directory by mistake is no member.
    let [a, b, c] = servers;
    c.stop();
    let mut mistaken = Server::start(&flags_in(&old)[2]);
    mistaken.until("the peer is of another cluster");
    mistaken.stop();
    let c = Server::ready(&flags[2]);
    [a, b, c].into_iter().for_each(Server::stop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_is_told_and_where_to_read_on() {
    let scratch = Scratch::new();
    let flags = member("a", &[("a", free_port())], free_port(), &scratch.path().join("a"));
    let server = Server::ready(&flags);
    fill(&channel(&flags)).await;
    server.kill();
    let store = scratch.path().join("a/member/store");
    let log = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    let log = log.filter(|path| path.extension().is_some_and(|end| end == "wal")).min().unwrap();
    let mut bytes = fs::read(&log).unwrap();
    bytes[20] ^= 1;
    fs::write(&log, bytes).unwrap();
    let mut server = Server::start(&flags);
    let last = server.until("\"level\":\"fatal\"");
    assert!(last.contains("is damaged at byte ") && last.contains(POINTED_TO), "{last}");
    assert_eq!(server.wait().code(), Some(1));
}
