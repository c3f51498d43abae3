//! Images on their way: offered, taken in chunk by chunk, confirmed. Any step may be lost, and either end may
//! die in the middle.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use kvorum_core::ids::Index;
#[cfg(madsim)]
use kvorum_core::ids::NodeId;
use kvorum_core::mail::Mail;
use kvorum_core::storage::ImageSource;
use kvorum_core::transport::{Body, Envelope, ImageReceiver, Incoming};

use crate::plan::Trigger;
use crate::world::{Event, World};

/// How long a sender waits for an image to be confirmed that nobody refused.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked whether the receiver is ready.
const LOOK: Duration = Duration::from_millis(1);

pub(crate) struct Transfer {
    envelope: Envelope,
    from_epoch: u64,
    to_epoch: Option<u64>,
    chunks: VecDeque<Bytes>,
    stage: Stage,
    looks: u32,
}

#[cfg(madsim)]
impl Transfer {
    /// The message that introduces it, and all of it.
    pub(crate) fn into_parts(self) -> (Envelope, VecDeque<Bytes>) {
        (self.envelope, self.chunks)
    }

    /// Whose it is.
    pub(crate) fn from(&self) -> NodeId {
        self.envelope.from
    }
}

enum Stage {
    Offered,
    Waiting(oneshot::Receiver<Box<dyn ImageReceiver>>),
    Receiving(Box<dyn ImageReceiver>),
}

enum Step {
    Again(Stage, Duration),
    Over { stored: bool, after: Duration },
}

const REFUSED: Step = Step::Over { stored: false, after: LOOK };

impl World {
    pub(crate) fn begin_image(&mut self, envelope: Envelope, mut source: Box<dyn ImageSource>) {
        let mut chunks = VecDeque::new();
        let mut is_whole = true;
        loop {
            match source.next_chunk() {
                Ok(Some(chunk)) => chunks.push_back(chunk),
                Ok(None) => break,
                Err(_) => {
                    is_whole = false;
                    break;
                }
            }
        }
        let from_epoch = self.epoch(envelope.from);
        let (from, to) = (envelope.from, envelope.to);
        let transfer =
            Transfer { envelope, from_epoch, to_epoch: None, chunks, stage: Stage::Offered, looks: 0 };
        let id = self.next_transfer();
        let way = self.net.route(self.now(), from, to).first().copied();
        match way.filter(|_| is_whole) {
            Some(delay) => {
                self.transfers.insert(id, transfer);
                self.after(delay, Event::Image(id));
            }
            None => self.end_image(&transfer, false, PATIENCE),
        }
    }

    pub(crate) fn on_image(&mut self, id: u64) {
        let Some(mut transfer) = self.transfers.remove(&id) else { return };
        let stage = std::mem::replace(&mut transfer.stage, Stage::Offered);
        match self.image_step(&mut transfer, stage) {
            Step::Again(stage, after) => {
                transfer.stage = stage;
                self.transfers.insert(id, transfer);
                self.after(after, Event::Image(id));
            }
            Step::Over { stored, after } => self.end_image(&transfer, stored, after),
        }
    }

    fn image_step(&mut self, transfer: &mut Transfer, stage: Stage) -> Step {
        let (from, to) = (transfer.envelope.from, transfer.envelope.to);
        let epoch = self.epoch(to);
        let Some(mail) = self.mail(to) else { return REFUSED };
        if transfer.to_epoch.is_some_and(|before| before != epoch) {
            return REFUSED;
        }
        transfer.looks += 1;
        match stage {
            Stage::Offered => {
                transfer.to_epoch = Some(epoch);
                let (accept, accepted) = oneshot::channel();
                let envelope = transfer.envelope.clone();
                // Whoever is not there does not take it.
                let _ = mail.send(Mail::Incoming(Incoming::ImageOffer { envelope, accept }));
                Step::Again(Stage::Waiting(accepted), LOOK)
            }
            Stage::Waiting(accepted) => match accepted.try_recv() {
                Ok(receiver) => Step::Again(Stage::Receiving(receiver), LOOK),
                Err(oneshot::TryRecvError::Empty) if transfer.looks < 2000 => {
                    Step::Again(Stage::Waiting(accepted), LOOK)
                }
                Err(_) => REFUSED,
            },
            Stage::Receiving(mut receiver) => {
                let Some(delay) = self.net.route(self.now(), from, to).first().copied() else {
                    // A connection does not lose chunks: it breaks, or goes on.
                    let is_cut = self.net.link(from, to).cut;
                    return if is_cut { REFUSED } else { Step::Again(Stage::Receiving(receiver), LOOK) };
                };
                self.moment(Trigger::ImageArriving, to);
                if let Some(chunk) = transfer.chunks.pop_front() {
                    return match receiver.chunk(chunk) {
                        Ok(()) => Step::Again(Stage::Receiving(receiver), delay),
                        Err(_) => REFUSED,
                    };
                }
                let stored = receiver.finish().is_ok();
                self.images_taken += u64::from(stored);
                self.moment(Trigger::ImageArrived, to);
                match self.net.route(self.now(), to, from).first() {
                    Some(&after) => Step::Over { stored, after },
                    None => Step::Over { stored: false, after: PATIENCE },
                }
            }
        }
    }

    fn end_image(&mut self, transfer: &Transfer, stored: bool, after: Duration) {
        let envelope = &transfer.envelope;
        let index = image_index(envelope);
        let (to, node, epoch) = (envelope.to, envelope.from, transfer.from_epoch);
        self.images_told_by = self.images_told_by.max(self.now() + after);
        self.after(after, Event::ImageSent { node, epoch, to, index, stored });
    }
}

/// The image that a message introduces.
pub(crate) fn image_index(envelope: &Envelope) -> Index {
    match &envelope.body {
        Some(Body::Raft(message)) => message.image.as_ref().map_or(0, |image| image.index),
        _ => 0,
    }
}
