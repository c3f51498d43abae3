//! What a service in rehearsal has of the world: its time, its chance, its nodes, and a way to say what it saw.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kvorum_core::ids::{NodeId, Revision};
use kvorum_core::{Client, Outcome, Time};

use crate::rng::{Purpose, Rng, Stream};
use crate::timeline::{Lane, Timeline, Told, What};
use crate::violation::{Checker, Violation};

/// A task of a service in rehearsal.
pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// How often tasks may be polled, wake up, begin others and ask for handles before [`A_WHILE`] passes.
const EFFORTS: u64 = 1_000_000;

/// No less: a loop that sleeps for a nanosecond lets time pass, too, and does not end within anybody's patience.
const A_WHILE: Duration = Duration::from_millis(1);

const LETS_TIME_PASS: &str = "a task of the service lets time pass now and then";

const ENDLESS: &str = "tasks wake one another, or themselves, or begin others, for ever: \
                       is there a loop without a sleep, or with one of almost nothing?";

/// What a service in rehearsal has of the world. Cheap to clone; every task keeps one.
///
/// Its tasks are ordinary futures and use the ordinary handles ([`Client`], `Watch`, `Lease`, locks,
/// elections). Only time comes from here: whoever sleeps, or waits with a limit, does it with
/// [`Scene::sleep`] and [`Scene::within`]. Nothing may read the real clock or draw from the operating system's chance:
/// the same seed would not do the same again.
///
/// And nothing may block the thread: the whole world runs on it, and whoever waits for an answer with `wait`,
/// `next_wait`, `block_on`, a lock or a channel waits for what cannot happen. Such a run hangs; after 20 s of real time
/// without a step, a word on stderr says which seed it is. (`wait_timeout` comes back, after real time in which no time
/// passed in the world: it never has an answer, and is no broken promise.)
#[derive(Clone)]
pub struct Scene(Rc<Stage>);

pub(crate) struct Stage {
    rng: Rng,
    now: Cell<Time>,
    /// Who sleeps until when; the number tells sleepers of one moment apart.
    sleepers: RefCell<BTreeMap<(Time, u64), Waker>>,
    sleeper_count: Cell<u64>,
    /// The nodes that run.
    clients: RefCell<BTreeMap<NodeId, Client>>,
    /// How often each node was started.
    lives: RefCell<BTreeMap<NodeId, u64>>,
    node_count: Cell<u64>,
    /// Tasks that begin at the next opportunity.
    beginning: RefCell<Vec<Task>>,
    is_resting: Cell<bool>,
    is_calm: Cell<bool>,
    newest: Cell<Revision>,
    drift_ppm: Cell<Option<u64>>,
    /// More goes wrong than any cluster can stand: the service owes nothing.
    is_outside: Cell<bool>,
    resting: RefCell<Vec<Waker>>,
    violation: RefCell<Option<Violation>>,
    /// What is found is kept for the run's verdict, and does not panic.
    is_lenient: Cell<bool>,
    /// What tasks did in the while that began then.
    efforts: Cell<u64>,
    while_began: Cell<Time>,
    counts: RefCell<BTreeMap<&'static str, u64>>,
    timeline: RefCell<Timeline>,
    calls: Cell<u64>,
}

impl Scene {
    pub(crate) fn new(rng: Rng) -> Scene {
        Scene(Rc::new(Stage {
            rng,
            now: Cell::new(Time::ZERO),
            sleepers: RefCell::default(),
            sleeper_count: Cell::new(0),
            clients: RefCell::default(),
            lives: RefCell::default(),
            node_count: Cell::new(0),
            beginning: RefCell::default(),
            is_resting: Cell::new(false),
            is_calm: Cell::new(true),
            newest: Cell::new(1),
            drift_ppm: Cell::new(Some(0)),
            is_outside: Cell::new(false),
            resting: RefCell::default(),
            violation: RefCell::default(),
            is_lenient: Cell::new(false),
            efforts: Cell::new(0),
            while_began: Cell::new(Time::ZERO),
            counts: RefCell::default(),
            timeline: RefCell::default(),
            calls: Cell::new(0),
        }))
    }

    /// The time of the world. (What a node's own clock shows may drift from it.)
    pub fn now(&self) -> Time {
        self.0.now.get()
    }

    /// Chance for one actor: the same seed and actor draw the same, whatever others draw.
    pub fn chance(&self, actor: u64) -> Stream {
        self.0.rng.stream(Purpose::App, actor)
    }

    /// How many nodes there are, running or not; they are numbered from 1.
    pub fn node_count(&self) -> u64 {
        self.0.node_count.get()
    }

    /// A handle to a node, if its process runs. After a crash it answers `Stopped`; ask for a new one then.
    ///
    /// # Panics
    ///
    /// If tasks ask for handles, begin others, and wake one another a million times within a millisecond of the world: a
    /// loop is without a sleep, or with one of almost nothing, and would never end.
    pub fn client(&self, node: NodeId) -> Option<Client> {
        self.work_in_a_task();
        self.0.clients.borrow().get(&node).cloned()
    }

    /// How often a node was started so far.
    pub fn life(&self, node: NodeId) -> u64 {
        self.0.lives.borrow().get(&node).copied().unwrap_or(0)
    }

    /// The nodes whose processes run.
    pub fn running(&self) -> Vec<NodeId> {
        self.0.clients.borrow().keys().copied().collect()
    }

    /// Waits this long. (No time is no wait: whoever loops over it never ends, and is stopped as a panic, as in
    /// [`Scene::client`].)
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep { scene: self.clone(), until: self.now() + duration, place: None }
    }

    /// Waits for something, but not longer than this; `None`: it took longer, and is dropped.
    pub async fn within<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        let mut future = std::pin::pin!(future);
        let mut sleep = self.sleep(limit);
        std::future::poll_fn(move |context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            Pin::new(&mut sleep).poll(context).map(|()| None)
        })
        .await
    }

    /// The newest revision that any node had applied when the last step of the world was over.
    pub fn newest(&self) -> Revision {
        self.0.newest.get()
    }

    /// By how much clocks may be fast or slow in this run, in parts of a million; `None`: some clock does what
    /// none may do, and nothing that counts time promises anything.
    pub fn drift_ppm(&self) -> Option<u64> {
        self.0.drift_ppm.get()
    }

    /// Begins another task, outside of every node: it lives until it is done or the run is over.
    ///
    /// # Panics
    ///
    /// As [`Scene::client`].
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.work_in_a_task();
        self.0.beginning.borrow_mut().push(Box::pin(task));
    }

    /// Whether the faults are over and the run comes to rest: clients begin nothing new, so that it can be
    /// seen whether everything that was begun ends.
    pub fn is_resting(&self) -> bool {
        self.0.is_resting.get()
    }

    /// Waits until the run comes to rest.
    pub async fn rest(&self) {
        std::future::poll_fn(|context| {
            if self.is_resting() {
                return Poll::Ready(());
            }
            self.0.resting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// A promise of the service itself is broken: the run ends, and says so. (Unless the plan asks more than
    /// any cluster can give, as three seeds of a hundred do: nobody can promise anything there, and nothing is
    /// said. See [`crate::Run::is_outside`].)
    ///
    /// # Panics
    ///
    /// In a world that is led by hand, where no verdict waits for it: with these words, as a task of its own that panics
    /// does there.
    pub fn broken(&self, promised: impl Into<String>, seen: impl Into<String>) {
        if !self.0.is_outside.get() {
            self.report(Violation::new(Checker::App, promised, seen));
        }
    }

    /// The first one counts: what follows from a broken promise is no news.
    pub(crate) fn report(&self, violation: Violation) {
        let at = if violation.at == Time::ZERO { self.now() } else { violation.at };
        let violation = violation.at(at);
        assert!(self.0.is_lenient.get(), "{violation}");
        self.0.violation.borrow_mut().get_or_insert(violation);
    }

    /// What is found from now on waits for the verdict; otherwise it panics.
    pub(crate) fn be_lenient(&self) {
        self.0.is_lenient.set(true);
    }

    /// A task did something that takes no time; answers whether so much is too much. Then it is said, also where the
    /// service owes nothing: no plan makes a loop endless.
    pub(crate) fn is_endless(&self) -> bool {
        self.0.efforts.set(self.0.efforts.get() + 1);
        if self.0.efforts.get() <= EFFORTS {
            return false;
        }
        self.report(Violation::of_app(LETS_TIME_PASS, ENDLESS));
        true
    }

    /// As [`Scene::is_endless`], in the midst of a task that may never come back to be stopped otherwise.
    fn work_in_a_task(&self) {
        assert!(!self.is_endless(), "{ENDLESS}");
    }

    /// Something worth counting happened.
    pub fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&self, what: &'static str, count: u64) {
        *self.0.counts.borrow_mut().entry(what).or_insert(0) += count;
    }

    /// Waits for the answer to a call, and shows the call on the timeline, in the lane of that name: from now to
    /// its answer, with what became of it.
    ///
    /// ```no_run
    /// # async fn example(scene: kvorum_sim::Scene, store: kvorum_sim::Client) {
    /// let put = scene.call("visitors", "put visitors/7", store.put("visitors/7", "")).await;
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The call's.
    pub async fn call<T>(
        &self,
        lane: &str,
        words: &str,
        answer: impl Future<Output = kvorum_core::Result<T>>,
    ) -> kvorum_core::Result<T> {
        let number = self.next_call();
        self.mark(|| Lane::Client(lane.into()), || What::Call(number, words.into()));
        let result = answer.await;
        let (told, said) = match &result {
            Ok(_) => (Told::Done, "done".into()),
            Err(error) if error.outcome() == Outcome::Unknown => (Told::Unknown, error.to_string()),
            Err(error) => (Told::Refused, error.to_string()),
        };
        self.mark(|| Lane::Client(lane.into()), || What::Return(number, told, said));
        result
    }

    /// Notes something on the timeline, in the lane of that name. The words are asked for only if there is a
    /// timeline.
    pub fn note(&self, lane: &str, words: impl FnOnce() -> String) {
        self.mark(|| Lane::Client(lane.into()), || What::Note(words()));
    }

    pub(crate) fn mark_at(&self, at: Time, lane: impl FnOnce() -> Lane, what: impl FnOnce() -> What) {
        let mut timeline = self.0.timeline.borrow_mut();
        if timeline.is_on() {
            timeline.note(at, lane(), what);
        }
    }

    pub(crate) fn mark(&self, lane: impl FnOnce() -> Lane, what: impl FnOnce() -> What) {
        self.mark_at(self.now(), lane, what);
    }

    /// A number for a call, unlike any other.
    pub(crate) fn next_call(&self) -> u64 {
        self.0.calls.set(self.0.calls.get() + 1);
        self.0.calls.get()
    }

    // For the world.

    pub(crate) fn set_now(&self, now: Time) {
        self.0.now.set(now);
        if now.since(self.0.while_began.get()) >= A_WHILE {
            self.0.while_began.set(now);
            self.0.efforts.set(0);
        }
    }

    pub(crate) fn set_newest(&self, newest: Revision) {
        self.0.newest.set(newest);
    }

    pub(crate) fn set_drift_ppm(&self, ppm: Option<u64>) {
        self.0.drift_ppm.set(ppm);
    }

    pub(crate) fn set_calm(&self, is_calm: bool) {
        self.0.is_calm.set(is_calm);
    }

    /// Whether nothing was wrong when it was last looked.
    pub(crate) fn is_calm(&self) -> bool {
        self.0.is_calm.get()
    }

    pub(crate) fn set_node_count(&self, count: u64) {
        self.0.node_count.set(count);
    }

    pub(crate) fn set_client(&self, node: NodeId, client: Option<Client>) {
        if client.is_some() {
            *self.0.lives.borrow_mut().entry(node).or_insert(0) += 1;
        }
        let mut clients = self.0.clients.borrow_mut();
        match client {
            Some(client) => clients.insert(node, client),
            None => clients.remove(&node),
        };
    }

    pub(crate) fn begin_timeline(&self) {
        self.0.timeline.borrow_mut().begin();
    }

    pub(crate) fn take_timeline(&self) -> Timeline {
        let mut timeline = std::mem::take(&mut *self.0.timeline.borrow_mut());
        timeline.sort();
        timeline
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.counts.borrow().clone()
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        self.0.violation.borrow().clone()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.0.violation.borrow().is_some()
    }

    pub(crate) fn owe_nothing(&self) {
        self.0.is_outside.set(true);
    }

    pub(crate) fn begin_rest(&self) {
        self.0.is_resting.set(true);
        let waiting = std::mem::take(&mut *self.0.resting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn take_beginning(&self) -> Vec<Task> {
        std::mem::take(&mut *self.0.beginning.borrow_mut())
    }

    /// When the next sleeper is to be woken.
    pub(crate) fn next_sleeper(&self) -> Time {
        self.0.sleepers.borrow().first_key_value().map_or(Time::NEVER, |((at, _), _)| *at)
    }

    /// Wakes whoever slept until now.
    pub(crate) fn wake_sleepers(&self) {
        while self.next_sleeper() <= self.now() {
            let first = self.0.sleepers.borrow_mut().pop_first();
            first.into_iter().for_each(|(_, waker)| waker.wake());
        }
    }
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// Time that passes. See [`Scene::sleep`].
#[derive(Debug)]
#[must_use = "nobody waits"]
pub struct Sleep {
    scene: Scene,
    until: Time,
    /// Its number among the sleepers, once it is one.
    place: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let stage = self.scene.0.clone();
        if stage.now.get() >= self.until {
            self.scene.work_in_a_task();
            return Poll::Ready(());
        }
        let number = *self.place.get_or_insert_with(|| {
            stage.sleeper_count.set(stage.sleeper_count.get() + 1);
            stage.sleeper_count.get()
        });
        stage.sleepers.borrow_mut().insert((self.until, number), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.place {
            self.scene.0.sleepers.borrow_mut().remove(&(self.until, number));
        }
    }
}
