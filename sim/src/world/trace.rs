//! What was sent and when, as one hash: two runs that did the same have the same.

use kvorum_core::Time;

/// How much is gathered before it is hashed: long stretches go faster, and the hash is the same.
const GATHERED: usize = 16 << 10;

#[derive(Default)]
pub(super) struct Trace {
    hash: blake3::Hasher,
    gathered: Vec<u8>,
}

impl Trace {
    pub(super) fn sent(&mut self, at: Time, message: &[u8]) {
        self.gathered.extend_from_slice(&at.as_nanos().to_le_bytes());
        self.gathered.extend_from_slice(message);
        if self.gathered.len() >= GATHERED {
            self.hash.update(&self.gathered);
            self.gathered.clear();
        }
    }

    /// The hash so far, for more to be added to it.
    pub(super) fn hash(&self) -> blake3::Hasher {
        let mut hash = self.hash.clone();
        hash.update(&self.gathered);
        hash
    }
}
