//! Watches: a cursor each, and an index that finds the cursors of a changed key.
//!
//! Nothing is queued. A watch remembers the first revision that touched its keys since it was last pulled,
//! and pulls from the log of revisions from there. So a slow watch costs its cursor, and one whose keys do
//! not change is not harmed by any compaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::State;
use super::index::RangeIndex;
use super::key::{Key, Span};
use super::record::Record;
use super::store::Store;
use crate::error::{ErrorKind, Result};
use crate::ids::Revision;
use crate::request::{Event, WatchRequest};

/// How many changes one pull looks at, so that it does not hold the state's lock for long when few of them
/// match.
const SCAN: usize = 10_000;

/// An open watch. Never used again for another one in the life of a [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatcherId(u64);

impl WatcherId {
    /// As a number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The one given out after it.
    pub(super) fn next(self) -> WatcherId {
        WatcherId(self.0 + 1)
    }
}

/// Where a watch stands. It belongs to whoever pulls; give it back with [`State::close_watch`].
#[derive(Debug)]
pub struct WatchCursor {
    id: WatcherId,
    target: Arc<Target>,
    next: Revision,
    prev_kv: bool,
}

impl WatchCursor {
    /// The watch that this is the cursor of.
    pub fn id(&self) -> WatcherId {
        self.id
    }

    /// The lowest revision that has not been delivered: where another watch would resume.
    pub fn next_revision(&self) -> Revision {
        self.next
    }
}

/// What a pull brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pulled {
    /// The events, in order; a revision is never split.
    pub events: Vec<Event>,
    /// Everything at or below this revision has been delivered.
    pub through: Revision,
    /// There may be more to pull now; the watch is not woken for it.
    pub more: bool,
}

/// What a watch wants to see.
#[derive(Debug)]
pub(super) struct Target {
    start: Key,
    end: End,
    no_put: bool,
    no_delete: bool,
}

#[derive(Debug)]
enum End {
    Single,
    At(Key),
    Never,
}

impl Target {
    fn of(r: &WatchRequest) -> Target {
        let start = if r.key.is_empty() { &[0] } else { &r.key[..] };
        let (start, end) = match Span::new(start, &r.range_end) {
            Span::Single(key) => (key, End::Single),
            Span::Between(start, end) => (start, End::At(Key::new(end))),
            Span::From(start) => (start, End::Never),
        };
        Target { start: Key::new(start), end, no_put: r.no_put, no_delete: r.no_delete }
    }

    /// One that nothing matches.
    pub(super) fn nothing() -> Arc<Target> {
        let empty = Key::new(&[]);
        Arc::new(Target { start: empty.clone(), end: End::At(empty), no_put: true, no_delete: true })
    }

    /// The first key.
    pub(super) fn start(&self) -> &[u8] {
        self.start.as_slice()
    }

    /// Whether a key lies before the end.
    pub(super) fn ends_behind(&self, key: &[u8]) -> bool {
        match &self.end {
            End::Single => key <= self.start(),
            End::At(end) => key < end.as_slice(),
            End::Never => true,
        }
    }

    /// Whether this range ends behind another.
    pub(super) fn ends_behind_that(&self, other: &Target) -> bool {
        match (&self.end, &other.end) {
            (_, End::Never) => false,
            (End::Never, _) => true,
            (End::At(end), End::At(other)) => end > other,
            // Watches of one key are not in the tree that asks.
            (End::Single, _) | (_, End::Single) => false,
        }
    }

    /// Whether a kind of change is wanted.
    fn wants(&self, is_delete: bool) -> bool {
        if is_delete { !self.no_delete || planted!("filter_forgotten") } else { !self.no_put }
    }

    fn matches(&self, record: &Record) -> bool {
        let key = record.key();
        self.wants(record.is_tombstone()) && self.start() <= key && self.ends_behind(key)
    }
}

/// What the state remembers of a watch.
#[derive(Debug)]
struct Watcher {
    target: Arc<Target>,
    /// The first revision to pull from, or 0. Atomic only because a pull shares the state with other
    /// readers; whoever writes the state has it alone.
    pending: AtomicI64,
    /// The last revision that may have anything for it: a pull looks no further, so that it costs what
    /// concerns the watch and not what all the others wrote meanwhile.
    last: Revision,
    /// Nothing below is wanted, ever.
    floor: Revision,
}

impl Watcher {
    /// The revisions from `first` to `last` may have something for it. Pulls begin at the first one that
    /// they were told of; true: there was none.
    fn mark(&mut self, first: Revision, last: Revision) -> bool {
        if last < self.floor {
            return false;
        }
        self.last = last;
        let pending = self.pending.get_mut();
        let woken = *pending == 0;
        if woken {
            *pending = first.max(self.floor);
        }
        woken
    }
}

/// The watches of one key; mostly it is one.
#[derive(Debug)]
enum Exact {
    One(WatcherId),
    // Boxed, so that the many keys with one watch do not pay for it.
    #[allow(clippy::box_collection)]
    Many(Box<BTreeSet<WatcherId>>),
}

/// All watches.
#[derive(Debug)]
pub(super) struct Watches {
    all: BTreeMap<WatcherId, Watcher>,
    exact: BTreeMap<Key, Exact>,
    ranges: RangeIndex,
    woken: Vec<WatcherId>,
    next: WatcherId,
}

impl Watches {
    /// None.
    pub(super) fn new() -> Watches {
        Watches {
            all: BTreeMap::new(),
            exact: BTreeMap::new(),
            ranges: RangeIndex::new(),
            woken: Vec::new(),
            next: WatcherId(1),
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Adds a watch that wants nothing below `floor`, to be pulled at once if that is not in the future.
    fn open(&mut self, target: Arc<Target>, floor: Revision, newest: Revision) -> WatcherId {
        let pending = if floor <= newest { floor } else { 0 };
        let id = self.next;
        self.next = id.next();
        match (&target.end, self.exact.get_mut(target.start())) {
            (End::At(_) | End::Never, _) => self.ranges.insert(id, &target),
            (End::Single, None) => _ = self.exact.insert(target.start.clone(), Exact::One(id)),
            (End::Single, Some(Exact::Many(ids))) => _ = ids.insert(id),
            (End::Single, Some(exact @ Exact::One(_))) => {
                let Exact::One(other) = *exact else { return id };
                *exact = Exact::Many(Box::new(BTreeSet::from([other, id])));
            }
        }
        if pending != 0 {
            self.woken.push(id);
        }
        let watcher = Watcher { target, pending: AtomicI64::new(pending), last: newest, floor };
        self.all.insert(id, watcher);
        id
    }

    fn close(&mut self, id: WatcherId) {
        let Some(watcher) = self.all.remove(&id) else { return };
        let target = watcher.target;
        if !matches!(target.end, End::Single) {
            self.ranges.remove(id, &target);
            return;
        }
        let last = match self.exact.get_mut(target.start()) {
            None => false,
            Some(Exact::One(only)) => *only == id,
            Some(Exact::Many(ids)) => {
                ids.remove(&id);
                ids.is_empty()
            }
        };
        if last {
            self.exact.remove(target.start());
        }
    }

    /// A key changed: marks and wakes its watches.
    pub(super) fn touch(&mut self, key: &[u8], is_delete: bool, revision: Revision) {
        let Watches { all, exact, ranges, woken, .. } = self;
        let mut touch = |id: WatcherId| {
            let Some(watcher) = all.get_mut(&id) else { return };
            if watcher.target.wants(is_delete) && watcher.mark(revision, revision) {
                woken.push(id);
            }
        };
        match exact.get(key) {
            None => {}
            Some(Exact::One(id)) => touch(*id),
            Some(Exact::Many(ids)) => ids.iter().copied().for_each(&mut touch),
        }
        ranges.find(key, &mut touch);
    }

    /// The log was replaced by one that goes on behind `revision`, up to `newest`, and nobody knows which
    /// keys changed between: every watch must look for itself.
    pub(super) fn resume_behind(&mut self, revision: Revision, newest: Revision) {
        for (&id, watcher) in &mut self.all {
            if watcher.mark(revision + 1, newest) {
                self.woken.push(id);
            }
        }
    }
}

impl State {
    /// Opens a watch. If its start lies in the past it is woken at once; the same is true of a start that
    /// is compacted, whose end ([`ErrorKind::Compacted`]) the first pull tells.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Compacted`] for a negative start; else [`ErrorKind::EmptyRange`].
    pub fn open_watch(&mut self, r: &WatchRequest) -> Result<WatchCursor> {
        // In etcd's order: what is wrong with the start comes first.
        if r.start_revision < 0 {
            return Err(self.store.readable().compacted_error(r.start_revision));
        }
        let key = if r.key.is_empty() { &[0] } else { &r.key[..] };
        if Span::new(key, &r.range_end).is_empty() {
            return Err(ErrorKind::EmptyRange.into());
        }
        let newest = self.store.revision;
        let floor = if r.start_revision == 0 { newest + 1 } else { r.start_revision };
        let target = Arc::new(Target::of(r));
        let id = self.watches.open(target.clone(), floor, newest);
        Ok(WatchCursor { id, target, next: floor, prev_kv: r.prev_kv })
    }

    /// The next events of a watch. Stops at the end of a revision once there are `max_events` or
    /// `max_bytes` (of keys and values); at least one revision is taken if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Compacted`]: the history that the watch still needs is gone. The watch is at its end;
    /// close it.
    pub fn pull(&self, c: &mut WatchCursor, max_events: usize, max_bytes: usize) -> Result<Pulled> {
        let newest = self.store.revision;
        let watcher = self.watches.all.get(&c.id);
        let pending = watcher.map_or(0, |watcher| watcher.pending.load(Ordering::Relaxed));
        let mut pull = Pull { store: &self.store, max_events, max_bytes, pulled: Pulled::default() };
        let mut stopped = None;
        if pending != 0 {
            let from = if planted!("replay_after_image") { pending } else { pending.max(c.next) };
            if from < self.store.compacted && !planted!("watch_skips_compacted") {
                return Err(self.store.readable().compacted_error(from));
            }
            stopped = pull.scan(c, from, watcher.map_or(0, |watcher| watcher.last));
        }
        if let Some(watcher) = watcher {
            watcher.pending.store(stopped.unwrap_or(0), Ordering::Relaxed);
        }
        let through = stopped.map_or(newest, |revision| revision - 1);
        c.next = c.next.max(through + 1);
        Ok(Pulled { through, more: stopped.is_some(), ..pull.pulled })
    }

    /// Whether a watch may have something to pull. Asked of several under one lock, a no from all of them says
    /// that they were shown everything up to the newest revision.
    pub fn is_watch_due(&self, id: WatcherId) -> bool {
        let watcher = self.watches.all.get(&id);
        watcher.is_some_and(|watcher| watcher.pending.load(Ordering::Relaxed) != 0)
    }

    /// Closes a watch; one that is not open is ignored.
    pub fn close_watch(&mut self, id: WatcherId) {
        self.watches.close(id);
    }

    /// Whether [`State::take_woken`] has any.
    pub fn has_woken(&self) -> bool {
        !self.watches.woken.is_empty()
    }

    /// Appends the watches that have something to pull and did not have when they were last pulled. Some
    /// may be closed by now.
    pub fn take_woken(&mut self, into: &mut Vec<WatcherId>) {
        into.append(&mut self.watches.woken);
    }
}

/// One pull under way.
struct Pull<'a> {
    store: &'a Store,
    max_events: usize,
    max_bytes: usize,
    pulled: Pulled,
}

impl Pull<'_> {
    /// Collects what matches from a revision on. Returns the revision that it stopped before, or `None` if
    /// it came to the last one.
    fn scan(&mut self, c: &WatchCursor, from: Revision, last: Revision) -> Option<Revision> {
        let (mut bytes, mut seen) = (0, 0);
        for revision in from.max(self.store.log.first())..=last {
            let records = self.store.log.get(revision).map_or(&[][..], |changes| changes.records());
            if seen > 0 && seen + records.len() > SCAN {
                return Some(revision);
            }
            seen += records.len();
            let full = !self.pulled.events.is_empty()
                && (self.pulled.events.len() >= self.max_events || bytes >= self.max_bytes);
            for record in records.iter().filter(|record| c.target.matches(record)) {
                let is_split = planted!("split_revision") && self.pulled.events.len() >= self.max_events;
                if full || is_split {
                    return Some(revision);
                }
                bytes += self.take(record, c.prev_kv);
            }
        }
        None
    }

    /// Adds an event; returns its size.
    fn take(&mut self, record: &Record, prev_kv: bool) -> usize {
        let before = if prev_kv { self.store.before(record) } else { None };
        let size = |record: &Record| record.key().len() + record.value().len();
        let bytes = size(record) + before.map_or(0, size);
        let prev_kv = before.map(Record::pair);
        self.pulled.events.push(Event { prev_kv, ..record.event() });
        bytes
    }
}

impl Store {
    /// The pair as it was before a revision that changed it, unless that is compacted. Whether it happens to
    /// be in memory still must not matter.
    fn before(&self, record: &Record) -> Option<&Record> {
        let revision = record.modified - i64::from(!planted!("watch_shows_itself_before"));
        // A first version has none before it, even where its transaction deleted the key just before.
        if revision < self.compacted || record.version == 1 {
            return None;
        }
        self.history(record.key())?.live_at(revision).map(|record| &**record)
    }
}
