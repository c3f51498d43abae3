//! What the judge is shown, and what becomes of what it finds.

use kvorum_core::ids::NodeId;
use kvorum_core::node::Glance;

use super::World;
use crate::judge::Judge;
use crate::scene::Scene;
use crate::violation::Violation;

impl World {
    /// What has been seen of the cluster.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// What a service in rehearsal has of this world.
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// From now on members may lie, and what follows from their lies is not held against anybody: only that
    /// nothing panics.
    pub fn stop_judging(&mut self) {
        self.is_unjudged = true;
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
        let violation = violation.at(self.now).on(node);
        if self.is_lenient {
            self.scene.report(violation);
        } else {
            panic!("{violation}");
        }
    }
}
