//! The leader's clock for leases.
//!
//! The log knows which leases exist; only the leader counts their time, and what it sees end it proposes
//! to end, under its term. What remains of long leases is written to the log from time to time, so that a
//! chain of leaders does not begin their time anew for ever. A renewal takes such a note back *through the
//! log* before it is acknowledged: the next leader would otherwise end the lease too early.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::command::LeaseRemaining;
use crate::ids::LeaseId;
use crate::state::LeaseInfo;
use crate::time::Time;

/// How often what remains of a lease is written down. Shorter leases are not: beginning their time anew
/// costs no more than this.
pub(super) const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// How many leases one entry ends or writes down.
const PER_ENTRY: usize = 500;

struct Running {
    ttl: Duration,
    deadline: Time,
    /// When it was last granted, renewed or written down.
    touched: Time,
    /// Less than the whole may stand in the log (or be on its way there).
    noted: bool,
    /// The number of the entry under way that takes a note back. No note may follow it: a renewal will be acknowledged
    /// when it is applied, and the note would be the last word.
    taking_back: Option<u64>,
    /// When its end was proposed last.
    ending: Option<Time>,
}

impl Running {
    fn new(now: Time, ttl: Duration) -> Running {
        Running { ttl, deadline: now + ttl, touched: now, noted: false, taking_back: None, ending: None }
    }
}

#[derive(Default)]
pub(super) struct LeaseClock {
    /// How many renewals there were.
    pub(super) renewed: u64,
    running: BTreeMap<LeaseId, Running>,
    order: BTreeSet<(Time, LeaseId)>,
    /// The last lease that was written down: the others get their turn before it does again.
    last_noted: LeaseId,
}

fn seconds(ttl: i64) -> Duration {
    Duration::from_secs(u64::try_from(ttl).unwrap_or(0))
}

impl LeaseClock {
    /// This node leads from now on: counts what the log says remains.
    pub(super) fn start(&mut self, now: Time, leases: impl Iterator<Item = LeaseInfo>) {
        self.stop();
        for lease in leases {
            let ttl = seconds(lease.ttl);
            let noted = lease.remaining_millis.map(Duration::from_millis).filter(|noted| *noted < ttl);
            let noted = noted.filter(|_| !planted!("ignore_checkpoint"));
            let deadline = now + noted.unwrap_or(ttl);
            self.order.insert((deadline, lease.id));
            let running = Running { noted: noted.is_some(), deadline, ..Running::new(now, ttl) };
            self.running.insert(lease.id, running);
        }
    }

    pub(super) fn stop(&mut self) {
        if planted!("keep_old_clock") {
            return;
        }
        self.running.clear();
        self.order.clear();
    }

    pub(super) fn granted(&mut self, now: Time, id: LeaseId, ttl: i64) {
        self.ended(id);
        let running = Running::new(now, seconds(ttl));
        self.order.insert((running.deadline, id));
        self.running.insert(id, running);
    }

    pub(super) fn ended(&mut self, id: LeaseId) {
        if let Some(lease) = self.running.remove(&id) {
            self.order.remove(&(lease.deadline, id));
        }
    }

    /// What remains of a lease; `None`: it does not run.
    pub(super) fn remaining(&self, now: Time, id: LeaseId) -> Option<Duration> {
        self.running.get(&id).map(|lease| lease.deadline.since(now))
    }

    /// Whether a renewal has to wait for an entry: the lease's end is proposed.
    pub(super) fn is_ending(&self, id: LeaseId) -> bool {
        self.running.get(&id).is_some_and(|lease| lease.ending.is_some())
    }

    /// Whether a renewal has to be written to the log first.
    pub(super) fn is_noted(&self, id: LeaseId) -> bool {
        self.running.get(&id).is_some_and(|lease| lease.noted)
    }

    /// Starts a lease's time anew, counted from `since`; answers its whole time.
    pub(super) fn renew(&mut self, since: Time, id: LeaseId) -> Option<Duration> {
        let lease = self.running.get_mut(&id)?;
        let deadline = lease.deadline.max(since + lease.ttl);
        self.order.remove(&(lease.deadline, id));
        self.order.insert((deadline, id));
        lease.deadline = deadline;
        lease.touched = lease.touched.max(since);
        self.renewed += 1;
        Some(lease.ttl)
    }

    /// The entry that takes a note back was proposed under this number.
    pub(super) fn taking_note_back(&mut self, id: LeaseId, request: u64) {
        if let Some(lease) = self.running.get_mut(&id) {
            lease.taking_back = Some(request);
        }
    }

    /// The number of the entry under way that takes a note back.
    pub(super) fn takes_back(&self, id: LeaseId) -> Option<u64> {
        self.running.get(&id)?.taking_back
    }

    /// The log says again that the whole remains. If it was proposed for an earlier lease with this id, that lease's whole.
    pub(super) fn note_taken_back(&mut self, id: LeaseId, request: u64) {
        if let Some(lease) = self.running.get_mut(&id) {
            lease.noted = lease.taking_back != Some(request) && !planted!("earlier_leases_whole_believed");
            lease.taking_back = lease.taking_back.filter(|number| *number != request);
        }
    }

    /// The entry that takes a note back.
    pub(super) fn whole(&self, id: LeaseId) -> Option<LeaseRemaining> {
        let lease = self.running.get(&id)?;
        Some(LeaseRemaining { id, millis: u64::try_from(lease.ttl.as_millis()).unwrap_or(u64::MAX) })
    }

    /// Leases whose time is over, and whose end is to be proposed (again, if nothing came of it for
    /// `patience`).
    pub(super) fn due(&mut self, now: Time, patience: Duration) -> Vec<LeaseId> {
        let mut due = Vec::new();
        for &(deadline, id) in &self.order {
            if deadline > now || due.len() == PER_ENTRY {
                break;
            }
            let Some(lease) = self.running.get_mut(&id) else { continue };
            if lease.ending.is_none_or(|proposed| now.since(proposed) >= patience) {
                lease.ending = Some(now);
                due.push(id);
            }
        }
        due
    }

    /// What is to be written down now.
    pub(super) fn checkpoints(&mut self, now: Time) -> Vec<LeaseRemaining> {
        let from =
            if planted!("lowest_leases_noted") { LeaseId::MIN } else { self.last_noted.saturating_add(1) };
        let mut notes = self.checkpoints_among(now, from..=LeaseId::MAX, PER_ENTRY);
        let rest = self.checkpoints_among(now, LeaseId::MIN..=self.last_noted, PER_ENTRY - notes.len());
        notes.extend(rest);
        self.last_noted = notes.last().map_or(self.last_noted, |note| note.id);
        notes
    }

    fn checkpoints_among(
        &mut self,
        now: Time,
        ids: RangeInclusive<LeaseId>,
        most: usize,
    ) -> Vec<LeaseRemaining> {
        let mut notes = Vec::new();
        for (&id, lease) in self.running.range_mut(ids) {
            if notes.len() == most {
                break;
            }
            let is_due = lease.ttl > CHECKPOINT_INTERVAL && now.since(lease.touched) >= CHECKPOINT_INTERVAL;
            let is_due = is_due && !(planted!("checkpoint_once") && lease.noted);
            let is_due = is_due && (lease.taking_back.is_none() || planted!("note_overtakes_renewal"));
            if !is_due || lease.ending.is_some() || lease.deadline <= now {
                continue;
            }
            lease.touched = now;
            lease.noted = true;
            let millis = u64::try_from(lease.deadline.since(now).as_millis()).unwrap_or(u64::MAX);
            notes.push(LeaseRemaining { id, millis });
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn clock(ttl: i64) -> LeaseClock {
        let mut clock = LeaseClock::default();
        clock.granted(Time::ZERO, 7, ttl);
        clock
    }

    #[test]
    fn a_lease_ends_when_its_time_is_over_and_not_before() {
        let mut clock = clock(10);
        assert_eq!(clock.due(at(9), Duration::from_secs(1)), []);
        clock.renew(at(9), 7);
        assert_eq!(clock.due(at(18), Duration::from_secs(1)), []);
        assert_eq!(clock.due(at(19), Duration::from_secs(1)), [7]);
        assert_eq!(clock.due(at(19), Duration::from_secs(1)), [], "its end is on its way");
        assert_eq!(clock.due(at(20), Duration::from_secs(1)), [7], "and proposed again if it got lost");
    }

    #[test]
    fn a_late_proof_renews_from_when_it_was_asked_and_never_shortens() {
        let mut clock = clock(10);
        clock.renew(at(5), 7);
        clock.renew(at(2), 7);
        assert_eq!(clock.remaining(at(5), 7), Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_new_leader_goes_on_from_what_was_written_down() {
        let mut old = clock(300);
        let notes = old.checkpoints(at(60));
        assert_eq!(notes, [LeaseRemaining { id: 7, millis: 240_000 }]);
        assert!(old.is_noted(7), "a renewal must take the note back first");
        let mut new = LeaseClock::default();
        let lease = LeaseInfo { id: 7, ttl: 300, remaining_millis: Some(240_000) };
        new.start(at(100), [lease].into_iter());
        assert_eq!(new.remaining(at(100), 7), Some(Duration::from_secs(240)));
        assert!(new.is_noted(7));
    }

    #[test]
    fn no_note_follows_the_entry_that_takes_one_back() {
        let mut clock = clock(300);
        assert_eq!(clock.checkpoints(at(60)).len(), 1);
        clock.taking_note_back(7, 1);
        assert_eq!(clock.checkpoints(at(120)), [], "it would be the last word");
        clock.note_taken_back(7, 1);
        clock.renew(at(120), 7);
        assert!(!clock.is_noted(7));
        assert_eq!(clock.checkpoints(at(180)), [LeaseRemaining { id: 7, millis: 240_000 }]);
    }

    #[test]
    fn what_takes_back_an_earlier_leases_note_is_a_note_itself() {
        let mut clock = clock(300);
        clock.checkpoints(at(60));
        clock.taking_note_back(7, 1);
        clock.granted(at(70), 7, 3000);
        clock.note_taken_back(7, 1);
        assert!(clock.is_noted(7), "300 of 3000 seconds, says the log");
        assert_eq!(clock.takes_back(7), None);
    }

    #[test]
    fn however_many_leases_there_are_each_is_noted_in_its_turn() {
        let mut clock = LeaseClock::default();
        let minute = 60 * PER_ENTRY as i64;
        let ids = 1..=minute + 1000;
        ids.clone().for_each(|id| clock.granted(Time::ZERO, id, 1000));
        let notes = (60..125).flat_map(|second| clock.checkpoints(at(second)));
        let noted: BTreeSet<LeaseId> = notes.map(|note| note.id).collect();
        assert!(noted.into_iter().eq(ids), "the lowest come again, the highest never");
    }
}
