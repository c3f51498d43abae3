//! Leases that are kept alive as long as somebody holds on to them.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use crate::client::Client;
use crate::ids::LeaseId;
use crate::reply::Answer;
use crate::request::LeaseRevokeResponse;
use crate::time::Time;

/// A lease that is renewed, every third of its time, as long as this handle lives and the node reaches a
/// leader. Dropped, it is no longer renewed and ends after its time; [`Lease::revoke`] ends it at once.
///
/// Whoever must not go on without the lease asks [`Lease::is_lost`] before each step, or waits for
/// [`Lease::lost`]; and, to be safe from pauses between asking and acting, uses fencing tokens (see
/// [`crate::lock`]).
#[must_use = "a lease that is dropped is not renewed"]
pub struct Lease {
    client: Client,
    keeper: Arc<Keeper>,
}

/// A twentieth: by how much two members' clocks may differ in pace for a lease's holder never to believe in
/// it longer than its leader.
const CLOCK_DRIFT: u32 = 20;

/// What the driver renews.
pub(crate) struct Keeper {
    id: LeaseId,
    ttl: Duration,
    life: Mutex<Life>,
}

#[derive(Default)]
struct Life {
    is_lost: bool,
    /// The lease is known to live until then.
    until: Option<Time>,
    wakers: Vec<Waker>,
}

impl Keeper {
    pub(crate) fn new(id: LeaseId, ttl: Duration) -> Keeper {
        Keeper { id, ttl, life: Mutex::default() }
    }

    pub(crate) fn id(&self) -> LeaseId {
        self.id
    }

    /// How often to renew.
    pub(crate) fn every(&self) -> Duration {
        self.ttl / 3
    }

    /// When it was granted is not known here: until the first renewal, only a part of its time is relied on.
    pub(crate) fn begin(&self, now: Time) {
        self.life.lock().until = Some(now + self.every());
    }

    /// A renewal that was sent at `sent` was acknowledged. The leader counts by its own clock, which may be
    /// faster than this one.
    pub(crate) fn renewed(&self, sent: Time) {
        self.life.lock().until = Some(sent + (self.ttl - self.ttl / CLOCK_DRIFT));
    }

    /// Whether it may have ended by now, as far as is known here.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.life.lock().until.is_some_and(|until| until <= now)
    }

    /// It has ended, or may have.
    pub(crate) fn lose(&self) {
        let mut life = self.life.lock();
        life.is_lost = true;
        let wakers = std::mem::take(&mut life.wakers);
        drop(life);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A request to renew a lease. Dropped by somebody who will not see to it, it says that the lease is lost.
#[derive(Debug)]
pub struct Keep(Weak<Keeper>);

impl Keep {
    pub(crate) fn new(keeper: &Arc<Keeper>) -> Keep {
        Keep(Arc::downgrade(keeper))
    }

    /// Whoever calls this sees to it.
    pub(crate) fn taken(mut self) -> Weak<Keeper> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        self.0.upgrade().iter().for_each(|keeper| keeper.lose());
    }
}

impl Lease {
    pub(crate) fn new(client: Client, keeper: Arc<Keeper>) -> Lease {
        Lease { client, keeper }
    }

    /// The lease's id, to hang keys on it.
    pub fn id(&self) -> LeaseId {
        self.keeper.id
    }

    /// The time that was granted.
    pub fn ttl(&self) -> Duration {
        self.keeper.ttl
    }

    /// Whether it has ended, or has not been renewed for so long that it may have.
    pub fn is_lost(&self) -> bool {
        self.keeper.life.lock().is_lost
    }

    /// Waits until it is lost.
    pub async fn lost(&self) {
        poll_fn(|context| {
            let mut life = self.keeper.life.lock();
            if life.is_lost {
                return Poll::Ready(());
            }
            life.wakers.retain(|waker| !waker.will_wake(context.waker()));
            life.wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends it now, with all its keys.
    pub fn revoke(self) -> Answer<LeaseRevokeResponse> {
        self.keeper.lose();
        self.client.revoke(self.keeper.id)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("id", &self.keeper.id).field("is_lost", &self.is_lost()).finish()
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_nobody_sees_to_is_lost() {
        let keeper = Arc::new(Keeper::new(7, Duration::from_secs(9)));
        let taken = Keep::new(&keeper).taken();
        assert!(taken.ptr_eq(&Arc::downgrade(&keeper)) && !keeper.life.lock().is_lost);
        // As when the node's thread ends while the request lies in its mail.
        drop(Keep::new(&keeper));
        assert!(keeper.life.lock().is_lost);
    }
}
