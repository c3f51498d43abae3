//! A service of one's own in the second tier.

use std::net::SocketAddr;
use std::rc::Rc;

use kvorum_core::Client;
use kvorum_core::ids::NodeId;
use madsim::task::JoinHandle;

use super::stage::{Stage, address, service_address};
use crate::history::EventLog;
use crate::scene::{Scene, Task};
use crate::violation::Violation;

/// A service in rehearsal under madsim: [`App`](crate::App)'s sister, whose tasks are real ones.
///
/// Its time is `madsim::time`, its network `madsim::net`; what it holds is its own and not between threads: each run
/// has one. `sim/tests/mad_service.rs` is a whole one.
pub trait Service {
    /// What runs beside a node, in its process: begun at each start, and dropped in the middle of whatever it does
    /// when the process ends.
    fn node(&self, place: Place, client: Client) -> Task;

    /// How many clients there are.
    fn clients(&self) -> u64 {
        0
    }

    /// What a client does, on a machine of its own; clients are counted from 1. It must come to an end, or ask no more,
    /// when [`Scene::is_resting`].
    fn client(&self, place: Place) -> Task {
        let _ = place;
        Box::pin(std::future::ready(()))
    }

    /// Looks at everything that was agreed on, when the cluster has come to rest. What goes on meanwhile is to be told
    /// with [`Scene::broken`].
    ///
    /// # Errors
    ///
    /// What does not hold; see [`Violation::of_app`].
    fn judge(&self, log: &EventLog) -> Result<(), Violation> {
        let _ = log;
        Ok(())
    }
}

/// Where a task of a service runs.
#[derive(Clone)]
pub struct Place {
    stage: Rc<Stage>,
    number: u64,
    ip: std::net::IpAddr,
}

impl Place {
    pub(super) fn of_node(stage: &Rc<Stage>, node: NodeId) -> Place {
        Place { stage: stage.clone(), number: node, ip: service_address(node).ip() }
    }

    pub(super) fn of_client(stage: &Rc<Stage>, number: u64) -> Place {
        Place { stage: stage.clone(), number, ip: address(3, number) }
    }

    /// The node's id, or which of the clients it is.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Chance, whether the run has come to rest, counts, notes, and where to tell what was broken. Its
    /// [`Scene::sleep`] is the first tier's: wait with `madsim::time` here.
    pub fn scene(&self) -> &Scene {
        &self.stage.scene
    }

    /// Where this task may listen: its own machine, at this port. Ports below 10 are the node's.
    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }

    /// Where a node's service listens, if it does at this port.
    pub fn node_address(&self, node: NodeId, port: u16) -> SocketAddr {
        SocketAddr::new(service_address(node).ip(), port)
    }

    /// Begins another task here, which ends with the process. Tasks that use a node's handles must be begun with this,
    /// and not with madsim's own `spawn`: behind every step of theirs the node is looked after.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.stage.spawn(task)
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.number, self.ip)
    }
}
