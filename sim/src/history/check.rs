//! Whether a history can be true: are there moments, one for each request and each between its call and its
//! return, such that a single store that did one thing at a time would have answered like that?
//!
//! In general that takes a search through all orders. Here the store itself numbers its changes and shows the
//! number with every answer, so there is at most one order to look at: the log's. What is left to find out is
//! whether each change is explained by a request, each answer by the log, and whether the order contradicts
//! the clock. The proof: requests sorted by (position, call) are such a sequence of moments if and only if
//! none returned before another was called that stands before it, and any other sequence would contradict a
//! revision that somebody was shown.

use std::collections::BTreeMap;

use super::op::{Op, Outcome};
use super::place::{Places, Slot, broken};
use super::replay::{Replay, at};
use super::store::Store;
use super::{Broken, EventLog, Revision, Rule, Summary, realtime};

/// Judges what clients were told against the log. Any revision that deletes all keys of one lease, and nothing
/// else, may have been that lease's end.
///
/// # Errors
///
/// The first promise found broken, with what was seen.
///
/// ```
/// use kvorum_sim::history::{Change, EventLog, Op, Outcome, Put, Request, Response, Rule, check};
/// let mut log = EventLog::new();
/// log.push(2, vec![Change::Put { key: "k".into(), value: "v".into(), lease: 0 }]).unwrap();
/// let put = Op {
///     client: 1,
///     attempt_of: None,
///     member: None,
///     incarnation: 0,
///     call: 10,
///     ret: 20,
///     request: Request::Put(Put { key: "k".into(), value: "v".into(), ..Put::default() }),
///     outcome: Outcome::Answered { revision: 2, response: Response::Put { prev: None } },
/// };
/// assert_eq!(check(&log, &[put.clone()]).unwrap().answered, 1);
/// let refused = Op { outcome: Outcome::Refused, ..put };
/// assert_eq!(check(&log, &[refused]).unwrap_err().rule, Rule::RefusedVisible);
/// ```
pub fn check(log: &EventLog, ops: &[Op]) -> Result<Summary, Broken> {
    judge(log, ops, None)
}

/// The same, where it is known which revisions were ends of which leases: these must be, and no others can.
///
/// # Errors
///
/// As [`check`].
pub fn check_with_lease_ends(
    log: &EventLog,
    ops: &[Op],
    ends: &BTreeMap<Revision, i64>,
) -> Result<Summary, Broken> {
    judge(log, ops, Some(ends))
}

fn judge(log: &EventLog, ops: &[Op], ends: Option<&BTreeMap<Revision, i64>>) -> Result<Summary, Broken> {
    let mut summary = count(ops);
    let places = Places::of(ops)?;
    in_the_log(log, ops, &places, ends)?;
    let deadlines = places.deadlines(log.newest());
    let store = Store::new(ops.iter().any(|op| op.request.reads_the_past()));
    let replay = Replay { log, ops, places: &places, deadlines: &deadlines, ends, store };
    let explained = replay.run()?;
    summary.unknown_applied = explained.by_wishes;
    summary.lease_ends = explained.by_leases;
    realtime::sweep(ops, &places, &mut summary.staleness)?;
    realtime::local_reads(ops)?;
    Ok(summary)
}

fn count(ops: &[Op]) -> Summary {
    let mut summary = Summary::default();
    for op in ops {
        match op.outcome {
            Outcome::Answered { .. } => summary.answered += 1,
            Outcome::Refused => summary.refused += 1,
            Outcome::Unknown => summary.unknown += 1,
        }
    }
    summary
}

/// Every revision that is spoken of is one that the log has.
fn in_the_log(
    log: &EventLog,
    ops: &[Op],
    places: &Places,
    ends: Option<&BTreeMap<Revision, i64>>,
) -> Result<(), Broken> {
    let newest = log.newest();
    for placed in &places.placed {
        let (revision, slot) = placed.position;
        let first = if slot == Slot::Change { 2 } else { 1 };
        if (first..=newest).contains(&revision) {
            continue;
        }
        let seen = format!("the log ends with revision {newest}, and this request was told {revision}");
        let rule = if slot == Slot::Change { Rule::Lost } else { Rule::NoSuchRevision };
        return Err(at(revision, broken(rule, ops, vec![placed.op], &seen)));
    }
    let mut ends = ends.into_iter().flatten();
    match ends.find(|(revision, _)| !(2..=newest).contains(*revision)) {
        None => Ok(()),
        Some((&revision, lease)) => {
            let seen = format!("lease {lease} is said to end at revision {revision}, of {newest}");
            Err(at(revision, broken(Rule::NotALeaseEnd, ops, Vec::new(), &seen)))
        }
    }
}
