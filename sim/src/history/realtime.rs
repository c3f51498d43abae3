//! What is asked after something was shown must not stand before it in the order of revisions.

use std::collections::BTreeMap;

use super::op::{Op, Outcome};
use super::place::{Placed, Places, Slot, broken};
use super::{Broken, Revision, Rule};

/// Goes through all answered requests in the order in which they were asked, beside the furthest that had
/// been shown by then. Counts in `staleness` how far local reads were behind, which may be.
pub(super) fn sweep(ops: &[Op], places: &Places, staleness: &mut [u64; 16]) -> Result<(), Broken> {
    let mut by_call: Vec<&Placed> = places.placed.iter().collect();
    let mut by_ret = by_call.clone();
    by_call.sort_unstable_by_key(|placed| (placed.call, placed.op));
    by_ret.sort_unstable_by_key(|placed| (placed.ret, placed.op));
    let mut returned = by_ret.into_iter().peekable();
    let mut furthest: Option<&Placed> = None;
    for asked in by_call {
        while let Some(earlier) = returned.next_if(|earlier| earlier.ret < asked.call) {
            if furthest.is_none_or(|furthest| furthest.position < earlier.position) {
                furthest = Some(earlier);
            }
        }
        let Some(shown) = furthest else { continue };
        if asked.is_local {
            let behind = u64::try_from(shown.position.0.saturating_sub(asked.position.0)).unwrap_or(0);
            let bucket = (u64::BITS - behind.leading_zeros()) as usize;
            staleness[bucket.min(staleness.len() - 1)] += 1;
        } else if asked.position < shown.position {
            return Err(went_back(ops, shown, asked));
        }
    }
    Ok(())
}

fn went_back(ops: &[Op], shown: &Placed, asked: &Placed) -> Broken {
    let (before, after) = (shown.position.0, asked.position.0);
    let (rule, seen) = match asked.position.1 {
        Slot::Observe => {
            let seen = format!("revision {before} had been shown when a request was asked that saw {after}");
            (Rule::StaleRead, seen)
        }
        Slot::Change => {
            let seen =
                format!("revision {before} had been shown when the request was asked that made {after}");
            (Rule::Future, seen)
        }
    };
    let broken = broken(rule, ops, vec![shown.op, asked.op], &seen);
    Broken { revision: Some(after), ..broken }
}

/// The local reads at one life of a member.
#[derive(Default)]
struct Life {
    by_call: Vec<usize>,
    by_ret: Vec<usize>,
}

/// Local reads may be old, but a member never goes back while it lives, whoever asks: what it has shown to one
/// client it has, and shows to the next. Other answers are no measure: a member may pass on what another one
/// told it.
pub(super) fn local_reads(ops: &[Op]) -> Result<(), Broken> {
    let mut lives: BTreeMap<(u64, u64), Life> = BTreeMap::new();
    for (at, op) in ops.iter().enumerate() {
        if let (Some(member), Some(_), true) = (op.member, shown(op), op.request.is_local()) {
            let life = lives.entry((member, op.incarnation)).or_default();
            life.by_call.push(at);
            life.by_ret.push(at);
        }
    }
    lives.into_values().try_for_each(|life| in_order(ops, life))
}

fn in_order(ops: &[Op], mut life: Life) -> Result<(), Broken> {
    life.by_call.sort_unstable_by_key(|&at| (ops[at].call, at));
    life.by_ret.sort_unstable_by_key(|&at| (ops[at].ret, at));
    let mut returned = life.by_ret.into_iter().peekable();
    let mut newest: Option<usize> = None;
    for asked in life.by_call {
        while let Some(earlier) = returned.next_if(|&earlier| ops[earlier].ret < ops[asked].call) {
            if newest.is_none_or(|newest| shown(&ops[newest]) < shown(&ops[earlier])) {
                newest = Some(earlier);
            }
        }
        if let Some(newest) = newest.filter(|&newest| shown(&ops[asked]) < shown(&ops[newest])) {
            let seen = "the second of these local reads is older than the first";
            let broken = broken(Rule::MemberWentBack, ops, vec![newest, asked], seen);
            return Err(Broken { revision: shown(&ops[asked]), ..broken });
        }
    }
    Ok(())
}

fn shown(op: &Op) -> Option<Revision> {
    match op.outcome {
        Outcome::Answered { revision, .. } => Some(revision),
        Outcome::Refused | Outcome::Unknown => None,
    }
}
