//! A client that has said all it has to say, and still waits for its answer (`nc -N`): over HTTP/1 that is the end of
//! what can be read, just as if it were gone, and hyper then drops the request. So the end is kept back while an answer
//! is owed that soon comes. What it will never know: what was asked.
//!
//! What may take for ever (watches, locks) owes nothing: there an end is the end, or whoever goes would be waited for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use kvorum_core::planted;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What one connection owes its client; shared by the connection and the request that is under way on it. Always
/// [`NOTHING`] over HTTP/2, which says by itself where a request ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owed(Arc<AtomicU8>);

const NOTHING: u8 = 0;
/// There is a request, of which not all was read yet.
const BEGUN: u8 = 1;
/// There is a whole request.
const WHOLE: u8 = 2;
/// There is an answer, and it has to be written.
const ANSWERED: u8 = 3;

impl Owed {
    pub(crate) fn begin(&self) {
        self.0.store(BEGUN, Ordering::Relaxed);
    }

    /// The request was read to its end.
    pub(crate) fn is_whole(&self) {
        self.turn(&[BEGUN], WHOLE);
    }

    /// The request may take for ever.
    pub(crate) fn forget(&self) {
        self.0.store(NOTHING, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self) {
        self.turn(&[BEGUN, WHOLE], ANSWERED);
    }

    fn turn(&self, from: &[u8], to: u8) {
        let turned = |now| from.contains(&now).then_some(to);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, turned);
    }

    fn now(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection whose end is kept back while an answer is owed.
pub(crate) struct HalfClosed<S> {
    stream: S,
    owed: Owed,
    /// How long it may be.
    patience: Duration,
    /// Since the end was seen.
    until: Option<Pin<Box<Sleep>>>,
    /// Whoever reads the request had its turn since the end was seen.
    had_its_turn: bool,
}

impl<S> HalfClosed<S> {
    pub(crate) fn new(stream: S, owed: Owed, patience: Duration) -> HalfClosed<S> {
        HalfClosed { stream, owed, patience, until: None, had_its_turn: false }
    }

    /// Ready when the end may be seen.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.owed.now() {
            _ if planted!("half_closed_unanswered") => Poll::Ready(()),
            NOTHING => Poll::Ready(()),
            // What was read may still be on its way to whoever sees that it is all.
            BEGUN if !self.had_its_turn => {
                self.had_its_turn = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            BEGUN => Poll::Ready(()),
            _ => {
                let patience = self.patience;
                let until = self.until.get_or_insert_with(|| Box::pin(sleep(patience)));
                until.as_mut().poll(context)
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HalfClosed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before || buffer.remaining() == 0 {
            self.had_its_turn = false;
            return Poll::Ready(Ok(()));
        }
        self.poll_end(context).map(Ok)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HalfClosed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if self.owed.now() == ANSWERED {
            self.owed.forget();
            if self.until.take().is_some() {
                // The end that was kept back is to be seen now.
                context.waker().wake_by_ref();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use tokio::io::AsyncReadExt;
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A connection at its end.
    fn at_its_end() -> (HalfClosed<io::Cursor<Vec<u8>>>, Owed) {
        let owed = Owed::default();
        (HalfClosed::new(io::Cursor::default(), owed.clone(), PATIENCE), owed)
    }

    fn has_ended(stream: &mut HalfClosed<io::Cursor<Vec<u8>>>) -> bool {
        let mut bytes = [0];
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(stream).poll_read(&mut context, &mut ReadBuf::new(&mut bytes)).is_ready()
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_seen_when_the_answer_is_flushed() {
        let (mut stream, owed) = at_its_end();
        owed.begin();
        assert!(!has_ended(&mut stream), "what is there is looked at first");
        owed.is_whole();
        assert!(!has_ended(&mut stream));
        poll_fn(|context| Pin::new(&mut stream).poll_flush(context)).await.unwrap();
        assert!(!has_ended(&mut stream), "that was not the answer");
        owed.answered();
        assert!(!has_ended(&mut stream));
        poll_fn(|context| Pin::new(&mut stream).poll_flush(context)).await.unwrap();
        assert!(has_ended(&mut stream));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_seen_where_no_answer_soon_comes() {
        let (mut stream, owed) = at_its_end();
        assert!(has_ended(&mut stream), "nothing was asked");
        owed.begin();
        assert!(!has_ended(&mut stream));
        assert!(has_ended(&mut stream), "half a request");
        owed.is_whole();
        owed.forget();
        owed.answered();
        assert!(has_ended(&mut stream), "what may take for ever");
        owed.begin();
        owed.is_whole();
        let began = Instant::now();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(began.elapsed(), PATIENCE, "nobody is waited for for ever");
    }
}
