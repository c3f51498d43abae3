//! What must hold inside a cluster, each promise in a file of its own. These judges see everything: disks,
//! messages, applied entries. What clients can see is judged by [`crate::history`].
//!
//! | file | guards |
//! | --- | --- |
//! | `witness` | every replica is at each index what the log makes of it (H); one history |
//! | `shadow` | what a disk has for sure, and that nothing is vouched for beyond it (D) |
//! | `leaders` | one leader a term, and none without what is agreed (R) |

mod leaders;
mod shadow;
mod witness;

pub(crate) use leaders::Leaders;
pub(crate) use shadow::Shadows;
pub use witness::LeaseFact;
pub(crate) use witness::Witness;
