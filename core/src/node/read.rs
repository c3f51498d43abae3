//! Reads that see everything acknowledged before them.
//!
//! All that wait share a round: one question to the leader, which asks a quorum whether it still leads. A
//! round is asked for again when nothing comes back (raft drops the question silently while there is no
//! leader, or the leader has committed nothing in its term), and every time under a *new* context: an old
//! one that is answered late speaks of a time before the newest readers came.

use std::collections::VecDeque;
use std::time::Duration;

use super::Node;
use super::io::{Reply, Token};
use crate::command::Origin;
use crate::ids::{Incarnation, Index, LeaseId, NodeId};
use crate::time::Time;

/// Node, incarnation and counter: no two rounds of anybody's ever share it.
pub(super) const CONTEXT_LEN: usize = 24;

/// How many rounds may be under way, so that a newcomer need not wait for the end of a slow one.
const ROUNDS: usize = 2;

/// Who waits for proof that the state is current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A client of this node's wants to read.
    Client(Token),
    /// Somebody asks about a lease, here, on the leader.
    Lease(LeaseQuestion),
}

/// A lease is asked about, or is to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeaseQuestion {
    pub(super) who: LeaseAsker,
    pub(super) id: LeaseId,
    pub(super) renew: bool,
    /// When it reached the leader: its time starts anew from here, and not from the later moment at which
    /// leadership was proven, when another leader may have begun to count already.
    pub(super) asked: Time,
    /// Until then it may wait, wherever it is passed on to.
    pub(super) deadline: Time,
}

/// Who asked about a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseAsker {
    /// A client of this node's.
    Client(Token),
    /// A client of another node's.
    Peer(Origin),
}

#[derive(Clone, Copy)]
struct Waiting {
    reader: Reader,
    deadline: Time,
}

struct Round {
    counter: u64,
    asked: Time,
    readers: Vec<Waiting>,
}

pub(super) struct Reads {
    node: NodeId,
    incarnation: Incarnation,
    counter: u64,
    /// How many rounds were asked for again.
    asked_again: u64,
    queued: Vec<Waiting>,
    rounds: VecDeque<Round>,
    /// Proven current at this index, not applied so far yet.
    proven: Vec<(Index, Vec<Waiting>)>,
    timeout: Duration,
    retry: Duration,
}

impl Reads {
    pub(super) fn new(node: NodeId, incarnation: Incarnation, timeout: Duration, retry: Duration) -> Reads {
        Reads {
            node,
            incarnation,
            counter: 0,
            asked_again: 0,
            queued: Vec::new(),
            rounds: VecDeque::new(),
            proven: Vec::new(),
            timeout,
            retry,
        }
    }

    pub(super) fn push(&mut self, now: Time, reader: Reader) {
        let deadline = match reader {
            Reader::Lease(question) => question.deadline,
            Reader::Client(_) => now + self.timeout,
        };
        self.queued.push(Waiting { reader, deadline });
    }

    pub(super) fn len(&self) -> usize {
        let asked: usize = self.rounds.iter().map(|round| round.readers.len()).sum();
        let proven: usize = self.proven.iter().map(|(_, readers)| readers.len()).sum();
        self.queued.len() + asked + proven
    }

    pub(super) fn asked_again(&self) -> u64 {
        self.asked_again
    }

    /// The context of a round to ask for now, if one is due.
    pub(super) fn ask(&mut self, now: Time) -> Option<Vec<u8>> {
        if self.queued.is_empty() || self.rounds.len() >= ROUNDS {
            return None;
        }
        if !planted!("reuse_read_context") || self.counter == 0 {
            self.counter += 1;
        }
        let readers = std::mem::take(&mut self.queued);
        self.rounds.push_back(Round { counter: self.counter, asked: now, readers });
        Some(self.context(self.counter))
    }

    fn context(&self, counter: u64) -> Vec<u8> {
        [self.node, self.incarnation, counter].iter().flat_map(|part| part.to_be_bytes()).collect()
    }

    /// A round was answered: its readers may read once `index` is applied.
    pub(super) fn proven(&mut self, context: &[u8], index: Index) {
        let counter = self.rounds.iter().map(|round| round.counter).find(|&c| self.context(c) == context);
        let Some(counter) = counter else { return };
        let at = self.rounds.iter().position(|round| round.counter == counter).unwrap_or(0);
        if let Some(round) = self.rounds.remove(at) {
            self.proven.push((index, round.readers));
        }
    }

    /// Those who may read, now that `applied` is applied.
    pub(super) fn ready(&mut self, applied: Index) -> Vec<Reader> {
        let mut ready = Vec::new();
        self.proven.retain_mut(|(index, readers)| {
            let is_ready = *index <= applied || planted!("read_before_applied");
            if is_ready {
                ready.extend(readers.drain(..).map(|waiting| waiting.reader));
            }
            !is_ready
        });
        ready
    }

    /// Rounds that nobody answered are asked for again, under new contexts.
    pub(super) fn retry_overdue(&mut self, now: Time) {
        let retry = self.retry;
        self.requeue(|round| now.since(round.asked) >= retry && !planted!("lost_read_not_asked_again"));
    }

    /// Leader, role or term changed: whatever was asked may never be answered.
    pub(super) fn retry_all(&mut self) {
        self.requeue(|_| true);
    }

    fn requeue(&mut self, again: impl Fn(&Round) -> bool) {
        let queued = &mut self.queued;
        self.rounds.retain_mut(|round| {
            let again = again(round);
            if again && !planted!("forget_readers") {
                self.asked_again += 1;
                queued.append(&mut round.readers);
            }
            !again
        });
    }

    /// Ends the wait of all whose time is over.
    pub(super) fn expired(&mut self, now: Time) -> Vec<Reader> {
        self.take_where(|waiting| waiting.deadline <= now)
    }

    /// Ends the wait of all.
    pub(super) fn take_all(&mut self) -> Vec<Reader> {
        self.take_where(|_| true)
    }

    /// Lease questions can be answered only while this node leads: takes them out.
    pub(super) fn take_leases(&mut self) -> Vec<Reader> {
        self.take_where(|waiting| matches!(waiting.reader, Reader::Lease(_)))
    }

    fn take_where(&mut self, is_taken: impl Fn(&Waiting) -> bool) -> Vec<Reader> {
        let mut taken = Vec::new();
        let lists = std::iter::once(&mut self.queued)
            .chain(self.rounds.iter_mut().map(|round| &mut round.readers))
            .chain(self.proven.iter_mut().map(|(_, readers)| readers));
        for list in lists {
            list.retain(|waiting| {
                let is_taken = is_taken(waiting);
                if is_taken {
                    taken.push(waiting.reader);
                }
                !is_taken
            });
        }
        taken
    }
}

impl Node {
    /// Asks for a round for all that wait, if one is due.
    pub(super) fn flush_reads(&mut self) {
        if let Some(context) = self.reads.ask(self.now) {
            let raft = &self.raft.raft;
            let is_too_early = self.is_leader() && !raft.commit_to_current_term();
            if planted!("read_before_first_commit") && is_too_early {
                return self.reads.proven(&context, raft.raft_log.committed);
            }
            self.raft.read_index(context);
            self.after_step();
        }
    }

    /// Answers those whose round was answered, once what it named is applied.
    pub(super) fn answer_readers(&mut self) {
        self.hand_out_answers();
        for reader in self.reads.ready(self.applied.position().index) {
            match reader {
                Reader::Client(token) => self.reply(token, Ok(Reply::Readable)),
                Reader::Lease(question) => self.answer_lease(question),
            }
        }
    }

    /// Clients of this node's that waited in vain for a read, or for a lease's answer.
    pub(super) fn expired_readers(&mut self) -> Vec<Token> {
        let mut tokens = self.expired_asks();
        for reader in self.reads.expired(self.now) {
            match reader {
                Reader::Client(token) => tokens.push(token),
                Reader::Lease(question) => tokens.extend(question.who.client()),
            }
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads() -> Reads {
        Reads::new(1, 1, Duration::from_secs(5), Duration::from_millis(500))
    }

    #[test]
    fn defence_3_a_retry_has_a_new_context_and_the_old_one_counts_for_nothing() {
        let mut reads = reads();
        reads.push(Time::ZERO, Reader::Client(1));
        let old = reads.ask(Time::ZERO).unwrap();
        let later = Time::ZERO + Duration::from_millis(500);
        reads.retry_overdue(later);
        let new = reads.ask(later).unwrap();
        assert_ne!(old, new);
        reads.proven(&old, 1);
        assert_eq!(reads.ready(10), []);
        reads.proven(&new, 7);
        assert_eq!(reads.ready(6), []);
        assert_eq!(reads.ready(7), [Reader::Client(1)]);
    }

    #[test]
    fn defence_4_no_two_nodes_and_no_two_starts_share_a_context() {
        let first = |node, incarnation| {
            let mut reads = Reads::new(node, incarnation, Duration::MAX, Duration::MAX);
            reads.push(Time::ZERO, Reader::Client(1));
            reads.ask(Time::ZERO).unwrap()
        };
        let contexts = [first(1, 1), first(1, 2), first(2, 1)];
        assert!(contexts.iter().all(|c| c.len() == CONTEXT_LEN));
        assert!(contexts[0] != contexts[1] && contexts[1] != contexts[2] && contexts[0] != contexts[2]);
    }

    #[test]
    fn all_who_wait_share_a_round() {
        let mut reads = reads();
        (1..=1000).for_each(|token| reads.push(Time::ZERO, Reader::Client(token)));
        let context = reads.ask(Time::ZERO).unwrap();
        assert!(reads.ask(Time::ZERO).is_none());
        reads.proven(&context, 0);
        assert_eq!(reads.ready(0).len(), 1000);
    }
}
