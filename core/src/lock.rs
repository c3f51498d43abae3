//! Locks, with the number that makes them safe.
//!
//! A lock's holder is whoever holds the oldest key under the lock's name; each key hangs on its owner's
//! lease and so goes with it. That alone is *not* mutual exclusion: a holder may be paused, lose its lease,
//! and wake up believing that it still holds the lock. So every lock comes with a fencing token, a number
//! that is higher for every later holder: whatever the lock protects must remember the highest token that it
//! has seen and refuse lower ones.

use bytes::Bytes;

use crate::client::Client;
use crate::error::{ErrorKind, Result};
use crate::ids::Revision;
use crate::lease::Lease;
use crate::request::{
    Compare, CompareResult, DeleteRangeRequest, EventKind, KeyValue, PutRequest, RangeRequest, ResponseKind,
    SortOrder, SortTarget, TxnRequest, WatchRequest,
};
use crate::watch::WatchItem;

/// A place in the queue for a name: held, or waited for. The oldest one under the name owns it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    client: Client,
    pub(crate) key: Bytes,
    pub(crate) created: Revision,
    prefix: String,
}

impl Place {
    /// Queues for `name`, with `value` for others to see. The same lease queues once.
    pub(crate) async fn queue(client: &Client, name: &str, lease: &Lease, value: Bytes) -> Result<Place> {
        let prefix = format!("{name}/");
        let key = Bytes::from(format!("{prefix}{:x}", lease.id()));
        let put = PutRequest { key: key.clone(), value, lease: lease.id(), ..PutRequest::default() };
        let txn = TxnRequest::new()
            .when(Compare::create_revision(&key, CompareResult::Equal, 0))
            .then(put)
            .otherwise(RangeRequest::key(&key));
        let response = client.txn(txn).await?;
        let at = response.header.map_or(0, |header| header.revision);
        let created = match response.responses.into_iter().next().and_then(|op| op.response) {
            Some(ResponseKind::Range(range)) => range.kvs.first().map_or(at, |kv| kv.create_revision),
            _ => at,
        };
        Ok(Place { client: client.clone(), key, created, prefix })
    }

    /// Waits until nobody is before this place, then makes sure that it is still there.
    pub(crate) async fn wait(&self) -> Result<()> {
        while let Some(before) = self.before().await? {
            self.gone(&before).await?;
        }
        if self.is_held().await? { Ok(()) } else { Err(self.lost()) }
    }

    fn lost(&self) -> crate::Error {
        let id = self.key.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let id = std::str::from_utf8(id).ok().and_then(|hex| u64::from_str_radix(hex, 16).ok());
        ErrorKind::LeaseNotFound { id: id.unwrap_or(0) as i64 }.into()
    }

    /// The newest place before this one.
    async fn before(&self) -> Result<Option<KeyValue>> {
        let mut older = RangeRequest::prefix(&self.prefix)
            .sorted_by(SortTarget::Create, SortOrder::Descend)
            .with_limit(1);
        older.max_create_revision = self.created - 1;
        Ok(self.client.range(older).await?.kvs.pop())
    }

    async fn gone(&self, before: &KeyValue) -> Result<()> {
        let mut watch = self.client.watch(WatchRequest::key(&before.key).from(before.mod_revision + 1))?;
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

    pub(crate) async fn leave(&self) -> Result<()> {
        let delete = TxnRequest::new().when(self.still_there()).then(DeleteRangeRequest::key(&self.key));
        self.client.txn(delete).await.map(|_| ())
    }

    /// Leaves without waiting for the answer.
    pub(crate) fn leave_behind(&self) {
        let delete = TxnRequest::new().when(self.still_there()).then(DeleteRangeRequest::key(&self.key));
        drop(self.client.txn(delete));
    }
}

/// A lock that is held. Dropped, it is released (without waiting for the answer); it also ends with its lease.
#[derive(Debug)]
pub struct LockGuard {
    place: Place,
    is_released: bool,
}

/// Waits for the lock called `name`, under `lease`, and takes it.
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
    // From here on, whoever gives up waiting leaves the queue.
    let guard = LockGuard { place, is_released: false };
    guard.place.wait().await?;
    Ok(guard)
}

/// Takes the lock called `name` if nobody has it; `None` if somebody does.
///
/// # Errors
///
/// See [`lock`].
pub async fn try_lock(client: &Client, name: &str, lease: &Lease) -> Result<Option<LockGuard>> {
    let place = Place::queue(client, name, lease, Bytes::new()).await?;
    let mut guard = LockGuard { place, is_released: false };
    if guard.place.before().await?.is_some() {
        guard.is_released = true;
        guard.place.leave().await?;
        return Ok(None);
    }
    Ok(Some(guard))
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
    /// See [`Client`].
    pub async fn unlock(mut self) -> Result<()> {
        self.is_released = true;
        self.place.leave().await
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if !self.is_released {
            self.place.leave_behind();
        }
    }
}
