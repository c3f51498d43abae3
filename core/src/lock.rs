//! Locks, with the number that makes them safe.
//!
//! A lock's holder is whoever holds the oldest key under the lock's name; each key hangs on its owner's
//! lease and so goes with it. That alone is *not* mutual exclusion: a holder may be paused, lose its lease,
//! and wake up believing that it still holds the lock. So every lock comes with a fencing token, a number
//! that is higher for every later holder: whatever the lock protects must remember the highest token that it
//! has seen and refuse lower ones.

use std::sync::Arc;

use bytes::Bytes;

use crate::client::Client;
use crate::error::{ErrorKind, Result};
use crate::ids::{LeaseId, Revision};
use crate::lease::Lease;
use crate::mail::Held;
use crate::request::{
    Compare, CompareResult, EventKind, KeyValue, PutRequest, RangeRequest, SortOrder, SortTarget,
    WatchRequest,
};
use crate::watch::WatchItem;

/// A place in the queue for a name: held, or waited for. The oldest one under the name owns it. Dropped, it is
/// left (without waiting for the answer), also if it was not even seen to be taken: whoever gives up must not
/// come to own the name behind its own back. The node sees to that, as soon as it is known what became of the put, and
/// again if it fails: a lease that is kept alive would keep the place for ever.
#[derive(Debug)]
pub(crate) struct Place {
    client: Client,
    pub(crate) key: Bytes,
    pub(crate) created: Revision,
    prefix: String,
    lease: LeaseId,
    held: Arc<Held>,
}

impl Place {
    /// Queues for `name`, with `value` for others to see. Every call queues anew, under a key of its own: two
    /// tasks that share a lease exclude each other like any others.
    pub(crate) async fn queue(client: &Client, name: &str, lease: &Lease, value: Bytes) -> Result<Place> {
        let prefix = format!("{name}/");
        let key = Bytes::from(format!("{prefix}{:x}-{}", lease.id(), client.unique()));
        let hung = if planted!("lock_without_lease") { 0 } else { lease.id() };
        let put = PutRequest { key: key.clone(), value, lease: hung, ..PutRequest::default() };
        let (client, held) = (client.clone(), client.hold(key.clone()));
        let mut place = Place { client, key, created: 0, prefix, lease: lease.id(), held };
        let answer = place.client.holding(&place.held).put_request(put);
        place.created = answer.await?.header.map_or(0, |header| header.revision);
        Ok(place)
    }

    /// Waits until nobody is before this place, then makes sure that it is still there.
    pub(crate) async fn wait(&self) -> Result<()> {
        while let (Some(before), revision) = self.before().await? {
            if planted!("lock_without_waiting") {
                break;
            }
            self.gone(&before, revision).await?;
        }
        if self.is_held().await? || planted!("lock_not_looked_at_again") { Ok(()) } else { Err(self.lost()) }
    }

    fn lost(&self) -> crate::Error {
        ErrorKind::LeaseNotFound { id: self.lease }.into()
    }

    /// The newest place before this one, and the revision at which that was so.
    async fn before(&self) -> Result<(Option<KeyValue>, Revision)> {
        let mut older = RangeRequest::prefix(&self.prefix)
            .sorted_by(SortTarget::Create, SortOrder::Descend)
            .with_limit(1);
        older.max_create_revision = self.created - 1;
        let mut response = self.client.range(older).await?;
        Ok((response.kvs.pop(), response.revision()))
    }

    /// Waits until a place that was there at `revision` is not. (It may have been taken long before: what
    /// happened then may be compacted, and does not matter.)
    async fn gone(&self, before: &KeyValue, revision: Revision) -> Result<()> {
        let mut watch = self.client.watch(WatchRequest::key(&before.key).from(revision + 1))?;
        while let Some(item) = watch.next().await {
            let is_gone = match item {
                Ok(WatchItem::Events(events)) => {
                    events.iter().any(|event| event.kind == EventKind::Delete as i32)
                }
                Ok(WatchItem::Progress(_)) => false,
                // What the watch would have said is compacted: ask again how things stand.
                Err(error) if matches!(error.kind(), ErrorKind::Compacted { .. }) => true,
                Err(error) => return Err(error),
            };
            if is_gone {
                break;
            }
        }
        Ok(())
    }

    pub(crate) async fn is_held(&self) -> Result<bool> {
        Ok(self.client.get(&self.key).await?.is_some_and(|kv| kv.create_revision == self.created))
    }

    /// The condition that this place is still there, for a transaction.
    pub(crate) fn still_there(&self) -> Compare {
        Compare::create_revision(&self.key, CompareResult::Equal, self.created)
    }

    pub(crate) async fn leave(self) -> Result<()> {
        let answer = self.client.delete(&self.key);
        answer.await?;
        self.held.let_go();
        Ok(())
    }
}

/// A lock that is held. Dropped, it is released (without waiting for the answer); it also ends with its lease.
#[derive(Debug)]
#[must_use = "a lock that is dropped is released"]
pub struct LockGuard {
    place: Place,
}

/// Waits for the lock called `name`, under `lease`, and takes it. Whoever gives up waiting (its future is dropped)
/// leaves the queue, as soon as the cluster agrees on anything.
///
/// # Errors
///
/// [`ErrorKind::LeaseNotFound`] if the lease ended meanwhile; see [`Client`] for the rest. Whatever happens,
/// the place in the queue goes with the lease at the latest.
///
/// # Example
///
/// ```ignore
/// let lease = client.lease(Duration::from_secs(10)).await?;
/// let lock = lock(&client, "jobs/17", &lease).await?;
/// storage.write(lock.token(), "...");       // which refuses tokens lower than the highest it has seen
/// lock.unlock().await?;
/// ```
pub async fn lock(client: &Client, name: &str, lease: &Lease) -> Result<LockGuard> {
    let place = Place::queue(client, name, lease, Bytes::new()).await?;
    place.wait().await?;
    Ok(LockGuard { place })
}

/// Takes the lock called `name` if nobody has it; `None` if somebody does.
///
/// # Errors
///
/// See [`lock`].
pub async fn try_lock(client: &Client, name: &str, lease: &Lease) -> Result<Option<LockGuard>> {
    let place = Place::queue(client, name, lease, Bytes::new()).await?;
    if place.before().await?.0.is_some() {
        place.leave().await?;
        return Ok(None);
    }
    // Nobody is before it; but it may be gone with its lease meanwhile, and somebody behind it own the lock.
    if place.is_held().await? { Ok(Some(LockGuard { place })) } else { Err(place.lost()) }
}

impl LockGuard {
    /// The fencing token: higher for every later holder of this lock.
    pub fn token(&self) -> Revision {
        self.place.created
    }

    /// The key that stands for the lock.
    pub fn key(&self) -> &Bytes {
        &self.place.key
    }

    /// The condition that the lock is still held, for a transaction on this same store: it then needs no
    /// token.
    pub fn still_held(&self) -> Compare {
        self.place.still_there()
    }

    /// Asks the cluster whether the lock is still held. (It may be lost a moment later.)
    ///
    /// # Errors
    ///
    /// See [`Client`].
    pub async fn is_held(&self) -> Result<bool> {
        self.place.is_held().await
    }

    /// Releases the lock.
    ///
    /// # Errors
    ///
    /// See [`Client`]. Whatever the error, the node goes on releasing it.
    pub async fn unlock(self) -> Result<()> {
        self.place.leave().await
    }
}
