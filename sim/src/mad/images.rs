//! Images travel from process to process, over connections that break when either end dies.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use kvorum_core::Time;
use kvorum_core::ids::NodeId;
use kvorum_core::transport::{Envelope, Incoming};
use madsim::net::{Endpoint, Receiver, Sender};
use madsim::time::{sleep, timeout};

use super::alarm::Alarm;
use super::stage::{Stage, image_address};
use crate::images::{PATIENCE, image_index};
use crate::plan::Trigger;

/// Images that a node wants sent, by the world's numbers.
#[derive(Default)]
pub(super) struct Queue {
    ids: RefCell<Vec<u64>>,
    due: Alarm,
}

/// How long a whole transfer may take.
const TRANSFER: Duration = Duration::from_secs(20);

enum Parcel {
    Offer(Box<Envelope>),
    Chunk(Bytes),
    End,
    Stored(bool),
}

impl Queue {
    pub(super) fn push(&self, id: u64, now: Time) {
        self.ids.borrow_mut().push(id);
        self.due.set_earlier(now);
    }

    pub(super) fn clear(&self) {
        self.ids.borrow_mut().clear();
    }
}

/// Sends what the node wants sent, each image as a task of its own.
pub(super) async fn send_all(stage: Rc<Stage>, node: NodeId) {
    let Ok(endpoint) = Endpoint::bind((image_address(node).ip(), 0)).await else { return };
    let endpoint = Rc::new(endpoint);
    let queue = &stage.machines[&node].images;
    loop {
        queue.due.due(&stage).await;
        for id in std::mem::take(&mut *queue.ids.borrow_mut()) {
            stage.spawn(send_one(stage.clone(), endpoint.clone(), node, id));
        }
    }
}

async fn send_one(stage: Rc<Stage>, endpoint: Rc<Endpoint>, node: NodeId, id: u64) {
    let Some((envelope, chunks)) = stage.see(|world| world.take_image(id)) else { return };
    let (to, index) = (envelope.to, image_index(&envelope));
    let sent = timeout(TRANSFER, send(&endpoint, envelope, chunks.into())).await;
    let stored = sent.ok().flatten();
    if stored.is_none() {
        sleep(PATIENCE).await;
    }
    let stored = stored.unwrap_or(false);
    stage.enter(|world| world.tell(node, Incoming::ImageSent { to, index, stored }));
}

/// Answers whether the other side has stored it; `None`: it did not say.
async fn send(endpoint: &Endpoint, envelope: Envelope, chunks: Vec<Bytes>) -> Option<bool> {
    let (sender, mut receiver) = endpoint.connect1(image_address(envelope.to)).await.ok()?;
    put(&sender, Parcel::Offer(Box::new(envelope))).await?;
    for chunk in chunks {
        put(&sender, Parcel::Chunk(chunk)).await?;
    }
    put(&sender, Parcel::End).await?;
    match take(&mut receiver).await? {
        Parcel::Stored(stored) => Some(stored),
        _ => None,
    }
}

/// Takes in what others send, each image as a task of its own.
pub(super) async fn receive_all(stage: Rc<Stage>, node: NodeId) {
    let endpoint = Endpoint::bind(image_address(node)).await;
    let endpoint = endpoint.unwrap_or_else(|error| panic!("images of {node}: {error}"));
    while let Ok((sender, receiver, _)) = endpoint.accept1().await {
        let receiving = receive_one(stage.clone(), node, receiver);
        stage.spawn(async move {
            let stored = timeout(TRANSFER, receiving).await.ok().flatten().is_some();
            // If the sender is gone, nobody waits for it.
            let _ = put(&sender, Parcel::Stored(stored)).await;
        });
    }
}

async fn receive_one(stage: Rc<Stage>, node: NodeId, mut from: Receiver) -> Option<()> {
    let Parcel::Offer(envelope) = take(&mut from).await? else { return None };
    let (envelope, (accept, accepted)) = (*envelope, oneshot::channel());
    stage.enter(|world| world.tell(node, Incoming::ImageOffer { envelope, accept }));
    let mut receiver = accepted.await.ok()?;
    loop {
        let parcel = take(&mut from).await?;
        match parcel {
            Parcel::Chunk(chunk) => {
                stage.see(|world| world.moment(Trigger::ImageArriving, node));
                receiver.chunk(chunk).ok()?;
            }
            Parcel::End => {
                receiver.finish().ok()?;
                stage.see(|world| {
                    world.images_taken += 1;
                    world.moment(Trigger::ImageArrived, node);
                });
                return Some(());
            }
            _ => return None,
        }
    }
}

async fn put(to: &Sender, parcel: Parcel) -> Option<()> {
    to.send(Box::new(parcel)).await.ok()
}

async fn take(from: &mut Receiver) -> Option<Parcel> {
    let payload = from.recv().await.ok()?;
    payload.downcast::<Parcel>().ok().map(|parcel| *parcel)
}
