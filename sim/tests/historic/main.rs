//! Bugs that other systems had, replayed here.
#![forbid(unsafe_code)]

mod common;
mod durability;
