//! Do all members hold the same?
//!
//! Each heartbeat and each answer to one carries how far its sender has applied, and the hash of everything
//! up to there. Equal index means equal hash. A member that differs from a majority halts; the leader, who
//! hears from all, is the one who can tell. A member whose disk was lost, or went back to an older copy, is
//! told so, too: it must not vote as if it remembered.

use std::collections::BTreeMap;

use super::{Node, guard, wire};
use crate::ids::{Incarnation, Index, NodeId};
use crate::transport::{AppliedHash, Body, Envelope, RaftMessage, Verdict};

#[derive(Default)]
pub(super) struct Health {
    peers: BTreeMap<NodeId, Compared>,
}

/// What is known of a peer's state, compared with this node's.
#[derive(Clone, Copy)]
enum Compared {
    /// The same up to this entry. What it holds behind, it has not said.
    SameThrough(Index),
    /// Another one at this entry, and therefore at every later one.
    OtherSince(Index),
}

impl Health {
    fn compared(&mut self, peer: NodeId, index: Index, is_same: bool) {
        use Compared::{OtherSince, SameThrough};
        let now = match (self.peers.get(&peer).copied(), is_same) {
            (Some(SameThrough(before)), true) => SameThrough(before.max(index)),
            (Some(OtherSince(before)), false) => OtherSince(before.min(index)),
            // Said before it differed, and overtaken on its way.
            (Some(OtherSince(before)), true) if index < before => return,
            (_, true) => SameThrough(index),
            (_, false) => OtherSince(index),
        };
        self.peers.insert(peer, now);
    }

    /// Members that hold something else than this node.
    pub(super) fn differing(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.peers.iter().filter(|(_, peer)| matches!(peer, Compared::OtherSince(_))).map(|(&node, _)| node)
    }

    /// How many hold the same as this node at an entry, itself counted: those that have said so, not those
    /// that were last heard of before it.
    fn agreeing_at(&self, index: Index) -> usize {
        let agrees = |peer: &&Compared| match peer {
            Compared::SameThrough(through) => *through >= index || planted!("no_answer_is_equal"),
            Compared::OtherSince(_) => false,
        };
        1 + self.peers.values().filter(agrees).count()
    }

    /// Since when a peer holds something else.
    fn other_since(&self, peer: NodeId) -> Option<Index> {
        match self.peers.get(&peer)? {
            Compared::OtherSince(index) => Some(*index),
            Compared::SameThrough(_) => None,
        }
    }
}

impl Node {
    /// A message of raft's, from a peer that may speak.
    pub(super) fn step(&mut self, from: NodeId, message: RaftMessage) {
        match self.guard.raft(from, &message, &self.raft) {
            guard::Verdict::Pass => {}
            guard::Verdict::LogLost(index) => {
                let last = self.raft.raft.raft_log.last_index();
                return self.halt(format!(
                    "this disk lost part of the log: entry {index} was stored here, the last one left is {last}"
                ));
            }
            guard::Verdict::Drop(_) | guard::Verdict::Wiped | guard::Verdict::Earlier(_) => {
                self.dropped += 1;
                return;
            }
        }
        if let Some(applied) = &message.applied {
            self.compare(from, applied);
        }
        if let Some(message) = wire::incoming(from, self.identity.node, message) {
            // What raft refuses here (an unknown peer) changes nothing.
            let _ = self.raft.step(message);
        }
    }

    fn compare(&mut self, from: NodeId, theirs: &AppliedHash) {
        let Some(mine) = self.applied.hash_at(theirs.index) else { return };
        let is_same = theirs.hash[..] == mine || planted!("difference_unnoticed");
        self.health.compared(from, theirs.index, is_same);
        if !self.is_leader() {
            return;
        }
        let majority = self.config.voters.len() / 2 + 1;
        let differing: Vec<NodeId> = self.health.differing().collect();
        if differing.len() >= majority {
            return self
                .halt(format!("its state at entry {} differs from that of {differing:?}", theirs.index));
        }
        let since = self.health.other_since(from);
        if let Some(since) = since.filter(|since| self.health.agreeing_at(*since) >= majority) {
            self.tell_diverged(from, since);
        }
    }

    fn tell_diverged(&mut self, to: NodeId, diverged_at: Index) {
        let directory =
            self.guard.directories().find(|(node, _)| *node == to).map(|(_, directory)| directory);
        let Some(directory) = directory else { return };
        self.send(to, Body::Verdict(Verdict { directory, diverged_at, ..Verdict::default() }));
    }

    pub(super) fn tell_wiped(&mut self, envelope: &Envelope) {
        let verdict = Verdict { directory: envelope.directory, wiped: true, ..Verdict::default() };
        self.send(envelope.from, Body::Verdict(verdict));
    }

    /// Mostly the words of a process that is gone, and then the one that runs now ignores it. A verdict is not
    /// answered: of two who take each other for earlier ones, each would answer for ever.
    pub(super) fn tell_earlier(&mut self, envelope: &Envelope, heard: Incarnation) {
        if !matches!(envelope.body, Some(Body::Verdict(_))) {
            let verdict = Verdict { directory: envelope.directory, heard, ..Verdict::default() };
            self.send(envelope.from, Body::Verdict(verdict));
        }
    }

    pub(super) fn on_verdict(&mut self, from: NodeId, verdict: Verdict) {
        if verdict.directory != self.identity.directory {
            self.dropped += 1;
        } else if verdict.wiped {
            self.halt(format!(
                "node {from} knows member {} by another data directory: this one's was lost or replaced, and \
                 a member that forgot what it promised must not vote",
                self.identity.node
            ));
        } else if verdict.heard > self.identity.incarnation {
            // Whoever has spoken as that start had written its number down before. It is not there any more,
            // so what that start promised may not be either.
            self.halt(format!(
                "node {from} has heard start {} of this data directory, and this is start {}: the directory, or \
                 its file `identity`, was put back from an older copy (or is used by two), and a member that \
                 forgot what it promised must not vote",
                verdict.heard, self.identity.incarnation
            ));
        } else if verdict.diverged_at != 0 && from == self.raft.raft.leader_id {
            let index = verdict.diverged_at;
            self.halt(format!(
                "its state at entry {index} differs from that of a majority, says node {from}"
            ));
        }
    }
}
