//! The queue that locks and elections stand in, with etcd's names: whoever has the oldest key under `name/` has the
//! name, and everybody waits for the one before. What it will never know: gRPC, or what the name stands for.
//!
//! Two tasks that share a lease share a place, as in etcd; [`kvorum_core::lock`] is for those who must not.

use bytes::{BufMut, Bytes, BytesMut};
use kvorum_core::ids::{LeaseId, Revision};
use kvorum_core::request::{
    Compare, CompareResult, DeleteRangeRequest, Event, KeyValue, RangeRequest, SortOrder, SortTarget,
    TxnRequest, WatchRequest,
};
use kvorum_core::{Client, ErrorKind, Result, WatchItem};

/// How long a lease that was made for a call lives: etcd's number, in seconds.
const OWN_LEASE: i64 = 60;

/// The lease to stand on: the one given, or (0) a new one. Nobody renews that: whoever wants to keep what hangs on it
/// finds its number in the key.
pub(crate) async fn lease(client: &Client, given: LeaseId) -> Result<LeaseId> {
    if given != 0 {
        return Ok(given);
    }
    let request = kvorum_core::request::LeaseGrantRequest { ttl: OWN_LEASE, id: 0 };
    client.grant_request(request).await.map(|granted| granted.id)
}

/// What the keys of a name begin with.
pub(crate) fn prefix(name: &[u8]) -> Bytes {
    let mut prefix = BytesMut::with_capacity(name.len() + 1);
    prefix.put_slice(name);
    prefix.put_u8(b'/');
    prefix.freeze()
}

/// The key of a lease under a name: the number in lower-case hexadecimal, with a sign.
pub(crate) fn key(prefix: &[u8], lease: LeaseId) -> Bytes {
    let sign = if lease < 0 { "-" } else { "" };
    [prefix, format!("{sign}{:x}", lease.unsigned_abs()).as_bytes()].concat().into()
}

/// Asks for the oldest key under a name.
pub(crate) fn oldest(prefix: &[u8]) -> RangeRequest {
    RangeRequest::prefix(prefix).sorted_by(SortTarget::Create, SortOrder::Ascend).with_limit(1)
}

/// A place in a queue. Left when it is dropped, unless it was taken: whoever stops waiting must not come to have the
/// name behind its own back.
#[derive(Debug)]
pub(crate) struct Place {
    client: Client,
    prefix: Bytes,
    pub(crate) key: Bytes,
    pub(crate) created: Revision,
    is_taken: bool,
}

impl Place {
    pub(crate) fn new(client: &Client, prefix: Bytes, key: Bytes, created: Revision) -> Place {
        Place { client: client.clone(), prefix, key, created, is_taken: false }
    }

    /// Waits until nobody is before it.
    pub(crate) async fn wait(&self) -> Result<()> {
        while let (Some(before), revision) = self.before().await? {
            self.gone(&before, revision).await?;
        }
        Ok(())
    }

    /// It stays.
    pub(crate) fn take(mut self) {
        self.is_taken = true;
    }

    /// The newest place before this one, and the revision at which that was so.
    async fn before(&self) -> Result<(Option<KeyValue>, Revision)> {
        let newest = RangeRequest::prefix(&self.prefix).sorted_by(SortTarget::Create, SortOrder::Descend);
        let older = RangeRequest { max_create_revision: self.created - 1, ..newest.with_limit(1) };
        let mut response = self.client.range(older).await?;
        Ok((response.kvs.pop(), response.revision()))
    }

    /// Waits until a key that was there at `revision` is not.
    async fn gone(&self, before: &KeyValue, revision: Revision) -> Result<()> {
        let mut watch = self.client.watch(WatchRequest::key(&before.key).from(revision + 1))?;
        while let Some(item) = watch.next().await {
            match item {
                Ok(WatchItem::Events(events)) if !events.iter().all(Event::is_put) => break,
                Ok(_) => {}
                // What the watch would have said is compacted: look again how things stand.
                Err(error) if matches!(error.kind(), ErrorKind::Compacted { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_taken {
            drop(self.client.txn(leave(&self.key, self.created)));
        }
    }
}

/// The condition that a key is still the one that was created then.
pub(crate) fn is_the_same(key: &[u8], created: Revision) -> Compare {
    Compare::create_revision(key, CompareResult::Equal, created)
}

/// Deletes a key if it is still the one that was created then.
pub(crate) fn leave(key: &[u8], created: Revision) -> TxnRequest {
    TxnRequest::new().when(is_the_same(key, created)).then(DeleteRangeRequest::key(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_etcd_names_them() {
        assert_eq!(&key(&prefix(b"jobs"), 0x6f4b_a203)[..], b"jobs/6f4ba203");
        assert_eq!(&key(&prefix(b""), -7)[..], b"/-7");
        assert_eq!(&key(b"a/", LeaseId::MIN)[..], b"a/-8000000000000000");
    }
}
