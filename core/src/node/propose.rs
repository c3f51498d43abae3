//! The way of a write to the leader: proposed, if this node leads; forwarded, if another does; kept, as long
//! as nobody does.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message as _;
use raft::eraftpb::{Entry, Message, MessageType};

use super::{Node, Token};
use crate::command::{Command, Op, Origin};
use crate::config::{JOINED_BYTES, Limits};
use crate::error::{Error, ErrorKind};
use crate::ids::{Incarnation, NodeId};
use crate::transport::{Body, Forward, ForwardedCommand, Refused};
use crate::write::{Write, longest};

/// Requests that a node numbers itself, beside its clients': what it proposes of its own accord.
pub(super) const OWN_REQUESTS: u64 = 1 << 63;

/// What a command's origin and session may add to the length that was checked, in bytes.
const ROOM: usize = 256;

/// How many numbers of each origin a leader remembers, at most: more than a member sends while one of its writes waits.
/// A write that was lost on its way must not be taken for an old one when it comes again behind so many newer ones.
const REMEMBERED: usize = 1 << 20;

/// Which forwarded commands this leader has dealt with in this term. A transport may repeat a message; its
/// commands must not be proposed twice.
#[derive(Default)]
pub(super) struct Forwarded {
    seen: BTreeMap<(NodeId, Incarnation), BTreeSet<u64>>,
    /// Everything below was forgotten, and counts as dealt with.
    floors: BTreeMap<(NodeId, Incarnation), u64>,
}

impl Forwarded {
    pub(super) fn clear(&mut self) {
        self.seen.clear();
        self.floors.clear();
    }

    /// It was not dealt with after all.
    fn forget(&mut self, from: NodeId, incarnation: Incarnation, requests: &[u64]) {
        if let Some(seen) = self.seen.get_mut(&(from, incarnation)) {
            requests.iter().for_each(|request| _ = seen.remove(request));
        }
    }

    /// Its origin waits for none below this one any more.
    fn settled_below(&mut self, from: NodeId, incarnation: Incarnation, lowest: u64) {
        let who = (from, incarnation);
        let floor = self.floors.entry(who).or_default();
        *floor = lowest.max(*floor);
        let Some(seen) = self.seen.get_mut(&who) else { return };
        while seen.first().is_some_and(|first| first < floor) {
            seen.pop_first();
        }
    }

    fn is_settled(&self, from: NodeId, incarnation: Incarnation, request: u64) -> bool {
        self.floors.get(&(from, incarnation)).is_some_and(|floor| request < *floor)
    }

    fn is_new(&mut self, from: NodeId, incarnation: Incarnation, request: u64) -> bool {
        let who = (from, incarnation);
        let most = if planted!("lost_forward_is_old") { 1 << 14 } else { REMEMBERED };
        if self.is_settled(from, incarnation, request) {
            return false;
        }
        let seen = self.seen.entry(who).or_default();
        let is_new = seen.insert(request) || planted!("take_repeated_forward");
        if seen.len() > most
            && let Some(lowest) = seen.pop_first()
        {
            self.floors.insert(who, lowest + 1);
        }
        is_new
    }
}

impl Node {
    pub(super) fn on_write(&mut self, token: Token, write: Write) {
        let has_session = write.has_session();
        let request = self.pending.next_request();
        let command = Bytes::from(write.with_origin(self.origin(request)));
        self.pending.push(self.now, token, command, has_session);
    }

    pub(super) fn origin(&self, request: u64) -> Origin {
        Origin { node: self.identity.node, incarnation: self.identity.incarnation, request }
    }

    /// Sends on what waits to be sent, as one message.
    pub(super) fn flush_writes(&mut self) {
        if self.pending.next_size().is_none() {
            return;
        }
        if self.is_leader() {
            self.propose_pending();
        } else if self.raft.raft.leader_id != 0 {
            self.forward_pending();
        }
    }

    fn propose_pending(&mut self) {
        let term = self.raft.raft.term;
        let (mut numbers, mut commands) = (Vec::new(), Vec::new());
        let mut room = self.config.limits.uncommitted_bytes.saturating_sub(self.applied.uncommitted());
        while let Some(size) = self.pending.next_size() {
            // One always fits, lest a large one wait for ever.
            let is_full = size as u64 > room && !planted!("uncommitted_without_bound");
            if is_full && (self.applied.uncommitted() > 0 || !commands.is_empty()) {
                break;
            }
            room = room.saturating_sub(size as u64);
            if let Some((request, command)) = self.pending.send_next(self.now, term) {
                numbers.push(request);
                commands.push(command);
            }
        }
        if !self.propose(commands) {
            self.pending.unsend(&numbers);
        }
    }

    /// Hands commands to raft as one proposal; answers whether raft took them, all or none.
    pub(super) fn propose(&mut self, commands: Vec<Bytes>) -> bool {
        if commands.is_empty() {
            return true;
        }
        let bytes: usize = commands.iter().map(Bytes::len).sum();
        let entries = commands.into_iter().map(|data| Entry { data, ..Entry::default() });
        let mut message = Message::default();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = self.identity.node;
        message.entries = entries.collect::<Vec<_>>().into();
        let is_taken = self.raft.step(message).is_ok();
        if is_taken {
            self.applied.proposed(bytes as u64);
        }
        self.after_step();
        is_taken
    }

    /// Proposes something of this leader's own accord; answers the number under which it comes back.
    pub(super) fn propose_own(&mut self, op: Op) -> Option<u64> {
        let request = self.applied.next_own_request();
        let command = Command { origin: Some(self.origin(request)), session: None, op: Some(op) };
        self.propose(vec![Bytes::from(command.encode_to_vec())]).then_some(request)
    }

    fn forward_pending(&mut self) {
        let term = self.raft.raft.term;
        let mut commands = Vec::new();
        while let Some((request, command)) = self.pending.send_next(self.now, term) {
            commands.push((request, command));
        }
        self.forward(commands);
    }

    fn forward(&mut self, commands: Vec<(u64, Bytes)>) {
        let (leader, term) = (self.raft.raft.leader_id, self.raft.raft.term);
        let lowest = self.pending.lowest();
        let mut forward = Forward { term, commands: Vec::new(), lowest };
        let mut bytes = 0;
        for (request, command) in commands {
            bytes += command.len();
            let again = self.pending.is_asked_again(request);
            forward.commands.push(ForwardedCommand { request, command, again });
            if bytes >= JOINED_BYTES {
                bytes = 0;
                let full = std::mem::take(&mut forward.commands);
                self.send(leader, Body::Forward(Forward { term, commands: full, lowest }));
            }
        }
        if !forward.commands.is_empty() {
            self.send(leader, Body::Forward(forward));
        }
    }

    /// What may have been lost on its way to the leader is sent again; the leader knows what it has seen.
    pub(super) fn forward_overdue(&mut self) {
        if self.is_leader() || self.raft.raft.leader_id == 0 {
            return;
        }
        let patience = self.config.election_timeout / 2;
        let overdue = self.pending.overdue(self.now, self.raft.raft.term, patience);
        self.forward(overdue);
    }

    /// A peer's commands. Its clients learn what became of them from the log, unless they are refused here.
    pub(super) fn on_forward(&mut self, from: NodeId, incarnation: Incarnation, forward: Forward) {
        let is_meant = forward.term == self.raft.raft.term || planted!("take_forward_in_later_term");
        if !self.is_leader() || !is_meant {
            return;
        }
        self.forwarded.settled_below(from, incarnation, forward.lowest);
        let mut commands = Vec::new();
        let mut refused = Vec::new();
        let mut repeated = BTreeSet::new();
        let mut room = self.config.limits.uncommitted_bytes.saturating_sub(self.applied.uncommitted());
        for ForwardedCommand { request, command, again } in forward.commands {
            if !self.forwarded.is_new(from, incarnation, request) {
                // Of one that nobody waits for, no session is asked: what came behind it may have been done by now.
                let is_settled = self.forwarded.is_settled(from, incarnation, request);
                if is_settled || !again || !is_told_by_session(&command) {
                    continue;
                }
                repeated.insert(request);
            }
            let size = command.len() as u64;
            // One always fits, lest a large one never do.
            let has_room = size <= room || (self.applied.uncommitted() == 0 && commands.is_empty());
            let origin = Origin { node: from, incarnation, request };
            let may_propose = has_room && is_fair(origin, &command, &self.config.limits);
            room = room.saturating_sub(size);
            if may_propose {
                commands.push((request, command));
            } else if !repeated.contains(&request) {
                // What came before may be on its way: it is not to be called refused.
                refused.push(request);
            }
        }
        let (numbers, commands): (Vec<_>, Vec<_>) = commands.into_iter().unzip();
        let term = forward.term;
        if !self.propose(commands) {
            // Raft takes none while leadership is handed over: the next leader will.
            let new: Vec<u64> = numbers.iter().copied().filter(|number| !repeated.contains(number)).collect();
            self.forwarded.forget(from, incarnation, &new);
            let again = Refused { term, incarnation, requests: numbers, again: true };
            self.send(from, Body::Refused(again));
        }
        if !refused.is_empty() {
            let refused = Refused { term, incarnation, requests: refused, again: false };
            self.send(from, Body::Refused(refused));
        }
    }

    pub(super) fn on_refused(&mut self, refused: Refused) {
        if refused.incarnation != self.identity.incarnation {
            return;
        }
        if refused.again {
            return self.pending.hurry(&refused.requests, refused.term);
        }
        for request in refused.requests {
            if let Some(waiting) = self.pending.refuse(request, refused.term) {
                let error = ErrorKind::Overloaded;
                let is_unknown = waiting.may_have_happened;
                let error = if is_unknown { Error::unknown(error) } else { error.into() };
                self.failed += 1;
                self.reply(waiting.token, Err(error));
            }
        }
    }

    /// Part of the log was skipped: nobody here can tell what became of what was under way.
    pub(super) fn fail_skipped(&mut self) {
        for waiting in self.pending.log_skipped() {
            self.failed += 1;
            self.reply(waiting.token, Err(Error::unknown(ErrorKind::LeaderChanged)));
        }
    }

    /// Ends the wait of everybody whose time is over.
    pub(super) fn expire_waiting(&mut self) {
        let reason = if self.raft.raft.leader_id == 0 { ErrorKind::NoLeader } else { ErrorKind::Timeout };
        for waiting in self.pending.expired(self.now) {
            self.failed += 1;
            let unknown = Error::unknown(ErrorKind::Timeout);
            let error = if waiting.may_happen() { unknown } else { reason.clone().into() };
            self.reply(waiting.token, Err(error));
        }
        for token in self.expired_readers() {
            self.reply(token, Err(reason.clone().into()));
        }
        self.reads.retry_overdue(self.now);
        self.forward_overdue();
        self.ask_overdue();
    }
}

/// Whether a forwarded command is what a client may ask, in its sender's own name.
fn is_fair(origin: Origin, command: &Bytes, limits: &Limits) -> bool {
    let Ok(decoded) = Command::decode(command.clone()) else { return false };
    let is_clients = match &decoded.op {
        Some(
            Op::Put(_)
            | Op::DeleteRange(_)
            | Op::Txn(_)
            | Op::Compact(_)
            | Op::LeaseGrant(_)
            | Op::LeaseRevoke(_)
            | Op::OpenSession(_)
            | Op::CloseSession(_)
            | Op::NoSpace(_),
        ) => true,
        // A member speaks for itself only.
        Some(Op::MemberAttributes(said)) => said.node == origin.node || planted!("attributes_of_another"),
        Some(Op::LeaseExpire(_) | Op::LeaseCheckpoint(_) | Op::Settings(_) | Op::MemberSeen(_)) | None => {
            false
        }
    };
    let has_length = command.len() <= longest(decoded.op.as_ref(), limits) + ROOM;
    is_clients && has_length && decoded.origin == Some(origin)
}

/// Whether a command may come again: its session knows whether it happened, and what it was answered. A member whose log
/// was skipped by an image asks again on purpose, and would wait in vain otherwise (seed 43411); it calls nothing refused
/// any more.
fn is_told_by_session(command: &Bytes) -> bool {
    !planted!("session_repeat_dropped")
        && Command::decode(command.clone()).is_ok_and(|command| command.session.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{LeaseExpire, MemberAttributes};

    #[test]
    fn a_member_asks_in_its_own_name_and_only_what_a_client_may() {
        let me = Origin { node: 2, incarnation: 3, request: 4 };
        let says = |node| Op::MemberAttributes(MemberAttributes { node, ..MemberAttributes::default() });
        let is_fair = |origin, op| {
            let command = Command { origin: Some(origin), op: Some(op), session: None };
            is_fair(me, &command.encode_to_vec().into(), &Limits::default())
        };
        assert!(is_fair(me, says(2)));
        assert!(!is_fair(me, says(1)), "a member speaks for itself only");
        assert!(!is_fair(Origin { node: 1, ..me }, says(1)), "the answer would go to another");
        assert!(!is_fair(me, Op::LeaseExpire(LeaseExpire { term: 1, ids: vec![1] })), "a leader's");
    }

    #[test]
    fn defence_11_a_repeated_forward_is_proposed_once() {
        let mut forwarded = Forwarded::default();
        assert!(forwarded.is_new(2, 1, 7));
        assert!(!forwarded.is_new(2, 1, 7));
        assert!(forwarded.is_new(2, 2, 7), "another start counts anew");
        forwarded.settled_below(2, 1, 8);
        assert!(!forwarded.is_new(2, 1, 7), "what nobody waits for is not new");
        forwarded.settled_below(2, 1, 3);
        assert!(!forwarded.is_new(2, 1, 7), "nor is it again when an old message comes late");
        assert!(forwarded.is_new(2, 1, 20_000));
        forwarded.forget(2, 1, &[20_000]);
        assert!(forwarded.is_new(2, 1, 20_000), "what raft did not take may come again");
    }

    #[test]
    fn one_that_was_lost_is_new_behind_all_that_a_member_may_send_meanwhile() {
        let mut forwarded = Forwarded::default();
        let lost = 9;
        for request in 10..100_000 {
            forwarded.settled_below(2, 1, lost);
            assert!(forwarded.is_new(2, 1, request));
        }
        assert!(forwarded.is_new(2, 1, lost));
        forwarded.settled_below(2, 1, 100_000);
        assert!(forwarded.seen[&(2, 1)].is_empty(), "what is settled takes no memory");
        for request in 100_000..100_001 + REMEMBERED as u64 {
            assert!(forwarded.is_new(2, 1, request));
        }
        assert_eq!(
            forwarded.seen[&(2, 1)].len(),
            REMEMBERED,
            "nor does what is never settled take all of it"
        );
        assert!(!forwarded.is_new(2, 1, 100_000), "what was forgotten is not new");
    }
}
