//! `/metrics`. What it will never know: what is counted.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use tonic::body::Body;

use super::answer;
use crate::gateway::Gateway;
use crate::metrics::page;

/// Answers with everything that is counted, as Prometheus reads it.
pub(crate) fn serve(gateway: &Gateway) -> Response<Body> {
    let mut response = answer::text(StatusCode::OK, page(gateway));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
