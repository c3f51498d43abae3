//! A3, A4: puts and deletes, alone or as steps of something that takes one revision together.

use bytes::Bytes;
use kvorum_core::ErrorKind;
use kvorum_core::ids::Revision;
use kvorum_core::request::{
    DeleteRangeRequest, DeleteRangeResponse, Event, EventKind, KeyValue, PutRequest, PutResponse,
};

use super::{Model, Snapshot, header, holds};

/// Writes under way, all of one revision.
pub struct Work {
    /// The store's revision before.
    pub before: Revision,
    /// All pairs as they are so far.
    pub view: Snapshot,
    /// What happened so far.
    pub events: Vec<Event>,
}

impl Work {
    /// The revision as of now: a new one as soon as anything was written (A5.8).
    pub fn revision(&self) -> Revision {
        if self.events.is_empty() { self.before } else { self.before + 1 }
    }

    /// A put that was checked. Through a hole in the rule on duplicates (A5.7q) its key may have been deleted
    /// since, and what was to be kept is empty then (etcd panics).
    pub fn put(&mut self, r: &PutRequest) -> PutResponse {
        let revision = self.before + 1;
        let old = self.view.get(&r.key).cloned();
        let mut new = KeyValue {
            key: r.key.clone(),
            create_revision: revision,
            mod_revision: revision,
            version: 1,
            value: r.value.clone(),
            lease: r.lease,
        };
        if let Some(old) = &old {
            new.create_revision = old.create_revision;
            new.version = old.version + 1;
            if r.ignore_value {
                new.value = old.value.clone();
            }
            if r.ignore_lease {
                new.lease = old.lease;
            }
        }
        self.view.insert(r.key.clone(), new.clone());
        self.events.push(Event { kind: EventKind::Put as i32, kv: Some(new), prev_kv: None });
        PutResponse { header: header(revision), prev_kv: old.filter(|_| r.prev_kv) }
    }

    pub fn delete_range(&mut self, r: &DeleteRangeRequest) -> DeleteRangeResponse {
        let gone: Vec<KeyValue> =
            self.view.values().filter(|kv| holds(&r.key, &r.range_end, &kv.key)).cloned().collect();
        for kv in &gone {
            self.delete(&kv.key);
        }
        DeleteRangeResponse {
            header: header(self.revision()),
            deleted: gone.len() as i64,
            prev_kvs: if r.prev_kv { gone } else { Vec::new() },
        }
    }

    pub fn delete(&mut self, key: &Bytes) {
        self.view.remove(key).expect("only what exists is deleted");
        // A4: a deleted key's event has the key and the mod revision only.
        let kv = KeyValue { key: key.clone(), mod_revision: self.before + 1, ..KeyValue::default() };
        self.events.push(Event { kind: EventKind::Delete as i32, kv: Some(kv), prev_kv: None });
    }
}

impl Model {
    pub fn begin(&self) -> Work {
        Work { before: self.revision(), view: self.now().clone(), events: Vec::new() }
    }

    /// One revision for everything that happened; none if nothing did.
    pub fn commit(&mut self, work: Work) {
        if !work.events.is_empty() {
            self.snapshots.push(work.view);
            self.events.push(work.events);
        }
    }

    pub fn put(&mut self, r: &PutRequest) -> Result<PutResponse, ErrorKind> {
        self.has_room()?;
        // In a transaction, it is the other way round: what etcd says when both are wrong.
        self.check_lease(r)?;
        self.check_kept(r)?;
        let mut work = self.begin();
        let response = work.put(r);
        self.commit(work);
        self.has_grown();
        Ok(response)
    }

    /// A3.3, A3.4: what is to be kept must be there.
    pub fn check_kept(&self, r: &PutRequest) -> Result<(), ErrorKind> {
        if (r.ignore_value || r.ignore_lease) && !self.now().contains_key(&r.key) {
            return Err(ErrorKind::KeyNotFound);
        }
        Ok(())
    }

    /// A3.1: the lease must be there.
    pub fn check_lease(&self, r: &PutRequest) -> Result<(), ErrorKind> {
        if r.lease != 0 && !self.leases.contains_key(&r.lease) {
            return Err(ErrorKind::LeaseNotFound { id: r.lease });
        }
        Ok(())
    }

    pub fn delete_range(&mut self, r: &DeleteRangeRequest) -> Result<DeleteRangeResponse, ErrorKind> {
        let mut work = self.begin();
        let response = work.delete_range(r);
        self.commit(work);
        Ok(response)
    }
}
