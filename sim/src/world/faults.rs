//! What can go wrong with a node: its process, its disk, its power, its sense of time.

use std::time::Duration;

use kvorum_core::ids::NodeId;
use kvorum_core::mail::Mail;
use kvorum_core::transport::{Envelope, Incoming};
use kvorum_storage::faulty::{FaultyDisk, Survivors};

use super::{Event, World};
use crate::host::Crash;
use crate::rng::Purpose;
use crate::timeline::{Lane, What};

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
        self.end_service(node);
        let host = self.hosts.get_mut(&node);
        if let Some(process) = host.and_then(|host| host.process.as_mut()) {
            process.gather_jobs();
            if tear.is_some() {
                self.judge.shadows.torn(node, process.batches());
            }
        }
        let was_up = self.is_up(node);
        self.host(node).crash(crash, tear);
        if was_up {
            self.scene.mark(|| Lane::Node(node), || What::Ended(format!("{crash:?}")));
        }
    }

    /// A node that does not run loses its disk, and gets an empty one.
    pub fn wipe(&mut self, node: NodeId) {
        let rng = self.rng;
        self.judge.shadows.tampered(node);
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
            self.after(duration, Event::Resume(node));
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
