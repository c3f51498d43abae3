//! How a watch ends, and where it may go on: only what is forgotten may be missed, or what its owner has read.

use std::fmt;

use super::{Cursor, End, WatchJudge};
use crate::history::Revision;
use crate::promises::past::Past;
use crate::promises::promise::{Broken, Rule};

impl WatchJudge {
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
}
