//! Nothing grows without bound.

use std::collections::BTreeMap;

use kvorum_core::ids::{Index, NodeId};

use crate::violation::{Checker, Violation};
use crate::world::World;

/// What a node may hold at most, under the little that is asked in a rehearsal.
const MAIL: usize = 20_000;
const WAITING: usize = 5_000;
const JOBS: usize = 5_000;
const FILES: usize = 3_000;
const DISK: u64 = 64 << 20;

/// The most that was seen.
#[derive(Debug, Default)]
pub(crate) struct Ceilings {
    looks: u64,
    stalls: BTreeMap<NodeId, Stall>,
}

/// What a disk was given while its node applied nothing: no image can be made that would let go of it, until two are
/// made later, when what it is to be an image of goes on.
#[derive(Debug, Default)]
struct Stall {
    applied: Index,
    bytes: u64,
    grown: u64,
}

impl Ceilings {
    pub(crate) fn look(&mut self, world: &World) -> Result<(), Violation> {
        self.looks += 1;
        let nodes = world.ids();
        nodes.iter().try_for_each(|node| Ceilings::of_process(world, *node))?;
        if self.looks.is_multiple_of(10) {
            nodes.iter().try_for_each(|node| Ceilings::of_disk(world, *node))?;
            nodes.iter().for_each(|node| self.note_stall(world, *node));
        }
        Ok(())
    }

    fn note_stall(&mut self, world: &World, node: NodeId) {
        let stall = self.stalls.entry(node).or_default();
        let (_, bytes) = world.disk(node).usage();
        let applied = world.glance(node).map_or(stall.applied, |glance| glance.applied);
        if applied <= stall.applied {
            stall.grown += bytes.saturating_sub(stall.bytes);
        }
        (stall.applied, stall.bytes) = (applied, bytes);
    }

    /// When nothing goes on any more, a log is little longer than what it takes to make another image due. (While
    /// disks stand still or are full, it may be any longer.)
    pub(crate) fn at_rest(&self, world: &World, node: NodeId) -> Result<(), Violation> {
        let files = world.disk(node).files();
        let of = |kind: &'static str| files.iter().filter(move |(name, _)| name.starts_with(kind));
        let size = |kind| of(kind).map(|(_, bytes)| bytes.len());
        let image = size("image").max().unwrap_or(0);
        let (image_log_bytes, segment) = world.log_sizes(node);
        // What lies behind the older image, and behind the newer one, which may have grown while another was being
        // written; and the segments that are begun, one at every start. A disk that stood still over that for ten
        // seconds has a good part of everything behind it.
        let starts = world.scene().life(node) as usize;
        let stalled = self.stalls.get(&node).map_or(0, |stall| stall.grown as usize);
        let usual = 4 * image.max(image_log_bytes) + (8 + starts) * segment;
        let most = usual + stalled + world.judge().log_bytes() / 4;
        below(node, "bytes are in the log at rest", size("log").sum(), most)
    }

    fn of_process(world: &World, node: NodeId) -> Result<(), Violation> {
        let Some((mail, jobs)) = world.backlog(node) else { return Ok(()) };
        let waiting = world.glance(node).map_or(0, |glance| glance.waiting);
        below(node, "messages lie unread", mail, MAIL)?;
        below(node, "jobs wait for the disk", jobs, JOBS)?;
        below(node, "requests wait for an answer", waiting, WAITING)
    }

    fn of_disk(world: &World, node: NodeId) -> Result<(), Violation> {
        let (files, bytes) = world.disk(node).usage();
        below(node, "files are on the disk", files, FILES)?;
        below(node, "bytes are on the disk", bytes as usize, DISK as usize)
    }
}

fn below(node: NodeId, what: &str, count: usize, most: usize) -> Result<(), Violation> {
    if count <= most {
        return Ok(());
    }
    let seen = format!("{count} {what}, and {most} are more than enough");
    Err(Violation::new(Checker::Ceiling, "V3: nothing grows without bound", seen).on(node))
}
