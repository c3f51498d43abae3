//! Which ranges hold a key: a tree of intervals.
//!
//! A treap, ordered by start, in which every node knows the farthest end below it. Its priorities are a
//! fixed function of the ids, so that it has the same shape whenever it is built in the same way.

use std::cmp::Ordering;
use std::sync::Arc;

use super::watch::{Target, WatcherId};

/// No node.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Node {
    target: Arc<Target>,
    id: WatcherId,
    left: u32,
    right: u32,
    /// The node below (or this one) whose range ends last.
    farthest: u32,
}

/// Ranges, each with the watch that asked for it.
#[derive(Debug)]
pub(super) struct RangeIndex {
    nodes: Vec<Node>,
    free: Vec<u32>,
    root: u32,
    /// What free slots point to.
    nothing: Arc<Target>,
}

impl RangeIndex {
    /// An empty one.
    pub(super) fn new() -> RangeIndex {
        RangeIndex { nodes: Vec::new(), free: Vec::new(), root: NONE, nothing: Target::nothing() }
    }

    /// Adds a watch's range.
    pub(super) fn insert(&mut self, id: WatcherId, target: &Arc<Target>) {
        let node = Node { target: target.clone(), id, left: NONE, right: NONE, farthest: NONE };
        let at = match self.free.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        self.update(at);
        let (left, right) = self.split(self.root, target.start(), id);
        let left = self.join(left, at);
        self.root = self.join(left, right);
    }

    /// Removes a watch's range.
    pub(super) fn remove(&mut self, id: WatcherId, target: &Target) {
        let (left, rest) = self.split(self.root, target.start(), id);
        let (found, right) = self.split(rest, target.start(), id.next());
        self.root = self.join(left, right);
        if found != NONE {
            // The slot waits for the next watch; what it pointed to must not.
            self.nodes[found as usize].target = self.nothing.clone();
            self.free.push(found);
        }
        if self.root == NONE {
            *self = RangeIndex::new();
        }
    }

    /// Calls `found` for each watch whose range holds the key, in the order of their starts.
    pub(super) fn find(&self, key: &[u8], found: &mut impl FnMut(WatcherId)) {
        self.find_below(self.root, key, found);
    }

    fn find_below(&self, at: u32, key: &[u8], found: &mut impl FnMut(WatcherId)) {
        let Some(node) = self.nodes.get(at as usize) else { return };
        // `farthest` always names a node.
        if !self.nodes[node.farthest as usize].target.ends_behind(key) {
            return;
        }
        self.find_below(node.left, key, found);
        if node.target.start() > key {
            return;
        }
        if node.target.ends_behind(key) {
            found(node.id);
        }
        self.find_below(node.right, key, found);
    }

    /// Cuts a tree into what is ordered before (start, id), and the rest.
    fn split(&mut self, at: u32, start: &[u8], id: WatcherId) -> (u32, u32) {
        if at == NONE {
            return (NONE, NONE);
        }
        let (left, right) = (self.nodes[at as usize].left, self.nodes[at as usize].right);
        if self.order(at, start, id) == Ordering::Less {
            let (near, far) = self.split(right, start, id);
            self.nodes[at as usize].right = near;
            self.update(at);
            (at, far)
        } else {
            let (far, near) = self.split(left, start, id);
            self.nodes[at as usize].left = near;
            self.update(at);
            (far, at)
        }
    }

    /// Joins two trees, all of the first being ordered before all of the second.
    fn join(&mut self, left: u32, right: u32) -> u32 {
        if left == NONE || right == NONE {
            return left.min(right);
        }
        if self.priority(left) >= self.priority(right) {
            let below = self.nodes[left as usize].right;
            self.nodes[left as usize].right = self.join(below, right);
            self.update(left);
            left
        } else {
            let below = self.nodes[right as usize].left;
            self.nodes[right as usize].left = self.join(left, below);
            self.update(right);
            right
        }
    }

    fn order(&self, at: u32, start: &[u8], id: WatcherId) -> Ordering {
        let node = &self.nodes[at as usize];
        node.target.start().cmp(start).then(node.id.cmp(&id))
    }

    /// A well-mixed function of the id.
    fn priority(&self, at: u32) -> u64 {
        let mut mixed = self.nodes[at as usize].id.number().wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Finds the farthest end below a node anew.
    fn update(&mut self, at: u32) {
        let node = &self.nodes[at as usize];
        let mut farthest = at;
        for child in [node.left, node.right] {
            let Some(child) = self.nodes.get(child as usize) else { continue };
            let candidate = &self.nodes[child.farthest as usize].target;
            if candidate.ends_behind_that(&self.nodes[farthest as usize].target) {
                farthest = child.farthest;
            }
        }
        self.nodes[at as usize].farthest = farthest;
    }
}
