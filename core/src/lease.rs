//! Leases that are kept alive as long as somebody holds on to them.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
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
    granted: Granted,
    keeper: Arc<Keeper>,
}

/// A twentieth: by how much two members' clocks may differ in pace for a lease's holder never to believe in
/// it longer than its leader.
const CLOCK_DRIFT: u32 = 20;

/// What the driver renews, once it is granted.
#[derive(Default)]
pub(crate) struct Keeper {
    life: Mutex<Life>,
}

#[derive(Default)]
struct Life {
    granted: Option<Granted>,
    is_lost: bool,
    /// When it was asked for, if that was here.
    asked: Option<Time>,
    /// The lease is known to live until then.
    until: Option<Time>,
    /// Whoever waits for it to be lost, by number.
    wakers: BTreeMap<u64, Waker>,
    last_waker: u64,
}

impl Life {
    /// Whether what is known of its time is over.
    fn is_over(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// A lease, and its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    pub(crate) id: LeaseId,
    pub(crate) ttl: Duration,
}

impl Granted {
    /// How often to renew.
    pub(crate) fn every(&self) -> Duration {
        self.ttl / 3
    }

    /// How much of its time to rely on. The leader counts by its own clock, which may be faster than this one.
    fn sure(&self) -> Duration {
        self.ttl - self.ttl / CLOCK_DRIFT
    }
}

impl Keeper {
    /// Of a lease that is about to be asked for.
    pub(crate) fn new() -> Keeper {
        Keeper::default()
    }

    /// Of a lease that exists.
    pub(crate) fn of(granted: Granted) -> Keeper {
        let life = Life { granted: Some(granted), ..Life::default() };
        Keeper { life: Mutex::new(life) }
    }

    /// It was granted, as was heard at `now`. However late the answer, its time may have begun as soon as it was asked
    /// for: there may be nothing left to hold on to, and the driver looks again only later.
    pub(crate) fn granted(&self, granted: Granted, now: Time) {
        let mut life = self.life.lock();
        life.until = life.asked.map(|asked| asked + granted.sure());
        life.granted = Some(granted);
        life.is_lost |= life.is_over(now) && !planted!("late_grant_is_believed");
    }

    /// The lease; `None` while nobody knows whether there is one.
    pub(crate) fn lease(&self) -> Option<Granted> {
        self.life.lock().granted
    }

    /// The driver sees to it from now on. When a lease was granted that exists already is not known here: until the
    /// first renewal, only a part of its time is relied on.
    pub(crate) fn begin(&self, now: Time) {
        let mut life = self.life.lock();
        life.asked = Some(now);
        life.until = life.granted.map(|granted| now + granted.every());
    }

    /// A renewal that was sent at `sent` was acknowledged.
    pub(crate) fn renewed(&self, sent: Time) {
        let mut life = self.life.lock();
        life.until = life.granted.map(|granted| sent + granted.sure());
    }

    /// Whether it may have ended by now, as far as is known here.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.life.lock().is_over(now) && !planted!("keeper_never_over")
    }

    /// It has ended, or may have.
    pub(crate) fn lose(&self) {
        let mut life = self.life.lock();
        life.is_lost = true;
        let wakers = std::mem::take(&mut life.wakers);
        drop(life);
        wakers.into_values().for_each(Waker::wake);
    }

    fn lost(&self) -> Lost<'_> {
        Lost { keeper: self, number: None }
    }
}

/// Waits until a lease is lost. Dropped, it is forgotten: a lease may outlive any number of those who wait.
struct Lost<'a> {
    keeper: &'a Keeper,
    number: Option<u64>,
}

impl Future for Lost<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut life = self.keeper.life.lock();
        if life.is_lost {
            return Poll::Ready(());
        }
        let number = self.number.unwrap_or(life.last_waker + 1);
        life.last_waker = life.last_waker.max(number);
        // What goes with a waker may be anything, this lease's handle too: it goes when nothing is locked.
        let _before = life.wakers.insert(number, context.waker().clone());
        drop(life);
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number
            && !planted!("waiters_for_a_loss_are_kept")
        {
            let _waker = self.keeper.life.lock().wakers.remove(&number);
        }
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
    pub(crate) fn new(client: Client, granted: Granted, keeper: Arc<Keeper>) -> Lease {
        Lease { client, granted, keeper }
    }

    /// The lease's id, to hang keys on it.
    pub fn id(&self) -> LeaseId {
        self.granted.id
    }

    /// The time that was granted.
    pub fn ttl(&self) -> Duration {
        self.granted.ttl
    }

    /// Whether it has ended, or has not been renewed for so long that it may have.
    pub fn is_lost(&self) -> bool {
        self.keeper.life.lock().is_lost
    }

    /// Waits until it is lost.
    pub async fn lost(&self) {
        self.keeper.lost().await;
    }

    /// Ends it now, with all its keys.
    pub fn revoke(self) -> Answer<LeaseRevokeResponse> {
        self.keeper.lose();
        self.client.revoke(self.granted.id)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("id", &self.granted.id).field("is_lost", &self.is_lost()).finish()
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("lease", &self.lease()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    #[test]
    fn a_lease_that_nobody_sees_to_is_lost() {
        let keeper = Arc::new(Keeper::new());
        let taken = Keep::new(&keeper).taken();
        assert!(taken.ptr_eq(&Arc::downgrade(&keeper)) && !keeper.life.lock().is_lost);
        // As when the node's thread ends while the request lies in its mail.
        drop(Keep::new(&keeper));
        assert!(keeper.life.lock().is_lost);
    }

    #[test]
    fn who_waits_for_a_loss_no_longer_is_forgotten() {
        struct Told(AtomicBool);
        impl Wake for Told {
            fn wake(self: Arc<Told>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let keeper = Keeper::new();
        let told = [(); 3].map(|()| Arc::new(Told(AtomicBool::new(false))));
        let poll = |lost: &mut Lost<'_>, told: &Arc<Told>| {
            let waker = Waker::from(told.clone());
            Pin::new(lost).poll(&mut Context::from_waker(&waker))
        };
        let mut waits = [(); 3].map(|()| keeper.lost());
        for (lost, told) in waits.iter_mut().zip(&told) {
            assert!(poll(lost, told).is_pending());
        }
        let [mut first, gone, _third] = waits;
        drop(gone);
        // By another task than before.
        assert!(poll(&mut first, &told[1]).is_pending());
        assert_eq!(keeper.life.lock().wakers.len(), 2);
        keeper.lose();
        assert_eq!(told.each_ref().map(|told| told.0.load(Ordering::Relaxed)), [false, true, true]);
        assert!(poll(&mut first, &told[1]).is_ready());
    }

    #[test]
    fn a_holders_time_counts_from_when_it_asked() {
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        let keeper = Keeper::new();
        keeper.begin(at(10));
        assert!(!keeper.is_over(at(1000)), "there is nothing that could be over");
        keeper.granted(Granted { id: 7, ttl: Duration::from_secs(20) }, at(11));
        assert!(!keeper.is_over(at(28)) && keeper.is_over(at(29)));
        keeper.renewed(at(15));
        assert!(!keeper.is_over(at(33)) && keeper.is_over(at(34)));
    }

    #[test]
    fn a_lease_whose_grant_is_answered_too_late_is_lost_at_once() {
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        for (answered, is_lost) in [(28, false), (29, true)] {
            let keeper = Keeper::new();
            keeper.begin(at(10));
            keeper.granted(Granted { id: 7, ttl: Duration::from_secs(20) }, at(answered));
            assert_eq!(keeper.life.lock().is_lost, is_lost, "answered at {answered} s");
        }
    }
}
