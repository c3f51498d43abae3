//! The promises that watches, leases and locks are judged by, each as a sentence.

use std::fmt;
use std::time::Duration;

/// An instant, as the time since an arbitrary start. All instants that one judge is told are of one clock, the
/// observer's: nobody else's is trusted.
pub type Moment = Duration;

/// What was promised: W are a watch's promises, E a lease's, F a lock's or an election's. [`Rule::sentence`] says
/// each; the numbers have gaps where a promise is judged from inside a cluster only (E5), or by
/// [`crate::history`]. `PROMISES.md`, beside this crate's README, has all letters in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A watch never goes back.
    W1,
    /// A watch says nothing twice.
    W2,
    /// A watch hands out a revision whole.
    W3,
    /// A watch leaves nothing out, and makes nothing up.
    W4,
    /// A watch that is resumed goes on where it was.
    W5,
    /// Progress is true.
    W6,
    /// An event says exactly what happened, and was asked for.
    W7,
    /// Nothing comes from before the start.
    W8,
    /// A watch ends only with a reason.
    W9,
    /// A watch that is left alone catches up.
    W10,
    /// A slow watcher is its own problem.
    W11,
    /// A lease never ends early.
    E1,
    /// A lease ends in time.
    E2,
    /// What has ended stays so.
    E3,
    /// A leader does not promise more than there is.
    E4,
    /// A lease's keys go with it, all of them and no others.
    E6,
    /// A clock that stands still ends nothing.
    E7,
    /// A holder knows when it is over.
    E8,
    /// One owner at a time.
    F1a,
    /// A lock that was given is owned.
    F1b,
    /// Fenced writes come in the order of the owners.
    F1c,
    /// Observers see each leader once, in order.
    F1d,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 22] = [
        Rule::W1,
        Rule::W2,
        Rule::W3,
        Rule::W4,
        Rule::W5,
        Rule::W6,
        Rule::W7,
        Rule::W8,
        Rule::W9,
        Rule::W10,
        Rule::W11,
        Rule::E1,
        Rule::E2,
        Rule::E3,
        Rule::E4,
        Rule::E6,
        Rule::E7,
        Rule::E8,
        Rule::F1a,
        Rule::F1b,
        Rule::F1c,
        Rule::F1d,
    ];

    /// What it promises, as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Rule::W1 => "a watch's revisions never decrease",
            Rule::W2 => "a watch hands out no change of a key twice",
            Rule::W3 => "a watch never splits a revision, unless fragments were asked for and are marked",
            Rule::W4 => "a watch hands out every change that matches, in order, and nothing else",
            Rule::W5 => "a resumed watch goes on behind the last event, and misses nothing between",
            Rule::W6 => "after progress at a revision no event up to it comes, for all of them have come",
            Rule::W7 => {
                "an event matches the watch's keys and filters, and its pairs are exactly the store's"
            }
            Rule::W8 => "a watch says nothing of revisions below the one that it was asked to start from",
            Rule::W9 => "a watch ends with a true reason and says nothing after it; it is never silent",
            Rule::W10 => "once the faults are over, every open watch reaches the newest revision",
            Rule::W11 => "a slow watcher does not delay the others",
            Rule::E1 => "a lease does not expire before its time, counted from its last acknowledged renewal",
            Rule::E2 => "a lease that nobody renews is gone within its bound, across leader changes",
            Rule::E3 => "a lease that has ended stays so until it is granted again",
            Rule::E4 => "what remains of a lease is never more than was granted",
            Rule::E6 => "all keys of a lease go in one revision with it, and no other key does",
            Rule::E7 => "a lease does not expire while the leader's clock stands still",
            Rule::E8 => "whoever holds a lease stops believing in it before it is over",
            Rule::F1a => "no two keys own a lock at one revision",
            Rule::F1b => "a lock that was given is owned, under its token, at the revision of the answer",
            Rule::F1c => "a fenced resource's tokens never decrease, and each belongs to an owner",
            Rule::F1d => "an observer sees each leader once, in order",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}: {}", self.sentence())
    }
}

/// A promise that was seen broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What was promised.
    pub rule: Rule,
    /// What was seen instead, in words.
    pub seen: String,
}

impl Broken {
    pub(super) fn new(rule: Rule, seen: impl Into<String>) -> Broken {
        Broken { rule, seen: seen.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; seen: {}", self.rule, self.seen)
    }
}

impl std::error::Error for Broken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_apart_by_their_sentences() {
        let sentences: std::collections::BTreeSet<&str> = Rule::ALL.iter().map(|r| r.sentence()).collect();
        assert_eq!(sentences.len(), Rule::ALL.len());
        let broken = Broken::new(Rule::W1, "7 after 8");
        assert_eq!(broken.to_string(), "W1: a watch's revisions never decrease; seen: 7 after 8");
    }
}
