//! What the judge is shown, and what becomes of what it finds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kvorum_core::ids::{Index, NodeId, Revision};
use kvorum_core::node::Glance;
use kvorum_core::storage::LogEntry;
use kvorum_core::{Config, Time};

use super::World;
use crate::judge::Judge;
use crate::scene::Scene;
use crate::violation::Violation;
use crate::watchdog::Pulse;

/// A disk that takes longer for something is taken for stuck.
const STUCK: Duration = Duration::from_millis(100);

/// How long behind its time-out a request is told of it, on a slow machine.
const LATE: Duration = Duration::from_secs(20);

impl World {
    /// What has been seen of the cluster.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// What a service in rehearsal has of this world.
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// What is seen of this world from another thread.
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// The cluster had a life before this world: nodes begin with disks of then ([`World::set_disk`]), and this is
    /// what the log held.
    pub fn set_past(&mut self, log: Arc<BTreeMap<Index, LogEntry>>) {
        self.judge.set_past(log);
    }

    /// From now on members may lie, and what follows from their lies is not held against anybody: only that
    /// nothing panics.
    pub fn stop_judging(&mut self) {
        self.is_unjudged = true;
    }

    /// What is found from now on is reported to the [`Scene`]; otherwise it panics.
    pub(crate) fn be_lenient(&mut self) {
        self.scene.be_lenient();
    }

    /// What a running node was after its last turn.
    pub(crate) fn glance(&self, node: NodeId) -> Option<Glance> {
        Some(self.hosts.get(&node)?.process.as_ref()?.glance)
    }

    /// When a running node had come to a revision, or a little later if that was before it was first seen to move
    /// on; `None`: it has not moved since its start.
    pub(crate) fn reached(&self, node: NodeId, revision: Revision) -> Option<Time> {
        let reached = &self.hosts.get(&node)?.process.as_ref()?.reached;
        let at = reached.partition_point(|(known, _)| *known < revision);
        reached.get(at).map(|(_, time)| *time)
    }

    /// When a running node last counted time, before that instant.
    pub(crate) fn counted_before(&self, node: NodeId, at: Time) -> Option<Time> {
        let counted = self.hosts.get(&node)?.process.as_ref()?.counted;
        counted.into_iter().find(|counted| *counted < at)
    }

    /// Whether a running node's disk is at something that will take it a while yet.
    pub(crate) fn is_disk_stuck(&self, node: NodeId) -> bool {
        let process = self.hosts.get(&node).and_then(|host| host.process.as_ref());
        process.is_some_and(|process| process.disk_until > self.now + STUCK)
    }

    /// How many bytes of log make an image due on a node, and how many are in a segment.
    pub(crate) fn log_sizes(&self, node: NodeId) -> (usize, usize) {
        let host = &self.hosts[&node];
        (host.config.image_log_bytes as usize, host.options.segment_bytes as usize)
    }

    /// Whether a running node stands still.
    pub(crate) fn is_paused(&self, node: NodeId) -> bool {
        let process = self.hosts.get(&node).and_then(|host| host.process.as_ref());
        process.is_some_and(|process| process.paused_until > self.now)
    }

    /// How much mail lies unread at a running node, and how many jobs wait for its disk.
    pub(crate) fn backlog(&self, node: NodeId) -> Option<(usize, usize)> {
        let process = self.hosts.get(&node)?.process.as_ref()?;
        Some((process.inbox.len(), process.jobs.len() + process.queue.len()))
    }

    /// How many messages of its peers a running node has not read.
    pub(crate) fn unread(&self, node: NodeId) -> usize {
        let process = self.hosts.get(&node).and_then(|host| host.process.as_ref());
        process.map_or(0, |process| process.from_peers)
    }

    /// How much was asked so lately that it need not have ended yet.
    pub(crate) fn asked_lately(&self) -> usize {
        let timeout = self.configs().map(|config| config.request_timeout).max().unwrap_or_default();
        let ends = timeout.saturating_mul(2).saturating_add(LATE);
        let now = self.now.since(Time::ZERO);
        self.asked.since(Time::ZERO + now.saturating_sub(ends))
    }

    /// How each node is set up.
    pub(crate) fn configs(&self) -> impl Iterator<Item = &Config> {
        self.hosts.values().map(|host| &host.config)
    }

    pub(super) fn judge_turn(&mut self, node: NodeId, before: &Glance, after: &Glance) {
        if !self.is_unjudged {
            let found = self.judge.turned(self.now, node, before, after);
            self.take_verdict(node, found);
        }
    }

    pub(super) fn take_verdict(&mut self, node: NodeId, found: Result<(), Violation>) {
        let Err(violation) = found else { return };
        if self.is_unjudged {
            return;
        }
        self.scene.report(violation.at(self.now).on(node));
    }
}
