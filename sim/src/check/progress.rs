//! With a majority well and connected for long enough, something is agreed on whenever somebody asks.

use std::time::Duration;

use kvorum_core::Time;

use crate::violation::{Checker, Violation};
use crate::world::World;

/// How long a cluster in which nothing is wrong may go without a leader that leads: a few election time-outs,
/// on slow links and slow disks.
const PATIENCE: Duration = Duration::from_secs(20);

/// Since when nothing is wrong, and when it was last seen to work.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    calm_since: Option<Time>,
    worked: Time,
    commit: u64,
}

impl Progress {
    pub(crate) fn look(&mut self, world: &World, is_calm: bool) -> Result<(), Violation> {
        let now = world.now();
        let commit =
            world.ids().into_iter().filter_map(|node| world.glance(node)).map(|one| one.commit).max();
        // A leader that nobody asks anything has nothing to agree on.
        if commit.unwrap_or(0) > self.commit || world.leader().is_some() {
            self.commit = commit.unwrap_or(0).max(self.commit);
            self.worked = now;
        }
        if !is_calm {
            self.calm_since = None;
            return Ok(());
        }
        let since = *self.calm_since.get_or_insert(now);
        let idle = now.since(self.worked.max(since));
        if idle < PATIENCE {
            return Ok(());
        }
        let seen = format!("nothing has been wrong for {idle:?}, and nobody leads");
        Err(Violation::new(Checker::Liveness, "V2: with a majority connected, there is progress", seen))
    }
}
