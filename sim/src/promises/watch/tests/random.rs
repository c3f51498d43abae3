//! Thousands of runs that chance makes up: none that is legal is blamed, and none that was spoilt gets through.

use super::*;
use crate::rng::{Purpose, Rng, Stream};

/// What a watch says, or is made to do.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Events(Vec<WatchEvent>, Part),
    Progress(Revision),
    Reached(Revision),
    End(End),
    Reread(Revision),
    Resume(Revision),
}

const KEYS: [&str; 5] = ["a", "b", "bb", "c", "d"];

fn change(draw: &mut Stream, key: &'static str) -> Change {
    match draw.below(4) {
        0 => delete(key),
        _ => {
            Change::Put { key: key.into(), value: draw.any().to_string().into(), lease: draw.below(3) as i64 }
        }
    }
}

/// A store's history. Only what is there is deleted, as in a store.
fn history(draw: &mut Stream) -> Store {
    let mut live = std::collections::BTreeSet::new();
    let mut revisions = Vec::new();
    while revisions.len() < 25 {
        let mut changes = Vec::new();
        for key in KEYS {
            if !draw.chance(400) {
                continue;
            }
            let change = change(draw, key);
            let was_there = if is_delete(&change) { live.remove(key) } else { !live.insert(key) };
            if was_there || !is_delete(&change) {
                changes.push(change);
            }
        }
        if !changes.is_empty() {
            revisions.push(changes);
        }
    }
    Store::new(revisions)
}

fn request(draw: &mut Stream) -> Opened {
    let spans = [("a", "\0"), ("b", "c"), ("b", ""), ("c", ""), ("bb", "\0"), ("a", "d")];
    let (key, end) = draw.pick(&spans);
    let mut request = opened(Span::of(key, end), draw.between(1, 12) as Revision);
    request.no_put = draw.chance(100);
    request.no_delete = draw.chance(150);
    request.prev_kv = draw.chance(600);
    request.fragment = draw.chance(300);
    request
}

/// What a store without fault says to that request, with ends and resumptions thrown in.
fn legal(draw: &mut Stream, store: &mut Store, request: &Opened) -> Vec<Step> {
    let judge = WatchJudge::opened(request.clone()).unwrap();
    let mut steps = Vec::new();
    let mut next = request.start;
    while next <= store.log.newest() {
        match draw.below(12) {
            0 if next > request.start => steps.push(Step::Progress(next - 1)),
            1 => steps.push(Step::Reached(next)),
            2 => {
                let ends = [End::MemberGone, End::Cancelled, End::Permission, End::Overload { resume: next }];
                steps.push(Step::End(ends[draw.below(4) as usize].clone()));
                steps.push(Step::Resume(next));
            }
            3 if next + 3 < store.log.newest() => {
                let compacted = next + draw.between(1, 3) as Revision;
                store.replay.compacted(compacted);
                steps.push(Step::End(End::Compacted { compacted }));
                next = compacted;
                if draw.chance(300) {
                    // Its owner reads all that there is, some time later, and goes on behind that.
                    let read = draw.between(compacted as u64, store.log.newest() as u64) as Revision;
                    steps.push(Step::Reread(read));
                    next = read + 1;
                }
                steps.push(Step::Resume(next));
            }
            _ => {
                let through = store.log.newest().min(next + draw.below(4) as Revision);
                deliver(draw, store, &judge, next..=through, &mut steps);
                next = through + 1;
            }
        }
    }
    steps
}

fn deliver(
    draw: &mut Stream,
    store: &Store,
    judge: &WatchJudge,
    revisions: std::ops::RangeInclusive<Revision>,
    steps: &mut Vec<Step>,
) {
    let mut events: Vec<WatchEvent> = revisions.flat_map(|revision| store.events(revision)).collect();
    events.retain(|event| judge.wants(&event.pair.key, event.is_delete));
    for event in &mut events {
        let is_forgotten = event.pair.mod_revision - 1 < store.replay.of(&store.log).compacted();
        if !judge.request.prev_kv || (is_forgotten && draw.chance(500)) {
            event.before = None;
        }
    }
    if judge.request.fragment && events.len() > 1 && draw.chance(500) {
        let rest = events.split_off(draw.between(1, events.len() as u64 - 1) as usize);
        let is_cut = events[events.len() - 1].pair.mod_revision == rest[0].pair.mod_revision;
        let is_more = is_cut || draw.chance(300);
        steps.push(Step::Events(events, if is_more { Part::More } else { Part::Whole }));
        events = rest;
    }
    if !events.is_empty() {
        steps.push(Step::Events(events, Part::Whole));
    }
}

fn judged(store: &Store, request: &Opened, steps: &[Step]) -> Result<(), Broken> {
    let past = store.past();
    let mut judge = WatchJudge::opened(request.clone())?;
    for step in steps {
        match step {
            Step::Events(events, part) => judge.delivered(past, events, *part)?,
            Step::Progress(revision) => judge.progress(past, *revision)?,
            Step::Reached(revision) => judge.reached(past, *revision)?,
            Step::End(end) => judge.ended(past, end.clone())?,
            Step::Reread(revision) => judge.reread(past, *revision)?,
            Step::Resume(start) => judge.resumed(past, 2, 1, *start)?,
        }
    }
    judge.finish(past, true)
}

/// Any delivery's place, and any event's in it.
fn pick(draw: &mut Stream, steps: &[Step]) -> Option<(usize, usize)> {
    let all = steps.iter().enumerate().filter_map(|(i, step)| match step {
        Step::Events(events, _) => Some((i, events.len())),
        _ => None,
    });
    let all: Vec<(usize, usize)> = all.collect();
    (!all.is_empty()).then(|| draw.pick(&all)).map(|(i, len)| (i, draw.below(len as u64) as usize))
}

/// Spoils a run in the `kind`-th way. `None`: there is nothing to be spoilt in that way.
fn spoil(draw: &mut Stream, store: &Store, request: &Opened, run: &[Step], kind: usize) -> Option<Vec<Step>> {
    let mut steps = run.to_vec();
    let (at, i) = pick(draw, &steps)?;
    let newest = store.log.newest();
    let Step::Events(events, part) = &mut steps[at] else { return None };
    let first = events[0].pair.mod_revision;
    match kind {
        // An event is lost. (Before a compaction takes all that was not told, that is none's fault.)
        0 if i + 1 == events.len() && matches!(run.get(at + 1), Some(Step::End(End::Compacted { .. }))) => {
            return None;
        }
        0 => {
            events.remove(i);
            if events.is_empty() {
                steps.remove(at);
            }
        }
        // An event comes twice.
        1 => events.insert(i, events[i].clone()),
        // A delivery comes twice, at once or later.
        2 => {
            let again = steps[at].clone();
            steps.insert(draw.between(at as u64 + 1, steps.len() as u64) as usize, again);
        }
        // Two events change places.
        3 => {
            let j = draw.below(events.len() as u64) as usize;
            events.swap(i, j);
        }
        // A revision is split.
        4 => {
            let cut = (1..events.len())
                .find(|c| events[c - 1].pair.mod_revision == events[*c].pair.mod_revision)?;
            let rest = Step::Events(events.split_off(cut), *part);
            *part = Part::Whole;
            steps.insert(at + 1, rest);
        }
        // Progress comes too early.
        5 => steps.insert(at, Step::Progress(first.max(request.start))),
        // A watch says that it has come further than it has.
        6 => steps.insert(at, Step::Reached(first + 1)),
        // What was before is wrong, or missing, or not asked for.
        7 => {
            let event = &mut events[i];
            let right = event.before.take();
            if right.is_none() {
                event.before = Some(event.pair.clone());
            } else if event.pair.mod_revision - 1 < store.past().compacted() {
                event.before = right.map(|right| Pair { version: right.version + 1, ..right });
            }
        }
        // It ends without a word.
        8 => steps.insert(at, Step::End(End::Silent)),
        // It is told that what it has still to get is compacted, which is not so.
        9 => steps.insert(at, Step::End(End::Compacted { compacted: first.min(request.start) })),
        // It goes on too far behind, or too early.
        10 => {
            let resume = if draw.chance(500) {
                first + 1
            } else {
                (1..at).rev().find_map(|i| match &run[i] {
                    Step::Events(events, _) => Some(events[0].pair.mod_revision),
                    _ => None,
                })?
            };
            steps.splice(at..at, [Step::End(End::MemberGone), Step::Resume(resume)]);
        }
        // The filter is ignored, or the span.
        11 => {
            let key = &KEYS[draw.below(5) as usize];
            let event = &mut events[i];
            event.pair.key = (*key).into();
        }
        // Something comes from before the start.
        12 => {
            let old = store.events(request.start - 1).into_iter().next()?;
            steps.insert(draw.below(steps.len() as u64 + 1) as usize, Step::Events(vec![old], Part::Whole));
        }
        // A pair is told wrong.
        13 => {
            let pair = &mut events[i].pair;
            match draw.below(5) {
                0 => pair.create_revision += 1,
                1 => pair.mod_revision += 1,
                2 => pair.version += 1,
                3 => pair.lease += 1,
                _ => pair.value = "wrong".into(),
            }
        }
        // Progress comes from a future that is none.
        14 => steps.push(Step::Progress(newest + 1)),
        // After a compaction it goes on behind what is there, or behind what was read.
        15 => {
            let all = steps.iter_mut().zip(run.iter().map(Some).skip(1).chain([None]));
            let mut after = all.filter_map(|(step, next)| match (step, next) {
                (Step::End(End::Compacted { .. }) | Step::Reread(_), Some(Step::Resume(at))) => Some(*at),
                _ => None,
            });
            let right = after.next()?;
            let is_it = |step: &&mut Step| matches!(step, Step::Resume(at) if *at == right);
            *steps.iter_mut().find(is_it)? = Step::Resume(right + draw.between(1, 1000) as Revision);
        }
        // More is announced, and does not come.
        16 => {
            let last =
                steps.iter_mut().rev().find(|step| !matches!(step, Step::Progress(_) | Step::Reached(_)));
            let Some(Step::Events(_, part)) = last.filter(|_| request.fragment) else { return None };
            *part = Part::More;
        }
        // Its last words are never said.
        _ => {
            let after = steps[at + 1..].iter().any(|step| matches!(step, Step::Events(..) | Step::End(_)));
            if after {
                return None;
            }
            steps.truncate(at);
        }
    }
    Some(steps)
}

const SPOILINGS: usize = 18;

#[test]
fn w_chance_finds_no_false_alarm_and_no_way_through() {
    let mut spoilt = [0; SPOILINGS];
    for seed in 0..500 {
        let draw = &mut Rng::new(seed).stream(Purpose::Client, 1);
        let mut store = history(draw);
        let request = request(draw);
        let run = legal(draw, &mut store, &request);
        assert_eq!(judged(&store, &request, &run), Ok(()), "seed {seed}: {request:?} {run:#?}");
        for (kind, count) in spoilt.iter_mut().enumerate() {
            let Some(steps) = spoil(draw, &store, &request, &run, kind).filter(|steps| *steps != run) else {
                continue;
            };
            *count += 1;
            let verdict = judged(&store, &request, &steps);
            assert!(verdict.is_err(), "seed {seed}, spoilt in way {kind}: {request:?} {run:#?} {steps:#?}");
        }
    }
    assert!(spoilt.iter().all(|count| *count > 30), "{spoilt:?}");
}
