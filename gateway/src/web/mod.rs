//! Everything that is no gRPC, on the port that gRPC is on: etcd's JSON API, health, version and metrics. What it will
//! never know: gRPC.

mod answer;
mod ask;
mod body;
mod health;
mod json;
mod metadata;
mod metrics;
mod path;
mod rest;
mod routes;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tonic::body::Body;

use crate::gateway::{ETCD_VERSION, Gateway};
use crate::half_closed::Owed;
use path::{cleaned, decoded};
use rest::Rest;

/// Answers a request.
pub(crate) async fn answer(gateway: Arc<Gateway>, owed: Owed, request: Request<Incoming>) -> Response<Body> {
    let (request, last) = Rest::of(gateway.clone(), owed.clone(), request);
    let mut response = dispatch(gateway, request).await;
    allow_all_origins(response.headers_mut());
    owed.answered();
    last.tell(response)
}

async fn dispatch(gateway: Arc<Gateway>, mut request: Request<Rest>) -> Response<Body> {
    if let Some(uri) = decoded(request.uri()) {
        *request.uri_mut() = uri;
    }
    // A browser asks whether it may ask.
    if request.method() == Method::OPTIONS {
        return answer::empty(StatusCode::OK);
    }
    let path = request.uri().path();
    // etcd's older clients say so.
    let path = match path.strip_prefix("/v3beta/") {
        Some(rest) => format!("/v3/{rest}"),
        None => path.to_string(),
    };
    if let Some(clean) = cleaned(&path) {
        return answer::moved(&clean);
    }
    match path.strip_prefix("/v3/") {
        Some(rpc) => routes::serve(gateway, rpc, request).await,
        None => page(&gateway, &request).await,
    }
}

/// What is not etcd's JSON API.
async fn page(gateway: &Gateway, request: &Request<Rest>) -> Response<Body> {
    request.body().want_nothing();
    let (is_get, uri) = (request.method() == Method::GET, request.uri());
    match uri.path() {
        "/metrics" => metrics::serve(gateway),
        "/version" | "/health" if !is_get => answer::only_get(),
        "/version" => version(),
        "/health" => health::health(gateway, uri).await,
        _ => match health::checks(gateway, uri, is_get).await {
            Some(response) => response,
            None => answer::no_page(),
        },
    }
}

/// What is answered where only health and metrics are (`--listen-metrics-urls`).
pub(crate) async fn answer_metrics(
    gateway: Arc<Gateway>,
    owed: Owed,
    request: Request<Incoming>,
) -> Response<Body> {
    let (request, last) = Rest::of(gateway.clone(), owed.clone(), request);
    let response = match request.uri().path() {
        "/version" => answer::no_page(),
        _ => page(&gateway, &request).await,
    };
    drop(request);
    owed.answered();
    last.tell(response)
}

/// Some clients ask this first, and ask for what that version can.
fn version() -> Response<Body> {
    let (major_minor, _) = ETCD_VERSION.rsplit_once('.').unwrap_or((ETCD_VERSION, ""));
    answer::json(format!("{{\"etcdserver\":\"{ETCD_VERSION}\",\"etcdcluster\":\"{major_minor}.0\"}}"))
}

/// As etcd does unless it is told otherwise (`--cors`).
fn allow_all_origins(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "accept, content-type, authorization"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS, PUT, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
