//! The tasks of a service in rehearsal, beside the nodes that they run on.

use kvorum_core::Client;
use kvorum_core::ids::NodeId;

use super::World;
use crate::scene::{Scene, Task};

/// What is to run beside a node from its start on.
pub(crate) type Service = Box<dyn FnMut(&Scene, NodeId, Client) -> Task>;

impl World {
    /// From now on, every node that starts has this beside it.
    pub(crate) fn serve(&mut self, service: Service) {
        self.service = Some(service);
    }

    pub(super) fn begin_service(&mut self, node: NodeId) {
        let Some(client) = self.client(node) else { return };
        self.scene.set_client(node, Some(client.clone()));
        if let Some(service) = &mut self.service {
            let task = service(&self.scene, node, client);
            self.tasks.begin(Some(node), task);
        }
    }

    /// A node's tasks die with it, before it: nothing of what they held is said to anybody any more.
    pub(super) fn end_service(&mut self, node: NodeId) {
        self.scene.set_client(node, None);
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
            if !self.tasks.poll(is_paused) {
                return;
            }
        }
    }

    pub(crate) fn end_tasks(&mut self) {
        self.tasks.clear();
    }
}
