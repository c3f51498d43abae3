//! Bytes that requests have brought and that wait for the rest, or that are kept for as long as a stream lasts, counted over
//! all requests. What it will never know: what they are to become.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tonic::Status;

use crate::errors::TOO_MANY;

/// Room for what all requests hold together.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    all: Arc<AtomicUsize>,
    limit: usize,
}

/// What one request holds, or a part of it. Dropped, it holds nothing.
pub(crate) struct Held {
    room: Room,
    counted: usize,
}

impl Room {
    /// For so many bytes.
    pub(crate) fn new(limit: usize) -> Room {
        Room { all: Arc::default(), limit }
    }

    /// Nothing yet.
    pub(crate) fn hold(&self) -> Held {
        Held { room: self.clone(), counted: 0 }
    }
}

impl Held {
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
        let others = self.room.all.fetch_add(more, Ordering::Relaxed);
        self.counted += more;
        match others.saturating_add(more) > self.room.limit {
            true => Err(TOO_MANY.into()),
            false => Ok(()),
        }
    }

    /// It holds no more than so many bytes any more.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let less = self.counted.saturating_sub(bytes);
        if less > 0 {
            self.room.all.fetch_sub(less, Ordering::Relaxed);
            self.counted -= less;
        }
    }

    /// So many of its bytes, held by themselves from now on.
    pub(crate) fn part(&mut self, bytes: usize) -> Held {
        let counted = bytes.min(self.counted);
        self.counted -= counted;
        Held { room: self.room.clone(), counted }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}
