//! etcd's service Lease. What it will never know: clocks.

use futures_util::{Stream, StreamExt};
use kvorum_core::planted;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use crate::errors::{inbound, status};
use crate::gateway::Gateway;
use crate::leash::{Leashed, requires_leader};
use crate::pb::etcdserverpb::{self as pb, lease_server::Lease};

/// How many renewals of one stream may wait for their answers at once. A client keeps all its leases on one stream;
/// they share the proof of leadership that each of them needs.
const RENEWALS_AT_ONCE: usize = 1000;

#[tonic::async_trait]
impl Lease for Gateway {
    type LeaseKeepAliveStream = BoxStream<pb::LeaseKeepAliveResponse>;

    async fn lease_grant(
        &self,
        request: Request<pb::LeaseGrantRequest>,
    ) -> Result<Response<pb::LeaseGrantResponse>, Status> {
        let answer = self.client.grant_request(request.into_inner().into()).await;
        answer.map(|granted| Response::new(granted.into())).map_err(status)
    }

    async fn lease_revoke(
        &self,
        request: Request<pb::LeaseRevokeRequest>,
    ) -> Result<Response<pb::LeaseRevokeResponse>, Status> {
        let answer = self.client.revoke(request.into_inner().id).await;
        answer.map(|ended| Response::new(ended.into())).map_err(status)
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<pb::LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let leader = requires_leader(request.metadata().as_ref());
        Ok(Response::new(Box::pin(self.renewals(request.into_inner(), leader))))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<pb::LeaseTimeToLiveRequest>,
    ) -> Result<Response<pb::LeaseTimeToLiveResponse>, Status> {
        let answer = self.client.time_to_live(request.into_inner().into()).await;
        answer.map(|left| Response::new(left.into())).map_err(status)
    }

    /// As etcd does it: from what this member knows, with or without a majority.
    async fn lease_leases(
        &self,
        _: Request<pb::LeaseLeasesRequest>,
    ) -> Result<Response<pb::LeaseLeasesResponse>, Status> {
        if planted!("leases_need_a_majority") {
            self.catch_up().await?;
        }
        Ok(Response::new(self.client.leases_local().into()))
    }
}

impl Gateway {
    /// Renews a client's leases until it has asked for everything, or something ends the stream.
    pub(crate) fn renewals<R>(
        &self,
        requests: R,
        leader: bool,
    ) -> impl Stream<Item = Result<pb::LeaseKeepAliveResponse, Status>> + Send + Unpin + use<R>
    where
        R: Stream<Item = Result<pb::LeaseKeepAliveRequest, Status>> + Send + Unpin,
    {
        let answers = Box::pin(renew(self.client.clone(), requests));
        Leashed::new(answers, self.end_of_stream(leader))
    }
}

/// Renews what is asked for, and answers in the same order.
fn renew(
    client: kvorum_core::Client,
    requests: impl Stream<Item = Result<pb::LeaseKeepAliveRequest, Status>>,
) -> impl Stream<Item = Result<pb::LeaseKeepAliveResponse, Status>> {
    let ask = move |request: Result<pb::LeaseKeepAliveRequest, Status>| {
        let answer = request.map(|request| client.keep_alive(request.id));
        async move { answer.map_err(inbound)?.await.map(Into::into).map_err(status) }
    };
    requests.map(ask).buffered(RENEWALS_AT_ONCE)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use kvorum_core::request::{
        LeaseGrantRequest, LeaseTimeToLiveRequest, PutRequest, RequestKind, RequestOp, TxnRequest,
    };

    use crate::woken::Woken;

    /// More than are copied under one lock.
    const MANY: usize = 9000;

    #[test]
    fn the_keys_of_a_lease_are_told_in_slices() {
        let node = kvorum::Node::builder().tune(|config| config.limits.txn_ops = MANY).start().unwrap();
        let client = node.client();
        client.grant_request(LeaseGrantRequest { ttl: 600, id: 7 }).wait().unwrap();
        let put = |at: usize| {
            let put = PutRequest { lease: 7, ..PutRequest::new(format!("k{at:04}"), "") };
            RequestOp { request: Some(RequestKind::Put(put)) }
        };
        let all = TxnRequest { success: (0..MANY).map(put).collect(), ..TxnRequest::default() };
        client.txn(all).wait().unwrap();

        let mut answer = pin!(client.time_to_live(LeaseTimeToLiveRequest { id: 7, keys: true }));
        let woken = Arc::<Woken>::default();
        let waker = woken.clone().into();
        let mut turns = 0;
        let answer = loop {
            match answer.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(answer) => break answer.unwrap(),
                Poll::Pending => turns += 1,
            }
            while woken.count() < turns {
                std::thread::yield_now();
            }
        };
        // One more, if the node had not answered yet.
        assert!((3..=4).contains(&turns), "{MANY} keys, 2000 at a time, in {turns} turns");
        assert_eq!((answer.granted_ttl, answer.keys.len()), (600, MANY));
        assert!(answer.keys.is_sorted_by(|one, next| one < next), "each once, in order");
    }
}
