//! The tasks of a service in rehearsal: polled when they are woken, on this one thread, in the order of their
//! waking.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use kvorum_core::ids::NodeId;
use parking_lot::Mutex;

use crate::scene::Task;

#[derive(Default)]
pub(crate) struct Tasks {
    all: BTreeMap<u64, Running>,
    count: u64,
    woken: Arc<Woken>,
    /// Woken, and on a node that is paused.
    held: BTreeMap<NodeId, Vec<u64>>,
    newly_held: BTreeSet<NodeId>,
    /// Kept from round to round, so that polling does not allocate.
    round: Vec<u64>,
}

/// Whether anybody was woken.
pub(crate) enum Polled {
    Nobody,
    Some,
    /// So many that there is no end to it.
    TooMany,
}

struct Running {
    task: Task,
    waker: Waker,
    alarm: Arc<Alarm>,
    /// The node on which it runs, and with which it dies.
    node: Option<NodeId>,
}

#[derive(Default)]
struct Woken {
    is_any: AtomicBool,
    ids: Mutex<Vec<u64>>,
}

struct Alarm {
    id: u64,
    is_woken: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::Relaxed) {
            self.woken.ids.lock().push(self.id);
            self.woken.is_any.store(true, Ordering::Relaxed);
        }
    }
}

impl Tasks {
    pub(crate) fn begin(&mut self, node: Option<NodeId>, task: Task) {
        self.count += 1;
        let alarm =
            Arc::new(Alarm { id: self.count, is_woken: AtomicBool::new(false), woken: self.woken.clone() });
        alarm.wake_by_ref();
        let waker = Waker::from(alarm.clone());
        self.all.insert(self.count, Running { task, waker, alarm, node });
    }

    /// A node's process has ended: so have its tasks, in the middle of whatever they did.
    pub(crate) fn end_of(&mut self, node: NodeId) {
        self.held.remove(&node);
        let own: Vec<u64> =
            self.all.iter().filter(|(_, running)| running.node == Some(node)).map(|(id, _)| *id).collect();
        for id in own {
            self.all.remove(&id);
        }
    }

    /// None of them goes on.
    pub(crate) fn clear(&mut self) {
        self.all.clear();
    }

    /// Paused nodes that something was held on since the last call: they are to be resumed one day.
    pub(crate) fn take_held(&mut self) -> BTreeSet<NodeId> {
        std::mem::take(&mut self.newly_held)
    }

    /// A paused node goes on, and with it whoever was woken meanwhile.
    pub(crate) fn resume(&mut self, node: NodeId) {
        for id in self.held.remove(&node).into_iter().flatten() {
            self.woken.ids.lock().push(id);
            self.woken.is_any.store(true, Ordering::Relaxed);
        }
    }

    /// Polls whoever was woken, once, unless there is no end to it.
    pub(crate) fn poll(
        &mut self,
        is_paused: impl Fn(NodeId) -> bool,
        is_endless: impl Fn() -> bool,
    ) -> Polled {
        if !self.woken.is_any.swap(false, Ordering::Relaxed) {
            return Polled::Nobody;
        }
        let mut round = std::mem::take(&mut self.round);
        std::mem::swap(&mut round, &mut self.woken.ids.lock());
        for id in round.drain(..) {
            let Some(running) = self.all.get_mut(&id) else { continue };
            if let Some(node) = running.node.filter(|node| is_paused(*node)) {
                self.held.entry(node).or_default().push(id);
                self.newly_held.insert(node);
                continue;
            }
            if is_endless() {
                return Polled::TooMany;
            }
            running.alarm.is_woken.store(false, Ordering::Relaxed);
            let polled = running.task.as_mut().poll(&mut Context::from_waker(&running.waker));
            if polled == Poll::Ready(()) {
                self.all.remove(&id);
            }
        }
        self.round = round;
        Polled::Some
    }
}
