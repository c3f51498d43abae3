//! What a world is made of, before anything runs.

use std::sync::Arc;

use kvorum_core::Config;
use kvorum_core::ids::NodeId;
use kvorum_storage::faulty::FaultyDisk;
use kvorum_storage::{Disk, Options};

use super::{MOST_NODES, World};
use crate::host::Host;
use crate::judge::Judge;
use crate::rng::Purpose;

impl World {
    /// With nodes 1 to `count`, each with an empty disk. They do not run yet.
    ///
    /// # Panics
    ///
    /// If this world has nodes already, or `count` is more than 62: a fault that parts a cluster names each side by the
    /// bits of one number.
    pub fn nodes(self, count: u64) -> World {
        self.nodes_with(count, |_| {})
    }

    /// With nodes 1 to `count`, set up by `tune`.
    ///
    /// # Panics
    ///
    /// As [`World::nodes`].
    pub fn nodes_with(mut self, count: u64, tune: impl Fn(&mut Config)) -> World {
        let known = self.hosts.len();
        assert!(
            known == 0,
            "this world has its {known} nodes already: take another one, World::new({})",
            self.seed
        );
        assert!(count <= MOST_NODES, "a world has {MOST_NODES} nodes at most, and not {count}");
        for node in 1..=count {
            let mut config = Config::new(node, 1..=count);
            config.seed = self.rng.draw(Purpose::Node, node, 0, 0);
            tune(&mut config);
            self.judge = Judge::new(config.cluster_id(), count as usize);
            let disk = FaultyDisk::new(self.rng.draw(Purpose::Disk, node, 0, 0));
            let host = Host::new(config, disk, self.rng.draw(Purpose::Directory, node, 0, 0));
            self.hosts.insert(node, host);
        }
        self.scene.set_node_count(count);
        self
    }

    /// The storage's options on every node, from its next start on.
    pub fn storage_options(mut self, options: Options) -> World {
        self.set_storage_options(options);
        self
    }

    pub(crate) fn set_storage_options(&mut self, options: Options) {
        self.hosts.values_mut().for_each(|host| host.options = options);
    }

    /// Gives a node that does not run another disk.
    ///
    /// # Panics
    ///
    /// If there is no such node, or it runs: [`World::kill`] it first.
    pub fn set_disk(&mut self, node: NodeId, disk: FaultyDisk) {
        self.must_not_run(node, "it can be given another disk");
        self.judge.shadows.tampered(node);
        self.host(node).disk = disk;
    }

    /// Puts something between a node's disk and its storage, from its next start on.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn wrap_disk(&mut self, node: NodeId, wrap: impl Fn(Arc<dyn Disk>) -> Arc<dyn Disk> + 'static) {
        self.host(node).wrap = Some(Arc::new(wrap));
    }

    /// How a node is set up, from its next start on.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn config(&mut self, node: NodeId) -> &mut Config {
        &mut self.host(node).config
    }
}
