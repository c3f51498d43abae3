//! Whether watches, leases and locks kept what they promise, as far as those can tell who use them. Like
//! [`crate::history`], nothing in here knows kvorum: any store that speaks etcd's language can be judged,
//! simulated or real, against its [`EventLog`](crate::history::EventLog).
//!
//! Begin with the example of the judge that you need: [`WatchJudge`], [`LeaseJudge`] or [`FenceJudge`]. Each is told
//! what was seen, as it was seen, and answers with the first [`Rule`] that this breaks.
//!
//! | file | topic |
//! | --- | --- |
//! | `watch` | what a watch said; `watch/resume`: how it ends and goes on |
//! | `lease` | whether leases lived as long as was promised; `lease/known`: what is known beforehand |
//! | `holder` | whether a lease's holder knows that it is over |
//! | `fence` | who owned a lock, and what its tokens kept out |
//! | `promise` | what is promised, and a promise that was seen broken |
//! | `past` | what each key was at each revision |

mod fence;
mod holder;
mod lease;
mod past;
mod promise;
mod watch;

pub use fence::{FenceJudge, Observed, Resource, Shown};
pub use holder::HolderJudge;
pub use lease::{Call, Cause, LeaseBounds, LeaseJudge};
pub use past::{Pair, Past, Replay};
pub use promise::{Broken, Moment, Rule};
pub use watch::{End, Opened, Part, Span, WatchEvent, WatchJudge, not_delayed};
