//! Whether a watch said what happened: all of it, once, in order, and to the end.
//!
//! One judge follows one watch through all its lives: it may lose its member, or fall behind a compaction, and
//! go on elsewhere. The judge keeps a cursor into the log and nothing else, and looks at each revision once; a
//! delivery that comes late is no fault before the end, for a member may be behind.

mod resume;
mod words;

use std::fmt;

pub use words::{End, Opened, Part, Span, WatchEvent};
use words::{Told, is_delete};

use super::past::{Pair, Past};
use super::promise::{Broken, Moment, Rule};
use crate::history::{Change, Revision};

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

#[cfg(test)]
mod tests;
