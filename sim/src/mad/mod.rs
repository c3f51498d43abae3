//! The second tier: the same world, faults and judges, carried out by real tasks under [madsim].
//!
//! In a [`World`](crate::World) of the first tier one loop does everything, event by event. Here madsim's
//! executor does: the driver, the disk and the service of a node are tasks of its process, packets travel over
//! madsim's network, clients sit on machines of their own. So the asynchronous handles are polled and dropped
//! by a real executor, in orders that the first tier does not have.
//!
//! Only built with `--cfg madsim`: see ARCHITECTURE.md, and `sim/tests/mad.rs`, which does it.
//!
//! | file | topic |
//! | --- | --- |
//! | `run` | a run from its seed to its verdict |
//! | `stage` | where a world and madsim meet |
//! | `alarm` | waiting for a time that changes; what tasks leave behind |
//! | `process` | a node's process |
//! | `wires`, `images` | packets between network cards; images between processes |
//! | `board`, `clients` | our own service, and those who use it |
//! | `service` | a user's service |
//! | `verdict` | what is judged at the end |

mod alarm;
mod board;
mod clients;
mod images;
mod process;
mod run;
mod service;
mod stage;
mod verdict;
mod wires;

pub use madsim;
pub use run::{rehearse, rehearse_service, swarm};
pub use service::{Place, Service};
