//! What each command does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use kvorum_core::ids::{NodeId, SessionId};
use kvorum_core::{Client, Config, Watch};

use super::asked::{Asked, value, words};
use super::usage::number;
use crate::plan::LONGEST;
use crate::world::{MOST_NODES, Seen, World};

/// What can be set of a node.
type Setting = fn(&mut Config) -> &mut u64;

/// What a command comes to: the cluster's words, or what was expected instead of it.
pub(super) type Said = Result<String, String>;

/// A script being run.
pub(super) struct Script {
    pub(super) world: World,
    pub(super) asked: BTreeMap<String, (String, Asked)>,
    pub(super) watches: BTreeMap<String, Watch>,
    names: BTreeMap<char, NodeId>,
    pub(super) session: Option<SessionId>,
    settings: Vec<(Setting, u64)>,
}

impl Script {
    pub(super) fn new() -> Script {
        Script {
            world: World::new(1),
            asked: BTreeMap::new(),
            watches: BTreeMap::new(),
            names: BTreeMap::new(),
            session: None,
            settings: Vec::new(),
        }
    }

    pub(super) fn node(&self, word: &str) -> Result<NodeId, String> {
        let mut letters = word.chars();
        let named =
            letters.next().and_then(|letter| self.names.get(&letter)).filter(|_| letters.next().is_none());
        if let Some(node) = named {
            return Ok(*node);
        }
        let ids = self.world.ids();
        let count = ids.len();
        let known = word.parse().ok().filter(|node| ids.contains(node));
        known.ok_or_else(|| match count {
            0 => "`nodes COUNT` before any node is named".into(),
            _ => format!("a node instead of `{word}`: 1 to {count}, or L, F and G as `leader` named them"),
        })
    }

    /// A handle to a node that runs.
    pub(super) fn client(&self, word: &str) -> Result<Client, String> {
        let node = self.node(word)?;
        self.world.client(node).ok_or_else(|| format!("a node that runs: node {node} is down"))
    }

    pub(super) fn command(&mut self, command: &str) -> Said {
        let parts: Vec<&str> = command.split_whitespace().collect();
        match parts.as_slice() {
            ["set", name, value] => self.set(name, value),
            ["nodes", count] => self.begin(count),
            ["run", millis] => {
                let most = LONGEST.as_millis();
                let what = format!("milliseconds, {most} at most,");
                let millis: u64 = number(millis, &what)?;
                if u128::from(millis) > most {
                    return Err(format!("{what} instead of `{millis}`"));
                }
                self.world.run(Duration::from_millis(millis));
                Ok(self.happened())
            }
            ["leader"] => Ok(self.leader()),
            ["status"] => Ok(self.status()),
            ["kill", node] => self.to(node, |world, node| world.kill(node)),
            ["power", node] => self.to(node, |world, node| world.lose_power(node)),
            ["start", node] => self.to(node, |world, node| _ = world.start(node)),
            ["wipe", node] => {
                let id = self.node(node)?;
                if self.world.is_up(id) {
                    return Err(format!("a node that does not run: `kill {node}` it first"));
                }
                self.to(node, |world, node| world.wipe(node))
            }
            ["hold-disk", node] => self.to(node, |world, node| world.hold_disk(node)),
            ["release-disk", node] => self.to(node, |world, node| world.release_disk(node)),
            ["cut", from, to] => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.world.net.cut(from, to);
                Ok(String::new())
            }
            ["heal"] => {
                self.world.net.heal();
                Ok(String::new())
            }
            ["begin", name, rest @ ..] => {
                let asked = self.ask(rest)?;
                self.asked.insert((*name).into(), (rest.join(" "), asked));
                Ok(String::new())
            }
            ["await", name] => {
                let (what, asked) = self.begun(name)?;
                Ok(self.answer(&what, asked, Duration::from_secs(20)))
            }
            ["peek", name] => {
                let (what, asked) = self.begun(name)?;
                let said = self.answer(&what, asked, Duration::ZERO);
                if let Some(waiting) = self.asked.remove(&what) {
                    self.asked.insert((*name).into(), waiting);
                }
                Ok(said)
            }
            ["watch", name, node, prefix, from] => self.watch(name, node, prefix, from),
            ["events", name] => self.events(name),
            ["local", node, key] => Ok(match self.client(node)?.get_local(key) {
                Ok(kv) => format!("{node} has {key}={}", value(kv)),
                Err(error) => words(&error),
            }),
            other => {
                let asked = self.ask(other)?;
                Ok(self.answer(&other.join(" "), asked, Duration::from_secs(20)))
            }
        }
    }

    fn begun(&mut self, name: &str) -> Result<(String, Asked), String> {
        self.asked.remove(name).ok_or_else(|| format!("`begin {name} COMMAND` before it"))
    }

    fn set(&mut self, name: &str, value: &str) -> Said {
        let setting: Setting = match name {
            "image-log-bytes" => |config| &mut config.image_log_bytes,
            "keep-bytes" => |config| &mut config.keep_bytes,
            "catch-up-bytes" => |config| &mut config.catch_up_bytes,
            "quota-bytes" => |config| &mut config.quota_bytes,
            other => {
                let all = "image-log-bytes, keep-bytes, catch-up-bytes or quota-bytes";
                return Err(format!("{all} instead of `{other}`"));
            }
        };
        if !self.world.ids().is_empty() {
            return Err("it before `nodes`".into());
        }
        self.settings.push((setting, number(value, "a number")?));
        Ok(String::new())
    }

    fn begin(&mut self, count: &str) -> Said {
        let what = format!("a number of nodes, 1 to {MOST_NODES},");
        let nodes: u64 = number(count, &what)?;
        if !(1..=MOST_NODES).contains(&nodes) {
            return Err(format!("{what} instead of `{count}`"));
        }
        if !self.world.ids().is_empty() {
            return Err("no second `nodes`: a script is of one cluster".into());
        }
        self.world = World::new(1).nodes_with(nodes, |config| {
            self.settings.iter().for_each(|(setting, value)| *setting(config) = *value);
        });
        self.world.note_events();
        self.world.start_all();
        Ok(String::new())
    }

    fn to(&mut self, node: &str, act: impl FnOnce(&mut World, NodeId)) -> Said {
        let node = self.node(node)?;
        act(&mut self.world, node);
        Ok(String::new())
    }

    /// What nodes did that one wants to know of.
    pub(super) fn happened(&mut self) -> String {
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
}
