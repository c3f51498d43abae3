//! Which entries the log has, of which terms, in which segments; not what they are.

use kvorum_core::ids::{Index, Term};
use kvorum_core::storage::LogPosition;

/// The log without its data. Terms and segments are kept as runs, so that its size does not depend on the
/// number of entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    base: LogPosition,
    last: Index,
    /// From which index on, which term.
    terms: Vec<(Index, Term)>,
    /// From which index on, which segment. Rises: what is written later replaces a tail.
    homes: Vec<(Index, u64)>,
}

fn run_at<T: Copy>(runs: &[(Index, T)], index: Index) -> Option<T> {
    let behind = runs.partition_point(|(from, _)| *from <= index);
    behind.checked_sub(1).map(|at| runs[at].1)
}

fn push_run<T: PartialEq>(runs: &mut Vec<(Index, T)>, index: Index, value: T) {
    if runs.last().is_none_or(|(_, last)| *last != value) {
        runs.push((index, value));
    }
}

impl Shape {
    /// The position before the first entry.
    pub(super) fn base(&self) -> LogPosition {
        self.base
    }

    /// The position of the last entry, or the base.
    pub(super) fn last(&self) -> LogPosition {
        let term = self.terms.last().map_or(self.base.term, |(_, term)| *term);
        LogPosition { index: self.last, term }
    }

    /// The term at the base or at an entry.
    pub(super) fn term_at(&self, index: Index) -> Option<Term> {
        match index {
            _ if index == self.base.index => Some(self.base.term),
            _ if index < self.base.index || index > self.last => None,
            _ => run_at(&self.terms, index),
        }
    }

    /// The segment of an entry.
    pub(super) fn home_of(&self, index: Index) -> Option<u64> {
        if index <= self.base.index || index > self.last { None } else { run_at(&self.homes, index) }
    }

    /// Forgets every entry.
    pub(super) fn reset(&mut self, base: LogPosition) {
        *self = Shape { base, last: base.index, ..Shape::default() };
    }

    /// Forgets what lies behind `index`.
    pub(super) fn cut(&mut self, index: Index) {
        self.last = self.last.min(index).max(self.base.index);
        self.terms.retain(|(from, _)| *from <= index);
        self.homes.retain(|(from, _)| *from <= index);
    }

    /// Adds the next entry.
    pub(super) fn push(&mut self, term: Term, home: u64) {
        self.last += 1;
        push_run(&mut self.terms, self.last, term);
        push_run(&mut self.homes, self.last, home);
    }

    /// Forgets the entries of the segments before `segment`.
    pub(super) fn drop_before(&mut self, segment: u64) {
        let gone = self.homes.iter().take_while(|(_, home)| *home < segment).count();
        if gone == 0 {
            return;
        }
        let index = self.homes.get(gone).map_or(self.last, |(from, _)| from - 1);
        self.base = LogPosition { index, term: self.term_at(index).unwrap_or(self.base.term) };
        self.homes.drain(..gone);
        let keep = self.terms.partition_point(|(from, _)| *from <= index + 1).saturating_sub(1);
        self.terms.drain(..keep);
        if self.last == index {
            self.terms.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_knows_terms_and_segments_through_overwrites_and_drops() {
        let mut shape = Shape::default();
        (1..=10).for_each(|i| shape.push(1 + i / 6, if i <= 5 { 1 } else { 2 }));
        assert_eq!(shape.last(), LogPosition { index: 10, term: 2 });
        shape.cut(7);
        (8..=12).for_each(|_| shape.push(3, 3));
        assert_eq!((shape.term_at(5), shape.term_at(7), shape.term_at(8)), (Some(1), Some(2), Some(3)));
        assert_eq!((shape.home_of(5), shape.home_of(7), shape.home_of(12)), (Some(1), Some(2), Some(3)));
        shape.drop_before(3);
        assert_eq!(shape.base(), LogPosition { index: 7, term: 2 });
        assert_eq!((shape.term_at(6), shape.term_at(7), shape.term_at(8)), (None, Some(2), Some(3)));
        shape.drop_before(4);
        assert_eq!((shape.base(), shape.last()), (shape.last(), LogPosition { index: 12, term: 3 }));
        shape.reset(LogPosition { index: 50, term: 9 });
        assert_eq!(shape.last(), LogPosition { index: 50, term: 9 });
        assert_eq!(shape.term_at(12), None);
    }
}
