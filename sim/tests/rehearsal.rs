//! A service of somebody else's: what it is judged by fits what it does, what it got wrong itself is said to be its own,
//! and what is printed runs the same again.

use std::collections::HashMap;
use std::time::Duration;

use kvorum_sim::plan::{Act, Fault, Plan, Shape, When, Who};
use kvorum_sim::request::RangeRequest;
use kvorum_sim::{
    App, Checker, Config, Run, RunOptions, Scene, Survivors, Swarm, Time, Violation, World, rehearse, seeds,
    shrink, twice,
};

const SECOND: Duration = Duration::from_secs(1);

/// A service that is little more than what it begins, and how it is set up.
struct Service {
    configure: Configure,
    begin: fn(&Scene),
    end: End,
}

type Configure = fn(&mut Config);
type End = fn(&mut World) -> Result<(), Violation>;

const PLAIN: Service = Service { configure: |_| {}, begin: |_| {}, end: |_| Ok(()) };

impl App for Service {
    fn configure(&mut self, config: &mut Config) {
        (self.configure)(config);
    }

    fn begin(&mut self, scene: &Scene) {
        (self.begin)(scene);
    }

    fn end(&mut self, world: &mut World) -> Result<(), Violation> {
        (self.end)(world)
    }
}

fn calm(lasting: Duration, service: Service) -> Run {
    World::new(1).nodes(3).faults(Swarm::none()).lasting(lasting).run(service)
}

fn seen(run: &Run, by: Checker) -> &str {
    let violation = run.violation.as_ref().expect("something is wrong with it");
    assert_eq!(violation.checker, by, "{run}");
    &violation.seen
}

fn at(seconds: u64) -> When {
    When::At(Time::ZERO + SECOND * seconds as u32)
}

/// The default image_log_bytes is as much as all of our own rehearsals' disks may hold.
#[test]
fn much_may_be_stored_where_images_are_far_apart() {
    let begin = |scene: &Scene| {
        let own = scene.clone();
        scene.spawn(async move {
            own.sleep(2 * SECOND).await;
            for key in 0..80 {
                if let Some(store) = own.client(1)
                    && store.put(format!("k{key}"), vec![0; 1 << 20]).await.is_ok()
                {
                    own.count("stored");
                }
            }
        });
    };
    let run = calm(6 * SECOND, Service { begin, ..PLAIN });
    assert!(run.violation.is_none(), "{run}");
    assert_eq!(run.counts["stored"], 80);
}

#[test]
fn a_burst_may_wait() {
    let begin = |scene: &Scene| {
        let own = scene.clone();
        scene.spawn(async move {
            own.sleep(2 * SECOND).await;
            let Some(store) = own.client(1) else { return };
            for key in 0..6_000 {
                let answer = store.put(format!("k{key}"), "v");
                own.spawn(async move { _ = answer.await });
            }
        });
    };
    // Nobody hears node 1: all of it waits.
    let mute = Act::Partition { shape: Shape::Isolate, lasts: 3 * SECOND };
    let plan = Plan::calm(0, 3, 4 * SECOND).with(at(1), Who::Node(1), mute);
    let run = World::new(1).nodes(3).plan(plan).run(Service { begin, ..PLAIN });
    assert!(run.violation.is_none(), "{run}");
}

#[test]
fn patient_nodes_are_given_time() {
    let configure = |config: &mut Config| {
        config.election_timeout = 30 * SECOND;
        config.heartbeat = 3 * SECOND;
    };
    let run = calm(40 * SECOND, Service { configure, ..PLAIN });
    assert!(run.violation.is_none(), "{run}");
}

/// Nobody can be elected between one outage and the next, and whoever looks ten times a second sees none of them.
#[test]
fn an_outage_of_milliseconds_is_no_calm() {
    let down = Duration::from_millis(20);
    let mut plan = Plan::calm(0, 3, 60 * SECOND);
    for blink in 1..60 {
        let what = Act::LosePower { survivors: Survivors::Everything, down };
        let time = Time::ZERO + SECOND * blink + Duration::from_millis(33);
        plan = plan.with(When::At(time), Who::Everybody, what);
    }
    let run = World::new(1).nodes(3).plan(plan).run(());
    assert!(run.violation.is_none(), "{run}");
    assert_eq!(run.counts["lose power"], 59);
}

#[test]
fn a_question_that_nobody_can_answer_is_the_askers() {
    let ends: [(End, &str); 2] = [
        (|world| world.ask(|store| store.get("")).map(|_| ()), "the key is empty"),
        (
            |world| world.ask(|store| store.range(RangeRequest::key("a").at(99_999))).map(|_| ()),
            "revision 99999 lies in the future",
        ),
    ];
    for (end, words) in ends {
        let run = calm(2 * SECOND, Service { end, ..PLAIN });
        let seen = seen(&run, Checker::App);
        assert!(seen.contains(words) && seen.contains("rehearsal.rs:"), "{run}");
    }
}

#[test]
fn a_configuration_that_no_node_starts_with_ends_the_run_at_once() {
    let wrong: [(Configure, &str); 4] = [
        (|config| config.node = 0, "0 is not a node id"),
        (|config| config.election_timeout = Duration::ZERO, "at least 5 heartbeats"),
        (|config| config.node = config.node % 3 + 1, "who there is says World::nodes"),
        (|config| config.cluster_name = "mine".into(), "World::nodes_with"),
    ];
    for (configure, words) in wrong {
        let run = calm(2 * SECOND, Service { configure, ..PLAIN });
        assert!(seen(&run, Checker::App).contains(words), "{run}");
        assert!(run.to_string().contains("App::configure") && run.simulated == Duration::ZERO, "{run}");
    }
}

#[test]
fn a_configuration_without_room_is_not_the_clusters_fault() {
    let wrong: [(Configure, &str); 2] = [
        (|config| config.limits.pending = 0, "limits.pending is 0"),
        (|config| config.request_timeout = Duration::ZERO, "request_timeout is 0ns"),
    ];
    for (configure, words) in wrong {
        let run = calm(2 * SECOND, Service { configure, ..PLAIN });
        assert!(seen(&run, Checker::App).contains(words), "{run}");
        assert!(run.to_string().contains("App::configure"), "{run}");
    }
}

#[test]
fn there_are_nodes() {
    let none = RunOptions { nodes: Some(0), ..RunOptions::default() };
    let without = [
        World::new(1).nodes(0).faults(Swarm::default()).run(()),
        World::new(1).faults(Swarm::none()).run(()),
        rehearse(1, &none),
    ];
    for run in without {
        assert!(seen(&run, Checker::App).contains("0 nodes"), "{run}");
        assert_eq!(run.simulated, Duration::ZERO);
    }
}

#[test]
fn the_line_beside_a_shrunk_run_runs_what_is_left_of_it() {
    // It breaks as soon as two machines were off at a time.
    let begin = |scene: &Scene| {
        let own = scene.clone();
        scene.spawn(async move {
            while own.now() == Time::ZERO || own.running().len() > 1 {
                own.sleep(Duration::from_millis(5)).await;
            }
            own.broken("two machines run", "one does");
        });
    };
    let down = SECOND;
    let kill = |plan: Plan, second, node| plan.with(at(second), Who::Node(node), Act::Kill { down });
    let plan = [(2, 1), (4, 2), (6, 3), (8, 1), (8, 2)];
    let plan = plan.into_iter().fold(Plan::calm(0, 3, 20 * SECOND), |plan, (at, node)| kill(plan, at, node));
    let again = |options: &RunOptions| {
        let rehearsal = World::new(9).nodes(3).plan(plan.clone()).with(options).replay_by("mine --right");
        rehearsal.run(Service { begin, ..PLAIN })
    };
    let start = RunOptions { duration: 20 * SECOND, ..RunOptions::default() };
    let run = again(&start);
    assert!(run.to_string().ends_with("replay:   mine --right --seed 9 --seconds 20"), "{run}");
    let least = shrink::least(&run, &start, &again);
    let shrunk = again(&least.options);
    let printed = shrunk.replay.clone();
    assert!(
        printed.starts_with("mine --right --seed 9 --seconds 8") && printed.ends_with("--without 0-2"),
        "{printed}"
    );
    let mut read = RunOptions::default();
    for pair in printed.split(' ').skip(4).collect::<Vec<_>>().chunks(2) {
        read.take_argument(pair[0].trim_start_matches('-'), pair[1]).expect("it is our own");
    }
    let replayed = again(&read);
    assert_eq!((replayed.trace, replayed.violation), (shrunk.trace, shrunk.violation));
}

#[test]
fn a_plan_of_ones_own_is_carried_out() {
    let cut = Act::Partition { shape: Shape::Isolate, lasts: 2 * SECOND };
    let plan = Plan::calm(77, 9, 10 * SECOND).with(at(3), Who::Leader, cut).with(at(9), Who::Leader, cut);
    let rehearsal = |seed| World::new(seed).nodes(3).plan(plan.clone());
    assert_eq!((rehearsal(5).plan().seed, rehearsal(5).plan().nodes), (5, 3));
    let found = seeds(0..3, |seed| rehearsal(seed).run(()));
    assert!(found.is_clean(), "{found}");
    assert_eq!(found.counts["isolate"], 6);
    let shorter = rehearsal(1).lasting(5 * SECOND).run(());
    assert_eq!(shorter.counts["isolate"], 1);
    let mut twins = plan.clone();
    twins.faults.push(Fault { number: 0, ..plan.faults[1].clone() });
    assert!(seen(&World::new(1).nodes(3).plan(twins).run(()), Checker::App).contains("two of this number"));
}

#[test]
fn a_service_that_leaves_something_to_chance_is_found_out() {
    let same = twice(3, |_| calm(3 * SECOND, PLAIN));
    assert!(same.violation.is_none(), "{same}");
    let hashed = twice(3, |_| {
        let begin = |scene: &Scene| {
            let own = scene.clone();
            scene.spawn(async move {
                own.sleep(2 * SECOND).await;
                let keys: HashMap<u32, ()> = (0..50).map(|key| (key, ())).collect();
                for key in keys.keys() {
                    let Some(store) = own.client(1) else { return };
                    _ = store.put(format!("k{key}"), "").await;
                }
            });
        };
        calm(3 * SECOND, Service { begin, ..PLAIN })
    });
    assert!(seen(&hashed, Checker::Determinism).starts_with("trace "), "{hashed}");
}
