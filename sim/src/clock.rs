//! A machine's monotonic clock: it begins with the process, and runs a little too fast or too slow. In worlds
//! where clocks do what none may do, it jumps forward or stands still.

use std::ops::RangeInclusive;
use std::time::Duration;

use kvorum_core::Time;

/// How much faster a clock may run, in parts of a million: from all but standing still to ten times as fast.
pub(crate) const DRIFTS: RangeInclusive<i64> = -999_999..=9_000_000;

/// How far a clock may jump at once: further than any machine sleeps, and not so far that a node's count of the beats
/// that it missed has no room.
pub(crate) const LONGEST_JUMP: Duration = Duration::from_secs(365 * 86_400);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    /// Since when it has run as it does now.
    since: Time,
    /// What it showed then.
    shown: Time,
    /// How much faster it runs, in parts of a million.
    ppm: i64,
    /// It stands still until then.
    frozen_until: Time,
}

impl Clock {
    /// A process begins, and its clock with it.
    pub(crate) fn boot(&mut self, now: Time) {
        (self.since, self.shown) = (now, Time::ZERO);
    }

    /// From now on it runs like this.
    pub(crate) fn set_drift(&mut self, now: Time, ppm: i64) {
        self.settle(now);
        self.ppm = ppm;
    }

    pub(crate) fn jump(&mut self, now: Time, by: Duration) {
        self.settle(now);
        self.shown = self.shown + by;
    }

    pub(crate) fn freeze(&mut self, now: Time, until: Time) {
        self.settle(now);
        self.frozen_until = self.frozen_until.max(until);
    }

    pub(crate) fn thaw(&mut self, now: Time) {
        self.settle(now);
        self.frozen_until = Time::ZERO;
    }

    /// What it shows.
    pub(crate) fn local(&self, now: Time) -> Time {
        let passed = now.since(self.begin().min(now)).as_nanos() as i128;
        let shown = i128::from(self.shown.as_nanos());
        in_range(shown + passed + passed * i128::from(self.ppm) / 1_000_000)
    }

    /// When it shows `local`, or a little later.
    pub(crate) fn global(&self, local: Time) -> Time {
        if local == Time::NEVER {
            return Time::NEVER;
        }
        let wanted = i128::from(local.as_nanos().saturating_sub(self.shown.as_nanos()));
        let passed = wanted * 1_000_000 / i128::from(1_000_000 + self.ppm);
        in_range(i128::from(self.begin().as_nanos()) + passed + i128::from(self.ppm != 0) * 2)
    }

    fn begin(&self) -> Time {
        self.since.max(self.frozen_until)
    }

    /// Counts what has passed, so that what comes may pass otherwise.
    fn settle(&mut self, now: Time) {
        self.shown = self.local(now);
        self.since = now;
    }
}

/// What lies beyond the last instant never comes.
fn in_range(nanos: i128) -> Time {
    u64::try_from(nanos).map_or(Time::NEVER, Time::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_change_of_drift_does_not_change_what_has_passed() {
        let mut clock = Clock::default();
        clock.boot(at(1000));
        clock.set_drift(at(1000), 100_000);
        assert_eq!(clock.local(at(2000)), at(1100));
        clock.set_drift(at(2000), -500_000);
        assert_eq!(clock.local(at(3000)), at(1600));
        assert!(clock.local(clock.global(at(1800))) >= at(1800));
    }

    #[test]
    fn what_a_clock_never_shows_never_comes() {
        let mut clock = Clock::default();
        clock.freeze(at(100), Time::NEVER);
        assert_eq!((clock.local(at(900)), clock.global(at(150))), (at(100), Time::NEVER));
        let mut clock = Clock::default();
        clock.set_drift(Time::ZERO, *DRIFTS.start());
        assert_eq!(clock.global(at(1 << 40)), Time::NEVER);
        assert_eq!(clock.local(at(1_000_000)), at(1));
    }

    #[test]
    fn it_stands_still_and_goes_on() {
        let mut clock = Clock::default();
        clock.freeze(at(100), at(300));
        assert_eq!(clock.local(at(250)), at(100));
        assert_eq!(clock.global(at(150)), at(350));
        clock.thaw(at(200));
        assert_eq!(clock.local(at(300)), at(200));
        clock.jump(at(300), Duration::from_secs(1));
        assert_eq!(clock.local(at(300)), at(1200));
    }
}
