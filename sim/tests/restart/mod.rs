//! One node's disk, read as a start of that node would read it, without a cluster around it.

use kvorum_core::disk::load_image;
use kvorum_core::node::{Node, Output, Start};
use kvorum_core::storage::{Identity, ImageMeta, LogPosition, Recovered, Storage};
use kvorum_core::{Config, Result, Time};
use kvorum_storage::faulty::FaultyDisk;
use kvorum_storage::{FileStorage, Options};

/// What a start found, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) recovered: Recovered,
    pub(crate) image: Option<ImageMeta>,
    pub(crate) applied: LogPosition,
    pub(crate) commit: u64,
    pub(crate) last: u64,
    pub(crate) hash: [u8; 32],
}

/// Starts the node as a process would, and lets it write what it wants to write before it does anything else.
pub(crate) fn start(disk: &FaultyDisk, config: &Config, options: Options) -> Result<Found> {
    let mut storage = FileStorage::with_disk(disk.mount(), options)?;
    let recovered = storage.recover()?;
    let (cluster, node) = (config.cluster_id(), config.node);
    let identity = match recovered.identity {
        Some(found) => Identity { incarnation: found.incarnation + 1, ..found },
        None => Identity { cluster, node, directory: 77, incarnation: 1 },
    };
    storage.set_identity(&identity)?;
    let image = load_image(&mut storage, identity.cluster)?;
    let meta = image.as_ref().map(|(meta, _)| meta.clone());
    let found = recovered.clone();
    let start = Start { config: config.clone(), identity, recovered, image, now: Time::ZERO };
    let mut node = Node::start(start)?;
    while let Some(output) = node.poll_output() {
        if let Output::Persist(_, batch) = output {
            storage.append(&[batch])?;
        }
    }
    let view = node.view();
    let state = node.state().read();
    let (applied, hash) = (state.applied(), state.hash());
    Ok(Found { recovered: found, image: meta, applied, commit: view.commit, last: view.last_index, hash })
}
