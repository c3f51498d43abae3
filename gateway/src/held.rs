//! Bytes of requests that have come in and wait for the rest, counted over all requests. What it will never know: what
//! they are to become.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tonic::Status;

use crate::errors::TOO_MANY;
use crate::gateway::Gateway;

/// What one request holds, or a part of it. Dropped, it holds nothing.
pub(crate) struct Held {
    gateway: Arc<Gateway>,
    counted: usize,
}

impl Held {
    pub(crate) fn new(gateway: Arc<Gateway>) -> Held {
        Held { gateway, counted: 0 }
    }

    /// It holds so many bytes now, or as many as before if that is more.
    ///
    /// # Errors
    ///
    /// There is no room for them.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Status> {
        let more = bytes.saturating_sub(self.counted);
        if more == 0 {
            return Ok(());
        }
        let others = self.gateway.held.fetch_add(more, Ordering::Relaxed);
        self.counted += more;
        match others.saturating_add(more) > self.gateway.options.connections.body_bytes {
            true => Err(TOO_MANY.into()),
            false => Ok(()),
        }
    }

    /// It holds no more than so many bytes any more.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let less = self.counted.saturating_sub(bytes);
        if less > 0 {
            self.gateway.held.fetch_sub(less, Ordering::Relaxed);
            self.counted -= less;
        }
    }

    /// So many of its bytes, held by themselves from now on.
    pub(crate) fn part(&mut self, bytes: usize) -> Held {
        let counted = bytes.min(self.counted);
        self.counted -= counted;
        Held { gateway: self.gateway.clone(), counted }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}
