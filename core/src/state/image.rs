//! Images: the state as a stream of chunks.

use bytes::Bytes;

use super::State;
use crate::storage::LogPosition;

/// An image being taken. While it is held, garbage is not collected.
pub struct ImageCut {}

#[allow(clippy::unimplemented, unused_variables)]
impl ImageCut {
    /// The last entry whose effect is in the image.
    pub fn position(&self) -> LogPosition {
        unimplemented!()
    }

    /// The state's hash at that entry.
    pub fn hash(&self) -> [u8; 32] {
        unimplemented!()
    }

    /// The next chunk; `None` behind the last, or if the state was replaced meanwhile (see
    /// [`ImageCut::complete`]).
    pub fn next_chunk(&mut self, state: &State) -> Option<Bytes> {
        unimplemented!()
    }

    /// Whether the last chunk has been handed out. If [`ImageCut::next_chunk`] returned `None` and this is
    /// false, [`State::install`] replaced the state meanwhile and the image must be thrown away.
    pub fn complete(&self) -> bool {
        unimplemented!()
    }
}
