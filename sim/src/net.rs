//! The network between the nodes: it delays, reorders, loses and repeats, in each direction on its own.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use kvorum_core::Time;
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
    /// Packets damaged, of a thousand: whoever receives them sees it by their checksum and drops them.
    pub corrupt: u64,
    /// What is sent before this time arrives at it, all at once.
    pub clogged_until: Time,
}

impl Default for Link {
    fn default() -> Link {
        let (fastest, slowest) = (Duration::from_micros(200), Duration::from_micros(800));
        let clogged_until = Time::ZERO;
        Link { cut: false, loss: 0, duplicate: 0, fastest, slowest, corrupt: 0, clogged_until }
    }
}

/// All links.
#[derive(Debug)]
pub struct Net {
    rng: Rng,
    usual: Link,
    links: BTreeMap<(NodeId, NodeId), Link>,
    counts: BTreeMap<(NodeId, NodeId), u64>,
    /// Packets damaged so far.
    corrupted: u64,
    kept: Option<Kept>,
}

/// Packets to be sent again. They outlive the processes at both ends.
#[derive(Debug, Default)]
struct Kept {
    recent: VecDeque<Bytes>,
    /// From the whole run: every so manieth.
    old: Vec<Bytes>,
    every: u64,
    count: u64,
}

const RECENT: usize = 256;
const OLD: usize = 512;

impl Kept {
    fn keep(&mut self, packet: &Bytes) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(packet.clone());
        self.count += 1;
        if self.count.is_multiple_of(self.every.max(1)) {
            self.old.push(packet.clone());
            if self.old.len() == OLD {
                // Half of them are enough to have some of every time.
                let mut is_odd = false;
                self.old.retain(|_| {
                    is_odd = !is_odd;
                    is_odd
                });
                self.every = self.every.max(1) * 2;
            }
        }
    }
}

impl Net {
    pub(crate) fn new(rng: Rng) -> Net {
        Net {
            rng,
            usual: Link::default(),
            links: BTreeMap::new(),
            counts: BTreeMap::new(),
            corrupted: 0,
            kept: None,
        }
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

    /// Until when a link holds back what was sent over it: what it holds comes then, healed or not.
    pub(crate) fn held_until(&self) -> Time {
        self.links.values().map(|link| link.clogged_until).max().unwrap_or(Time::ZERO)
    }

    /// From now on packets are kept, to be sent again.
    pub(crate) fn keep_packets(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// A packet is on its way.
    pub(crate) fn sent(&mut self, packet: &Bytes) {
        if let Some(kept) = &mut self.kept {
            kept.keep(packet);
        }
    }

    /// A packet that was sent lately, or at some time; `any` chooses it.
    pub(crate) fn again(&self, is_old: bool, any: u64) -> Option<Bytes> {
        let kept = self.kept.as_ref()?;
        let count = if is_old { kept.old.len() } else { kept.recent.len() } as u64;
        let at = any.checked_rem(count)? as usize;
        Some(if is_old { kept.old[at].clone() } else { kept.recent[at].clone() })
    }

    /// Packets that were damaged so far.
    pub fn corrupted(&self) -> u64 {
        self.corrupted
    }

    /// The ways of one packet: how long each copy that arrives takes.
    pub(crate) fn route(&mut self, now: Time, from: NodeId, to: NodeId) -> Vec<Duration> {
        let link = *self.links.get(&(from, to)).unwrap_or(&self.usual);
        let count = self.counts.entry((from, to)).or_insert(0);
        *count += 1;
        let draw = |purpose, copy| self.rng.draw(purpose, from, to, *count * 2 + copy);
        if link.cut || draw(Purpose::Loss, 0) % 1000 < link.loss {
            return Vec::new();
        }
        if link.corrupt > 0 && draw(Purpose::Corrupt, 0) % 1000 < link.corrupt {
            self.corrupted += 1;
            return Vec::new();
        }
        let copies = 1 + u64::from(draw(Purpose::Duplicate, 0) % 1000 < link.duplicate);
        let spread = link.slowest.saturating_sub(link.fastest).as_nanos() as u64 + 1;
        let clogged = link.clogged_until.since(now.min(link.clogged_until));
        let drawn = |copy| link.fastest + Duration::from_nanos(draw(Purpose::Delay, copy) % spread);
        let delay = |copy| drawn(copy).max(clogged);
        (0..copies).map(delay).collect()
    }
}
