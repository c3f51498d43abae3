//! Whether leases lived as long as was promised, no shorter and not for ever, as far as that can be seen from
//! outside.
//!
//! A call's effect lies somewhere between its sending and its answer, so the judge concludes only from what
//! must be so wherever it lay: a lease must live from the *sending* of its last acknowledged renewal, and need
//! not be over before a time counted from that renewal's *answer*. Whoever knows the instant from which the
//! leader counted says so ([`Call::processed`]), and is judged more sharply.
//!
//! Not visible from outside, and so not judged here: under whose term an end was proposed (E5), and what the
//! lease tables of members hold (E6, but for the keys).

mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

pub use known::{Call, Cause, LeaseBounds};

use super::promise::{Broken, Moment, Rule};
use crate::history::{Change, Revision};

/// One lease, from its grant to its end.
#[derive(Clone, Debug)]
struct Life {
    ttl: Duration,
    /// When its grant was answered: what is asked later is asked of this life.
    since: Moment,
    /// The grant or acknowledged renewal that began last.
    proof: Call,
    /// Between these it was renewed last, for all that is known.
    renewed: (Moment, Moment),
    /// The last call that began while it must still have been there.
    alive: Moment,
    /// Somebody asked to revoke it: from then on it may end at any time.
    revoke: Option<Moment>,
    /// It had ended by then.
    ended: Option<Moment>,
    /// The log shows its end.
    is_ended_in_log: bool,
    /// The log has still to show the end of the one that had this id before.
    owes_another_end: bool,
}

/// Calls that concern an id and were not heard of (yet): when the first was made, and how many.
#[derive(Clone, Copy, Debug, Default)]
struct Attempts {
    first: Moment,
    count: u32,
}

/// Judges all leases of a run. What it is told should come in the order in which it was known; it keeps a few
/// words for each lease and each key that hangs on one, until they are forgotten.
///
/// ```
/// use kvorum_sim::history::Change;
/// use kvorum_sim::promises::{Call, Cause, LeaseBounds, LeaseJudge, Rule};
/// use std::time::Duration;
///
/// let at = Duration::from_secs; // since whenever the observer's clock was started
/// let mut judge = LeaseJudge::new(LeaseBounds {
///     drift_ppm: 1_000,
///     election: at(2),
///     checkpoint: at(60),
///     slack: at(2),
/// });
/// // Lease 7 was asked for at 0 s and granted by 1 s, for ten seconds; a key hangs on it.
/// judge.granted(7, at(10), Call::new(at(0), at(1)))?;
/// let put = Change::Put { key: "job".into(), value: "mine".into(), lease: 7 };
/// judge.revision(2, at(1), &[put], Cause::Other)?;
/// judge.renewed(7, at(10), Call::new(at(5), at(6)))?;
/// // Sent at 5 s, the renewal is good until 15 s or so. At 12 s the lease is gone with its key: too early.
/// let gone = Change::Delete { key: "job".into() };
/// let early = judge.clone().revision(3, at(12), &[gone.clone()], Cause::Lease);
/// assert_eq!(early.unwrap_err().rule, Rule::E1);
/// judge.revision(3, at(16), &[gone], Cause::Lease)?;
/// judge.finish(at(60))?;
/// # Ok::<(), kvorum_sim::promises::Broken>(())
/// ```
#[derive(Clone, Debug)]
pub struct LeaseJudge {
    bounds: LeaseBounds,
    lives: BTreeMap<i64, Life>,
    grants: BTreeMap<i64, Attempts>,
    revokes: BTreeMap<i64, Attempts>,
    /// Which lease a key hangs on, and which keys hang on a lease, as the log has it.
    lease_of: BTreeMap<Bytes, i64>,
    keys_of: BTreeMap<i64, BTreeSet<Bytes>>,
    elected: Vec<Moment>,
    held_up: Vec<(Moment, Moment)>,
    stood: Vec<(Moment, Moment)>,
}

impl LeaseJudge {
    /// Nothing is known yet.
    pub fn new(bounds: LeaseBounds) -> LeaseJudge {
        LeaseJudge {
            bounds,
            lives: BTreeMap::new(),
            grants: BTreeMap::new(),
            revokes: BTreeMap::new(),
            lease_of: BTreeMap::new(),
            keys_of: BTreeMap::new(),
            elected: Vec::new(),
            held_up: Vec::new(),
            stood: Vec::new(),
        }
    }

    /// Somebody asks for a lease with an id of their choice. Needed only for ids that are used again: until
    /// the answer comes, an old lease may have ended and this one begun.
    pub fn grant_asked(&mut self, id: i64, sent: Moment) {
        asked(&mut self.grants, id, sent);
    }

    /// Such a grant was refused, and will not take effect.
    pub fn grant_refused(&mut self, id: i64) {
        answered(&mut self.grants, id);
    }

    /// A lease was granted, for as long as the answer said.
    ///
    /// # Errors
    ///
    /// [`Rule::E1`] or [`Rule::E7`]: the id was still taken by a lease that must live.
    pub fn granted(&mut self, id: i64, ttl: Duration, call: Call) -> Result<(), Broken> {
        answered(&mut self.grants, id);
        let is_certain = !self.may_be_another(id, call.until());
        let old = self.lives.get(&id).filter(|old| old.ended.is_none() && is_certain);
        let verdict = old.map_or(Ok(()), |old| self.not_early(id, old, call.until(), "granted again"));
        let life = Life {
            ttl,
            since: call.until(),
            proof: call,
            renewed: (call.from(), call.until()),
            alive: call.from(),
            revoke: self.revokes.get(&id).map(|attempts| attempts.first),
            ended: None,
            is_ended_in_log: false,
            owes_another_end: self.keys_of.contains_key(&id),
        };
        self.lives.insert(id, life);
        verdict
    }

    /// A renewal was acknowledged: so much is left.
    ///
    /// # Errors
    ///
    /// [`Rule::E4`] if that is too much, [`Rule::E3`] if the lease had ended, [`Rule::E2`] if it should have.
    pub fn renewed(&mut self, id: i64, left: Duration, call: Call) -> Result<(), Broken> {
        self.told(id, left, call)?;
        if let Some(life) = self.lives.get_mut(&id) {
            if call.from() > life.proof.from() {
                life.proof = call;
            }
            life.renew(call.from(), call.until());
        }
        self.recheck(id)
    }

    /// A renewal was asked for whose answer nobody knows: it may have taken effect until then.
    pub fn may_be_renewed(&mut self, id: i64, sent: Moment, until: Moment) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.renew(sent, until);
        }
    }

    /// The store said how much is left of a lease.
    ///
    /// # Errors
    ///
    /// As for [`LeaseJudge::renewed`].
    pub fn told(&mut self, id: i64, left: Duration, call: Call) -> Result<(), Broken> {
        if let Some(life) = self.lives.get(&id)
            && left > life.ttl
            && call.from() >= life.since
            && !self.may_be_another(id, call.until())
        {
            return broken(Rule::E4, id, format!("{left:?} left, of {:?}", life.ttl));
        }
        self.alive(id, call, "there")
    }

    /// A put that hangs a key on the lease was acknowledged, or it stood in a list of all leases.
    ///
    /// # Errors
    ///
    /// [`Rule::E3`] if the lease had ended, [`Rule::E2`] if it should have.
    pub fn used(&mut self, id: i64, call: Call) -> Result<(), Broken> {
        self.alive(id, call, "used")
    }

    /// Somebody asks to revoke a lease: whatever the answer, it may end from now on.
    pub fn revoke_asked(&mut self, id: i64, sent: Moment) {
        asked(&mut self.revokes, id, sent);
        if let Some(life) = self.lives.get_mut(&id) {
            life.revoke.get_or_insert(sent);
        }
    }

    /// It was revoked, by this call, of which [`LeaseJudge::revoke_asked`] told.
    ///
    /// # Errors
    ///
    /// [`Rule::E3`] if the lease had ended before, [`Rule::E2`] if it should have.
    pub fn revoked(&mut self, id: i64, call: Call) -> Result<(), Broken> {
        answered(&mut self.revokes, id);
        self.alive(id, call, "revoked")?;
        self.ended(id, call.until(), "revoked")
    }

    /// The store said, to whatever call, that there is no such lease.
    ///
    /// # Errors
    ///
    /// [`Rule::E1`] or [`Rule::E7`] if it must still live.
    pub fn gone(&mut self, id: i64, call: Call) -> Result<(), Broken> {
        // Asked before the grant was answered, it may have been asked before the lease began.
        match self.lives.get(&id) {
            Some(life) if call.from() >= life.since => self.ended(id, call.until(), "gone"),
            _ => Ok(()),
        }
    }

    /// The log's next revision was seen.
    ///
    /// # Errors
    ///
    /// [`Rule::E6`] if a lease went without all its keys, or took others with it; [`Rule::E1`], [`Rule::E2`],
    /// [`Rule::E7`] if the lease ended at the wrong time; [`Rule::E3`] if a key was hung on one that had
    /// ended.
    pub fn revision(
        &mut self,
        revision: Revision,
        seen: Moment,
        changes: &[Change],
        cause: Cause,
    ) -> Result<(), Broken> {
        let mut ended = BTreeSet::new();
        for change in changes {
            let key = change.key();
            let before = self.detach(key);
            match change {
                Change::Put { lease, .. } if cause == Cause::Lease => {
                    return broken(
                        Rule::E6,
                        *lease,
                        format!("the end of a lease wrote {key:?} at {revision}"),
                    );
                }
                Change::Put { lease: 0, .. } => {}
                Change::Put { lease, .. } => self.attach(revision, seen, key, *lease)?,
                Change::Delete { .. } if cause == Cause::Lease => match before {
                    Some(id) => _ = ended.insert(id),
                    None => {
                        return broken(Rule::E6, 0, format!("{key:?} went at {revision} without a lease"));
                    }
                },
                Change::Delete { .. } => {}
            }
        }
        for id in ended {
            if let Some(key) = self.keys_of.get(&id).and_then(BTreeSet::first) {
                return broken(Rule::E6, id, format!("it ended at {revision}, and {key:?} stayed"));
            }
            let Some(life) = self.lives.get_mut(&id) else { continue };
            if std::mem::take(&mut life.owes_another_end) {
                continue;
            }
            life.is_ended_in_log = true;
            self.ended(id, seen, "its keys went")?;
            self.not_late(id, seen, "its keys went")?;
        }
        Ok(())
    }

    /// Another leader was elected, or another term begun.
    pub fn leader_changed(&mut self, at: Moment) {
        self.elected.push(at);
    }

    /// Between these, nothing could be ended: no leader, no quorum, a leader that was paused. To be told
    /// before what came after.
    pub fn held_up(&mut self, from: Moment, to: Moment) {
        self.held_up.push((from, to));
    }

    /// Between these the clock of the member that led all the time stood still. One that was set back by some
    /// time stood still for that time. To be told in order, and before what came after.
    pub fn clock_stood(&mut self, from: Moment, to: Moment) {
        let from = self.stood.last().map_or(from, |(_, before)| from.max(*before));
        if from < to {
            self.stood.push((from, to));
        }
    }

    /// The run is over, and all of the log was shown: what should have ended has, as far as keys show it.
    ///
    /// # Errors
    ///
    /// [`Rule::E2`] if a lease is overdue whose keys are there, [`Rule::E6`] if it has ended without them.
    pub fn finish(&self, now: Moment) -> Result<(), Broken> {
        for (id, keys) in &self.keys_of {
            let (Some(life), Some(key)) = (self.lives.get(id), keys.first()) else { continue };
            if life.ended.is_some() && !self.may_be_another(*id, now) {
                return broken(Rule::E6, *id, format!("it has ended, and {key:?} is still there"));
            }
            self.not_late(*id, now, "its keys are still there")?;
        }
        Ok(())
    }

    /// Nobody will speak of this lease again.
    pub fn forget(&mut self, id: i64) {
        self.lives.remove(&id);
        self.grants.remove(&id);
        self.revokes.remove(&id);
    }

    /// Something was answered that only a lease that is there could have brought.
    fn alive(&mut self, id: i64, call: Call, what: &str) -> Result<(), Broken> {
        let is_other = self.may_be_another(id, call.until());
        let Some(life) = self.lives.get_mut(&id).filter(|_| !is_other) else { return Ok(()) };
        // An answer to what was asked before this life began may be of the one before.
        if call.from() < life.since {
            return Ok(());
        }
        life.alive = life.alive.max(call.from());
        self.recheck(id)?;
        self.not_late(id, call.from(), what)
    }

    /// It had ended by `at`.
    fn ended(&mut self, id: i64, at: Moment, what: &str) -> Result<(), Broken> {
        let is_other = self.may_be_another(id, at);
        let Some(life) = self.lives.get_mut(&id).filter(|_| !is_other) else { return Ok(()) };
        life.ended = Some(life.ended.map_or(at, |before| before.min(at)));
        self.recheck(id)?;
        self.lives.get(&id).map_or(Ok(()), |life| self.not_early(id, life, at, what))
    }

    /// What is known now of a lease's life against what is known of its end.
    fn recheck(&self, id: i64) -> Result<(), Broken> {
        let Some(life) = self.lives.get(&id) else { return Ok(()) };
        let Some(ended) = life.ended else { return Ok(()) };
        if life.alive > ended && !self.may_be_another(id, life.alive) {
            return broken(Rule::E3, id, format!("ended by {ended:?}, there at {:?}", life.alive));
        }
        self.not_early(id, life, ended, "it had ended")
    }

    /// E1 and E7: if it had ended by `at`, that was not before its time.
    fn not_early(&self, id: i64, life: &Life, at: Moment, what: &str) -> Result<(), Broken> {
        let (from, until) = (life.proof.from(), life.proof.until());
        if life.revoke.is_some_and(|asked| asked <= at) || at < from {
            return Ok(());
        }
        let (lived, least) = (at - from, self.bounds.least(life.ttl));
        let seen = || format!("{what} by {at:?}, {lived:?} after it was renewed, of {:?}", life.ttl);
        if lived < least {
            return broken(Rule::E1, id, seen());
        }
        // Time that no clock counted. (Of what stood still before the renewal was answered, some may lie
        // before the renewal.)
        let stood = overlap(&self.stood, until, at);
        if lived < least + stood {
            return broken(Rule::E7, id, format!("{}, and {stood:?} was not counted", seen()));
        }
        Ok(())
    }

    /// E2: that it was there at `at` is not later than it may be.
    fn not_late(&self, id: i64, at: Moment, what: &str) -> Result<(), Broken> {
        let Some(life) = self.lives.get(&id).filter(|_| !self.may_be_another(id, at)) else { return Ok(()) };
        let (from, until) = life.renewed;
        let changes = self.elected.iter().filter(|elected| (from..=at).contains(*elected)).count();
        let lost = life.ttl.min(self.bounds.checkpoint).saturating_add(self.bounds.election);
        let lost = lost.saturating_mul(u32::try_from(changes).unwrap_or(u32::MAX));
        let uncounted = overlap(&self.stood, from, at) + overlap(&self.held_up, from, at);
        let most = self.bounds.most(life.ttl.saturating_add(lost)).saturating_add(self.bounds.slack);
        let latest = until.saturating_add(most).saturating_add(uncounted);
        if at > latest {
            let seen = format!(
                "{what} at {at:?}, not renewed since {until:?}; of {:?}, with {changes} changes of leaders \
                 and {uncounted:?} that nobody could count, it was to end by {latest:?}",
                life.ttl
            );
            return broken(Rule::E2, id, seen);
        }
        Ok(())
    }

    /// Whether the id may have been granted anew by then, without an answer.
    fn may_be_another(&self, id: i64, at: Moment) -> bool {
        self.grants.get(&id).is_some_and(|attempts| attempts.first <= at)
    }

    fn attach(&mut self, revision: Revision, seen: Moment, key: &Bytes, id: i64) -> Result<(), Broken> {
        self.lease_of.insert(key.clone(), id);
        self.keys_of.entry(id).or_default().insert(key.clone());
        // Only the log's own order counts: it may be seen later than the answers.
        let is_dead = self.lives.get(&id).is_some_and(|life| life.is_ended_in_log);
        if is_dead && !self.may_be_another(id, seen) {
            return broken(Rule::E3, id, format!("{key:?} was hung on it at {revision}, after its end"));
        }
        Ok(())
    }

    fn detach(&mut self, key: &Bytes) -> Option<i64> {
        let id = self.lease_of.remove(key)?;
        if let Some(keys) = self.keys_of.get_mut(&id) {
            keys.remove(key);
            if keys.is_empty() {
                self.keys_of.remove(&id);
            }
        }
        Some(id)
    }
}

impl Life {
    fn renew(&mut self, from: Moment, until: Moment) {
        if until > self.renewed.1 {
            self.renewed = (from, until);
        }
    }
}

fn asked(calls: &mut BTreeMap<i64, Attempts>, id: i64, sent: Moment) {
    let attempts = calls.entry(id).or_insert(Attempts { first: sent, count: 0 });
    attempts.count += 1;
}

fn answered(calls: &mut BTreeMap<i64, Attempts>, id: i64) {
    if let Some(attempts) = calls.get_mut(&id) {
        attempts.count -= 1;
        if attempts.count == 0 {
            calls.remove(&id);
        }
    }
}

/// How much of these stretches lies between two instants.
fn overlap(stretches: &[(Moment, Moment)], from: Moment, to: Moment) -> Duration {
    stretches.iter().map(|(start, end)| (*end).min(to).saturating_sub((*start).max(from))).sum()
}

fn broken<T>(rule: Rule, id: i64, seen: String) -> Result<T, Broken> {
    Err(Broken::new(rule, format!("lease {id}: {seen}")))
}

#[cfg(test)]
mod tests;
