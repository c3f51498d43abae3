//! etcd's paths, and the service behind each: one table. The services are the ones that gRPC has; there is no second
//! one of any. What it will never know: how a message is read or written.

use std::sync::Arc;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, StdError};

use super::ask::Ask;
use super::body::Values;
use super::{answer, metadata};
use crate::gateway::Gateway;
use crate::pb::etcdserverpb::{
    auth_server::Auth, cluster_server::Cluster, kv_server::Kv, lease_server::Lease,
    maintenance_server::Maintenance,
};
use crate::pb::v3electionpb::election_server::Election;
use crate::pb::v3lockpb::lock_server::Lock;

type Route = fn(Ask) -> BoxFuture<Response<Body>, StdError>;

/// A route with one message in and one out.
macro_rules! unary {
    ($service:ident :: $method:ident) => {
        |mut ask| {
            Box::pin(async move {
                let request = match ask.one().await {
                    Ok(request) => request,
                    Err(status) => return Ok(answer::refused(&status)),
                };
                Ok(match $service::$method(&*ask.gateway, request).await {
                    Ok(answer) => answer::one(answer.get_ref()),
                    Err(status) => answer::refused(&status),
                })
            })
        }
    };
}

/// A route with one message in and a stream of them out.
macro_rules! stream {
    ($service:ident :: $method:ident) => {
        |mut ask| {
            Box::pin(async move {
                let request = match ask.one().await {
                    Ok(request) => request,
                    Err(status) => return Ok(answer::refused(&status)),
                };
                Ok(match $service::$method(&*ask.gateway, request).await {
                    Ok(answers) => answer::stream(answers.into_inner()).await,
                    Err(status) => answer::refused(&status),
                })
            })
        }
    };
}

/// A route with a stream of messages in and one out.
macro_rules! both {
    ($method:ident) => {
        |ask| {
            Box::pin(async move {
                let (gateway, leader) = (ask.gateway.clone(), ask.requires_leader());
                Ok(answer::stream(gateway.$method(ask.many(), leader)).await)
            })
        }
    };
}

/// Behind `/v3/`.
const ROUTES: &[(&str, Route)] = &[
    ("kv/range", unary!(Kv::range)),
    ("kv/put", unary!(Kv::put)),
    ("kv/deleterange", unary!(Kv::delete_range)),
    ("kv/txn", unary!(Kv::txn)),
    ("kv/compaction", unary!(Kv::compact)),
    ("watch", both!(watches)),
    ("lease/grant", unary!(Lease::lease_grant)),
    ("lease/revoke", unary!(Lease::lease_revoke)),
    ("kv/lease/revoke", unary!(Lease::lease_revoke)),
    ("lease/keepalive", both!(renewals)),
    ("lease/timetolive", unary!(Lease::lease_time_to_live)),
    ("kv/lease/timetolive", unary!(Lease::lease_time_to_live)),
    ("lease/leases", unary!(Lease::lease_leases)),
    ("kv/lease/leases", unary!(Lease::lease_leases)),
    ("cluster/member/add", unary!(Cluster::member_add)),
    ("cluster/member/remove", unary!(Cluster::member_remove)),
    ("cluster/member/update", unary!(Cluster::member_update)),
    ("cluster/member/list", unary!(Cluster::member_list)),
    ("cluster/member/promote", unary!(Cluster::member_promote)),
    ("maintenance/alarm", unary!(Maintenance::alarm)),
    ("maintenance/status", unary!(Maintenance::status)),
    ("maintenance/defragment", unary!(Maintenance::defragment)),
    ("maintenance/hash", unary!(Maintenance::hash)),
    ("maintenance/hashkv", unary!(Maintenance::hash_kv)),
    ("maintenance/snapshot", stream!(Maintenance::snapshot)),
    ("maintenance/transfer-leadership", unary!(Maintenance::move_leader)),
    ("maintenance/downgrade", unary!(Maintenance::downgrade)),
    ("auth/enable", unary!(Auth::auth_enable)),
    ("auth/disable", unary!(Auth::auth_disable)),
    ("auth/status", unary!(Auth::auth_status)),
    ("auth/authenticate", unary!(Auth::authenticate)),
    ("auth/user/add", unary!(Auth::user_add)),
    ("auth/user/get", unary!(Auth::user_get)),
    ("auth/user/list", unary!(Auth::user_list)),
    ("auth/user/delete", unary!(Auth::user_delete)),
    ("auth/user/changepw", unary!(Auth::user_change_password)),
    ("auth/user/grant", unary!(Auth::user_grant_role)),
    ("auth/user/revoke", unary!(Auth::user_revoke_role)),
    ("auth/role/add", unary!(Auth::role_add)),
    ("auth/role/get", unary!(Auth::role_get)),
    ("auth/role/list", unary!(Auth::role_list)),
    ("auth/role/delete", unary!(Auth::role_delete)),
    ("auth/role/grant", unary!(Auth::role_grant_permission)),
    ("auth/role/revoke", unary!(Auth::role_revoke_permission)),
    ("lock/lock", unary!(Lock::lock)),
    ("lock/unlock", unary!(Lock::unlock)),
    ("election/campaign", unary!(Election::campaign)),
    ("election/proclaim", unary!(Election::proclaim)),
    ("election/leader", unary!(Election::leader)),
    ("election/observe", stream!(Election::observe)),
    ("election/resign", unary!(Election::resign)),
];

/// Answers what was asked at `/v3/…`.
pub(crate) async fn serve(gateway: Arc<Gateway>, rpc: &str, request: Request<Incoming>) -> Response<Body> {
    let answered = match ROUTES.iter().find(|(path, _)| *path == rpc) {
        None => Err(Status::not_found("Not Found")),
        Some(_) if request.method() != Method::POST => Err(Status::unimplemented("Method Not Allowed")),
        Some((_, route)) => call(gateway, *route, request).await,
    };
    answered.unwrap_or_else(|status| answer::refused(&status))
}

async fn call(
    gateway: Arc<Gateway>,
    route: Route,
    request: Request<Incoming>,
) -> Result<Response<Body>, Status> {
    let timeout = metadata::timeout(request.headers())?;
    let metadata = metadata::of(request.headers());
    let _permit = gateway.let_in(&metadata)?;
    let values = Values::new(gateway.clone(), request.into_body());
    let answer = route(Ask { gateway, metadata, values, _permit });
    let answer = match timeout {
        None => answer.await,
        Some(limit) => tokio::time::timeout(limit, answer)
            .await
            .map_err(|_| Status::deadline_exceeded("context deadline exceeded"))?,
    };
    answer.map_err(|error| Status::internal(error.to_string()))
}
