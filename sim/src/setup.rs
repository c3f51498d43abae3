//! What whoever rehearses may have got wrong themselves, told apart from what the cluster does wrong.

use std::collections::BTreeSet;
use std::panic::Location;

use kvorum_core::{Config, Error, ErrorKind};

use crate::app::App;
use crate::plan::Plan;
use crate::violation::Violation;
use crate::world::World;

/// How high a fault's number may be: who leaves faults out by number counts up to it.
const NUMBERS: usize = 100_000;

/// Looks through a plan: its faults are told apart by their numbers.
pub(crate) fn look_through(plan: &Plan) -> Result<(), Violation> {
    let wrong = |seen: String| Violation::of_app("a plan's faults have numbers of their own", seen);
    if plan.nodes == 0 {
        let seen = "there are 0 nodes: World::nodes and RunOptions::nodes take 1 at least";
        return Err(Violation::of_app("a rehearsal has nodes", seen));
    }
    let mut known = BTreeSet::new();
    for fault in &plan.faults {
        if fault.number >= NUMBERS {
            return Err(wrong(format!("{fault}: numbers end at {NUMBERS}")));
        }
        if !known.insert(fault.number) {
            return Err(wrong(format!("{fault}: there are two of this number (Plan::with counts for you)")));
        }
    }
    Ok(())
}

/// Sets every node up as the service wants it; what cannot be started at all is not.
pub(crate) fn configure(world: &mut World, app: &mut impl App) -> Result<(), Violation> {
    for node in world.ids() {
        let config = world.config(node);
        let (cluster, voters) = (config.cluster_id(), config.voters.clone());
        app.configure(config);
        let wrong =
            |seen: String| Violation::of_app("App::configure sets up a node that can start", seen).on(node);
        config.check().map_err(|error| wrong(error.to_string()))?;
        if (config.node, &config.voters) != (node, &voters) {
            let seen =
                format!("it makes node {node} of {voters:?} to {} of {:?}", config.node, config.voters);
            return Err(wrong(format!("{seen}: who there is says World::nodes")));
        }
        if config.cluster_id() != cluster {
            return Err(wrong("the cluster's name and id are set with World::nodes_with".into()));
        }
    }
    Ok(())
}

/// Whether a refusal follows from what was asked, whoever is asked and however well the cluster is.
fn is_askers(kind: &ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(
        kind,
        EmptyKey
            | KeyNotFound
            | ValueProvided
            | LeaseProvided
            | InvalidSort
            | DuplicateKey
            | TooManyOps { .. }
            | NestedTooDeep { .. }
            | TooLarge { .. }
            | FutureRevision { .. }
            | Compacted { .. }
            | EmptyRange
            | LeaseNotFound { .. }
            | LeaseExists { .. }
            | LeaseTtlTooLarge { .. }
            | SessionNotFound { .. }
            | SessionSequence { .. }
            | NoSpace { .. }
    )
}

/// What a refusal says of whoever asked there, if it says nothing of the cluster.
pub(crate) fn asked_in_vain(error: &Error, place: &Location<'_>) -> Option<Violation> {
    is_askers(error.kind()).then(|| {
        let seen = format!("{error}: so it is answered whatever the cluster does (asked at {place})");
        Violation::of_app("what is asked at the end can be answered", seen)
    })
}

/// What a refusal says of a node's configuration, if it leaves no room for an answer. `lately`: what was asked of the
/// nodes so lately that it may still wait.
pub(crate) fn without_room(error: &Error, config: &Config, lately: usize) -> Option<Violation> {
    let (pending, time, election) = (config.limits.pending, config.request_timeout, config.election_timeout);
    let why = match error.kind() {
        ErrorKind::Overloaded if lately >= pending => {
            format!("limits.pending is {pending}, and {lately} were asked lately")
        }
        ErrorKind::Timeout if time < election => {
            format!("request_timeout is {time:?}, and an election takes {election:?} at least")
        }
        _ => return None,
    };
    let seen = format!("a read is refused, {error}: {why}");
    Some(Violation::of_app("App::configure leaves a node time and room to answer", seen).on(config.node))
}
