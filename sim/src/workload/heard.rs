//! What the clients of watches, leases, locks and elections saw, judged as soon as the step is over in which
//! they saw it: only then is the log known that they are judged by.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use kvorum_core::Time;
use kvorum_core::ids::{NodeId, Revision};

use super::delay::Delays;
use crate::check::LeaseFact;
use crate::history::Change;
use crate::judge::Judge;
use crate::promises::{
    Broken, Call, Cause, End, FenceJudge, HolderJudge, LeaseBounds, LeaseJudge, Observed, Opened, Part,
    Replay, Resource, Shown, WatchEvent, WatchJudge,
};
use crate::scene::Scene;
use crate::violation::{Checker, Violation};
use crate::world::World;

/// Something that a client saw.
pub(super) enum Heard {
    /// A watch was opened, for the first time or again.
    Opened(u64, Opened),
    /// It is read all the time, through a node in this of its lives.
    Reads(u64, NodeId, u64, Time),
    /// It was handed these at this time, and stands at this revision.
    Events(u64, Time, Vec<WatchEvent>, Revision),
    Progress(u64, Revision),
    Ended(u64, End),
    Granted(i64, Duration, Call),
    Renewed(i64, Duration, Call),
    MayBeRenewed(i64, Time, Time),
    Told(i64, Duration, Call),
    Used(i64, Call),
    RevokeAsked(i64, Time),
    Revoked(i64, Call),
    Gone(i64, Call),
    /// Its holder, beside a node in this of its lives, was asked at this time and believes in it.
    Believes(i64, NodeId, u64, Time),
    /// A lock was given: its key and token, and the newest revision when it was asked for.
    Locked(Bytes, Revision, Revision),
    /// Its holder wrote to what the lock protects.
    Wrote(Bytes, Revision),
    /// Its holder asked, and was told at a revision since this one, that it is still held.
    StillHeld(Bytes, Revision, Revision),
    /// An election was won.
    Elected(Bytes, Revision, Revision),
    /// An observer was shown a leader.
    Observed(u64, Shown),
}

/// What was heard and not judged yet. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Ears(Rc<RefCell<Vec<Heard>>>);

impl Ears {
    pub(super) fn hear(&self, heard: Heard) {
        self.0.borrow_mut().push(heard);
    }
}

/// The lock and the election of the workload.
pub(super) const LOCK: &str = "lock/a";
pub(super) const ELECTION: &str = "election/a";

/// Judges what was heard.
pub(super) struct Hearing {
    pub(super) ears: Ears,
    replay: Replay,
    watches: BTreeMap<u64, WatchJudge>,
    delays: Delays,
    leases: LeaseJudge,
    holders: HolderJudge,
    /// So many of the judge's facts about leases are known here.
    facts: usize,
    lock: FenceJudge,
    election: FenceJudge,
    /// What the lock protects, once as it should be and once as it is often done.
    fenced: Resource,
    loose: (Resource, FenceJudge),
    observers: BTreeMap<u64, Observed>,
    known: Revision,
    leaders: usize,
    looked: Time,
    are_leases_judged: bool,
    are_holders_judged: bool,
}

/// By how much, in parts of a million, each of two clocks may be wrong for a holder to be promised anything: together
/// a twentieth, which is what it allows for.
const HOLDERS_DRIFT_PPM: u64 = 25_000;

fn moment(time: Time) -> Duration {
    time.since(Time::ZERO)
}

/// A call that began then and was answered now.
pub(super) fn call(scene: &Scene, sent: Time) -> Call {
    Call::new(moment(sent), moment(scene.now()))
}

impl Hearing {
    pub(super) fn new(scene: &Scene, election_timeout: Duration) -> Hearing {
        let bounds = LeaseBounds {
            drift_ppm: scene.drift_ppm().unwrap_or(0),
            election: election_timeout * 3,
            checkpoint: Duration::from_secs(60),
            slack: Duration::from_secs(6),
        };
        Hearing {
            ears: Ears::default(),
            replay: Replay::new(),
            watches: BTreeMap::new(),
            delays: Delays::default(),
            leases: LeaseJudge::new(bounds),
            holders: HolderJudge::default(),
            facts: 0,
            lock: FenceJudge::new(format!("{LOCK}/")),
            election: FenceJudge::new(format!("{ELECTION}/")),
            fenced: Resource::fenced(),
            loose: (Resource::unfenced(), FenceJudge::new(format!("{LOCK}/"))),
            observers: BTreeMap::new(),
            known: 1,
            leaders: 0,
            looked: Time::ZERO,
            are_leases_judged: scene.drift_ppm().is_some(),
            are_holders_judged: scene.drift_ppm().is_some_and(|ppm| ppm <= HOLDERS_DRIFT_PPM),
        }
    }

    /// Takes in what happened in a step.
    pub(super) fn look(&mut self, world: &World) -> Result<(), Violation> {
        let judge = world.judge();
        self.look_at_leaders(world);
        if judge.newest() > self.known {
            self.replay.follow(judge.log());
            self.lock.follow(judge.log()).map_err(fence)?;
            self.election.follow(judge.log()).map_err(fence)?;
            self.loose.1.follow(judge.log()).map_err(fence)?;
            while self.known < judge.newest() {
                self.known += 1;
                self.revision(world)?;
            }
        }
        if self.ears.0.borrow().is_empty() {
            return Ok(());
        }
        self.replay.compacted(judge.state().compacted());
        self.look_at_leases(judge);
        let all = std::mem::take(&mut *self.ears.0.borrow_mut());
        for heard in all {
            self.judge(world, heard)?;
        }
        Ok(())
    }

    fn revision(&mut self, world: &World) -> Result<(), Violation> {
        let judge = world.judge();
        let cause = if judge.lease_ends().contains_key(&self.known) { Cause::Lease } else { Cause::Other };
        let seen = judge.seen_at(self.known).unwrap_or(world.now());
        let changes: &[Change] = judge.log().at(self.known);
        changes.iter().try_for_each(of_a_queue)?;
        let found = self.leases.revision(self.known, moment(seen), changes, cause);
        self.of_lease(found)
    }

    /// When nothing could have ended a lease.
    fn look_at_leaders(&mut self, world: &World) {
        let (now, leaders) = (world.now(), world.judge().leaders().len());
        if leaders != self.leaders {
            self.leaders = leaders;
            self.leases.leader_changed(moment(now));
        }
        if now.since(self.looked) < Duration::from_millis(100) {
            return;
        }
        let is_stuck = world.ids().into_iter().any(|node| world.is_disk_stuck(node));
        if !world.scene().is_calm() || is_stuck || world.leader().is_none() {
            self.leases.held_up(moment(self.looked), moment(now));
        }
        self.looked = now;
    }

    fn look_at_leases(&mut self, judge: &Judge) {
        let facts = judge.lease_facts(self.facts);
        self.facts += facts.len();
        for (at, id, _) in facts.iter().filter(|(_, _, fact)| *fact == LeaseFact::Expired) {
            self.holders.expired(*id, moment(*at));
        }
    }

    fn believes(&self, world: &World, heard: &Heard) -> Result<(), Broken> {
        let Heard::Believes(id, node, life, at) = *heard else { return Ok(()) };
        let is_there = world.is_up(node) && world.scene().life(node) == life && self.are_holders_judged;
        match world.counted_before(node, at).filter(|_| is_there) {
            Some(counted) => self.holders.believes(id, moment(counted)),
            None => Ok(()),
        }
    }

    fn judge(&mut self, world: &World, heard: Heard) -> Result<(), Violation> {
        let log = world.judge().log();
        match heard {
            Heard::Opened(..)
            | Heard::Reads(..)
            | Heard::Events(..)
            | Heard::Progress(..)
            | Heard::Ended(..) => self.of_watch(world, heard).map_err(watch),
            Heard::Locked(key, token, from) => {
                self.lock.locked_within(&key, token, from..=log.newest()).map_err(fence)
            }
            Heard::StillHeld(key, token, from) => {
                self.lock.locked_within(&key, token, from..=log.newest()).map_err(fence)
            }
            Heard::Elected(key, token, from) => {
                self.election.locked_within(&key, token, from..=log.newest()).map_err(fence)
            }
            Heard::Wrote(key, token) => {
                let (loose, judge) = &mut self.loose;
                loose.write(judge, &key, token).map_err(fence)?;
                self.fenced.write(&mut self.lock, &key, token).map(|_| ()).map_err(fence)
            }
            Heard::Observed(who, shown) => {
                let observed = self.observers.entry(who).or_default();
                self.election.shown(log, observed, &shown).map_err(fence)
            }
            Heard::Believes(..) => self.believes(world, &heard).map_err(lease),
            heard => {
                let found = self.lease_heard(heard);
                self.of_lease(found)
            }
        }
    }

    fn of_watch(&mut self, world: &World, heard: Heard) -> Result<(), Broken> {
        let past = self.replay.of(world.judge().log());
        match heard {
            Heard::Opened(who, opened) => match self.watches.get_mut(&who) {
                Some(judge) => judge.resumed(past, opened.member, opened.incarnation, opened.start)?,
                None => _ = self.watches.insert(who, WatchJudge::opened(opened)?),
            },
            Heard::Reads(who, node, life, since) => self.delays.opened(who, node, life, since),
            Heard::Events(who, at, events, next) => {
                self.delays.delivered(world, who, at, &events)?;
                if let Some(judge) = self.watches.get_mut(&who) {
                    judge.delivered(past, &events, Part::Whole)?;
                    judge.reached(past, next)?;
                }
            }
            Heard::Progress(who, revision) => {
                if let Some(judge) = self.watches.get_mut(&who) {
                    judge.progress(past, revision)?;
                }
            }
            Heard::Ended(who, end) => {
                self.delays.ended(who);
                if let Some(judge) = self.watches.get_mut(&who) {
                    judge.ended(past, end)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn lease_heard(&mut self, heard: Heard) -> Result<(), Broken> {
        match heard {
            Heard::Granted(id, ttl, call) => self.leases.granted(id, ttl, call),
            Heard::Renewed(id, left, call) => self.leases.renewed(id, left, call),
            Heard::Told(id, left, call) => self.leases.told(id, left, call),
            Heard::Used(id, call) => self.leases.used(id, call),
            Heard::Revoked(id, call) => self.leases.revoked(id, call),
            Heard::Gone(id, call) => self.leases.gone(id, call),
            Heard::MayBeRenewed(id, sent, until) => {
                self.leases.may_be_renewed(id, moment(sent), moment(until));
                Ok(())
            }
            Heard::RevokeAsked(id, sent) => {
                self.leases.revoke_asked(id, moment(sent));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn of_lease(&self, found: Result<(), Broken>) -> Result<(), Violation> {
        if self.are_leases_judged { found.map_err(lease) } else { Ok(()) }
    }

    /// The run is over, and at rest.
    pub(super) fn finish(&mut self, world: &World) -> Result<(), Violation> {
        self.look(world)?;
        let past = self.replay.of(world.judge().log());
        self.watches.values().try_for_each(|judge| judge.finish(past, true)).map_err(watch)?;
        let found = self.leases.finish(moment(world.now()));
        self.of_lease(found)?;
        let left: Vec<_> = world.judge().state().leases().filter(|lease| lease.ttl < 30).collect();
        if !left.is_empty() && self.are_leases_judged {
            let seen = format!("leases that nobody renews live on: {left:?}");
            return Err(Violation::new(Checker::Lease, "E2: a lease that nobody renews ends", seen));
        }
        let scene = world.scene();
        scene.add("writes after a later holder's, unfenced", self.loose.1.overlaps());
        Ok(())
    }
}

/// Whoever waits for a lock or has it is there as long as its lease, and no longer. Else the lock of one that
/// died is nobody's for ever: nothing that overlaps, so that no other rule is broken.
fn of_a_queue(change: &Change) -> Result<(), Violation> {
    let Change::Put { key, lease: 0, .. } = change else { return Ok(()) };
    let is_a_place = |name: &str| key.starts_with(name.as_bytes()) && key[name.len()..].starts_with(b"/");
    if !is_a_place(LOCK) && !is_a_place(ELECTION) {
        return Ok(());
    }
    let seen = format!("{key:?} hangs on no lease");
    Err(Violation::new(Checker::Fence, "F1: a lock's owner has it no longer than its lease", seen))
}

fn of(checker: Checker, broken: &Broken) -> Violation {
    Violation::new(checker, broken.rule.sentence(), &broken.seen)
}

fn watch(broken: Broken) -> Violation {
    of(Checker::Watch, &broken)
}

fn lease(broken: Broken) -> Violation {
    of(Checker::Lease, &broken)
}

fn fence(broken: Broken) -> Violation {
    of(Checker::Fence, &broken)
}
