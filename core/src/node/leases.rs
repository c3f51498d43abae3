//! Questions about leases. Only the leader can answer them, and only with proof that it still leads; so they
//! wait for a round of reads, or go to the leader first.

use std::collections::BTreeMap;
use std::time::Duration;

use super::expiry::LeaseClock;
use super::read::{LeaseAsker, LeaseQuestion, Reader};
use super::{Node, Reply, Token};
use crate::command::{LeaseCheckpoint, LeaseExpire, Op};
use crate::ids::{Index, LeaseId, NodeId};
use crate::time::Time;
use crate::transport::{Body, LeaseAnswer, LeaseAsk};

/// A client of this node's, whose question went to the leader.
struct Asked {
    token: Token,
    id: LeaseId,
    renew: bool,
    sent: Option<Time>,
    deadline: Time,
}

/// Answered by the leader, but this node has not applied yet what the leader had.
struct Answered {
    index: Index,
    token: Token,
    reply: Reply,
    deadline: Time,
}

#[derive(Default)]
pub(super) struct Leases {
    pub(super) clock: LeaseClock,
    is_leading: bool,
    asked: BTreeMap<u64, Asked>,
    answered: Vec<Answered>,
    next_ask: u64,
    /// Renewals whose lease's end is proposed: they wait for what becomes of it.
    at_the_end: Vec<LeaseQuestion>,
    /// Entries under way that take the note of a lease back, by their number, and the renewals that wait for each.
    taking_back: BTreeMap<u64, (LeaseId, Vec<LeaseQuestion>)>,
}

impl LeaseAsker {
    pub(super) fn client(self) -> Option<Token> {
        match self {
            LeaseAsker::Client(token) => Some(token),
            LeaseAsker::Peer(_) => None,
        }
    }
}

impl Leases {
    pub(super) fn waiting(&self) -> usize {
        self.asked.len() + self.answered.len() + self.at_the_end.len() + self.taking_back.len()
    }

    pub(super) fn is_leading(&self) -> bool {
        self.is_leading
    }

    fn take_questions(&mut self) -> Vec<LeaseQuestion> {
        let taking_back =
            std::mem::take(&mut self.taking_back).into_values().flat_map(|(_, questions)| questions);
        std::mem::take(&mut self.at_the_end).into_iter().chain(taking_back).collect()
    }

    pub(super) fn take_clients(&mut self) -> Vec<Token> {
        let questions = self.take_questions();
        let asked = std::mem::take(&mut self.asked).into_values().map(|asked| asked.token);
        let answered = std::mem::take(&mut self.answered).into_iter().map(|answered| answered.token);
        let clients = questions.into_iter().filter_map(|question| question.who.client());
        clients.chain(asked).chain(answered).collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Node {
    pub(super) fn ask_lease(&mut self, token: Token, id: LeaseId, renew: bool) {
        self.ask_lease_until(self.now + self.config.request_timeout, token, id, renew);
    }

    fn ask_lease_until(&mut self, deadline: Time, token: Token, id: LeaseId, renew: bool) {
        if self.is_leader() {
            let who = LeaseAsker::Client(token);
            let question = LeaseQuestion { who, id, renew, asked: self.now, deadline };
            if planted!("renew_without_proof") {
                return self.answer_lease(question);
            }
            return self.reads.push(self.now, Reader::Lease(question));
        }
        self.leases.next_ask += 1;
        let asked = Asked { token, id, renew, sent: None, deadline };
        self.leases.asked.insert(self.leases.next_ask, asked);
        self.ask_overdue();
    }

    /// Sends to the leader what it has not answered for a while; takes up itself what it became the leader
    /// for; ends the wait of those whose time is over.
    pub(super) fn ask_overdue(&mut self) {
        let (leader, is_leader) = (self.raft.raft.leader_id, self.is_leader());
        let patience = self.config.election_timeout / 2;
        let mut asks = Vec::new();
        let mut mine = Vec::new();
        for (&request, asked) in &mut self.leases.asked {
            let is_due = asked.sent.is_none_or(|sent| self.now.since(sent) >= patience);
            if is_leader {
                mine.push(request);
            } else if leader != 0 && is_due {
                asked.sent = Some(self.now);
                asks.push((request, asked.id, asked.renew));
            }
        }
        for (request, id, renew) in asks {
            let origin = Some(self.origin(request));
            self.send(leader, Body::LeaseAsk(LeaseAsk { origin, id, renew }));
        }
        for request in mine {
            if let Some(asked) = self.leases.asked.remove(&request) {
                self.ask_lease_until(asked.deadline, asked.token, asked.id, asked.renew);
            }
        }
    }

    /// A client of another node's asks.
    pub(super) fn on_lease_ask(&mut self, from: NodeId, ask: LeaseAsk) {
        let Some(origin) = ask.origin.filter(|origin| origin.node == from) else {
            self.dropped += 1;
            return;
        };
        let (asked, deadline) = (self.now, self.now + self.config.request_timeout);
        let who = LeaseAsker::Peer(origin);
        let question = LeaseQuestion { who, id: ask.id, renew: ask.renew, asked, deadline };
        if self.is_leader() {
            self.reads.push(self.now, Reader::Lease(question));
        } else {
            self.pass_on(question);
        }
    }

    pub(super) fn on_lease_answer(&mut self, answer: LeaseAnswer) {
        let origin = answer.origin.filter(|origin| *origin == self.origin(origin.request));
        let Some(origin) = origin else { return };
        if answer.not_leader {
            if let Some(asked) = self.leases.asked.get_mut(&origin.request) {
                asked.sent = None;
            }
            return;
        }
        if let Some(asked) = self.leases.asked.remove(&origin.request) {
            let reply = Reply::Lease { remaining_millis: u64::try_from(answer.remaining_millis).ok() };
            let Asked { token, deadline, .. } = asked;
            self.leases.answered.push(Answered { index: answer.applied, token, reply, deadline });
        }
    }

    /// Hands out the leader's answers to those whose node has caught up with them.
    pub(super) fn hand_out_answers(&mut self) {
        let applied = self.applied.position().index;
        for answered in std::mem::take(&mut self.leases.answered) {
            if answered.index <= applied {
                self.reply(answered.token, Ok(answered.reply));
            } else {
                self.leases.answered.push(answered);
            }
        }
    }

    /// Leadership is proven as of `question.asked`, and the state is current.
    pub(super) fn answer_lease(&mut self, question: LeaseQuestion) {
        let id = question.id;
        if !self.leases.is_leading {
            return self.pass_on(question);
        }
        if !question.renew {
            let remaining = self.leases.clock.remaining(self.now, id).map(millis);
            return self.tell_lease(question.who, remaining);
        }
        if self.leases.clock.is_ending(id) && !planted!("renew_while_ending") {
            return self.leases.at_the_end.push(question);
        }
        if self.leases.clock.is_noted(id) && !planted!("renew_leaves_note") {
            return self.take_note_back(question);
        }
        let ttl = self.leases.clock.renew(question.asked, id).map(millis);
        self.tell_lease(question.who, ttl);
    }

    /// Less than the whole stands in the log: the next leader would end the lease by that. So the log must
    /// say otherwise before the renewal is acknowledged.
    fn take_note_back(&mut self, question: LeaseQuestion) {
        let under_way = self.leases.clock.takes_back(question.id);
        let under_way = under_way.filter(|_| !planted!("note_taken_back_for_each"));
        if let Some((_, waiting)) = under_way.and_then(|request| self.leases.taking_back.get_mut(&request)) {
            return waiting.push(question);
        }
        let Some(whole) = self.leases.clock.whole(question.id) else { return self.pass_on(question) };
        let term = self.raft.raft.term;
        let note = Op::LeaseCheckpoint(LeaseCheckpoint { term, leases: vec![whole] });
        match self.propose_own(note) {
            Some(request) => {
                self.leases.clock.taking_note_back(question.id, request);
                self.leases.taking_back.insert(request, (question.id, vec![question]));
            }
            None => self.pass_on(question),
        }
    }

    /// Something that this node proposed of its own accord has been applied.
    pub(super) fn own_applied(&mut self, request: u64) {
        let Some((id, questions)) = self.leases.taking_back.remove(&request) else { return };
        self.leases.clock.note_taken_back(id, request);
        for question in questions {
            if !self.leases.is_leading {
                self.pass_on(question);
            } else if self.leases.clock.is_ending(id) && !planted!("renewed_behind_its_end") {
                // Its time was over meanwhile.
                self.leases.at_the_end.push(question);
            } else {
                let ttl = self.leases.clock.renew(question.asked, id).map(millis);
                self.tell_lease(question.who, ttl);
            }
        }
    }

    /// Renewals that waited for their lease's end, which has come, or has not.
    pub(super) fn settle_leases(&mut self) {
        for question in std::mem::take(&mut self.leases.at_the_end) {
            self.answer_lease(question);
        }
    }

    fn tell_lease(&mut self, who: LeaseAsker, remaining_millis: Option<u64>) {
        match who {
            LeaseAsker::Client(token) => self.reply(token, Ok(Reply::Lease { remaining_millis })),
            LeaseAsker::Peer(origin) => {
                let remaining = remaining_millis.map_or(-1, |left| i64::try_from(left).unwrap_or(i64::MAX));
                let answer = LeaseAnswer {
                    origin: Some(origin),
                    remaining_millis: remaining,
                    applied: self.applied.position().index,
                    not_leader: false,
                };
                self.send(origin.node, Body::LeaseAnswer(answer));
            }
        }
    }

    /// This node does not lead (any more): its own clients' questions go to who does, the others' go back.
    fn pass_on(&mut self, question: LeaseQuestion) {
        match question.who {
            LeaseAsker::Client(token) if !self.is_leader() => {
                if planted!("question_passed_on_waits_anew") {
                    return self.ask_lease(token, question.id, question.renew);
                }
                self.ask_lease_until(question.deadline, token, question.id, question.renew)
            }
            // It leads, but has not begun to: the question waits for the next round.
            LeaseAsker::Client(_) => self.reads.push(self.now, Reader::Lease(question)),
            LeaseAsker::Peer(origin) => {
                let answer = LeaseAnswer { origin: Some(origin), not_leader: true, ..LeaseAnswer::default() };
                self.send(origin.node, Body::LeaseAnswer(answer));
            }
        }
    }

    /// The first entry of this leader's term is applied: it counts from now on.
    pub(super) fn start_counting(&mut self) {
        let state = self.state.clone();
        self.leases.clock.start(self.now, state.read().leases());
        self.leases.is_leading = true;
    }

    pub(super) fn stop_counting(&mut self) {
        self.leases.is_leading = false;
        self.leases.clock.stop();
        for question in self.leases.take_questions() {
            self.pass_on(question);
        }
        for reader in self.reads.take_leases() {
            if let Reader::Lease(question) = reader {
                self.pass_on(question);
            }
        }
    }

    /// Proposes the end of leases whose time is over.
    pub(super) fn end_leases(&mut self) {
        let ids = self.leases.clock.due(self.now, self.config.election_timeout);
        if !ids.is_empty() {
            let term = self.raft.raft.term - u64::from(planted!("expire_in_another_term"));
            self.propose_own(Op::LeaseExpire(LeaseExpire { term, ids }));
        }
    }

    /// Writes down what remains of long leases.
    pub(super) fn note_leases(&mut self) {
        let leases = self.leases.clock.checkpoints(self.now);
        if !leases.is_empty() {
            let term = self.raft.raft.term;
            self.propose_own(Op::LeaseCheckpoint(LeaseCheckpoint { term, leases }));
        }
    }

    /// Clients whose question was not answered in time: not by the leader, or because something has to be applied first
    /// (a disk that hangs lets nothing be). Clients of other nodes, who asked earlier, have been told there.
    pub(super) fn expired_asks(&mut self) -> Vec<Token> {
        let now = self.now;
        let over = self.leases.asked.extract_if(.., |_, asked| asked.deadline <= now);
        let mut tokens: Vec<Token> = over.map(|(_, asked)| asked.token).collect();
        if planted!("renewals_wait_for_the_disk") {
            return tokens;
        }
        let over = self.leases.answered.extract_if(.., |answered| answered.deadline <= now);
        tokens.extend(over.map(|answered| answered.token));
        let is_over = |question: &mut LeaseQuestion| question.deadline <= now;
        let at_the_end = self.leases.at_the_end.extract_if(.., is_over);
        let taking_back = self.leases.taking_back.values_mut();
        let taking_back = taking_back.flat_map(|(_, questions)| questions.extract_if(.., is_over));
        tokens.extend(at_the_end.chain(taking_back).filter_map(|question| question.who.client()));
        tokens
    }
}
