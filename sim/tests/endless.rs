//! Tasks that never let time pass are stopped, with words; and what is found in a world that is led by hand is said
//! there and then.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use kvorum_sim::{App, Run, Scene, Swarm, World};

/// A service that begins with this.
struct Begins(fn(&Scene));

impl App for Begins {
    fn begin(&mut self, scene: &Scene) {
        (self.0)(scene);
    }
}

fn run(begin: fn(&Scene)) -> Run {
    World::new(1).nodes(3).faults(Swarm::none()).lasting(Duration::from_secs(3)).run(Begins(begin))
}

/// Two tasks of each that there is: one moment is soon full of them.
fn breed(scene: Scene) {
    scene.clone().spawn(async move {
        breed(scene.clone());
        breed(scene);
    });
}

const ENDLESS: [fn(&Scene); 7] = [
    |scene| {
        scene.spawn(std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::Pending
        }));
    },
    |scene| {
        let own = scene.clone();
        scene.spawn(async move {
            loop {
                own.sleep(Duration::ZERO).await;
            }
        });
    },
    |scene| {
        let own = scene.clone();
        scene.spawn(async move {
            while own.within(Duration::ZERO, std::future::pending::<()>()).await.is_none() {}
        });
    },
    // Time passes, and yet the run would be over in years.
    |scene| {
        let own = scene.clone();
        scene.spawn(async move {
            loop {
                own.sleep(Duration::from_nanos(1)).await;
            }
        });
    },
    |scene| breed(scene.clone()),
    |scene| {
        let own = scene.clone();
        scene.spawn(async move {
            loop {
                own.spawn(std::future::pending());
            }
        });
    },
    // No node is called that: whoever tries again at once tries for ever.
    |scene| {
        let own = scene.clone();
        scene.spawn(async move { while own.client(9).is_none() {} });
    },
];

#[test]
fn whoever_never_lets_time_pass_is_told_so() {
    for (number, begin) in ENDLESS.into_iter().enumerate() {
        let words = run(begin).violation.expect("it never ends").to_string();
        assert!(
            words.contains("is there a loop without a sleep, or with one of almost nothing?"),
            "{number}: {words}"
        );
        let mut world = World::new(1).nodes(1);
        begin(world.scene());
        let result = catch_unwind(AssertUnwindSafe(|| world.run(Duration::from_secs(1))));
        assert!(result.is_err(), "{number}");
    }
}

#[test]
fn many_who_do_much_are_not_taken_for_endless() {
    let run = run(|scene| {
        for _ in 0..20_000 {
            let own = scene.clone();
            scene.spawn(async move {
                for _ in 0..8 {
                    own.sleep(Duration::from_millis(100)).await;
                    own.client(1).is_some().then(|| own.count("done"));
                }
            });
        }
    });
    assert!(run.violation.is_none(), "{run}");
    assert_eq!(run.counts["done"], 160_000);
}

#[test]
fn what_is_broken_in_a_world_led_by_hand_panics_there() {
    let mut world = World::new(1).nodes(1);
    let own = world.scene().clone();
    world.scene().spawn(async move {
        own.sleep(Duration::from_secs(1)).await;
        own.broken("all is well", "it is not");
    });
    world.run(Duration::from_millis(900));
    let result = catch_unwind(AssertUnwindSafe(|| world.run(Duration::from_secs(1))));
    let words = result.expect_err("it panics").downcast::<String>().expect("in words");
    assert!(words.contains("at 1.000000 s") && words.contains("it is not"), "{words}");
}
