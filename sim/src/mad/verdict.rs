//! What is judged when the cluster has come to rest.

use bytes::Bytes;
use kvorum_core::request::Event;
use kvorum_core::{ErrorKind, WatchItem};

use super::board::{LOCK, Mirror};
use super::stage::Stage;
use crate::history::{Change, EventLog, Op, Outcome, Put, Request, Span, Txn, check_with_lease_ends};
use crate::promises::Span as WatchSpan;
use crate::promises::{End, Opened, Part, WatchEvent, WatchJudge};
use crate::promises::{Pair, Past, Replay};
use crate::violation::{Checker, Violation};
use crate::world::World;

/// Judges everything that clients and watches were told.
pub(super) fn judge(stage: &Stage, world: &World) -> Result<(), Violation> {
    let log = world.judge().log();
    if let Some(service) = &stage.service {
        return service.judge(log);
    }
    no_job_is_done_twice(log)?;
    watches(stage, log)?;
    history(stage, world)
}

fn history(stage: &Stage, world: &World) -> Result<(), Violation> {
    let (log, ends) = (world.judge().log(), world.judge().lease_ends());
    let desk = stage.desk.borrow();
    let Some(recorder) = &desk.recorder else { return Ok(()) };
    let mut ops = recorder.ops();
    ops.extend(by_the_handles(log));
    let broken = |broken: crate::history::Broken| Violation::new(Checker::History, "L1", broken.to_string());
    check_with_lease_ends(log, &ops, ends).map(|_| ()).map_err(broken)
}

/// What locks wrote and deleted by themselves, which nobody wrote down: taken as it stands in the log. The
/// judge of fences looks at it; here it only must not count as something that nobody asked for.
fn by_the_handles(log: &EventLog) -> impl Iterator<Item = Op> {
    let is_ours = |change: &Change| change.key().starts_with(LOCK.as_bytes());
    let ours = log.since(2).filter(move |(_, changes)| changes.iter().all(is_ours));
    ours.map(|(_, changes)| Op {
        client: 0,
        attempt_of: None,
        member: None,
        incarnation: 0,
        call: 0,
        ret: u64::MAX,
        request: Request::Txn(Txn { success: changes.iter().map(request).collect(), ..Txn::default() }),
        outcome: Outcome::Unknown,
    })
}

fn request(change: &Change) -> Request {
    match change {
        Change::Put { key, value, lease } => {
            let (key, value, lease) = (key.clone(), value.clone(), *lease);
            Request::Put(Put { key, value, lease, ..Put::default() })
        }
        Change::Delete { key } => {
            let span = Span { key: key.clone(), end: Bytes::new() };
            Request::Delete(crate::history::Delete { span, prev_kv: false })
        }
    }
}

fn no_job_is_done_twice(log: &EventLog) -> Result<(), Violation> {
    let mut done = std::collections::BTreeSet::new();
    for (revision, changes) in log.since(2) {
        for change in changes {
            if let Change::Put { key, .. } = change
                && key.starts_with(b"done/")
                && !done.insert(key.clone())
            {
                let seen = format!("{} again, at revision {revision}", key.escape_ascii());
                return Err(Violation::of_app("no job is done twice", seen));
            }
        }
    }
    Ok(())
}

fn watches(stage: &Stage, log: &EventLog) -> Result<(), Violation> {
    let mut replay = Replay::new();
    replay.follow(log);
    // The store compacts by itself, whenever it likes.
    replay.compacted(log.newest());
    let past = replay.of(log);
    for mirror in &stage.desk.borrow().mirrors {
        follow(mirror, past)
            .map_err(|broken| Violation::new(Checker::Watch, "W", broken.to_string()).on(mirror.node))?;
    }
    Ok(())
}

fn follow(mirror: &Mirror, past: Past<'_>) -> Result<(), crate::promises::Broken> {
    let mut judge = WatchJudge::opened(Opened {
        span: WatchSpan::of("job/", "job0"),
        start: mirror.start,
        no_put: false,
        no_delete: false,
        prev_kv: false,
        fragment: false,
        member: mirror.node,
        incarnation: 0,
    })?;
    for item in &mirror.items {
        match item {
            WatchItem::Events(events) => {
                let events: Vec<WatchEvent> = events.iter().map(event).collect();
                judge.delivered(past, &events, Part::Whole)?;
            }
            WatchItem::Progress(revision) => judge.progress(past, *revision)?,
        }
    }
    match &mirror.end {
        Some(ErrorKind::Compacted { compacted, .. }) => {
            judge.ended(past, End::Compacted { compacted: *compacted })?;
        }
        Some(_) => judge.ended(past, End::MemberGone)?,
        None => judge.finish(past, !mirror.is_dead)?,
    }
    Ok(())
}

fn event(event: &Event) -> WatchEvent {
    let kv = event.kv.clone().unwrap_or_default();
    WatchEvent {
        is_delete: !event.is_put(),
        pair: Pair {
            key: kv.key,
            create_revision: kv.create_revision,
            mod_revision: kv.mod_revision,
            version: kv.version,
            value: kv.value,
            lease: kv.lease,
        },
        before: None,
    }
}
