//! What must hold inside a cluster, each promise in a file of its own. These judges see everything: disks,
//! messages, applied entries. What clients can see is judged by [`crate::history`].
//!
//! | file | guards |
//! | --- | --- |
//! | `witness` | every replica is at each index what the log makes of it (H); one history |
//! | `shadow` | what a disk has for sure, and that nothing is vouched for beyond it (D) |
//! | `ceilings` | nothing grows without bound (V3) |
//! | `progress` | with a majority connected, there is progress (V2) |
//! | `leaders` | one leader a term, and none without what is agreed (R) |

mod ceilings;
mod leaders;
mod progress;
mod shadow;
mod witness;

pub(crate) use ceilings::Ceilings;
pub(crate) use leaders::Leaders;
pub(crate) use progress::Progress;
pub(crate) use shadow::Shadows;
pub use witness::LeaseFact;
pub(crate) use witness::Witness;
