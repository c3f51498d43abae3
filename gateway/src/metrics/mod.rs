//! What is counted at the gateway, and all of it and what the node counts as Prometheus reads it, under etcd's names
//! where the meaning is etcd's. What it will never know: HTTP.

mod histogram;
mod page;
mod process;
mod rpc;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub use histogram::SyncTimes;
pub(crate) use page::page;
pub(crate) use rpc::{Rpcs, Under};

use crate::health::Check;

/// What a server counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) rpcs: Rpcs,
    healthy: AtomicU64,
    unhealthy: AtomicU64,
    live: Checks,
    ready: Checks,
    watch_streams: Arc<AtomicUsize>,
}

/// How often each check went well, and how often not; and whether it did the last time.
#[derive(Debug, Default)]
struct Checks([(AtomicU64, AtomicU64, AtomicU64); Check::ALL.len()]);

impl Metrics {
    pub(crate) fn new(is_extensive: bool) -> Metrics {
        Metrics {
            rpcs: Rpcs::new(is_extensive),
            healthy: AtomicU64::new(0),
            unhealthy: AtomicU64::new(0),
            live: Checks::default(),
            ready: Checks::default(),
            watch_streams: Arc::default(),
        }
    }

    /// Counts a stream of watches, as long as what comes back lives.
    pub(crate) fn count_stream(&self) -> Open {
        self.watch_streams.fetch_add(1, Ordering::Relaxed);
        Open(self.watch_streams.clone())
    }

    /// `/health` was answered.
    pub(crate) fn health(&self, is_well: bool) {
        let counter = if is_well { &self.healthy } else { &self.unhealthy };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A check was made, for `/livez` or for `/readyz`.
    pub(crate) fn checked(&self, is_live: bool, check: Check, is_well: bool) {
        let checks = if is_live { &self.live } else { &self.ready };
        let (good, bad, last) = &checks.0[check as usize];
        if is_well { good } else { bad }.fetch_add(1, Ordering::Relaxed);
        last.store(u64::from(is_well), Ordering::Relaxed);
    }
}

/// Something that is counted while it is there.
#[derive(Debug)]
pub(crate) struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
