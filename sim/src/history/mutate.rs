//! Lies about true histories. Some of them could still be true, and which ones is what the two judges must
//! agree on.

use super::op::{Op, Outcome, Put, Request, Response};
use super::random::{Dice, Story, key, value};
use super::{Change, KeyValue, Revision};

/// A way to make a history another one.
pub(super) struct Operator {
    pub(super) name: &'static str,
    /// False: there is nothing in this history that it could change.
    pub(super) change: fn(&mut Story, &mut Dice) -> bool,
}

/// All ways.
pub(super) const OPERATORS: &[Operator] = &[
    Operator { name: "revision ±1", change: revision_shifted },
    Operator { name: "revision of another", change: revision_copied },
    Operator { name: "revisions swapped", change: revisions_swapped },
    Operator { name: "wrong value told", change: value_told },
    Operator { name: "wrong value asked", change: value_asked },
    Operator { name: "wrong number in a row", change: row_changed },
    Operator { name: "row dropped", change: row_dropped },
    Operator { name: "rows reversed", change: rows_reversed },
    Operator { name: "count, more or deleted", change: count_changed },
    Operator { name: "branch flipped", change: branch_flipped },
    Operator { name: "call shifted", change: call_shifted },
    Operator { name: "return shifted", change: ret_shifted },
    Operator { name: "outcome changed", change: outcome_changed },
    Operator { name: "request dropped", change: op_dropped },
    Operator { name: "request asked twice", change: op_repeated },
    Operator { name: "attempts joined or parted", change: attempts_changed },
    Operator { name: "another reader or member", change: reader_changed },
    Operator { name: "local reads by two clients", change: local_reads_added },
    Operator { name: "put of an empty key", change: empty_key_added },
    Operator { name: "event dropped", change: event_dropped },
    Operator { name: "event added", change: event_added },
    Operator { name: "event changed", change: event_changed },
    Operator { name: "revision repeated in the log", change: revision_repeated },
    Operator { name: "log out of order", change: log_swapped },
    Operator { name: "lease end denied or made up", change: ends_changed },
];

fn one<'a, T>(dice: &mut Dice, mut from: Vec<&'a mut T>) -> Option<&'a mut T> {
    if from.is_empty() { None } else { Some(from.swap_remove(dice.below(from.len()))) }
}

/// The answers' revisions.
fn revisions(story: &mut Story) -> Vec<&mut Revision> {
    story
        .ops
        .iter_mut()
        .filter_map(|op| match &mut op.outcome {
            Outcome::Answered { revision, .. } => Some(revision),
            Outcome::Refused | Outcome::Unknown => None,
        })
        .collect()
}

/// All answers but those to transactions, whose parts count.
fn responses(story: &mut Story) -> Vec<&mut Response> {
    fn gather<'a>(response: &'a mut Response, all: &mut Vec<&'a mut Response>) {
        match response {
            Response::Txn { responses, .. } => responses.iter_mut().for_each(|inner| gather(inner, all)),
            other => all.push(other),
        }
    }
    let mut all = Vec::new();
    for op in &mut story.ops {
        if let Outcome::Answered { response, .. } = &mut op.outcome {
            gather(response, &mut all);
        }
    }
    all
}

/// The lists of pairs in answers.
fn lists(story: &mut Story) -> Vec<&mut Vec<KeyValue>> {
    fn rows(response: &mut Response) -> Option<&mut Vec<KeyValue>> {
        match response {
            Response::Range { kvs, .. } => Some(kvs),
            Response::Delete { prev, .. } => Some(prev),
            _ => None,
        }
    }
    responses(story).into_iter().filter_map(rows).filter(|rows| !rows.is_empty()).collect()
}

/// The pairs in answers.
fn rows(story: &mut Story) -> Vec<&mut KeyValue> {
    fn rows(response: &mut Response) -> Vec<&mut KeyValue> {
        match response {
            Response::Range { kvs, .. } => kvs.iter_mut().collect(),
            Response::Delete { prev, .. } => prev.iter_mut().collect(),
            Response::Put { prev } => prev.iter_mut().collect(),
            _ => Vec::new(),
        }
    }
    responses(story).into_iter().flat_map(rows).collect()
}

/// The requests, those inside transactions too.
fn requests(story: &mut Story) -> Vec<&mut Request> {
    fn gather<'a>(request: &'a mut Request, all: &mut Vec<&'a mut Request>) {
        match request {
            Request::Txn(txn) => {
                txn.success.iter_mut().chain(&mut txn.failure).for_each(|inner| gather(inner, all));
            }
            other => all.push(other),
        }
    }
    let mut all = Vec::new();
    story.ops.iter_mut().for_each(|op| gather(&mut op.request, &mut all));
    all
}

fn nudge(dice: &mut Dice, number: &mut i64) {
    *number += dice.pick(&[-1, 1]);
}

fn revision_shifted(story: &mut Story, dice: &mut Dice) -> bool {
    one(dice, revisions(story)).map(|revision| nudge(dice, revision)).is_some()
}

fn revision_copied(story: &mut Story, dice: &mut Dice) -> bool {
    let all: Vec<Revision> = revisions(story).into_iter().map(|revision| *revision).collect();
    one(dice, revisions(story)).map(|revision| *revision = dice.pick(&all)).is_some()
}

fn revisions_swapped(story: &mut Story, dice: &mut Dice) -> bool {
    let mut all = revisions(story);
    let (a, b) = (dice.below(all.len()), dice.below(all.len()));
    if all.is_empty() || *all[a] == *all[b] {
        return false;
    }
    let (at_a, at_b) = (*all[a], *all[b]);
    (*all[a], *all[b]) = (at_b, at_a);
    true
}

fn value_told(story: &mut Story, dice: &mut Dice) -> bool {
    one(dice, rows(story)).map(|pair| pair.value = value(dice)).is_some()
}

fn value_asked(story: &mut Story, dice: &mut Dice) -> bool {
    let puts = requests(story).into_iter().filter(|request| matches!(request, Request::Put(_))).collect();
    let Some(Request::Put(put)) = one(dice, puts) else { return false };
    match dice.below(4) {
        0 => put.lease = dice.pick(&[0, 7, 9]),
        1 => put.key = key(dice),
        _ => put.value = value(dice),
    }
    true
}

fn row_changed(story: &mut Story, dice: &mut Dice) -> bool {
    let Some(pair) = one(dice, rows(story)) else { return false };
    match dice.below(5) {
        0 => nudge(dice, &mut pair.create_revision),
        1 => nudge(dice, &mut pair.mod_revision),
        2 => nudge(dice, &mut pair.version),
        3 => pair.key = key(dice),
        _ => pair.lease = dice.pick(&[0, 7, 9]),
    }
    true
}

fn row_dropped(story: &mut Story, dice: &mut Dice) -> bool {
    let Some(rows) = one(dice, lists(story)) else { return false };
    rows.remove(dice.below(rows.len()));
    true
}

fn rows_reversed(story: &mut Story, dice: &mut Dice) -> bool {
    let lists = lists(story).into_iter().filter(|rows| rows.len() > 1).collect();
    one(dice, lists).map(|rows| rows.reverse()).is_some()
}

fn count_changed(story: &mut Story, dice: &mut Dice) -> bool {
    let Some(response) = one(dice, responses(story)) else { return false };
    match response {
        Response::Range { more, .. } if dice.chance(40) => *more = !*more,
        Response::Range { count, .. } => nudge(dice, count),
        Response::Delete { deleted, .. } => nudge(dice, deleted),
        Response::Put { prev } => *prev = prev.is_none().then(KeyValue::default),
        Response::Txn { .. } | Response::Glance => return false,
    }
    true
}

fn branch_flipped(story: &mut Story, dice: &mut Dice) -> bool {
    let txns = story.ops.iter_mut().filter(|op| matches!(op.request, Request::Txn(_))).collect();
    let Some(op) = one(dice, txns) else { return false };
    if let (Request::Txn(txn), true) = (&mut op.request, dice.chance(40)) {
        std::mem::swap(&mut txn.success, &mut txn.failure);
    } else if let Outcome::Answered { response: Response::Txn { succeeded, .. }, .. } = &mut op.outcome {
        *succeeded = !*succeeded;
    } else {
        return false;
    }
    true
}

/// How far times are moved: seldom far.
fn moved(dice: &mut Dice, time: u64) -> u64 {
    let by = if dice.chance(50) { 5 } else { 60 };
    let by = dice.below(by) as u64 + 1;
    if dice.chance(50) { time + by } else { time.saturating_sub(by) }
}

fn call_shifted(story: &mut Story, dice: &mut Dice) -> bool {
    let Some(op) = one(dice, story.ops.iter_mut().collect()) else { return false };
    op.call = moved(dice, op.call).min(if dice.chance(95) { op.ret } else { u64::MAX });
    true
}

fn ret_shifted(story: &mut Story, dice: &mut Dice) -> bool {
    let Some(op) = one(dice, story.ops.iter_mut().collect()) else { return false };
    op.ret = moved(dice, op.ret).max(if dice.chance(95) { op.call } else { 0 });
    true
}

fn outcome_changed(story: &mut Story, dice: &mut Dice) -> bool {
    let Some(op) = one(dice, story.ops.iter_mut().collect()) else { return false };
    op.outcome = match op.outcome {
        Outcome::Answered { .. } => dice.pick(&[Outcome::Unknown, Outcome::Unknown, Outcome::Refused]),
        Outcome::Unknown => Outcome::Refused,
        Outcome::Refused => Outcome::Unknown,
    };
    true
}

fn op_dropped(story: &mut Story, dice: &mut Dice) -> bool {
    if story.ops.is_empty() {
        return false;
    }
    story.ops.remove(dice.below(story.ops.len()));
    true
}

fn op_repeated(story: &mut Story, dice: &mut Dice) -> bool {
    if story.ops.is_empty() {
        return false;
    }
    let mut op = dice.pick(&story.ops);
    if dice.chance(60) {
        op.call = moved(dice, op.call).min(op.ret);
    }
    if dice.chance(40) {
        op.outcome = Outcome::Unknown;
    }
    if dice.chance(30) {
        op.attempt_of = None;
    }
    story.ops.push(op);
    true
}

fn attempts_changed(story: &mut Story, dice: &mut Dice) -> bool {
    if story.ops.is_empty() {
        return false;
    }
    let other = dice.pick(&story.ops);
    let alike: Vec<&mut Op> = story.ops.iter_mut().filter(|op| op.request == other.request).collect();
    let Some(op) = one(dice, alike) else { return false };
    op.attempt_of = match op.attempt_of {
        Some(_) if dice.chance(50) => None,
        _ => Some(other.attempt_of.unwrap_or(3)),
    };
    true
}

fn reader_changed(story: &mut Story, dice: &mut Dice) -> bool {
    let reads = story.ops.iter_mut().filter(|op| op.request.is_read()).collect();
    let Some(op) = one(dice, reads) else { return false };
    match dice.below(4) {
        0 => op.client = dice.below(2) as u64,
        1 => op.member = Some(dice.below(2) as u64),
        2 => op.incarnation = 0,
        _ => {
            if let Request::Range(range) = &mut op.request {
                range.serializable = !range.serializable;
            }
        }
    }
    true
}

/// When all is over.
fn end_of(story: &Story) -> u64 {
    story.ops.iter().map(|op| op.call.max(op.ret)).max().unwrap_or(0)
}

/// Two true answers again, as local reads of two clients at one member: the newer one first, and the older one
/// then, or at the same time.
fn local_reads_added(story: &mut Story, dice: &mut Dice) -> bool {
    // The oracle tries everything, and takes its time.
    if story.ops.len() > 12 {
        return false;
    }
    let is_read =
        |op: &&Op| matches!((&op.request, &op.outcome), (Request::Range(_), Outcome::Answered { .. }));
    let reads: Vec<&Op> = story.ops.iter().filter(is_read).collect();
    if reads.is_empty() {
        return false;
    }
    let shown = |op: &Op| match op.outcome {
        Outcome::Answered { revision, .. } => revision,
        Outcome::Refused | Outcome::Unknown => 0,
    };
    let mut two = [dice.pick(&reads).clone(), dice.pick(&reads).clone()];
    two.sort_by_key(|op| std::cmp::Reverse(shown(op)));
    let mut call = end_of(story).saturating_add(1);
    for (client, mut op) in two.into_iter().enumerate() {
        if let Request::Range(range) = &mut op.request {
            range.serializable = true;
        }
        (op.client, op.call, op.ret) = (client as u64, call, call.saturating_add(1));
        (op.member, op.incarnation) = (Some(0), 7);
        story.ops.push(op);
        call = call.saturating_add(dice.pick(&[1, 2, 2, 3]));
    }
    true
}

/// A put of an empty key, acknowledged and in the log: all that is wrong with it is the key.
fn empty_key_added(story: &mut Story, dice: &mut Dice) -> bool {
    if story.ops.len() > 12 {
        return false;
    }
    let (call, value) = (end_of(story).saturating_add(1), value(dice));
    story.log.push(vec![Change::Put { key: Default::default(), value: value.clone(), lease: 0 }]);
    let revision = story.log.len() as Revision + 1;
    story.ops.push(Op {
        client: 0,
        attempt_of: None,
        member: None,
        incarnation: 0,
        call,
        ret: call.saturating_add(1),
        request: Request::Put(Put { value, ..Put::default() }),
        outcome: Outcome::Answered { revision, response: Response::Put { prev: None } },
    });
    true
}

fn event_dropped(story: &mut Story, dice: &mut Dice) -> bool {
    if story.log.is_empty() {
        return false;
    }
    let at = dice.below(story.log.len());
    if dice.chance(40) {
        story.log.remove(at);
    } else {
        let changes = &mut story.log[at];
        changes.remove(dice.below(changes.len()));
    }
    story.log.retain(|changes| !changes.is_empty());
    true
}

fn made_up(dice: &mut Dice) -> Change {
    match dice.chance(60) {
        true => Change::Put { key: key(dice), value: value(dice), lease: dice.pick(&[0, 0, 7]) },
        false => Change::Delete { key: key(dice) },
    }
}

fn event_added(story: &mut Story, dice: &mut Dice) -> bool {
    let change = made_up(dice);
    let at = dice.below(story.log.len() + 1);
    match story.log.get_mut(at).filter(|_| dice.chance(50)) {
        Some(changes) => changes.insert(dice.below(changes.len() + 1), change),
        None => story.log.insert(at, vec![change]),
    }
    true
}

fn event_changed(story: &mut Story, dice: &mut Dice) -> bool {
    let Some(change) = one(dice, story.log.iter_mut().flatten().collect()) else { return false };
    match change {
        Change::Put { value: told, .. } if dice.chance(50) => *told = value(dice),
        Change::Put { lease, .. } if dice.chance(50) => *lease = dice.pick(&[0, 7, 9]),
        other => *other = made_up(dice),
    }
    true
}

fn revision_repeated(story: &mut Story, dice: &mut Dice) -> bool {
    if story.log.is_empty() {
        return false;
    }
    let again = dice.pick(&story.log);
    let at = if dice.chance(60) { story.log.len() } else { dice.below(story.log.len()) };
    story.log.insert(at, again);
    true
}

fn log_swapped(story: &mut Story, dice: &mut Dice) -> bool {
    if story.log.len() < 2 {
        return false;
    }
    let at = dice.below(story.log.len());
    if story.log[at].len() > 1 && dice.chance(50) {
        story.log[at].reverse();
    } else {
        let other = (at + 1) % story.log.len();
        story.log.swap(at, other);
    }
    true
}

fn ends_changed(story: &mut Story, dice: &mut Dice) -> bool {
    let newest = story.log.len() as Revision + 1;
    let Some(ends) = &mut story.ends else { return false };
    let known: Vec<Revision> = ends.keys().copied().collect();
    if known.is_empty() || dice.chance(40) {
        ends.insert(1 + dice.below(newest as usize + 1) as Revision, dice.pick(&[7, 9]));
        return true;
    }
    let at = dice.pick(&known);
    match dice.below(3) {
        0 => ends.insert(at, 9),
        _ => ends.remove(&at),
    };
    true
}
