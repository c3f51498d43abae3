//! Bugs that other systems had, replayed here.
#![forbid(unsafe_code)]

mod apply;
mod clients;
mod common;
mod durability;
mod leases;
mod raft;
mod reads;
mod watches;
