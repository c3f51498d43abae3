//! Members that say of themselves at each start which start it is, and what all must know of them in the end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use kvorum_core::Client;
use kvorum_core::command::MemberAttributes;
use kvorum_core::ids::NodeId;

use crate::scene::Scene;
use crate::violation::{Checker, Violation};
use crate::world::World;

/// What was acknowledged: of each node, the latest of its lives that it could tell of.
#[derive(Clone, Default)]
pub(super) struct Members {
    told: Rc<RefCell<BTreeMap<NodeId, u64>>>,
}

impl Members {
    /// Tells of a node's life, until it has been heard.
    pub(super) async fn tell(self, scene: Scene, client: Client, node: NodeId) {
        let life = scene.life(node);
        while client.publish(life.to_string(), [format!("sim://{node}/{life}")]).await.is_err() {
            if scene.is_resting() {
                return;
            }
            scene.sleep(Duration::from_millis(200)).await;
        }
        self.told.borrow_mut().insert(node, life);
        scene.count("members that said who they are");
    }

    /// All nodes agree: they know the same of each other, and nothing older than what was acknowledged.
    pub(super) fn judge(&self, world: &World) -> Result<(), Violation> {
        let agreed: Vec<_> = world.judge().state().member_attributes().cloned().collect();
        for (&node, &life) in self.told.borrow().iter() {
            let known = agreed.iter().find(|said| said.node == node);
            if known.is_none_or(|said| life_of(said) < Some(life)) {
                return Err(broken(format!(
                    "node {node} told of its life {life}, and what is known is {known:?}"
                )));
            }
        }
        for node in world.ids().into_iter().filter(|node| world.why_halted(*node).is_none()) {
            let Some(client) = world.client(node) else { continue };
            let known = client.published_local();
            if known != agreed {
                return Err(broken(format!("node {node} knows {known:?}, and the log says {agreed:?}")));
            }
        }
        Ok(())
    }
}

fn life_of(said: &MemberAttributes) -> Option<u64> {
    said.name.parse().ok()
}

fn broken(seen: String) -> Violation {
    Violation::new(Checker::Agreement, "H1: what a member last said of itself is what all know of it", seen)
}
