//! What can be seen of a node from outside.

use raft::StateRole;

use super::Node;
use crate::ids::{Index, NodeId, Revision, Term};

/// What a member is to its cluster at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It follows a leader, or waits for one.
    #[default]
    Follower,
    /// It asks for votes (or asks whether asking would succeed).
    Candidate,
    /// It leads.
    Leader,
    /// It halted itself, or was stopped: it takes no part any more.
    Ended,
}

/// The consensus side of a node, as of the end of its last turn: what a [`crate::Status`] says of the state
/// beside it may be a moment newer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// What it is to its cluster.
    pub role: Role,
    /// Whom it follows; 0: nobody.
    pub leader: NodeId,
    /// The term it is in.
    pub term: Term,
    /// The last entry in its log.
    pub last_index: Index,
    /// The last entry that it knows to be agreed on.
    pub commit: Index,
    /// The last entry whose effect is in its state.
    pub applied: Index,
    /// Requests that wait for an answer here.
    pub waiting: usize,
    /// Of those, writes.
    pub writing: usize,
    /// Writes of which whoever asked here was told that they failed, or that nobody knows.
    pub failed: u64,
    /// Leases renewed here, as the leader.
    pub renewed: u64,
    /// Messages dropped because no correct member would have sent them.
    pub dropped: u64,
    /// Members whose state differs from this one's.
    pub differing: Vec<NodeId>,
    /// Why it halted itself, if it did.
    pub halted: Option<String>,
}

/// What a rehearsal looks at after every turn: plain numbers, so that looking costs nothing.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    pub role: Role,
    pub leader: NodeId,
    pub term: Term,
    pub last_index: Index,
    pub commit: Index,
    pub applied: Index,
    /// After the entry at `applied`.
    pub hash: [u8; 32],
    pub revision: Revision,
    pub compacted: Revision,
    pub waiting: usize,
    /// How many rounds of reads got no answer, and were asked for again.
    pub reads_asked_again: u64,
    pub has_halted: bool,
    pub no_space: bool,
}

impl Node {
    /// See [`Glance`].
    #[doc(hidden)]
    pub fn glance(&self) -> Glance {
        let raft = &self.raft.raft;
        let state = self.state.read();
        Glance {
            role: self.role(),
            leader: raft.leader_id,
            term: raft.term,
            last_index: raft.raft_log.last_index(),
            commit: raft.raft_log.committed,
            applied: state.applied().index,
            hash: state.hash(),
            revision: state.revision(),
            compacted: state.compacted(),
            waiting: self.waiting(),
            reads_asked_again: self.reads.asked_again(),
            has_halted: self.halted.is_some(),
            no_space: state.no_space(),
        }
    }

    fn role(&self) -> Role {
        match self.raft.raft.state {
            _ if self.halted.is_some() => Role::Ended,
            StateRole::Leader => Role::Leader,
            StateRole::Follower => Role::Follower,
            StateRole::Candidate | StateRole::PreCandidate => Role::Candidate,
        }
    }

    fn waiting(&self) -> usize {
        self.pending.len() + self.reads.len() + self.leases.waiting()
    }

    /// Who is to lead after this node, which leads: the member that is there and has most of the log.
    pub fn successor(&self) -> Option<NodeId> {
        let raft = &self.raft.raft;
        let is_leader = raft.state == StateRole::Leader;
        let others = raft.prs().iter().filter(|(id, peer)| **id != self.identity.node && peer.recent_active);
        let best = others.max_by_key(|(id, peer)| (peer.matched, **id)).map(|(id, _)| *id);
        best.filter(|_| is_leader && self.halted.is_none())
    }

    /// What can be seen of it.
    pub fn view(&self) -> View {
        let raft = &self.raft.raft;
        let has_ended = self.halted.is_some();
        View {
            role: self.role(),
            leader: if has_ended { 0 } else { raft.leader_id },
            term: raft.term,
            last_index: raft.raft_log.last_index(),
            commit: raft.raft_log.committed,
            applied: self.applied.position().index,
            waiting: self.waiting(),
            writing: self.pending.len(),
            failed: self.failed,
            renewed: self.leases.clock.renewed,
            dropped: self.dropped,
            differing: self.health.differing().collect(),
            halted: self.halted.clone(),
        }
    }
}
