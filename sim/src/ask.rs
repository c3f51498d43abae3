//! Asking the store when a rehearsal has come to rest: whoever looks at the end wants answers, not tasks.

use std::panic::Location;

use kvorum_core::{Client, Result as Asked};

use crate::patience::Patience;
use crate::setup::{asked_in_vain, without_room};
use crate::violation::{Checker, Violation};
use crate::world::World;

impl World {
    /// Asks the leader, and lets time pass until it has answered. For [`crate::App::end`]: there all nodes
    /// agree on one.
    ///
    /// # Errors
    ///
    /// There is no leader, it refuses, or it does not answer: the cluster's fault. Or it cannot answer what was asked (an
    /// invalid argument, a revision that is not there, a lease that has ended), or was given no room to: yours, and the
    /// words say so, and where it was asked.
    #[track_caller]
    pub fn ask<F, T>(&mut self, ask: impl FnOnce(Client) -> F) -> Result<T, Violation>
    where
        F: Future<Output = Asked<T>>,
    {
        let place = Location::caller();
        let patience = Patience::of(self).end;
        let slow = |seen: String| {
            Violation::new(Checker::Liveness, "V1: after the faults, every node answers", seen)
        };
        let leader = self.leader();
        let asked = leader.and_then(|leader| Some((leader, self.client(leader)?)));
        let (leader, client) =
            asked.ok_or_else(|| slow("there is no leader to ask".into()).at(self.now()))?;
        let answer = self.wait(Box::pin(ask(client)), patience);
        let answer = answer
            .ok_or_else(|| slow(format!("the leader does not answer within {patience:?}")).at(self.now()))?;
        answer.map_err(|error| {
            let lately = self.asked_lately();
            let own = asked_in_vain(&error, place);
            let own = own.or_else(|| without_room(&error, self.config(leader), lately));
            own.unwrap_or_else(|| slow(format!("the leader refuses: {error}"))).at(self.now())
        })
    }
}
