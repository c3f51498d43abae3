//! Waiting for a time that may be changed while somebody waits, and seeing what every task leaves behind.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use kvorum_core::Time;
use madsim::time::{Sleep, sleep};

use super::stage::Stage;

/// A time that one task waits for. Whoever changes it wakes the task.
#[derive(Default)]
pub(super) struct Alarm {
    at: Cell<Option<Time>>,
    waker: RefCell<Option<Waker>>,
}

impl Alarm {
    /// It goes off then, and not when it was to go off before; `None`: never.
    pub(super) fn set(&self, at: Option<Time>) {
        if self.at.replace(at) != at {
            self.wake();
        }
    }

    /// It goes off then, or before if it was to go off before.
    pub(super) fn set_earlier(&self, at: Time) {
        if self.at.get().is_none_or(|planned| at < planned) {
            self.set(Some(at));
        }
    }

    fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Waits until it goes off.
    pub(super) async fn due(&self, stage: &Stage) {
        let mut sleeping: Option<(Time, Pin<Box<Sleep>>)> = None;
        poll_fn(|context| {
            let now = stage.now();
            *self.waker.borrow_mut() = Some(context.waker().clone());
            let Some(at) = self.at.get() else { return Poll::Pending };
            if at <= now {
                self.at.set(None);
                return Poll::Ready(());
            }
            // A sleep cannot be shortened: a new time needs a new one.
            if sleeping.as_ref().is_none_or(|(until, _)| *until != at) {
                sleeping = Some((at, Box::pin(sleep(at.since(now)))));
            }
            let slept = sleeping.as_mut().map(|(_, sleep)| sleep.as_mut().poll(context));
            if slept == Some(Poll::Ready(())) {
                self.at.set(None);
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}

/// A task after each of whose steps the stage looks what it has left behind: mail for a driver, jobs for a
/// disk. Channels wake nobody in here (they are crossbeam's, made for threads), so this is what takes the
/// place of a thread that waits on one. It sees everything, because in here nothing else runs meanwhile.
pub(super) struct Followed<F> {
    stage: Rc<Stage>,
    task: Pin<Box<F>>,
}

impl<F> Followed<F> {
    pub(super) fn new(stage: Rc<Stage>, task: F) -> Followed<F> {
        Followed { stage, task: Box::pin(task) }
    }
}

impl<F: Future> Future for Followed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.stage.look_at_the_clock();
        let polled = self.task.as_mut().poll(context);
        self.stage.follow_up();
        polled
    }
}
