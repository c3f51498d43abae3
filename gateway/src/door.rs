//! Where every request comes in: is it admitted, and whose is it? gRPC goes to etcd's services straight away, the rest
//! to the routes of plain HTTP. What it will never know: what is asked.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use http::{HeaderMap, Request, Response, Version, header};
use hyper::body::Incoming;
use tonic::codegen::{BoxFuture, Service};
use tonic::{Code, Status, body::Body};

use crate::errors::{CLIENT_VERSION, NO_LEADER, TOO_MANY, inbound};
use crate::gateway::{Gateway, Permit};
use crate::leash::requires_leader;
use crate::pb::etcdserverpb::{
    auth_server::{self, AuthServer},
    cluster_server::{self, ClusterServer},
    kv_server::{self, KvServer},
    lease_server::{self, LeaseServer},
    maintenance_server::{self, MaintenanceServer},
    watch_server::{self, WatchServer},
};
use crate::pb::v3electionpb::election_server::{self, ElectionServer};
use crate::pb::v3lockpb::lock_server::{self, LockServer};

/// One for each connection: cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    gateway: Arc<Gateway>,
    http: Router,
}

impl Door {
    pub(crate) fn new(gateway: Arc<Gateway>, http: Router) -> Door {
        Door { gateway, http }
    }

    /// Refuses what etcd refuses before it looks at a request.
    fn admit(&self, headers: &HeaderMap) -> Result<Permit, Status> {
        let version = headers.get("client-api-version");
        if version.is_some_and(|value| std::str::from_utf8(value.as_bytes()).is_err()) {
            return Err(CLIENT_VERSION.into());
        }
        if requires_leader(headers) && !self.gateway.has_leader() {
            return Err(NO_LEADER.into());
        }
        self.gateway.admit().ok_or_else(|| TOO_MANY.into())
    }

    /// Hands a gRPC request to its service.
    fn serve(&self, request: Request<Incoming>) -> Serving {
        let (here, limit) = (self.gateway.clone(), self.gateway.message_limit());
        let service = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
        macro_rules! to {
            ($server:ident) => {
                $server::from_arc(here).max_decoding_message_size(limit).call(request)
            };
        }
        match service {
            kv_server::SERVICE_NAME => to!(KvServer),
            watch_server::SERVICE_NAME => to!(WatchServer),
            lease_server::SERVICE_NAME => to!(LeaseServer),
            cluster_server::SERVICE_NAME => to!(ClusterServer),
            maintenance_server::SERVICE_NAME => to!(MaintenanceServer),
            auth_server::SERVICE_NAME => to!(AuthServer),
            lock_server::SERVICE_NAME => to!(LockServer),
            election_server::SERVICE_NAME => to!(ElectionServer),
            unknown => refuse(Status::unimplemented(format!("unknown service {unknown}"))),
        }
    }
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    request.version() == Version::HTTP_2
        && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn refuse(status: Status) -> Serving {
    Box::pin(std::future::ready(Ok(status.into_http())))
}

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Passage;

    fn call(&self, request: Request<Incoming>) -> Passage {
        if !is_grpc(&request) {
            let mut http = self.http.clone();
            let answer = async move { http.call(request).await.map(|answer| answer.map(Body::new)) };
            return Passage { serving: Box::pin(answer), permit: None };
        }
        match self.admit(request.headers()) {
            Ok(permit) => Passage { serving: self.serve(request), permit: Some(permit) },
            Err(status) => Passage { serving: refuse(status), permit: None },
        }
    }
}

type Serving = BoxFuture<Response<Body>, Infallible>;

/// A request on its way to an answer.
pub(crate) struct Passage {
    serving: Serving,
    permit: Option<Permit>,
}

impl Future for Passage {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.serving.as_mut().poll(context));
        self.permit = None;
        Poll::Ready(answer.map(in_etcds_words))
    }
}

/// Replaces what tonic says of too large a request.
fn in_etcds_words(answer: Response<Body>) -> Response<Body> {
    let code = answer.headers().get(Status::GRPC_STATUS).map(|code| code.as_bytes());
    if code.map(Code::from_bytes) != Some(Code::OutOfRange) {
        return answer;
    }
    match Status::from_header_map(answer.headers()) {
        Some(status) => inbound(status).into_http(),
        None => answer,
    }
}
