//! Leases and what stands on them: lock and elect.

use crate::Talk;

pub(crate) fn talk(talk: &mut Talk) {
    leases(talk);
    locks(talk);
    elections(talk);
}

fn leases(talk: &mut Talk) {
    let granted = talk.say(&["lease", "grant", "600"]);
    let id = granted.split_whitespace().nth(1).unwrap().to_string();
    let option = format!("--lease={id}");
    let mut say = |arguments: &[&str]| {
        let said = talk.ctl.run(arguments, "");
        // What remains depends on the moment.
        talk.note(&arguments.join(" ").replace(&id, "ID"), &remaining_masked(&said.replace(&id, "ID")));
    };
    say(&["put", "leased", "v", &option]);
    say(&["lease", "timetolive", &id]);
    say(&["lease", "timetolive", &id, "--keys"]);
    say(&["lease", "keep-alive", "--once", &id]);
    say(&["lease", "keep-alive", "--once", &id, "-w", "json"]);
    say(&["lease", "list"]);
    say(&["lease", "revoke", &id]);
    say(&["lease", "revoke", &id]);
    say(&["lease", "timetolive", &id]);
    say(&["lease", "keep-alive", "--once", &id]);
    say(&["lease", "list"]);
    say(&["get", "leased"]);
    say(&["lease", "grant", "10000000000"]);
}

fn remaining_masked(said: &str) -> String {
    match said.split_once("remaining(") {
        Some((before, rest)) => {
            format!("{before}remaining(_{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => said.into(),
    }
}

fn locks(talk: &mut Talk) {
    talk.say(&["lock", "l", "echo", "held"]);
    talk.say(&["lock", "l", "--ttl=5", "sh", "-c", "exit 3"]);
    let holder = talk.ctl.start(&["lock", "l"]);
    talk.note("lock l", &holder.lines(1));
    let waiter = talk.ctl.start(&["lock", "l"]);
    let ended = holder.interrupt();
    talk.note("lock l, after the holder", &format!("{}{ended:?}", waiter.lines(1)));
    waiter.interrupt();
    talk.say(&["get", "l/", "--prefix", "--keys-only"]);
}

fn elections(talk: &mut Talk) {
    let leader = talk.ctl.start(&["elect", "e", "me"]);
    talk.note("elect e me", &leader.lines(2));
    let observer = talk.ctl.start(&["elect", "--listen", "e"]);
    talk.note("elect --listen e", &observer.lines(2));
    let next = talk.ctl.start(&["elect", "e", "you"]);
    let ended = leader.interrupt();
    talk.note("elect e you", &format!("{}{ended:?}", next.lines(2)));
    talk.note("elect --listen e, then", &observer.lines(2));
    next.interrupt();
}
