//! Bugs that other systems had, replayed here: each test brings about the circumstances of one of them, and
//! demands what was promised there and broken. It is named after the bug's number in its own tracker, and says
//! in two sentences what happened there and what would show it here. Nothing is left to chance but the seed.
//!
//! | file | what went wrong there | rows of our list |
//! | --- | --- | --- |
//! | `apply` | the same entries made another state somewhere | 1, 6–10, 23, 24, 69, 75 |
//! | `durability` | acknowledged and lost; or never to be started again | 3–5, 11–18, 20, 62–64, 68, 70, 76 |
//! | `watches` | missed, repeated, invented, never said; the revision that went back | 25–35, 37, 74, 76 |
//! | `reads` | answered too early, or never | 38–42, 66, 67 |
//! | `leases` | ended too early, never, or twice | 43–49 |
//! | `clients` | locks that were none, requests that were done twice | 50, 51, 60 |
//! | `raft` | believed, and should not have been | 22, 59, 61, 72 |
//!
//! Not here, and why:
//!
//! | rows | what they are about | why not |
//! | --- | --- | --- |
//! | 2, 21 | defragmentation | there is nothing to defragment: the state is in memory, images are written anew |
//! | 19 | lengths in a record that are believed | `storage/tests` feeds the decoder with all that can be wrong |
//! | 36 | a restore from a backup | there is no such operation; a disk set back to an old state is row 68 |
//! | 52–54 | users and roles | there are none |
//! | 55–58, 65, 71 | changes of members | members do not change |
//! | 61 (one half) | handshakes without a limit | the transport's, whose own tests have it |
//! | 73 | commit by counting an older term's entries | inside the raft crate; the judge of every run here would see it |
#![forbid(unsafe_code)]

mod apply;
mod clients;
mod common;
mod durability;
mod leases;
mod raft;
mod reads;
mod watches;
