//! Disks at work: when they are done, and what is noted of what they did.

use std::time::Duration;

use kvorum_core::ids::NodeId;
use kvorum_core::storage::Batch;

use super::{Event, LOG, Seen, World};
use crate::rng::Purpose;

impl World {
    /// Sets a disk to work that has something to do.
    pub(super) fn see_to_disk(&mut self, node: NodeId) {
        let (rng, (least, most)) = (self.rng, self.sync_time);
        let host = self.host(node);
        let epoch = host.epoch;
        let Some(process) = &mut host.process else { return };
        if !process.gather_jobs() || process.is_writing || host.held {
            return;
        }
        process.is_writing = true;
        host.syncs += 1;
        let (least, most) = (least.saturating_add(host.slow_sync / 4), most.saturating_add(host.slow_sync));
        // Anybody may have set any time: what is longer than time itself is not done before its end.
        let spread =
            u64::try_from(most.saturating_sub(least).as_nanos()).unwrap_or(u64::MAX).saturating_add(1);
        let any = Duration::from_nanos(rng.draw(Purpose::Sync, node, 0, host.syncs) % spread);
        let delay = least.saturating_add(any);
        let until = self.now + delay;
        if let Some(process) = &mut self.host(node).process {
            process.disk_until = until;
        }
        self.after(delay, Event::Disk(node, epoch));
    }

    pub(super) fn on_disk(&mut self, node: NodeId, epoch: u64) {
        let host = self.host(node);
        let is_held = host.held;
        let Some(process) = &mut host.process else { return };
        if host.epoch != epoch {
            return;
        }
        process.is_writing = false;
        if is_held {
            return;
        }
        process.gather_jobs();
        let batches: Vec<Batch> = process.batches().cloned().collect();
        let mut jobs = std::mem::take(&mut process.queue);
        let (made, is_saving) = (host.disk.creations("log"), process.worker.is_busy());
        let unsynced = host.disk.unsynced(LOG);
        process.worker.work(&mut jobs);
        let (has_appended, is_durable) = (process.worker.has_appended(), host.disk.unsynced(LOG) <= unsynced);
        let is_saving = is_saving || process.worker.is_busy();
        let is_new = host.disk.creations("log") != made;
        match (has_appended, is_durable) {
            (true, true) => self.judge.shadows.written(node, batches.iter()),
            // It said that they are durable, and they are not: what it vouches for now is seen not to be.
            (true, false) => {}
            (false, _) => self.judge.shadows.torn(node, batches.iter()),
        }
        self.note(|| Seen::Synced(node));
        self.note_disk(node, is_new, is_saving);
        self.see_to_disk(node);
    }
}
