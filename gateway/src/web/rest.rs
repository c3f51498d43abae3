//! The body of a request, and what becomes of the part that nobody reads: it is passed over, within bounds. What it will
//! never know: what is in it.
//!
//! An answer may be there before the request is: of one that is too large, say. If the connection were closed then, the
//! client, which still writes, would be told that it is reset, and many a client never looks at the answer that lies
//! there. HTTP/2 has a word for "send no more of this" (RST_STREAM with NO_ERROR), but there are clients that forget the
//! answer over it (curl 7.88).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Request, Response, Version};
use hyper::body::{Body, Incoming};
use kvorum_core::planted;

use crate::gateway::Gateway;
use crate::half_closed::Owed;

/// How many bytes are passed over: as many as the largest message has that a node can be told to take. It takes no
/// longer than a body may take to be read ([`header_timeout`](crate::Connections::header_timeout)).
const PASSED_OVER: usize = 64 << 20;

/// How many bytes are soon passed over: a client may send its next request behind them.
const SOON: usize = 256 << 10;

/// The body of a request. Dropped before its end, it is passed over.
pub(crate) struct Rest {
    /// Empty only once it is dropped.
    body: Option<Incoming>,
    gateway: Arc<Gateway>,
    has_ended: bool,
    /// Nothing else can come over the connection: HTTP/1.
    is_in_the_way: bool,
    /// Its client asked whether to send it (`Expect: 100-continue`); it is told so when the first bytes are asked for.
    is_held_back: bool,
    is_last: Last,
    owed: Owed,
}

/// Whether the connection ends behind this request, because there is no telling where the next one would begin, or
/// whether the rest of this one comes at all.
#[derive(Clone, Default)]
pub(crate) struct Last(Arc<AtomicBool>);

impl Last {
    /// Tells the client, if it is so.
    pub(crate) fn tell<B>(&self, mut response: Response<B>) -> Response<B> {
        if self.0.load(Ordering::Relaxed) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl Rest {
    /// A request whose body is looked after, and whether it is the last one.
    pub(crate) fn of(gateway: Arc<Gateway>, owed: Owed, request: Request<Incoming>) -> (Request<Rest>, Last) {
        let (last, is_in_the_way) = (Last::default(), request.version() < Version::HTTP_2);
        let (is_last, is_held_back) = (last.clone(), request.headers().contains_key(EXPECT));
        let request = request.map(|body| {
            let has_ended = body.is_end_stream();
            if has_ended {
                owed.is_whole();
            }
            Rest { body: Some(body), gateway, has_ended, is_in_the_way, is_held_back, is_last, owed }
        });
        (request, last)
    }

    /// How long it still is, if that was said.
    pub(crate) fn length(&self) -> Option<usize> {
        let length = self.body.as_ref().and_then(|body| body.size_hint().exact());
        length.map(|length| usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Its next bytes; `None` at its end.
    pub(crate) fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Bytes>>> {
        self.is_held_back = false;
        let next = self.body.as_mut().map(|body| poll_data(body, context)).unwrap_or(Poll::Ready(None));
        if matches!(next, Poll::Ready(None)) {
            self.owed.is_whole();
        }
        self.has_ended |= !matches!(next, Poll::Pending | Poll::Ready(Some(Ok(_))));
        next
    }

    /// What is asked is known without it: its client is answered wherever it ends.
    pub(crate) fn want_nothing(&self) {
        if !planted!("half_closed_page_unanswered") {
            self.owed.is_whole();
        }
    }

    /// What is asked may take for ever: it ends when its client has nothing more to say.
    pub(crate) fn owe_nothing(&self) {
        self.owed.forget();
    }
}

fn poll_data(body: &mut Incoming, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Bytes>>> {
    // What is no data is trailers, which say nothing.
    let data = |frame: hyper::body::Frame<Bytes>| frame.into_data().unwrap_or_default();
    Pin::new(body).poll_frame(context).map_ok(data)
}

impl Drop for Rest {
    fn drop(&mut self) {
        let is_short = self.length().is_some_and(|length| length <= SOON);
        let Some(body) = self.body.take().filter(|_| !self.has_ended) else { return };
        self.is_last.0.store(self.is_in_the_way && (self.is_held_back || !is_short), Ordering::Relaxed);
        // Not if the runtime is about to end: then all connections are.
        let runtime = tokio::runtime::Handle::try_current();
        if let Some(runtime) = runtime.ok().filter(|_| !planted!("json_rest_not_read")) {
            runtime.spawn(pass_over(body, self.gateway.clone()));
        }
    }
}

/// Reads a body and forgets it. If it is dropped before its end, hyper closes the connection, or resets the
/// stream.
async fn pass_over(mut body: Incoming, gateway: Arc<Gateway>) {
    let (mut left, patience) = match planted!("json_rest_without_bound") {
        true => (usize::MAX, Duration::MAX),
        false => (PASSED_OVER, gateway.options.connections.header_timeout),
    };
    let all = async {
        while left > 0 {
            let next = std::future::poll_fn(|context| poll_data(&mut body, context)).await;
            let Some(Ok(data)) = next else { return };
            left = left.saturating_sub(data.len());
        }
    };
    // Whichever it was that ended it: what is left of the body goes with it.
    let _ = tokio::time::timeout(patience, gateway.stopping.run_until_cancelled(all)).await;
}
