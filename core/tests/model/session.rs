//! Sessions: a mutation that arrives twice happens once.

use std::collections::BTreeMap;

use kvorum_core::ErrorKind;
use kvorum_core::command::{Done, Response, SessionTag};
use kvorum_core::ids::{Index, SessionId};
use kvorum_core::storage::LogPosition;

use super::{Answer, Model};

/// How far a sequence may lie ahead of the lowest that is not acknowledged (the state's own choice).
const WINDOW: u64 = 1024;

/// One session.
#[derive(Clone)]
pub struct Session {
    /// Answers below this sequence have arrived and are forgotten.
    pub lowest: u64,
    /// The answers that may be asked for again.
    pub answers: BTreeMap<u64, Answer>,
    /// When it was used last.
    pub used: Index,
}

impl Model {
    /// What to answer without doing anything, and whether it is an earlier answer.
    pub fn seen_before(&mut self, tag: &SessionTag, at: LogPosition) -> Option<(Answer, bool)> {
        let Some(session) = self.sessions.get_mut(&tag.session) else {
            return Some((Err(ErrorKind::SessionNotFound { id: tag.session }), false));
        };
        session.used = at.index;
        session.lowest = session.lowest.max(tag.acknowledged_below);
        session.answers = session.answers.split_off(&session.lowest);
        let (sequence, lowest) = (tag.sequence, session.lowest);
        if sequence < lowest || sequence - lowest > WINDOW {
            return Some((Err(ErrorKind::SessionSequence { sequence, lowest }), false));
        }
        session.answers.get(&sequence).map(|answer| (answer.clone(), true))
    }

    pub fn remember(&mut self, tag: &SessionTag, answer: &Answer) {
        // The command itself may have pushed its session out.
        if let Some(session) = self.sessions.get_mut(&tag.session) {
            session.answers.insert(tag.sequence, answer.clone());
        }
    }

    /// Its id is the index of the entry that opened it.
    pub fn open_session(&mut self, index: Index) -> SessionId {
        self.sessions.insert(index, Session { lowest: 1, answers: BTreeMap::new(), used: index });
        self.evict_sessions();
        index
    }

    /// One that is not there is as good as closed.
    pub fn close_session(&mut self, id: SessionId) -> Answer {
        self.sessions.remove(&id);
        Ok(Response::Done(Done { revision: self.revision() }))
    }

    /// The one used longest ago goes first.
    pub fn evict_sessions(&mut self) {
        while self.sessions.len() as u64 > self.max_sessions {
            let oldest = self.sessions.iter().min_by_key(|(_, s)| s.used).map(|(id, _)| *id);
            self.sessions.remove(&oldest.expect("there are too many"));
        }
    }
}
