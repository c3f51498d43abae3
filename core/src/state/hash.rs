//! The hash chain: what was applied, and what came of it.
//!
//! After entry i it is `BLAKE3(chain of i-1 ‖ index ‖ term ‖ kind ‖ length ‖ entry ‖ effects ‖ answer)`. Two
//! members with the same hash at the same index have applied the same entries to the same effect.

use super::State;
use crate::ids::Revision;
use crate::storage::LogPosition;

/// Marks an entry that holds a command.
pub(super) const COMMAND: u8 = 0;
/// Marks any other entry.
pub(super) const OTHER: u8 = 1;

/// The next link of the chain.
pub(super) fn next(last: &[u8; 32], at: LogPosition, kind: u8, entry: &[u8], effects: &[u8]) -> [u8; 32] {
    let mut head = [0; 57];
    head[..32].copy_from_slice(last);
    head[32..40].copy_from_slice(&at.index.to_le_bytes());
    head[40..48].copy_from_slice(&at.term.to_le_bytes());
    head[48] = kind;
    head[49..].copy_from_slice(&(entry.len() as u64).to_le_bytes());
    let mut hash = blake3::Hasher::new();
    hash.update(&head).update(entry).update(effects);
    *hash.finalize().as_bytes()
}

impl State {
    /// What an entry did, as bytes: the revisions it took, each change, and the sums that it moved. Values
    /// are not repeated: they stand in the entry, or in a version that an earlier link covers.
    pub(super) fn describe_effects(&self, before: Revision, into: &mut Vec<u8>) {
        let numbers = [
            before,
            self.store.revision,
            self.store.compacted,
            self.store.size.bytes as i64,
            self.store.live as i64,
            self.leases.len() as i64,
            self.sessions.len() as i64,
            i64::from(self.no_space),
        ];
        put_all(into, &numbers);
        for revision in before + 1..=self.store.revision {
            let Some(changes) = self.store.log.get(revision) else { continue };
            for record in changes.records() {
                let (key, value) = (record.key(), record.value());
                put_all(
                    into,
                    &[key.len() as i64, value.len() as i64, record.modified, i64::from(record.sub)],
                );
                put_all(into, &[record.create, record.version, record.lease]);
                into.extend_from_slice(key);
            }
        }
    }
}

fn put_all(into: &mut Vec<u8>, numbers: &[i64]) {
    for number in numbers {
        into.extend_from_slice(&number.to_le_bytes());
    }
}
