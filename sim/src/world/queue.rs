//! What is to happen, in order of time, and of planning where the time is the same.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use kvorum_core::Time;

use super::Event;

#[derive(Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Planned>,
    count: u64,
}

struct Planned {
    at: Time,
    number: u64,
    event: Event,
}

impl Queue {
    pub(super) fn push(&mut self, at: Time, event: Event) {
        self.count += 1;
        self.heap.push(Planned { at, number: self.count, event });
    }

    pub(super) fn next_at(&self) -> Time {
        self.heap.peek().map_or(Time::NEVER, |planned| planned.at)
    }

    pub(super) fn pop(&mut self) -> Option<(Time, Event)> {
        self.heap.pop().map(|planned| (planned.at, planned.event))
    }
}

// The heap hands out its greatest: the earliest is the greatest here.
impl Ord for Planned {
    fn cmp(&self, other: &Planned) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Planned) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Planned) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Planned {}
