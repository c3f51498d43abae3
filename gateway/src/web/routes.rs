//! etcd's paths, and the service behind each: one table. The services are the ones that gRPC has; there is no second
//! one of any. What it will never know: how a message is read or written.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use kvorum_core::planted;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, StdError};
use tonic::{Code, Status};

use super::ask::Ask;
use super::body::Values;
use super::rest::Rest;
use super::{answer, metadata};
use crate::gateway::Gateway;
use crate::metrics::Under;
use crate::pb::etcdserverpb::{
    auth_server::Auth, cluster_server::Cluster, kv_server::Kv, lease_server::Lease,
    maintenance_server::Maintenance,
};
use crate::pb::v3electionpb::{CampaignRequest, election_server::Election};
use crate::pb::v3lockpb::lock_server::Lock;

type Route = fn(Ask) -> BoxFuture<Response<Body>, StdError>;

/// A route with one message in; what comes of it is answered so. `only`: the one field that lies there while it is looked
/// after.
macro_rules! one_in {
    ($service:ident :: $method:ident $(only $message:ident :: $field:ident)?, $answer:ident => $said:expr) => {
        |mut ask| {
            Box::pin(async move {
                let request = match ask.one().await {
                    Ok(request) => request,
                    Err(status) => return Ok(answer::refused(&status)),
                };
                $(
                    let message: &$message = request.get_ref();
                    ask.keep(message.$field.len());
                )?
                Ok(match $service::$method(&*ask.gateway, request).await {
                    Ok($answer) => $said,
                    Err(status) => answer::refused(&status),
                })
            })
        }
    };
}

/// A route with one message in and one out.
macro_rules! unary {
    ($service:ident :: $method:ident $(only $message:ident :: $field:ident)?) => {
        one_in!($service::$method $(only $message::$field)?, answer => answer::one(answer.get_ref()))
    };
}

/// A route with one message in and a stream of them out.
macro_rules! stream {
    ($service:ident :: $method:ident) => {
        one_in!($service::$method, answers => answer::stream(answers.into_inner()).await)
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

/// A route that may take for ever: it ends when its client has nothing more to say.
macro_rules! lasting {
    ($route:expr) => {
        |ask| {
            let route: Route = $route;
            route(ask.ends_with_its_client())
        }
    };
}

/// What stands behind `/v3/`, the call that it is, and how it is served.
#[rustfmt::skip]
const ROUTES: &[(&str, &str, Route)] = &[
    ("kv/range", "etcdserverpb.KV/Range", unary!(Kv::range)),
    ("kv/put", "etcdserverpb.KV/Put", unary!(Kv::put)),
    ("kv/deleterange", "etcdserverpb.KV/DeleteRange", unary!(Kv::delete_range)),
    ("kv/txn", "etcdserverpb.KV/Txn", unary!(Kv::txn)),
    ("kv/compaction", "etcdserverpb.KV/Compact", unary!(Kv::compact)),
    ("watch", "etcdserverpb.Watch/Watch", lasting!(both!(watches))),
    ("lease/grant", "etcdserverpb.Lease/LeaseGrant", unary!(Lease::lease_grant)),
    ("lease/revoke", "etcdserverpb.Lease/LeaseRevoke", unary!(Lease::lease_revoke)),
    ("kv/lease/revoke", "etcdserverpb.Lease/LeaseRevoke", unary!(Lease::lease_revoke)),
    ("lease/keepalive", "etcdserverpb.Lease/LeaseKeepAlive", lasting!(both!(renewals))),
    ("lease/timetolive", "etcdserverpb.Lease/LeaseTimeToLive", unary!(Lease::lease_time_to_live)),
    ("kv/lease/timetolive", "etcdserverpb.Lease/LeaseTimeToLive", unary!(Lease::lease_time_to_live)),
    ("lease/leases", "etcdserverpb.Lease/LeaseLeases", unary!(Lease::lease_leases)),
    ("kv/lease/leases", "etcdserverpb.Lease/LeaseLeases", unary!(Lease::lease_leases)),
    ("cluster/member/add", "etcdserverpb.Cluster/MemberAdd", unary!(Cluster::member_add)),
    ("cluster/member/remove", "etcdserverpb.Cluster/MemberRemove", unary!(Cluster::member_remove)),
    ("cluster/member/update", "etcdserverpb.Cluster/MemberUpdate", unary!(Cluster::member_update)),
    ("cluster/member/list", "etcdserverpb.Cluster/MemberList", unary!(Cluster::member_list)),
    ("cluster/member/promote", "etcdserverpb.Cluster/MemberPromote", unary!(Cluster::member_promote)),
    ("maintenance/alarm", "etcdserverpb.Maintenance/Alarm", unary!(Maintenance::alarm)),
    ("maintenance/status", "etcdserverpb.Maintenance/Status", unary!(Maintenance::status)),
    ("maintenance/defragment", "etcdserverpb.Maintenance/Defragment", unary!(Maintenance::defragment)),
    ("maintenance/hash", "etcdserverpb.Maintenance/Hash", unary!(Maintenance::hash)),
    ("maintenance/hashkv", "etcdserverpb.Maintenance/HashKV", unary!(Maintenance::hash_kv)),
    ("maintenance/snapshot", "etcdserverpb.Maintenance/Snapshot", lasting!(stream!(Maintenance::snapshot))),
    ("maintenance/transfer-leadership", "etcdserverpb.Maintenance/MoveLeader", unary!(Maintenance::move_leader)),
    ("maintenance/downgrade", "etcdserverpb.Maintenance/Downgrade", unary!(Maintenance::downgrade)),
    ("auth/enable", "etcdserverpb.Auth/AuthEnable", unary!(Auth::auth_enable)),
    ("auth/disable", "etcdserverpb.Auth/AuthDisable", unary!(Auth::auth_disable)),
    ("auth/status", "etcdserverpb.Auth/AuthStatus", unary!(Auth::auth_status)),
    ("auth/authenticate", "etcdserverpb.Auth/Authenticate", unary!(Auth::authenticate)),
    ("auth/user/add", "etcdserverpb.Auth/UserAdd", unary!(Auth::user_add)),
    ("auth/user/get", "etcdserverpb.Auth/UserGet", unary!(Auth::user_get)),
    ("auth/user/list", "etcdserverpb.Auth/UserList", unary!(Auth::user_list)),
    ("auth/user/delete", "etcdserverpb.Auth/UserDelete", unary!(Auth::user_delete)),
    ("auth/user/changepw", "etcdserverpb.Auth/UserChangePassword", unary!(Auth::user_change_password)),
    ("auth/user/grant", "etcdserverpb.Auth/UserGrantRole", unary!(Auth::user_grant_role)),
    ("auth/user/revoke", "etcdserverpb.Auth/UserRevokeRole", unary!(Auth::user_revoke_role)),
    ("auth/role/add", "etcdserverpb.Auth/RoleAdd", unary!(Auth::role_add)),
    ("auth/role/get", "etcdserverpb.Auth/RoleGet", unary!(Auth::role_get)),
    ("auth/role/list", "etcdserverpb.Auth/RoleList", unary!(Auth::role_list)),
    ("auth/role/delete", "etcdserverpb.Auth/RoleDelete", unary!(Auth::role_delete)),
    ("auth/role/grant", "etcdserverpb.Auth/RoleGrantPermission", unary!(Auth::role_grant_permission)),
    ("auth/role/revoke", "etcdserverpb.Auth/RoleRevokePermission", unary!(Auth::role_revoke_permission)),
    ("lock/lock", "v3lockpb.Lock/Lock", lasting!(unary!(Lock::lock))),
    ("lock/unlock", "v3lockpb.Lock/Unlock", unary!(Lock::unlock)),
    ("election/campaign", "v3electionpb.Election/Campaign", lasting!(unary!(Election::campaign only CampaignRequest::name))),
    ("election/proclaim", "v3electionpb.Election/Proclaim", unary!(Election::proclaim)),
    ("election/leader", "v3electionpb.Election/Leader", unary!(Election::leader)),
    ("election/observe", "v3electionpb.Election/Observe", lasting!(stream!(Election::observe))),
    ("election/resign", "v3electionpb.Election/Resign", unary!(Election::resign)),
];

/// Answers what was asked at `/v3/…`.
pub(crate) async fn serve(gateway: Arc<Gateway>, rpc: &str, request: Request<Rest>) -> Response<Body> {
    let answered = match ROUTES.iter().find(|(path, ..)| *path == rpc) {
        None => Err(Status::not_found("Not Found")),
        Some(_) if request.method() != Method::POST => Err(Status::unimplemented("Method Not Allowed")),
        Some((_, rpc, route)) => {
            let under = Under::begin(&gateway, rpc);
            let answered = call(gateway, *route, request).await;
            if let Some(under) = under {
                under.end(code_of(&answered));
            }
            answered
        }
    };
    answered.unwrap_or_else(|status| answer::refused(&status))
}

async fn call(gateway: Arc<Gateway>, route: Route, request: Request<Rest>) -> Result<Response<Body>, Status> {
    let timeout = metadata::timeout(request.headers())?.filter(|_| !planted!("json_timeout_ignored"));
    let metadata = metadata::of(request.headers());
    let _permit = gateway.let_in(&metadata)?;
    let values = Values::new(gateway.clone(), request.into_body());
    let answer = route(Ask { gateway, metadata, values, room: None, _permit });
    let answer = match timeout {
        None => answer.await,
        // The runtime's clock is too coarse for what is over already.
        Some(limit) if limit < Duration::from_micros(1) => return Err(late()),
        Some(limit) => tokio::time::timeout(limit, answer).await.map_err(|_| late())?,
    };
    answer.map_err(|error| Status::internal(error.to_string()))
}

fn late() -> Status {
    Status::deadline_exceeded("context deadline exceeded")
}

/// What a call came to: what a service refuses stands in the answer.
fn code_of(answered: &Result<Response<Body>, Status>) -> Code {
    match answered {
        Ok(answer) => answer.extensions().get::<Code>().copied().unwrap_or(Code::Ok),
        Err(status) => status.code(),
    }
}
