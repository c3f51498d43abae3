//! Clients with leases: granted, renewed, hung with keys, asked about, revoked, and left alone; or held by a handle
//! that is asked whether it still believes in its lease.

use std::time::Duration;

use kvorum_core::ids::LeaseId;
use kvorum_core::request::{LeaseTimeToLiveRequest, PutRequest};
use kvorum_core::{Error, ErrorKind, Outcome, Time};

use super::caller::Caller;
use super::heard::{Ears, Heard, call};
use super::record::Recorded;

/// How much later than its failure a renewal may still take effect that nobody knows the end of.
const LATE: Duration = Duration::from_secs(5);

pub(super) struct LeaseClient {
    pub(super) caller: Caller,
    pub(super) ears: Ears,
}

impl LeaseClient {
    pub(super) async fn run(mut self) {
        while !self.caller.scene.is_resting() {
            if self.caller.draw.chance(300) {
                self.hold().await;
            } else if let Some((id, ttl)) = self.grant().await {
                let rounds = self.caller.draw.between(1, 25);
                self.live(id, ttl, rounds).await;
            }
        }
    }

    /// Any node's, after a while; `None` also at rest: a lease that is granted then may not be over at the end.
    async fn client(&mut self) -> Option<Recorded> {
        self.caller.pause().await;
        if self.caller.scene.is_resting() {
            return None;
        }
        let node = self.caller.any_node();
        self.caller.recorder.client(self.caller.who, node)
    }

    async fn grant(&mut self) -> Option<(LeaseId, Duration)> {
        let client = self.client().await?;
        let ttl = Duration::from_secs(self.caller.draw.pick(&[1, 2, 2, 3, 4, 70]));
        let sent = self.caller.scene.now();
        let granted = client.glance(client.plain().grant(ttl), |a| a.header).await.ok()?;
        let ttl = seconds(granted.ttl);
        self.ears.hear(Heard::Granted(granted.id, ttl, call(&self.caller.scene, sent)));
        Some((granted.id, ttl))
    }

    /// Holds a lease by its handle, and asks again and again whether it lives.
    async fn hold(&mut self) {
        self.caller.pause().await;
        if self.caller.scene.is_resting() {
            return;
        }
        let (node, ttl) = (self.caller.any_node(), Duration::from_secs(self.caller.draw.between(1, 3)));
        let life = self.caller.scene.life(node);
        let Some(client) = self.caller.scene.client(node) else { return };
        let Ok(lease) = client.lease(ttl).await else { return };
        for _ in 0..self.caller.draw.between(1, 60) {
            if lease.is_lost() {
                self.caller.scene.count("holders that lost their lease");
                return;
            }
            self.ears.hear(Heard::Believes(lease.id(), node, life, self.caller.scene.now()));
            let pause = Duration::from_millis(self.caller.draw.between(1, 200));
            self.caller.scene.within(pause, self.caller.scene.rest()).await;
            if self.caller.scene.is_resting() {
                return;
            }
        }
    }

    /// Does this and that with a lease; answers when it is gone, or is to be left alone.
    async fn live(&mut self, id: LeaseId, ttl: Duration, rounds: u64) {
        for _ in 0..rounds {
            if self.caller.scene.is_resting() {
                return;
            }
            let Some(client) = self.client().await else { continue };
            let sent = self.caller.scene.now();
            let is_there = match self.caller.draw.below(20) {
                0..9 => self.renew(&client, id, sent).await,
                9..14 => self.put(&client, id, sent).await,
                14..17 => self.ask(&client, id, sent).await,
                17 => self.list(&client, id, ttl, sent).await,
                18 => self.move_away(&client, id).await,
                _ if self.caller.draw.chance(300) => self.revoke(&client, id, sent).await,
                _ => true,
            };
            if !is_there {
                return;
            }
            if self.caller.draw.chance(60) {
                // Long enough to lose it.
                let pause = Duration::from_millis(self.caller.draw.between(500, 5000));
                self.caller.scene.sleep(pause).await;
            }
        }
    }

    async fn renew(&self, client: &Recorded, id: LeaseId, sent: Time) -> bool {
        match client.plain().keep_alive(id).await {
            Ok(renewed) if renewed.ttl > 0 => {
                self.caller.scene.count("leases renewed");
                self.ears.hear(Heard::Renewed(id, seconds(renewed.ttl), call(&self.caller.scene, sent)));
                true
            }
            Ok(_) => self.gone(id, sent),
            Err(_) => {
                self.ears.hear(Heard::MayBeRenewed(id, sent, self.caller.scene.now() + LATE));
                true
            }
        }
    }

    async fn put(&mut self, client: &Recorded, id: LeaseId, sent: Time) -> bool {
        let value = self.caller.value();
        let key = format!("leased/{}/{}", self.caller.who, self.caller.draw.below(2));
        match client.put(PutRequest::new(key, value).with_lease(id)).await {
            Ok(_) => {
                self.ears.hear(Heard::Used(id, call(&self.caller.scene, sent)));
                true
            }
            Err(error) => !self.is_gone(&error, id, sent),
        }
    }

    /// A key that hung on it hangs on nothing any more, and outlives it.
    async fn move_away(&mut self, client: &Recorded, _: LeaseId) -> bool {
        let value = self.caller.value();
        let key = format!("leased/{}/{}", self.caller.who, self.caller.draw.below(2));
        let _ = client.put(PutRequest::new(key, value)).await;
        true
    }

    async fn ask(&self, client: &Recorded, id: LeaseId, sent: Time) -> bool {
        match client.plain().time_to_live(LeaseTimeToLiveRequest { id, keys: true }).await {
            Ok(told) if told.ttl >= 0 => {
                self.ears.hear(Heard::Told(id, seconds(told.ttl), call(&self.caller.scene, sent)));
                true
            }
            Ok(_) => self.gone(id, sent),
            Err(_) => true,
        }
    }

    async fn list(&self, client: &Recorded, id: LeaseId, _: Duration, sent: Time) -> bool {
        match client.plain().leases().await {
            Ok(all) if all.leases.contains(&id) => {
                self.ears.hear(Heard::Used(id, call(&self.caller.scene, sent)));
                true
            }
            Ok(_) => self.gone(id, sent),
            Err(_) => true,
        }
    }

    async fn revoke(&self, client: &Recorded, id: LeaseId, sent: Time) -> bool {
        self.ears.hear(Heard::RevokeAsked(id, sent));
        match client.glance(client.plain().revoke(id), |a| a.header).await {
            Ok(_) => {
                self.ears.hear(Heard::Revoked(id, call(&self.caller.scene, sent)));
                false
            }
            Err(error) => !self.is_gone(&error, id, sent) && error.outcome() == Outcome::NotApplied,
        }
    }

    fn is_gone(&self, error: &Error, id: LeaseId, sent: Time) -> bool {
        let is_gone = matches!(error.kind(), ErrorKind::LeaseNotFound { .. });
        is_gone && !self.gone(id, sent)
    }

    fn gone(&self, id: LeaseId, sent: Time) -> bool {
        self.caller.scene.count("leases found gone");
        self.ears.hear(Heard::Gone(id, call(&self.caller.scene, sent)));
        false
    }
}

fn seconds(ttl: i64) -> Duration {
    Duration::from_secs(u64::try_from(ttl).unwrap_or(0))
}
