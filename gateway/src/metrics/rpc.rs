//! Calls, counted under the names that etcd's gRPC library has for them. A stream is counted when it begins, and as
//! handled only if it was refused: nobody looks at how it ends. What it will never know: what was asked.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kvorum_core::planted;
use tokio::time::Instant;
use tonic::Code;

use super::histogram::Histogram;
use crate::gateway::Gateway;

/// A call that there is.
#[derive(Debug)]
pub(crate) struct Rpc {
    /// As it stands in a request's path, behind the slash.
    pub(crate) path: &'static str,
    pub(crate) service: &'static str,
    pub(crate) method: &'static str,
    pub(crate) kind: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/rpcs.rs"));

const CODES: usize = 17;

/// As Go's library calls the codes.
const NAMES: [&str; CODES] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// Prometheus' usual buckets.
const BOUNDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Debug)]
struct Count {
    started: AtomicU64,
    handled: [AtomicU64; CODES],
    /// Only if asked for (`--metrics extensive`).
    took: Option<Histogram>,
}

/// All calls.
#[derive(Debug)]
pub(crate) struct Rpcs(Vec<Count>);

/// A call that is under way. One that is dropped was given up by its client.
#[derive(Debug)]
pub(crate) struct Under {
    gateway: Arc<Gateway>,
    at: usize,
    began: Option<Instant>,
    is_over: bool,
}

impl Rpcs {
    pub(crate) fn new(is_extensive: bool) -> Rpcs {
        let count = |_: &Rpc| Count {
            started: AtomicU64::new(0),
            handled: std::array::from_fn(|_| AtomicU64::new(0)),
            took: is_extensive.then(|| Histogram::new(BOUNDS)),
        };
        Rpcs(RPCS.iter().map(count).collect())
    }

    pub(crate) fn write(&self, out: &mut String) {
        let counted =
            || RPCS.iter().zip(&self.0).filter(|(_, count)| count.started.load(Ordering::Relaxed) > 0);
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        head(out, "grpc_server_started_total", "counter", "Calls that began, over gRPC or JSON.");
        for (rpc, count) in counted() {
            let started = count.started.load(Ordering::Relaxed);
            let _ = writeln!(out, "grpc_server_started_total{{{}}} {started}", rpc.labels());
        }
        head(
            out,
            "grpc_server_handled_total",
            "counter",
            "Calls that were answered; streams only if refused.",
        );
        for (rpc, count) in counted() {
            for (handled, name) in count.handled.iter().zip(NAMES) {
                let handled = handled.load(Ordering::Relaxed);
                if handled > 0 {
                    let labels = rpc.labels();
                    let _ =
                        writeln!(out, "grpc_server_handled_total{{grpc_code=\"{name}\",{labels}}} {handled}");
                }
            }
        }
        if self.0.iter().any(|count| count.took.is_some()) {
            head(out, "grpc_server_handling_seconds", "histogram", "How long answers took.");
        }
        for (rpc, count) in counted() {
            if let Some(took) = &count.took {
                took.write("grpc_server_handling_seconds", &rpc.labels(), out);
            }
        }
    }
}

impl Rpc {
    fn labels(&self) -> String {
        let Rpc { service, method, kind, .. } = self;
        format!("grpc_method=\"{method}\",grpc_service=\"{service}\",grpc_type=\"{kind}\"")
    }
}

impl Under {
    /// A call begins, if there is one at that path.
    pub(crate) fn begin(gateway: &Arc<Gateway>, path: &str) -> Option<Under> {
        let at = RPCS.binary_search_by(|rpc| rpc.path.cmp(path)).ok()?;
        let count = gateway.metrics.rpcs.0.get(at)?;
        count.started.fetch_add(1, Ordering::Relaxed);
        let began = count.took.is_some().then(Instant::now);
        Some(Under { gateway: gateway.clone(), at, began, is_over: false })
    }

    /// Its client asks with one message, and no stream of them.
    pub(crate) fn asks_once(&self) -> bool {
        RPCS.get(self.at).is_none_or(|rpc| matches!(rpc.kind, "unary" | "server_stream"))
    }

    /// It was answered with this code; or, if it is a stream that nothing was wrong with, it has begun to answer.
    pub(crate) fn end(mut self, code: Code) {
        let is_stream = RPCS.get(self.at).is_some_and(|rpc| rpc.kind != "unary");
        if code == Code::Ok && is_stream {
            self.is_over = true;
        } else {
            self.count(code);
        }
    }

    fn count(&mut self, code: Code) {
        self.is_over = true;
        let Some(count) = self.gateway.metrics.rpcs.0.get(self.at) else { return };
        if let Some(handled) = count.handled.get(code as usize) {
            handled.fetch_add(1, Ordering::Relaxed);
        }
        if let (Some(took), Some(began)) = (&count.took, self.began) {
            took.add(began.elapsed());
        }
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        if !self.is_over && !planted!("given_up_calls_uncounted") {
            self.count(Code::Cancelled);
        }
    }
}
