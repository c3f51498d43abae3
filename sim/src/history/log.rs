//! What the store says has happened: for each revision, what it changed.

use bytes::Bytes;

/// A store-wide version number. 1 is the empty store; the first change makes 2.
pub type Revision = i64;

/// One key, as a revision left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was written.
    Put {
        /// The key.
        key: Bytes,
        /// Its value.
        value: Bytes,
        /// The lease it hangs on; 0: none.
        lease: i64,
    },
    /// It was deleted.
    Delete {
        /// The key.
        key: Bytes,
    },
}

impl Change {
    /// The key that changed.
    pub fn key(&self) -> &Bytes {
        match self {
            Change::Put { key, .. } | Change::Delete { key } => key,
        }
    }
}

/// Every revision with its changes, in order, without a gap: the certificate that histories and watches are
/// judged by. It may be wrong, and then the judgement fails; it cannot make a wrong history right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventLog {
    /// The first one is revision 2.
    revisions: Vec<Vec<Change>>,
}

impl EventLog {
    /// Nothing has happened.
    pub fn new() -> EventLog {
        EventLog::default()
    }

    /// The next revision and what it changed.
    ///
    /// # Errors
    ///
    /// A sentence, if it is not the next revision, or changes nothing.
    pub fn push(&mut self, revision: Revision, changes: Vec<Change>) -> Result<(), String> {
        if revision != self.newest() + 1 {
            return Err(format!("revision {revision} follows revision {}", self.newest()));
        }
        if changes.is_empty() {
            return Err(format!("revision {revision} changed nothing"));
        }
        self.revisions.push(changes);
        Ok(())
    }

    /// The newest revision; 1 before the first change.
    pub fn newest(&self) -> Revision {
        self.revisions.len() as Revision + 1
    }

    /// What a revision changed, in order. Nothing, if there is no such revision (yet).
    pub fn at(&self, revision: Revision) -> &[Change] {
        let at = usize::try_from(revision - 2).ok();
        at.and_then(|at| self.revisions.get(at)).map_or(&[], Vec::as_slice)
    }

    /// All revisions from this one on, with their changes.
    pub fn since(&self, first: Revision) -> impl Iterator<Item = (Revision, &[Change])> {
        (first.max(2)..=self.newest()).map(|revision| (revision, self.at(revision)))
    }
}
