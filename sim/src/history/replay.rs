//! Revision after revision: every change is explained by one request, and every answer is what the store
//! held.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::op::{Op, Outcome, Request, Response, Span};
use super::place::{Placed, Places, Slot, broken};
use super::store::{Fault, Store};
use super::{Broken, Change, EventLog, Revision, Rule, blame, matching, words};

/// What a replay brings to light.
#[derive(Debug, Default)]
pub(super) struct Explained {
    /// How many revisions are explained by a request whose outcome is unknown.
    pub(super) by_wishes: u64,
    /// How many by the end of a lease.
    pub(super) by_leases: u64,
}

/// What is replayed, and against what.
pub(super) struct Replay<'a> {
    pub(super) log: &'a EventLog,
    pub(super) ops: &'a [Op],
    pub(super) places: &'a Places,
    pub(super) deadlines: &'a [u64],
    /// Which revisions are ends of which leases, if that is known.
    pub(super) ends: Option<&'a BTreeMap<Revision, i64>>,
    pub(super) store: Store,
}

impl<'a> Replay<'a> {
    /// Goes through all revisions.
    pub(super) fn run(mut self) -> Result<Explained, Broken> {
        let mut explained = Explained::default();
        let wishes = Wishes::of(self.ops, self.places);
        // Revisions that only requests of unknown outcome explain, and who could have been it.
        let (mut open, mut may) = (Vec::new(), Vec::new());
        let mut placed = &self.places.placed[..];
        for revision in 1..=self.log.newest() {
            let here = placed.partition_point(|placed| placed.position.0 <= revision);
            let (now, later) = placed.split_at(here);
            let (claims, observers) = now.split_at(now.partition_point(|p| p.position.1 == Slot::Change));
            placed = later;
            if revision > 1 {
                match self.step(revision, claims, &wishes)? {
                    Step::Claimed => {}
                    Step::LeaseEnd => explained.by_leases += 1,
                    Step::Open(candidates) => {
                        open.push(revision);
                        may.push(candidates);
                    }
                }
            }
            observers.iter().try_for_each(|observer| self.observe(revision, observer))?;
        }
        explained.by_wishes = open.len() as u64;
        match matching::assign(&may, self.places.wishes.len()) {
            Ok(_) => Ok(explained),
            Err(few) => Err(self.too_few(&few, &open, &may)),
        }
    }

    /// Finds out what explains a revision, and makes it.
    fn step(&mut self, revision: Revision, claims: &[Placed], wishes: &Wishes) -> Result<Step, Broken> {
        let log = self.log;
        let changes = log.at(revision);
        let said = self.ends.map(|ends| ends.get(&revision).copied());
        let ended = self.store.lease_ended_by(changes);
        if let Some(Some(lease)) = said
            && (ended != Some(lease) || !claims.is_empty())
        {
            return Err(self.no_lease_end(revision, lease, claims));
        }
        match claims {
            [] if ended.is_some() && said.is_none_or(|said| said == ended) => {
                self.store.follow(changes);
                Ok(Step::LeaseEnd)
            }
            [] => {
                let deadline = self.deadlines.get(revision as usize).copied().unwrap_or(u64::MAX);
                let candidates = wishes.candidates(&mut self.store, self.ops, changes, deadline);
                if candidates.is_empty() {
                    return Err(blame::nobody(&mut self.store, self.ops, revision, changes, deadline));
                }
                self.store.follow(changes);
                Ok(Step::Open(candidates))
            }
            [claim] => self.claimed(revision, claim).map(|()| Step::Claimed),
            [first, second, ..] => {
                let seen = format!("two requests were both told that they had made revision {revision}");
                Err(at(revision, broken(Rule::ClaimedTwice, self.ops, vec![first.op, second.op], &seen)))
            }
        }
    }

    /// The request that says it made this revision must have done exactly what the log says.
    fn claimed(&mut self, revision: Revision, claim: &Placed) -> Result<(), Broken> {
        let (request, told) = self.parts(claim);
        let fault = self.store.run(request, told);
        let changes = self.log.at(revision);
        if fault.is_ok() && self.store.changes() == changes {
            self.store.keep();
            return Ok(());
        }
        // The effect tells more than the answer, where both are wrong.
        let (rule, seen) = match fault {
            Err(Fault::Differs(right)) if self.effect_is(request, changes) => {
                (Rule::WrongContent, format!("the right answer is: {right}"))
            }
            Err(fault @ Fault::Refused(_)) => (Rule::WrongEffect, fault.to_string()),
            _ => (Rule::WrongEffect, format!("revision {revision} is {}", words::list(changes))),
        };
        Err(at(revision, broken(rule, self.ops, vec![claim.op], &seen)))
    }

    fn effect_is(&mut self, request: &Request, changes: &[Change]) -> bool {
        self.store.take_back();
        let is_same = self.store.run(request, None).is_ok() && self.store.changes() == changes;
        self.store.take_back();
        is_same
    }

    /// What saw this revision must have seen it as it is. That it changed nothing need not be looked at: an
    /// answer that fits tells of every change, and this one tells of none.
    fn observe(&mut self, revision: Revision, observer: &Placed) -> Result<(), Broken> {
        let (request, told) = self.parts(observer);
        let Err(fault) = self.store.run(request, told) else { return Ok(()) };
        self.store.take_back();
        let seen = format!("as revision {revision} left the store, {fault}");
        Err(at(revision, broken(Rule::WrongContent, self.ops, vec![observer.op], &seen)))
    }

    fn parts(&self, placed: &Placed) -> (&'a Request, Option<&'a Response>) {
        let op = &self.ops[placed.op];
        let told = match &op.outcome {
            Outcome::Answered { response, .. } => Some(response),
            Outcome::Refused | Outcome::Unknown => None,
        };
        (&op.request, told)
    }

    fn no_lease_end(&self, revision: Revision, lease: i64, claims: &[Placed]) -> Broken {
        let changes = words::list(self.log.at(revision));
        let seen = format!("revision {revision}, said to be the end of lease {lease}, is {changes}");
        at(
            revision,
            broken(Rule::NotALeaseEnd, self.ops, claims.iter().map(|claim| claim.op).collect(), &seen),
        )
    }

    fn too_few(&self, few: &[usize], open: &[Revision], may: &[Vec<usize>]) -> Broken {
        let mut revisions: Vec<Revision> = few.iter().map(|&deed| open[deed]).collect();
        revisions.sort_unstable();
        let mut doers: Vec<usize> = few.iter().flat_map(|&deed| may[deed].iter().copied()).collect();
        doers.sort_unstable();
        doers.dedup();
        let changes = revisions.first().map_or(&[][..], |&revision| self.log.at(revision));
        let seen = format!(
            "the revisions {} (the first: {}) can only have been made by {} requests of unknown outcome",
            words::list(&revisions),
            words::list(changes),
            doers.len()
        );
        let who = doers.iter().map(|&wish| self.places.wishes[wish].op).collect();
        let broken = broken(Rule::AppliedTwice, self.ops, who, &seen);
        Broken { revision: revisions.last().copied(), ..broken }
    }
}

enum Step {
    Claimed,
    LeaseEnd,
    Open(Vec<usize>),
}

/// At this revision.
pub(super) fn at(revision: Revision, broken: Broken) -> Broken {
    Broken { revision: Some(revision), ..broken }
}

/// Requests of unknown outcome, by what they could change.
#[derive(Debug, Default)]
struct Wishes<'a> {
    /// Each with when it was asked.
    calls: Vec<(usize, u64)>,
    /// Those that put this key, with this value or (None) with the one it has.
    puts: HashMap<(&'a Bytes, Option<&'a Bytes>), Vec<usize>>,
    /// Those that delete this key.
    deletes: HashMap<&'a Bytes, Vec<usize>>,
    /// Those that delete several, with which.
    wide: Vec<(&'a Span, usize)>,
}

impl<'a> Wishes<'a> {
    fn of(ops: &'a [Op], places: &Places) -> Wishes<'a> {
        let mut wishes = Wishes::default();
        for (wish, &super::place::Wish { op, call }) in places.wishes.iter().enumerate() {
            wishes.calls.push((op, call));
            wishes.index(wish, &ops[op].request);
        }
        wishes
    }

    fn index(&mut self, wish: usize, request: &'a Request) {
        let add = |list: &mut Vec<usize>| {
            if list.last() != Some(&wish) {
                list.push(wish);
            }
        };
        match request {
            Request::Put(put) => {
                let value = (!put.ignore_value).then_some(&put.value);
                add(self.puts.entry((&put.key, value)).or_default());
            }
            Request::Delete(delete) if delete.span.is_one() => {
                add(self.deletes.entry(&delete.span.key).or_default());
            }
            Request::Delete(delete) => self.wide.push((&delete.span, wish)),
            Request::Txn(txn) => txn.all().for_each(|op| self.index(wish, op)),
            Request::Range(_) | Request::Glance => {}
        }
    }

    /// Those that were asked in time and would have had exactly this effect here.
    fn candidates(&self, store: &mut Store, ops: &[Op], changes: &[Change], deadline: u64) -> Vec<usize> {
        let none: &[usize] = &[];
        let list = |found: Option<&'_ Vec<usize>>| found.map_or(none.to_vec(), Vec::clone);
        // What could have made the first of the changes.
        let mut could = match changes.first() {
            Some(Change::Put { key, value, .. }) => {
                let mut could = list(self.puts.get(&(key, Some(value))));
                could.extend(list(self.puts.get(&(key, None))));
                could
            }
            Some(Change::Delete { key }) => {
                let wide = self.wide.iter().filter(|(span, _)| span.contains(key)).map(|(_, wish)| *wish);
                let mut could = list(self.deletes.get(key));
                could.extend(wide);
                could
            }
            None => Vec::new(),
        };
        could.sort_unstable();
        could.dedup();
        could.retain(|&wish| {
            let (op, call) = self.calls[wish];
            if call > deadline {
                return false;
            }
            let fits = store.run(&ops[op].request, None).is_ok() && store.changes() == changes;
            store.take_back();
            fits
        });
        could
    }
}
