//! Bugs that other systems had, replayed here.
#![forbid(unsafe_code)]

mod apply;
mod common;
mod durability;
mod watches;
