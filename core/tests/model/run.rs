//! Carries out the steps on two replicas and on the model, and compares.

use std::collections::BTreeMap;

use bytes::Bytes;
use kvorum_core::ErrorKind;
use kvorum_core::check;
use kvorum_core::command::{Command, Op, Origin, Response, SessionTag, Settings};
use kvorum_core::config::Limits;
use kvorum_core::state::{Applied, LeaseChange};
use kvorum_core::storage::LogPosition;
use prost::Message;

use super::image::Image;
use super::replica::Replica;
use super::same::{self, equal};
use super::step::{Step, Tag};
use super::{Answer, Model, form, random, resolve, verify};

pub struct Run {
    pub model: Model,
    /// The first is always up to date; the second follows when told to.
    pub replicas: [Replica; 2],
    /// The last entry.
    pub at: LogPosition,
    /// What the first replica said to each entry, and its hash: the second must agree.
    pub first_said: BTreeMap<u64, ([u8; 32], Option<Applied>)>,
    /// An image that is being taken of the first replica.
    pub image: Option<Image>,
    /// The sessions that were ever opened, with the highest sequence used.
    sessions: Vec<(u64, u64)>,
}

impl Run {
    /// An empty store. Its settings are the first entry, so that defaults don't matter.
    pub fn new() -> Result<Run, String> {
        let mut run = Run {
            model: Model::new(),
            replicas: [Replica::new(), Replica::new()],
            at: LogPosition { index: 0, term: 1 },
            first_said: BTreeMap::new(),
            image: None,
            sessions: Vec::new(),
        };
        run.apply(Op::Settings(Settings { quota_bytes: 0, max_sessions: 2 }), None)?;
        Ok(run)
    }

    pub fn step(&mut self, step: &Step) -> Result<(), String> {
        match step.clone() {
            Step::Apply(op, tag) => self.apply(op, tag)?,
            Step::Other(data) => self.other(data)?,
            Step::NextTerm => self.at.term += 1,
            Step::Read(r) => {
                let r = resolve::range(r, self.model.revision());
                verify::one_read(&self.replicas[0].state, &self.model, &r)?;
            }
            Step::ReadTxn(r) => self.read_txn(resolve::txn(r, self.model.revision()))?,
            Step::Collect(i, budget) => self.collect(i, budget)?,
            Step::Cut => self.cut(),
            Step::Chunk => self.chunk(),
            Step::Load(how) => self.load(how)?,
            Step::Follow(count) => self.follow(count)?,
            Step::Open(i, mut r) => {
                let current = self.replicas[i].state.revision();
                r.start_revision = random::absolute(r.start_revision, current);
                self.replicas[i].open(&r)?;
            }
            Step::Pull(i, n, max) => {
                let count = self.replicas[i].watches.len();
                if count > 0 {
                    self.replicas[i].pull(&self.model, n % count, max)?;
                }
            }
            Step::Close(i, n) => {
                let count = self.replicas[i].watches.len();
                if count > 0 {
                    self.replicas[i].close(n % count);
                }
            }
            Step::Verify(max, flags) => {
                verify::history(&self.replicas[0].state, &self.model)?;
                verify::watches(&mut self.replicas[0].state, &self.model, max, flags)?;
            }
        }
        let open = self.replicas[0].watches.len() as u64;
        equal("number of watches", self.replicas[0].state.sizes().watchers, open)?;
        verify::summary(&self.replicas[0].state, &self.model)
    }

    /// Everything is delivered, and both replicas are the same.
    pub fn finish(&mut self) -> Result<(), String> {
        self.follow(usize::MAX)?;
        for replica in &mut self.replicas {
            verify::summary(&replica.state, &self.model)?;
            verify::history(&replica.state, &self.model)?;
            for (max, flags) in [((2, 1 << 20), 1), ((1000, 700), 3), ((1, 1), 4)] {
                verify::watches(&mut replica.state, &self.model, max, flags)?;
            }
            replica.drain(&self.model, (3, 1 << 20))?;
        }
        equal("hash", self.replicas[0].state.hash(), self.replicas[1].state.hash())
    }

    fn apply(&mut self, op: Op, tag: Option<Tag>) -> Result<(), String> {
        let Some(op) = self.prepare(op) else { return Ok(()) };
        let is_open = matches!(op, Op::OpenSession(_));
        self.at.index += 1;
        let origin = Origin { node: 1, incarnation: 2, request: self.at.index };
        let session = tag.and_then(|tag| self.session_tag(&tag));
        let command = Command { origin: Some(origin), session, op: Some(op) };
        let data = Bytes::from(command.encode_to_vec());

        let before: Vec<_> = self.model.leases.keys().copied().collect();
        let applied = self.replicas[0].state.apply(self.at, &data);
        let command = self.choose_lease(command, &applied)?;
        let (want, repeated) = self.model.apply(self.at, &command);
        let got: Answer = applied.result.clone().map_err(|e| e.kind().clone());
        let txn = if let Some(Op::Txn(r)) = &command.op { Some(r) } else { None };
        // A repetition may be of another kind: its answer is the first one's to the letter.
        same::answer(txn.filter(|_| !repeated), &got, &want)
            .map_err(|e| format!("{:?} {command:?}: {e}", self.at))?;
        equal("repetition", applied.deduplicated, repeated)?;
        equal("origin", applied.origin, Some(origin))?;
        equal("applied revision", applied.revision, self.model.revision())?;
        self.check_lease_changes(&before)?;
        if is_open {
            self.sessions.push((self.at.index, 0));
        }
        self.note(data, Some(applied))
    }

    /// Makes revisions absolute; `None` if the request's form is refused.
    fn prepare(&self, op: Op) -> Option<Op> {
        let current = self.model.revision();
        let op = match op {
            Op::Txn(r) if form::writes_twice(&r) => return None,
            Op::Txn(r) => Op::Txn(resolve::txn(r, current)),
            Op::Compact(mut r) => {
                r.revision = random::absolute(r.revision, current);
                Op::Compact(r)
            }
            Op::LeaseExpire(mut r) => {
                // 1 and 2 are the current term, 3 is another.
                r.term = if r.term < 3 { self.at.term } else { self.at.term - 1 };
                Op::LeaseExpire(r)
            }
            Op::LeaseCheckpoint(mut r) => {
                r.term = if r.term < 3 { self.at.term } else { self.at.term - 1 };
                Op::LeaseCheckpoint(r)
            }
            other => other,
        };
        check::check(&op, &Limits::default()).is_ok().then_some(op)
    }

    fn session_tag(&mut self, tag: &Tag) -> Option<SessionTag> {
        let count = self.sessions.len();
        let (session, last) = self.sessions.get_mut(tag.session.checked_rem(count)?)?;
        if tag.back == 0 {
            *last += 1 + tag.skip;
        }
        let sequence = last.saturating_sub(tag.back.saturating_sub(1)).max(1);
        *last = sequence.max(*last);
        let acknowledged_below = tag.acknowledged.map_or(0, |behind| sequence.saturating_sub(behind));
        Some(SessionTag { session: *session, sequence, acknowledged_below })
    }

    /// Which id the state picks for 0 is its own business, if it is free and positive.
    fn choose_lease(&self, mut command: Command, applied: &Applied) -> Result<Command, String> {
        if let Some(Op::LeaseGrant(r)) = &mut command.op
            && r.id == 0
            && !applied.deduplicated
        {
            // Any that is free stands in when the grant was refused.
            r.id = 12345;
            if let Ok(Response::LeaseGrant(granted)) = &applied.result {
                equal("picked an id in use", self.model.leases.contains_key(&granted.id), false)?;
                equal("picked a positive id", granted.id > 0, true)?;
                r.id = granted.id;
            }
        }
        Ok(command)
    }

    fn check_lease_changes(&mut self, before: &[i64]) -> Result<(), String> {
        let mut want = Vec::new();
        for id in before.iter().filter(|id| !self.model.leases.contains_key(id)) {
            want.push(LeaseChange::Ended { id: *id });
        }
        for (id, lease) in self.model.leases.iter().filter(|(id, _)| !before.contains(id)) {
            want.push(LeaseChange::Granted { id: *id, ttl: lease.ttl });
        }
        let mut got = self.replicas[0].state.take_lease_changes();
        got.sort_by_key(id_of);
        want.sort_by_key(id_of);
        equal("changes of leases", got, want)
    }

    fn other(&mut self, data: Bytes) -> Result<(), String> {
        self.at.index += 1;
        let applied = if data.is_empty() {
            let applied = self.replicas[0].state.apply(self.at, &data);
            equal("a no-op's revision", applied.revision, self.model.revision())?;
            Some(applied)
        } else {
            self.replicas[0].state.apply_other(self.at, &data);
            None
        };
        self.note(data, applied)
    }

    /// Writes down what the first replica came to, for the second.
    fn note(&mut self, data: Bytes, applied: Option<Applied>) -> Result<(), String> {
        equal("position", self.replicas[0].state.applied(), self.at)?;
        self.replicas[0].collect_woken();
        let hash = self.replicas[0].state.hash();
        if let Some((before, _)) = self.first_said.get(&(self.at.index - 1)) {
            equal("hash did not change", *before == hash, false)?;
        }
        self.first_said.insert(self.at.index, (hash, applied));
        self.replicas[1].behind.push((self.at, data.clone()));
        if let Some(image) = &mut self.image {
            image.since.push((self.at, data));
        }
        Ok(())
    }

    /// The second replica catches up, by so many entries.
    fn follow(&mut self, count: usize) -> Result<(), String> {
        let behind = &mut self.replicas[1].behind;
        let entries: Vec<_> = behind.drain(..count.min(behind.len())).collect();
        let replica = &mut self.replicas[1];
        for (at, data) in entries {
            catch_up(&mut replica.state, at, &data, &self.first_said)?;
            replica.collect_woken();
        }
        Ok(())
    }

    fn read_txn(&self, r: kvorum_core::request::TxnRequest) -> Result<(), String> {
        let got = self.replicas[0].state.read_txn(&r).map_err(|e| e.kind().clone());
        match (&got, &self.model.read_txn(&r)) {
            (Ok(got), Ok(want)) => same::txn(&r, got, want),
            (got, want) => equal::<&Result<_, ErrorKind>>("read txn", got, want),
        }
        .map_err(|e| format!("{r:?}: {e}"))
    }

    fn collect(&mut self, i: usize, budget: usize) -> Result<(), String> {
        let state = &mut self.replicas[i].state;
        let more = state.collect_garbage(budget);
        if !more && (i == 1 || self.image.is_none()) {
            equal("physical revision", state.physical_revision(), state.compacted())?;
        }
        Ok(())
    }
}

/// The lease that changed.
pub fn id_of(change: &LeaseChange) -> i64 {
    match change {
        LeaseChange::Granted { id, .. } | LeaseChange::Ended { id } => *id,
    }
}

/// Applies one entry to a state that comes later; it must say what the first said.
pub fn catch_up(
    state: &mut kvorum_core::state::State,
    at: LogPosition,
    data: &Bytes,
    first_said: &BTreeMap<u64, ([u8; 32], Option<Applied>)>,
) -> Result<(), String> {
    let (hash, said) = &first_said[&at.index];
    match said {
        Some(said) => equal("what a replica said", &state.apply(at, data), said)?,
        None => state.apply_other(at, data),
    }
    equal(&format!("hash at {at:?}"), &state.hash(), hash)
}
