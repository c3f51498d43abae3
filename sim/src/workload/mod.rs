//! What is asked of the store in a run that a seed makes up: every kind of request, from clients that go from
//! node to node, and every answer written down and judged.
//!
//! | file | clients that |
//! | --- | --- |
//! | `kv` | write, read and compare |
//! | `sessions` | repeat a write until they know its end |
//! | `record`, `convert` | what was asked and told, for the judge of histories |

mod convert;
mod kv;
mod record;
mod sessions;

use std::time::Duration;

use kvorum_core::Config;
use kvorum_core::config::AutoCompaction;

use crate::app::App;
use crate::history::check_with_lease_ends;
use crate::rng::{Purpose, Rng, Stream};
use crate::scene::Scene;
use crate::violation::{Checker, Violation};
use crate::world::World;
pub(crate) use kv::KvClient;
pub use record::{Recorded, Recorder};
use sessions::SessionClient;

/// The workload of a seed.
pub struct Workload {
    draw: Stream,
    recorder: Option<Recorder>,
    config: Option<Config>,
    load: Load,
}

/// How much of what there is.
struct Load {
    /// Milliseconds between a client's requests, at most.
    pause: u64,
    kv: u64,
    sessions: u64,
}

impl Workload {
    /// What this seed makes up.
    pub fn new(seed: u64) -> Workload {
        let mut draw = Rng::new(seed).stream(Purpose::Client, 0);
        let load = Load {
            pause: draw.pick(&[60, 120, 120, 300, 1000]),
            kv: draw.between(1, 6),
            sessions: draw.between(0, 2),
        };
        Workload { draw, recorder: None, config: None, load }
    }
}

impl App for Workload {
    fn configure(&mut self, config: &mut Config) {
        // The same on every node: drawn once for the seed.
        let mut draw = self.draw.clone();
        config.request_timeout = Duration::from_millis(draw.between(1500, 4000));
        config.image_log_bytes = draw.pick(&[600, 600, 4_000, 20_000, 1 << 20]);
        config.keep_bytes = draw.pick(&[0, 0, 1_000, 10_000, 1 << 20]);
        config.catch_up_bytes = draw.pick(&[0, 0, 2_000, 1 << 20]);
        config.compaction = AutoCompaction::Off;
        if draw.chance(300) {
            config.compaction = draw.pick(&[AutoCompaction::Revisions(60), AutoCompaction::Revisions(200)]);
        }
        if draw.chance(100) {
            config.quota_bytes = 60_000;
        }
        if draw.chance(200) {
            config.limits.uncommitted_bytes = 2_000;
        }
        if draw.chance(100) {
            config.max_sessions = 3;
        }
        self.config = Some(config.clone());
    }

    fn begin(&mut self, scene: &Scene) {
        let recorder = Recorder::new(scene);
        self.recorder = Some(recorder.clone());
        let config = self.config.clone().unwrap_or_else(|| Config::new(1, [1]));
        for who in 1..=self.load.kv {
            let (scene, recorder, pause) = (scene.clone(), recorder.clone(), self.load.pause);
            let draw = scene.chance(who);
            scene.clone().spawn(KvClient { who, scene, recorder, draw, pause, known: 1, values: 0 }.run());
        }
        for who in 101..=100 + self.load.sessions {
            let (scene, recorder, pause) = (scene.clone(), recorder.clone(), self.load.pause);
            let (draw, config) = (scene.chance(who), config.clone());
            let client = SessionClient { who, scene, recorder, draw, pause, config, values: 0 };
            client.scene.clone().spawn(client.run());
        }
    }

    fn is_idle(&self) -> bool {
        self.recorder.as_ref().is_none_or(|recorder| recorder.open() == 0)
    }

    fn end(&mut self, world: &mut World) -> Result<(), Violation> {
        let Some(recorder) = &self.recorder else { return Ok(()) };
        let judge = world.judge();
        let summary = check_with_lease_ends(judge.log(), &recorder.ops(), judge.lease_ends());
        let scene = world.scene();
        match summary {
            Ok(_) => {
                scene.add("deduplicated", judge.deduplicated());
                Ok(())
            }
            Err(broken) => Err(Violation::new(Checker::History, "L1", broken.to_string())),
        }
    }
}
