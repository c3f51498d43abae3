//! A run as a text to read: commands, and below each the cluster's own words.
//!
//! ```text
//! > nodes 3
//! > leader
//! node 2 leads term 1
//! > put 1 color red
//! 1: put color=red: revision 2
//! ```
//!
//! `L` stands for the leader, `F` and `G` for the two others, as they were when last asked for by `leader`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use kvorum_core::command::{Op, OpenSession, Response, SessionTag};
use kvorum_core::ids::{LeaseId, NodeId, Revision, SessionId};
use kvorum_core::node::{Reply, Request};
use kvorum_core::request::*;
use kvorum_core::{Answer, Error, Outcome, Watch, WatchItem, Write};

use crate::poll::{poll, poll_watch};
use crate::world::{Seen, World};

enum Asked {
    Put(Answer<PutResponse>),
    Get(Answer<Option<KeyValue>>),
    Grant(Answer<LeaseGrantResponse>),
    KeepAlive(Answer<LeaseKeepAliveResponse>),
    Ttl(Answer<LeaseTimeToLiveResponse>),
    Compact(Answer<CompactionResponse>),
    Done(Answer<()>),
    Raw(Answer<Reply>),
}

/// A script being run.
pub struct Script {
    world: World,
    asked: BTreeMap<String, (String, Asked)>,
    watches: BTreeMap<String, Watch>,
    names: BTreeMap<char, NodeId>,
    session: Option<SessionId>,
    tune: Vec<(String, u64)>,
}

/// Runs a script: answers it with the cluster's words below each command. Lines that begin with `#`, and empty
/// ones, stay as they are; all other lines that are no commands are replaced.
pub fn run(text: &str) -> String {
    let mut script = Script {
        world: World::new(1),
        asked: BTreeMap::new(),
        watches: BTreeMap::new(),
        names: BTreeMap::new(),
        session: None,
        tune: Vec::new(),
    };
    let mut out = String::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            let _ = writeln!(out, "{line}");
            let words = script.command(command);
            words.lines().for_each(|word| _ = writeln!(out, "{word}"));
        } else if line.is_empty() || line.starts_with('#') {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

fn words(error: &Error) -> String {
    let outcome = if error.outcome() == Outcome::Unknown { "" } else { " (not applied)" };
    format!("{error}{outcome}")
}

fn revision(header: Option<Header>) -> Revision {
    header.map_or(0, |header| header.revision)
}

impl Script {
    fn node(&self, word: &str) -> NodeId {
        let named = word.chars().next().and_then(|c| self.names.get(&c).copied());
        named.unwrap_or_else(|| word.parse().unwrap_or_else(|_| panic!("no node is called {word}")))
    }

    fn command(&mut self, command: &str) -> String {
        let parts: Vec<&str> = command.split_whitespace().collect();
        match parts.as_slice() {
            ["set", name, value] => {
                self.tune.push(((*name).into(), value.parse().expect("a number")));
                String::new()
            }
            ["nodes", count] => self.begin(count.parse().expect("a number")),
            ["run", millis] => {
                self.world.run(Duration::from_millis(millis.parse().expect("milliseconds")));
                self.happened()
            }
            ["leader"] => self.leader(),
            ["status"] => self.status(),
            ["kill", node] => self.to(node, |world, node| world.kill(node)),
            ["power", node] => self.to(node, |world, node| world.lose_power(node)),
            ["start", node] => self.to(node, |world, node| _ = world.start(node)),
            ["wipe", node] => self.to(node, |world, node| world.wipe(node)),
            ["hold-disk", node] => self.to(node, |world, node| world.hold_disk(node)),
            ["release-disk", node] => self.to(node, |world, node| world.release_disk(node)),
            ["cut", from, to] => {
                let (from, to) = (self.node(from), self.node(to));
                self.world.net.cut(from, to);
                String::new()
            }
            ["heal"] => {
                self.world.net.heal();
                String::new()
            }
            ["begin", name, rest @ ..] => {
                let asked = self.ask(rest);
                self.asked.insert((*name).into(), (rest.join(" "), asked));
                String::new()
            }
            ["await", name] => {
                let (what, asked) = self.asked.remove(*name).expect("it was begun");
                self.answer(&what, asked, Duration::from_secs(20))
            }
            ["peek", name] => {
                let (what, asked) = self.asked.remove(*name).expect("it was begun");
                let said = self.answer(&what, asked, Duration::ZERO);
                if let Some(waiting) = self.asked.remove(&what) {
                    self.asked.insert((*name).into(), waiting);
                }
                said
            }
            ["watch", name, node, prefix, from] => self.watch(name, node, prefix, from),
            ["events", name] => self.events(name),
            ["local", node, key] => {
                let client = self.world.client(self.node(node)).expect("it runs");
                match client.get_local(key) {
                    Ok(kv) => format!("{node} has {key}={}", value(kv)),
                    Err(error) => words(&error),
                }
            }
            other => {
                let asked = self.ask(other);
                self.answer(&other.join(" "), asked, Duration::from_secs(20))
            }
        }
    }

    fn begin(&mut self, count: u64) -> String {
        let tune = self.tune.clone();
        let world = World::new(1).nodes_with(count, |config| {
            for (name, value) in &tune {
                match &name[..] {
                    "image-log-bytes" => config.image_log_bytes = *value,
                    "keep-bytes" => config.keep_bytes = *value,
                    "catch-up-bytes" => config.catch_up_bytes = *value,
                    "quota-bytes" => config.quota_bytes = *value,
                    other => panic!("nothing is called {other}"),
                }
            }
        });
        self.world = world;
        self.world.note_events();
        self.world.start_all();
        String::new()
    }

    fn to(&mut self, node: &str, act: impl FnOnce(&mut World, NodeId)) -> String {
        let node = self.node(node);
        act(&mut self.world, node);
        String::new()
    }

    /// What nodes did that one wants to know of.
    fn happened(&mut self) -> String {
        let mut out = String::new();
        for seen in self.world.take_seen() {
            match seen {
                Seen::Leads(node, term) => _ = writeln!(out, "node {node} leads term {term}"),
                Seen::Halted(node, why) => _ = writeln!(out, "node {node} halts: {why}"),
                Seen::Sent(_) | Seen::Synced(_) | Seen::Moment(..) => {}
            }
        }
        out
    }

    fn leader(&mut self) -> String {
        let Some(leader) = self.world.wait_for_leader(Duration::from_secs(20)) else {
            return format!("{}nobody leads", self.happened());
        };
        self.names.insert('L', leader);
        let others: Vec<_> = self.world.ids().into_iter().filter(|node| *node != leader).collect();
        "FG".chars().zip(others).for_each(|(name, node)| _ = self.names.insert(name, node));
        let names: Vec<_> = self.names.iter().map(|(name, node)| format!("{name} = node {node}")).collect();
        format!("{}{}", self.happened(), names.join(", "))
    }

    fn status(&mut self) -> String {
        let mut out = String::new();
        for node in self.world.ids() {
            let Some(status) = self.world.status(node) else {
                let why = self.world.why_halted(node).unwrap_or_default();
                let _ = writeln!(out, "node {node} is down {why}");
                continue;
            };
            let raft = status.raft;
            let _ = writeln!(
                out,
                "node {node}: {:?} of term {}, applied {}, revision {}, hash {}{}",
                raft.role,
                raft.term,
                raft.applied,
                status.revision,
                status.hash[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
                raft.halted.map_or(String::new(), |why| format!(", halted: {why}")),
            );
        }
        out
    }

    fn raw(&mut self, node: NodeId, op: Op, tag: Option<SessionTag>) -> Asked {
        let write = Write::new(op, tag, self.world.config(node)).expect("a good request");
        Asked::Raw(self.world.client(node).expect("it runs").request(Request::Write(write)))
    }

    fn ask(&mut self, parts: &[&str]) -> Asked {
        let node = self.node(parts.get(1).expect("a node"));
        let client = self.world.client(node).expect("it runs");
        let number = |at: usize| -> i64 { parts[at].parse().expect("a number") };
        match parts {
            ["put", _, key, value] => Asked::Put(client.put(key, value)),
            ["put", _, key, value, lease] => {
                let lease: LeaseId = lease.parse().expect("a lease");
                Asked::Put(client.put_request(PutRequest::new(key, value).with_lease(lease)))
            }
            ["get", _, key] => Asked::Get(client.get(key)),
            ["grant", _, _, _] => {
                let request = LeaseGrantRequest { id: number(2), ttl: number(3) };
                Asked::Grant(client.grant_request(request))
            }
            ["keep-alive", _, _] => Asked::KeepAlive(client.keep_alive(number(2))),
            ["ttl", _, _] => {
                Asked::Ttl(client.time_to_live(LeaseTimeToLiveRequest { id: number(2), keys: true }))
            }
            ["compact", _, _] => Asked::Compact(client.compact(number(2))),
            ["lift", _] => Asked::Done(client.lift_no_space()),
            ["transfer", _, to] => Asked::Done(client.transfer_leadership(self.node(to))),
            ["open-session", _] => self.raw(node, Op::OpenSession(OpenSession {}), None),
            ["session-put", _, sequence, key, value] => {
                let sequence = sequence.parse().expect("a number");
                let session = self.session.expect("a session");
                let tag = SessionTag { session, sequence, acknowledged_below: 0 };
                self.raw(node, Op::Put(PutRequest::new(key, value)), Some(tag))
            }
            other => panic!("nobody knows how to {other:?}"),
        }
    }

    fn answer(&mut self, what: &str, asked: Asked, limit: Duration) -> String {
        let said = match asked {
            Asked::Put(a) => {
                self.say(what, a, limit, Asked::Put, |_, p| format!("revision {}", revision(p.header)))
            }
            Asked::Get(a) => self.say(what, a, limit, Asked::Get, |_, kv| value(kv)),
            Asked::Grant(a) => {
                self.say(what, a, limit, Asked::Grant, |_, g| format!("lease {} for {} s", g.id, g.ttl))
            }
            Asked::KeepAlive(a) => {
                self.say(what, a, limit, Asked::KeepAlive, |_, k| format!("{} s to live", k.ttl))
            }
            Asked::Ttl(a) => self.say(what, a, limit, Asked::Ttl, |_, t| {
                let keys: Vec<_> = t.keys.iter().map(|key| key.escape_ascii().to_string()).collect();
                format!("{} s left of {}, keys {keys:?}", t.ttl, t.granted_ttl)
            }),
            Asked::Compact(a) => self.say(what, a, limit, Asked::Compact, |_, _| "done".into()),
            Asked::Done(a) => self.say(what, a, limit, Asked::Done, |_, ()| "done".into()),
            Asked::Raw(a) => self.say(what, a, limit, Asked::Raw, |script, reply| match reply {
                Reply::Applied { response: Response::OpenSession(id), .. } => {
                    script.session = Some(id);
                    "a session".into()
                }
                Reply::Applied { response: Response::Put(put), .. } => {
                    format!("revision {}", revision(put.header))
                }
                other => format!("{other:?}"),
            }),
        };
        format!("{}{what}: {said}", self.happened())
    }

    fn say<T>(
        &mut self,
        what: &str,
        mut answer: Answer<T>,
        limit: Duration,
        back: impl FnOnce(Answer<T>) -> Asked,
        say: impl FnOnce(&mut Script, T) -> String,
    ) -> String {
        let mut got = None;
        self.world.run_until(limit, |_| {
            got = poll(&mut answer);
            got.is_some()
        });
        match got {
            Some(Ok(said)) => say(self, said),
            Some(Err(error)) => words(&error),
            None => {
                self.asked.insert(what.into(), (what.into(), back(answer)));
                "no answer yet".into()
            }
        }
    }

    fn watch(&mut self, name: &str, node: &str, prefix: &str, from: &str) -> String {
        let client = self.world.client(self.node(node)).expect("it runs");
        let request = WatchRequest {
            key: prefix.as_bytes().to_vec().into(),
            range_end: kvorum_core::prefix_end(prefix),
            start_revision: from.parse().expect("a revision"),
            ..WatchRequest::default()
        };
        match client.watch(request) {
            Ok(watch) => {
                self.watches.insert(name.into(), watch);
                String::new()
            }
            Err(error) => words(&error),
        }
    }

    fn events(&mut self, name: &str) -> String {
        let mut out = String::new();
        let watch = self.watches.get_mut(name).expect("a watch");
        while let Some(item) = poll_watch(watch) {
            match item {
                Some(Ok(WatchItem::Events(events))) => {
                    for event in events {
                        let kv = event.kv.unwrap_or_default();
                        let key = kv.key.escape_ascii();
                        let what = if event.kind == EventKind::Delete as i32 {
                            "deleted".to_string()
                        } else {
                            format!("={}", kv.value.escape_ascii())
                        };
                        let _ = writeln!(out, "{}: {key} {what}", kv.mod_revision);
                    }
                }
                Some(Ok(WatchItem::Progress(revision))) => _ = writeln!(out, "through {revision}"),
                Some(Err(error)) => _ = writeln!(out, "ended: {error}"),
                None => break,
            }
        }
        if out.is_empty() { "nothing new".into() } else { out }
    }
}

fn value(kv: Option<KeyValue>) -> String {
    kv.map_or("nothing".into(), |kv| kv.value.escape_ascii().to_string())
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}
