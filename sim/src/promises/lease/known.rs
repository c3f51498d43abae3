//! What is known of clocks, calls and revisions before anything is concluded.

use std::time::Duration;

use crate::promises::promise::Moment;

/// What is taken for granted of clocks and of the store.
#[derive(Clone, Copy, Debug)]
pub struct LeaseBounds {
    /// By how much any member's clock may be faster or slower than the observer's, in millionths.
    pub drift_ppm: u64,
    /// How long it takes to have another leader, at the most.
    pub election: Duration,
    /// How often what remains of a lease is made to outlive its leader: a change of leaders may lose so much.
    /// (A store that never does says [`Duration::MAX`]: then each change may begin the whole time anew.)
    pub checkpoint: Duration,
    /// How much later the end of a lease that is over may be seen: ticks, agreement, and the way here.
    pub slack: Duration,
}

impl LeaseBounds {
    /// The least time in which any clock counts this much.
    pub(super) fn least(&self, counted: Duration) -> Duration {
        let nanos = counted.as_nanos().saturating_mul(1_000_000) / u128::from(1_000_000 + self.drift_ppm);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The most.
    pub(super) fn most(&self, counted: Duration) -> Duration {
        let pace = 1_000_000_u64.saturating_sub(self.drift_ppm).max(1);
        let nanos = counted.as_nanos().saturating_mul(1_000_000).div_ceil(u128::from(pace));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// When a call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it was sent.
    pub sent: Moment,
    /// When its answer came.
    pub answered: Moment,
    /// From when on the leader counted, if that is known.
    pub processed: Option<Moment>,
}

impl Call {
    /// A call of which only its beginning and its end are known.
    pub fn new(sent: Moment, answered: Moment) -> Call {
        Call { sent, answered, processed: None }
    }

    /// It took effect no earlier.
    pub(super) fn from(&self) -> Moment {
        self.processed.unwrap_or(self.sent)
    }

    /// It took effect no later.
    pub(super) fn until(&self) -> Moment {
        self.processed.unwrap_or(self.answered)
    }
}

/// Who made a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A lease ended, by expiry or because somebody revoked it.
    Lease,
    /// Anybody else, or it is not known: then keys that go say nothing of their lease.
    Other,
}
