//! Writes that wait for one another: what several answers have to say on one connection goes out at once. What it will
//! never know: what is said.
//!
//! Of requests that were agreed on together, each is answered by a task of its own, and the runtime polls a connection
//! right behind the first of them that has something for it. Written at once, every answer would be a system call, a
//! packet, and a wake-up of the client. So the first write of a connection lets those tasks go first that could run
//! already; nobody waits for one that could not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) struct Gathered<S> {
    stream: S,
    /// The others have had their turn: until what there is to say is flushed, writes go through.
    is_open: bool,
}

impl<S> Gathered<S> {
    pub(crate) fn new(stream: S) -> Gathered<S> {
        Gathered { stream, is_open: false }
    }

    /// Ready, unless the others are still to have their turn. A task that wakes itself is polled behind all that are
    /// ready, and not before them.
    fn poll_turn(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.is_open {
            return Poll::Ready(());
        }
        self.is_open = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context));
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context));
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_open = false;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::woken::Woken;

    #[test]
    fn the_first_write_waits_one_turn_and_the_rest_goes_with_it() {
        let woken = Arc::<Woken>::default();
        let (waker, wakes) = (woken.clone().into(), || woken.count());
        let mut context = Context::from_waker(&waker);
        let mut stream = Gathered::new(Vec::new());
        for round in 1..=2 {
            let early = Pin::new(&mut stream).poll_write(&mut context, b"a");
            assert!(early.is_pending(), "others may have something to say, too");
            assert_eq!(wakes(), round, "a turn is waited for, and no more");
            for bytes in [&b"ab"[..], b"cd"] {
                assert!(matches!(Pin::new(&mut stream).poll_write(&mut context, bytes), Poll::Ready(Ok(2))));
            }
            assert!(Pin::new(&mut stream).poll_flush(&mut context).is_ready());
        }
        assert_eq!((&stream.stream[..], wakes()), (&b"abcdabcd"[..], 2));
    }
}
