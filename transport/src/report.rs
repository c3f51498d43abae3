//! The promise that every image that was to be sent ends in exactly one word about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kvorum_core::ids::{Index, NodeId};
use kvorum_core::transport::{Inbox, Incoming};

/// Says that the image was not stored, unless told that it was, when dropped: on every path, that of a
/// thread which could not be started included. Also marks the peer as free for the next image.
pub(crate) struct Report {
    inbox: Inbox,
    to: NodeId,
    index: Index,
    stored: bool,
    busy: Option<Arc<AtomicBool>>,
}

impl Report {
    /// `busy` is up while an image is on its way to that peer; `None`: there is no such peer. Answers `None`
    /// if this image cannot be sent: that has been reported by then.
    pub(crate) fn begin(
        inbox: Inbox,
        to: NodeId,
        index: Index,
        busy: Option<&Arc<AtomicBool>>,
    ) -> Option<Report> {
        let mut report = Report { inbox, to, index, stored: false, busy: None };
        let busy = busy.filter(|busy| !busy.swap(true, Ordering::AcqRel))?;
        report.busy = Some(Arc::clone(busy));
        Some(report)
    }

    /// The peer has confirmed that it stored the image.
    pub(crate) fn stored(&mut self) {
        self.stored = true;
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // First free, then said: who hears of the end may send the next image at once.
        if let Some(busy) = self.busy.take() {
            busy.store(false, Ordering::Release);
        }
        self.inbox.deliver(Incoming::ImageSent { to: self.to, index: self.index, stored: self.stored });
    }
}
