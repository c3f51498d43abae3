//! How fast the simulator is, at a load that is said: `cargo test --release -p kvorum-sim --test speed -- --ignored
//! --nocapture`.

use std::time::{Duration, Instant};

use kvorum_sim::workload::Workload;
use kvorum_sim::{Class, Swarm, World};

/// Simulated hours in an hour, on one thread.
fn speed(what: &str, swarm: &Swarm) {
    let (mut simulated, begun, mut revisions) = (Duration::ZERO, Instant::now(), 0);
    for seed in 0..20 {
        let run = World::new(seed).nodes(3).faults(swarm.clone()).run(Workload::busy(seed));
        assert!(run.violation.is_none(), "seed {seed}: {}", run.violation.unwrap());
        simulated += run.simulated;
        revisions += run.counts["revisions"];
    }
    let per_hour = simulated.as_secs_f64() / begun.elapsed().as_secs_f64();
    let writes = revisions as f64 / simulated.as_secs_f64();
    println!("{what}: {per_hour:.0} simulated hours an hour, {writes:.0} revisions a simulated second");
}

#[test]
#[ignore = "a measurement, of a machine with nothing else to do"]
fn simulated_hours_an_hour() {
    speed("three nodes, no faults, all checkers", &Swarm::none());
    speed("three nodes, processes die, all checkers", &Swarm::only(Class::Crash));
    speed("three nodes, all faults, all checkers", &Swarm::default());
}
