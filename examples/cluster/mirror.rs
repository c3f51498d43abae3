//! A copy of the store in a map, kept by a watch on one node.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

use crate::nodes::{Nodes, PATIENCE, Result, unexpected};
use crate::process::locked;
use crate::wire::{Event, Reply, Request};

/// What the watch has said so far. The watched node may die: the watch then goes on at the first revision
/// that has not been seen, so that nothing is missed and nothing comes twice.
pub(crate) struct Mirror {
    node: u64,
    seen: Mutex<Seen>,
    is_over: AtomicBool,
}

/// What was seen.
pub(crate) struct Seen {
    pub pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub events: u64,
    /// How often the watch had to be opened anew.
    pub resumed: u64,
    /// The next revision to come.
    next: u64,
}

impl Mirror {
    /// A mirror through `node`, from the store's first revision with an event on, which is 2.
    pub(crate) fn new(node: u64) -> Mirror {
        let seen = Seen { pairs: BTreeMap::new(), events: 0, resumed: 0, next: 2 };
        Mirror { node, seen: Mutex::new(seen), is_over: AtomicBool::new(false) }
    }

    /// Follows the store until [`Mirror::stop`], or something is wrong.
    pub(crate) fn run(&self, nodes: &Nodes) -> Result<()> {
        let followed = self.follow(nodes);
        // Nobody need wait for it any longer.
        self.stop();
        followed
    }

    fn follow(&self, nodes: &Nodes) -> Result<()> {
        let mut opened: u64 = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
            let Some(process) = nodes.process(self.node) else { continue };
            let from = locked(&self.seen).next;
            let replies = process.ask(&Request::Watch { from });
            drop(process);
            opened += 1;
            locked(&self.seen).resumed = opened - 1;
            loop {
                match replies.recv_timeout(Duration::from_millis(20)) {
                    Ok(Reply::Events(events)) => self.take(events)?,
                    Ok(other) => return Err(unexpected(self.node, "a watch", &other)),
                    Err(RecvTimeoutError::Timeout) if self.is_over.load(Ordering::Relaxed) => break,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        }
        Ok(())
    }

    pub(crate) fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Everything is watched, and every write is one put: so each revision has exactly one event.
    fn take(&self, events: Vec<Event>) -> Result<()> {
        let mut seen = locked(&self.seen);
        for event in events {
            if event.revision != seen.next {
                let (expected, came) = (seen.next, event.revision);
                return Err(format!(
                    "the watch missed or repeated an event: revision {came} came, not {expected}"
                ));
            }
            seen.next += 1;
            seen.events += 1;
            match event.value {
                Some(value) => seen.pairs.insert(event.key, value),
                None => seen.pairs.remove(&event.key),
            };
        }
        Ok(())
    }

    /// Waits until everything up to `revision` was seen.
    pub(crate) fn wait_for(&self, revision: u64) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while locked(&self.seen).next <= revision {
            if Instant::now() > until || self.is_over.load(Ordering::Relaxed) {
                let next = locked(&self.seen).next;
                return Err(format!("the watch has not come further than revision {next} of {revision}"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Looks at what was seen.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&locked(&self.seen))
    }
}
