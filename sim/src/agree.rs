//! Whether nodes hold the same, and where each is.

use kvorum_core::ids::NodeId;

use crate::world::World;

/// Whether these nodes run, agree on a leader, and have applied the same, up to the end.
pub(crate) fn agree(world: &World, nodes: &[NodeId]) -> bool {
    let all: Vec<_> = nodes.iter().filter_map(|node| world.glance(*node)).collect();
    let Some(first) = all.first() else { return false };
    first.leader != 0
        && all.len() == nodes.len()
        && all.iter().all(|one| {
            !one.has_halted
                && (one.applied, one.hash) == (first.applied, first.hash)
                && one.leader == first.leader
                && one.commit == one.applied
        })
}

/// Where each node is, for people.
pub(crate) fn describe(world: &World) -> String {
    let one = |node| match world.status(node) {
        Some(status) => format!("{node}: {:?} at revision {}", status.raft, status.revision),
        None => format!("{node}: down, {:?}", world.why_halted(node)),
    };
    world.ids().into_iter().map(one).collect::<Vec<_>>().join("; ")
}
