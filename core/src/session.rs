//! A client's side of a deduplication session: numbers for its writes, and which of them are settled.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::command::SessionTag;
use crate::ids::SessionId;

/// One open session.
#[derive(Debug)]
pub(crate) struct Session {
    id: SessionId,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    /// Numbers whose answers have not arrived.
    waiting: BTreeSet<u64>,
}

/// The number of one write. Dropped when its answer has arrived, or nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct SessionTicket {
    session: Arc<Session>,
    tag: SessionTag,
}

impl Session {
    pub(crate) fn new(id: SessionId) -> Session {
        Session { id, open: Mutex::default() }
    }

    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    /// A number for the next write.
    pub(crate) fn next(self: &Arc<Session>) -> SessionTicket {
        let mut open = self.open.lock();
        open.last += 1;
        let sequence = open.last;
        open.waiting.insert(sequence);
        let acknowledged_below = open.waiting.first().copied().unwrap_or(sequence);
        let tag = SessionTag { session: self.id, sequence, acknowledged_below };
        SessionTicket { session: self.clone(), tag }
    }
}

impl SessionTicket {
    pub(crate) fn tag(&self) -> SessionTag {
        self.tag
    }
}

impl Drop for SessionTicket {
    fn drop(&mut self) {
        self.session.open.lock().waiting.remove(&self.tag.sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_open_number_holds_the_floor() {
        let session = Arc::new(Session::new(9));
        let (first, second) = (session.next(), session.next());
        assert_eq!(second.tag().acknowledged_below, 1);
        drop(first);
        assert_eq!(session.next().tag(), SessionTag { session: 9, sequence: 3, acknowledged_below: 2 });
    }
}
