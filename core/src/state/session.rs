//! Sessions: what makes a retry harmless.
//!
//! A client numbers its mutations. The store keeps the answer to each until the client has acknowledged
//! it, so that the same number is never applied twice and is always answered alike.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::answer;
use crate::command::{Response, SessionTag};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Index, SessionId};

/// How far a sequence number may lie ahead of the lowest unacknowledged one.
pub(super) const WINDOW: u64 = 1024;

/// How many sessions are kept when the settings say 0.
pub(super) const DEFAULT_MAX_SESSIONS: u64 = 10_000;

/// The largest answer that is kept, encoded. The repetition of a larger one is refused, not applied: what
/// clients don't acknowledge must not fill the memory.
pub(super) const LARGEST_ANSWER: usize = 1 << 20;

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    /// The last entry that belonged to it.
    pub(super) used: Index,
    /// Every answer below was acknowledged.
    pub(super) floor: u64,
    /// The answers not acknowledged, encoded; an empty one was too large to keep.
    pub(super) answers: BTreeMap<u64, Bytes>,
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: BTreeMap<SessionId, Session>,
    /// The same by their last use: the first one goes first.
    by_use: BTreeSet<(Index, SessionId)>,
}

/// What is to be done with a tagged command.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Apply it, then [`Sessions::keep`] its answer.
    Fresh,
    /// It was applied before: this is the answer.
    Repeated(Result<Response>),
    /// It must not be applied.
    Refused(Error),
}

impl Sessions {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// All, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.all.iter().map(|(&id, session)| (id, session))
    }

    /// Opens a session at an entry, whose index becomes its name; the ones used longest ago make room.
    pub(super) fn open(&mut self, index: Index, max: u64) -> SessionId {
        self.insert(index, Session { used: index, floor: 1, answers: BTreeMap::new() });
        self.shrink(max);
        index
    }

    /// Adds a session.
    pub(super) fn insert(&mut self, id: SessionId, session: Session) {
        self.by_use.insert((session.used, id));
        self.all.insert(id, session);
    }

    /// Closes a session; an unknown one is ignored.
    pub(super) fn close(&mut self, id: SessionId) {
        if let Some(session) = self.all.remove(&id) {
            self.by_use.remove(&(session.used, id));
        }
    }

    /// Closes the sessions used longest ago until no more than `max` are left.
    pub(super) fn shrink(&mut self, max: u64) {
        let max = if max == 0 { DEFAULT_MAX_SESSIONS } else { max };
        while self.all.len() as u64 > max && !planted!("sessions_without_bound") {
            let Some((_, id)) = self.by_use.pop_first() else { return };
            self.all.remove(&id);
        }
    }

    /// Judges a command of a session, which is used thereby.
    pub(super) fn judge(&mut self, tag: &SessionTag, index: Index) -> Verdict {
        let Some(session) = self.all.get_mut(&tag.session) else {
            return Verdict::Refused(ErrorKind::SessionNotFound { id: tag.session }.into());
        };
        self.by_use.remove(&(session.used, tag.session));
        self.by_use.insert((index, tag.session));
        session.used = index;
        session.acknowledge(tag.acknowledged_below);
        session.judge(tag.sequence)
    }

    /// Keeps the answer to a command that was judged fresh.
    pub(super) fn keep(&mut self, tag: &SessionTag, answer: &[u8]) {
        // The command may have closed its own session.
        let Some(session) = self.all.get_mut(&tag.session) else { return };
        let kept = if answer.len() <= LARGEST_ANSWER { answer } else { &[] };
        session.answers.insert(tag.sequence, Bytes::copy_from_slice(kept));
    }
}

impl Session {
    /// Forgets what was acknowledged.
    fn acknowledge(&mut self, below: u64) {
        if below > self.floor {
            self.floor = below;
            self.answers = self.answers.split_off(&below);
        }
    }

    fn judge(&self, sequence: u64) -> Verdict {
        let refused = ErrorKind::SessionSequence { sequence, lowest: self.floor };
        if sequence < self.floor || sequence - self.floor > WINDOW {
            return Verdict::Refused(refused.into());
        }
        let others = planted!("answer_of_another_number") && self.answers.contains_key(&sequence);
        match self.answers.get(if others {
            self.answers.keys().next().unwrap_or(&sequence)
        } else {
            &sequence
        }) {
            None => Verdict::Fresh,
            Some(kept) => match answer::decode(kept.clone()) {
                Some(answer) => Verdict::Repeated(answer),
                // Too large to be kept. The first one was applied.
                None => Verdict::Refused(Error::unknown(refused)),
            },
        }
    }
}
