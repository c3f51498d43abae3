//! Whether what clients were told can be true. Nothing in here knows kvorum: any store that speaks etcd's
//! language can be judged, simulated or real.
//!
//! | file | topic |
//! | --- | --- |
//! | `log` | what happened, by revision |
//! | `fence` | who owned a lock, and what its tokens kept out |
//! | `lease` | whether leases lived as long as was promised |
//! | `promise` | what is promised, and a promise that was seen broken |
//! | `replay` | what each key was at each revision |
//! | `watch` | what a watch said |

mod fence;
mod lease;
mod log;
mod promise;
mod replay;
mod watch;

pub use fence::{FenceJudge, Observed, Resource, Shown};
pub use lease::{Call, Cause, LeaseBounds, LeaseJudge};
pub use log::{Change, EventLog, Revision};
pub use promise::{Broken, Moment, Rule};
pub use replay::{Pair, Past, Replay};
pub use watch::{End, Opened, Part, Span, WatchEvent, WatchJudge, not_delayed};
