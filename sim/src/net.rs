//! The network between the nodes: it delays, reorders, loses and repeats, in each direction on its own.

use std::collections::BTreeMap;
use std::time::Duration;

use kvorum_core::ids::NodeId;

use crate::rng::{Purpose, Rng};

/// What one direction between two nodes is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Nothing gets through.
    pub cut: bool,
    /// Packets lost, of a thousand.
    pub loss: u64,
    /// Packets that come twice, of a thousand.
    pub duplicate: u64,
    /// The shortest time a packet takes.
    pub fastest: Duration,
    /// The longest time a packet takes. Packets overtake one another.
    pub slowest: Duration,
}

impl Default for Link {
    fn default() -> Link {
        let (fastest, slowest) = (Duration::from_micros(200), Duration::from_micros(800));
        Link { cut: false, loss: 0, duplicate: 0, fastest, slowest }
    }
}

/// All links.
#[derive(Debug)]
pub struct Net {
    rng: Rng,
    usual: Link,
    links: BTreeMap<(NodeId, NodeId), Link>,
    counts: BTreeMap<(NodeId, NodeId), u64>,
}

impl Net {
    pub(crate) fn new(rng: Rng) -> Net {
        Net { rng, usual: Link::default(), links: BTreeMap::new(), counts: BTreeMap::new() }
    }

    /// What links are like that nothing else was said about.
    pub fn set_usual(&mut self, link: Link) {
        self.usual = link;
    }

    /// The link from one node to another.
    pub fn link(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        self.links.entry((from, to)).or_insert(self.usual)
    }

    /// Nothing gets from one node to another. The way back stays.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.link(from, to).cut = true;
    }

    /// Every link is as usual.
    pub fn heal(&mut self) {
        self.links.clear();
    }

    /// The ways of one packet: how long each copy that arrives takes.
    pub(crate) fn route(&mut self, from: NodeId, to: NodeId) -> Vec<Duration> {
        let link = *self.links.get(&(from, to)).unwrap_or(&self.usual);
        let count = self.counts.entry((from, to)).or_insert(0);
        *count += 1;
        let draw = |purpose, copy| self.rng.draw(purpose, from, to, *count * 2 + copy);
        if link.cut || draw(Purpose::Loss, 0) % 1000 < link.loss {
            return Vec::new();
        }
        let copies = 1 + u64::from(draw(Purpose::Duplicate, 0) % 1000 < link.duplicate);
        let spread = link.slowest.saturating_sub(link.fastest).as_nanos() as u64 + 1;
        let delay = |copy| link.fastest + Duration::from_nanos(draw(Purpose::Delay, copy) % spread);
        (0..copies).map(delay).collect()
    }
}
