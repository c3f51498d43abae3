//! The plan of what goes wrong: that it is a value, keeps to its envelope, and really happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvorum_core::Time;
use kvorum_sim::World;
use kvorum_sim::plan::{Act, Class, Fault, Injector, Plan, Rot, Shape, Strike, Swarm, Trigger, When, Who};
use kvorum_storage::Options;
use kvorum_storage::faulty::{Operation, Survivors};

const MINUTE: Duration = Duration::from_secs(60);

fn at(millis: u64) -> Time {
    Time::ZERO + Duration::from_millis(millis)
}

fn timed(number: usize, millis: u64, who: Who, what: Act) -> Fault {
    Fault { number, when: When::At(at(millis)), who, what }
}

/// A cluster that is written to every few milliseconds, under a plan.
fn rehearse(plan: &Plan) -> (World, Injector) {
    let mut world = World::new(plan.seed).nodes_with(plan.nodes, |config| {
        config.image_log_bytes = 4_000;
        (config.keep_bytes, config.catch_up_bytes) = (0, 0);
    });
    world = world.storage_options(Options { segment_bytes: 8_000, ..Options::default() });
    plan.set_up(&mut world);
    if plan.is_outside() {
        world.stop_judging();
    }
    let mut injector = Injector::new(plan);
    world.start_all();
    let (mut next, mut count) = (Time::ZERO, 0);
    while world.now() < Time::ZERO + plan.duration {
        let until = injector.next().min(next).min(Time::ZERO + plan.duration);
        if !world.step(until) {
            world.run(until.since(world.now()));
        }
        injector.act(&mut world);
        if next <= world.now() {
            next = world.now() + Duration::from_millis(10);
            count += 1;
            if let Some(client) = world.client(1 + count % plan.nodes) {
                drop(client.put(format!("k{}", count % 9), "v".repeat(40)));
                drop(client.get("k1"));
                drop(client.keep_alive(7));
                drop(client.grant_request(kvorum_core::request::LeaseGrantRequest { id: 7, ttl: 60 }));
            }
        }
        assert_eq!(injector.violation(), None, "{plan}");
    }
    (world, injector)
}

#[test]
fn a_plan_without_one_of_its_faults_has_all_others_as_they_were() {
    for seed in 0..50 {
        let plan = Swarm::default().plan(seed, 3, MINUTE);
        for gone in plan.faults.iter().map(|fault| fault.number).take(5) {
            let rest = plan.without(&BTreeSet::from([gone]));
            let expected: Vec<_> = plan.faults.iter().filter(|fault| fault.number != gone).cloned().collect();
            assert_eq!(rest.faults, expected);
        }
        let (short, long) = (Swarm::default().plan(seed, 3, MINUTE / 3), plan.until(MINUTE / 3));
        assert_eq!(short, long, "a longer plan begins like a shorter one");
    }
}

/// Where and when partitions struck that wait for nothing and nobody.
fn fixed(strikes: &[Strike], plan: &Plan) -> Vec<Strike> {
    let is_fixed = |number: usize| {
        let fault = plan.faults.iter().find(|fault| fault.number == number).unwrap();
        let is_timed = matches!(fault.when, When::At(_)) && !matches!(fault.who, Who::Leader | Who::Follower);
        is_timed && matches!(fault.what, Act::Partition { .. } | Act::Clog { .. } | Act::SlowDisk { .. })
    };
    strikes.iter().filter(|strike| is_fixed(strike.number)).cloned().collect()
}

#[test]
fn a_run_without_a_fault_is_the_same_before_it_and_strikes_the_same_after_it() {
    let swarm =
        Swarm::none().with(Class::Crash).with(Class::Partition).with(Class::Link).with(Class::SlowDisk);
    for seed in [3, 8, 21] {
        let plan = swarm.plan(seed, 3, Duration::from_secs(15));
        let Some(gone) = plan.faults.get(plan.faults.len() / 2).map(|fault| fault.number) else { continue };
        let rest = plan.without(&BTreeSet::from([gone]));
        let ((world, one), (_, other)) = (rehearse(&plan), rehearse(&rest));
        let (again, _) = rehearse(&plan);
        assert_eq!(world.trace_hash(), again.trace_hash());
        let earliest = plan.faults.iter().find(|fault| fault.number == gone).unwrap().when.earliest();
        let before = |injector: &Injector| -> Vec<Strike> {
            injector.strikes().iter().filter(|strike| strike.at < earliest).cloned().collect()
        };
        assert_eq!(before(&one), before(&other));
        let mut expected = fixed(one.strikes(), &plan);
        expected.retain(|strike| strike.number != gone);
        assert_eq!(fixed(other.strikes(), &plan), expected);
    }
}

#[test]
fn it_can_be_read() {
    let mut plan = Plan::calm(7, 3, MINUTE);
    let down = Duration::from_millis(1200);
    plan.faults.push(timed(0, 2500, Who::Leader, Act::LosePower { survivors: Survivors::Subset, down }));
    let when = When::Next { trigger: Trigger::Voted, from: at(4000), nth: 2 };
    plan.faults.push(Fault { number: 1, when, who: Who::Trigger, what: Act::Kill { down } });
    plan.faults.push(timed(2, 9000, Who::Node(2), Act::Rot { place: Rot::Log, bits: 3, down }));
    let text = "seed 7, 3 nodes, 60s, 3 faults\n\
        links take 200µs to 800µs, lose 0 and repeat 0 of 1000; syncs take 300µs to 2ms\n\
        inside the envelope\n\
        #0 at 2.500 s: the leader loses power, any of the unsynced sectors are left, back after 1.20 s\n\
        #1 once a node has voted for time 2, from 4.000 s on: that node is killed, back after 1.20 s\n\
        #2 at 9.000 s: node 2 is killed, and 3 bits of its log rot; back after 1.20 s\n";
    assert_eq!(plan.to_string(), text);
}

#[test]
fn the_envelope_is_kept_or_left_on_purpose() {
    let mut outside = 0;
    for seed in 0..2000 {
        let plan = Swarm::default().plan(seed, [1, 3, 3, 5][seed as usize % 4], MINUTE);
        let envelope = plan.envelope();
        outside += u64::from(!envelope.is_inside || !envelope.leases_hold);
        if envelope.is_inside {
            assert!(envelope.lost.len() as u64 <= (plan.nodes - 1) / 2, "{plan}");
        }
        let inside = Swarm::default().outside(0).plan(seed, 3, MINUTE).envelope();
        assert!(inside.is_inside && inside.leases_hold, "seed {seed}");
    }
    assert!((20..120).contains(&outside), "{outside} of 2000 outside");
}

#[test]
fn what_makes_a_plan_leave_the_envelope() {
    let down = Duration::from_secs(1);
    let rot =
        |number, node| timed(number, 5000, Who::Node(node), Act::Rot { place: Rot::Log, bits: 1, down });
    let mut plan = Plan::calm(1, 3, MINUTE);
    plan.faults = vec![rot(0, 2), rot(1, 2)];
    assert_eq!(plan.envelope().lost, BTreeSet::from([2]));
    assert!(plan.envelope().is_inside, "one of three may be lost, however often");
    assert_eq!((plan.envelope().may_halt(2), plan.envelope().may_halt(1)), (Some("its disk rotted"), None));
    plan.faults.push(rot(2, 3));
    assert!(plan.is_outside() && plan.envelope().may_halt(1).is_some());
    plan.nodes = 5;
    assert!(plan.envelope().is_inside, "two of five may");
    plan.faults = vec![timed(0, 1, Who::Node(1), Act::OldDisk { after: down, down })];
    assert!(plan.is_outside());
    plan.faults = vec![timed(0, 1, Who::Node(1), Act::Freeze { lasts: down })];
    assert!(!plan.is_outside() && !plan.envelope().leases_hold);
    plan.faults = vec![timed(0, 1, Who::Node(1), Act::FailWrite { operation: Operation::Sync })];
    assert_eq!(plan.envelope().may_halt(1), Some("its disk failed to write"));
}

#[test]
fn switched_off_kinds_do_not_come() {
    for seed in 0..100 {
        assert!(Swarm::none().plan(seed, 3, MINUTE).faults.is_empty());
        let only = Swarm::only(Class::Clock).plan(seed, 3, MINUTE);
        assert!(only.faults.iter().all(|fault| matches!(fault.what, Act::Drift { .. })));
    }
}

#[test]
fn seeds_make_everything_up() {
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..3000 {
        for fault in Swarm::default().plan(seed, 3, MINUTE).faults {
            *names.entry(fault.what.name()).or_default() += 1;
            if let When::Next { trigger, .. } = fault.when {
                *names.entry(trigger.name()).or_default() += 1;
            }
        }
    }
    assert_eq!(names.len(), 29 + Trigger::ALL.len(), "{names:?}");
}

/// One of each, a second and a half apart.
fn one_of_each() -> Vec<(Who, Act)> {
    let (down, lasts) = (Duration::from_millis(200), Duration::from_millis(300));
    let (survivors, who) = (Survivors::Prefix, Who::Node(2));
    let shapes = [Shape::Split(2), Shape::Isolate, Shape::Deaf, Shape::Mute, Shape::Pair, Shape::OneWay];
    let mut acts: Vec<(Who, Act)> =
        shapes.into_iter().map(|shape| (who, Act::Partition { shape, lasts })).collect();
    let slowest = Duration::from_millis(50);
    acts.extend([
        (Who::Leader, Act::Kill { down }),
        (Who::Follower, Act::LosePower { survivors, down }),
        (Who::Minority, Act::Tear { operations: 1, survivors: Some(survivors), down }),
        (Who::Everybody, Act::LosePower { survivors: Survivors::Nothing, down }),
        (who, Act::Pause { lasts }),
        (who, Act::SlowCpu { turn: Duration::from_millis(5), lasts }),
        (who, Act::BadLink { loss: 300, duplicate: 300, slowest, lasts }),
        (who, Act::Clog { lasts }),
        (who, Act::Replay { count: 20, old: true, within: lasts }),
        (who, Act::Corrupt { permille: 300, lasts }),
        (who, Act::Drift { ppm: 20_000 }),
        (who, Act::SlowDisk { by: lasts, lasts }),
        (who, Act::HoldDisk { lasts }),
        (who, Act::FailWrite { operation: Operation::Append }),
        (who, Act::FailWrite { operation: Operation::Sync }),
        (who, Act::FailRead { at_start: true, after: 1 }),
        (who, Act::FillDisk { room: 500, lasts }),
        (who, Act::Transfer),
        (who, Act::LiftNoSpace),
        (Who::Node(3), Act::Jump { by: lasts }),
        (Who::Node(3), Act::Freeze { lasts }),
        (who, Act::Wipe { down }),
        (Who::Node(4), Act::Rot { place: Rot::Log, bits: 1, down }),
    ]);
    acts
}

#[test]
fn everything_happens_that_is_planned() {
    let mut plan = Plan::calm(5, 5, MINUTE);
    for (number, (who, what)) in one_of_each().into_iter().enumerate() {
        plan.faults.push(timed(number, 3000 + 1500 * number as u64, who, what));
    }
    assert!(!plan.is_outside());
    let (mut world, mut injector) = rehearse(&plan);
    for fault in &plan.faults {
        let has_struck = injector.strikes().iter().any(|strike| strike.number == fault.number);
        assert!(has_struck, "{fault}\n{:#?}", injector.strikes());
    }
    assert!(injector.counts()["halted by its disk"] >= 3, "{:?}", injector.counts());
    assert!(injector.counts()["start refused by its disk"] >= 1, "{:?}", injector.counts());
    injector.stop(&mut world);
    let agreed = world.run_until(Duration::from_secs(30), |world| {
        injector.act(world);
        let living = world.ids().into_iter().filter(|node| !injector.lost().contains(node));
        let all: Vec<_> = living.filter_map(|node| world.status(node)).collect();
        all.len() == 3 && all.iter().all(|status| status.hash == all[0].hash && status.raft.leader != 0)
    });
    assert!(agreed && injector.violation().is_none());
    assert_eq!(injector.lost(), &BTreeSet::from([2, 4]));
}

#[test]
fn an_old_disk_is_put_back() {
    let mut plan = Plan::calm(6, 3, Duration::from_secs(10));
    let (after, down) = (Duration::from_secs(3), Duration::from_millis(100));
    plan.faults.push(timed(0, 3000, Who::Node(2), Act::OldDisk { after, down }));
    let (_, injector) = rehearse(&plan);
    assert_eq!(injector.counts()["old disk put back"], 1);
    assert!(injector.may_halt(2).is_some());
}

#[test]
fn faults_strike_at_moments() {
    let mut plan = Plan::calm(9, 3, MINUTE);
    let down = Duration::from_millis(700);
    for (number, trigger) in Trigger::ALL.into_iter().enumerate() {
        let when = When::Next { trigger, from: at(3000 + 3500 * number as u64), nth: 1 };
        // A client's answer is told by whoever keeps the clients: here, nobody does.
        if trigger != Trigger::Answered {
            plan.faults.push(Fault { number, when, who: Who::Trigger, what: Act::Kill { down } });
        }
    }
    plan.faults.push(timed(99, 2000, Who::Node(1), Act::Transfer));
    // Leadership goes round, so that whoever leads by then, some node is asked to that does not.
    for (number, millis) in (0..10).map(|round| (100 + round, 20_000 + 3_000 * round as u64)) {
        plan.faults.push(timed(number, millis, Who::Node(1 + number as u64 % 3), Act::Transfer));
    }
    for (number, millis) in [(110, 25_000), (111, 45_000), (112, 55_000)] {
        plan.faults.push(timed(number, millis, Who::Follower, Act::Kill { down: Duration::from_secs(3) }));
    }
    let (_, injector) = rehearse(&plan);
    let missing: Vec<_> =
        Trigger::ALL.iter().filter(|trigger| !injector.counts().contains_key(trigger.name())).collect();
    assert_eq!(missing, [&Trigger::Answered], "{:#?}", injector.strikes());
}
