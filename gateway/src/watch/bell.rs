//! Which of a stream's watches may have something to hand out: each rings a bell of its own, and the stream looks only
//! after those that rang.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

/// The bells of one stream that have rung.
#[derive(Debug, Default)]
pub(super) struct Board {
    rung: Mutex<VecDeque<i64>>,
    /// Whoever pulls the stream.
    owner: AtomicWaker,
}

/// One watch's bell.
#[derive(Debug)]
pub(super) struct Bell {
    id: i64,
    has_rung: AtomicBool,
    board: Arc<Board>,
}

impl Board {
    /// Has the stream polled when a bell rings from now on.
    pub(super) fn attend(&self, context: &Context<'_>) {
        self.owner.register(context.waker());
    }

    /// The watch whose bell rang first.
    pub(super) fn next(&self) -> Option<i64> {
        self.rung.lock().pop_front()
    }
}

impl Bell {
    pub(super) fn new(id: i64, board: &Arc<Board>) -> Arc<Bell> {
        Arc::new(Bell { id, has_rung: AtomicBool::new(false), board: board.clone() })
    }

    /// From here on it can ring again. Call it before looking, so that what comes in between is not missed.
    pub(super) fn heard(&self) {
        self.has_rung.store(false, Ordering::SeqCst);
    }

    pub(super) fn ring(self: &Arc<Bell>) {
        if !self.has_rung.swap(true, Ordering::SeqCst) {
            self.board.rung.lock().push_back(self.id);
            self.board.owner.wake();
        }
    }

    pub(super) fn waker(self: &Arc<Bell>) -> Waker {
        Waker::from(self.clone())
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Bell>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Bell>) {
        self.ring();
    }
}
