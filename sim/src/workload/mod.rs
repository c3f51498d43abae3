//! What is asked of the store in a run that a seed makes up: every kind of request, from clients that go from
//! node to node, and every answer written down and judged.
//!
//! | file | clients that |
//! | --- | --- |
//! | `kv` | write, read and compare |
//! | `sessions` | repeat a write until they know its end |
//! | `watches` | watch |
//! | `leases` | have leases |
//! | `locks` | want the same lock, and the same leadership |
//! | `members` | tell of their own starts |
//! | `heard` | what these saw, and its judges |
//! | `delay` | whether those who read are handed everything at once |
//! | `caller` | what these are made of |
//! | `record`, `convert` | what was asked and told, for the judge of histories |

mod caller;
mod convert;
mod delay;
mod heard;
mod kv;
mod leases;
mod locks;
mod members;
mod record;
mod sessions;
mod watches;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use kvorum_core::config::AutoCompaction;
use kvorum_core::ids::{NodeId, Revision};
use kvorum_core::{Client, Config};

use crate::app::App;
use crate::history::{Change, check_with_lease_ends};
use crate::rng::{Purpose, Rng, Stream};
use crate::scene::{Scene, Task};
use crate::violation::{Checker, Violation};
use crate::world::World;
pub(crate) use caller::Caller;
use heard::Hearing;
pub(crate) use kv::KvClient;
use leases::LeaseClient;
use locks::Contender;
use members::Members;
pub use record::{Recorded, Recorder};
use sessions::SessionClient;
use watches::Watcher;

/// The workload of a seed.
pub struct Workload {
    draw: Stream,
    recorder: Option<Recorder>,
    config: Option<Config>,
    hearing: Option<Hearing>,
    /// In some seeds.
    members: Option<Members>,
    load: Load,
}

/// How much of what there is.
struct Load {
    /// Milliseconds between a client's requests, at most.
    pace: u64,
    kv: u64,
    sessions: u64,
    watches: u64,
    leases: u64,
    /// Which of a thousand starts of a node bring a contender for the lock, and for the leadership.
    locks: u64,
    elections: u64,
}

impl Workload {
    /// What this seed makes up.
    pub fn new(seed: u64) -> Workload {
        let mut draw = Rng::new(seed).stream(Purpose::Client, 0);
        let load = Load {
            pace: draw.pick(&[100, 300, 800, 1500, 3000, 3000]),
            kv: draw.between(1, 5),
            sessions: draw.between(0, 2),
            watches: draw.between(1, 4),
            leases: draw.between(0, 2),
            locks: draw.pick(&[0, 0, 500, 1000]),
            elections: draw.pick(&[0, 0, 0, 800]),
        };
        let tells = Rng::new(seed).stream(Purpose::Client, 1).chance(300);
        let members = tells.then(Members::default);
        Workload { draw, recorder: None, config: None, hearing: None, members, load }
    }

    /// About 100 writes and 70 reads in every simulated second, with all other clients beside them: the load at
    /// which the simulator's own speed is measured.
    pub fn busy(seed: u64) -> Workload {
        let load = Load { pace: 200, kv: 17, sessions: 1, watches: 3, leases: 2, locks: 500, elections: 500 };
        Workload { load, ..Workload::new(seed) }
    }
}

impl App for Workload {
    fn configure(&mut self, config: &mut Config) {
        // The same on every node: drawn once for the seed.
        let mut draw = self.draw.clone();
        config.request_timeout = Duration::from_millis(draw.between(1500, 4000));
        config.heartbeat = Duration::from_millis(draw.pick(&[100, 200, 200, 200]));
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
            let caller = Caller::new(who, scene, &recorder, self.load.pace);
            scene.spawn(KvClient { caller, known: 1 }.run());
        }
        for who in 101..=100 + self.load.sessions {
            let caller = Caller::new(who, scene, &recorder, self.load.pace);
            scene.spawn(SessionClient { caller, config: config.clone() }.run());
        }
        let hearing = Hearing::new(scene, config.election_timeout);
        let ears = hearing.ears.clone();
        self.hearing = Some(hearing);
        for who in 201..=200 + self.load.watches {
            scene.spawn(Watcher::new(who, scene, &ears).run());
        }
        for who in 301..=300 + self.load.leases {
            let caller = Caller::new(who, scene, &recorder, self.load.pace * 2);
            scene.spawn(LeaseClient { caller, ears: ears.clone() }.run());
        }
        if self.load.elections > 0 {
            scene.spawn(locks::follow(401, scene.clone(), ears, scene.chance(401)));
        }
    }

    fn node(&mut self, scene: &Scene, node: NodeId, client: Client) -> Task {
        let Some(hearing) = &self.hearing else { return Box::pin(std::future::ready(())) };
        let life = scene.life(node);
        let contender = |kind: u64| {
            let (scene, ears, client) = (scene.clone(), hearing.ears.clone(), client.clone());
            let mut draw = scene.chance(1_000_000 * kind + 1000 * node + life);
            let is_wanted = draw.chance(if kind == 1 { self.load.locks } else { self.load.elections });
            (is_wanted, Contender { scene, ears, draw, client, node, life })
        };
        let (wants_lock, lock) = contender(1);
        let (wants_lead, lead) = contender(2);
        let telling = self.members.clone().map(|members| members.tell(scene.clone(), client.clone(), node));
        Box::pin(async move {
            let lock = async {
                if wants_lock {
                    lock.lock().await
                }
            };
            let lead = async {
                if wants_lead {
                    lead.lead().await
                }
            };
            let tell = async {
                if let Some(telling) = telling {
                    telling.await
                }
            };
            both(tell, both(lock, lead)).await;
        })
    }

    fn agreed(&mut self, _: &Scene, _: Revision, changes: &[Change]) -> Result<(), Violation> {
        // What locks and elections write through their handles nobody writes down: their own judge knows.
        let is_theirs =
            |change: &Change| change.key().starts_with(b"lock/") || change.key().starts_with(b"election/");
        if let Some(recorder) = self.recorder.as_ref().filter(|_| changes.iter().all(is_theirs)) {
            changes.iter().for_each(|change| recorder.explain(change));
        }
        Ok(())
    }

    fn look(&mut self, world: &World) -> Result<(), Violation> {
        self.hearing.as_mut().map_or(Ok(()), |hearing| hearing.look(world))
    }

    fn is_idle(&self) -> bool {
        self.recorder.as_ref().is_none_or(|recorder| recorder.open() == 0)
    }

    fn end(&mut self, world: &mut World) -> Result<(), Violation> {
        if let Some(hearing) = &mut self.hearing {
            hearing.finish(world)?;
        }
        if let Some(members) = &self.members {
            members.judge(world)?;
        }
        let Some(recorder) = &self.recorder else { return Ok(()) };
        let judge = world.judge();
        let summary = check_with_lease_ends(judge.log(), &recorder.ops(), judge.lease_ends());
        let scene = world.scene();
        match summary {
            Ok(summary) => {
                scene.add("deduplicated", judge.deduplicated());
                scene.add("unknown outcomes that had happened", summary.unknown_applied);
                let never = summary.unknown.saturating_sub(summary.unknown_applied);
                scene.add("unknown outcomes that had not happened", never);
                Ok(())
            }
            Err(broken) => {
                let (promise, words) = (broken.rule.sentence(), broken.to_string());
                let seen = words.strip_prefix(promise).unwrap_or(&words).trim_start();
                Err(Violation::new(Checker::History, promise, seen))
            }
        }
    }
}

/// Runs two things beside each other, until both are done.
async fn both(first: impl Future<Output = ()>, second: impl Future<Output = ()>) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut is_done = [false; 2];
    poll_fn(|context| {
        is_done[0] = is_done[0] || first.as_mut().poll(context).is_ready();
        is_done[1] = is_done[1] || second.as_mut().poll(context).is_ready();
        if is_done == [true; 2] { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
