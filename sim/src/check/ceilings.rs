//! Nothing grows without bound. What a node may hold at a time is little in itself, and for the rest follows from how
//! it is set up, from what it was asked, and from what is stored: so it is said of any service, and none is too large.

use std::collections::BTreeMap;

use kvorum_core::ids::{Index, NodeId};

use crate::violation::{Checker, Violation};
use crate::world::World;

/// What a node may hold of which it was asked nothing: under the little that is asked in a rehearsal of ours, this is
/// all there is.
const MAIL: usize = 20_000;
const WAITING: usize = 5_000;
const JOBS: usize = 5_000;
const FILES: usize = 3_000;
const LOG: usize = 64 << 20;
const IMAGES: usize = 4;

/// What one request, or one lease that is kept alive, makes of messages and of jobs at the most, on one node.
const EACH: usize = 4;

/// What a segment of the log takes beside what is in it.
const HEAD: usize = 1024;

/// The most that was seen.
#[derive(Debug, Default)]
pub(crate) struct Ceilings {
    looks: u64,
    stalls: BTreeMap<NodeId, Stall>,
    /// How many leases there were at most.
    leases: usize,
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
        self.leases = self.leases.max(world.judge().state().sizes().leases as usize);
        let nodes = world.ids();
        let asked = Lately::of(world, self.leases);
        nodes.iter().try_for_each(|node| asked.judge(world, *node))?;
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
        let image = world.disk(node).sizes("image").into_iter().max().unwrap_or(0);
        let (image_log_bytes, segment) = world.log_sizes(node);
        // What lies behind the older image, and behind the newer one, which may have grown while another was being
        // written; and the segments that are begun, one at every start. A disk that stood still over that for ten
        // seconds has a good part of everything behind it.
        let starts = world.scene().life(node) as usize;
        let stalled = self.stalls.get(&node).map_or(0, |stall| stall.grown as usize);
        let due = image.max(image_log_bytes).saturating_mul(4);
        let usual = due.saturating_add((8 + starts).saturating_mul(segment));
        let most = usual.saturating_add(stalled + world.judge().log_bytes() / 4);
        below(node, "bytes are in the log at rest", world.disk(node).sizes("log").iter().sum(), most)
    }

    /// A log has nothing but what it was given, and lets go of that with every image; of these there are the newest,
    /// the one before it, one that is being written and one that comes in.
    fn of_disk(world: &World, node: NodeId) -> Result<(), Violation> {
        let (files, _) = world.disk(node).usage();
        let (log, images) = (world.disk(node).sizes("log"), world.disk(node).sizes("image"));
        let given = world.judge().shadows.given(node);
        let (_, segment) = world.log_sizes(node);
        below(node, "files are on the disk", files, FILES + given / segment.max(1))?;
        // Each sector has a checksum of its own.
        let most = LOG + given + given / 8 + log.len() * HEAD;
        below(node, "bytes are in the log", log.iter().sum(), most)?;
        let largest = images.iter().max().copied().unwrap_or(0);
        below(node, "bytes are in images", images.iter().sum(), LOG + IMAGES * largest)
    }
}

/// What was asked so lately that it need not have ended: what waits is of that, and no more than nodes let wait.
struct Lately {
    requests: usize,
    /// At any time.
    all: usize,
    pending: usize,
    leases: usize,
}

impl Lately {
    fn of(world: &World, leases: usize) -> Lately {
        let pending = world.configs().map(|config| config.limits.pending).max().unwrap_or_default();
        Lately { requests: world.asked_lately(), all: world.asked.total(), pending, leases }
    }

    fn judge(&self, world: &World, node: NodeId) -> Result<(), Violation> {
        let Some((_, jobs)) = world.backlog(node) else { return Ok(()) };
        let each = |requests: usize| EACH * requests.saturating_add(self.leases);
        below(node, "messages of others lie unread", world.unread(node), MAIL + each(self.requests))?;
        // A disk may stand still for any time.
        below(node, "jobs wait for the disk", jobs, JOBS + each(self.all))?;
        // Who stands still does not know yet whose time is over.
        if world.is_paused(node) {
            return Ok(());
        }
        let waiting = world.glance(node).map_or(0, |glance| glance.waiting);
        let most = WAITING + self.requests.min(self.pending) + self.leases;
        below(node, "requests wait for an answer", waiting, most)
    }
}

fn below(node: NodeId, what: &str, count: usize, most: usize) -> Result<(), Violation> {
    if count <= most {
        return Ok(());
    }
    let seen = format!("{count} {what}, and {most} are more than enough");
    Err(Violation::new(Checker::Ceiling, "V3: nothing grows without bound", seen).on(node))
}
