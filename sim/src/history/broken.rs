//! The verdict: what was counted in a history that can be true, and what is wrong with one that cannot.

use std::fmt;

use super::Revision;

/// What a history that can be true was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests that were answered, each attempt counted.
    pub answered: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests whose outcome nobody knows.
    pub unknown: u64,
    /// Revisions that are explained by a request whose outcome is unknown.
    pub unknown_applied: u64,
    /// Revisions that are explained by the end of a lease.
    pub lease_ends: u64,
    /// How old local reads were, in revisions behind what had been shown to anybody before they were asked:
    /// none, 1, 2 to 3, 4 to 7 and so on; the last one holds the rest.
    pub staleness: [u64; 16],
}

/// A promise of the store that a history can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The history itself makes no sense.
    Malformed,
    /// An acknowledged change is not in the log.
    Lost,
    /// An answer showed a revision that the log does not have.
    NoSuchRevision,
    /// Two requests were told that they made the same revision.
    ClaimedTwice,
    /// An acknowledged change is in the log as another one.
    WrongEffect,
    /// An answer tells something else than the store held at its revision.
    WrongContent,
    /// A change that nobody asked for.
    Phantom,
    /// The effect of a request that was definitely refused.
    RefusedVisible,
    /// Fewer requests than the changes they have to explain.
    AppliedTwice,
    /// Attempts of one request that were applied, or answered, as if they were several.
    DuplicatedAttempt,
    /// A read that misses what had been shown before it was asked.
    StaleRead,
    /// A change that was seen before anybody asked for it.
    Future,
    /// Local reads at one life of one member that go back in time, by one client or by several.
    MemberWentBack,
    /// A revision that was said to be the end of a lease, and is not.
    NotALeaseEnd,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 14] = [
        Rule::Malformed,
        Rule::Lost,
        Rule::NoSuchRevision,
        Rule::ClaimedTwice,
        Rule::WrongEffect,
        Rule::WrongContent,
        Rule::Phantom,
        Rule::RefusedVisible,
        Rule::AppliedTwice,
        Rule::DuplicatedAttempt,
        Rule::StaleRead,
        Rule::Future,
        Rule::MemberWentBack,
        Rule::NotALeaseEnd,
    ];

    /// What should have held, as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Rule::Malformed => {
                "A request ends after it begins, and all attempts of one request ask for the same."
            }
            Rule::Lost => "Every acknowledged change is in the log at the revision that was told.",
            Rule::NoSuchRevision => "No answer shows a revision that the store never reached.",
            Rule::ClaimedTwice => "Every revision is made by one request only.",
            Rule::WrongEffect => "An acknowledged request does exactly what it asked for, at its revision.",
            Rule::WrongContent => "An answer tells what the store held at its revision.",
            Rule::Phantom => "Nothing changes that nobody asked for.",
            Rule::RefusedVisible => "A request that was definitely refused never has an effect.",
            Rule::AppliedTwice => "A request is applied once at most.",
            Rule::DuplicatedAttempt => {
                "However often a request of a session is attempted, it is applied once, and all its answers \
                 are the same."
            }
            Rule::StaleRead => "Whoever asks after something was shown is shown that or something newer.",
            Rule::Future => "Nothing is shown before the request that brought it about was asked.",
            Rule::MemberWentBack => {
                "While a member lives, what it shows of its own state never goes back, whoever asks."
            }
            Rule::NotALeaseEnd => {
                "The end of a lease deletes all keys of that lease, in order, and no others."
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// Why a history cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The promise that was broken.
    pub rule: Rule,
    /// The revision at which it shows, if at one.
    pub revision: Option<Revision>,
    /// The requests that show it: their places in the list that was judged.
    pub ops: Vec<usize>,
    /// What was seen, in words, with those requests spelled out.
    pub seen: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} But {}", self.rule, self.seen)
    }
}

impl std::error::Error for Broken {}
