//! What waits to be written to one peer: bounded, the oldest goes first.
//!
//! But for the entries that a leader sends: of those the newest goes. A follower can use them only from the first that
//! it lacks, so a queue that had lost its oldest would carry the rest in vain, and a follower that is further behind
//! than the queue is long would never catch up.

use std::collections::VecDeque;
use std::time::Instant;

use kvorum_core::planted;
use kvorum_core::transport::{Body, Envelope};
use parking_lot::{Condvar, Mutex};

/// A bounded queue between whoever sends and the peer's writer. Sending never waits.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    max_bytes: usize,
    max_frames: usize,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<(Envelope, usize)>,
    bytes: usize,
    closed: bool,
    /// The connection that is in use, and whether it is known to be lost.
    connection: u64,
    lost: bool,
    /// The peer was heard from, so it is there: no reason to rest before it is dialed again.
    heard: bool,
}

/// What a writer's waiting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// There is something to write.
    Ready,
    /// The time came.
    Due,
    /// The connection is lost.
    Lost,
    /// Everything is to end.
    Closed,
}

impl Queue {
    pub(crate) fn new(max_bytes: usize, max_frames: usize) -> Queue {
        Queue { inner: Mutex::default(), changed: Condvar::new(), max_bytes, max_frames }
    }

    /// Appends a message of `size` bytes encoded. Answers how many were dropped: older ones for its sake, or itself.
    pub(crate) fn push(&self, envelope: Envelope, size: usize) -> usize {
        let mut dropped = Vec::new();
        let mut inner = self.inner.lock();
        let is_late = has_entries(&envelope) && inner.bytes + size > self.room_for_entries();
        if inner.closed || is_late && !inner.waiting.is_empty() {
            return 1;
        }
        while !inner.waiting.is_empty()
            && (inner.bytes + size > self.max_bytes || inner.waiting.len() >= self.max_frames)
        {
            dropped.extend(inner.pop());
        }
        inner.waiting.push_back((envelope, size));
        inner.bytes += size;
        drop(inner);
        self.changed.notify_one();
        // Freed here, outside the lock.
        dropped.len()
    }

    /// An eighth is left to what else is said, which must not push out the entries that wait.
    fn room_for_entries(&self) -> usize {
        if planted!("newest_entries_kept") { usize::MAX / 2 } else { self.max_bytes - self.max_bytes / 8 }
    }

    /// Waits for something to write, the loss of the connection, or the deadline.
    pub(crate) fn wait(&self, deadline: Instant) -> Wake {
        let mut inner = self.inner.lock();
        loop {
            if inner.closed {
                return Wake::Closed;
            }
            if inner.lost {
                return Wake::Lost;
            }
            if !inner.waiting.is_empty() {
                return Wake::Ready;
            }
            if self.changed.wait_until(&mut inner, deadline).timed_out() {
                return Wake::Due;
            }
        }
    }

    /// Waits for the deadline, a sign of life of the peer's or the end, whatever is sent meanwhile. True: go on.
    pub(crate) fn rest(&self, deadline: Instant) -> bool {
        let mut inner = self.inner.lock();
        while !inner.closed {
            if std::mem::take(&mut inner.heard) {
                return true;
            }
            if self.changed.wait_until(&mut inner, deadline).timed_out() {
                return !inner.closed;
            }
        }
        false
    }

    /// Moves the oldest messages to `batch`, until they have `bytes` bytes or there are no more.
    pub(crate) fn take(&self, batch: &mut Vec<Envelope>, bytes: usize) {
        let mut inner = self.inner.lock();
        let mut taken = 0;
        while taken < bytes
            && let Some((envelope, size)) = inner.pop()
        {
            taken += size;
            batch.push(envelope);
        }
    }

    /// A new connection is in use: its number.
    pub(crate) fn connected(&self) -> u64 {
        let mut inner = self.inner.lock();
        inner.connection += 1;
        inner.lost = false;
        inner.heard = false;
        inner.connection
    }

    /// That connection is lost, unless a newer one is in use.
    pub(crate) fn lost(&self, connection: u64) {
        let mut inner = self.inner.lock();
        if inner.connection == connection {
            inner.lost = true;
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// The peer has come by itself: it is worth dialing now.
    pub(crate) fn heard(&self) {
        self.inner.lock().heard = true;
        self.changed.notify_all();
    }

    /// Nothing more goes in or out.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            inner.bytes = 0;
            std::mem::take(&mut inner.waiting)
        };
        self.changed.notify_all();
        drop(waiting);
    }

    /// Messages that wait, and their bytes.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.waiting.len(), inner.bytes)
    }
}

fn has_entries(envelope: &Envelope) -> bool {
    matches!(&envelope.body, Some(Body::Raft(raft)) if !raft.entries.is_empty())
}

impl Inner {
    fn pop(&mut self) -> Option<(Envelope, usize)> {
        let (envelope, size) = self.waiting.pop_front()?;
        self.bytes -= size;
        Some((envelope, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvorum_core::transport::{RaftMessage, WireEntry};

    fn message(to: u64) -> Envelope {
        Envelope { to, ..Envelope::default() }
    }

    fn all(queue: &Queue) -> Vec<u64> {
        let mut batch = Vec::new();
        queue.take(&mut batch, usize::MAX);
        batch.iter().map(|e| e.to).collect()
    }

    #[test]
    fn the_oldest_is_dropped_when_there_are_too_many() {
        let queue = Queue::new(1000, 3);
        let dropped: usize = (1..=5).map(|n| queue.push(message(n), 1)).sum();
        assert_eq!((dropped, all(&queue)), (2, vec![3, 4, 5]));
    }

    #[test]
    fn the_oldest_are_dropped_when_they_are_too_large() {
        let queue = Queue::new(100, 1000);
        assert_eq!((1..=10).map(|n| queue.push(message(n), 10)).sum::<usize>(), 0);
        assert_eq!(queue.push(message(11), 25), 3);
        assert_eq!(queue.depth(), (8, 95));
        assert_eq!(all(&queue), [4, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn one_that_is_larger_than_the_bound_waits_alone() {
        let queue = Queue::new(100, 1000);
        queue.push(message(1), 10);
        assert_eq!(queue.push(message(2), 500), 1);
        assert_eq!(queue.push(message(3), 10), 1);
        assert_eq!(all(&queue), [3]);
    }

    #[test]
    fn of_a_leaders_entries_the_newest_goes_and_small_talk_pushes_none_out() {
        let append = |to| {
            let entries = vec![WireEntry::default()];
            let raft = RaftMessage { entries, ..RaftMessage::default() };
            Envelope { to, body: Some(raft.into()), ..Envelope::default() }
        };
        let queue = Queue::new(80, 1000);
        let dropped: Vec<_> = (1..=9).map(|n| queue.push(append(n), 10)).collect();
        assert_eq!(dropped, [0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(queue.push(message(20), 10), 0);
        assert_eq!(all(&queue), [1, 2, 3, 4, 5, 6, 7, 20]);
        assert_eq!(queue.push(append(21), 500), 0, "alone, it may be as large as it likes");
        assert_eq!(all(&queue), [21]);
    }

    #[test]
    fn a_batch_ends_at_its_size() {
        let queue = Queue::new(1000, 1000);
        (1..=5).for_each(|n| _ = queue.push(message(n), 10));
        let mut batch = Vec::new();
        queue.take(&mut batch, 25);
        assert_eq!(batch.len(), 3);
        assert_eq!(queue.depth(), (2, 20));
    }

    #[test]
    fn the_loss_of_an_older_connection_is_not_that_of_the_newer() {
        let queue = Queue::new(1000, 1000);
        let old = queue.connected();
        let new = queue.connected();
        queue.lost(old);
        assert_eq!(queue.wait(Instant::now()), Wake::Due);
        queue.lost(new);
        assert_eq!(queue.wait(Instant::now()), Wake::Lost);
        queue.close();
        assert_eq!(queue.wait(Instant::now()), Wake::Closed);
    }

    #[test]
    fn a_peer_that_came_back_is_not_kept_waiting_by_the_back_off() {
        let queue = Queue::new(1, 1);
        queue.heard();
        let far = Instant::now() + std::time::Duration::from_secs(3600);
        assert!(queue.rest(far), "it must return, and long before that");
    }
}
