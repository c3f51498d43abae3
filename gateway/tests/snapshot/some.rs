//! Clusters of which only some members were imported: nobody loses anything, and everybody is told what to do.

use crate::common::{KvClient, get, one, put};
use crate::picture::fill;
use crate::process::{READY, Scratch, Server, field, free_port, member};
use crate::{channel, imported, save, write};

const WHAT_TO_DO: &str = "run the same 'kvorumd import' on every member";
const MISMATCH: &str = "request sent was ignored by remote peer due to cluster ID mismatch";

/// The flags of three members, and a snapshot to import.
async fn three(scratch: &Scratch) -> ([Vec<String>; 3], std::path::PathBuf) {
    let gate = one().await;
    fill(&gate.channel).await;
    let peers = ["a", "b", "c"].map(|name| (name, free_port()));
    let flags = ["a", "b", "c"].map(|name| member(name, &peers, free_port(), &scratch.path().join(name)));
    (flags, write(scratch, &save(&gate.channel).await))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_alone_was_imported_says_so_and_ends() {
    let scratch = Scratch::new();
    let (flags, file) = three(&scratch).await;
    imported(&file, &flags[0]).unwrap();
    let [mut a, mut b, mut c] = flags.each_ref().map(|flags| Server::start(flags));
    let [b_id, c_id] =
        [&mut b, &mut c].map(|server| field(&server.ever("starting local member"), "local-member-id"));
    let content = field(&a.until("the data was imported from a snapshot"), "content");
    let last = a.until("\"level\":\"fatal\"");
    assert!(last.contains(WHAT_TO_DO) && last.contains(&format!("(content {content})")), "{last}");
    assert!(last.contains(&format!("b ({b_id})")) && last.contains(&format!("c ({c_id})")), "{last}");
    assert_eq!(a.wait().code(), Some(1));
    // The others are a cluster with nothing in it, and one that works.
    b.until(READY);
    c.until(READY);
    let answer = KvClient::new(channel(&flags[1])).put(put("after", "it")).await.unwrap().into_inner();
    assert_eq!(answer.header.unwrap().revision, 2);
    b.stop();
    c.stop();
    // Imported on every member, all of it is there.
    for (flags, name) in flags.iter().zip(["a", "b", "c"]).skip(1) {
        std::fs::remove_dir_all(scratch.path().join(name)).unwrap();
        imported(&file, flags).unwrap();
    }
    let mut all = flags.each_ref().map(|flags| Server::start(flags));
    all.iter_mut().for_each(|server| _ = server.until(READY));
    all.into_iter().for_each(Server::stop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_alone_was_not_imported_is_told_and_disturbs_nobody() {
    let scratch = Scratch::new();
    let (flags, file) = three(&scratch).await;
    imported(&file, &flags[0]).unwrap();
    imported(&file, &flags[1]).unwrap();
    let [mut a, mut b, mut c] = flags.each_ref().map(|flags| Server::start(flags));
    for _ in 0..2 {
        let told = c.until(MISMATCH);
        assert!(told.contains("this member was not") && told.contains(WHAT_TO_DO), "{told}");
    }
    a.until(READY);
    b.until(READY);
    let told = a.ever(MISMATCH);
    assert!(told.contains("member c (") && told.contains("the same 'kvorumd import'"), "{told}");
    assert!(!c.has_said(READY));
    [a, b, c].into_iter().for_each(Server::stop);
}

/// Members whose disks were lost are another cluster. Whoever still has what was acknowledged waits for what they had, and
/// gives no advice that would destroy it.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_written_to_since_its_import_waits_for_those_that_lost_theirs() {
    let scratch = Scratch::new();
    let (flags, file) = three(&scratch).await;
    flags.iter().for_each(|flags| imported(&file, flags).unwrap());
    let mut all = flags.each_ref().map(|flags| Server::start(flags));
    all.iter_mut().for_each(|server| _ = server.until(READY));
    KvClient::new(channel(&flags[0])).put(put("since", "it")).await.unwrap();
    all.into_iter().for_each(Server::stop);
    let place = |name: &str| scratch.path().join(name);
    ["b", "c"].iter().for_each(|name| std::fs::rename(place(name), place(&format!("{name}.lost"))).unwrap());
    let mut others = [1, 2].map(|at| Server::start(&flags[at]));
    others.iter_mut().for_each(|server| _ = server.until(READY));
    let mut a = Server::start(&flags[0]);
    for _ in &others {
        let told = a.until(MISMATCH);
        assert!(told.contains("so keep it") && !told.contains(WHAT_TO_DO), "{told}");
    }
    others.into_iter().for_each(Server::stop);
    for name in ["b", "c"] {
        std::fs::remove_dir_all(place(name)).unwrap();
        std::fs::rename(place(&format!("{name}.lost")), place(name)).unwrap();
    }
    let others = [1, 2].map(|at| Server::start(&flags[at]));
    // It has waited, and nothing is lost.
    a.until(READY);
    let since = KvClient::new(channel(&flags[0])).range(get("since")).await.unwrap().into_inner();
    assert_eq!(since.kvs.len(), 1);
    [a].into_iter().chain(others).for_each(Server::stop);
}
