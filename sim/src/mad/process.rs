//! A node's process: the driver and the disk as two tasks, in the place of the two threads that the front door
//! gives them, and beside them whatever the service does, ours or a user's.

use std::rc::Rc;

use kvorum_core::ids::NodeId;

use super::service::Place;
use super::stage::Stage;
use super::{board, images};

/// Begins everything that a process does. What it holds dies with it; what it shares is fenced by `epoch`.
pub(super) fn begin(stage: &Rc<Stage>, node: NodeId, epoch: u64) {
    stage.spawn(drive(stage.clone(), node, epoch));
    stage.spawn(write(stage.clone(), node, epoch));
    stage.spawn(images::send_all(stage.clone(), node));
    stage.spawn(images::receive_all(stage.clone(), node));
    match (&stage.service, stage.scene.client(node)) {
        (None, _) => board::begin(stage, node),
        (Some(service), Some(client)) => {
            let task = service.node(Place::of_node(stage, node), client);
            stage.spawn(task);
        }
        (Some(_), None) => {}
    }
}

/// Takes a turn whenever there is mail, or the node's deadline is reached.
async fn drive(stage: Rc<Stage>, node: NodeId, epoch: u64) {
    loop {
        stage.machines[&node].turn.due(&stage).await;
        stage.enter(|world| world.take_turn(node, epoch));
    }
}

/// Does what the disk was asked for, once the time has passed that it takes.
async fn write(stage: Rc<Stage>, node: NodeId, epoch: u64) {
    loop {
        stage.machines[&node].disk.due(&stage).await;
        stage.enter(|world| world.do_disk(node, epoch));
    }
}
