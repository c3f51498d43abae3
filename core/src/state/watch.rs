//! Watches: a cursor each.

use crate::ids::Revision;
use crate::request::Event;

/// An open watch. Never used again for another one in the life of a [`super::State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatcherId(u64);

/// Where a watch stands.
#[derive(Debug)]
pub struct WatchCursor {}

impl WatchCursor {
    /// The watch that this is the cursor of.
    #[allow(clippy::unimplemented)]
    pub fn id(&self) -> WatcherId {
        unimplemented!()
    }
}

/// What a pull brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pulled {
    /// The events, in order; a revision is never split.
    pub events: Vec<Event>,
    /// Everything at or below this revision has been delivered.
    pub through: Revision,
    /// There is more to pull now; the watch will not be woken for it.
    pub more: bool,
}
