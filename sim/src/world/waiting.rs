//! Letting time pass, until something is so.

use std::time::Duration;

use kvorum_core::Status;
use kvorum_core::ids::NodeId;
use kvorum_core::node::Role;

use super::World;
use crate::poll::poll;

impl World {
    /// Lets this much time pass.
    pub fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.step(until) {}
        self.pass_to(until);
    }

    /// Lets time pass until `done` says so; answers whether it did within `limit`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut World) -> bool) -> bool {
        let until = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(until) {
                self.pass_to(until);
                return done(self);
            }
        }
    }

    /// Waits for an answer; `None`: it did not come within `limit`.
    pub fn wait<F: Future + Unpin>(&mut self, mut answer: F, limit: Duration) -> Option<F::Output> {
        let mut output = None;
        self.run_until(limit, |_| {
            output = poll(&mut answer);
            output.is_some()
        });
        output
    }

    /// Waits until one node leads and a majority knows it.
    pub fn wait_for_leader(&mut self, limit: Duration) -> Option<NodeId> {
        self.run_until(limit, |world| world.leader().is_some());
        self.leader()
    }

    /// The node that a majority follows.
    pub fn leader(&self) -> Option<NodeId> {
        let views: Vec<_> = self.ids().into_iter().filter_map(|node| self.status(node)).collect();
        let alive = || views.iter().filter(|status| status.raft.halted.is_none());
        let leader = alive().filter(|s| s.raft.role == Role::Leader).max_by_key(|s| s.raft.term)?;
        let follows = |s: &&Status| (s.raft.leader, s.raft.term) == (leader.node, leader.raft.term);
        (alive().filter(follows).count() > self.hosts.len() / 2).then_some(leader.node)
    }
}
