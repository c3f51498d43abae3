//! Images: a state from a stream of chunks.

use super::State;
use crate::error::Result;
use crate::ids::ClusterId;
use crate::storage::ImageMeta;

/// An image being read.
pub struct ImageLoader {}

#[allow(clippy::unimplemented, unused_variables)]
impl ImageLoader {
    /// For an image of this cluster.
    pub fn new(cluster: ClusterId) -> ImageLoader {
        unimplemented!()
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Corrupt`].
    pub fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        unimplemented!()
    }

    /// The state, if the image is whole and is the one that `meta` speaks of.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Corrupt`].
    pub fn finish(self, meta: &ImageMeta) -> Result<State> {
        unimplemented!()
    }
}
