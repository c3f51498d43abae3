//! Who reads a watch all the time is handed every change as soon as its node has it, whoever else does not read.

use std::collections::BTreeMap;
use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::NodeId;

use crate::promises::{Broken, WatchEvent, not_delayed};
use crate::world::World;

/// How long a change may lie ready for somebody who waits for it: a watch that is opened in the past is woken when the
/// node counts time, and everything else at once.
const DELAY: Duration = Duration::from_millis(100);

/// The watches that are read all the time, by the number of their owner.
#[derive(Default)]
pub(super) struct Delays {
    readers: BTreeMap<u64, Reader>,
}

#[derive(Clone, Copy)]
struct Reader {
    node: NodeId,
    life: u64,
    since: Time,
}

impl Delays {
    /// A watch that is read all the time was opened through a node in this of its lives.
    pub(super) fn opened(&mut self, who: u64, node: NodeId, life: u64, since: Time) {
        self.readers.insert(who, Reader { node, life, since });
    }

    pub(super) fn ended(&mut self, who: u64) {
        self.readers.remove(&who);
    }

    /// It was handed these.
    pub(super) fn delivered(
        &self,
        world: &World,
        who: u64,
        at: Time,
        events: &[WatchEvent],
    ) -> Result<(), Broken> {
        let Some(reader) = self.readers.get(&who) else { return Ok(()) };
        // A process that has ended since took along what it knew of when it had come to what.
        if !world.is_up(reader.node) || world.scene().life(reader.node) != reader.life {
            return Ok(());
        }
        let moment = |time: Time| time.since(Time::ZERO);
        let due = |event: &WatchEvent| {
            let reached = world.reached(reader.node, event.pair.mod_revision);
            (moment(at), moment(reached.unwrap_or(reader.since).max(reader.since)))
        };
        not_delayed(events.iter().map(due), DELAY).map(|_| ())
    }
}
