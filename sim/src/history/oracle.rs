//! The same question as [`super::check()`], answered by trying everything: for histories of a few requests, to
//! judge the judge. It shares no code with it but the plain types, and is as naive as can be: a store is a
//! list of pairs, and a history can be true if some order of its requests is.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;

use super::op::{
    Compare, Delete, KeyValue, Op, Operand, Order, Outcome, Put, Range, Relation, Request, Response, Span,
    Target,
};
use super::{Change, EventLog, Revision};

/// All pairs, in key order.
type Pairs = Vec<KeyValue>;

/// The most requests that a history may have; the time it takes grows beyond all bounds long before.
pub const MOST: usize = 20;

/// Whether a history can be true. `ends` are the revisions that were ends of leases, if that is known.
///
/// # Panics
///
/// If there are more than [`MOST`] requests.
pub fn can_be_true(log: &EventLog, ops: &[Op], ends: Option<&BTreeMap<Revision, i64>>) -> bool {
    assert!(ops.len() <= MOST, "the oracle tries everything: {} requests are too many", ops.len());
    let ends_exist = ends.is_none_or(|ends| ends.keys().all(|at| *at >= 2 && *at <= log.newest()));
    if !ends_exist || !makes_sense(ops) || !members_go_forward(ops) {
        return false;
    }
    let states = vec![Vec::new()];
    let done = vec![None; ops.len()];
    Search { log, ops, ends, states, done, failed: HashSet::new() }.go()
}

fn answered(op: &Op) -> Option<(Revision, &Response)> {
    match &op.outcome {
        Outcome::Answered { revision, response } => Some((*revision, response)),
        _ => None,
    }
}

/// Which attempts are deduplicated together with this one.
fn group(op: &Op) -> Option<u64> {
    let only_reads = match &op.request {
        Request::Range(_) => true,
        Request::Txn(txn) => txn.all().all(|inner| matches!(inner, Request::Range(_))),
        _ => false,
    };
    op.attempt_of.filter(|_| !only_reads)
}

fn is_local(op: &Op) -> bool {
    let local = |request: &Request| matches!(request, Request::Range(Range { serializable: true, .. }));
    match &op.request {
        Request::Txn(txn) => txn.all().all(local),
        request => local(request),
    }
}

fn makes_sense(ops: &[Op]) -> bool {
    let same = |a: &Op, b: &Op| group(a).is_none() || group(a) != group(b) || a.request == b.request;
    ops.iter().all(|a| (answered(a).is_none() || a.call <= a.ret) && ops.iter().all(|b| same(a, b)))
}

fn members_go_forward(ops: &[Op]) -> bool {
    let reads = || ops.iter().filter(|op| is_local(op) && answered(op).is_some() && op.member.is_some());
    let life = |op: &Op| (op.member, op.incarnation);
    reads().all(|a| {
        let later = reads().filter(|b| life(a) == life(b) && a.ret < b.call);
        later.map(answered).all(|b| b.map(|b| b.0) >= answered(a).map(|a| a.0))
    })
}

/// What a request did, and its answer.
type Done = (Revision, bool, Response);

/// When a request was done, if it was: at which revision, and whether it made it.
type Moment = Option<(Revision, bool)>;

struct Search<'a> {
    log: &'a EventLog,
    ops: &'a [Op],
    ends: Option<&'a BTreeMap<Revision, i64>>,
    /// What the store held at revision 1, 2, and so on up to now.
    states: Vec<Pairs>,
    done: Vec<Option<Done>>,
    /// From where nothing led to the end.
    failed: HashSet<(Revision, Vec<Moment>)>,
}

impl Search<'_> {
    fn now(&self) -> Revision {
        self.states.len() as Revision
    }

    fn pairs(&self) -> &Pairs {
        &self.states[self.states.len() - 1]
    }

    /// Whether the rest can be put in order.
    fn go(&mut self) -> bool {
        let all = self.ops.iter().zip(&self.done).all(|(op, done)| answered(op).is_none() || done.is_some());
        if all && self.now() == self.log.newest() {
            return true;
        }
        let here = (self.now(), self.done.iter().map(|d| d.as_ref().map(|d| (d.0, d.1))).collect());
        if self.failed.contains(&here) {
            return false;
        }
        if self.lease_may_end() || (0..self.ops.len()).any(|next| self.may_be_next(next)) {
            return true;
        }
        self.failed.insert(here);
        false
    }

    fn lease_may_end(&mut self) -> bool {
        let next = self.now() + 1;
        let leases: std::collections::BTreeSet<i64> = self.pairs().iter().map(|pair| pair.lease).collect();
        for lease in leases.into_iter().filter(|lease| *lease != 0) {
            if self.ends.is_some_and(|ends| ends.get(&next) != Some(&lease)) {
                continue;
            }
            let (gone, left): (Pairs, Pairs) = self.pairs().iter().cloned().partition(|p| p.lease == lease);
            let changes: Vec<Change> = gone.into_iter().map(|p| Change::Delete { key: p.key }).collect();
            if changes == self.log.at(next) && self.go_with(left) {
                return true;
            }
        }
        false
    }

    /// Goes on from the next revision.
    fn go_with(&mut self, pairs: Pairs) -> bool {
        self.states.push(pairs);
        let found = self.go();
        self.states.pop();
        found
    }

    /// Whether a request can be what happens next, and the rest be put in order behind it.
    fn may_be_next(&mut self, next: usize) -> bool {
        let op = &self.ops[next];
        if self.done[next].is_some() || op.outcome == Outcome::Refused {
            return false;
        }
        let waits_for = |(at, other): (usize, &Op)| {
            self.done[at].is_none() && answered(other).is_some() && other.ret < op.call
        };
        if !is_local(op) && self.ops.iter().enumerate().any(waits_for) {
            return false;
        }
        let same = |at: &usize| group(op).is_some() && group(&self.ops[*at]) == group(op);
        let earlier = (0..self.ops.len()).filter(same).find_map(|at| self.done[at].clone());
        match earlier {
            Some(done) => answered(op).is_some() && self.answers(next, done),
            None => self.does(next),
        }
    }

    /// A repeated attempt is answered as the first one was.
    fn answers(&mut self, next: usize, done: Done) -> bool {
        let fits = answered(&self.ops[next]).is_none_or(|(at, told)| at == done.0 && *told == done.2);
        if !fits {
            return false;
        }
        self.done[next] = Some(done);
        let found = self.go();
        self.done[next] = None;
        found
    }

    fn does(&mut self, next: usize) -> bool {
        let op = &self.ops[next];
        let mut pairs = self.pairs().clone();
        let mut changes = Vec::new();
        let Some(response) = act(&op.request, &self.states, &mut pairs, &mut changes) else { return false };
        if changes.is_empty() {
            // Nobody would know whether one that was not answered has looked.
            let is_seen = answered(op).is_some() || group(op).is_some();
            return is_seen && self.answers(next, (self.now(), false, response));
        }
        let made = self.now() + 1;
        if changes != self.log.at(made) || self.ends.is_some_and(|ends| ends.contains_key(&made)) {
            return false;
        }
        self.states.push(pairs);
        let found = self.answers(next, (made, true, response));
        self.states.pop();
        found
    }
}

/// Does a request on top of the last state: changes `pairs`, which begin as that state, and tells the changes.
/// None: it is refused.
pub(super) fn act(
    request: &Request,
    states: &[Pairs],
    pairs: &mut Pairs,
    changes: &mut Vec<Change>,
) -> Option<Response> {
    let before = states.last()?;
    let find = |pairs: &Pairs, key: &Bytes| pairs.iter().position(|pair| pair.key == *key);
    let made = states.len() as Revision + 1;
    if names_no_key(request) {
        return None;
    }
    match request {
        Request::Glance => Some(Response::Glance),
        Request::Put(Put { key, value, lease, prev_kv, ignore_value, ignore_lease }) => {
            if (*ignore_value || *ignore_lease) && find(before, key).is_none() {
                return None;
            }
            let old = find(pairs, key).map(|at| pairs.remove(at));
            let mut new = old.clone().unwrap_or_default();
            if old.is_none() {
                new.create_revision = made;
            }
            new.key = key.clone();
            new.version += 1;
            new.mod_revision = made;
            if !*ignore_value || old.is_none() {
                new.value = value.clone();
            }
            if !*ignore_lease || old.is_none() {
                new.lease = *lease;
            }
            changes.push(Change::Put { key: key.clone(), value: new.value.clone(), lease: new.lease });
            pairs.push(new);
            pairs.sort_by(|a, b| a.key.cmp(&b.key));
            Some(Response::Put { prev: old.filter(|_| *prev_kv) })
        }
        Request::Delete(Delete { span, prev_kv }) => {
            let (gone, left): (Pairs, Pairs) = pairs.drain(..).partition(|pair| lies_in(&pair.key, span));
            *pairs = left;
            changes.extend(gone.iter().map(|pair| Change::Delete { key: pair.key.clone() }));
            let deleted = gone.len() as i64;
            Some(Response::Delete { deleted, prev: if *prev_kv { gone } else { Vec::new() } })
        }
        Request::Range(range) if range.revision <= 0 => Some(look(range, pairs)),
        Request::Range(range) => {
            let at = usize::try_from(range.revision - 1).ok()?;
            Some(look(range, states.get(at)?))
        }
        Request::Txn(txn) => {
            let succeeded = txn.compares.iter().all(|compare| is_so(compare, before));
            let branch = if succeeded { &txn.success } else { &txn.failure };
            let responses = branch.iter().map(|inner| act(inner, states, pairs, changes));
            Some(Response::Txn { succeeded, responses: responses.collect::<Option<_>>()? })
        }
    }
}

/// Whether there is an empty key in it, wherever that is, even in the branch that is not taken.
fn names_no_key(request: &Request) -> bool {
    match request {
        Request::Put(put) => put.key.is_empty(),
        Request::Delete(delete) => delete.span.key.is_empty(),
        Request::Range(range) => range.span.key.is_empty(),
        Request::Txn(txn) => {
            txn.compares.iter().any(|compare| compare.span.key.is_empty()) || txn.all().any(names_no_key)
        }
        Request::Glance => false,
    }
}

fn lies_in(key: &Bytes, span: &Span) -> bool {
    if span.end.is_empty() {
        return *key == span.key;
    }
    *key >= span.key && (span.end == b"\0"[..] || *key < span.end)
}

fn look(range: &Range, pairs: &Pairs) -> Response {
    let all: Pairs = pairs.iter().filter(|pair| lies_in(&pair.key, &range.span)).cloned().collect();
    let count = all.len() as i64;
    if range.count_only {
        return Response::Range { kvs: Vec::new(), more: false, count };
    }
    let not_below = |at: Revision, min: Revision| min == 0 || at >= min;
    let not_above = |at: Revision, max: Revision| max == 0 || at <= max;
    let mut kvs = all;
    kvs.retain(|pair| not_below(pair.mod_revision, range.min_mod));
    kvs.retain(|pair| not_above(pair.mod_revision, range.max_mod));
    kvs.retain(|pair| not_below(pair.create_revision, range.min_create));
    kvs.retain(|pair| not_above(pair.create_revision, range.max_create));
    let no_filter = range.min_mod | range.max_mod | range.min_create | range.max_create == 0;
    if range.limit > 0 && no_filter && range.order == Order::None {
        kvs.truncate(range.limit as usize + 1);
    }
    let weight = |pair: &KeyValue| match range.target {
        Target::Key => (0, pair.key.clone()),
        Target::Version => (pair.version, Bytes::new()),
        Target::Create => (pair.create_revision, Bytes::new()),
        Target::Mod => (pair.mod_revision, Bytes::new()),
        Target::Value => (0, pair.value.clone()),
    };
    if range.order == Order::Descend {
        kvs.sort_by_key(|pair| std::cmp::Reverse(weight(pair)));
    } else {
        kvs.sort_by_key(weight);
    }
    let more = range.limit > 0 && kvs.len() as i64 > range.limit;
    if more {
        kvs.truncate(range.limit as usize);
    }
    if range.keys_only {
        kvs.iter_mut().for_each(|pair| pair.value.clear());
    }
    Response::Range { kvs, more, count }
}

fn is_so(compare: &Compare, pairs: &Pairs) -> bool {
    let mut found: Vec<Option<&KeyValue>> =
        pairs.iter().filter(|pair| lies_in(&pair.key, &compare.span)).map(Some).collect();
    if found.is_empty() {
        found.push(None);
    }
    let relation = |is_less: bool, is_equal: bool| match compare.relation {
        Relation::Equal => is_equal,
        Relation::NotEqual => !is_equal,
        Relation::Less => is_less,
        Relation::Greater => !is_less && !is_equal,
    };
    let nothing = KeyValue::default();
    found.into_iter().all(|pair| {
        let has = pair.unwrap_or(&nothing);
        match &compare.operand {
            Operand::Version(with) => relation(has.version < *with, has.version == *with),
            Operand::Create(with) => relation(has.create_revision < *with, has.create_revision == *with),
            Operand::Mod(with) => relation(has.mod_revision < *with, has.mod_revision == *with),
            Operand::Lease(with) => relation(has.lease < *with, has.lease == *with),
            Operand::Value(with) => pair.is_some() && relation(has.value < *with, has.value == *with),
        }
    })
}
