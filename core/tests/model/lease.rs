//! A8: leases, as far as the log knows them. No clock here: what ends a lease is a command.

use bytes::Bytes;
use kvorum_core::ErrorKind;
use kvorum_core::command::{LeaseCheckpoint, LeaseExpire};
use kvorum_core::ids::{LeaseId, Term};
use kvorum_core::request::{LeaseGrantRequest, LeaseGrantResponse, LeaseRevokeRequest, LeaseRevokeResponse};

use super::{Model, header};

/// One lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What was granted, in seconds.
    pub ttl: i64,
    /// What remained at the last checkpoint, in milliseconds.
    pub remaining: Option<u64>,
}

impl Model {
    /// The id must be chosen: which one the state picks for 0 is its own business.
    pub fn grant(&mut self, r: &LeaseGrantRequest) -> Result<LeaseGrantResponse, ErrorKind> {
        self.has_room()?;
        if self.leases.contains_key(&r.id) {
            return Err(ErrorKind::LeaseExists { id: r.id });
        }
        self.leases.insert(r.id, Lease { ttl: r.ttl, remaining: None });
        self.has_grown();
        Ok(LeaseGrantResponse { header: header(self.revision()), id: r.id, ttl: r.ttl })
    }

    /// A8.2: all its keys in one revision.
    pub fn revoke(&mut self, r: &LeaseRevokeRequest) -> Result<LeaseRevokeResponse, ErrorKind> {
        if self.leases.remove(&r.id).is_none() {
            return Err(ErrorKind::LeaseNotFound { id: r.id });
        }
        self.delete_keys_of(r.id);
        Ok(LeaseRevokeResponse { header: header(self.revision()) })
    }

    /// A deposed leader's word counts for nothing (E5).
    pub fn expire(&mut self, term: Term, r: &LeaseExpire) {
        if r.term == term {
            for id in &r.ids {
                if self.leases.remove(id).is_some() {
                    self.delete_keys_of(*id);
                }
            }
        }
    }

    pub fn checkpoint(&mut self, term: Term, r: &LeaseCheckpoint) {
        if r.term == term {
            for one in &r.leases {
                if let Some(lease) = self.leases.get_mut(&one.id) {
                    // Never more than was granted (E4).
                    lease.remaining = Some(one.millis.min(lease.ttl as u64 * 1000));
                }
            }
        }
    }

    /// The keys that hang on a lease, in order.
    pub fn keys_of(&self, id: LeaseId) -> Vec<Bytes> {
        self.now().values().filter(|kv| kv.lease == id).map(|kv| kv.key.clone()).collect()
    }

    fn delete_keys_of(&mut self, id: LeaseId) {
        let mut work = self.begin();
        for key in self.keys_of(id) {
            work.delete(&key);
        }
        self.commit(work);
    }
}
