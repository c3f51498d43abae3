//! How much is asked of the nodes: what they may have to hold at a time follows from it.

use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::mail::Mail;

/// How closely it is remembered when something was asked.
const CLOSELY: Duration = Duration::from_millis(100);

/// What clients have asked of all nodes, as nodes took it in.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    total: u64,
    /// How much had been asked before then.
    before: Vec<(Time, u64)>,
}

impl Asked {
    /// A node takes so much in.
    pub(super) fn note(&mut self, now: Time, count: u64) {
        if count > 0 && self.before.last().is_none_or(|(at, _)| now.since(*at) >= CLOSELY) {
            self.before.push((now, self.total));
        }
        self.total += count;
    }

    /// All of it.
    pub(crate) fn total(&self) -> usize {
        self.total as usize
    }

    /// What was asked since then, and perhaps a little more.
    pub(crate) fn since(&self, time: Time) -> usize {
        let at = self.before.partition_point(|(at, _)| *at <= time);
        let before = at.checked_sub(1).and_then(|at| self.before.get(at)).map_or(0, |(_, before)| *before);
        (self.total - before) as usize
    }
}

/// Whether a piece of a node's mail asks for something.
pub(super) fn asks(mail: &Mail) -> bool {
    matches!(mail, Mail::Ask(..) | Mail::Keep(_) | Mail::Leave(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_lately_is_told_from_all() {
        let mut asked = Asked::default();
        let at = |millis| Time::ZERO + Duration::from_millis(millis);
        for (millis, count) in [(0, 5), (50, 3), (1_000, 2), (1_500, 0), (2_000, 1)] {
            asked.note(at(millis), count);
        }
        let since = |millis| asked.since(at(millis));
        assert_eq!((asked.total(), since(0), since(60), since(1_000)), (11, 11, 11, 3));
        assert_eq!((since(1_999), since(2_000), since(9_000)), (3, 1, 1));
    }
}
