//! Whether a watch said what happened: all of it, once, in order, and to the end.
//!
//! One judge follows one watch through all its lives: it may lose its member, or fall behind a compaction, and
//! go on elsewhere. The judge keeps a cursor into the log and nothing else, and looks at each revision once; a
//! delivery that comes late is no fault before the end, for a member may be behind.

use std::fmt;

use bytes::Bytes;

use super::past::{Pair, Past};
use super::promise::{Broken, Moment, Rule};
use crate::history::{Change, Revision};

/// The keys that a watch follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// One.
    Key(Bytes),
    /// From the first to the second, without the second.
    Between(Bytes, Bytes),
    /// All from this one on.
    From(Bytes),
}

impl Span {
    /// As etcd's requests write it: no `range_end` means one key, a single zero byte no end.
    pub fn of(key: impl Into<Bytes>, range_end: impl Into<Bytes>) -> Span {
        let (key, end) = (key.into(), range_end.into());
        match &end[..] {
            [] => Span::Key(key),
            [0] => Span::From(key),
            _ => Span::Between(key, end),
        }
    }

    /// Whether a key is one of them.
    pub fn contains(&self, key: &[u8]) -> bool {
        match self {
            Span::Key(only) => only == key,
            Span::Between(first, end) => first <= key && key < end,
            Span::From(first) => first <= key,
        }
    }
}

/// What a watch was asked for.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Which keys.
    pub span: Span,
    /// The first revision. Where the request left it to the store ('from now'): the one that it said it would
    /// begin with.
    pub start: Revision,
    /// Leave puts out.
    pub no_put: bool,
    /// Leave deletes out.
    pub no_delete: bool,
    /// Tell with each event what was before.
    pub prev_kv: bool,
    /// A revision may come in parts, each but the last marked as one.
    pub fragment: bool,
    /// The member that it is open at.
    pub member: u64,
    /// Which of the cluster's lives this is: a restored backup begins another one, whose revisions are others.
    pub incarnation: u64,
}

/// An event as it was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// The key was deleted, otherwise put.
    pub is_delete: bool,
    /// The pair as it is now. Of a deleted key only the key and the mod revision are told.
    pub pair: Pair,
    /// The pair as it was before.
    pub before: Option<Pair>,
}

/// Whether a delivery ends with the end of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It does.
    Whole,
    /// It was marked as a fragment: more of its last revision comes.
    More,
}

/// Why a watch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its owner was told that the cancellation took effect.
    Cancelled,
    /// What it needs is forgotten.
    Compacted {
        /// The oldest revision that can still be read, as etcd's `compact_revision` has it: whoever begins
        /// there is told that revision's own events and all later ones; what was before it is forgotten.
        compacted: Revision,
    },
    /// Its member, or the way to it, is gone, and its owner was told.
    MemberGone,
    /// The store would not serve it any longer.
    Overload {
        /// Where another one can go on.
        resume: Revision,
    },
    /// Its owner may not read these keys any more.
    Permission,
    /// The cluster is another one than it was.
    Incarnation,
    /// No reason was given.
    Silent,
}

/// Where in the log a watch is: before the `at`-th change (from 0) of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    revision: Revision,
    at: usize,
}

/// Judges one watch. After it has found something broken it has nothing more to say of use.
///
/// Whatever it is told of must be in the log by then: a log that is itself gathered from outside, and late, is
/// best gathered to its end first.
///
/// ```
/// use kvorum_sim::history::{Change, EventLog};
/// use kvorum_sim::promises::{End, Opened, Pair, Part, Replay, Rule, Span, WatchEvent, WatchJudge};
///
/// // What happened: k was put at revisions 2, 3 and 4.
/// let (mut log, mut replay) = (EventLog::new(), Replay::new());
/// for revision in 2..=4 {
///     let value = revision.to_string().into();
///     log.push(revision, vec![Change::Put { key: "k".into(), value, lease: 0 }]).unwrap();
/// }
/// replay.follow(&log);
/// let past = replay.of(&log);
///
/// // What a watch said of it.
/// let mut judge = WatchJudge::opened(Opened {
///     span: Span::of("k", ""),
///     start: 2,
///     no_put: false,
///     no_delete: false,
///     prev_kv: false,
///     fragment: false,
///     member: 1,
///     incarnation: 0,
/// })?;
/// let put = |revision: i64| WatchEvent {
///     is_delete: false,
///     pair: Pair {
///         key: "k".into(),
///         create_revision: 2,
///         mod_revision: revision,
///         version: revision - 1,
///         value: revision.to_string().into(),
///         lease: 0,
///     },
///     before: None,
/// };
/// judge.delivered(past, &[put(2)], Part::Whole)?;
/// judge.ended(past, End::MemberGone)?;
/// judge.resumed(past, 2, 0, 3)?; // at member 2, from revision 3 on
/// let gap = judge.clone().delivered(past, &[put(4)], Part::Whole);
/// assert_eq!(gap.unwrap_err().rule, Rule::W5);
/// judge.delivered(past, &[put(3), put(4)], Part::Whole)?;
/// judge.finish(past, true)?;
/// # Ok::<(), kvorum_sim::promises::Broken>(())
/// ```
#[derive(Clone, Debug)]
pub struct WatchJudge {
    request: Opened,
    /// Everything before it was handed out, was not asked for, or was given up for compacted.
    next: Cursor,
    /// The revision of the last event; 0: none yet.
    last: Revision,
    /// The last progress that was told in this life; 0: none yet.
    told: Revision,
    /// Nothing was handed out since it was resumed.
    is_fresh: bool,
    /// The last revision has come in part.
    is_in_part: bool,
    ended: Option<End>,
    /// Since it ended, its owner has read all that it follows, as it was at this revision.
    read: Option<Revision>,
}

impl WatchJudge {
    /// A watch was opened.
    ///
    /// # Errors
    ///
    /// [`Rule::W8`]: a start that there cannot be was accepted.
    pub fn opened(request: Opened) -> Result<WatchJudge, Broken> {
        if request.start < 1 {
            return Err(Broken::new(Rule::W8, format!("a start at {} was accepted", request.start)));
        }
        let next = Cursor { revision: request.start, at: 0 };
        Ok(WatchJudge {
            request,
            next,
            last: 0,
            told: 0,
            is_fresh: false,
            is_in_part: false,
            ended: None,
            read: None,
        })
    }

    /// The first revision that has not been handed out, as far as the judge was told.
    pub fn next_revision(&self) -> Revision {
        let is_over = self.next.at > 0 && !self.is_in_part;
        self.next.revision + Revision::from(is_over)
    }

    /// Events came.
    ///
    /// # Errors
    ///
    /// The first rule that they break.
    pub fn delivered(&mut self, past: Past<'_>, events: &[WatchEvent], part: Part) -> Result<(), Broken> {
        let revision = match events.last() {
            Some(end) => end.pair.mod_revision,
            // It says that there is no more of what came in part; or nothing at all.
            None if self.is_in_part => self.last,
            None => return Ok(()),
        };
        self.must_be_open(format_args!("events up to revision {revision}"))?;
        let backwards = events.windows(2).find(|two| two[1].pair.mod_revision < two[0].pair.mod_revision);
        if let Some([before, after]) = backwards {
            return self.broken(Rule::W1, format_args!("{} came before {}", Told(before), Told(after)));
        }
        for event in events {
            self.event(past, event)?;
        }
        let rest = self.missed(past, revision);
        self.is_in_part = part == Part::More;
        match (part, rest) {
            (Part::Whole, Some((_, change))) => {
                let left = change.key().escape_ascii();
                self.broken(Rule::W3, format_args!("revision {revision} ended without its change of {left}"))
            }
            (Part::More, _) if !self.request.fragment => {
                self.broken(Rule::W3, format_args!("revision {revision} came as a fragment, unasked"))
            }
            _ => Ok(()),
        }
    }

    /// It said that everything up to and including this revision has been handed out.
    ///
    /// # Errors
    ///
    /// The first rule that this breaks.
    pub fn progress(&mut self, past: Past<'_>, revision: Revision) -> Result<(), Broken> {
        let seen = format_args!("progress at {revision}");
        self.must_be_open(seen)?;
        if revision < self.request.start - 1 {
            return self.broken(Rule::W8, seen);
        }
        if revision < self.last.max(self.told) {
            return self.broken(Rule::W1, format_args!("{seen}, after {}", self.last.max(self.told)));
        }
        if revision > past.newest() {
            return self.broken(Rule::W6, format_args!("{seen}, when {} was newest", past.newest()));
        }
        self.pass(past, revision, Rule::W6, seen)?;
        self.told = revision;
        Ok(())
    }

    /// It said where another one would have to go on: everything below has been handed out. (Some say so at
    /// any time, and mean the same as with progress.)
    ///
    /// # Errors
    ///
    /// [`Rule::W4`] if something below was not handed out, [`Rule::W5`] if something would come again.
    pub fn reached(&mut self, past: Past<'_>, next: Revision) -> Result<(), Broken> {
        let seen = format_args!("a watch that has come to {next}");
        if next <= self.last && !self.is_in_part {
            return self.broken(Rule::W5, format_args!("{seen}, after events of {}", self.last));
        }
        self.pass(past, next - 1, Rule::W4, seen)
    }

    /// It ended.
    ///
    /// # Errors
    ///
    /// [`Rule::W9`] if the reason is none, or not true.
    pub fn ended(&mut self, past: Past<'_>, end: End) -> Result<(), Broken> {
        self.must_be_open(format_args!("another end: {end:?}"))?;
        if self.is_in_part {
            // Whoever reads fragments throws a torn revision away, and asks for it again.
            self.next = Cursor { revision: self.last, at: 0 };
            (self.last, self.is_in_part) = (self.last - 1, false);
        }
        let needed = self.next_revision();
        match end {
            End::Compacted { compacted } if compacted <= needed => {
                self.broken(Rule::W9, format_args!("{end:?}, to a watch that needs {needed}"))
            }
            End::Compacted { compacted } if compacted > past.compacted() => {
                let most = past.compacted();
                self.broken(Rule::W9, format_args!("{end:?}, when {most} was the most that was asked for"))
            }
            End::Overload { resume } if resume <= self.last => {
                self.broken(Rule::W9, format_args!("{end:?}, after events of {}", self.last))
            }
            End::Overload { resume } => self.pass(past, resume - 1, Rule::W9, format_args!("{end:?}")),
            End::Silent => self.broken(Rule::W9, format_args!("an end without a reason")),
            _ => Ok(()),
        }?;
        self.ended = Some(end);
        Ok(())
    }

    /// After it ended, its owner read everything that it follows: the answer was of this revision, and whatever
    /// happened up to there has been seen in it. So the watch goes on with the revision after it, and not where
    /// history begins. (So Kubernetes does: after a compaction it lists, and watches from behind the list.)
    ///
    /// # Errors
    ///
    /// [`Rule::W5`]: what was read is older than what the watch had handed out, or of no revision that there
    /// is.
    pub fn reread(&mut self, past: Past<'_>, revision: Revision) -> Result<(), Broken> {
        let (seen, newest) = (format_args!("all was read as of {revision}"), past.newest());
        if revision < self.last {
            return self.broken(Rule::W5, format_args!("{seen}, after events of {}", self.last));
        }
        if revision < 1 || revision > newest {
            return self.broken(Rule::W5, format_args!("{seen}, when {newest} was newest"));
        }
        self.read = Some(revision);
        Ok(())
    }

    /// It was opened again, at a member of this incarnation, from `start` on. Where that has to be follows from
    /// how it ended:
    ///
    /// * compacted: at the oldest revision that can be read or, if another member has more, before it. That
    ///   revision's events are there, so whoever begins behind it misses them;
    /// * its owner has read the state anew ([`WatchJudge::reread`]): just behind what was read;
    /// * otherwise: wherever nothing lies between that was asked for, and nothing comes again.
    ///
    /// (An owner who begins elsewhere of its own accord has another watch, and needs another judge.)
    ///
    /// # Errors
    ///
    /// [`Rule::W5`] if that misses or repeats something, [`Rule::W9`] if it is another incarnation, which
    /// would have had to refuse.
    pub fn resumed(
        &mut self,
        past: Past<'_>,
        member: u64,
        incarnation: u64,
        start: Revision,
    ) -> Result<(), Broken> {
        let seen = format_args!("resumed at {start} on member {member}");
        if incarnation != self.request.incarnation || self.ended == Some(End::Incarnation) {
            return self.broken(Rule::W9, format_args!("{seen}, in another life of the cluster"));
        }
        if start <= self.last {
            return self.broken(Rule::W5, format_args!("{seen}, after events of {}", self.last));
        }
        self.begins_where_it_may(past, start, seen)?;
        (self.request.start, self.request.member) = (start, member);
        (self.told, self.is_fresh, self.ended, self.read) = (0, true, None, None);
        Ok(())
    }

    /// Nothing is missed by a watch that goes on there, but what is compacted or was read.
    fn begins_where_it_may(
        &mut self,
        past: Past<'_>,
        start: Revision,
        seen: impl fmt::Display,
    ) -> Result<(), Broken> {
        let (given_up, furthest) = match (self.read, &self.ended) {
            (Some(read), _) if start <= read => {
                return self.broken(Rule::W5, format_args!("{seen}, after all was read as of {read}"));
            }
            (Some(read), _) => (true, read + 1),
            (None, Some(End::Compacted { compacted })) => (true, *compacted),
            // Of a watch of the future nothing was handed out yet: it goes on there.
            _ => (false, self.next.revision.max(past.newest() + 1)),
        };
        if start > furthest {
            return self.broken(Rule::W5, format_args!("{seen}, where {furthest} was the furthest it could"));
        }
        if given_up {
            self.next = self.next.max(Cursor { revision: start, at: 0 });
            return Ok(());
        }
        self.pass(past, start - 1, Rule::W5, seen)
    }

    /// The run is over. If the store was left alone for long enough (`is_live`), an open watch has told
    /// everything, and has not left its owner to wait for the rest of a delivery.
    ///
    /// # Errors
    ///
    /// [`Rule::W10`]: it has not.
    pub fn finish(&self, past: Past<'_>, is_live: bool) -> Result<(), Broken> {
        let newest = past.newest();
        match self.missed(past, newest) {
            Some((revision, change)) if is_live && self.ended.is_none() => {
                let key = change.key().escape_ascii();
                self.broken(Rule::W10, format_args!("{key} at {revision} is missing still, of {newest}"))
            }
            None if is_live && self.ended.is_none() && self.is_in_part => {
                self.broken(Rule::W10, format_args!("more of {} was announced, and never came", self.last))
            }
            _ => Ok(()),
        }
    }

    /// One event, and its place in the log.
    fn event(&mut self, past: Past<'_>, event: &WatchEvent) -> Result<(), Broken> {
        let (revision, seen) = (event.pair.mod_revision, Told(event));
        if revision < self.request.start {
            return self.broken(Rule::W8, seen);
        }
        if !self.wants(&event.pair.key, event.is_delete) {
            return self.broken(Rule::W7, format_args!("{seen}, which was not asked for"));
        }
        if revision < self.last {
            return self.broken(Rule::W1, format_args!("{seen}, after one of {}", self.last));
        }
        let gap = if self.is_fresh { Rule::W5 } else { Rule::W4 };
        self.pass(past, revision - 1, gap, seen)?;
        if revision < self.next.revision {
            return self.broken(
                Rule::W6,
                format_args!("{seen}, by a watch that said it was past it (progress: {})", self.told),
            );
        }
        let at = self.place(past, event, gap)?;
        self.compare(past, event, at)?;
        self.next = Cursor { revision, at: at + 1 };
        (self.last, self.is_fresh) = (revision, false);
        Ok(())
    }

    /// Which of its revision's changes it is: the next one that was asked for, or something is wrong.
    fn place(&self, past: Past<'_>, event: &WatchEvent, gap: Rule) -> Result<usize, Broken> {
        let (changes, seen) = (past.at(event.pair.mod_revision), Told(event));
        let is_it = |change: &Change| *change.key() == event.pair.key && is_delete(change) == event.is_delete;
        let (told, rest) = changes.split_at(self.next.at.min(changes.len()));
        let next = rest.iter().position(|change| self.wants(change.key(), is_delete(change)));
        if let Some(next) = next.filter(|next| is_it(&rest[*next])) {
            return Ok(told.len() + next);
        }
        if told.iter().any(is_it) {
            return self.broken(Rule::W2, format_args!("{seen}, again"));
        }
        if let Some(next) = next.filter(|_| rest.iter().any(is_it)) {
            let left_out = rest[next].key().escape_ascii();
            return self.broken(gap, format_args!("{seen}, without that of {left_out} before it"));
        }
        if changes.iter().any(|change| *change.key() == event.pair.key) {
            return self.broken(Rule::W7, format_args!("{seen}, which was the opposite"));
        }
        self.broken(Rule::W4, format_args!("{seen}, which never happened"))
    }

    /// Whether its pairs are the store's.
    fn compare(&self, past: Past<'_>, event: &WatchEvent, at: usize) -> Result<(), Broken> {
        let (key, revision) = (&event.pair.key, event.pair.mod_revision);
        let gone = || Pair { key: key.clone(), mod_revision: revision, ..Pair::default() };
        let pair = past.pair_after(key, revision, at).unwrap_or_else(gone);
        if event.pair != pair {
            return self.broken(Rule::W7, format_args!("{:?} instead of {pair:?}", event.pair));
        }
        let before = self.request.prev_kv.then(|| past.pair_at(key, revision - 1)).flatten();
        // Nobody is promised what was before, once it may be compacted, nor between the steps of a transaction.
        let may_lack = || {
            let earlier = &past.at(revision)[..at];
            revision - 1 < past.compacted() || earlier.iter().any(|change| change.key() == key)
        };
        if event.before == before || (event.before.is_none() && may_lack()) {
            return Ok(());
        }
        let seen = &event.before;
        self.broken(Rule::W7, format_args!("{}: before it {seen:?} instead of {before:?}", Told(event)))
    }

    /// Moves on behind `revision`, if nothing that was asked for lies between.
    fn pass(
        &mut self,
        past: Past<'_>,
        revision: Revision,
        rule: Rule,
        seen: impl fmt::Display,
    ) -> Result<(), Broken> {
        if let Some((missed, change)) = self.missed(past, revision) {
            let key = change.key().escape_ascii();
            return self.broken(rule, format_args!("{seen}, without {key} at {missed}"));
        }
        self.next = self.next.max(Cursor { revision: revision + 1, at: 0 });
        Ok(())
    }

    /// The first change from the cursor up to and including `until` that was asked for.
    fn missed<'a>(&self, past: Past<'a>, until: Revision) -> Option<(Revision, &'a Change)> {
        let until = until.min(past.newest());
        let Cursor { revision: mut from, mut at } = self.next;
        while from <= until {
            let changes = past.at(from).get(at..).unwrap_or_default();
            if let Some(change) = changes.iter().find(|change| self.wants(change.key(), is_delete(change))) {
                return Some((from, change));
            }
            // Of a watch of one key only that key's revisions are looked at: there may be many others.
            (from, at) = match &self.request.span {
                Span::Key(key) => (past.next_change(key, from + 1, until)?, 0),
                _ => (from + 1, 0),
            };
        }
        None
    }

    fn wants(&self, key: &[u8], is_delete: bool) -> bool {
        let is_left_out = if is_delete { self.request.no_delete } else { self.request.no_put };
        !is_left_out && self.request.span.contains(key)
    }

    fn must_be_open(&self, seen: impl fmt::Display) -> Result<(), Broken> {
        match &self.ended {
            None => Ok(()),
            Some(end) => self.broken(Rule::W9, format_args!("{seen}, after its end: {end:?}")),
        }
    }

    fn broken<T>(&self, rule: Rule, seen: impl fmt::Display) -> Result<T, Broken> {
        let Opened { span, start, member, .. } = &self.request;
        Err(Broken::new(rule, format!("{seen} (a watch of {span:?} from {start} on, at member {member})")))
    }
}

/// [`Rule::W11`]: while another watcher was slow, this one was handed each event within `bound` of its commit.
/// Takes, for each event, when it was delivered and when it was committed; answers the longest delay.
///
/// # Errors
///
/// One took longer.
pub fn not_delayed(
    events: impl IntoIterator<Item = (Moment, Moment)>,
    bound: Moment,
) -> Result<Moment, Broken> {
    let mut longest = Moment::ZERO;
    for (delivered, committed) in events {
        let delay = delivered.saturating_sub(committed);
        if delay > bound {
            let seen = format!("committed at {committed:?}, delivered {delay:?} later, of {bound:?}");
            return Err(Broken::new(Rule::W11, seen));
        }
        longest = longest.max(delay);
    }
    Ok(longest)
}

fn is_delete(change: &Change) -> bool {
    matches!(change, Change::Delete { .. })
}

/// An event in words.
#[derive(Clone, Copy)]
struct Told<'a>(&'a WatchEvent);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.0.is_delete { "delete" } else { "put" };
        write!(f, "the {what} of {} at {}", self.0.pair.key.escape_ascii(), self.0.pair.mod_revision)
    }
}

#[cfg(test)]
mod tests;
