//! Three members of kvorumd, administered with etcdctl.

use std::time::{Duration, Instant};

use crate::folder;
use crate::process::{READY, Scratch, Server, client_url, free_port, member};
use crate::tool::Etcdctl;

/// A member as `endpoint status` has it: where it is, its number, and whether it leads.
fn states(ctl: &Etcdctl) -> Vec<(String, String, bool)> {
    let said = ctl.run(&["endpoint", "status"], "");
    let cells = said.lines().map(|line| line.split(", ").collect::<Vec<_>>()).filter(|cells| cells.len() > 5);
    cells.map(|cells| (cells[0].into(), cells[1].into(), cells[4] == "true")).collect()
}

#[test]
fn etcdctl_moves_the_leadership_among_three_members() {
    let folder = match folder() {
        Ok(folder) => folder,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let scratch = Scratch::new();
    let peers = [("a", free_port()), ("b", free_port()), ("c", free_port())];
    let flags = peers.map(|(name, _)| member(name, &peers, free_port(), &scratch.path().join(name)));
    let mut servers = flags.each_ref().map(|flags| Server::start(flags));
    servers.iter_mut().for_each(|server| drop(server.until(READY)));
    let endpoints = flags.each_ref().map(|flags| client_url(flags).replace("http://", ""));
    let ctl = Etcdctl::new(&folder, &endpoints.join(","));
    assert_eq!(ctl.run(&["put", "k", "v"], ""), "OK\nexit: Some(0)\n");
    for endpoint in &endpoints {
        assert_eq!(Etcdctl::new(&folder, endpoint).run(&["get", "k"], ""), "k\nv\nexit: Some(0)\n");
    }
    let members = ctl.run(&["member", "list"], "");
    assert_eq!(members.lines().filter(|line| line.contains(", started, ")).count(), 3, "{members}");
    let all = Etcdctl::new(&folder, &endpoints[0]).run(&["endpoint", "status", "--cluster"], "");
    assert!(endpoints.iter().all(|endpoint| all.contains(endpoint)), "one knows where all are: {all}");
    let before = states(&ctl);
    let (leader, other) =
        (before.iter().find(|state| state.2).unwrap(), before.iter().find(|state| !state.2).unwrap());
    let moved = ctl.run(&["move-leader", &other.1], "");
    let expected = format!("Leadership transferred from {} to {}\nexit: Some(0)\n", leader.1, other.1);
    assert_eq!(moved, expected);
    // Whoever was asked for leads, and soon everybody says so.
    let began = Instant::now();
    while states(&ctl).iter().filter(|state| state.2).map(|state| &state.1).ne([&other.1]) {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", states(&ctl));
    }
    let follows = Etcdctl::new(&folder, &leader.0).run(&["move-leader", &leader.1], "");
    assert!(follows.contains("no leader endpoint given"), "{follows}");
    servers.into_iter().for_each(Server::stop);
}
