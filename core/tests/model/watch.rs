//! A7: what a watcher must be sent, as one list.

use kvorum_core::ids::Revision;
use kvorum_core::request::{Event, EventKind, WatchRequest};

use super::{Model, holds};

impl Model {
    /// What `r` must be sent for the revisions `from..=to`, by a replica that has compacted `compacted`
    /// (which may be behind).
    pub fn events_between(
        &self,
        r: &WatchRequest,
        (from, to): (Revision, Revision),
        compacted: Revision,
    ) -> Vec<Event> {
        let all = (from.max(0)..=to).flat_map(|revision| &self.events[revision as usize]);
        let wanted = all.filter(|e| self.wants(r, e)).cloned();
        wanted.map(|e| if r.prev_kv { self.with_prev(e, compacted) } else { e }).collect()
    }

    fn wants(&self, r: &WatchRequest, e: &Event) -> bool {
        // A7.1: an empty key is the lowest there is.
        let start: &[u8] = if r.key.is_empty() { &[0] } else { &r.key };
        let filtered = if e.kind == EventKind::Put as i32 { r.no_put } else { r.no_delete };
        !filtered && holds(start, &r.range_end, &e.kv.as_ref().expect("every event has one").key)
    }

    /// A7.4: the value at the revision before; none for creations, nor when that revision is compacted.
    fn with_prev(&self, mut e: Event, compacted: Revision) -> Event {
        let kv = e.kv.as_ref().expect("every event has one");
        let before = kv.mod_revision - 1;
        let created = e.kind == EventKind::Put as i32 && kv.create_revision == kv.mod_revision;
        if !created && before >= compacted {
            e.prev_kv = self.at(before).get(&kv.key).cloned();
        }
        e
    }
}
