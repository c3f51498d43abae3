//! What must happen sometimes, or it was not rehearsed.

use std::collections::BTreeMap;

use kvorum_core::Time;
use kvorum_core::ids::LeaseId;

use crate::check::LeaseFact;
use crate::scene::Scene;
use crate::world::World;

/// What must have happened at least once in a thousand seeds: names of counts in [`crate::Run::counts`]. A batch in
/// which one of them never did shows nothing about it. (Notes of how much of a lease is left come once a minute, too
/// rarely for runs of one: `historic::leases` has them.)
pub const SOMETIMES: &[&str] = &[
    // The cluster.
    "sometimes/leader changed",
    "sometimes/term without a leader",
    "sometimes/image taken in",
    "sometimes/growth refused",
    "sometimes/refusal lifted",
    "sometimes/lease expired",
    "sometimes/lease expired in a term that began after its grant",
    "sometimes/lease revoked",
    "sometimes/round of reads asked for again",
    // Clients.
    "unknown outcomes that had happened",
    "unknown outcomes that had not happened",
    "deduplicated",
    "watches ended by a compaction",
    "locks lost with their lease",
    "elections won",
    "leases found gone",
    "members that said who they are",
    // Disks and machines.
    "halted by its disk",
    "start refused by its disk",
    "kill",
    "lose power",
    "tear",
    "pause",
    "slow cpu",
    "fail sync",
    "fail write",
    "fail read",
    "fill disk",
    "slow disk",
    "hold disk",
    "rot",
    "old disk put back",
    "wipe",
    "drift",
    "clock jump",
    "clock freeze",
    // The network.
    "split",
    "isolate",
    "deaf",
    "mute",
    "pair cut",
    "one way cut",
    "bad link",
    "clog",
    "replay",
    "corrupt",
    "damaged packet decoded",
];

/// Counts what the world knows of a run that is over.
pub(crate) fn count(world: &World, scene: &Scene) {
    let judge = world.judge();
    let leaders = judge.leaders();
    scene.add("revisions", judge.newest() as u64);
    scene.add("leaders", leaders.len() as u64);
    scene.add("images taken", world.images_taken());
    let newest_term = leaders.last_key_value().map_or(0, |(term, _)| *term);
    scene.add("sometimes/leader changed", leaders.len().saturating_sub(1) as u64);
    scene.add("sometimes/term without a leader", newest_term.saturating_sub(leaders.len() as u64));
    scene.add("sometimes/image taken in", world.images_taken());
    let (refused, lifted) = judge.refusals();
    scene.add("sometimes/growth refused", refused);
    scene.add("sometimes/refusal lifted", lifted);
    let glances = world.ids().into_iter().filter_map(|node| world.glance(node));
    scene.add(
        "sometimes/round of reads asked for again",
        glances.map(|glance| glance.reads_asked_again).sum(),
    );
    count_leases(world, scene);
}

fn count_leases(world: &World, scene: &Scene) {
    let judge = world.judge();
    let elected: Vec<Time> = judge.elected().collect();
    let mut granted: BTreeMap<LeaseId, Time> = BTreeMap::new();
    for (at, id, fact) in judge.lease_facts(0) {
        match fact {
            LeaseFact::Granted(_) => _ = granted.insert(*id, *at),
            LeaseFact::Revoked => scene.count("sometimes/lease revoked"),
            LeaseFact::Expired => {
                scene.count("sometimes/lease expired");
                let begun = granted.get(id).copied().unwrap_or(*at);
                if elected.iter().any(|election| (begun..*at).contains(election)) {
                    scene.count("sometimes/lease expired in a term that began after its grant");
                }
            }
            LeaseFact::Noted => scene.count("sometimes/time left of a lease noted"),
        }
    }
}
