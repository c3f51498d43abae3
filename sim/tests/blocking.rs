//! A task that blocks the thread of its world hangs: the process says which seed hangs, and why. It takes the 20 s of
//! real time after which it is said.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use kvorum_sim::{App, Scene, Swarm, World, seeds};

struct Blocks;

impl App for Blocks {
    fn begin(&mut self, scene: &Scene) {
        let own = scene.clone();
        scene.spawn(async move {
            own.sleep(Duration::from_secs(1)).await;
            if let Some(store) = own.client(1) {
                let _ = store.put("k", "v").wait();
            }
        });
    }
}

/// Not a test: what the test below runs as a process of its own, and ends.
#[test]
#[ignore = "it never ends"]
fn a_task_blocks() {
    let found = seeds(5..6, |seed| {
        World::new(seed).nodes(3).faults(Swarm::none()).lasting(Duration::from_secs(3)).run(Blocks)
    });
    panic!("it ended: {found}");
}

#[test]
fn whoever_blocks_the_thread_is_told_the_seed_and_what_to_do() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "a_task_blocks"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let words = said.next();
    child.kill().unwrap();
    child.wait().unwrap();
    let words = words.expect("something is said").unwrap();
    for part in ["seed 5", "its own time is 1.0", "`.wait()`", "`.await`"] {
        assert!(words.contains(part), "{part}: {words}");
    }
}
