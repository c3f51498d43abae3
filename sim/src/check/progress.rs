//! With a majority well and connected for long enough, something is agreed on whenever somebody asks.

use std::time::Duration;

use kvorum_core::Time;

use crate::violation::{Checker, Violation};
use crate::world::World;

/// When it was last seen to work.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    worked: Time,
    commit: u64,
}

impl Progress {
    /// `calm_since`: since when nothing is wrong, if nothing is. `patience`: how long it may then be without a leader.
    pub(crate) fn look(
        &mut self,
        world: &World,
        calm_since: Option<Time>,
        patience: Duration,
    ) -> Result<(), Violation> {
        let now = world.now();
        let commit =
            world.ids().into_iter().filter_map(|node| world.glance(node)).map(|one| one.commit).max();
        // A leader that nobody asks anything has nothing to agree on.
        if commit.unwrap_or(0) > self.commit || world.leader().is_some() {
            self.commit = commit.unwrap_or(0).max(self.commit);
            self.worked = now;
        }
        let Some(since) = calm_since else { return Ok(()) };
        let idle = now.since(self.worked.max(since));
        if idle < patience {
            return Ok(());
        }
        let seen = format!("nothing has been wrong for {idle:?}, and nobody leads");
        Err(Violation::new(Checker::Liveness, "V2: with a majority connected, there is progress", seen))
    }
}
