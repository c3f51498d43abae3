//! What every client that goes from node to node is made of: who it is, its chance, its pace, its values.

use std::time::Duration;

use kvorum_core::ids::NodeId;

use super::record::Recorder;
use crate::rng::Stream;
use crate::scene::Scene;

pub(crate) struct Caller {
    pub(crate) who: u64,
    pub(crate) scene: Scene,
    pub(crate) recorder: Recorder,
    pub(crate) draw: Stream,
    /// Milliseconds between one request and the next, at most.
    pub(crate) pace: u64,
    /// How many values it has made up.
    pub(crate) values: u64,
}

impl Caller {
    /// With chance of its own.
    pub(super) fn new(who: u64, scene: &Scene, recorder: &Recorder, pace: u64) -> Caller {
        let draw = scene.chance(who);
        Caller { who, scene: scene.clone(), recorder: recorder.clone(), draw, pace, values: 0 }
    }

    /// Lets some time pass.
    pub(crate) async fn pause(&mut self) {
        let pause = Duration::from_millis(self.draw.between(1, self.pace));
        self.scene.sleep(pause).await;
    }

    /// Any node, running or not.
    pub(super) fn any_node(&mut self) -> NodeId {
        1 + self.draw.below(self.scene.node_count())
    }

    /// A value like no other.
    pub(super) fn value(&mut self) -> String {
        self.values += 1;
        format!("{}-{}", self.who, self.values)
    }
}
