//! What stands between a peer's words and raft.
//!
//! Raft trusts its peers: it panics on much that a stranger, or a peer that lost its disk, can send. So
//! every message is looked at here first, and what no correct peer would send is dropped and counted.

use std::collections::BTreeMap;

use raft::eraftpb::MessageType;
use raft::{RawNode, StateRole};

use super::read::CONTEXT_LEN;
use super::window::Window;
use super::wire::travelling_kind;
use crate::ids::{ClusterId, DirectoryId, Incarnation, Index, NodeId};
use crate::transport::{Envelope, RaftMessage, WireEntry};

/// What is to become of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Drop(&'static str),
    /// The sender has another directory than the cluster knows it by: it is to be told.
    Wiped,
    /// Said by an earlier start of its sender than this one, which was heard before.
    Earlier(Incarnation),
    /// The leader knows that this node stored an entry, and it is not there any more.
    LogLost(Index),
}

/// Who may speak, and as whom.
pub(super) struct Guard {
    cluster: ClusterId,
    me: NodeId,
    voters: Vec<NodeId>,
    seen: BTreeMap<NodeId, Seen>,
    /// The newest question of each peer's for a read index.
    asked: BTreeMap<NodeId, Vec<u8>>,
}

#[derive(Clone, Copy)]
struct Seen {
    directory: DirectoryId,
    incarnation: Incarnation,
}

impl Guard {
    pub(super) fn new(cluster: ClusterId, me: NodeId, voters: Vec<NodeId>) -> Guard {
        Guard { cluster, me, voters, seen: BTreeMap::new(), asked: BTreeMap::new() }
    }

    /// Looks at the outside of a message. `known` is the sender's directory as the cluster agreed on it.
    pub(super) fn envelope(&mut self, envelope: &Envelope, known: Option<DirectoryId>) -> Verdict {
        if envelope.cluster != self.cluster {
            return Verdict::Drop("of another cluster");
        }
        if envelope.to != self.me || envelope.from == self.me || !self.voters.contains(&envelope.from) {
            return Verdict::Drop("not between members, or not for this one");
        }
        if envelope.directory == 0 || envelope.incarnation == 0 {
            return Verdict::Drop("without an identity");
        }
        let seen = self.seen.get(&envelope.from).copied();
        let directory = known.or(seen.map(|seen| seen.directory)).unwrap_or(envelope.directory);
        let directory = if planted!("believe_wiped_member") { envelope.directory } else { directory };
        if directory != envelope.directory {
            return Verdict::Wiped;
        }
        let newest = seen.filter(|seen| seen.directory == directory).map_or(0, |seen| seen.incarnation);
        if envelope.incarnation < newest && !planted!("believe_earlier_start") {
            return Verdict::Earlier(newest);
        }
        self.seen.insert(envelope.from, Seen { directory, incarnation: envelope.incarnation });
        Verdict::Pass
    }

    /// The directories that members were seen with.
    pub(super) fn directories(&self) -> impl Iterator<Item = (NodeId, DirectoryId)> + '_ {
        self.seen.iter().map(|(&node, seen)| (node, seen.directory))
    }

    /// Looks at a message of raft's, whose envelope has passed.
    pub(super) fn raft(&mut self, from: NodeId, message: &RaftMessage, raft: &RawNode<Window>) -> Verdict {
        let Some(kind) = travelling_kind(message.kind) else {
            return Verdict::Drop("of a kind that does not travel");
        };
        let found = match kind {
            MessageType::MsgAppend => append(message, raft),
            MessageType::MsgAppendResponse => append_response(message, raft),
            MessageType::MsgHeartbeat => return heartbeat(from, message, raft),
            MessageType::MsgHeartbeatResponse => within_log(message.commit, raft),
            MessageType::MsgSnapshot => self.snapshot(message),
            MessageType::MsgTimeoutNow => timeout_now(from, message, raft),
            MessageType::MsgReadIndex => self.read_index(from, message, raft),
            MessageType::MsgReadIndexResp => context_of(message).map(|_| ()),
            _ => no_entries(message),
        };
        let found = found.and_then(|()| term_fits(kind, message));
        found.map_or_else(Verdict::Drop, |()| Verdict::Pass)
    }

    /// Raft proves the reads of a leader in the order in which they were asked: with a question, all before it are
    /// answered. One that is asked again, after its answer, would come last, and the peers' answers to it of back
    /// then, come again with it, would prove everything before it. (Seed 13203.) So nobody asks anything twice.
    fn read_index(&mut self, from: NodeId, message: &RaftMessage, raft: &RawNode<Window>) -> Found {
        if raft.raft.state != StateRole::Leader {
            return Err("a question for the leader");
        }
        let context = context_of(message)?;
        if !context.starts_with(&from.to_be_bytes()) {
            return Err("a read index in another's name");
        }
        // Behind the node stand its start and a counter, most significant bytes first: what is newer is greater.
        let is_newer = self.asked.get(&from).is_none_or(|newest| newest.as_slice() < context);
        if !is_newer && !planted!("take_repeated_question") {
            return Err("a read index that was asked for before");
        }
        self.asked.insert(from, context.to_vec());
        Ok(())
    }

    fn snapshot(&self, message: &RaftMessage) -> Result<(), &'static str> {
        let image = message.image.as_ref().ok_or("an image without a description")?;
        if image.index == 0 || image.term == 0 || image.term > message.term {
            return Err("an image of nowhere");
        }
        if image.voters != self.voters || !image.learners.is_empty() {
            return Err("an image of other members");
        }
        no_entries(message)
    }
}

type Found = Result<(), &'static str>;

/// Only a question for a read index travels without a term.
fn term_fits(kind: MessageType, message: &RaftMessage) -> Found {
    match (kind == MessageType::MsgReadIndex, message.term == 0) {
        (true, true) | (false, false) => Ok(()),
        _ => Err("with a term that its kind does not have"),
    }
}

fn no_entries(message: &RaftMessage) -> Found {
    if message.entries.is_empty() { Ok(()) } else { Err("with entries where none belong") }
}

fn append(message: &RaftMessage, raft: &RawNode<Window>) -> Found {
    if message.log_term > message.term || (message.index == 0) != (message.log_term == 0) {
        return Err("entries after a place that cannot be");
    }
    consecutive(message)?;
    if message.term < raft.raft.term {
        return Ok(()); // Raft answers it without looking inside.
    }
    let committed = raft.raft.raft_log.committed;
    let term_at = |index| raft.raft.raft_log.term(index).unwrap_or(0);
    if message.index >= committed && message.log_term < term_at(committed) {
        return Err("entries of a log that lacks what is committed");
    }
    let contradicts = |entry: &WireEntry| ![0, entry.term].contains(&term_at(entry.index));
    if message.entries.iter().take_while(|entry| entry.index <= committed).any(contradicts) {
        return Err("entries that contradict what is committed");
    }
    Ok(())
}

fn consecutive(message: &RaftMessage) -> Found {
    let mut before = (message.index, message.log_term);
    for entry in &message.entries {
        if Some(entry.index) != before.0.checked_add(1) || entry.term < before.1 || entry.term > message.term
        {
            return Err("entries that do not follow one another");
        }
        if entry.kind != 0 {
            return Err("entries of a kind that is not known");
        }
        before = (entry.index, entry.term);
    }
    Ok(())
}

fn within_log(index: Index, raft: &RawNode<Window>) -> Found {
    if index <= raft.raft.raft_log.last_index() { Ok(()) } else { Err("about entries that do not exist") }
}

fn append_response(message: &RaftMessage, raft: &RawNode<Window>) -> Found {
    no_entries(message)?;
    if message.term != raft.raft.term || raft.raft.state != StateRole::Leader {
        return Ok(()); // Raft takes no more than the term from it.
    }
    if message.request_snapshot != 0 {
        return Err("asking for an image, which members here do not");
    }
    within_log(message.index, raft)?;
    within_log(message.commit, raft)
}

/// A leader names only what it knows to be stored here. If that is missing, this disk lost it.
fn heartbeat(from: NodeId, message: &RaftMessage, raft: &RawNode<Window>) -> Verdict {
    if no_entries(message).is_err() || message.term == 0 {
        return Verdict::Drop("a malformed heartbeat");
    }
    let is_there = within_log(message.commit, raft).is_ok();
    if message.term < raft.raft.term || is_there || planted!("lost_log_unnoticed") {
        return Verdict::Pass;
    }
    // Whoever has just started knows no leader yet; and a leader knows what is stored here only from this
    // node's own word, given in that leader's term.
    if message.term > raft.raft.term || [0, from].contains(&raft.raft.leader_id) {
        return Verdict::LogLost(message.commit);
    }
    Verdict::Drop("about entries that do not exist")
}

fn timeout_now(from: NodeId, message: &RaftMessage, raft: &RawNode<Window>) -> Found {
    if message.term != raft.raft.term || from != raft.raft.leader_id {
        return Err("a call to campaign by another than the leader");
    }
    if raft.raft.raft_log.applied < raft.store().base().index {
        return Err("a call to campaign with an image that is not durable yet");
    }
    no_entries(message)
}

/// The context of a question for a read index, or of its answer.
fn context_of(message: &RaftMessage) -> Result<&[u8], &'static str> {
    match message.entries.as_slice() {
        [entry] if entry.data.len() == CONTEXT_LEN => Ok(&entry.data),
        _ => Err("a read index without its context"),
    }
}
