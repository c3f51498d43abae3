//! The store as it should be: what each revision holds, and what a request does to it.
//!
//! A request is tried, not believed: [`Store::run`] does it, notes what it changed, and says whether the
//! answer fits. Then the caller keeps the effect or takes it back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;

use bytes::Bytes;

use super::op::{Compare, KeyValue, Operand, Put, Range, Relation, Request, Response, Span, Txn};
use super::{Change, Revision, answer};

/// Why an answer does not fit.
#[derive(Debug)]
pub(super) enum Fault {
    /// The request should have been refused, because of this.
    Refused(&'static str),
    /// This should have been the answer, or the part of it that is wrong.
    Differs(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Refused(why) => write!(f, "it should have been refused: {why}"),
            Fault::Differs(right) => write!(f, "the right answer is: {right}"),
        }
    }
}

/// All keys as one revision left them.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) revision: Revision,
    live: BTreeMap<Bytes, KeyValue>,
    /// The live keys of each lease.
    leases: BTreeMap<i64, BTreeSet<Bytes>>,
    /// Every version of every key, a version of 0 for its end; kept only if somebody reads the past.
    past: Option<BTreeMap<Bytes, Vec<KeyValue>>>,
    /// What the request under way changed.
    changes: Vec<Change>,
    /// And what was there before.
    undo: Vec<(Bytes, Option<KeyValue>)>,
    /// Which branches the transaction under way takes, in the order in which it comes to them.
    path: Vec<bool>,
    next_branch: usize,
}

impl Store {
    /// Revision 1, which is empty.
    pub(super) fn new(keep_past: bool) -> Store {
        Store {
            revision: 1,
            live: BTreeMap::new(),
            leases: BTreeMap::new(),
            past: keep_past.then(BTreeMap::new),
            changes: Vec::new(),
            undo: Vec::new(),
            path: Vec::new(),
            next_branch: 0,
        }
    }

    /// Does a request on top of this revision. If it was answered, the answer must fit. What it did is kept or
    /// undone by the next call.
    pub(super) fn run(&mut self, request: &Request, told: Option<&Response>) -> Result<(), Fault> {
        self.changes.clear();
        self.undo.clear();
        self.path.clear();
        self.next_branch = 0;
        well_formed(request)?;
        self.check(request)?;
        self.execute(request, told)
    }

    /// What the last run changed.
    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Makes what the last run changed the next revision.
    pub(super) fn keep(&mut self) {
        self.revision += 1;
        if let Some(past) = &mut self.past {
            for change in &self.changes {
                let gone = || KeyValue { mod_revision: self.revision, ..KeyValue::default() };
                let version = self.live.get(change.key()).cloned().unwrap_or_else(gone);
                past.entry(change.key().clone()).or_default().push(version);
            }
        }
        self.undo.clear();
        self.changes.clear();
    }

    /// Takes back what the last run changed.
    pub(super) fn take_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            self.set(key, before);
        }
        self.changes.clear();
    }

    /// Makes changes that somebody else answers for the next revision.
    pub(super) fn follow(&mut self, changes: &[Change]) {
        self.changes.clear();
        self.undo.clear();
        for change in changes {
            match change {
                Change::Put { key, value, lease } => self.write(key.clone(), value.clone(), *lease),
                Change::Delete { key } => self.remove(key.clone()),
            }
        }
        self.keep();
    }

    /// The lease whose end these changes could be.
    pub(super) fn lease_ended_by(&self, changes: &[Change]) -> Option<i64> {
        let Some(Change::Delete { key }) = changes.first() else { return None };
        let lease = self.live.get(key)?.lease;
        let keys = self.leases.get(&lease)?;
        let is_deleted = |(key, change): (&Bytes, &Change)| match change {
            Change::Delete { key: deleted } => deleted == key,
            Change::Put { .. } => false,
        };
        let fits = keys.len() == changes.len() && keys.iter().zip(changes).all(is_deleted);
        fits.then_some(lease)
    }

    /// Decides all branches, and looks for whatever makes the request an error, before anything is written.
    fn check(&mut self, request: &Request) -> Result<(), Fault> {
        match request {
            Request::Put(put) if put.ignore_value || put.ignore_lease => match self.live.get(&put.key) {
                Some(_) => Ok(()),
                None => Err(Fault::Refused("there is no such key to keep a value or lease of")),
            },
            Request::Range(range) if range.revision > self.revision => {
                Err(Fault::Refused("that revision is yet to come"))
            }
            Request::Txn(txn) => {
                let holds = txn.compares.iter().all(|compare| self.holds(compare));
                self.path.push(holds);
                let branch = if holds { &txn.success } else { &txn.failure };
                branch.iter().try_for_each(|op| self.check(op))
            }
            _ => Ok(()),
        }
    }

    fn execute(&mut self, request: &Request, told: Option<&Response>) -> Result<(), Fault> {
        match request {
            Request::Put(put) => self.put(put, told),
            Request::Delete(delete) => {
                let doomed = self.rows(&delete.span);
                let right = told.filter(|told| !answer::fits_delete(delete, &doomed, told));
                let right = right.map(|_| answer::delete(delete, &doomed));
                let keys: Vec<Bytes> = doomed.iter().map(|pair| pair.key.clone()).collect();
                for key in keys {
                    self.remove(key);
                }
                right.map_or(Ok(()), differs)
            }
            Request::Range(range) => told.map_or(Ok(()), |told| self.range(range, told)),
            Request::Txn(txn) => self.txn(txn, told),
            Request::Glance => match told {
                None | Some(Response::Glance) => Ok(()),
                Some(_) => differs(Response::Glance),
            },
        }
    }

    fn put(&mut self, put: &Put, told: Option<&Response>) -> Result<(), Fault> {
        let before = self.live.get(&put.key);
        let prev = before.filter(|_| put.prev_kv);
        if let Some(told) = told
            && !matches!(told, Response::Put { prev: told } if told.as_ref() == prev)
        {
            return differs(Response::Put { prev: prev.cloned() });
        }
        let kept = |keep: bool| before.filter(|_| keep);
        let value = kept(put.ignore_value).map_or(&put.value, |before| &before.value).clone();
        let lease = kept(put.ignore_lease).map_or(put.lease, |before| before.lease);
        self.write(put.key.clone(), value, lease);
        Ok(())
    }

    fn range(&self, range: &Range, told: &Response) -> Result<(), Fault> {
        let rows = if range.revision > 0 {
            self.rows_at(&range.span, range.revision)
        } else {
            self.rows(&range.span)
        };
        let count = rows.len();
        let (rows, more) = answer::select(range, rows);
        if answer::fits_range(range, &rows, more, count, told) {
            return Ok(());
        }
        differs(answer::range(range, &rows, more, count))
    }

    fn txn(&mut self, txn: &Txn, told: Option<&Response>) -> Result<(), Fault> {
        let holds = self.path.get(self.next_branch).copied().unwrap_or(false);
        self.next_branch += 1;
        let branch = if holds { &txn.success } else { &txn.failure };
        let told: Option<&[Response]> = match told {
            None => None,
            Some(Response::Txn { succeeded, responses })
                if *succeeded == holds && responses.len() == branch.len() =>
            {
                Some(responses)
            }
            Some(_) => {
                let which = if holds { "hold" } else { "do not hold" };
                return Err(Fault::Differs(format!("the compares {which}: {} answers", branch.len())));
            }
        };
        for (at, op) in branch.iter().enumerate() {
            self.execute(op, told.and_then(|told| told.get(at)))?;
        }
        Ok(())
    }

    /// The live pairs of a span, in key order.
    fn rows(&self, span: &Span) -> Vec<&KeyValue> {
        match bounds(span) {
            None => self.live.get(&span.key).into_iter().collect(),
            Some((_, Bound::Excluded(end))) if end <= &span.key[..] => Vec::new(),
            Some(bounds) => self.live.range::<[u8], _>(bounds).map(|(_, pair)| pair).collect(),
        }
    }

    /// The same as an earlier revision left them.
    fn rows_at(&self, span: &Span, revision: Revision) -> Vec<&KeyValue> {
        let Some(past) = &self.past else { return Vec::new() };
        let at = |versions: &'_ Vec<KeyValue>| {
            versions.partition_point(|version| version.mod_revision <= revision).checked_sub(1)
        };
        let live = |versions: &'_ Vec<KeyValue>| at(versions).filter(|&at| versions[at].version > 0);
        let pick = |versions| live(versions).map(|at| &versions[at]);
        match bounds(span) {
            None => past.get(&span.key).and_then(pick).into_iter().collect(),
            Some((_, Bound::Excluded(end))) if end <= &span.key[..] => Vec::new(),
            Some(bounds) => {
                past.range::<[u8], _>(bounds).filter_map(|(_, versions)| pick(versions)).collect()
            }
        }
    }

    fn holds(&self, compare: &Compare) -> bool {
        if compare.span.is_one() {
            return holds_for(compare, self.live.get(&compare.span.key));
        }
        let rows = self.rows(&compare.span);
        match &rows[..] {
            [] => holds_for(compare, None),
            rows => rows.iter().all(|pair| holds_for(compare, Some(pair))),
        }
    }

    fn write(&mut self, key: Bytes, value: Bytes, lease: i64) {
        let mod_revision = self.revision + 1;
        self.changes.push(Change::Put { key: key.clone(), value: value.clone(), lease });
        // The key as it lies in the map already is the one that is shared.
        let before = match self.live.get_mut(&key) {
            Some(pair) => {
                let (create_revision, version) = (pair.create_revision, pair.version.saturating_add(1));
                let key = pair.key.clone();
                let new = KeyValue { key, value, create_revision, mod_revision, version, lease };
                Some(std::mem::replace(pair, new))
            }
            None => {
                let (create_revision, version) = (mod_revision, 1);
                let new = KeyValue { key: key.clone(), value, create_revision, mod_revision, version, lease };
                self.live.insert(key.clone(), new)
            }
        };
        self.hang(&key, before.as_ref().map_or(0, |before| before.lease), lease);
        self.undo.push((key, before));
    }

    fn remove(&mut self, key: Bytes) {
        self.changes.push(Change::Delete { key: key.clone() });
        let before = self.set(key.clone(), None);
        self.undo.push((key, before));
    }

    /// Puts a pair in its place, or takes it away, and returns what was there.
    fn set(&mut self, key: Bytes, pair: Option<KeyValue>) -> Option<KeyValue> {
        let new = pair.as_ref().map_or(0, |pair| pair.lease);
        let before = match pair {
            Some(pair) => self.live.insert(key.clone(), pair),
            None => self.live.remove(&key),
        };
        self.hang(&key, before.as_ref().map_or(0, |before| before.lease), new);
        before
    }

    /// Moves a key from one lease to another; 0 is none.
    fn hang(&mut self, key: &Bytes, old: i64, new: i64) {
        if old == new {
            return;
        }
        if let Some(keys) = self.leases.get_mut(&old) {
            keys.remove(key);
            if keys.is_empty() {
                self.leases.remove(&old);
            }
        }
        if new != 0 {
            self.leases.entry(new).or_default().insert(key.clone());
        }
    }
}

/// From where to where a map is walked.
type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Every key that is named is one. No store looks further, so it does not matter which branch would be taken.
fn well_formed(request: &Request) -> Result<(), Fault> {
    let named = |key: &Bytes| if key.is_empty() { Err(Fault::Refused("no key is empty")) } else { Ok(()) };
    match request {
        Request::Put(put) => named(&put.key),
        Request::Delete(delete) => named(&delete.span.key),
        Request::Range(range) => named(&range.span.key),
        Request::Txn(txn) => {
            txn.compares.iter().try_for_each(|compare| named(&compare.span.key))?;
            txn.all().try_for_each(well_formed)
        }
        Request::Glance => Ok(()),
    }
}

fn differs(right: Response) -> Result<(), Fault> {
    Err(Fault::Differs(right.to_string()))
}

/// None: one key.
fn bounds(span: &Span) -> Option<Bounds<'_>> {
    match &span.end[..] {
        [] => None,
        [0] => Some((Bound::Included(&span.key), Bound::Unbounded)),
        end => Some((Bound::Included(&span.key), Bound::Excluded(end))),
    }
}

/// Whether a condition holds for one pair, or for a key that does not exist.
fn holds_for(compare: &Compare, pair: Option<&KeyValue>) -> bool {
    let number = |of: fn(&KeyValue) -> i64| pair.map_or(0, of);
    let ordering = match &compare.operand {
        Operand::Version(with) => number(|pair| pair.version).cmp(with),
        Operand::Create(with) => number(|pair| pair.create_revision).cmp(with),
        Operand::Mod(with) => number(|pair| pair.mod_revision).cmp(with),
        Operand::Lease(with) => number(|pair| pair.lease).cmp(with),
        Operand::Value(with) => match pair {
            Some(pair) => pair.value.cmp(with),
            // It is not even unequal to anything.
            None => return false,
        },
    };
    match compare.relation {
        Relation::Equal => ordering.is_eq(),
        Relation::NotEqual => ordering.is_ne(),
        Relation::Less => ordering.is_lt(),
        Relation::Greater => ordering.is_gt(),
    }
}
