//! When nothing explains a change: who would have, had they been allowed to. Only to say it well; the
//! verdict stands already.

use super::op::{Op, Outcome};
use super::place::broken;
use super::replay::at;
use super::store::Store;
use super::{Broken, Change, Revision, Rule, words};

/// Nobody can have made this revision, on top of what the store holds now.
pub(super) fn nobody(
    store: &mut Store,
    ops: &[Op],
    revision: Revision,
    changes: &[Change],
    deadline: u64,
) -> Broken {
    let mut found: Option<(Rule, usize)> = None;
    for (place, op) in ops.iter().enumerate().filter(|(_, op)| op.request.may_write()) {
        let fits = store.run(&op.request, None).is_ok() && store.changes() == changes;
        store.take_back();
        if !fits {
            continue;
        }
        let rule = match &op.outcome {
            _ if op.call > deadline => Rule::Future,
            Outcome::Refused => Rule::RefusedVisible,
            // It is an attempt at a request that was answered, and so has its effect elsewhere.
            _ if op.attempt_of.is_some() => Rule::DuplicatedAttempt,
            _ => Rule::AppliedTwice,
        };
        // What is left as late as possible: a request that came too late is the poorest of explanations.
        if found.is_none_or(|(before, _)| before == Rule::Future && rule != Rule::Future) {
            found = Some((rule, place));
        }
    }
    let what = words::list(changes);
    let Some((rule, place)) = found else {
        let seen = format!("revision {revision} is {what}, which no request asked for");
        return Broken { rule: Rule::Phantom, revision: Some(revision), ops: Vec::new(), seen };
    };
    let why = match rule {
        Rule::Future => "was shown before this was asked, which alone could have made it",
        Rule::RefusedVisible => "is the effect of a request that was refused",
        _ => "is the effect of a request that had its effect at another revision",
    };
    at(revision, broken(rule, ops, vec![place], &format!("revision {revision}, {what}, {why}")))
}
