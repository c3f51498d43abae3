//! Where each answered request stands in the order of revisions, what may have happened without an answer,
//! and by when each revision must have existed.

use std::collections::BTreeMap;

use super::op::{Op, Outcome, Response};
use super::{Broken, Revision, Rule};

/// Before a revision's change and the reads that see it there is nothing else: this is the order of all.
pub(super) type Position = (Revision, Slot);

/// The two places that a revision has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    /// What made the revision.
    Change,
    /// Whatever saw it before the next one: in any order, none of it changes anything.
    Observe,
}

/// A request that was answered, all its attempts as one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// The attempt that was answered (first).
    pub(super) op: usize,
    /// From when on it may have been done.
    pub(super) call: u64,
    /// By when it was done.
    pub(super) ret: u64,
    /// Where it says that it was done.
    pub(super) position: Position,
    /// Whether it is a local read, and may be as old as it likes.
    pub(super) is_local: bool,
}

/// A request that may have been done, all its attempts as one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// The first attempt.
    pub(super) op: usize,
    /// From when on it may have been done.
    pub(super) call: u64,
}

/// All requests in their places.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// By position.
    pub(super) placed: Vec<Placed>,
    /// By call.
    pub(super) wishes: Vec<Wish>,
}

impl Places {
    /// Puts everything in its place.
    pub(super) fn of(ops: &[Op]) -> Result<Places, Broken> {
        let mut places = Places::default();
        let mut attempts: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (at, op) in ops.iter().enumerate() {
            if matches!(op.outcome, Outcome::Answered { .. }) && op.ret < op.call {
                return Err(broken(Rule::Malformed, ops, vec![at], "this one ended before it began"));
            }
            match op.attempt_of {
                Some(number) if !op.request.is_read() => attempts.entry(number).or_default().push(at),
                _ => places.add(ops, at, op.call, op.ret),
            }
        }
        for attempts in attempts.values() {
            places.add_attempts(ops, attempts)?;
        }
        places.placed.sort_unstable_by_key(|placed| (placed.position, placed.op));
        places.wishes.sort_unstable_by_key(|wish| (wish.call, wish.op));
        Ok(places)
    }

    fn add(&mut self, ops: &[Op], at: usize, call: u64, ret: u64) {
        let op = &ops[at];
        match &op.outcome {
            Outcome::Answered { revision, response } => {
                let position = (*revision, slot(response));
                let is_local = op.request.is_local();
                self.placed.push(Placed { op: at, call, ret, position, is_local });
            }
            Outcome::Unknown if op.request.may_write() => self.wishes.push(Wish { op: at, call }),
            Outcome::Unknown | Outcome::Refused => {}
        }
    }

    /// Whichever attempt arrives first is done, and answers for all: so together they are one request, which
    /// was asked when the first one was and was done by the first answer. An attempt that was refused was not
    /// done, and says nothing about the others.
    fn add_attempts(&mut self, ops: &[Op], attempts: &[usize]) -> Result<(), Broken> {
        let is_other = |pair: &[usize]| ops[pair[0]].request != ops[pair[1]].request;
        if let Some(pair) = attempts.windows(2).find(|pair| is_other(pair)) {
            let seen = "these are called attempts of one request, and ask for different things";
            return Err(broken(Rule::Malformed, ops, pair.to_vec(), seen));
        }
        let alive = || attempts.iter().copied().filter(|&at| ops[at].outcome != Outcome::Refused);
        let answered = || alive().filter(|&at| ops[at].outcome != Outcome::Unknown);
        let Some(first) = alive().min_by_key(|&at| (ops[at].call, at)) else { return Ok(()) };
        let Some(told) = answered().min_by_key(|&at| (ops[at].ret, at)) else {
            self.add(ops, first, ops[first].call, u64::MAX);
            return Ok(());
        };
        if let Some(other) = answered().find(|&at| ops[at].outcome != ops[told].outcome) {
            let seen = "two attempts of one request were answered differently";
            return Err(broken(Rule::DuplicatedAttempt, ops, vec![told, other], seen));
        }
        if ops[told].ret < ops[first].call {
            return Err(broken(Rule::Malformed, ops, vec![told, first], "this one ended before it began"));
        }
        self.add(ops, told, ops[first].call, ops[told].ret);
        Ok(())
    }

    /// For each revision from 0 on, the time by which somebody had been shown it or a newer one.
    pub(super) fn deadlines(&self, newest: Revision) -> Vec<u64> {
        let mut deadlines = vec![u64::MAX; usize::try_from(newest).unwrap_or(0) + 2];
        for placed in &self.placed {
            let at = usize::try_from(placed.position.0).ok();
            if let Some(deadline) = at.and_then(|at| deadlines.get_mut(at)) {
                *deadline = placed.ret.min(*deadline);
            }
        }
        let mut earliest = u64::MAX;
        for deadline in deadlines.iter_mut().rev() {
            earliest = earliest.min(*deadline);
            *deadline = earliest;
        }
        deadlines
    }
}

fn slot(response: &Response) -> Slot {
    if response.says_changed() { Slot::Change } else { Slot::Observe }
}

/// Something is wrong with these requests.
pub(super) fn broken(rule: Rule, ops: &[Op], who: Vec<usize>, seen: &str) -> Broken {
    let told: Vec<String> =
        who.iter().filter_map(|&at| ops.get(at)).map(|op| format!("\n    {op}")).collect();
    Broken { rule, revision: None, seen: format!("{seen}:{}", told.concat()), ops: who }
}
