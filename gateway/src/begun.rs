//! What has come of a value or a message that is not whole yet: kept and counted until the rest is there, and let go of
//! when that takes too long. What it will never know: what it is to become.
//!
//! Whoever sends the answers of a stream does not ask for the next one before its client has room for it, so nothing
//! inside the stream would ever look at the clock. Somebody beside it does.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use kvorum_core::planted;
use parking_lot::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::Status;

use crate::errors::LATE_BODY;
use crate::gateway::Gateway;
use crate::held::Held;

pub(crate) struct Begun<T> {
    kept: Arc<Mutex<Kept<T>>>,
    patience: Duration,
    /// Runs while something is missing. Dropped, it runs no more.
    clock: Option<JoinSet<()>>,
}

/// What has come, and the room that it takes.
pub(crate) struct Kept<T> {
    pub(crate) what: T,
    pub(crate) held: Held,
    /// It was let go of, and what comes now has no beginning.
    is_late: bool,
}

impl<T: Default + Send + 'static> Begun<T> {
    pub(crate) fn new(gateway: Arc<Gateway>) -> Begun<T> {
        let patience = gateway.options.connections.header_timeout;
        Begun { kept: Kept::none(gateway.held.hold()), patience, clock: None }
    }

    /// What has come.
    ///
    /// # Errors
    ///
    /// The rest took too long, and it was let go of.
    pub(crate) fn kept(&self) -> Result<MutexGuard<'_, Kept<T>>, Status> {
        let kept = self.kept.lock();
        if kept.is_late { Err(LATE_BODY.into()) } else { Ok(kept) }
    }

    /// Ready when the rest has been missing for too long. The clock runs from now on, if it does not yet.
    pub(crate) fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        let clock = self.clock.get_or_insert_with(|| {
            let mut clock = JoinSet::new();
            clock.spawn(wait(Arc::downgrade(&self.kept), self.patience));
            clock
        });
        clock.poll_join_next(context).map(|_| LATE_BODY.into())
    }

    /// The rest is there. What came with it begins anew.
    pub(crate) fn is_whole(&mut self) {
        self.clock = None;
    }

    /// It is of no use any more.
    pub(crate) fn forget(&mut self) {
        let nothing = self.kept.lock().held.part(0);
        (self.kept, self.clock) = (Kept::none(nothing), None);
    }
}

async fn wait<T: Default>(kept: Weak<Mutex<Kept<T>>>, patience: Duration) {
    sleep(patience).await;
    if let Some(kept) = kept.upgrade().filter(|_| !planted!("unread_stream_keeps_its_half")) {
        let mut kept = kept.lock();
        kept.what = T::default();
        kept.held.shrink_to(0);
        kept.is_late = true;
    }
}

impl<T: Default> Kept<T> {
    fn none(held: Held) -> Arc<Mutex<Kept<T>>> {
        Arc::new(Mutex::new(Kept { what: T::default(), held, is_late: false }))
    }
}
