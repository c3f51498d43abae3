//! Raft counts ticks; this turns time into them, and draws election timeouts.
//!
//! Raft draws its election timeout from a generator of the thread that nobody can seed. So before it can look at
//! it, which it does at a tick only, the draw is replaced by a hash of the node's seed and of where it stands: the
//! same inputs then lead to the same outputs, in any process.

use std::time::Duration;

use raft::StateRole;

use super::Node;
use crate::config::Config;
use crate::time::Time;

/// Ticks between two heartbeats.
pub(super) const HEARTBEAT_TICKS: usize = 5;

pub(super) struct Timing {
    every: Duration,
    next: Time,
    election_ticks: usize,
    draws: u64,
    /// The last draw, and from what: most ticks of a leader change nothing that it is made from.
    drawn: ([u64; 5], usize),
}

impl Timing {
    pub(super) fn new(config: &Config, now: Time) -> Timing {
        let every = config.heartbeat / HEARTBEAT_TICKS as u32;
        let election_ticks = (config.election_timeout.as_nanos() / every.as_nanos().max(1)) as usize;
        Timing { every, next: now + every, election_ticks, draws: 0, drawn: ([0; 5], 0) }
    }

    pub(super) fn election_ticks(&self) -> usize {
        self.election_ticks
    }

    /// The time between two ticks.
    pub(super) fn every(&self) -> Duration {
        self.every
    }

    pub(super) fn next_tick(&self) -> Time {
        self.next
    }

    /// How many ticks are due. After a long sleep not all of them are made up for: the others were not
    /// asleep, and a node that wakes should first hear what they said meanwhile.
    fn due(&mut self, now: Time) -> usize {
        if now < self.next {
            return 0;
        }
        let every = self.every.as_nanos().max(1);
        let missed = u32::try_from(now.since(self.next).as_nanos() / every).unwrap_or(u32::MAX - 1);
        self.next = self.next + self.every * (missed + 1);
        (missed as usize + 1).min(self.election_ticks)
    }
}

fn draw(parts: [u64; 5], range: usize) -> usize {
    let hash = blake3::hash(parts.map(u64::to_le_bytes).as_flattened());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    (u64::from_le_bytes(first) % range.max(1) as u64) as usize
}

impl Node {
    /// Lets raft's clock, and everything that goes by it, catch up with the time.
    pub(super) fn tick(&mut self) {
        let due = self.timing.due(self.now);
        for _ in 0..due {
            // Alone, it would elect itself at once: only once all that it wrote is durable (raft asserts it).
            let must_wait = self.is_alone() && !self.is_leader() && self.held.is_waiting();
            if !must_wait && !self.is_installing() {
                self.set_election_timeout();
                self.raft.tick();
                self.after_step();
            }
        }
        if due > 0 {
            self.expire_waiting();
            self.upkeep();
        }
    }

    pub(super) fn is_alone(&self) -> bool {
        self.config.voters.len() == 1
    }

    /// An image took the log's place and is not durable yet. Raft counts nothing of it as applied until then,
    /// and would look for the entries in between if it campaigned (and panic, since they are gone).
    fn is_installing(&self) -> bool {
        self.raft.raft.raft_log.applied < self.raft.store().base().index
    }

    /// Counts what may have made raft draw an election timeout.
    pub(super) fn after_step(&mut self) {
        let raft = &self.raft.raft;
        if raft.election_elapsed == 0 && raft.state != StateRole::Leader {
            self.timing.draws += 1;
        }
    }

    /// Replaces raft's draw.
    fn set_election_timeout(&mut self) {
        let raft = &mut self.raft.raft;
        let role = raft.state as u64;
        let parts = [self.config.seed, self.identity.node, raft.term, role, self.timing.draws];
        let ticks = self.timing.election_ticks;
        if self.timing.drawn.0 != parts {
            self.timing.drawn = (parts, draw(parts, ticks));
        }
        raft.set_randomized_election_timeout(ticks + self.timing.drawn.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_long_sleep_ticks_are_not_made_up_for() {
        let config = Config::new(1, [1]);
        let mut timing = Timing::new(&config, Time::ZERO);
        assert_eq!(timing.due(Time::ZERO + Duration::from_millis(40)), 2);
        assert_eq!(timing.due(Time::ZERO + Duration::from_secs(3600)), timing.election_ticks());
        assert!(timing.next_tick() > Time::ZERO + Duration::from_secs(3600));
    }
}
