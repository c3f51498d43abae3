//! Three servers by their flags alone.

use std::fs;

use crate::process::{READY, Scratch, Server, field, free_port, member};

/// Three members: their flags and, once started, their servers.
pub(crate) struct Three {
    scratch: Scratch,
    pub(crate) flags: Vec<Vec<String>>,
    pub(crate) servers: Vec<Server>,
}

impl Three {
    pub(crate) fn start(more: &[&str]) -> Three {
        let scratch = Scratch::new();
        let peers = [("a", free_port()), ("b", free_port()), ("c", free_port())];
        let flags: Vec<_> = peers
            .iter()
            .map(|(name, _)| {
                let mut flags = member(name, &peers, free_port(), &scratch.path().join(name));
                flags.push("--initial-cluster-token=three".into());
                flags.extend(more.iter().map(|flag| flag.to_string()));
                flags
            })
            .collect();
        let mut servers: Vec<_> = flags.iter().map(|flags| Server::start(flags)).collect();
        servers.iter_mut().for_each(|server| drop(server.until(READY)));
        Three { scratch, flags, servers }
    }

    /// Who leads, as all of them say.
    pub(crate) fn leader(&mut self) -> usize {
        let told = |line: String| {
            line.split("elected leader ").nth(1).unwrap().split(' ').next().unwrap().to_string()
        };
        let led: Vec<String> =
            self.servers.iter_mut().map(|server| told(server.ever("elected leader "))).collect();
        assert!(led.iter().all(|id| *id == led[0]), "{led:?}");
        let is_it =
            |server: &mut Server| field(&server.ever("starting local member"), "local-member-id") == led[0];
        self.servers.iter_mut().position(is_it).expect("one of them leads")
    }
}

#[test]
fn a_leader_that_is_asked_to_end_hands_over_first_and_comes_back() {
    let mut three = Three::start(&[]);
    let leads = three.leader();
    let mut leader = three.servers.remove(leads);
    leader.signal("TERM");
    leader.until("leadership transfer starting");
    let done = leader.until("leadership transfer finished");
    let next = field(&done, "new-leader-member-id");
    assert_eq!(leader.wait().code(), Some(0));
    for other in &mut three.servers {
        // Changed to, or lost and elected: it looks now and then only.
        other.until(&format!(" {next} at term"));
    }
    let mut back = Server::ready(&three.flags[leads]);
    for other in &mut three.servers {
        other.until("peer became active");
    }
    back.ever(&format!("elected leader {next}"));
    back.stop();
    three.servers.into_iter().for_each(Server::stop);
}

#[test]
fn a_leader_that_nobody_takes_over_from_says_so_and_ends_in_peace() {
    let mut three = Three::start(&[]);
    let leads = three.leader();
    let mut leader = three.servers.remove(leads);
    three.servers.iter().for_each(|other| other.signal("STOP"));
    leader.signal("TERM");
    let failed = leader.until("leadership transfer failed");
    assert!(
        failed.contains("leader transfer took too long: no member took over; leaving without"),
        "{failed}"
    );
    assert!(!failed.contains("new-leader-member-id"), "{failed}");
    assert_eq!(leader.wait().code(), Some(0));
}

#[test]
fn all_members_can_be_asked_to_end_at_once() {
    let mut three = Three::start(&[]);
    three.leader();
    three.servers.iter().for_each(|server| server.signal("TERM"));
    for server in &mut three.servers {
        assert_eq!(server.wait().code(), Some(0));
        assert!(!server.has_said("\"new-leader-member-id\":\"0\""));
        // Nor is anybody warned of what was wanted.
        assert!(!server.has_said("no member took over"));
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut three = Three::start(&["--election-timeout=3000"]);
    let leads = three.leader();
    let mut leader = three.servers.remove(leads);
    // Nobody takes the leadership, for which it waits an election time-out.
    three.servers.iter().for_each(|other| other.signal("STOP"));
    leader.signal("TERM");
    leader.until("leadership transfer starting");
    leader.signal("TERM");
    leader.until("received another signal; ending at once");
    assert_eq!(leader.wait().code(), Some(128 + 15));
}

#[test]
fn a_member_that_lost_its_disk_says_so_and_fails() {
    let mut three = Three::start(&[]);
    let follows = (three.leader() + 1) % 3;
    three.servers.remove(follows).stop();
    let name = ["a", "b", "c"][follows];
    let member = three.scratch.path().join(name).join("member");
    fs::remove_dir_all(member.join("store")).unwrap();
    let mut unmounted = Server::start(&three.flags[follows]);
    assert!(unmounted.until("\"level\":\"fatal\"").contains("is its disk mounted?"));
    assert_eq!(unmounted.wait().code(), Some(1));
    fs::remove_dir_all(member).unwrap();
    let mut lost = Server::start(&three.flags[follows]);
    let last = lost.until("\"level\":\"fatal\"");
    assert!(last.contains("the node halted itself: "), "{last}");
    assert!(last.contains("see \\\"A lost disk\\\" in docs/KVORUMD.md"), "{last}");
    assert_eq!(lost.wait().code(), Some(1));
    three.servers.into_iter().for_each(Server::stop);
}

#[test]
fn members_of_clusters_with_other_tokens_do_not_meet() {
    let scratch = Scratch::new();
    let peers = [("a", free_port()), ("b", free_port())];
    let flags = |name: &str, token: &str| {
        let mut flags = member(name, &peers, free_port(), &scratch.path().join(name));
        flags.push(format!("--initial-cluster-token={token}"));
        flags
    };
    let mut a = Server::start(&flags("a", "one"));
    let mut b = Server::start(&flags("b", "two"));
    for server in [&mut a, &mut b] {
        let refused = server.until("the peer is of another cluster");
        assert!(refused.contains("failed to reach remote peer"), "{refused}");
        server.ever("became candidate");
        assert!(!server.has_said("elected leader"));
    }
    a.stop();
    b.stop();
}
