//! Bytes of requests that have come in and wait for the rest, or whose memory is kept, counted over all requests. What it
//! will never know: what they are to become.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tonic::Status;

use crate::errors::TOO_MANY;
use crate::gateway::Gateway;

/// What one request holds, or a part of it. Dropped, it holds nothing.
pub(crate) struct Held {
    /// What all hold together.
    all: Arc<AtomicUsize>,
    limit: usize,
    counted: usize,
}

impl Held {
    pub(crate) fn new(gateway: &Gateway) -> Held {
        Held::of(&gateway.held, gateway)
    }

    /// In a room of its own, as large: what streams keep for as long as they last must not keep everybody else out.
    pub(crate) fn of_longest(gateway: &Gateway) -> Held {
        Held::of(&gateway.longest, gateway)
    }

    fn of(all: &Arc<AtomicUsize>, gateway: &Gateway) -> Held {
        Held { all: all.clone(), limit: gateway.options.connections.body_bytes, counted: 0 }
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
        let others = self.all.fetch_add(more, Ordering::Relaxed);
        self.counted += more;
        match others.saturating_add(more) > self.limit {
            true => Err(TOO_MANY.into()),
            false => Ok(()),
        }
    }

    /// It holds no more than so many bytes any more.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let less = self.counted.saturating_sub(bytes);
        if less > 0 {
            self.all.fetch_sub(less, Ordering::Relaxed);
            self.counted -= less;
        }
    }

    /// So many of its bytes, held by themselves from now on.
    pub(crate) fn part(&mut self, bytes: usize) -> Held {
        let counted = bytes.min(self.counted);
        self.counted -= counted;
        Held { all: self.all.clone(), limit: self.limit, counted }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}
