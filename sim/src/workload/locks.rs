//! Services beside the nodes that want the same lock and the same leadership, and write to what these protect
//! as long as they believe in them. They stand still when their node does, and do not know it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use kvorum_core::election::{campaign, observe};
use kvorum_core::ids::NodeId;
use kvorum_core::lock::{lock, try_lock};
use kvorum_core::{Client, Lease, Result};

use super::heard::{ELECTION, Ears, Heard, LOCK};
use crate::promises::Shown;
use crate::rng::Stream;
use crate::scene::Scene;

pub(super) struct Contender {
    pub(super) scene: Scene,
    pub(super) ears: Ears,
    pub(super) draw: Stream,
    pub(super) client: Client,
    /// The node beside which it runs, and which of its lives that is.
    pub(super) node: NodeId,
    pub(super) life: u64,
}

impl Contender {
    /// Takes the lock again and again.
    pub(super) async fn lock(mut self) {
        while !self.scene.is_resting() {
            let most = if self.hold().await.is_err() { 500 } else { 50 };
            self.pause(1, most).await;
        }
    }

    fn believes_in(&self, lease: &Lease) -> bool {
        let believes = !lease.is_lost();
        if believes {
            self.ears.hear(Heard::Believes(lease.id(), self.node, self.life, self.scene.now()));
        }
        believes
    }

    async fn pause(&mut self, least: u64, most: u64) {
        let pause = Duration::from_millis(self.draw.between(least, most));
        self.scene.sleep(pause).await;
    }

    async fn hold(&mut self) -> Result<()> {
        let lease = self.client.lease(Duration::from_secs(self.draw.between(2, 3))).await?;
        let asked = self.scene.newest();
        let wait = Duration::from_millis(self.draw.between(200, 8000));
        let guard = if self.draw.chance(250) {
            try_lock(&self.client, LOCK, &lease).await?
        } else {
            self.wait_for(wait, lock(&self.client, LOCK, &lease)).await.transpose()?
        };
        let Some(guard) = guard else {
            self.pause(10, 300).await;
            return Ok(());
        };
        self.scene.count("locks taken");
        self.ears.hear(Heard::Locked(guard.key().clone(), guard.token(), asked));
        for _ in 0..self.draw.between(1, 6) {
            if self.scene.is_resting() {
                break;
            }
            self.pause(5, 400).await;
            if self.draw.chance(200) {
                let asked = self.scene.newest();
                if guard.is_held().await? {
                    self.ears.hear(Heard::StillHeld(guard.key().clone(), guard.token(), asked));
                }
            }
            if !self.believes_in(&lease) {
                self.scene.count("locks lost with their lease");
                return Ok(());
            }
            self.ears.hear(Heard::Wrote(guard.key().clone(), guard.token()));
        }
        if self.draw.chance(700) {
            guard.unlock().await?;
        }
        if self.draw.chance(500) {
            lease.revoke().await?;
        }
        Ok(())
    }

    /// Waits, but not longer than this, and not when the run comes to rest: its lease is to end then.
    async fn wait_for<F: Future>(&self, wait: Duration, future: F) -> Option<F::Output> {
        let (mut future, mut rest) = (pin!(future), pin!(self.scene.rest()));
        let either = poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => rest.as_mut().poll(context).map(|()| None),
        });
        self.scene.within(wait, either).await.flatten()
    }

    /// Stands for election again and again.
    pub(super) async fn lead(mut self) {
        while !self.scene.is_resting() {
            let most = if self.reign().await.is_err() { 500 } else { 50 };
            self.pause(1, most).await;
        }
    }

    async fn reign(&mut self) -> Result<()> {
        let lease = self.client.lease(Duration::from_secs(2)).await?;
        let asked = self.scene.newest();
        let wait = Duration::from_millis(self.draw.between(500, 8000));
        let value = format!("leader {}", self.draw.any());
        let won = self.wait_for(wait, campaign(&self.client, ELECTION, &lease, value)).await;
        let Some(leadership) = won.transpose()? else { return Ok(()) };
        self.scene.count("elections won");
        self.ears.hear(Heard::Elected(leadership.key().clone(), leadership.token(), asked));
        for _ in 0..self.draw.between(1, 4) {
            if self.scene.is_resting() {
                break;
            }
            self.pause(50, 1000).await;
            if !self.believes_in(&lease) {
                return Ok(());
            }
            let value = format!("leader {}", self.draw.any());
            leadership.proclaim(value).await?;
        }
        leadership.resign().await
    }
}

/// Follows the election through any node.
pub(super) async fn follow(who: u64, scene: Scene, ears: Ears, mut draw: Stream) {
    loop {
        let node = 1 + draw.below(scene.node_count());
        if let Some(mut observer) = scene.client(node).and_then(|client| observe(&client, ELECTION).ok()) {
            let mut number = 0;
            // A new observer may be shown again what an earlier one was.
            let who = who + draw.any() % 1_000_000_000;
            while let Some(Ok(leader)) = scene.within(Duration::from_secs(10), observer.next()).await {
                number += 1;
                let shown = Shown {
                    key: leader.key,
                    create_revision: leader.create_revision,
                    mod_revision: leader.mod_revision,
                    value: leader.value,
                };
                ears.hear(Heard::Observed(who, shown));
                if number > 20 {
                    break;
                }
            }
        }
        scene.sleep(Duration::from_millis(200)).await;
    }
}
