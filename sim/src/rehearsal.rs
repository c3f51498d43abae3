//! A run from its beginning to its verdict: a service and its cluster under a plan; then the faults stop, the
//! clients stop, and everything must come to rest as it was promised.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::{Index, NodeId, Revision};
use kvorum_core::state::LeaseInfo;
use kvorum_storage::Options;

use crate::agree::{agree, describe};
use crate::app::App;
use crate::check::{Ceilings, Progress};
use crate::panics::listening;
use crate::patience::{Patience, QUIET};
use crate::plan::{Envelope, Injector, Plan, Swarm};
use crate::rng::Purpose;
use crate::run::{Run, RunOptions};
use crate::setup::{self, without_room};
use crate::timeline::{Lane, What};
use crate::violation::{Checker, Violation};
use crate::world::World;

/// The least of it: the slowest readers look every three seconds.
const LEAST_QUIET: Duration = Duration::from_secs(4);

/// How often what need not be seen at every step is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A world, and what is to go wrong in it. See [`World::faults`].
#[must_use = "it has not run yet"]
pub struct Rehearsal {
    world: World,
    source: Source,
    options: RunOptions,
    replay: Replay,
}

/// Where the plan comes from.
enum Source {
    Swarm(Swarm),
    Given(Plan),
}

/// How a run is had again.
enum Replay {
    /// In words.
    Unsaid,
    /// As it was said.
    Said(String),
    /// By this command, with arguments behind it.
    By(String),
}

impl World {
    /// With whatever goes wrong in it that the seed makes up of this.
    ///
    /// Of a hundred seeds of [`Swarm::default`], three ask more than any cluster can give: a majority loses its
    /// disks, old disks are put back, clocks jump. A service owes nothing there but not to panic (see
    /// [`Run::is_outside`]); where only clocks do what none may, leases end at any time, and everything else is
    /// owed. [`Swarm::outside`]`(0)` leaves all of these out.
    pub fn faults(self, swarm: Swarm) -> Rehearsal {
        let options = RunOptions::default();
        Rehearsal { world: self, source: Source::Swarm(swarm), options, replay: Replay::Unsaid }
    }

    /// With what goes wrong in this plan, which lasts as long as it says unless the rehearsal is told to be shorter. Its
    /// seed and its number of nodes are the world's: what the plan leaves to chance is up to the seed.
    ///
    /// ```
    /// use kvorum_sim::plan::{Act, Plan, Shape, When, Who};
    /// use kvorum_sim::{Time, World, seeds};
    /// use std::time::Duration;
    ///
    /// // The leader is cut off in the third second, for five.
    /// let cut = Act::Partition { shape: Shape::Isolate, lasts: Duration::from_secs(5) };
    /// let plan = Plan::calm(0, 3, Duration::from_secs(10))
    ///     .with(When::At(Time::ZERO + Duration::from_secs(3)), Who::Leader, cut);
    /// let found = seeds(0..3, |seed| World::new(seed).nodes(3).plan(plan.clone()).run(()));
    /// assert!(found.is_clean(), "{found}");
    /// assert_eq!(found.counts["isolate"], 3);
    /// ```
    pub fn plan(self, plan: Plan) -> Rehearsal {
        let options = RunOptions { duration: plan.duration, ..RunOptions::default() };
        Rehearsal { world: self, source: Source::Given(plan), options, replay: Replay::Unsaid }
    }
}

impl Rehearsal {
    /// For so long, a day at most ([`crate::plan::LONGEST`]); 60 s if nothing is said. Then the cluster comes to rest.
    pub fn lasting(mut self, duration: Duration) -> Rehearsal {
        self.options.duration = duration;
        self
    }

    /// As these say, instead of whatever was said before. (How many nodes there are the world says, and nothing is
    /// printed: that is for the command.)
    pub fn with(mut self, options: &RunOptions) -> Rehearsal {
        self.options = options.clone();
        self
    }

    /// With a timeline of what happened in [`Run::timeline`].
    pub fn with_timeline(mut self) -> Rehearsal {
        self.options.timeline = true;
        self
    }

    /// How to run it again, as a violation is to say it, word for word.
    pub fn replay(mut self, words: impl Into<String>) -> Rehearsal {
        self.replay = Replay::Said(words.into());
        self
    }

    /// The command that runs it again. What it has to be told is put behind it ([`RunOptions::arguments`]: the seed, how
    /// long, which faults), so that the line that is printed for what [`crate::shrink`] has left runs just that.
    pub fn replay_by(mut self, command: impl Into<String>) -> Rehearsal {
        self.replay = Replay::By(command.into());
        self
    }

    fn replay_line(&self, faults: usize) -> String {
        let seed = self.world.seed();
        match &self.replay {
            Replay::Unsaid => self.options.words(seed),
            Replay::Said(words) => words.clone(),
            Replay::By(command) => format!("{command} {}", self.options.arguments(seed, faults)),
        }
    }

    /// The plan: the one that was given, or what the seed makes up.
    ///
    /// # Panics
    ///
    /// As [`Swarm::plan`].
    pub fn plan(&self) -> Plan {
        let (seed, nodes) = (self.world.seed(), self.world.ids().len() as u64);
        match &self.source {
            Source::Swarm(swarm) => swarm.plan(seed, nodes, self.options.duration),
            Source::Given(plan) => {
                let mut plan = Plan { seed, nodes, ..plan.until(self.options.duration) };
                plan.drift_ppm.retain(|node, _| (1..=nodes).contains(node));
                plan
            }
        }
    }

    /// Runs a service, and judges.
    ///
    /// # Panics
    ///
    /// If it is to last more than a day. (What panics in the run itself is a violation.)
    pub fn run(mut self, mut app: impl App + 'static) -> Run {
        let (seed, nodes) = (self.world.seed(), self.world.ids().len() as u64);
        let plan = self.plan();
        let can_begin = setup::look_through(&plan).and_then(|()| setup::configure(&mut self.world, &mut app));
        if let Err(violation) = can_begin {
            let replay = self.replay_line(0);
            return Run { seed, nodes, violation: Some(violation), replay, ..Run::default() };
        }
        let faults = plan.by_number();
        let left_out =
            plan.faults.iter().map(|fault| fault.number).filter(|number| !self.options.keeps(*number));
        let plan = plan.without(&left_out.collect());
        let replay = self.replay_line(faults.len());
        let mut run = Run { seed, nodes, is_outside: plan.is_outside(), faults, replay, ..Run::default() };
        let scene = self.world.scene().clone();
        // Whatever of the service is called from here on, between steps too, may block.
        let _awaited = self.world.pulse().await_steps();
        if self.options.timeline || self.options.trace {
            scene.begin_timeline();
        }
        let mut stage = Performance::new(self.world, &plan, app);
        let caught = listening(|| catch_unwind(AssertUnwindSafe(|| stage.perform(plan.duration))));
        if let Err(words) = caught {
            scene.report(Violation::new(Checker::Panic, "V4: nothing panics", words));
        }
        run.violation = scene.violation();
        if let Some(violation) = &run.violation {
            let lane = violation.node.map_or(Lane::World, Lane::Node);
            scene.mark(|| lane, || What::Violation(format!("{}: {}", violation.checker, violation.seen)));
        }
        // If it ended in the middle of a step, something may not have been noted yet.
        stage.note_strikes();
        run.simulated = stage.world.now().since(Time::ZERO);
        stage.count(&scene);
        run.counts = scene.counts();
        run.trace = stage.world.trace_hash();
        run.timeline = scene.take_timeline();
        // What is left may be in any state, and says nothing more.
        _ = listening(|| catch_unwind(AssertUnwindSafe(move || drop(stage))));
        run
    }
}

/// A run under way.
struct Performance<A> {
    world: World,
    faults: Injector,
    envelope: Envelope,
    app: A,
    /// What the service has been shown.
    shown: Revision,
    looked: Time,
    ceilings: Ceilings,
    progress: Progress,
    patience: Patience,
    /// How many strikes are on the timeline, and which of them are not over.
    struck: usize,
    lasting: Vec<(Time, usize)>,
    /// What was last noted of each node's progress.
    commits: BTreeMap<NodeId, Index>,
}

impl<A: App + 'static> Performance<A> {
    fn new(mut world: World, plan: &Plan, app: A) -> Performance<A> {
        let mut draw = world.rng().stream(Purpose::Swarm, 3);
        // Small segments, but not thousands of them: a directory that full is slow, here as elsewhere.
        let most = world.ids().first().map_or(0, |node| world.config(*node).image_log_bytes);
        let segment_bytes = draw.pick(&[2_000, 16_000, 1 << 20]).max(most / 50);
        world.set_storage_options(Options { segment_bytes, ..Options::default() });
        plan.set_up(&mut world);
        let envelope = plan.envelope();
        if !envelope.is_inside {
            world.stop_judging();
            world.scene().owe_nothing();
        }
        world.be_lenient();
        world.scene().set_drift_ppm(envelope.leases_hold.then_some(envelope.drift_ppm));
        Performance {
            faults: Injector::new(plan),
            envelope,
            app,
            shown: 1,
            looked: Time::ZERO,
            ceilings: Ceilings::default(),
            progress: Progress::default(),
            patience: Patience::of(&world),
            struck: 0,
            lasting: Vec::new(),
            commits: BTreeMap::new(),
            world,
        }
    }

    fn perform(&mut self, duration: Duration) {
        let scene = self.world.scene().clone();
        if let Err(violation) = self.play(duration) {
            scene.report(violation);
        }
    }

    fn play(&mut self, duration: Duration) -> Result<(), Violation> {
        let scene = self.world.scene().clone();
        self.app.begin(&scene);
        // What a service runs beside a node is asked for when the node starts, in the middle of a step.
        self.begin_services();
        self.world.start_all();
        self.start_new_services();
        let end = Time::ZERO + duration;
        while self.world.now() < end {
            self.step(end)?;
        }
        self.come_to_rest()
    }

    fn step(&mut self, end: Time) -> Result<(), Violation> {
        let until = self.faults.next().min(end);
        if !self.world.step(until) {
            // Nothing happens before that: a fault's time has come.
            let now = self.world.now();
            self.world.run(until.since(now));
        }
        self.faults.act(&mut self.world);
        self.start_new_services();
        self.look()
    }

    fn begin_services(&mut self) {
        self.world.note_starts();
    }

    /// Begins what runs beside the nodes that have started since.
    fn start_new_services(&mut self) {
        while let Some((node, client)) = self.world.next_start() {
            let scene = self.world.scene().clone();
            let task = self.app.node(&scene, node, client);
            self.world.begin_service(node, task);
        }
    }

    /// What is looked at after every step, and now and then.
    fn look(&mut self) -> Result<(), Violation> {
        if let Some(violation) = self.faults.violation() {
            return Err(violation.clone());
        }
        let scene = self.world.scene().clone();
        if let Some(violation) = scene.violation().filter(|_| scene.is_broken()) {
            return Err(violation);
        }
        let newest = self.world.judge().newest();
        while self.shown < newest && self.envelope.is_inside {
            self.shown += 1;
            let changes = self.world.judge().log().at(self.shown);
            self.app.agreed(&scene, self.shown, changes)?;
        }
        scene.set_newest(newest);
        if self.envelope.is_inside {
            self.app.look(&self.world)?;
        }
        let now = self.world.now();
        if now.since(self.looked) < LOOK {
            return Ok(());
        }
        self.looked = now;
        self.note_strikes();
        self.note_commits();
        self.ceilings.look(&self.world)?;
        let is_calm = self.faults.is_calm(&self.world);
        scene.set_calm(is_calm);
        if self.envelope.is_inside {
            // Where three of ten packets are always lost and every node of five that are left is needed, an
            // election may take a minute, and nothing is wrong with it.
            let can_elect = self.faults.plan().link.loss < 100;
            let calm_since = self.faults.calm_since(&self.world).filter(|_| can_elect);
            self.progress.look(&self.world, calm_since, self.patience.leaderless)?;
        }
        Ok(())
    }

    fn note_strikes(&mut self) {
        let (scene, now) = (self.world.scene(), self.world.now());
        for strike in &self.faults.strikes()[self.struck..] {
            scene.mark_at(strike.at, || Lane::World, || What::Fault(strike.number, strike.words.clone()));
            self.lasting.extend(strike.until.map(|until| (until, strike.number)));
        }
        self.struck = self.faults.strikes().len();
        self.lasting.retain(|(until, number)| {
            let is_over = *until <= now;
            if is_over {
                scene.mark_at(*until, || Lane::World, || What::Over(*number));
            }
            !is_over
        });
    }

    /// How far each node is, where that has changed.
    fn note_commits(&mut self) {
        let scene = self.world.scene();
        for node in self.world.ids() {
            let Some(now) = self.world.glance(node) else { continue };
            if self.commits.insert(node, now.commit) != Some(now.commit) {
                scene.mark(|| Lane::Node(node), || What::Commit(now.commit, now.revision));
            }
        }
    }

    /// Lets time pass until `done` says so; answers whether it did within `limit`.
    fn settle(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Performance<A>) -> bool,
    ) -> Result<bool, Violation> {
        let end = self.world.now() + limit;
        let mut looked = None;
        while self.world.now() < end {
            let now = self.world.now();
            let is_due = looked.is_none_or(|before| now.since(before) >= Duration::from_millis(20));
            if is_due {
                looked = Some(now);
                if done(self) {
                    return Ok(true);
                }
            }
            self.step(end)?;
        }
        Ok(done(self))
    }

    fn come_to_rest(&mut self) -> Result<(), Violation> {
        let scene = self.world.scene().clone();
        // What a clogged link holds back still comes when it would have, and a sender of whose image no word came back
        // still waits as long as it would have: a leader sends nothing else to that member meanwhile.
        let held = self.world.net.held_until().max(self.world.images_told_by);
        self.faults.stop(&mut self.world);
        self.note_strikes();
        self.start_new_services();
        // Whatever lasted is over with it.
        self.lasting.clear();
        scene.mark(|| Lane::World, || What::Healed);
        scene.begin_rest();
        if !self.envelope.is_inside {
            self.settle(self.patience.convergence, |_| false)?;
            return Ok(());
        }
        let Patience { convergence, silence, .. } = self.patience;
        let slow = |promised: &str, seen: String| Err(Violation::new(Checker::Liveness, promised, seen));
        if !self.settle(silence, |run| run.app.is_idle())? {
            let seen = format!("it is not idle {silence:?} after the last fault (App::is_idle)");
            return slow("V1: after the faults, every call ends", seen);
        }
        let held = held.since(self.world.now().min(held));
        self.settle(held, |_| false)?;
        let healed = self.world.now();
        if !self.settle(convergence, Performance::agrees)? {
            return slow(
                "V1: after the faults, all nodes agree on a leader and a state",
                describe(&self.world),
            );
        }
        scene.add("milliseconds to agree", self.world.now().since(healed).as_millis() as u64);
        for node in self.living() {
            self.use_node(node)?;
        }
        let begun = self.world.now();
        self.settle(QUIET, |run| {
            let is_short = |lease: &LeaseInfo| Duration::from_secs(lease.ttl.unsigned_abs()) < QUIET;
            let has_leases = run.world.judge().state().leases().any(|lease| is_short(&lease));
            run.world.now().since(begun) >= LEAST_QUIET && !has_leases
        })?;
        if !self.settle(convergence, Performance::agrees)? {
            return slow("V1: at rest, all nodes agree on a leader and a state", describe(&self.world));
        }
        self.living().into_iter().try_for_each(|node| self.ceilings.at_rest(&self.world, node))?;
        self.wiped_are_out()?;
        self.app.end(&mut self.world)
    }

    /// All nodes but those that are out for good.
    fn living(&self) -> Vec<NodeId> {
        self.world.ids().into_iter().filter(|node| !self.faults.lost().contains(node)).collect()
    }

    /// Whoever lost its memory has been told so by now. That it does harm takes an unlucky election; that it
    /// takes part is enough.
    fn wiped_are_out(&self) -> Result<(), Violation> {
        let takes_part = |node: &&NodeId| self.world.is_up(**node) && self.world.why_halted(**node).is_none();
        let Some(node) = self.faults.wiped().iter().find(takes_part) else { return Ok(()) };
        let promised = "D4: whoever lost what it had vouched for takes part no more";
        let seen = "its disk was lost, and it is a member like any other";
        Err(Violation::new(Checker::Durability, promised, seen).on(*node))
    }

    /// Whether all agree, and none has yet to hear what its disk or the others have told it: before that, it may well
    /// look sound and be about to halt over a write that failed while the faults lasted.
    fn agrees(&self) -> bool {
        let living = self.living();
        let has_heard_all = |node: &NodeId| self.world.backlog(*node).is_none_or(|backlog| backlog == (0, 0));
        living.iter().all(has_heard_all) && agree(&self.world, &living)
    }

    fn use_node(&mut self, node: NodeId) -> Result<(), Violation> {
        let Some(client) = self.world.client(node) else { return Ok(()) };
        let wrong = |seen: String| {
            Violation::new(Checker::Liveness, "V1: after the faults, every node answers", seen).on(node)
        };
        let mut answer = client.get("the end");
        let got = RefCell::new(None);
        let limit = self.patience.answer;
        self.settle(limit, |_| {
            let mut got = got.borrow_mut();
            if got.is_none() {
                *got = crate::poll::poll(&mut answer);
            }
            got.is_some()
        })?;
        match got.into_inner() {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => {
                let lately = self.world.asked_lately();
                let own = without_room(&error, self.world.config(node), lately);
                Err(own.unwrap_or_else(|| {
                    wrong(format!("it refuses a read: {error}; {}", describe(&self.world)))
                }))
            }
            None => {
                Err(wrong(format!("it does not answer a read within {limit:?}; {}", describe(&self.world))))
            }
        }
    }

    fn count(&self, scene: &crate::Scene) {
        for (name, count) in self.faults.counts() {
            scene.add(name, *count);
        }
        crate::coverage::count(&self.world, scene);
    }
}
