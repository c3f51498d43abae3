//! What operators want to read of a node's life, seen by looking once per heartbeat: who leads, which peers are
//! there, compactions, alarms. In etcd's words where it has them.
//!
//! What is shorter than a heartbeat can pass unseen. What the disk does is not looked for here: see [`crate::disk`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvorum::transports::{PeerStatus, TcpHandle};
use kvorum::{Client, Role, Status};

use crate::advice;
use crate::kin::Kin;
use crate::log::{Field, Level, Log, Value};

/// What is compared from one look to the next.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    me: u64,
    role: Role,
    leader: u64,
    term: u64,
    compacted: i64,
    no_space: bool,
    differing: Vec<u64>,
    peers: BTreeMap<u64, Peer>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Peer {
    is_connected: bool,
    connects: u64,
    last_error: Option<String>,
}

/// A line to be written.
#[derive(Debug, PartialEq)]
struct Line {
    level: Level,
    is_raft: bool,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

/// Looks and tells until the node has ended by itself, or it is seen that it can never serve; answers why.
pub(crate) async fn observe(client: Client, peers: TcpHandle, every: Duration, kin: Kin, log: Log) -> String {
    let raft = log.named("raft");
    let mut ticks = tokio::time::interval(every);
    let mut before = Seen { me: client.status().node, ..Seen::default() };
    let mut was_led = false;
    loop {
        ticks.tick().await;
        let status = client.status();
        let now = Seen::of(&status, peers.peers_status());
        for line in changes(&before, &now) {
            line.write(if line.is_raft { &raft } else { &log });
        }
        let foreign = now.foreign();
        let has_writes = Kin::has_writes(status.raft.last_index);
        foreign.difference(&before.foreign()).for_each(|peer| kin.tell(*peer, has_writes, &log));
        before = now;
        if status.raft.role == Role::Ended {
            let reason = status.raft.halted.unwrap_or_else(|| "its thread has ended".into());
            return advice::halted(&reason, &kin.cluster);
        }
        was_led |= status.raft.leader != 0;
        if let Some(reason) = kin.hopeless(&foreign, has_writes).filter(|_| !was_led) {
            return reason;
        }
    }
}

impl Seen {
    fn of(status: &Status, peers: BTreeMap<u64, PeerStatus>) -> Seen {
        let peer = |peer: PeerStatus| Peer {
            is_connected: peer.connected,
            connects: peer.connects,
            last_error: peer.last_error,
        };
        Seen {
            me: status.node,
            role: status.raft.role,
            leader: status.raft.leader,
            term: status.raft.term,
            compacted: status.compacted,
            no_space: status.no_space,
            differing: status.raft.differing.clone(),
            peers: peers.into_iter().map(|(id, status)| (id, peer(status))).collect(),
        }
    }

    /// Peers that are there and of another cluster.
    fn foreign(&self) -> BTreeSet<u64> {
        let is_foreign =
            |peer: &Peer| !peer.is_connected && peer.last_error.as_deref().is_some_and(Kin::is_foreign);
        self.peers.iter().filter(|(_, peer)| is_foreign(peer)).map(|(id, _)| *id).collect()
    }
}

impl Line {
    fn raft(message: String) -> Line {
        Line { level: Level::Info, is_raft: true, message, fields: Vec::new() }
    }

    fn of(level: Level, message: &str, fields: Vec<(&'static str, Value)>) -> Line {
        Line { level, is_raft: false, message: message.into(), fields }
    }

    fn write(&self, log: &Log) {
        let fields: Vec<Field<'_>> = self.fields.clone();
        match self.level {
            Level::Info => log.info(&self.message, &fields),
            Level::Warn => log.warn(&self.message, &fields),
            _ => log.error(&self.message, &fields),
        }
    }
}

/// An id as etcd shows it.
fn hex(id: u64) -> String {
    format!("{id:x}")
}

/// What to tell of the difference.
fn changes(before: &Seen, now: &Seen) -> Vec<Line> {
    let mut lines = Vec::new();
    lines.extend(role(before, now));
    lines.extend(leader(before, now));
    for (id, peer) in &now.peers {
        let known = before.peers.get(id).cloned().unwrap_or_default();
        lines.extend(connection(*id, &known, peer));
    }
    if now.compacted != before.compacted && before.term != 0 {
        let fields = vec![("compact-revision", now.compacted.into())];
        lines.push(Line::of(Level::Info, "finished scheduled compaction", fields));
    }
    if now.no_space != before.no_space {
        let message = if now.no_space { "alarm raised" } else { "alarm disarmed" };
        lines.push(Line::of(
            Level::Warn,
            message,
            vec![("alarm", "NOSPACE".into()), ("from", hex(now.me).into())],
        ));
    }
    for id in now.differing.iter().filter(|id| !before.differing.contains(id)) {
        let fields = vec![("local-member-id", hex(now.me).into()), ("remote-peer-id", hex(*id).into())];
        lines.push(Line::of(Level::Error, "found different hash values from remote peer", fields));
    }
    lines
}

fn role(before: &Seen, now: &Seen) -> Option<Line> {
    if (before.role, before.term) == (now.role, now.term) {
        return None;
    }
    let role = match now.role {
        Role::Leader => "leader",
        Role::Candidate => "candidate",
        Role::Follower => "follower",
        Role::Ended => return None,
    };
    Some(Line::raft(format!("{:x} became {role} at term {}", now.me, now.term)))
}

fn leader(before: &Seen, now: &Seen) -> Option<Line> {
    let (me, term) = (now.me, now.term);
    Some(Line::raft(match (before.leader, now.leader) {
        (old, new) if old == new => return None,
        (0, new) => format!("raft.node: {me:x} elected leader {new:x} at term {term}"),
        (old, 0) => format!("raft.node: {me:x} lost leader {old:x} at term {term}"),
        (old, new) => format!("raft.node: {me:x} changed leader from {old:x} to {new:x} at term {term}"),
    }))
}

fn connection(id: u64, before: &Peer, now: &Peer) -> Vec<Line> {
    let is_new = now.is_connected && now.connects != before.connects;
    let is_lost = before.is_connected && (!now.is_connected || is_new);
    let mut lines = Vec::new();
    if is_lost {
        let error = now.last_error.clone().unwrap_or_default();
        let fields = vec![("peer-id", hex(id).into()), ("error", error.into())];
        lines.push(Line::of(Level::Warn, "peer became inactive (message send to peer failed)", fields));
    }
    let is_unreached = !now.is_connected && !is_lost && now.last_error != before.last_error;
    if let Some(error) = now.last_error.clone().filter(|_| is_unreached) {
        let fields = vec![("remote-peer-id", hex(id).into()), ("error", error.into())];
        lines.push(Line::of(Level::Warn, "failed to reach remote peer", fields));
    }
    if is_new {
        lines.push(Line::of(Level::Info, "peer became active", vec![("peer-id", hex(id).into())]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &Seen, now: &Seen) -> Vec<String> {
        changes(before, now).into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn nothing_is_told_twice() {
        let peers = BTreeMap::from([(2, Peer { is_connected: true, connects: 1, last_error: None })]);
        let seen = Seen {
            me: 1,
            role: Role::Leader,
            leader: 1,
            term: 3,
            compacted: 9,
            no_space: true,
            differing: vec![2],
            peers,
        };
        assert!(told(&seen, &seen).is_empty());
        assert_eq!(told(&Seen { term: 2, ..Seen::default() }, &seen).len(), 6);
    }

    #[test]
    fn leaders_come_change_and_go_in_etcds_words() {
        let follower = Seen { me: 10, term: 2, ..Seen::default() };
        let led = Seen { leader: 11, ..follower.clone() };
        let leads = Seen { role: Role::Leader, leader: 10, term: 3, ..led.clone() };
        assert_eq!(told(&follower, &led), ["raft.node: a elected leader b at term 2"]);
        let both = ["a became leader at term 3", "raft.node: a changed leader from b to a at term 3"];
        assert_eq!(told(&led, &leads), both);
        assert_eq!(told(&led, &follower), ["raft.node: a lost leader b at term 2"]);
        let asks = Seen { role: Role::Candidate, ..follower.clone() };
        assert_eq!(told(&follower, &asks), ["a became candidate at term 2"]);
    }

    #[test]
    fn a_peer_that_came_back_between_two_looks_was_gone() {
        let at = |is_connected, connects| {
            let peer = Peer { is_connected, connects, last_error: Some("reset".into()) };
            Seen { peers: BTreeMap::from([(2, peer)]), ..Seen::default() }
        };
        let (active, inactive) = ("peer became active", "peer became inactive (message send to peer failed)");
        assert_eq!(told(&Seen::default(), &at(true, 1)), [active]);
        assert_eq!(told(&at(true, 1), &at(false, 1)), [inactive]);
        assert_eq!(told(&at(true, 1), &at(true, 2)), [inactive, active]);
        assert_eq!(told(&Seen::default(), &at(false, 0)), ["failed to reach remote peer"]);
        assert!(told(&at(false, 0), &at(false, 0)).is_empty());
    }

    #[test]
    fn alarms_and_compactions_are_told() {
        let before = Seen { term: 1, ..Seen::default() };
        let full = Seen { no_space: true, compacted: 5, ..before.clone() };
        assert_eq!(told(&before, &full), ["finished scheduled compaction", "alarm raised"]);
        assert_eq!(told(&full, &Seen { compacted: 5, ..before.clone() }), ["alarm disarmed"]);
        // What was compacted before this start was compacted then.
        assert!(told(&Seen::default(), &Seen { compacted: 5, ..Seen::default() }).is_empty());
    }
}
