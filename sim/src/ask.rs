//! Asking the store when a rehearsal has come to rest: whoever looks at the end wants answers, not tasks.

use std::time::Duration;

use kvorum_core::{Client, Result as Asked};

use crate::violation::{Checker, Violation};
use crate::world::World;

/// How long whoever asks waits.
const PATIENCE: Duration = Duration::from_secs(10);

impl World {
    /// Asks the leader, and lets time pass until it has answered. For [`crate::App::end`]: there all nodes
    /// agree on one.
    ///
    /// # Errors
    ///
    /// There is no leader, it refuses, or it does not answer.
    pub fn ask<F, T>(&mut self, ask: impl FnOnce(Client) -> F) -> Result<T, Violation>
    where
        F: Future<Output = Asked<T>>,
    {
        let slow = |seen: String| {
            Violation::new(Checker::Liveness, "V1: after the faults, every node answers", seen)
        };
        let leader = self.leader();
        let client = leader.and_then(|leader| self.client(leader));
        let client = client.ok_or_else(|| slow("there is no leader to ask".into()).at(self.now()))?;
        match self.wait(Box::pin(ask(client)), PATIENCE) {
            Some(answer) => {
                answer.map_err(|error| slow(format!("the leader refuses: {error}")).at(self.now()))
            }
            None => Err(slow(format!("the leader does not answer within {PATIENCE:?}")).at(self.now())),
        }
    }
}
