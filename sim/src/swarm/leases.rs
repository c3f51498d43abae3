//! What is known of leases: never ended early, never ended never.

use std::collections::BTreeMap;
use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::{LeaseId, NodeId};

use super::Report;
use crate::world::World;

#[derive(Default)]
struct Book {
    ttl: Duration,
    /// When renewals were asked for that were acknowledged.
    renewed: Vec<Time>,
    /// When it was first known to have ended.
    ended: Option<Time>,
}

pub(super) struct LeaseBook {
    books: BTreeMap<LeaseId, Book>,
    keys: BTreeMap<Vec<u8>, LeaseId>,
    drift_ppm: u64,
}

impl LeaseBook {
    pub(super) fn new(drift_ppm: i64) -> LeaseBook {
        LeaseBook { books: BTreeMap::new(), keys: BTreeMap::new(), drift_ppm: drift_ppm.unsigned_abs() }
    }

    pub(super) fn granted(&mut self, id: LeaseId, ttl: i64, sent: Time) {
        let ttl = Duration::from_secs(ttl.unsigned_abs());
        self.books.insert(id, Book { ttl, renewed: vec![sent], ended: None });
    }

    pub(super) fn attached(&mut self, id: LeaseId, key: &[u8]) {
        self.keys.insert(key.to_vec(), id);
    }

    /// A renewal was acknowledged.
    pub(super) fn renewed(&mut self, id: LeaseId, sent: Time, now: Time) {
        if let Some(book) = self.books.get_mut(&id) {
            book.renewed.push(sent);
            if let Some(ended) = book.ended {
                assert!(sent <= ended, "lease {id} ended at {ended:?}, and was renewed at {sent:?}..{now:?}");
            }
        }
        self.check(id);
    }

    /// A leader said that it is no more.
    pub(super) fn gone(&mut self, id: LeaseId, now: Time, report: &mut Report) {
        if let Some(book) = self.books.get_mut(&id) {
            book.ended.get_or_insert(now);
            report.expired += 1;
        }
        self.check(id);
    }

    /// A key was deleted. Those that hang on a lease are deleted by nobody else.
    pub(super) fn deleted(&mut self, key: &[u8], at: Time) {
        let Some(&id) = self.keys.get(key) else { return };
        if let Some(book) = self.books.get_mut(&id) {
            book.ended = Some(book.ended.map_or(at, |before| before.min(at)));
        }
        self.check(id);
    }

    fn check(&self, id: LeaseId) {
        let Some(Book { ttl, renewed, ended: Some(ended) }) = self.books.get(&id) else { return };
        // A clock that runs fast sees the end a little earlier, and the one that granted saw it begin late.
        let least = ttl.mul_f64(1.0 - self.drift_ppm as f64 / 1e6).saturating_sub(Duration::from_micros(1));
        for &sent in renewed.iter().filter(|sent| *sent <= ended) {
            let lived = ended.since(sent);
            assert!(lived >= least, "lease {id} of {ttl:?}, renewed at {sent:?}, ended {lived:?} later");
        }
    }

    pub(super) fn check_at_end(&self, world: &World, nodes: &[NodeId]) {
        for &node in nodes {
            let left = world.status(node).map_or(0, |status| status.sizes.leases);
            assert_eq!(left, 0, "leases that nobody renews live on, on node {node}");
        }
    }
}
