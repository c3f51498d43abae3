//! A rehearsal of a kvorum cluster: real nodes, real drivers, the real log format and codecs, on disks, clocks
//! and a network that one seed decides.
//!
//! Everything runs on the caller's thread, under virtual time. The same seed and the same calls do the same,
//! in any process.
//!
//! # Your own service
//!
//! A service is an [`App`]: what runs beside each node, who uses it, and what it promises. What goes wrong
//! meanwhile is up to the seed.
//!
//! ```
//! use kvorum_sim::{App, Scene, Swarm, Violation, World, seeds};
//! use std::{cell::Cell, rc::Rc, time::Duration};
//!
//! /// Visitors are counted, each by one write; whoever reads more than were begun has read nonsense.
//! #[derive(Default)]
//! struct Visitors {
//!     acknowledged: Rc<Cell<u64>>,
//! }
//!
//! impl App for Visitors {
//!     fn begin(&mut self, scene: &Scene) {
//!         let (scene, acknowledged) = (scene.clone(), self.acknowledged.clone());
//!         scene.clone().spawn(async move {
//!             for visitor in 1.. {
//!                 scene.sleep(Duration::from_millis(100)).await;
//!                 if scene.is_resting() {
//!                     return; // the faults are over: nothing new is begun
//!                 }
//!                 // Any node will do, if it runs; its answer may be that nothing is known.
//!                 let Some(store) = scene.client(1 + visitor % scene.node_count()) else { continue };
//!                 if store.put(format!("visitors/{visitor}"), "").await.is_ok() {
//!                     acknowledged.set(acknowledged.get() + 1);
//!                     scene.note("visitors", || format!("{visitor} came"));
//!                 }
//!             }
//!         });
//!     }
//!
//!     fn end(&mut self, world: &mut World) -> Result<(), Violation> {
//!         let all = kvorum_sim::request::RangeRequest::prefix("visitors/");
//!         let counted = world.ask(|store| store.range(all))?.count as u64;
//!         if counted < self.acknowledged.get() {
//!             let seen = format!("{counted} of {}", self.acknowledged.get());
//!             return Err(Violation::of_app("no acknowledged visitor is forgotten", seen));
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let found = seeds(0..10, |seed| {
//!     let world = World::new(seed).nodes(3);
//!     world.faults(Swarm::default()).lasting(Duration::from_secs(10)).run(Visitors::default())
//! });
//! assert!(found.is_clean(), "{found}");
//! ```
//!
//! A larger one, with workers, locks and a mistake that is found: `examples/rehearse.rs`. Whatever the seed does
//! not decide must stay out of it: threads, real clocks, operating systems' chance, and maps whose order is
//! different each time (`HashMap`); the same seed would not do the same again. And nothing blocks: answers are awaited
//! ([`Scene`] says what becomes of a task that waits otherwise).
//!
//! # A cluster by hand
//!
//! ```
//! use kvorum_sim::World;
//! use std::time::Duration;
//!
//! let mut world = World::new(7).nodes(3);
//! world.start_all();
//! let leader = world.wait_for_leader(Duration::from_secs(10)).expect("a leader");
//! let answer = world.client(leader).unwrap().put("k", "v");
//! let put = world.wait(answer, Duration::from_secs(1)).expect("in time").expect("agreed on");
//! assert_eq!(put.header.unwrap().revision, 2);
//! world.lose_power(leader);
//! assert_ne!(world.wait_for_leader(Duration::from_secs(10)), Some(leader));
//! ```
//!
//! Time passes only while the world is told to let it: [`World::wait`] takes an answer, and the answer's own `.wait()`
//! would wait for ever. There is no verdict at the end: what breaks a promise panics there and then, be it the cluster's,
//! or one of the tasks' ([`Scene::broken`]).
//!
//! | file | topic |
//! | --- | --- |
//! | `world` | the loop: what happens next, and what follows |
//! | `world/faults` | what can go wrong with a node |
//! | `world/judging` | what the judge is shown |
//! | `poll` | whether something is ready |
//! | `world/moments` | when faults may strike that wait for something |
//! | `host`, `clock` | a machine and the process on it; what that takes for the time |
//! | `net`, `post` | links that lose, repeat, delay and overtake; a node's end of them |
//! | `images` | images on their way from node to node |
//! | `judge` | what must hold at every step, whatever happens |
//! | `tape` | a disk that notes every operation, to be played back up to any of them |
//! | `script` | a run as a text to read |
//! | `app`, `scene`, `tasks` | a service in rehearsal, what it has of the world, and its tasks |
//! | `workload/` | what is asked of the store in a run that a seed makes up |
//! | `agree`, `panics` | whether nodes hold the same; what a panic said |
//! | `rehearsal`, `ask` | a run from its beginning to its verdict; what its end asks of the store |
//! | `arguments` | how a seed is run, as arguments of a command |
//! | `twice` | a seed that is run twice must do the same |
//! | `setup` | what whoever rehearses got wrong themselves |
//! | `patience` | how long is waited for what must come |
//! | `seeds` | many seeds, until one breaks a promise |
//! | `coverage` | what must happen sometimes |
//! | `rng` | chance, keyed by what it decides |
//! | `history/` | whether what clients were told can be true; knows nothing of kvorum |
//! | `promises/` | whether watches, leases and locks kept theirs, seen from outside |
//! | `check/` | what must hold inside, each promise in a file of its own |
//! | `plan/` | what goes wrong, decided beforehand |
//! | `planted` | the bugs that can be built in, and who is to find them |
//! | `violation` | a promise that was seen broken |
//! | `watchdog` | says so when a task blocks the thread of its world |
//! | `timeline` | what happened, for people to look at |
//! | `run` | one rehearsal, from its seed to its verdict |
//! | `shrink` | the least of a run that still breaks the same promise |
//! | `report/`, `json` | a run as a page to look at |
//! | `planted` | the bugs that a rehearsal must find |
//! | `mad/` | the second tier: the same worlds as tasks under madsim (only with `--cfg madsim`) |
//! | `main`, `command/` | the command `kvorum-sim`: see its README |
#![forbid(unsafe_code)]

mod agree;
mod app;
mod arguments;
mod ask;
pub mod check;
mod clock;
mod coverage;
pub mod history;
mod host;
mod images;
mod json;
mod judge;
#[cfg(madsim)]
pub mod mad;
mod net;
mod panics;
mod patience;
pub mod plan;
pub mod planted;
mod poll;
mod post;
pub mod promises;
mod rehearsal;
pub mod report;
mod rng;
mod run;
mod scene;
pub mod script;
mod seeds;
mod setup;
pub mod shrink;
mod tape;
mod tasks;
pub mod timeline;
mod twice;
mod violation;
mod watchdog;
pub mod workload;
mod world;

pub use app::App;
pub use coverage::SOMETIMES;
pub use history::Change;
pub use host::Crash;
pub use judge::Judge;
pub use kvorum_core::ids::{NodeId, Revision};
pub use kvorum_core::{Client, Config, Time, request};
pub use kvorum_storage::faulty::Survivors;
pub use net::{Link, Net};
pub use plan::{Class, Swarm};
pub use poll::{poll, poll_watch};
pub use rehearsal::Rehearsal;
pub use rng::{Purpose, Rng, Stream};
pub use run::{Run, RunOptions, rehearse};
pub use scene::{Scene, Sleep, Task};
pub use seeds::{Seeds, seeds};
pub use tape::{Playback, Tape, Written};
pub use twice::twice;
pub use violation::{Checker, Violation};
pub use world::{Seen, World};
