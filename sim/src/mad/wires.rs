//! Packets between network cards. What the world's links do to a packet (lose it, repeat it, delay it) is
//! decided when it is sent; madsim's network adds its own delay, and cuts what is cut.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use kvorum_core::Time;
use kvorum_core::ids::NodeId;
use madsim::net::Endpoint;

use super::alarm::Alarm;
use super::stage::{Stage, card_address};

/// What is not due for longer than this is kept back; madsim itself knows nothing shorter.
const TICK: Duration = Duration::from_millis(1);

/// What goes from one card to another. Every send takes a millisecond of madsim's time: so one task sends all
/// that has come together.
#[derive(Default)]
pub(super) struct Wire {
    waiting: RefCell<BTreeMap<(Time, u64), Bytes>>,
    count: Cell<u64>,
    due: Alarm,
}

type Packets = Vec<Bytes>;

impl Wire {
    /// A packet, to arrive then.
    pub(super) fn send(&self, at: Time, packet: Bytes) {
        self.count.set(self.count.get() + 1);
        self.waiting.borrow_mut().insert((at, self.count.get()), packet);
        self.due.set_earlier(at);
    }

    fn take(&self, now: Time) -> Packets {
        let mut waiting = self.waiting.borrow_mut();
        let rest = waiting.split_off(&(now + TICK, 0));
        if let Some(((at, _), _)) = rest.first_key_value() {
            self.due.set_earlier(*at);
        }
        std::mem::replace(&mut *waiting, rest).into_values().collect()
    }
}

/// Begins what a card does, for as long as the run.
pub(super) fn plug_in(stage: &Rc<Stage>, node: NodeId) {
    let stage_ = stage.clone();
    stage.spawn(async move {
        let endpoint = Endpoint::bind(card_address(node)).await;
        let endpoint = Rc::new(endpoint.unwrap_or_else(|error| panic!("card {node}: {error}")));
        for peer in stage_.machines.keys().filter(|peer| **peer != node) {
            stage_.spawn(send_all(stage_.clone(), endpoint.clone(), node, *peer));
            stage_.spawn(receive_all(stage_.clone(), endpoint.clone(), *peer));
        }
    });
}

async fn send_all(stage: Rc<Stage>, endpoint: Rc<Endpoint>, node: NodeId, peer: NodeId) {
    let wire = &stage.machines[&node].wires[&peer];
    loop {
        wire.due.due(&stage).await;
        let packets = wire.take(stage.now());
        if !packets.is_empty() {
            // If it is lost, so it is.
            let _ = endpoint.send_to_raw(card_address(peer), node, Box::new(packets)).await;
        }
    }
}

async fn receive_all(stage: Rc<Stage>, endpoint: Rc<Endpoint>, peer: NodeId) {
    while let Ok((payload, _)) = endpoint.recv_from_raw(peer).await {
        let Ok(packets) = payload.downcast::<Packets>() else { continue };
        for packet in *packets {
            stage.enter(|world| world.deliver(packet));
        }
    }
}
