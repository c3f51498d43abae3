//! Disks that say no: that it is told at once, why the server ends, and that nothing is lost.

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
