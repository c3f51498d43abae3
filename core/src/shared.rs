//! What a node's driver shares with its clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::config::Config;
use crate::ids::{Revision, Term};
use crate::node::View;
use crate::request::Header;
use crate::state::State;
use crate::storage::Identity;
use crate::time::Time;
use crate::watch::Hub;

/// What a node's driver shares with its clients.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) identity: Identity,
    pub(crate) state: Arc<RwLock<State>>,
    pub(crate) view: Mutex<View>,
    pub(crate) hub: Hub,
    /// Counts keys that must be like no other.
    pub(crate) unique: AtomicU64,
    /// When the driver's newest turn began, in nanoseconds of its clock.
    pub(crate) turned: AtomicU64,
    pub(crate) counters: Counters,
}

/// What is counted outside of the node, since it was started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Ranges read outside of transactions.
    pub(crate) reads: AtomicU64,
    pub(crate) leaders_seen: AtomicU64,
}

impl Shared {
    /// The time, as of the driver's newest turn: no answer is newer.
    pub(crate) fn now(&self) -> Time {
        Time::from_nanos(self.turned.load(Ordering::Acquire))
    }

    /// A turn begins.
    pub(crate) fn turn(&self, now: Time) {
        self.turned.store(now.as_nanos(), Ordering::Release);
    }

    /// A header of this node, as of `revision`.
    pub(crate) fn header(&self, revision: Revision, raft_term: Term) -> Header {
        Header { cluster_id: self.identity.cluster, member_id: self.identity.node, revision, raft_term }
    }

    /// Fills what the state cannot know into a header that it made.
    pub(crate) fn complete(&self, header: &mut Option<Header>, raft_term: Term) {
        let revision = header.as_ref().map_or(0, |header| header.revision);
        *header = Some(self.header(revision, raft_term));
    }

    pub(crate) fn term(&self) -> Term {
        self.view.lock().term
    }
}
