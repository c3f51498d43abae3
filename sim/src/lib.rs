//! A rehearsal of a kvorum cluster: real nodes, real drivers, the real log format and codecs, on disks, clocks
//! and a network that one seed decides.
//!
//! Everything runs on the caller's thread, under virtual time. The same seed and the same calls do the same,
//! in any process.
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
//! | file | topic |
//! | --- | --- |
//! | `world` | the loop: what happens next, and what follows |
//! | `world/faults` | what can go wrong with a node |
//! | `world/judging` | what the judge is shown |
//! | `poll` | whether something is ready |
//! | `host` | a machine and the process on it |
//! | `net`, `post` | links that lose, repeat, delay and overtake; a node's end of them |
//! | `images` | images on their way from node to node |
//! | `judge` | what must hold at every step, whatever happens |
//! | `tape` | a disk that notes every operation, to be played back up to any of them |
//! | `script` | a run as a text to read |
//! | `swarm` | a run that a seed makes up, with clients and faults |
//! | `rng` | chance, keyed by what it decides |
//! | `history/` | whether what clients were told can be true; knows nothing of kvorum |
//! | `check/` | what must hold inside, each promise in a file of its own |
//! | `plan/` | what goes wrong, decided beforehand |
//! | `planted` | the bugs that can be built in, and who is to find them |
//! | `violation` | a promise that was seen broken |
//! | `timeline` | what happened, for people to look at |
//! | `run` | one rehearsal, from its seed to its verdict |
#![forbid(unsafe_code)]

pub mod check;
pub mod history;
mod host;
mod images;
mod judge;
mod net;
pub mod plan;
pub mod planted;
mod poll;
mod post;
mod rng;
mod run;
pub mod script;
pub mod swarm;
mod tape;
pub mod timeline;
mod violation;
mod world;

pub use host::Crash;
pub use judge::Judge;
pub use net::{Link, Net};
pub use poll::{poll, poll_watch};
pub use rng::{Purpose, Rng, Stream};
pub use run::{Run, RunOptions};
pub use tape::{Tape, Written};
pub use violation::{Checker, Violation};
pub use world::{Seen, World};
