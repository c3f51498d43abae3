//! What a user rehearses: a service of their own, its clients, and what must hold.

use kvorum_core::ids::{NodeId, Revision};
use kvorum_core::{Client, Config};

use crate::history::Change;
use crate::scene::{Scene, Task};
use crate::violation::Violation;
use crate::world::World;

/// A service to rehearse. Everything it does, it does through the ordinary handles and a [`Scene`]; everything
/// it promises, it checks itself, and says [`Scene::broken`] or answers with an error when it does not hold.
/// kvorum's own promises are checked beside it.
///
/// ```
/// use kvorum_sim::{App, Client, NodeId, Scene, Swarm, Task, World};
/// use std::time::Duration;
///
/// /// Every node counts its starts.
/// struct Starts;
///
/// impl App for Starts {
///     fn node(&mut self, scene: &Scene, node: NodeId, client: Client) -> Task {
///         let scene = scene.clone();
///         Box::pin(async move {
///             while client.put(format!("starts/{node}"), "1").await.is_err() {
///                 scene.sleep(Duration::from_millis(100)).await;
///             }
///         })
///     }
/// }
///
/// let run = World::new(7).nodes(3).faults(Swarm::default()).lasting(Duration::from_secs(5)).run(Starts);
/// assert!(run.violation.is_none(), "{run}");
/// ```
pub trait App {
    /// Sets up a node, before its first start. The faults' sake may set more.
    fn configure(&mut self, config: &mut Config) {
        let _ = config;
    }

    /// What runs beside a node, in its process: begun at each start, dropped in the middle of whatever it does
    /// when the process ends, standing still while it is paused. `client` is the handle of this node.
    fn node(&mut self, scene: &Scene, node: NodeId, client: Client) -> Task {
        let _ = (scene, node, client);
        Box::pin(std::future::ready(()))
    }

    /// Begins what goes on outside of the nodes, as long as the run: clients, and whatever the service is used
    /// for. See [`Scene::spawn`].
    fn begin(&mut self, scene: &Scene) {
        let _ = scene;
    }

    /// Sees every change of the store, in order, as soon as it is agreed on.
    ///
    /// Not called in a run whose plan asks more than any cluster can give ([`crate::Run::is_outside`]).
    ///
    /// # Errors
    ///
    /// What does not hold; see [`Violation::of_app`].
    fn agreed(&mut self, scene: &Scene, revision: Revision, changes: &[Change]) -> Result<(), Violation> {
        let _ = (scene, revision, changes);
        Ok(())
    }

    /// Looks at the world after every step: what tasks have seen and noted can be judged here against what is
    /// agreed ([`World::judge`]). Called very often.
    ///
    /// Not called in a run whose plan asks more than any cluster can give ([`crate::Run::is_outside`]).
    ///
    /// # Errors
    ///
    /// What does not hold; see [`Violation::of_app`].
    fn look(&mut self, world: &World) -> Result<(), Violation> {
        let _ = world;
        Ok(())
    }

    /// Whether it has nothing left to do, after the faults are over and it was told to rest.
    fn is_idle(&self) -> bool {
        true
    }

    /// Looks at everything when the cluster has come to rest: all nodes run (but those that lost what they must
    /// not lose) and agree. [`World::ask`] asks the store.
    ///
    /// Not called in a run whose plan asks more than any cluster can give ([`crate::Run::is_outside`]).
    ///
    /// # Errors
    ///
    /// What does not hold; see [`Violation::of_app`].
    fn end(&mut self, world: &mut World) -> Result<(), Violation> {
        let _ = world;
        Ok(())
    }
}

/// No service: only the cluster and its faults.
impl App for () {}
