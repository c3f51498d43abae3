//! Whoever blocks the thread of a world stops that world for ever, and nothing in it can say so: a thread beside all
//! worlds does. It changes nothing in them.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use kvorum_core::Time;

/// From one look to the next, in real time.
const LOOK: Duration = Duration::from_secs(1);

/// After so many looks at which nothing had moved, somebody is told. Looks are counted and not time: when the whole
/// process stands still, as in a debugger or in a machine that sleeps, so does its watchdog.
const LOOKS: u32 = 20;

/// What is seen of a world from another thread.
#[derive(Debug)]
pub(crate) struct Pulse {
    seed: u64,
    steps: AtomicU64,
    /// The world's time.
    now: AtomicU64,
    /// Somebody waits for its next step.
    is_awaited: AtomicBool,
    is_known: AtomicBool,
}

impl Pulse {
    pub(crate) fn new(seed: u64) -> Arc<Pulse> {
        Arc::new(Pulse {
            seed,
            steps: AtomicU64::new(0),
            now: AtomicU64::new(0),
            is_awaited: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
        })
    }

    /// The world has come so far.
    pub(crate) fn beat(&self, now: Time) {
        // Nobody else writes these, and whoever reads them wants no more than to see them change.
        self.steps.store(self.steps.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.now.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Until the answer is dropped, the world is one that must make steps; `None`: it is already.
    pub(crate) fn await_steps(self: &Arc<Pulse>) -> Option<Awaited> {
        // Only the world's own thread writes it.
        if self.is_awaited.load(Ordering::Relaxed) {
            return None;
        }
        self.is_awaited.store(true, Ordering::Relaxed);
        if !self.is_known.swap(true, Ordering::Relaxed) {
            watch(self);
        }
        Some(Awaited(self.clone()))
    }

    fn words(&self) -> String {
        let (seed, now) = (self.seed, self.now.load(Ordering::Relaxed) as f64 / 1e9);
        let real = LOOK * LOOKS;
        format!(
            "kvorum-sim: the world of seed {seed} has made no step for {real:?} of real time; its own time is {now:.6} s. \
             Probably a task waits by blocking its thread (`.wait()`, `block_on`, a lock, a channel), or loops without \
             waiting: all of the world runs on that one thread, and what it waits for cannot happen. It must `.await`."
        )
    }
}

/// See [`Pulse::await_steps`].
#[derive(Debug)]
pub(crate) struct Awaited(Arc<Pulse>);

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.is_awaited.store(false, Ordering::Relaxed);
    }
}

/// A world that is watched.
struct Watched {
    pulse: Weak<Pulse>,
    seen: u64,
    /// At so many looks it had not moved.
    looks: u32,
}

/// All that are watched.
struct Watchdog {
    all: Vec<Watched>,
    /// It has a thread.
    is_awake: bool,
}

impl Watchdog {
    const fn new() -> Watchdog {
        Watchdog { all: Vec::new(), is_awake: false }
    }

    fn know(&mut self, pulse: &Arc<Pulse>) {
        self.all.push(Watched { pulse: Arc::downgrade(pulse), seen: 0, looks: 0 });
    }

    /// Looks at all worlds; answers what is to be said, once of each stop.
    fn look(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        self.all.retain_mut(|watched| {
            let Some(pulse) = watched.pulse.upgrade() else { return false };
            let steps = pulse.steps.load(Ordering::Relaxed);
            let stands = pulse.is_awaited.load(Ordering::Relaxed) && steps == watched.seen;
            watched.looks = if stands { watched.looks.saturating_add(1) } else { 0 };
            watched.seen = steps;
            if watched.looks == LOOKS {
                said.push(pulse.words());
            }
            true
        });
        said
    }
}

static WATCHDOG: Mutex<Watchdog> = Mutex::new(Watchdog::new());

fn watchdog() -> MutexGuard<'static, Watchdog> {
    WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch(pulse: &Arc<Pulse>) {
    let mut watchdog = watchdog();
    watchdog.know(pulse);
    if !watchdog.is_awake {
        let thread = thread::Builder::new().name("kvorum-sim watchdog".into());
        // Without it, worlds are as good as with it.
        watchdog.is_awake = thread.spawn(stay_awake).is_ok();
    }
}

/// Looks for as long as there is a world.
fn stay_awake() {
    loop {
        thread::sleep(LOOK);
        let mut watchdog = watchdog();
        let said = watchdog.look();
        watchdog.is_awake = !watchdog.all.is_empty();
        if !watchdog.is_awake {
            return;
        }
        drop(watchdog);
        for words in said {
            // Not `eprintln!`: a test that never ends never shows what it has captured.
            _ = writeln!(std::io::stderr(), "{words}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::{Swarm, World};

    fn looks(watchdog: &mut Watchdog, count: u32) -> Vec<String> {
        (0..count).flat_map(|_| watchdog.look()).collect()
    }

    #[test]
    fn who_makes_no_step_is_told_of_once() {
        let (mut watchdog, pulse) = (Watchdog::new(), Pulse::new(7));
        watchdog.know(&pulse);
        assert_eq!(looks(&mut watchdog, 100), [""; 0], "nobody waits for it");
        let awaited = pulse.await_steps();
        assert!(pulse.await_steps().is_none(), "it is awaited already");
        assert_eq!(looks(&mut watchdog, LOOKS - 1), [""; 0]);
        pulse.beat(Time::from_nanos(1_500_000_000));
        assert_eq!(looks(&mut watchdog, LOOKS), [""; 0]);
        let said = looks(&mut watchdog, 100);
        assert!(said.len() == 1 && said[0].contains("seed 7") && said[0].contains("1.500000 s"), "{said:?}");
        drop(awaited);
        assert_eq!(looks(&mut watchdog, 100), [""; 0]);
        drop(pulse);
        watchdog.look();
        assert!(watchdog.all.is_empty());
    }

    /// The task blocks until the watchdog has spoken.
    #[test]
    fn a_world_is_awaited_while_its_tasks_run_and_not_between_its_steps() {
        let watchdog = Rc::new(RefCell::new(Watchdog::new()));
        let blocks = |world: &World| {
            let (scene, watchdog) = (world.scene().clone(), watchdog.clone());
            watchdog.borrow_mut().know(world.pulse());
            world.scene().spawn(async move {
                scene.sleep(Duration::from_secs(1)).await;
                let said = looks(&mut watchdog.borrow_mut(), LOOKS + 1).len();
                scene.add("said", said as u64);
            });
        };
        let mut world = World::new(1).nodes(3);
        blocks(&world);
        world.start_all();
        world.run(Duration::from_secs(2));
        assert_eq!(world.scene().counts()["said"], 1);
        assert_eq!(looks(&mut watchdog.borrow_mut(), 100), [""; 0]);
        let world = World::new(2).nodes(3);
        blocks(&world);
        let run = world.faults(Swarm::none()).lasting(Duration::from_secs(2)).run(());
        assert_eq!(run.counts["said"], 1);
    }

    #[test]
    fn whoever_is_awaited_is_watched() {
        let pulse = Pulse::new(3);
        let _awaited = pulse.await_steps();
        let is_watched =
            |watchdog: &Watchdog| watchdog.all.iter().any(|one| one.pulse.as_ptr() == Arc::as_ptr(&pulse));
        let watchdog = watchdog();
        assert!(is_watched(&watchdog) && watchdog.is_awake);
    }
}
