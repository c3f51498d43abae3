//! What the quota counts: a pure function of what was applied, whatever has been freed already.

use kvorum_core::ErrorKind;

use super::Model;

impl Model {
    /// The versions that count, tombstones included, and their bytes: each its key, its value and 256.
    pub fn versions_and_bytes(&self) -> (u64, u64) {
        // What happened at or after the compacted revision, and what existed then.
        let oldest = self.compacted.max(0);
        let events = self.events[oldest as usize..].iter().flatten();
        let events = events.map(|e| e.kv.as_ref().expect("every event has one"));
        let older = self.at(oldest).values().filter(|kv| kv.mod_revision < oldest);
        let mut count = (0, 0);
        for kv in events.chain(older) {
            count.0 += 1;
            count.1 += (kv.key.len() + kv.value.len() + 256) as u64;
        }
        count
    }

    /// Refuses growth while the store is full.
    pub fn has_room(&self) -> Result<(), ErrorKind> {
        if self.no_space {
            let used = self.versions_and_bytes().1;
            return Err(ErrorKind::NoSpace { used, quota: self.quota_bytes });
        }
        Ok(())
    }

    /// A3.6: what goes over the quota is the last that may (unlike in etcd, it is told that it did).
    pub fn has_grown(&mut self) {
        self.no_space |= self.quota_bytes > 0 && self.versions_and_bytes().1 > self.quota_bytes;
    }
}
