//! Elections: one leader at a time, with a value that all can see.
//!
//! The same queue as a lock's, and the same warning: a leader that was paused may not know yet that it is
//! none. What it does outside this store must carry its fencing token ([`Leadership::token`]); what it
//! does inside should be conditional on [`Leadership::still_leads`].

use bytes::Bytes;

use crate::client::{Client, copied};
use crate::error::{ErrorKind, Result};
use crate::ids::{LeaseId, Revision};
use crate::lease::Lease;
use crate::lock::Place;
use crate::request::{
    Compare, KeyValue, PutRequest, RangeRequest, SortOrder, SortTarget, TxnRequest, WatchRequest,
};
use crate::watch::Watch;

/// A leadership that was won. Dropped, it is given up (without waiting for the answer); it also ends with its
/// lease.
#[derive(Debug)]
#[must_use = "a leadership that is dropped is given up"]
pub struct Leadership {
    client: Client,
    place: Place,
    lease: LeaseId,
}

/// Waits to become the leader of the election called `name`, under `lease`, with `value` for all to see.
/// Whoever gives up waiting (its future is dropped) leaves the queue, as soon as the cluster agrees on anything.
///
/// # Errors
///
/// [`ErrorKind::LeaseNotFound`] if the lease ended meanwhile; see [`Client`] for the rest. Whatever happens,
/// the place in the queue goes with the lease at the latest.
pub async fn campaign(
    client: &Client,
    name: &str,
    lease: &Lease,
    value: impl AsRef<[u8]>,
) -> Result<Leadership> {
    let place = Place::queue(client, name, lease, copied(value)).await?;
    place.wait().await?;
    Ok(Leadership { client: client.clone(), place, lease: lease.id() })
}

/// The leader of the election called `name`, with its value; `None` if there is none.
///
/// # Errors
///
/// See [`Client`].
pub async fn leader(client: &Client, name: &str) -> Result<Option<KeyValue>> {
    let oldest = RangeRequest::prefix(format!("{name}/"))
        .sorted_by(SortTarget::Create, SortOrder::Ascend)
        .with_limit(1);
    let oldest = if planted!("leader_read_locally") { oldest.local() } else { oldest };
    Ok(client.range(oldest).await?.kvs.pop())
}

/// Follows the leaders of the election called `name`.
///
/// # Errors
///
/// See [`Client::watch`].
pub fn observe(client: &Client, name: &str) -> Result<Observer> {
    let watch = client.watch(WatchRequest::prefix(format!("{name}/")))?;
    Ok(Observer { client: client.clone(), name: name.into(), watch, last: None })
}

impl Leadership {
    /// The fencing token: higher for every later leader of this election.
    pub fn token(&self) -> Revision {
        self.place.created
    }

    /// The key that stands for the leadership.
    pub fn key(&self) -> &Bytes {
        &self.place.key
    }

    /// The condition that it still leads, for a transaction.
    pub fn still_leads(&self) -> Compare {
        self.place.still_there()
    }

    /// Shows another value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LeaseNotFound`] if the leadership is over; see [`Client`].
    pub async fn proclaim(&self, value: impl AsRef<[u8]>) -> Result<()> {
        let put = PutRequest::new(&self.place.key, value).with_lease(self.lease);
        let response = self.client.txn(TxnRequest::new().when(self.still_leads()).then(put)).await?;
        if response.succeeded { Ok(()) } else { Err(ErrorKind::LeaseNotFound { id: self.lease }.into()) }
    }

    /// Gives the leadership up.
    ///
    /// # Errors
    ///
    /// See [`Client`]. Whatever the error, the node goes on giving it up.
    pub async fn resign(self) -> Result<()> {
        self.place.leave().await
    }
}

/// Follows the leaders of an election. See [`observe`].
#[derive(Debug)]
pub struct Observer {
    client: Client,
    name: String,
    watch: Watch,
    last: Option<KeyValue>,
}

impl Observer {
    /// The next leader, or the same one with another value; at once if there is one when first asked.
    /// Leaders that came and went between two looks are not seen.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Compacted`] if it was not asked for so long that history was forgotten: observe anew.
    /// See [`Client`] for the rest.
    pub async fn next(&mut self) -> Result<KeyValue> {
        loop {
            let now = leader(&self.client, &self.name).await?;
            if let Some(now) = now
                && self.last.as_ref() != Some(&now)
            {
                self.last = Some(now.clone());
                return Ok(now);
            }
            match self.watch.next().await {
                Some(item) => item.map(|_| ())?,
                None => return Err(ErrorKind::Stopped.into()),
            }
        }
    }
}
