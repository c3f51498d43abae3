//! Whether what clients were told can be true. Nothing in here knows kvorum: any store that speaks etcd's
//! language can be judged, simulated or real.
//!
//! | file | topic |
//! | --- | --- |
//! | `log` | what happened, by revision |
//! | `promise` | what is promised, and a promise that was seen broken |
//! | `replay` | what each key was at each revision |
//! | `watch` | what a watch said |

mod log;
mod promise;
mod replay;
mod watch;

pub use log::{Change, EventLog, Revision};
pub use promise::{Broken, Moment, Rule};
pub use replay::{Pair, Past, Replay};
pub use watch::{End, Opened, Part, Span, WatchEvent, WatchJudge, not_delayed};
