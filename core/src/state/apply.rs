//! Applying an entry.

use bytes::Bytes;
use prost::Message;

use super::key::Span;
use super::session::Verdict;
use super::store::Change;
use super::txn::Path;
use super::{Applied, State, answer, header};
use crate::check::{check_delete, check_put};
use crate::command::{
    Command, Done, LeaseCheckpoint, LeaseExpire, MemberAttributes, Op, Response, SessionTag, Settings,
};
use crate::error::{ErrorKind, Result};
use crate::ids::LeaseId;
use crate::request::{
    CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, LeaseGrantRequest, LeaseGrantResponse,
    LeaseRevokeResponse, PutRequest, PutResponse, TxnRequest, TxnResponse,
};
use crate::storage::LogPosition;

impl State {
    /// Applies a committed entry that holds a [`Command`], encoded; empty data is a no-op. Whatever the
    /// entry says, the same one has the same effect on every member, and a refused one has none.
    ///
    /// Most entries take no revision or one. One that ends several leases ([`LeaseExpire`]) takes one for
    /// each lease that has keys.
    ///
    /// # Panics
    ///
    /// If the entry is not behind the last one applied: applying one twice would be our own mistake, and
    /// would make this member differ from the others.
    ///
    /// ```
    /// use kvorum_core::{command::{Command, Op}, request::PutRequest, state::State, storage::LogPosition};
    /// use prost::Message;
    /// let mut state = State::new(1);
    /// let op = Op::Put(PutRequest { key: "k".into(), value: "v".into(), ..Default::default() });
    /// let entry = Command { op: Some(op), ..Default::default() }.encode_to_vec();
    /// let applied = state.apply(LogPosition { index: 1, term: 1 }, &entry.into());
    /// assert_eq!(applied.revision, 2);
    /// ```
    pub fn apply(&mut self, at: LogPosition, data: &Bytes) -> Applied {
        self.advance(at);
        let before = self.store.revision;
        let command = if data.is_empty() { Ok(Command::default()) } else { Command::decode(data.clone()) };
        let Command { origin, session, op } = command.unwrap_or_default();
        let (verdict, tag) = match (&op, &session) {
            (Some(_), Some(tag)) => (self.sessions.judge(tag, at.index), Some(tag)),
            _ => (Verdict::Fresh, None),
        };
        let deduplicated = matches!(verdict, Verdict::Repeated(_));
        let (result, tag) = match verdict {
            Verdict::Repeated(result) => (result, None),
            Verdict::Refused(error) => (Err(error), None),
            Verdict::Fresh => (self.run(at, op.as_ref(), data.is_empty()), tag),
        };
        self.conclude(data, before, &result, tag);
        Applied { origin, result, revision: self.store.revision, deduplicated }
    }

    /// Takes note of a committed entry that is no command (a change of the cluster's members): only the
    /// position and the hash advance.
    ///
    /// # Panics
    ///
    /// As [`State::apply`].
    pub fn apply_other(&mut self, at: LogPosition, data: &Bytes) {
        self.advance(at);
        self.hash = super::hash::next(&self.hash, at, super::hash::OTHER, data, &[]);
    }

    fn advance(&mut self, at: LogPosition) {
        let last = self.applied.index;
        assert!(at.index > last, "entry {} applied after entry {last}", at.index);
        self.applied = at;
    }

    /// Does what an operation says, if nothing speaks against it.
    fn run(&mut self, at: LogPosition, op: Option<&Op>, empty: bool) -> Result<Response> {
        let Some(op) = op else {
            return if empty { Ok(self.done()) } else { Err(answer::unreadable(at.index).into()) };
        };
        match op {
            Op::Put(r) => self.put(r).map(Response::Put),
            Op::DeleteRange(r) => self.delete_range(r).map(Response::DeleteRange),
            Op::Txn(r) => self.txn(r).map(Response::Txn),
            Op::Compact(r) => self.compact(r.revision).map(Response::Compact),
            Op::LeaseGrant(r) => self.lease_grant(at, r).map(Response::LeaseGrant),
            Op::LeaseRevoke(r) => self.lease_revoke(r.id).map(Response::LeaseRevoke),
            Op::LeaseExpire(r) => Ok(self.lease_expire(at, r)),
            Op::LeaseCheckpoint(r) => Ok(self.lease_checkpoint(at, r)),
            Op::OpenSession(_) => {
                Ok(Response::OpenSession(self.sessions.open(at.index, self.settings.max_sessions)))
            }
            Op::CloseSession(r) => {
                self.sessions.close(r.id);
                Ok(self.done())
            }
            Op::Settings(r) => Ok(self.set(*r)),
            Op::NoSpace(r) => {
                self.no_space = r.raised;
                Ok(self.done())
            }
            Op::MemberSeen(r) => {
                self.members.entry(r.node).or_insert(r.directory);
                Ok(self.done())
            }
            Op::MemberAttributes(r) => {
                self.publish(r);
                Ok(self.done())
            }
        }
    }

    /// Keeps the answer, extends the hash chain and wakes the watches.
    fn conclude(&mut self, data: &[u8], before: i64, result: &Result<Response>, tag: Option<&SessionTag>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.describe_effects(before, &mut scratch);
        let effects = scratch.len();
        answer::encode(result, &mut scratch);
        if let Some(tag) = tag {
            self.sessions.keep(tag, &scratch[effects..]);
        }
        let hashed = if planted!("hash_skips_answers") { &scratch[..effects] } else { &scratch[..] };
        self.hash = super::hash::next(&self.hash, self.applied, super::hash::COMMAND, data, hashed);
        // A rare large answer must not occupy memory for ever.
        scratch.shrink_to(64 << 10);
        self.scratch = scratch;
        self.wake(before);
    }

    /// Marks the watches of every key changed after a revision.
    fn wake(&mut self, before: i64) {
        if self.watches.is_empty() {
            return;
        }
        for revision in before + 1..=self.store.revision {
            let Some(changes) = self.store.log.get(revision) else { continue };
            for record in changes.records() {
                self.watches.touch(record.key(), record.is_tombstone(), revision);
            }
        }
    }

    fn done(&self) -> Response {
        Response::Done(Done { revision: self.store.revision })
    }

    fn put(&mut self, r: &PutRequest) -> Result<PutResponse> {
        check_put(r)?;
        self.refuse_growth()?;
        // In a transaction, etcd looks the other way round.
        self.check_lease(r)?;
        self.check_kept(r)?;
        let response = self.write_put(r);
        self.store.commit();
        self.has_grown();
        Ok(response)
    }

    /// Writes what was checked.
    pub(super) fn write_put(&mut self, r: &PutRequest) -> PutResponse {
        let value = if r.ignore_value { Change::Keep } else { Change::Set(&r.value[..]) };
        let lease = if r.ignore_lease { Change::Keep } else { Change::Set(r.lease) };
        let (before, after) = self.store.put(&r.key, value, lease);
        let old_lease = before.as_ref().map_or(0, |before| before.lease);
        let left = if planted!("old_lease_keeps_key") { 0 } else { old_lease };
        self.leases.transfer(&r.key, left, after.lease);
        self.tally.puts += 1;
        self.tally.put_bytes += (r.key.len() + after.value().len()) as u64;
        let shown = if planted!("prev_kv_from_after") { Some(after) } else { before };
        let prev_kv = shown.filter(|_| r.prev_kv).map(|before| before.pair());
        PutResponse { header: Some(header(self.store.working_revision())), prev_kv }
    }

    fn delete_range(&mut self, r: &DeleteRangeRequest) -> Result<DeleteRangeResponse> {
        check_delete(r)?;
        let response = self.write_delete(r);
        self.store.commit();
        Ok(response)
    }

    /// Deletes what there is in the range.
    pub(super) fn write_delete(&mut self, r: &DeleteRangeRequest) -> DeleteRangeResponse {
        let span = Span::new(&r.key, &r.range_end);
        let live = self.store.histories(span).filter_map(|history| history.live().cloned());
        let doomed: Vec<_> = live.collect();
        for record in &doomed {
            self.store.delete(record.key());
            self.leases.transfer(record.key(), record.lease, 0);
        }
        let prev_kvs =
            if r.prev_kv { doomed.iter().map(|record| record.pair()).collect() } else { Vec::new() };
        self.tally.deletes += 1;
        let header = Some(header(self.store.working_revision()));
        DeleteRangeResponse { header, deleted: doomed.len() as i64, prev_kvs }
    }

    fn txn(&mut self, r: &TxnRequest) -> Result<TxnResponse> {
        let mut path = Path::of(&self.store, r)?;
        let grows = State::puts(path.rewind(), r) > 0;
        if grows {
            self.refuse_growth()?;
        }
        self.check_path(&mut path, r)?;
        let mut response = self.execute(path.rewind(), r);
        self.tally.txns += 1;
        self.store.commit();
        if grows {
            self.has_grown();
        }
        response.header = Some(header(self.store.revision));
        Ok(response)
    }

    fn compact(&mut self, revision: i64) -> Result<CompactionResponse> {
        self.store.compact(revision)?;
        Ok(CompactionResponse { header: Some(header(self.store.revision)) })
    }

    fn lease_grant(&mut self, at: LogPosition, r: &LeaseGrantRequest) -> Result<LeaseGrantResponse> {
        self.refuse_growth()?;
        let local = if planted!("lease_id_from_local") { self.watches.len() as u64 } else { 0 };
        let id = if r.id == 0 { self.leases.free_id(self.cluster, at.index + local) } else { r.id };
        if !self.leases.grant(id, r.ttl, None) {
            return Err(ErrorKind::LeaseExists { id }.into());
        }
        self.has_grown();
        self.tally.leases_granted += 1;
        Ok(LeaseGrantResponse { header: Some(header(self.store.revision)), id, ttl: r.ttl })
    }

    fn lease_revoke(&mut self, id: LeaseId) -> Result<LeaseRevokeResponse> {
        if !self.end_lease(id) {
            return Err(ErrorKind::LeaseNotFound { id }.into());
        }
        Ok(LeaseRevokeResponse { header: Some(header(self.store.revision)) })
    }

    fn lease_expire(&mut self, at: LogPosition, r: &LeaseExpire) -> Response {
        let is_current = r.term == at.term || planted!("expire_ignores_term");
        if is_current || planted!("expire_in_another_term") {
            for &id in &r.ids {
                self.tally.leases_expired += u64::from(self.end_lease(id));
            }
        }
        self.done()
    }

    fn lease_checkpoint(&mut self, at: LogPosition, r: &LeaseCheckpoint) -> Response {
        if r.term == at.term {
            for lease in &r.leases {
                self.leases.checkpoint(lease.id, lease.millis);
            }
        }
        self.done()
    }

    /// Ends a lease: all its keys go in one revision, in key order. False: there is no such lease.
    fn end_lease(&mut self, id: LeaseId) -> bool {
        let Some(keys) = self.leases.end(id) else { return false };
        self.tally.leases_ended += 1;
        for key in keys.into_iter().filter(|_| !planted!("keys_outlive_lease")) {
            self.store.delete(key.as_slice());
        }
        self.store.commit();
        true
    }

    /// The last word counts: a member comes back under another name, or elsewhere.
    fn publish(&mut self, said: &MemberAttributes) {
        if !planted!("attributes_stay_the_first") || !self.attributes.contains_key(&said.node) {
            self.attributes.insert(said.node, said.clone());
        }
    }

    fn set(&mut self, settings: Settings) -> Response {
        self.settings = settings;
        self.sessions.shrink(settings.max_sessions);
        self.done()
    }

    /// Refuses while there is no space.
    fn refuse_growth(&self) -> Result<()> {
        if !self.no_space {
            return Ok(());
        }
        let used = self.store.size.bytes;
        Err(ErrorKind::NoSpace { used, quota: self.settings.quota_bytes }.into())
    }

    /// Raises the state in which growth is refused, if what was just applied went over the quota. Decided
    /// from sizes that the log makes, never from a disk's: all members decide alike.
    fn has_grown(&mut self) {
        let quota = self.settings.quota_bytes;
        let local = if planted!("quota_counts_watches") { 4096 * self.watches.len() as u64 } else { 0 };
        self.no_space |= quota > 0 && self.store.size.bytes + local > quota;
    }
}
