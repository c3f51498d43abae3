//! The tasks of a service in rehearsal, beside the nodes that they run on.

use kvorum_core::Client;
use kvorum_core::ids::NodeId;

use super::{Event, World};
use crate::scene::Task;
use crate::tasks::Polled;

impl World {
    /// From now on, starts are noted for whoever runs services.
    pub(crate) fn note_starts(&mut self) {
        self.are_starts_noted = true;
    }

    /// A node that has started since, and its handle.
    pub(crate) fn next_start(&mut self) -> Option<(NodeId, Client)> {
        self.starts.pop_front()
    }

    /// Begins what runs beside a node.
    pub(crate) fn begin_service(&mut self, node: NodeId, task: Task) {
        if self.is_up(node) {
            self.tasks.begin(Some(node), task);
        }
    }

    pub(super) fn node_started(&mut self, node: NodeId) {
        let Some(client) = self.client(node) else { return };
        self.scene.set_client(node, Some(client.clone()));
        if self.are_starts_noted {
            self.starts.push_back((node, client));
        }
    }

    /// A node's tasks die with it, before it: nothing of what they held is said to anybody any more.
    pub(super) fn end_service(&mut self, node: NodeId) {
        self.scene.set_client(node, None);
        self.starts.retain(|(started, _)| *started != node);
        self.tasks.end_of(node);
    }

    /// Lets every task run that has something to do.
    pub(super) fn run_tasks(&mut self) {
        loop {
            for task in self.scene.take_beginning() {
                self.tasks.begin(None, task);
            }
            let (hosts, now) = (&self.hosts, self.now);
            let is_paused = |node: NodeId| {
                let process = hosts.get(&node).and_then(|host| host.process.as_ref());
                process.is_some_and(|process| process.paused_until > now)
            };
            let is_endless = || self.scene.is_endless();
            match self.tasks.poll(is_paused, is_endless) {
                Polled::Nobody => return,
                Polled::Some => {}
                Polled::TooMany => return self.tasks.clear(),
            }
            for node in self.tasks.take_held() {
                let process = self.hosts.get(&node).and_then(|host| host.process.as_ref());
                let until = process.map_or(now, |process| process.paused_until);
                self.queue.push(until, Event::Resume(node));
            }
        }
    }
}
