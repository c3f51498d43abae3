//! The routes of plain HTTP, on the port that gRPC is on. What it will never know: gRPC.

use std::sync::Arc;

use axum::Router;
use http::StatusCode;

use crate::gateway::Gateway;

/// Everything that is no gRPC.
pub(crate) fn routes(_gateway: &Arc<Gateway>) -> Router {
    Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") })
}
