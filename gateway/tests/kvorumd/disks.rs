//! Disks that say no: that it is told at once, why the server ends, and that nothing is lost.

use std::fs;

use crate::process::{READY, Scratch, Server, alone, cramped};
use crate::serving::Client;

#[test]
fn a_disk_that_fails_is_told_at_once_and_also_to_whoever_asks_the_server_to_end() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    // Nobody looks how the node is before it is asked to end.
    flags.extend(["--heartbeat-interval=9000", "--election-timeout=50000"].map(String::from));
    let mut server = Server::of(&mut cramped(&flags, 256));
    server.until(READY);
    let client = Client::of(&flags);
    let refused = (0..10).find_map(|_| client.put("key", &"v".repeat(50_000)).err()).unwrap();
    assert_eq!(refused.message(), "etcdserver: server stopped");
    let told = server.until("\"msg\":\"the disk failed\"");
    assert!(
        told.contains("\"level\":\"error\"") && told.contains("\"doing\":\"appending to the log\""),
        "{told}"
    );
    server.signal("TERM");
    server.until("closed kvorum server");
    let last = server.until("\"level\":\"fatal\"");
    assert!(
        last.contains("the node halted itself: the disk failed: ") && last.contains("start it as before"),
        "{last}"
    );
    assert_eq!(server.wait().code(), Some(1));
    let server = Server::ready(&flags);
    assert!(Client::of(&flags).put("key", "").unwrap().revision > 2, "what was acknowledged is there");
    server.stop();
}

#[test]
fn of_a_start_that_the_disk_refuses_nothing_may_have_happened() {
    let scratch = Scratch::new();
    let mut server = Server::of(&mut cramped(&alone(&scratch), 0));
    let last = server.until("\"level\":\"fatal\"");
    assert!(last.contains("File too large") && !last.contains("may still have happened"), "{last}");
    assert_eq!(server.wait().code(), Some(1));
}

#[test]
fn a_damaged_snapshot_is_told_though_something_else_stands_in_for_it() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    flags.push("--snapshot-count=1".into());
    let mut server = Server::ready(&flags);
    let client = Client::of(&flags);
    // A megabyte of log and more.
    (0..30).for_each(|_| _ = client.put("key", &"v".repeat(50_000)).unwrap());
    server.until("saved snapshot");
    server.stop();
    let store = scratch.path().join("alone/member/store");
    let names = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    let image = names.filter(|path| path.extension().is_some_and(|end| end == "img")).max().unwrap();
    let mut bytes = fs::read(&image).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&image, bytes).unwrap();
    let mut server = Server::start(&flags);
    let told = server.until("found a damaged snapshot");
    assert!(told.contains(image.file_name().unwrap().to_str().unwrap()), "{told}");
    server.until(READY);
    server.stop();
}
