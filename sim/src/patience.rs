//! How long a rehearsal waits for what must come, which depends on how patient the nodes themselves are.

use std::time::Duration;

use crate::world::World;

/// How long the cluster is watched at rest, so that what has only time left to do is done: leases end.
pub(crate) const QUIET: Duration = Duration::from_secs(12);

/// The limits of a cluster with a configuration of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// How long a cluster in which nothing is wrong may go without a leader that leads: a few election time-outs, on
    /// slow links and slow disks.
    pub(crate) leaderless: Duration,
    /// How long after the last fault all nodes must agree.
    pub(crate) convergence: Duration,
    /// How long after the last fault every call must have ended: the largest request time-out, and retries.
    pub(crate) silence: Duration,
    /// How long a node at rest may take for an answer.
    pub(crate) answer: Duration,
    /// How long whoever asks the leader in the end waits.
    pub(crate) end: Duration,
}

impl Patience {
    /// With the defaults' time-outs, an election in a second and a request in seven; and never less, as links and disks
    /// are no faster where nodes are impatient.
    pub(crate) const USUAL: Patience = Patience {
        leaderless: Duration::from_secs(20),
        convergence: Duration::from_secs(30),
        silence: Duration::from_secs(20),
        answer: Duration::from_secs(5),
        end: Duration::from_secs(10),
    };

    /// For the most patient of a world's nodes.
    pub(crate) fn of(world: &World) -> Patience {
        let election = world.configs().map(|config| config.election_timeout).max().unwrap_or_default();
        let request = world.configs().map(|config| config.request_timeout).max().unwrap_or_default();
        Patience::with(election, request)
    }

    fn with(election: Duration, request: Duration) -> Patience {
        let usual = Patience::USUAL;
        let elections = |usual: Duration| usual.max(election.saturating_mul(usual.as_secs() as u32));
        let retried = request.saturating_mul(2).saturating_add(election.saturating_mul(6));
        Patience {
            leaderless: elections(usual.leaderless),
            convergence: elections(usual.convergence),
            silence: usual.silence.max(retried),
            answer: elections(usual.answer),
            end: elections(usual.end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvorum_core::Config;

    #[test]
    fn the_defaults_are_the_usual_and_nothing_is_less() {
        let config = Config::new(1, [1]);
        assert_eq!(Patience::with(config.election_timeout, config.request_timeout), Patience::USUAL);
        assert_eq!(Patience::with(Duration::from_millis(50), Duration::ZERO), Patience::USUAL);
    }

    #[test]
    fn patient_nodes_are_waited_for() {
        let patience = Patience::with(Duration::from_secs(30), Duration::from_secs(60));
        assert_eq!(patience.leaderless, Duration::from_secs(600));
        assert_eq!(patience.silence, Duration::from_secs(300));
        let forever = Patience::with(Duration::from_secs(1), Duration::MAX);
        assert_eq!(forever.silence, Duration::MAX);
    }
}
