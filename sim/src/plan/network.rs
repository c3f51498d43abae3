//! Troubles of the network. Several may lie over the same links; when one is over, the others stay.

use std::collections::BTreeSet;
use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::NodeId;

use super::fault::Shape;
use super::inject::{Injector, Todo};
use crate::net::Link;
use crate::world::World;

/// What is wrong, in terms of links.
pub(super) enum Trouble {
    /// These carry nothing.
    Cut(BTreeSet<(NodeId, NodeId)>),
    /// All from and to these nodes are bad.
    Bad { nodes: Vec<NodeId>, loss: u64, duplicate: u64, slowest: Duration },
    /// All from and to these nodes carry nothing until then, and everything at once.
    Clogged { nodes: Vec<NodeId>, until: Time },
    /// All from and to these nodes damage packets.
    Corrupt { nodes: Vec<NodeId>, permille: u64 },
}

/// The links that a partition cuts. `other` is the other one, where there is one.
pub(super) fn cut(
    all: &[NodeId],
    struck: &[NodeId],
    shape: Shape,
    other: NodeId,
) -> BTreeSet<(NodeId, NodeId)> {
    let is_in = |node: &NodeId| struck.contains(node);
    let mut links = BTreeSet::new();
    for &from in all {
        for &to in all {
            let is_cut = match shape {
                Shape::Split(side) => (side >> from & 1) != (side >> to & 1),
                Shape::Isolate => is_in(&from) || is_in(&to),
                Shape::Deaf => is_in(&to),
                Shape::Mute => is_in(&from),
                Shape::Pair => (is_in(&from) && to == other) || (from == other && is_in(&to)),
                Shape::OneWay => is_in(&from) && to == other,
            };
            if is_cut && from != to {
                links.insert((from, to));
            }
        }
    }
    links
}

impl Trouble {
    fn lay(&self, world: &mut World) {
        match self {
            Trouble::Cut(links) => links.iter().for_each(|(from, to)| world.net.cut(*from, *to)),
            Trouble::Bad { nodes, loss, duplicate, slowest } => touch(world, nodes, |link| {
                link.loss = link.loss.max(*loss);
                link.duplicate = link.duplicate.max(*duplicate);
                link.slowest = link.slowest.max(*slowest);
            }),
            Trouble::Clogged { nodes, until } => {
                touch(world, nodes, |link| link.clogged_until = link.clogged_until.max(*until));
            }
            Trouble::Corrupt { nodes, permille } => {
                touch(world, nodes, |link| link.corrupt = link.corrupt.max(*permille));
            }
        }
    }
}

/// All links from and to these nodes.
fn touch(world: &mut World, nodes: &[NodeId], change: impl Fn(&mut Link)) {
    let all = world.ids();
    for &from in &all {
        for &to in all.iter().filter(|to| **to != from) {
            if nodes.contains(&from) || nodes.contains(&to) {
                change(world.net.link(from, to));
            }
        }
    }
}

impl Injector {
    pub(super) fn trouble(&mut self, world: &mut World, lasts: Duration, trouble: Trouble) {
        let until = world.now() + lasts;
        self.troubles.push((until, trouble));
        self.at(until, Todo::Mend);
        self.lay_all(world);
    }

    /// What is over is mended.
    pub(super) fn mend(&mut self, world: &mut World) {
        let now = world.now();
        self.troubles.retain(|(until, _)| *until > now);
        self.lay_all(world);
    }

    fn lay_all(&self, world: &mut World) {
        world.net.heal();
        self.troubles.iter().for_each(|(_, trouble)| trouble.lay(world));
    }
}
