//! The parts, by themselves.
fn main() {}
