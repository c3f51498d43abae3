//! What can go wrong with a node: its process, its disk, its power, its sense of time.

use std::time::Duration;

use kvorum_core::ids::NodeId;
use kvorum_core::mail::Mail;
use kvorum_core::transport::{Envelope, Incoming};
use kvorum_storage::faulty::{FaultyDisk, Survivors};

use super::World;
use crate::host::Crash;
use crate::rng::Purpose;

impl World {
    /// Kills a node's process.
    pub fn kill(&mut self, node: NodeId) {
        self.crash(node, Crash::Kill, None);
    }

    /// A node's machine loses its power, and with it all that was not synced.
    pub fn lose_power(&mut self, node: NodeId) {
        self.crash(node, Crash::Power(Survivors::Nothing), None);
    }

    /// Ends a node's process. `tear`: in the middle of what its disk was about to do, that many operations in.
    pub fn crash(&mut self, node: NodeId, crash: Crash, tear: Option<u64>) {
        self.host(node).crash(crash, tear);
    }

    /// A node that does not run loses its disk, and gets an empty one.
    pub fn wipe(&mut self, node: NodeId) {
        let rng = self.rng;
        let host = self.host(node);
        host.directories += 1;
        host.directory = rng.draw(Purpose::Directory, node, 0, host.directories);
        host.disk = FaultyDisk::new(rng.draw(Purpose::Disk, node, 0, host.directories));
    }

    /// A node's disk does nothing until it is released.
    pub fn hold_disk(&mut self, node: NodeId) {
        self.host(node).held = true;
    }

    /// See [`World::hold_disk`].
    pub fn release_disk(&mut self, node: NodeId) {
        self.host(node).held = false;
        self.see_to_disk(node);
    }

    /// A node does nothing for a while, and wakes up without knowing.
    pub fn pause(&mut self, node: NodeId, duration: Duration) {
        let until = self.now + duration;
        if let Some(process) = &mut self.host(node).process {
            process.paused_until = until;
        }
    }

    /// Hands a node a message, as if it had come over the network.
    pub fn inject(&mut self, envelope: Envelope) {
        if let Some(mail) = self.mail(envelope.to) {
            // It runs: somebody takes it.
            let _ = mail.send(Mail::Incoming(Incoming::Message(envelope)));
        }
    }
}
