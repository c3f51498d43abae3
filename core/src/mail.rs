//! What reaches a node's driver, from whichever thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::error::{Outcome, Result};
use crate::ids::{Index, Ticket};
use crate::lease::Keep;
use crate::node::{Reply, Request};
use crate::state::{ImageLoader, State};
use crate::storage::{ImageMeta, ImageSink, ImageSource};
use crate::transport::{Envelope, ImageReceiver, Incoming};

use crossbeam::channel::Sender;

/// Something for the driver.
#[derive(Debug)]
pub enum Mail {
    /// A client asks.
    Ask(Request, ReplySender),
    /// Something came over the transport.
    Incoming(Incoming),
    /// The disk has done something.
    Disk(DiskReport),
    /// A lease is to be kept alive until its keeper is gone.
    Keep(Keep),
    /// A key is to be deleted that nobody needs any more: now, or as soon as it can be.
    Leave(Bytes),
    /// The node is to stop: hand leadership over if it leads, then answer everybody.
    Stop,
}

/// Where an answer goes.
#[derive(Debug)]
pub struct ReplySender {
    sender: oneshot::Sender<Result<Reply>>,
    held: Option<Arc<Held>>,
}

impl ReplySender {
    /// `held` is what the request puts, if that is to be deleted when nobody holds on to it.
    pub(crate) fn new(sender: oneshot::Sender<Result<Reply>>, held: Option<Arc<Held>>) -> ReplySender {
        ReplySender { sender, held: held.filter(|_| !planted!("place_left_while_it_is_taken")) }
    }

    pub(crate) fn send(self, result: Result<Reply>) {
        let was_refused = result.as_ref().is_err_and(|error| error.outcome() == Outcome::NotApplied);
        if let Some(held) = self.held.as_ref().filter(|_| was_refused) {
            held.let_go();
        }
        // Whoever asked may have gone.
        let _ = self.sender.send(result);
    }
}

/// A key that somebody needs. When the last one lets go of this, it is to be deleted. Whoever puts it has it, and so has
/// the request as long as it is not answered: a deletion that were asked for before might be done before.
#[derive(Debug)]
pub(crate) struct Held {
    mail: Sender<Mail>,
    key: Bytes,
    is_gone: AtomicBool,
}

impl Held {
    pub(crate) fn new(mail: Sender<Mail>, key: Bytes) -> Held {
        Held { mail, key, is_gone: AtomicBool::new(false) }
    }

    /// It is not there (any more).
    pub(crate) fn let_go(&self) {
        self.is_gone.store(true, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !*self.is_gone.get_mut() {
            // If the node is gone, the key goes with its lease.
            let _ = self.mail.send(Mail::Leave(self.key.clone()));
        }
    }
}

/// What the disk's thread reports.
pub enum DiskReport {
    /// This write, and every one before it, is durable; the log has become so many bytes longer.
    Persisted(Ticket, u64),
    /// An image is durable.
    ImageSaved(ImageMeta, u64),
    /// An image that is to be sent.
    ImageOpened(Envelope, Box<dyn ImageSource>),
    /// There is no image at this index (any more) to send with this message.
    NoImage(Envelope, Index),
    /// A peer's image is durable, and this is its content.
    ImageReceived(Envelope, ImageMeta, Box<State>),
    /// The disk failed.
    Failed(String),
}

impl std::fmt::Debug for DiskReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DiskReport::Persisted(ticket, _) => write!(f, "Persisted({ticket})"),
            DiskReport::ImageSaved(meta, size) => write!(f, "ImageSaved({meta:?}, {size})"),
            DiskReport::ImageOpened(..) => f.write_str("ImageOpened"),
            DiskReport::NoImage(_, index) => write!(f, "NoImage({index})"),
            DiskReport::ImageReceived(_, meta, _) => write!(f, "ImageReceived({meta:?})"),
            DiskReport::Failed(reason) => write!(f, "Failed({reason})"),
        }
    }
}

/// Takes in a peer's image, on the transport's thread: each chunk is decoded and written as it comes, so
/// that an image that does not decode never becomes visible.
pub(crate) struct Receiving {
    pub(crate) envelope: Envelope,
    pub(crate) meta: ImageMeta,
    pub(crate) loader: ImageLoader,
    pub(crate) sink: Box<dyn ImageSink>,
    pub(crate) mail: Sender<Mail>,
}

impl ImageReceiver for Receiving {
    fn chunk(&mut self, chunk: Bytes) -> Result<()> {
        self.loader.feed(&chunk)?;
        self.sink.write(&chunk)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Receiving { envelope, meta, loader, sink, mail } = *self;
        let state = loader.finish(&meta)?;
        sink.finish()?;
        let report = DiskReport::ImageReceived(envelope, meta, Box::new(state));
        mail.send(Mail::Disk(report)).map_err(|_| crate::ErrorKind::Stopped.into())
    }
}
