//! A state under test, with the watches that are open on it.

use std::collections::BTreeSet;

use bytes::Bytes;
use kvorum_core::ErrorKind;
use kvorum_core::ids::Revision;
use kvorum_core::request::WatchRequest;
use kvorum_core::state::{State, WatchCursor, WatcherId};
use kvorum_core::storage::LogPosition;

use super::Model;
use super::same::equal;

/// Whose images these are.
pub const CLUSTER: u64 = 77;

pub struct Replica {
    pub state: State,
    pub watches: Vec<Watch>,
    /// Those that were reported to have something to pull, and have not been pulled since.
    pub woken: BTreeSet<WatcherId>,
    /// The entries it has not applied yet.
    pub behind: Vec<(LogPosition, Bytes)>,
}

/// An open watch.
pub struct Watch {
    pub request: WatchRequest,
    cursor: WatchCursor,
    /// The first revision that was not delivered yet.
    next: Revision,
    /// The last pull brought all there was.
    complete: bool,
    /// An image was installed since, so that nobody knows which keys changed meanwhile.
    blind: bool,
}

impl Replica {
    pub fn new() -> Replica {
        Replica {
            state: State::new(CLUSTER),
            watches: Vec::new(),
            woken: BTreeSet::new(),
            behind: Vec::new(),
        }
    }

    /// Opens a watch that stays. One that begins too far back is told so by its first pull.
    pub fn open(&mut self, r: &WatchRequest) -> Result<(), String> {
        let (current, compacted) = (self.state.revision(), self.state.compacted());
        let requested = r.start_revision;
        let want = if requested < 0 {
            Some(ErrorKind::Compacted { requested, compacted })
        } else if empty(r) {
            Some(ErrorKind::EmptyRange)
        } else {
            None
        };
        match (self.state.open_watch(r), want) {
            (Ok(cursor), None) => {
                let next = if requested == 0 { current + 1 } else { requested };
                // One that begins later than now has nothing to pull and may be left alone until woken.
                let complete = next > current;
                self.watches.push(Watch { request: r.clone(), cursor, next, complete, blind: false });
                Ok(())
            }
            (got, want) => equal("error of a watch", got.err().map(|e| e.kind().clone()), want),
        }
    }

    /// Pulls once and compares what came with what should.
    pub fn pull(&mut self, model: &Model, i: usize, max: (usize, usize)) -> Result<(), String> {
        self.collect_woken();
        self.check_woken(model, i)?;
        let (current, compacted) = (self.state.revision(), self.state.compacted());
        let watch = &mut self.watches[i];
        self.woken.remove(&watch.cursor.id());
        let missed = model.events_between(&watch.request, (watch.next, compacted - 1), compacted);
        match self.state.pull(&mut watch.cursor, max.0, max.1) {
            Err(e) => {
                // A watch may be ended only if it has fallen behind, not if there was nothing to miss.
                let may_have_missed = !missed.is_empty() || !watch.complete || watch.blind;
                let behind = watch.next < compacted && may_have_missed;
                let right = matches!(e.kind(), ErrorKind::Compacted { compacted: c, .. } if *c == compacted);
                let (next, complete) = (watch.next, watch.complete);
                let gone = self.watches.remove(i);
                self.state.close_watch(gone.cursor.id());
                if behind && right {
                    return Ok(());
                }
                Err(format!(
                    "a watch ended with {e:?}: next {next}, complete {complete}, compacted {compacted}, \
                     missed {missed:?}, {:?}",
                    gone.request
                ))
            }
            Ok(pulled) => {
                if !missed.is_empty() {
                    return Err(format!("{:?} silently missed {missed:?}, got {pulled:?}", watch.request));
                }
                let through = pulled.through;
                let top = current.max(watch.next - 1);
                if through > top || (!pulled.more && through < current) {
                    return Err(format!("through {through} at {current} of {:?}: {pulled:?}", watch.request));
                }
                let want = model.events_between(&watch.request, (watch.next, through), compacted);
                equal(&format!("pull of {:?} from {}", watch.request, watch.next), &pulled.events, &want)?;
                if pulled.more && through < watch.next {
                    return Err(format!("no progress from {} on: {pulled:?}", watch.next));
                }
                fits(&pulled.events, max.0)?;
                watch.next = watch.next.max(through + 1);
                watch.complete = !pulled.more;
                watch.blind &= pulled.more;
                Ok(())
            }
        }
    }

    /// Pulls every watch until there is nothing left.
    pub fn drain(&mut self, model: &Model, max: (usize, usize)) -> Result<(), String> {
        for i in (0..self.watches.len()).rev() {
            let id = self.watches[i].cursor.id();
            self.pull(model, i, max)?;
            while self.watches.get(i).is_some_and(|w| w.cursor.id() == id && !w.complete) {
                self.pull(model, i, max)?;
            }
        }
        Ok(())
    }

    /// Installs an image over the state. Its watches go on.
    pub fn install(&mut self, loaded: State) {
        self.state.install(loaded);
        self.watches.iter_mut().for_each(|watch| watch.blind = true);
        self.collect_woken();
    }

    pub fn close(&mut self, i: usize) {
        let id = self.watches.remove(i).cursor.id();
        self.state.close_watch(id);
        self.woken.remove(&id);
    }

    pub fn collect_woken(&mut self) {
        let mut woken = Vec::new();
        self.state.take_woken(&mut woken);
        self.woken.extend(woken);
    }

    /// A watch that had pulled everything and has something to pull now must have been woken.
    fn check_woken(&self, model: &Model, i: usize) -> Result<(), String> {
        let (watch, top) = (&self.watches[i], self.state.revision());
        if !watch.complete || self.woken.contains(&watch.cursor.id()) {
            return Ok(());
        }
        equal(
            &format!("events that {:?} was not woken for", watch.request),
            model.events_between(&watch.request, (watch.next, top), i64::MAX),
            Vec::new(),
        )
    }
}

/// Whether a watch can never see anything (A7.1).
fn empty(r: &WatchRequest) -> bool {
    let start: &[u8] = if r.key.is_empty() { &[0] } else { &r.key };
    !matches!(r.range_end[..], [] | [0]) && r.range_end[..] <= *start
}

/// A pull may exceed its limit only to keep the last revision whole.
fn fits(events: &[kvorum_core::request::Event], max: usize) -> Result<(), String> {
    let revision = |e: &kvorum_core::request::Event| e.kv.as_ref().map(|kv| kv.mod_revision);
    let last = events.last().and_then(revision);
    let before = events.iter().filter(|e| revision(e) != last).count();
    if before == 0 || before < max { Ok(()) } else { Err(format!("{} events, limit {max}", events.len())) }
}
