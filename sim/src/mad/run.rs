//! One run from its seed to its verdict, under madsim.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::NodeId;
use kvorum_storage::Options;
use madsim::Config;
use madsim::runtime::Runtime;
use madsim::time::timeout;

use super::service::Service;
use super::stage::Stage;
use super::{clients, verdict};
use crate::agree::{agree, describe};
use crate::app::App;
use crate::panics::listening;
use crate::patience::{Patience, QUIET};
use crate::plan::{Injector, Plan, Swarm};
use crate::rng::{Purpose, Rng};
use crate::run::{Run, RunOptions};
use crate::violation::{Checker, Violation};
use crate::workload::{Recorder, Workload};
use crate::world::World;

/// How often what nobody announces is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a seed on three nodes under madsim, twice, and compares: the same faults as in [`crate::rehearse`], the
/// same judges, but real tasks, and a network of madsim's between them.
///
/// Each run has a thread of its own, as madsim's determinism needs one.
pub fn rehearse(seed: u64, options: &RunOptions) -> Run {
    twice(seed, options, None)
}

/// The same with a service of the caller's in the place of our own, made anew for each run.
///
/// Judged is what the service promises, and everything of the nodes; not the history of what it asked, which nobody
/// writes down.
pub fn rehearse_service(seed: u64, options: &RunOptions, make: fn() -> Box<dyn Service>) -> Run {
    twice(seed, options, Some(make))
}

/// How a service is made.
type Make = Option<fn() -> Box<dyn Service>>;

fn twice(seed: u64, options: &RunOptions, make: Make) -> Run {
    let (mut first, second) = (on_a_thread(seed, options, make), on_a_thread(seed, options, make));
    if first.violation.is_none() && (&first.trace, &first.counts) != (&second.trace, &second.counts) {
        let (one, other) = (&first.counts, &second.counts);
        let differs = one.iter().find(|(name, count)| other.get(*name) != Some(count));
        let seen = format!("{} is not {} ({differs:?})", first.trace, second.trace);
        let promised = "V5: the same seed does the same";
        first.violation = Some(Violation::new(Checker::Determinism, promised, seen));
    }
    first
}

/// What seeds may have wrong with them here. What is missing, and why: see the module's text.
pub fn swarm() -> Swarm {
    Swarm::default().outside(0)
}

fn on_a_thread(seed: u64, options: &RunOptions, make: Make) -> Run {
    let options = options.clone();
    let spawned =
        thread::Builder::new().name(format!("seed {seed}")).spawn(move || run(seed, &options, make));
    let ended = spawned.map(thread::JoinHandle::join);
    match ended {
        Ok(Ok(run)) => run,
        // It catches what its tasks do; this is about itself.
        Ok(Err(_)) | Err(_) => panic!("seed {seed}: its thread did not come to its end"),
    }
}

fn run(seed: u64, options: &RunOptions, make: Make) -> Run {
    let plan = swarm().plan(seed, options.nodes.unwrap_or(3), options.duration);
    let faults = plan.by_number();
    let left_out = plan.faults.iter().map(|fault| fault.number).filter(|number| !options.keeps(*number));
    let plan = plan.without(&left_out.collect());
    let result = RefCell::new(Run { seed, nodes: plan.nodes, faults, ..Run::default() });
    let mut config = Config::default();
    config.net.send_latency = Duration::from_micros(100)..Duration::from_micros(900);
    let runtime = Runtime::with_seed_and_config(seed, config);
    let caught = listening(|| {
        catch_unwind(AssertUnwindSafe(|| runtime.block_on(play(&plan, options, make, &result))))
    });
    let mut run = result.into_inner();
    if let Err(words) = caught {
        run.violation = Some(Violation::new(Checker::Panic, "V4: nothing panics", words));
    }
    // What is left may be in any state, and says nothing more.
    _ = listening(|| catch_unwind(AssertUnwindSafe(move || drop(runtime))));
    Stage::strike();
    run
}

async fn play(plan: &Plan, options: &RunOptions, make: Make, result: &RefCell<Run>) {
    let stage = set_up(plan, options, make);
    let violation = perform(&stage, plan.duration).await.err();
    let mut run = result.borrow_mut();
    run.violation = stage.violation().or(violation);
    if let Some(violation) = run.violation.take() {
        let at = if violation.at == Time::ZERO { stage.now() } else { violation.at };
        run.violation = Some(violation.at(at));
    }
    stage.with_faults(|faults, world| {
        let scene = world.scene().clone();
        faults.counts().iter().for_each(|(name, count)| scene.add(name, *count));
        crate::coverage::count(world, &scene);
        run.simulated = world.now().since(Time::ZERO);
        run.trace = state_hash(&stage, world);
        run.counts = scene.counts();
        run.timeline = scene.take_timeline();
    });
}

/// Of everything that was sent and when, of all disks, of what every node holds, and of what everybody was told.
/// madsim's own check looks at chance and time only.
fn state_hash(stage: &Stage, world: &World) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(world.trace_hash().as_bytes());
    for glance in world.ids().into_iter().filter_map(|node| world.glance(node)) {
        hash.update(&glance.hash).update(&glance.applied.to_le_bytes());
    }
    if let Some(recorder) = &stage.desk.borrow().recorder {
        hash.update(format!("{:?}", recorder.ops()).as_bytes());
    }
    hash.finalize().to_hex().to_string()
}

fn set_up(plan: &Plan, options: &RunOptions, make: Make) -> Rc<Stage> {
    let rng = Rng::new(plan.seed);
    let mut world = World::new(plan.seed).nodes(plan.nodes);
    let mut workload = Workload::new(plan.seed);
    world.ids().into_iter().for_each(|node| workload.configure(world.config(node)));
    let segment_bytes = rng.stream(Purpose::Swarm, 3).pick(&[2_000, 16_000, 1 << 20]);
    world.set_storage_options(Options { segment_bytes, ..Options::default() });
    plan.set_up(&mut world);
    world.be_lenient();
    if options.timeline || options.trace {
        world.scene().begin_timeline();
    }
    let stage = Stage::set(world, Injector::new(plan), make.map(|make| make()));
    stage.desk.borrow_mut().recorder = Some(Recorder::new(&stage.scene));
    stage.desk.borrow_mut().pause = rng.stream(Purpose::Swarm, 4).pick(&[60, 120, 300]);
    stage
}

async fn perform(stage: &Rc<Stage>, duration: Duration) -> Result<(), Violation> {
    stage.enter(World::start_all);
    clients::begin(stage);
    wait(stage, duration, |_| false).await?;
    come_to_rest(stage).await
}

/// Lets time pass until `done` says so; answers whether it did within `limit`.
async fn wait(stage: &Stage, limit: Duration, done: impl Fn(&World) -> bool) -> Result<bool, Violation> {
    let end = stage.now() + limit;
    loop {
        stage.do_what_is_due();
        stage.enter(|_| ());
        if let Some(violation) = stage.violation() {
            return Err(violation);
        }
        if stage.see(|world| done(world)) {
            return Ok(true);
        }
        if stage.now() >= end {
            return Ok(false);
        }
        let _ = timeout(LOOK, stage.control.due(stage)).await;
    }
}

async fn come_to_rest(stage: &Rc<Stage>) -> Result<(), Violation> {
    stage.with_faults(|faults, world| faults.stop(world));
    stage.scene.begin_rest();
    let slow = |promised: &str, seen: String| Err(Violation::new(Checker::Liveness, promised, seen));
    let Patience { convergence, silence, .. } = Patience::USUAL;
    let open = || stage.desk.borrow().recorder.as_ref().map_or(0, Recorder::open);
    if !wait(stage, silence, |_| open() == 0).await? {
        let seen = format!("{} calls have not ended {silence:?} after the last fault", open());
        return slow("V1: after the faults, every call ends", seen);
    }
    let healed = stage.now();
    if !wait(stage, convergence, |world| agree(world, &living(stage, world))).await? {
        let seen = stage.see(|world| describe(world));
        return slow("V1: after the faults, all nodes agree on a leader and a state", seen);
    }
    stage.scene.add("milliseconds to agree", stage.now().since(healed).as_millis() as u64);
    for node in stage.see(|world| living(stage, world)) {
        use_node(stage, node).await?;
    }
    wait(stage, QUIET, |_| false).await?;
    if !wait(stage, convergence, |world| agree(world, &living(stage, world))).await? {
        let seen = stage.see(|world| describe(world));
        return slow("V1: at rest, all nodes agree on a leader and a state", seen);
    }
    stage.see(|world| verdict::judge(stage, world))
}

/// All nodes but those that are out for good.
fn living(stage: &Stage, world: &World) -> Vec<NodeId> {
    let lost = stage.lost();
    world.ids().into_iter().filter(|node| !lost.contains(node)).collect()
}

async fn use_node(stage: &Rc<Stage>, node: NodeId) -> Result<(), Violation> {
    let Some(client) = stage.scene.client(node) else { return Ok(()) };
    let wrong = |seen: String| {
        Err(Violation::new(Checker::Liveness, "V1: after the faults, every node answers", seen).on(node))
    };
    let answer = stage.spawn(async move { client.get("the end").await });
    match timeout(Duration::from_secs(5), answer).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err(error))) => wrong(format!("it refuses a read: {error}")),
        Ok(Err(_)) | Err(_) => wrong("it does not answer a read within 5 s".into()),
    }
}
