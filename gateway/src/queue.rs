//! The queue that locks and elections stand in, with etcd's names: whoever has the oldest key under `name/` has the
//! name, and everybody waits for the one before. What it will never know: gRPC, or what the name stands for.
//!
//! Two tasks that share a lease share a place, as in etcd; [`kvorum_core::lock`] is for those who must not.

use bytes::{BufMut, Bytes, BytesMut};
use kvorum_core::ids::{LeaseId, Revision};
use kvorum_core::request::{
    Compare, CompareResult, DeleteRangeRequest, Event, KeyValue, RangeRequest, ResponseOp, SortOrder,
    SortTarget, TxnRequest, TxnResponse, WatchRequest,
};
use kvorum_core::{Client, ErrorKind, Result, WatchItem, planted, prefix_end};

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
    dropped: Dropped,
}

/// What becomes of a place that is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropped {
    Stays,
    Goes,
    /// It goes if somebody is before it.
    GoesIfBehind,
}

/// Takes the place `key` with a transaction whose first answer, if it does not succeed, is the place that the lease has
/// already. In a task of its own: what is under way when the call ends is done all the same, and then somebody has to
/// be there to take the place back. One that was found was another call's, which may have been told that it has the name
/// if nobody is before it: then it stays whatever becomes of this call.
pub(crate) async fn stand(
    client: &Client,
    prefix: Bytes,
    key: Bytes,
    take: TxnRequest,
) -> Result<(Place, TxnResponse)> {
    let standing = stood(client.clone(), prefix, key, take);
    let (mut place, answer) = match planted!("abandoned_place_stays") {
        true => standing.await?,
        // It does not come to its end if the runtime comes to its own.
        false => tokio::spawn(standing).await.unwrap_or_else(|_| Err(ErrorKind::Stopped.into()))?,
    };
    let is_anothers = place.dropped == Dropped::Stays && !planted!("found_place_goes");
    place.dropped = if is_anothers { Dropped::GoesIfBehind } else { Dropped::Goes };
    Ok((place, answer))
}

/// A place that nobody may wait for any more. One that was there already is another call's. And another call of this
/// lease, through any member, may have found this one meanwhile: a client that was not answered in time asks again. If
/// nobody is before it, that call has been told that it has the name, as this one would have been: it stays. Else it
/// waits, and looks again when it has waited.
async fn stood(client: Client, prefix: Bytes, key: Bytes, take: TxnRequest) -> Result<(Place, TxnResponse)> {
    let answer = client.txn(take).await?;
    let created = found(&answer).map_or(answer.revision(), |kv| kv.create_revision);
    let is_anothers = !answer.succeeded && !planted!("found_place_left");
    let dropped = if is_anothers { Dropped::Stays } else { Dropped::GoesIfBehind };
    Ok((Place { client, prefix, key, created, dropped }, answer))
}

/// The place that the lease had already.
pub(crate) fn found(stood: &TxnResponse) -> Option<&KeyValue> {
    stood.responses.first().and_then(ResponseOp::as_range).and_then(|found| found.kvs.first())
}

impl Place {
    /// Waits until nobody is before it.
    pub(crate) async fn wait(&self) -> Result<()> {
        while let (Some(before), revision) = self.before().await? {
            self.gone(&before, revision).await?;
        }
        Ok(())
    }

    /// It stays.
    pub(crate) fn take(mut self) {
        self.dropped = Dropped::Stays;
    }

    /// Whether it is there.
    pub(crate) async fn is_there(&self) -> Result<bool> {
        let here = self.client.get(&self.key).await?;
        Ok(here.is_some_and(|kv| kv.create_revision == self.created))
    }

    /// The condition that nobody is before it.
    fn is_first(&self) -> Compare {
        let is_later = Compare::create_revision(&self.prefix, CompareResult::Greater, self.created - 1);
        Compare { range_end: prefix_end(&self.prefix), ..is_later }
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
        let leave = match self.dropped {
            Dropped::Stays => return,
            Dropped::GoesIfBehind if !planted!("first_place_left") => {
                TxnRequest::new().when(self.is_first()).otherwise(leave(&self.key, self.created))
            }
            Dropped::Goes | Dropped::GoesIfBehind => leave(&self.key, self.created),
        };
        drop(self.client.txn(leave));
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
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::FutureExt;
    use kvorum::{Node, transports::MemoryNetwork};
    use kvorum_core::request::{LeaseGrantRequest, PutRequest};
    use tonic::Request;

    use super::*;
    use crate::gateway::Gateway;
    use crate::options::Options;
    use crate::pb::v3electionpb::{CampaignRequest, election_server::Election};
    use crate::pb::v3lockpb::{LockRequest, lock_server::Lock};

    #[test]
    fn keys_are_named_as_etcd_names_them() {
        assert_eq!(&key(&prefix(b"jobs"), 0x6f4b_a203)[..], b"jobs/6f4ba203");
        assert_eq!(&key(&prefix(b""), -7)[..], b"/-7");
        assert_eq!(&key(b"a/", LeaseId::MIN)[..], b"a/-8000000000000000");
    }

    const LEASE: LeaseId = 7;

    /// Waits for an answer, but not for ever.
    async fn soon<T>(answer: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(20), answer).await.expect("in time")
    }

    /// Two members, so that nothing is agreed on while they are parted; the gateway of one, and a lease.
    async fn two() -> (MemoryNetwork, Vec<Node>, Arc<Gateway>) {
        let network = MemoryNetwork::new();
        let peers = [1, 2].map(|id| (id, ""));
        let node =
            |(id, _)| Node::builder().id(id).peers(peers).transport(network.transport()).start().unwrap();
        let nodes = Vec::from(peers.map(node));
        let granted = soon(nodes[0].client().grant_request(LeaseGrantRequest { ttl: 600, id: LEASE }));
        granted.await.unwrap();
        let gateway = Gateway::new(nodes[0].client(), Options::default());
        (network, nodes, gateway)
    }

    #[tokio::test]
    async fn a_place_is_left_whose_call_ends_while_it_is_taken() {
        let (network, _nodes, gateway) = two().await;
        for (first, key) in [("l/1", "l/7"), ("e/1", "e/7")] {
            gateway.client.put(first, "").await.unwrap();
            let mut watch = gateway.client.watch(WatchRequest::key(key)).unwrap();
            network.cut(1, 2);
            let lock = LockRequest { name: "l".into(), lease: LEASE };
            let campaign = CampaignRequest { name: "e".into(), lease: LEASE, ..Default::default() };
            let answered = match key {
                "l/7" => gateway.lock(Request::new(lock)).now_or_never().is_some(),
                _ => gateway.campaign(Request::new(campaign)).now_or_never().is_some(),
            };
            assert!(!answered, "nothing can be agreed on, and the call has ended now");
            network.heal(1, 2);
            let mut seen = Vec::new();
            while seen.len() < 2 {
                if let Ok(WatchItem::Events(events)) = soon(watch.next()).await.unwrap() {
                    seen.extend(events.iter().map(Event::is_put));
                }
            }
            assert_eq!(seen, [true, false], "{key}");
        }
    }

    /// Takes a place for a call that has ended meanwhile; whether it is there when that is seen to.
    async fn stays(client: &Client, key: &'static str) -> bool {
        let put = PutRequest::new(key, []).with_lease(LEASE);
        let take = TxnRequest::new().when(Compare::is_missing(key)).then(put);
        let take = take.otherwise(RangeRequest::key(key));
        drop(stood(client.clone(), "l/".into(), key.into(), take).await.unwrap());
        // Done after whatever the drop has asked for.
        client.put("behind", "").await.unwrap();
        client.get(key).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn a_place_of_a_call_that_has_ended_stays_if_another_may_have_it() {
        let node = Node::builder().start().unwrap();
        let client = node.client();
        client.grant_request(LeaseGrantRequest { ttl: 600, id: LEASE }).await.unwrap();
        assert!(
            stays(&client, "l/7").await,
            "whoever asks again with this lease is told that it has the lock"
        );
        assert!(!stays(&client, "l/8").await, "one behind it");
        client.put("l/9", "").await.unwrap();
        assert!(stays(&client, "l/9").await, "one that was there before");
    }

    #[tokio::test]
    async fn a_call_that_ends_does_not_take_away_what_an_earlier_one_has() {
        let node = Node::builder().start().unwrap();
        let gateway = Gateway::new(node.client(), Options::default());
        let client = &gateway.client;
        client.grant_request(LeaseGrantRequest { ttl: 600, id: LEASE }).await.unwrap();
        let take = |key: &'static str| {
            let put = PutRequest::new(key, []).with_lease(LEASE);
            let take = TxnRequest::new().when(Compare::is_missing(key)).then(put);
            stand(client, "l/".into(), key.into(), take.otherwise(RangeRequest::key(key)))
        };
        let is_there = async |key: &'static str| {
            // Done after whatever a drop has asked for.
            client.put("behind", "").await.unwrap();
            client.get(key).await.unwrap().is_some()
        };
        take("l/7").await.unwrap().0.take();
        drop(take("l/7").await.unwrap());
        assert!(is_there("l/7").await, "the first was told that it has the name");
        let (waits, _) = take("l/8").await.unwrap();
        drop(take("l/8").await.unwrap());
        assert!(!is_there("l/8").await, "nobody was told so: somebody is before it");
        drop(waits);
    }
}
