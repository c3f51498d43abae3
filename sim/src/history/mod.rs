//! Whether what clients were told can be true. Nothing in here knows kvorum: any store that speaks etcd's
//! language can be judged, simulated or real.
//!
//! | file | topic |
//! | --- | --- |
//! | `log` | what happened, by revision |

mod log;

pub use log::{Change, EventLog, Revision};
