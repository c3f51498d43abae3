//! What a script asks of a node, and the answers in words.

use std::fmt::Write as _;
use std::time::Duration;

use kvorum_core::command::{Op, OpenSession, Response, SessionTag};
use kvorum_core::ids::Revision;
use kvorum_core::node::{Reply, Request};
use kvorum_core::request::*;
use kvorum_core::{Answer, Error, Outcome, WatchItem, Write};

use super::commands::{Said, Script};
use super::usage::{number, usage};
use crate::poll::{poll, poll_watch};

pub(super) enum Asked {
    Put(Answer<PutResponse>),
    Get(Answer<Option<KeyValue>>),
    Grant(Answer<LeaseGrantResponse>),
    KeepAlive(Answer<LeaseKeepAliveResponse>),
    Ttl(Answer<LeaseTimeToLiveResponse>),
    Compact(Answer<CompactionResponse>),
    Done(Answer<()>),
    Raw(Answer<Reply>),
}

pub(super) fn words(error: &Error) -> String {
    let outcome = if error.outcome() == Outcome::Unknown { "" } else { " (not applied)" };
    format!("{error}{outcome}")
}

fn revision(header: Option<Header>) -> Revision {
    header.map_or(0, |header| header.revision)
}

pub(super) fn value(kv: Option<KeyValue>) -> String {
    kv.map_or("nothing".into(), |kv| kv.value.escape_ascii().to_string())
}

impl Script {
    fn raw(&mut self, node: &str, op: Op, tag: Option<SessionTag>) -> Result<Asked, String> {
        let client = self.client(node)?;
        let node = self.node(node)?;
        let write = Write::new(op, tag, self.world.config(node))
            .map_err(|error| format!("a request that a node takes: {error}"))?;
        Ok(Asked::Raw(client.request(Request::Write(write))))
    }

    /// Begins a call.
    pub(super) fn ask(&mut self, parts: &[&str]) -> Result<Asked, String> {
        let lease = |word: &str| number(word, "a lease's number");
        Ok(match parts {
            ["put", node, key, value] => Asked::Put(self.client(node)?.put(key, value)),
            ["put", node, key, value, id] => {
                let request = PutRequest::new(key, value).with_lease(lease(id)?);
                Asked::Put(self.client(node)?.put_request(request))
            }
            ["get", node, key] => Asked::Get(self.client(node)?.get(key)),
            ["grant", node, id, ttl] => {
                let request = LeaseGrantRequest { id: lease(id)?, ttl: number(ttl, "seconds")? };
                Asked::Grant(self.client(node)?.grant_request(request))
            }
            ["keep-alive", node, id] => Asked::KeepAlive(self.client(node)?.keep_alive(lease(id)?)),
            ["ttl", node, id] => {
                let request = LeaseTimeToLiveRequest { id: lease(id)?, keys: true };
                Asked::Ttl(self.client(node)?.time_to_live(request))
            }
            ["compact", node, revision] => {
                Asked::Compact(self.client(node)?.compact(number(revision, "a revision")?))
            }
            ["lift", node] => Asked::Done(self.client(node)?.lift_no_space()),
            ["transfer", node, to] => Asked::Done(self.client(node)?.transfer_leadership(self.node(to)?)),
            ["open-session", node] => self.raw(node, Op::OpenSession(OpenSession {}), None)?,
            ["session-put", node, sequence, key, value] => {
                let sequence = number(sequence, "a number in the session")?;
                let session = self.session.ok_or("`open-session NODE` before it")?;
                let tag = SessionTag { session, sequence, acknowledged_below: 0 };
                self.raw(node, Op::Put(PutRequest::new(key, value)), Some(tag))?
            }
            other => return Err(usage(other)),
        })
    }

    /// Waits for a call's answer, and says it.
    pub(super) fn answer(&mut self, what: &str, asked: Asked, limit: Duration) -> String {
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

    pub(super) fn watch(&mut self, name: &str, node: &str, prefix: &str, from: &str) -> Said {
        let client = self.client(node)?;
        let request = WatchRequest {
            key: prefix.as_bytes().to_vec().into(),
            range_end: kvorum_core::prefix_end(prefix),
            start_revision: number(from, "a revision")?,
            ..WatchRequest::default()
        };
        Ok(match client.watch(request) {
            Ok(watch) => {
                self.watches.insert(name.into(), watch);
                String::new()
            }
            Err(error) => words(&error),
        })
    }

    pub(super) fn events(&mut self, name: &str) -> Said {
        let mut out = String::new();
        let unknown = || format!("`watch {name} NODE PREFIX REVISION` before it");
        let watch = self.watches.get_mut(name).ok_or_else(unknown)?;
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
        Ok(if out.is_empty() { "nothing new".into() } else { out })
    }
}
