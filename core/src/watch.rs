//! Watches: every change of a key or a range of keys, in order.
//!
//! A watch is a cursor into the store's history, not a queue: it costs the same whether its owner reads or
//! not, and never slows another one down. The price is that history which is compacted before a watch has
//! read it ends the watch, with the revision.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use parking_lot::Mutex;

use crate::block::{block_on, block_on_timeout};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Revision;
use crate::request::{Event, WatchRequest};
use crate::shared::Shared;
use crate::state::{WatchCursor, WatcherId};
use crate::time::Time;

/// How many events a watch hands out at once; a revision with more is still not split.
const EVENTS_AT_ONCE: usize = 1000;

/// How many bytes of events a watch hands out at once; a larger revision is still not split.
const BYTES_AT_ONCE: usize = 1 << 20;

/// How many slices of history without an event a watch looks through before others have their turn.
const SLICES_AT_ONCE: usize = 4;

/// What a watch says.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchItem {
    /// Changes, in the order of their revisions. All changes of one revision come together.
    Events(Vec<Event>),
    /// Everything up to and including this revision has been handed out.
    Progress(Revision),
}

/// Follows a key or a range of keys: a [`Stream`] for any runtime, [`Watch::next_wait`] and a blocking
/// iterator for threads.
///
/// It ends only with an error, after which [`Watch::resume_revision`] says where another one can go on.
pub struct Watch {
    shared: Arc<Shared>,
    cursor: WatchCursor,
    slot: Arc<Slot>,
    /// Everything below it has been handed out.
    resume: Revision,
    /// What it was asked to begin with; 0: whatever comes next. It has nothing to say of what lies below.
    start: Revision,
    /// Asked for by its owner, not said yet.
    is_progress_asked: bool,
    has_ended: bool,
}

/// Where the driver finds a watch's waker.
#[derive(Default)]
struct Slot {
    waker: Mutex<Option<Waker>>,
    is_progress_due: AtomicBool,
}

impl Slot {
    fn wake(&self) {
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// All watches of a node.
#[derive(Default)]
pub(crate) struct Hub {
    slots: Mutex<HashMap<WatcherId, Arc<Slot>>>,
    timers: Mutex<Timers>,
    end: Mutex<Option<ErrorKind>>,
}

#[derive(Default)]
struct Timers {
    now: Time,
    of: HashMap<WatcherId, (Duration, Time)>,
}

impl Hub {
    /// These have something to hand out.
    pub(crate) fn wake(&self, woken: &[WatcherId]) {
        let slots = self.slots.lock();
        let due: Vec<Arc<Slot>> = woken.iter().filter_map(|id| slots.get(id).cloned()).collect();
        drop(slots);
        // None has a waker left that was woken before and did not come to look.
        let is_behind =
            |slot: &Arc<Slot>| planted!("slow_watch_delays_others") && slot.waker.lock().is_none();
        due.iter().take_while(|slot| !is_behind(slot)).for_each(|slot| slot.wake());
    }

    /// Time has passed: some may have to say how far they are.
    pub(crate) fn tick(&self, now: Time) {
        let mut timers = self.timers.lock();
        timers.now = now;
        if timers.of.is_empty() {
            return;
        }
        let mut due = Vec::new();
        for (&id, (every, next)) in &mut timers.of {
            if *next <= now {
                *next = now + *every;
                due.push(id);
            }
        }
        drop(timers);
        let slots = self.slots.lock();
        let due: Vec<Arc<Slot>> = due.iter().filter_map(|id| slots.get(id).cloned()).collect();
        drop(slots);
        for slot in due {
            slot.is_progress_due.store(true, Ordering::Relaxed);
            slot.wake();
        }
    }

    /// The node has ended: so do its watches, once they have handed out what there is.
    pub(crate) fn end(&self, kind: ErrorKind) {
        self.end.lock().get_or_insert(kind);
        let slots: Vec<Arc<Slot>> = self.slots.lock().values().cloned().collect();
        slots.iter().for_each(|slot| slot.wake());
    }

    fn add(&self, id: WatcherId, slot: Arc<Slot>, every: Option<Duration>) {
        self.slots.lock().insert(id, slot);
        if let Some(every) = every {
            let mut timers = self.timers.lock();
            let first = timers.now + every;
            timers.of.insert(id, (every, first));
        }
    }

    fn remove(&self, id: WatcherId) {
        self.slots.lock().remove(&id);
        self.timers.lock().of.remove(&id);
    }
}

impl Watch {
    pub(crate) fn open(shared: Arc<Shared>, request: &WatchRequest) -> Result<Watch> {
        let (cursor, newest) = {
            let mut state = shared.state.write();
            (state.open_watch(request)?, state.revision())
        };
        let slot = Arc::new(Slot::default());
        shared.hub.add(cursor.id(), slot.clone(), request.progress_interval);
        let resume = if request.start_revision > 0 { request.start_revision } else { newest + 1 };
        let start = request.start_revision;
        Ok(Watch { shared, cursor, slot, resume, start, is_progress_asked: false, has_ended: false })
    }

    /// The first revision that has not been handed out: where another watch would have to start to miss
    /// nothing and see nothing twice.
    pub fn resume_revision(&self) -> Revision {
        self.resume
    }

    /// The newest revision, if each of these watches of one node has handed out everything that it has to say of it
    /// and of all before it: progress of several watches at once, as one answer.
    pub(crate) fn caught_up<'a>(
        shared: &Shared,
        mut watches: impl Iterator<Item = &'a Watch>,
    ) -> Option<Revision> {
        let state = shared.state.read();
        let is_behind = |watch: &Watch| state.is_watch_due(watch.cursor.id());
        let is_any_behind = watches.any(is_behind) && !planted!("progress_overtakes_events");
        (!is_any_behind).then(|| state.revision())
    }

    /// Asks how far the watch is: as soon as everything there is has been handed out, it says
    /// [`WatchItem::Progress`] once. One that begins in the future says nothing before.
    pub fn request_progress(&mut self) {
        self.is_progress_asked = true;
    }

    /// The next item, for an asynchronous task. `None` after an error.
    pub async fn next(&mut self) -> Option<Result<WatchItem>> {
        poll_fn(|context| self.poll_item(context)).await
    }

    /// The next item, for a thread, which waits for it. `None` after an error.
    pub fn next_wait(&mut self) -> Option<Result<WatchItem>> {
        block_on(self.next())
    }

    /// The next item, for a thread, which waits for it, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if nothing came; the watch goes on. Whatever ended the watch otherwise; after
    /// that, `Ok(None)`.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<WatchItem>> {
        match block_on_timeout(self.next(), timeout) {
            None => Err(ErrorKind::Timeout.into()),
            Some(item) => item.transpose(),
        }
    }

    /// The items as a blocking iterator.
    pub fn iter(&mut self) -> Iter<'_> {
        Iter(self)
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<WatchItem>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        // First leave word where to be woken, then look: what comes in between is seen or wakes.
        *self.slot.waker.lock() = Some(context.waker().clone());
        match self.pull() {
            Ok(Poll::Ready(Some(item))) => Poll::Ready(Some(Ok(item))),
            Ok(Poll::Ready(None)) => {
                let end = self.shared.hub.end.lock().clone();
                end.map_or(Poll::Pending, |kind| self.end(kind.into()))
            }
            Ok(Poll::Pending) => {
                // To be asked again, but after whoever else is polled on this thread.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Err(error) => self.end(error),
        }
    }

    fn end(&mut self, error: Error) -> Poll<Option<Result<WatchItem>>> {
        self.has_ended = true;
        Poll::Ready((!planted!("watch_ends_silently")).then_some(Err(error)))
    }

    /// What there is to hand out, if anything; pending: there was nothing in the history looked through so far.
    fn pull(&mut self) -> Result<Poll<Option<WatchItem>>> {
        if planted!("progress_overtakes_events") && std::mem::take(&mut self.is_progress_asked) {
            let newest = self.shared.state.read().revision();
            return Ok(Poll::Ready(Some(WatchItem::Progress(newest))));
        }
        let mut slices = 0;
        let pulled = loop {
            let pulled = self.shared.state.read().pull(&mut self.cursor, EVENTS_AT_ONCE, BYTES_AT_ONCE)?;
            self.resume = self.resume.max(pulled.through + 1);
            if !(pulled.events.is_empty() && pulled.more) {
                break pulled;
            }
            slices += 1;
            if slices == SLICES_AT_ONCE && !planted!("watch_without_a_pause") {
                return Ok(Poll::Pending);
            }
        };
        if !pulled.events.is_empty() {
            self.slot.is_progress_due.store(false, Ordering::Relaxed);
            return Ok(Poll::Ready(Some(WatchItem::Events(pulled.events))));
        }
        let is_due = self.slot.is_progress_due.swap(false, Ordering::Relaxed);
        if !(is_due || self.is_progress_asked) || pulled.through < self.start {
            return Ok(Poll::Ready(None));
        }
        self.is_progress_asked = false;
        Ok(Poll::Ready(Some(WatchItem::Progress(pulled.through))))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.hub.remove(self.cursor.id());
        self.shared.state.write().close_watch(self.cursor.id());
    }
}

impl Stream for Watch {
    type Item = Result<WatchItem>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(context)
    }
}

impl Unpin for Watch {}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("resume", &self.resume).finish_non_exhaustive()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hub")
    }
}

/// A watch's items, for a thread. See [`Watch::iter`].
#[derive(Debug)]
pub struct Iter<'a>(&'a mut Watch);

impl Iterator for Iter<'_> {
    type Item = Result<WatchItem>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_wait()
    }
}

/// A watch as a blocking iterator. See [`Watch::iter`].
#[derive(Debug)]
pub struct IntoIter(Watch);

impl Iterator for IntoIter {
    type Item = Result<WatchItem>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_wait()
    }
}

impl IntoIterator for Watch {
    type Item = Result<WatchItem>;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(self)
    }
}

impl<'a> IntoIterator for &'a mut Watch {
    type Item = Result<WatchItem>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
