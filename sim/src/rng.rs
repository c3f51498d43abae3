//! Chance, keyed by what it decides.
//!
//! A draw depends on the seed and on what it is for (purpose, node, peer, count), never on how many draws
//! came before it: a fault that is taken out of a plan must not change everything after it.

/// What a number is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Whether a packet is lost.
    Loss = 1,
    /// Whether a packet comes twice.
    Duplicate,
    /// How long a packet takes.
    Delay,
    /// How long a sync takes.
    Sync,
    /// A new data directory's identity.
    Directory,
    /// What a disk leaves to chance.
    Disk,
    /// Where in its last writes a dying process stops.
    Tear,
    /// What a run is like: rates, sizes, speeds.
    Swarm,
    /// What goes wrong, and when.
    Fault,
    /// What clients do.
    Client,
    /// A node's own seed.
    Node,
    /// What a liar says.
    Lie,
    /// Whether a packet is damaged.
    Corrupt,
    /// What a fault leaves to the moment in which it strikes.
    Strike,
}

/// The chance of one run.
#[derive(Clone, Copy, Debug)]
pub struct Rng {
    seed: u64,
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The chance of this seed.
    pub fn new(seed: u64) -> Rng {
        Rng { seed }
    }

    /// The number drawn for a purpose, between `a` and `b` (nodes, or whatever tells draws apart), the
    /// `count`-th time.
    pub fn draw(&self, purpose: Purpose, a: u64, b: u64, count: u64) -> u64 {
        [purpose as u64, a, b, count].into_iter().fold(mix(self.seed), |state, part| mix(state ^ mix(part)))
    }

    /// A stream of draws for one actor and purpose.
    pub fn stream(&self, purpose: Purpose, actor: u64) -> Stream {
        Stream { rng: *self, purpose, actor, count: 0 }
    }
}

/// Draws for one actor and purpose, one after the other.
#[derive(Clone, Debug)]
pub struct Stream {
    rng: Rng,
    purpose: Purpose,
    actor: u64,
    count: u64,
}

impl Stream {
    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.count += 1;
        self.rng.draw(self.purpose, self.actor, 0, self.count)
    }

    /// A number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.any() % limit.max(1)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// Whether something happens that happens `permille` times in a thousand.
    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
