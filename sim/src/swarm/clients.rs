//! Clients that write through any node, with sessions and without, and do not believe what they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvorum_core::command::{Op, Response, SessionTag};
use kvorum_core::ids::{LeaseId, NodeId, Revision, SessionId};
use kvorum_core::node::{Reply, Request};
use kvorum_core::request::*;
use kvorum_core::{Answer, Client, Error, ErrorKind, Outcome, Result, Time, Write};

use super::Report;
use super::leases::LeaseBook;
use crate::judge::Judge;
use crate::plan::Trigger;
use crate::poll::poll;
use crate::rng::{Purpose, Rng, Stream};
use crate::world::World;

/// What a client waits for.
enum Flying {
    Put(Answer<PutResponse>, String),
    Cas(Answer<TxnResponse>, String),
    Delete(Answer<DeleteRangeResponse>),
    Range(Answer<RangeResponse>, RangeRequest),
    Grant(Answer<LeaseGrantResponse>, Time),
    Renew(Answer<LeaseKeepAliveResponse>, LeaseId, Time),
    Compact(Answer<CompactionResponse>),
    Lift(Answer<()>),
    OpenSession(Answer<Reply>),
    InSession(Answer<Reply>),
}

struct InSession {
    tag: SessionTag,
    put: PutRequest,
    /// An attempt may have happened.
    is_unknown: bool,
}

struct One {
    draw: Stream,
    next: Time,
    flying: Option<Flying>,
    /// The newest revision that anybody had seen when the request was made.
    floor: Revision,
    session: Option<(SessionId, u64)>,
    in_session: Option<InSession>,
    values: u64,
    name: u64,
    lease: Option<LeaseId>,
    /// The node that was asked last.
    asked: NodeId,
}

/// What all clients have been told, together.
#[derive(Default)]
pub(super) struct Told {
    /// The newest revision that anybody was told of.
    newest: Revision,
    /// Values that must never be seen.
    never: BTreeSet<String>,
    /// Where each value was seen.
    seen: BTreeMap<String, Revision>,
    /// Everything at or below has been looked at.
    looked: Revision,
    /// What every key was, when.
    keys: BTreeMap<Vec<u8>, Vec<(Revision, Option<KeyValue>)>>,
    has_gap: bool,
    acknowledged: BTreeMap<Revision, String>,
}

pub(super) struct Clients {
    all: Vec<One>,
    told: Told,
    leases: LeaseBook,
    pub(super) report: Report,
}

const KEYS: u64 = 8;

impl Clients {
    pub(super) fn new(rng: &Rng, count: u64, drift_ppm: i64) -> Clients {
        let one = |name| One {
            draw: rng.stream(Purpose::Client, name),
            next: Time::ZERO + Duration::from_millis(name * 7),
            flying: None,
            floor: 0,
            session: None,
            in_session: None,
            values: 0,
            name,
            lease: None,
            asked: 1,
        };
        Clients {
            all: (1..=count).map(one).collect(),
            told: Told { looked: 1, ..Told::default() },
            leases: LeaseBook::new(drift_ppm),
            report: Report::default(),
        }
    }

    pub(super) fn next(&self) -> Time {
        self.all.iter().filter(|one| one.flying.is_none()).map(|one| one.next).min().unwrap_or(Time::NEVER)
    }

    pub(super) fn are_idle(&self) -> bool {
        self.all.iter().all(|one| one.flying.is_none() && one.in_session.is_none())
    }

    pub(super) fn act(&mut self, world: &mut World, is_busy: bool) {
        self.told.look(world.judge(), &mut self.leases);
        let now = world.now();
        for one in &mut self.all {
            let was_flying = one.flying.is_some();
            one.land(world, &mut self.told, &mut self.leases, &mut self.report);
            if one.flying.is_none() && was_flying {
                world.moment(Trigger::Answered, one.asked);
            }
            let wants = is_busy || one.in_session.is_some();
            if one.flying.is_none() && one.next <= now {
                one.next = now + Duration::from_millis(one.draw.between(1, 120));
                if wants {
                    one.floor = self.told.newest;
                    one.take_off(world, &mut self.leases, &mut self.report);
                }
            }
        }
    }

    pub(super) fn check_at_end(&self, world: &World, nodes: &[NodeId]) {
        self.told.check_at_end(world, nodes);
        self.leases.check_at_end(world, nodes);
    }
}

impl Told {
    /// Reads what was applied meanwhile.
    fn look(&mut self, judge: &Judge, leases: &mut LeaseBook) {
        for (&revision, events) in judge.history().range(self.looked + 1..) {
            let is_gap = revision != self.looked + 1;
            let is_excused = revision <= judge.excused();
            assert!(!is_gap || is_excused, "revision {revision} follows revision {}", self.looked);
            self.has_gap |= is_gap;
            self.looked = revision;
            let at = judge.seen_at(revision).unwrap_or_default();
            for event in events {
                let Some(kv) = &event.kv else { continue };
                let is_delete = event.kind == EventKind::Delete as i32;
                let now = (!is_delete).then(|| kv.clone());
                self.keys.entry(kv.key.to_vec()).or_default().push((revision, now));
                if is_delete {
                    leases.deleted(&kv.key, at);
                    continue;
                }
                let value = String::from_utf8_lossy(&kv.value).into_owned();
                let before = self.seen.insert(value.clone(), revision);
                assert!(before.is_none(), "{value} was written twice, at {before:?} and {revision}");
                assert!(!self.never.contains(&value), "{value} was refused for sure, and is at {revision}");
            }
        }
    }

    fn told_of(&mut self, floor: Revision, header: Option<Header>, what: &str) -> Revision {
        let revision = header.unwrap_or_default().revision;
        assert!(revision >= floor, "{what} at revision {revision} began after {floor} was known");
        self.newest = self.newest.max(revision);
        revision
    }

    fn written(&mut self, floor: Revision, header: Option<Header>, value: &str) {
        let revision = self.told_of(floor, header, value);
        assert!(revision > floor, "{value} at revision {revision} began after it was known");
        let seen = self.seen.get(value);
        assert_eq!(seen, Some(&revision), "{value} was acknowledged at {revision}");
        self.acknowledged.insert(revision, value.into());
    }

    fn failed(&mut self, error: &Error, value: &str, report: &mut Report) {
        if error.outcome() == Outcome::Unknown {
            report.unknown += 1;
            return;
        }
        report.refused += 1;
        let seen = self.seen.get(value);
        assert!(seen.is_none(), "{value} was refused for sure ({error}), and is at {seen:?}");
        self.never.insert(value.into());
    }

    /// What a range held at a revision.
    fn at(&self, request: &RangeRequest, revision: Revision) -> Vec<KeyValue> {
        let within = |key: &[u8]| match &request.range_end[..] {
            [] => key == &request.key[..],
            [0] => key >= &request.key[..],
            end => key >= &request.key[..] && key < end,
        };
        let then = |history: &Vec<(Revision, Option<KeyValue>)>| {
            history.iter().rev().find(|(at, _)| *at <= revision).and_then(|(_, kv)| kv.clone())
        };
        self.keys.iter().filter(|(key, _)| within(key)).filter_map(|(_, history)| then(history)).collect()
    }

    fn check_read(&self, request: &RangeRequest, response: &RangeResponse, revision: Revision) {
        if self.has_gap {
            return;
        }
        let expected = self.at(request, revision);
        assert_eq!(response.kvs, expected, "a read at {revision}");
    }

    fn check_at_end(&self, world: &World, nodes: &[NodeId]) {
        let newest = world.judge().newest();
        for (&revision, value) in &self.acknowledged {
            let events = world.judge().history().get(&revision).expect("acknowledged, and gone");
            let there = |event: &Event| event.kv.as_ref().is_some_and(|kv| kv.value == value.as_bytes());
            assert!(events.iter().any(there), "{value} was acknowledged at {revision}, and is gone");
        }
        for &node in nodes {
            let status = world.status(node).expect("it runs");
            assert_eq!(status.revision, newest, "node {node} has forgotten revisions that were seen");
            let everything = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..Default::default() };
            let held = world.client(node).expect("it runs").range_local(&everything).expect("readable");
            self.check_read(&everything, &held, newest);
        }
    }
}

impl One {
    fn value(&mut self) -> String {
        self.values += 1;
        let padding = if self.draw.chance(50) { 3000 } else { 0 };
        format!("{}-{}{}", self.name, self.values, ".".repeat(padding))
    }

    fn node(&mut self, world: &World) -> Option<(NodeId, Client)> {
        let node = self.draw.pick(&world.ids());
        Some((node, world.client(node)?))
    }

    fn take_off(&mut self, world: &mut World, leases: &mut LeaseBook, report: &mut Report) {
        let Some((node, client)) = self.node(world) else { return };
        self.asked = node;
        if self.in_session.is_some() {
            report.retries += 1;
            return self.send_in_session(world, &client);
        }
        let key = format!("key{}", self.draw.below(KEYS));
        let kind = self.draw.below(100);
        self.flying = Some(match kind {
            0..30 => {
                let value = self.value();
                Flying::Put(client.put(key, &value), value)
            }
            30..38 => {
                let value = self.value();
                let known = client.get_local(&key).ok().flatten().map_or(0, |kv| kv.mod_revision);
                let compare = Compare {
                    result: CompareResult::Equal as i32,
                    target: CompareTarget::Mod as i32,
                    key: key.clone().into(),
                    with: Some(CompareWith::ModRevision(known)),
                    range_end: Default::default(),
                };
                let put = RequestKind::Put(PutRequest::new(key, &value));
                let txn = TxnRequest {
                    compare: vec![compare],
                    success: vec![RequestOp { request: Some(put) }],
                    failure: Vec::new(),
                };
                Flying::Cas(client.txn(txn), value)
            }
            38..44 => Flying::Delete(client.delete(key)),
            44..58 => {
                let request = RangeRequest::key(key);
                Flying::Range(client.range(request.clone()), request)
            }
            58..64 => {
                let request = RangeRequest::prefix("key");
                Flying::Range(client.range(request.clone()), request)
            }
            64..68 => {
                let ttl = Duration::from_secs(self.draw.between(2, 4));
                Flying::Grant(client.grant(ttl), world.now())
            }
            68..80 => {
                let Some(lease) = self.lease else { return };
                if self.draw.chance(250) {
                    let value = self.value();
                    let key = format!("leased/{lease}");
                    leases.attached(lease, key.as_bytes());
                    let put = PutRequest::new(key, &value).with_lease(lease);
                    Flying::Put(client.put_request(put), value)
                } else {
                    Flying::Renew(client.keep_alive(lease), lease, world.now())
                }
            }
            80..82 => {
                let compact = self.floor - self.draw.below(30) as i64;
                Flying::Compact(client.compact(compact.max(1)))
            }
            82 => Flying::Lift(client.lift_no_space()),
            _ => match self.session {
                None => {
                    let open = Op::OpenSession(kvorum_core::command::OpenSession {});
                    let Ok(write) = Write::new(open, None, world.config(1)) else { return };
                    Flying::OpenSession(client.request(Request::Write(write)))
                }
                Some((session, sequence)) => {
                    let value = self.value();
                    let sequence = sequence + 1;
                    self.session = Some((session, sequence));
                    let tag = SessionTag { session, sequence, acknowledged_below: sequence };
                    let put = PutRequest::new(key, value);
                    self.in_session = Some(InSession { tag, put, is_unknown: false });
                    return self.send_in_session(world, &client);
                }
            },
        });
    }

    fn send_in_session(&mut self, world: &mut World, client: &Client) {
        let Some(InSession { tag, put, .. }) = &self.in_session else { return };
        let Ok(write) = Write::new(Op::Put(put.clone()), Some(*tag), world.config(1)) else { return };
        self.flying = Some(Flying::InSession(client.request(Request::Write(write))));
    }

    fn land(&mut self, world: &World, told: &mut Told, leases: &mut LeaseBook, report: &mut Report) {
        let floor = self.floor;
        let Some(flying) = &mut self.flying else { return };
        match flying {
            Flying::Put(answer, value) => match poll(answer) {
                None => return,
                Some(Ok(put)) => {
                    told.written(floor, put.header, value);
                    report.acknowledged += 1;
                }
                Some(Err(error)) => told.failed(&error, value, report),
            },
            Flying::Cas(answer, value) => match poll(answer) {
                None => return,
                Some(Ok(txn)) if txn.succeeded => {
                    told.written(floor, txn.header, value);
                    report.acknowledged += 1;
                }
                Some(Ok(txn)) => {
                    told.told_of(floor, txn.header, "a compare that failed");
                    assert!(!told.seen.contains_key(value), "{value} was not to be written");
                    told.never.insert(value.clone());
                }
                Some(Err(error)) => told.failed(&error, value, report),
            },
            Flying::Delete(answer) => match poll(answer) {
                None => return,
                Some(Ok(delete)) => _ = told.told_of(floor, delete.header, "a delete"),
                Some(Err(_)) => {}
            },
            Flying::Range(answer, request) => match poll(answer) {
                None => return,
                Some(Ok(range)) => {
                    let revision = told.told_of(floor, range.header, "a read");
                    told.check_read(request, &range, revision);
                    report.reads += 1;
                }
                Some(Err(error)) => assert_ne!(error.outcome(), Outcome::Unknown, "a read changes nothing"),
            },
            Flying::Grant(answer, sent) => match poll(answer) {
                None => return,
                Some(Ok(grant)) => {
                    leases.granted(grant.id, grant.ttl, *sent);
                    self.lease = Some(grant.id);
                }
                Some(Err(_)) => {}
            },
            Flying::Renew(answer, lease, sent) => match poll(answer) {
                None => return,
                Some(Ok(renewed)) if renewed.ttl > 0 => {
                    leases.renewed(*lease, *sent, world.now());
                    report.renewed += 1;
                }
                Some(Ok(_)) => {
                    leases.gone(*lease, world.now(), report);
                    self.lease = None;
                }
                Some(Err(_)) => {}
            },
            Flying::Compact(answer) => {
                if poll(answer).is_none() {
                    return;
                }
            }
            Flying::Lift(answer) => {
                if poll(answer).is_none() {
                    return;
                }
            }
            Flying::OpenSession(answer) => match poll(answer) {
                None => return,
                Some(Ok(Reply::Applied { response: Response::OpenSession(id), .. })) => {
                    self.session = Some((id, 0));
                }
                Some(_) => {}
            },
            Flying::InSession(answer) => match poll(answer) {
                None => return,
                Some(result) => self.land_in_session(result, told, report),
            },
        }
        self.flying = None;
    }

    fn land_in_session(&mut self, result: Result<Reply>, told: &mut Told, report: &mut Report) {
        let Some(InSession { put, is_unknown, .. }) = &mut self.in_session else { return };
        let value = String::from_utf8_lossy(&put.value).into_owned();
        match result {
            Ok(Reply::Applied { response: Response::Put(put), .. }) => {
                // A retry is answered with the first one's answer, which may be older than the retry.
                told.written(1, put.header, &value);
                report.acknowledged += 1;
                self.in_session = None;
            }
            Ok(other) => panic!("a put was answered with {other:?}"),
            Err(error) => match error.kind() {
                ErrorKind::SessionNotFound { .. } | ErrorKind::SessionSequence { .. } => {
                    self.session = None;
                    self.in_session = None;
                }
                ErrorKind::NoSpace { .. } => {
                    if !*is_unknown {
                        told.failed(&error, &value, report);
                    }
                    self.in_session = None;
                }
                // The floor stays where it was: it is the same request.
                _ if error.outcome() == Outcome::Unknown => *is_unknown = true,
                _ => {
                    if !*is_unknown {
                        let seen = told.seen.get(&value);
                        assert!(seen.is_none(), "{value} was refused for sure ({error}), and is at {seen:?}");
                    }
                }
            },
        }
    }
}
