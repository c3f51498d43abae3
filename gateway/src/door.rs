//! Where every request comes in: is it admitted, and whose is it? gRPC goes to etcd's services straight away, the rest
//! to plain HTTP. What it will never know: what is asked.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, Version, header};
use hyper::body::Incoming;
use kvorum_core::planted;
use tonic::codegen::{BoxFuture, Service};
use tonic::{Code, Status, body::Body};

use crate::arriving::Arriving;
use crate::errors::{CLIENT_VERSION, NO_LEADER, TOO_MANY, inbound};
use crate::gateway::{Gateway, Permit};
use crate::half_closed::Owed;
use crate::leash::requires_leader;
use crate::leaving::Leaving;
use crate::metrics::Under;
use crate::pb::etcdserverpb::{
    auth_server::{self, AuthServer},
    cluster_server::{self, ClusterServer},
    kv_server::{self, KvServer},
    lease_server::{self, LeaseServer},
    maintenance_server::{self, MaintenanceServer},
    watch_server::{self, WatchServer},
};
use crate::pb::health::health_server::{self, HealthServer};
use crate::pb::v3electionpb::election_server::{self, ElectionServer};
use crate::pb::v3lockpb::lock_server::{self, LockServer};
use crate::web;

/// One for each connection: cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    gateway: Arc<Gateway>,
    /// Only health and metrics are answered here.
    is_for_metrics: bool,
    owed: Owed,
}

impl Gateway {
    /// Refuses what etcd refuses before it looks at a request.
    pub(crate) fn let_in(self: &Arc<Gateway>, headers: &HeaderMap) -> Result<Permit, Status> {
        let version = headers.get("client-api-version");
        if version.is_some_and(|value| std::str::from_utf8(value.as_bytes()).is_err()) {
            return Err(CLIENT_VERSION.into());
        }
        if requires_leader(headers) && !self.has_leader() {
            return Err(NO_LEADER.into());
        }
        self.admit().ok_or_else(|| TOO_MANY.into())
    }
}

impl Door {
    pub(crate) fn new(gateway: Arc<Gateway>) -> Door {
        Door { gateway, is_for_metrics: false, owed: Owed::default() }
    }

    /// For those who look at the member, and must not touch what is in it.
    pub(crate) fn for_metrics(gateway: Arc<Gateway>) -> Door {
        Door { gateway, is_for_metrics: true, owed: Owed::default() }
    }

    /// The same for one connection.
    pub(crate) fn of(self, owed: Owed) -> Door {
        Door { owed, ..self }
    }

    /// Hands a gRPC request to its service. `is_one`: it is one message, and no stream.
    fn serve(&self, request: Request<Incoming>, is_one: bool) -> Serving {
        let (here, limit) = (self.gateway.clone(), self.gateway.message_limit());
        let path = request.uri().path();
        let Some((service, _)) = service_and_method(path) else {
            return refuse(Status::unimplemented(format!("malformed method name: {path:?}")));
        };
        macro_rules! to {
            ($server:ident) => {{
                let request = request.map(|body| Arriving::new(body, here.clone(), is_one));
                $server::from_arc(here).max_decoding_message_size(limit).call(request)
            }};
        }
        match service {
            kv_server::SERVICE_NAME => to!(KvServer),
            watch_server::SERVICE_NAME => to!(WatchServer),
            lease_server::SERVICE_NAME => to!(LeaseServer),
            cluster_server::SERVICE_NAME => to!(ClusterServer),
            maintenance_server::SERVICE_NAME => to!(MaintenanceServer),
            auth_server::SERVICE_NAME => to!(AuthServer),
            lock_server::SERVICE_NAME => to!(LockServer),
            health_server::SERVICE_NAME => to!(HealthServer),
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
        let (here, owed) = (self.gateway.clone(), self.owed.clone());
        let gateway = here.clone();
        let plain = |serving| Passage { gateway, serving, permit: None, path: None, under: None };
        if request.version() < Version::HTTP_2 {
            // At once: the end of what can be read may be seen before the request is looked at.
            owed.begin();
        }
        if self.is_for_metrics && !planted!("metrics_port_serves_all") {
            return plain(Box::pin(async move { Ok(web::answer_metrics(here, owed, request).await) }));
        }
        if !is_grpc(&request) {
            return plain(Box::pin(async move { Ok(web::answer(here, owed, request).await) }));
        }
        let path = request.uri().path_and_query().cloned();
        let under = Under::begin(&here, request.uri().path().trim_start_matches('/'));
        let (serving, permit) = match here.let_in(request.headers()) {
            Ok(permit) => {
                let is_one = under.as_ref().is_none_or(Under::asks_once);
                (self.serve(request, is_one), Some(permit))
            }
            Err(status) => (refuse(status), None),
        };
        Passage { gateway: here, serving, permit, path, under }
    }
}

type Serving = BoxFuture<Response<Body>, Infallible>;

/// A request on its way to an answer.
pub(crate) struct Passage {
    gateway: Arc<Gateway>,
    serving: Serving,
    permit: Option<Permit>,
    /// Of a gRPC request.
    path: Option<PathAndQuery>,
    under: Option<Under>,
}

impl Future for Passage {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.serving.as_mut().poll(context));
        self.permit = None;
        let (path, under) = (self.path.take(), self.under.take());
        let answer = answer.map(|answer| match path {
            Some(path) => in_etcds_words(answer, path.path()),
            None => answer,
        });
        if let (Some(under), Ok(answer)) = (under, &answer) {
            let code = answer.headers().get(Status::GRPC_STATUS);
            under.end(code.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes())));
        }
        let leaving = |body| Leaving::of(body, self.gateway.clone());
        Poll::Ready(answer.map(|answer| answer.map(leaving)))
    }
}

/// Replaces what tonic says of too large a request, and what it leaves unsaid of a method that does not exist.
fn in_etcds_words(answer: Response<Body>, path: &str) -> Response<Body> {
    let Some(code) = answer.headers().get(Status::GRPC_STATUS) else { return answer };
    let said = Status::from_header_map(answer.headers());
    match (Code::from_bytes(code.as_bytes()), said) {
        (Code::OutOfRange, Some(said)) => inbound(said).into_http(),
        (Code::Unimplemented, Some(said)) if said.message().is_empty() => unknown_method(path).into_http(),
        _ => answer,
    }
}

/// As etcd's gRPC library takes a path apart.
fn service_and_method(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix('/')?.rsplit_once('/')
}

fn unknown_method(path: &str) -> Status {
    let (service, method) = service_and_method(path).unwrap_or_default();
    Status::unimplemented(format!("unknown method {method} for service {service}"))
}
