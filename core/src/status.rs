//! What a node knows of itself and its cluster.

use crate::ids::{ClusterId, Incarnation, NodeId, Revision};
use crate::node::View;
use crate::shared::Shared;
use crate::state::Sizes;

/// What a node knows of itself and its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The cluster.
    pub cluster: ClusterId,
    /// This member.
    pub node: NodeId,
    /// How often its data has been opened.
    pub incarnation: Incarnation,
    /// The consensus side: role, leader, term, indexes.
    pub raft: View,
    /// The newest revision.
    pub revision: Revision,
    /// The oldest readable revision; 0: nothing was ever compacted.
    pub compacted: Revision,
    /// How much the store holds.
    pub sizes: Sizes,
    /// Whether growth is refused because the quota is reached.
    pub no_space: bool,
    /// The last entry whose effect is in the state.
    pub hash_index: u64,
    /// The hash of everything applied up to there. Members at equal index have equal hashes.
    pub hash: [u8; 32],
}

impl Status {
    pub(crate) fn of(shared: &Shared) -> Status {
        let raft = shared.view.lock().clone();
        let state = shared.state.read();
        Status {
            cluster: shared.identity.cluster,
            node: shared.identity.node,
            incarnation: shared.identity.incarnation,
            raft,
            revision: state.revision(),
            compacted: state.compacted(),
            sizes: state.sizes(),
            no_space: state.no_space(),
            hash_index: state.applied().index,
            hash: state.hash(),
        }
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.raft.role == crate::node::Role::Leader
    }

    /// The hash, in hexadecimal.
    pub fn hash_hex(&self) -> String {
        self.hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
