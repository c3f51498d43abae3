//! A node's end of the simulated network: what it wants sent lies here until the world takes it.

use std::sync::Arc;

use kvorum_core::Result;
use kvorum_core::storage::ImageSource;
use kvorum_core::transport::{Envelope, Inbox, Local, Transport};
use parking_lot::Mutex;

pub(crate) enum Parcel {
    Message(Envelope),
    Image(Envelope, Box<dyn ImageSource>),
}

/// What a node wants sent. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Post(Arc<Mutex<Vec<Parcel>>>);

impl Post {
    pub(crate) fn take(&self) -> Vec<Parcel> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Transport for Post {
    fn start(&mut self, _: Local, _: Inbox) -> Result<()> {
        Ok(())
    }

    fn send(&mut self, envelope: Envelope) {
        self.0.lock().push(Parcel::Message(envelope));
    }

    fn send_image(&mut self, envelope: Envelope, source: Box<dyn ImageSource>) {
        self.0.lock().push(Parcel::Image(envelope, source));
    }
}
