//! Ports for servers that are processes of their own.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that the operating system lends to connections: one of those may be lent to somebody between this and
/// the server's start, or while a server is down.
const PORTS: std::ops::Range<u32> = 10_000..32_000;

/// A port that nobody listens on, and that no other call of this process gets.
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Programs that run side by side begin far from each other.
    let first = std::process::id().wrapping_mul(977);
    let count = PORTS.len() as u32;
    let next = || PORTS.start + first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % count;
    let mut free = (0..count).map(|_| next() as u16);
    free.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port is free")
}
