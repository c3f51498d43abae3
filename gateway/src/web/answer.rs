//! Answers as plain HTTP. What it will never know: what was asked.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, LOCATION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use serde::Serialize;
use serde_json::json;
use tonic::Status;
use tonic::body::Body;

use super::json;
use crate::errors::http_status;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What etcd's own way from JSON to gRPC leaves in every answer.
const GRPC: (HeaderName, HeaderValue) =
    (HeaderName::from_static("grpc-metadata-content-type"), HeaderValue::from_static("application/grpc"));

pub(crate) fn empty(code: StatusCode) -> Response<Body> {
    with(code, Bytes::new())
}

pub(crate) fn moved(path: &str) -> Response<Body> {
    let mut response = empty(StatusCode::MOVED_PERMANENTLY);
    // What a request's path was, a header can be.
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

/// Something for people to read.
pub(crate) fn text(code: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = with(code, text.into());
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The same as etcd says it where it says it briefly.
pub(crate) fn text_alone(text: &'static str) -> Response<Body> {
    let mut response = with(StatusCode::OK, Bytes::from_static(text.as_bytes()));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

pub(crate) fn json(json: String) -> Response<Body> {
    let mut response = with(StatusCode::OK, json.into());
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

pub(crate) fn only_get() -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    response
}

pub(crate) fn no_page() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// One message.
pub(crate) fn one<T: Serialize>(message: &T) -> Response<Body> {
    match json::write(message) {
        Ok(json) => {
            let mut response = with(StatusCode::OK, json.into());
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response.headers_mut().insert(GRPC.0, GRPC.1);
            response
        }
        Err(status) => refused(&status),
    }
}

/// An error. etcd's releases say it under `error` and `message`, builds with a newer gateway under `message` alone.
pub(crate) fn refused(status: &Status) -> Response<Body> {
    let (code, message) = (i32::from(status.code()), json!(status.message()));
    let json = format!(r#"{{"error":{message},"code":{code},"message":{message}}}"#);
    let mut response = with(http_code(status), json.into());
    // For whoever counts.
    response.extensions_mut().insert(status.code());
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Messages, a line each, as they come. The first one decides how the answer begins: if it is an error, it is the
/// answer.
pub(crate) async fn stream<T, S>(mut messages: S) -> Response<Body>
where
    T: Serialize + Send + 'static,
    S: Stream<Item = Result<T, Status>> + Send + Unpin + 'static,
{
    let first = match messages.next().await {
        None => return empty(StatusCode::OK),
        Some(Err(status)) => return refused(&status),
        Some(Ok(first)) => first,
    };
    let lines = stream::iter([Ok(first)]).chain(messages).map(|message| line(message));
    let frames = lines.map(|line| Ok::<_, Infallible>(Frame::data(line)));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(GRPC.0, GRPC.1);
    response
}

fn line<T: Serialize>(message: Result<T, Status>) -> Bytes {
    let json = message.and_then(|message| json::write(&message));
    let mut line = match json {
        Ok(json) => [b"{\"result\":", &json[..], b"}"].concat(),
        Err(status) => stream_error(&status).into_bytes(),
    };
    line.push(b'\n');
    line.into()
}

/// An error in the middle of a stream, with the fields of etcd's releases and of builds with a newer gateway.
fn stream_error(status: &Status) -> String {
    let (code, http) = (i32::from(status.code()), http_code(status));
    let (message, name) = (json!(status.message()), json!(http.canonical_reason().unwrap_or_default()));
    let http = http.as_u16();
    format!(
        r#"{{"error":{{"grpc_code":{code},"http_code":{http},"message":{message},"http_status":{name},"code":{code}}}}}"#
    )
}

fn http_code(status: &Status) -> StatusCode {
    StatusCode::from_u16(http_status(status.code())).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn with(code: StatusCode, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(bytes)));
    *response.status_mut() = code;
    response
}
