//! No thread outlives its transport, and none pile up. A program of its own: it counts the process's threads.
#![cfg(target_os = "linux")]

mod common;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::*;

/// Names are cut to 15 characters by the kernel.
fn ours() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("comm")).ok());
    names.map(|n| n.trim().to_string()).filter(|n| n.starts_with("kvorum-")).collect()
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn threads_are_few_and_end_with_their_transport() {
    for round in 0..3 {
        let (mut one, two) = two(quick());
        // Dials a black hole (a reserved address that drops), what is no address, and nobody. (Not a name: the
        // resolver cannot be broken off, and a drop waits for it.)
        one.handle.set_peer(4, "198.51.100.1:9").unwrap();
        one.handle.set_peer(5, "not an address").unwrap();
        one.handle.set_peer(6, NOWHERE).unwrap();
        one.say(2, round);
        assert_eq!(number(&two.hear()), round);

        let before = resident_kib();
        let strangers: Vec<TcpStream> = (0..400).map(|_| raw::connect(&one.address)).collect();
        let members: Vec<TcpStream> =
            (0..50).map(|_| raw::admitted(&one.address, &raw::good(6, 1))).collect();
        // 64 without a hello; acceptors, writers and their listeners, readers.
        until("threads are few", || ours().len() <= 64 + 20);
        assert!(resident_kib() < before + 40 * 1024);

        // An image that waits for its receiver, and a connection in every state, while all is dropped.
        one.send_image(2, TestSource::new(1, 3, 1000));
        let _offer = two.image_offer();
        let addresses = [one.address.clone(), two.address.clone()];
        let start = Instant::now();
        drop(one);
        drop(two);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        // Joined; the kernel takes a moment to strike a thread off its list.
        until("all threads gone", || ours().is_empty());
        for address in addresses {
            drop(std::net::TcpListener::bind(address).expect("the port is free at once"));
        }
        drop((strangers, members));
    }
}
