//! What reaches a node's driver, from whichever thread.

use bytes::Bytes;

use crate::error::Result;
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
    /// The node is to stop: hand leadership over if it leads, then answer everybody.
    Stop,
}

/// Where an answer goes.
#[derive(Debug)]
pub struct ReplySender(pub(crate) oneshot::Sender<Result<Reply>>);

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
