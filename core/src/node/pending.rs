//! Who waits for which answer.
//!
//! A write is sent to the leader of one term, and the leader proposes it in that term or never. So when
//! this node applies an entry of a later term, every write sent in an earlier one has either been applied
//! before or never will be: it can be sent again without being done twice. Only a node that skipped part of
//! the log (it was given an image) cannot tell, and a client whose time ran out does not want to know.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::io::Token;
use crate::ids::Term;
use crate::time::Time;

pub(super) struct Waiting {
    pub(super) token: Token,
    pub(super) command: Bytes,
    pub(super) has_session: bool,
    /// The term in which it was sent; `None`: it was not, or is known not to have been applied.
    sent: Option<Term>,
    /// It was sent before, and what became of that is not known here: its session will tell.
    pub(super) may_have_happened: bool,
    sent_at: Time,
    deadline: Time,
}

impl Waiting {
    /// Whether it may have been applied, or may still be.
    pub(super) fn may_happen(&self) -> bool {
        (self.sent.is_some() && !planted!("call_timeout_refusal")) || self.may_have_happened
    }
}

/// The writes of this node's clients, numbered in the order in which they came.
pub(super) struct Pending {
    first: u64,
    slots: VecDeque<Option<Waiting>>,
    live: usize,
    unsent: VecDeque<u64>,
    timeout: Duration,
}

impl Pending {
    pub(super) fn new(timeout: Duration) -> Pending {
        Pending { first: 1, slots: VecDeque::new(), live: 0, unsent: VecDeque::new(), timeout }
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// The lowest number that somebody may wait for.
    pub(super) fn lowest(&self) -> u64 {
        self.first
    }

    /// The number that the next write will have.
    pub(super) fn next_request(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    pub(super) fn push(&mut self, now: Time, token: Token, command: Bytes, has_session: bool) {
        self.unsent.push_back(self.next_request());
        let deadline = now + self.timeout;
        self.slots.push_back(Some(Waiting {
            token,
            command,
            has_session,
            sent: None,
            may_have_happened: false,
            sent_at: now,
            deadline,
        }));
        self.live += 1;
    }

    fn get_mut(&mut self, request: u64) -> Option<&mut Waiting> {
        let at = usize::try_from(request.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(at)?.as_mut()
    }

    /// Ends the wait of one.
    pub(super) fn take(&mut self, request: u64) -> Option<Waiting> {
        let at = usize::try_from(request.checked_sub(self.first)?).ok()?;
        let taken = self.slots.get_mut(at)?.take();
        self.live -= usize::from(taken.is_some());
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        taken
    }

    /// Ends the wait of one that the leader of `term` did not propose. One that was sent to a later leader
    /// meanwhile is not meant: the refusal was late.
    pub(super) fn refuse(&mut self, request: u64, term: Term) -> Option<Waiting> {
        let is_meant = self.get_mut(request)?.sent == Some(term) || planted!("believe_late_refusal");
        if is_meant { self.take(request) } else { None }
    }

    /// These did not reach the log of `term`'s leader: they are overdue at once. (Nothing is taken back: the
    /// word may be late, and they may be in the log by now.)
    pub(super) fn hurry(&mut self, requests: &[u64], term: Term) {
        for &request in requests {
            if let Some(waiting) = self.get_mut(request).filter(|waiting| waiting.sent == Some(term)) {
                waiting.sent_at = Time::ZERO;
            }
        }
    }

    /// The next one to send, marked as sent in `term`.
    pub(super) fn send_next(&mut self, now: Time, term: Term) -> Option<(u64, Bytes)> {
        while let Some(request) = self.unsent.pop_front() {
            if let Some(waiting) = self.get_mut(request) {
                waiting.sent = Some(term);
                waiting.sent_at = now;
                return Some((request, waiting.command.clone()));
            }
        }
        None
    }

    /// Whether this one was sent before, and its session is to tell what became of that.
    pub(super) fn is_asked_again(&mut self, request: u64) -> bool {
        self.get_mut(request).is_some_and(|waiting| waiting.has_session && waiting.may_have_happened)
    }

    /// The bytes of the next one to send.
    pub(super) fn next_size(&mut self) -> Option<usize> {
        while let Some(&request) = self.unsent.front() {
            if let Some(waiting) = self.get_mut(request) {
                return Some(waiting.command.len());
            }
            self.unsent.pop_front();
        }
        None
    }

    /// These were sent in vain, to nobody: they are sent again, first.
    pub(super) fn unsend(&mut self, requests: &[u64]) {
        for &request in requests.iter().rev() {
            if let Some(waiting) = self.get_mut(request) {
                waiting.sent = None;
                self.unsent.push_front(request);
            }
        }
    }

    /// An entry of `term` was applied: what was sent in an earlier term and is not answered never happened.
    pub(super) fn term_applied(&mut self, term: Term) {
        let first = self.first;
        let mut again = Vec::new();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let Some(waiting) = slot else { continue };
            if waiting.sent.is_some_and(|sent| sent < term) {
                waiting.sent = None;
                again.push(first + at as u64);
            }
        }
        for request in again.into_iter().rev() {
            self.unsent.push_front(request);
        }
    }

    /// Part of the log was skipped: ends the wait of all whose fate is unknown, and answers with them.
    /// Those with a session are sent again: their session tells whether they happened.
    pub(super) fn log_skipped(&mut self) -> Vec<Waiting> {
        let mut lost = Vec::new();
        let numbers = self.first..self.next_request();
        for request in numbers {
            let Some(waiting) = self.get_mut(request) else { continue };
            match (waiting.sent, waiting.has_session) {
                (Some(_), false) => lost.extend(self.take(request)),
                (Some(_), true) => {
                    waiting.sent = None;
                    waiting.may_have_happened = !planted!("forget_it_was_sent");
                    self.unsent.push_back(request);
                }
                (None, _) => {}
            }
        }
        lost
    }

    /// Ends the wait of all whose time is over.
    pub(super) fn expired(&mut self, now: Time) -> Vec<Waiting> {
        let mut expired = Vec::new();
        // All have the same time to wait, so the first ones are over first.
        while let Some(Some(waiting)) = self.slots.front() {
            if waiting.deadline > now {
                break;
            }
            expired.extend(self.take(self.first));
        }
        expired
    }

    /// What was sent in `term` so long ago that it may have been lost on the way.
    pub(super) fn overdue(&mut self, now: Time, term: Term, after: Duration) -> Vec<(u64, Bytes)> {
        let first = self.first;
        let mut overdue = Vec::new();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let Some(waiting) = slot else { continue };
            if waiting.sent == Some(term) && now.since(waiting.sent_at) >= after {
                waiting.sent_at = now;
                overdue.push((first + at as u64, waiting.command.clone()));
            }
        }
        overdue
    }

    /// Ends the wait of all.
    pub(super) fn take_all(&mut self) -> Vec<Waiting> {
        self.live = 0;
        self.unsent.clear();
        self.first = self.next_request();
        self.slots.drain(..).flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(count: u64) -> Pending {
        let mut pending = Pending::new(Duration::from_secs(1));
        for token in 1..=count {
            pending.push(Time::ZERO, token, Bytes::new(), token % 2 == 0);
        }
        pending
    }

    #[test]
    fn only_what_was_sent_in_an_earlier_term_is_sent_again() {
        let mut pending = pending(3);
        assert_eq!(pending.send_next(Time::ZERO, 5).unwrap().0, 1);
        assert_eq!(pending.send_next(Time::ZERO, 6).unwrap().0, 2);
        pending.term_applied(6);
        let order: Vec<_> = std::iter::from_fn(|| pending.send_next(Time::ZERO, 6)).map(|s| s.0).collect();
        assert_eq!(order, [1, 3]);
    }

    #[test]
    fn a_skipped_log_leaves_unknown_what_was_sent_without_a_session() {
        let mut pending = pending(3);
        pending.send_next(Time::ZERO, 5);
        pending.send_next(Time::ZERO, 5);
        let lost: Vec<_> = pending.log_skipped().iter().map(|w| (w.token, w.may_happen())).collect();
        assert_eq!(lost, [(1, true)]);
        assert_eq!(pending.len(), 2);
    }

    #[test]
    fn what_a_session_is_to_tell_is_unknown_until_it_does() {
        let mut pending = pending(2);
        pending.send_next(Time::ZERO, 5);
        pending.send_next(Time::ZERO, 5);
        pending.log_skipped();
        let late = Time::ZERO + Duration::from_secs(1);
        let expired: Vec<_> = pending.expired(late).iter().map(|w| (w.token, w.may_happen())).collect();
        assert_eq!(expired, [(2, true)], "it was sent once, so it must not be called refused");
    }

    #[test]
    fn a_late_refusal_does_not_end_what_was_sent_to_the_next_leader() {
        let mut pending = pending(1);
        pending.send_next(Time::ZERO, 5);
        pending.term_applied(6);
        pending.send_next(Time::ZERO, 6);
        assert!(pending.refuse(1, 5).is_none());
        assert!(pending.refuse(1, 6).is_some());
    }

    #[test]
    fn time_runs_out_in_order() {
        let mut pending = pending(3);
        pending.take(2);
        let late = Time::ZERO + Duration::from_secs(1);
        assert_eq!(pending.expired(late).len(), 2);
        assert_eq!((pending.len(), pending.next_request()), (0, 4));
    }
}
