//! One leader a term, and none without what is agreed. (What must hold of the quorums of changing members is not
//! judged: the members of a cluster are fixed.)

use std::collections::BTreeMap;

use kvorum_core::Time;
use kvorum_core::ids::{Index, NodeId, Term};
use kvorum_core::node::{Glance, Role};

use super::{Shadows, Witness};
use crate::violation::{Checker, Violation};

/// Who led when.
#[derive(Debug, Default)]
pub(crate) struct Leaders {
    by_term: BTreeMap<Term, NodeId>,
    /// When each of them was first seen to lead.
    elected: Vec<Time>,
    /// The last entry that anybody knew to be committed.
    commit: Index,
}

impl Leaders {
    pub(crate) fn by_term(&self) -> &BTreeMap<Term, NodeId> {
        &self.by_term
    }

    pub(crate) fn elected(&self) -> &[Time] {
        &self.elected
    }

    /// What a node is after a turn, and what it was before.
    pub(crate) fn turned(
        &mut self,
        now: Time,
        node: NodeId,
        before: &Glance,
        after: &Glance,
        shadows: &Shadows,
        witness: &Witness,
    ) -> Result<(), Violation> {
        if after.term < before.term {
            return Err(broken(format!("its term went from {} to {}", before.term, after.term)));
        }
        if after.commit < before.commit || after.applied < before.applied {
            let (was, is) = ((before.commit, before.applied), (after.commit, after.applied));
            return Err(broken(format!("its commit and applied index went from {was:?} to {is:?}")));
        }
        if after.applied > after.commit {
            let (applied, commit) = (after.applied, after.commit);
            return Err(broken(format!("it has applied {applied}, and knows only {commit} to be committed")));
        }
        if after.commit > after.last_index {
            let (commit, last) = (after.commit, after.last_index);
            return Err(broken(format!("it takes {commit} for committed, and its log ends at {last}")));
        }
        let begins = (before.role, before.term) != (Role::Leader, after.term);
        if after.role != Role::Leader || !begins {
            return Ok(());
        }
        if !self.by_term.contains_key(&after.term) {
            self.elected.push(now);
        }
        let leader = *self.by_term.entry(after.term).or_insert(node);
        if leader != node {
            return Err(broken(format!("nodes {leader} and {node} both lead term {}", after.term)));
        }
        let agreed = witness.applied();
        if agreed.term > after.term {
            // A later leader has been there already, and this one is elected by votes that were long on their way: it
            // need not have what was agreed under the other (seed 416984).
            return Ok(());
        }
        let has = shadows.of(node).and_then(|shadow| shadow.term_at(agreed.index));
        if after.last_index < agreed.index || has.is_some_and(|term| term != agreed.term) {
            let (index, term) = (agreed.index, after.term);
            return Err(broken(format!("it leads term {term} without entry {index}, which was agreed on")));
        }
        Ok(())
    }

    /// R6: an entry that nobody knew to be committed became so by being counted; its leader may count those of its
    /// own term only.
    pub(crate) fn counted(
        &mut self,
        before: &Glance,
        after: &Glance,
        shadows: &Shadows,
    ) -> Result<(), Violation> {
        let known = self.commit.max(before.commit);
        self.commit = known.max(after.commit);
        if after.commit <= known || after.role != Role::Leader {
            return Ok(());
        }
        // Whose disk has only an image of it does not say its term any more.
        let mut terms = shadows.terms_at(after.commit).peekable();
        if terms.peek().is_none() || terms.any(|term| term == after.term) {
            return Ok(());
        }
        let (commit, term) = (after.commit, after.term);
        let promised = "R6: only entries of the leader's own term are committed by counting";
        let seen =
            format!("in term {term} it took entry {commit} for committed, which is of an earlier term");
        Err(Violation::new(Checker::Raft, promised, seen))
    }
}

fn broken(seen: String) -> Violation {
    Violation::new(
        Checker::Raft,
        "R: one leader a term, which has all that was agreed; nothing agreed is taken back",
        seen,
    )
}
