//! One table: what etcd says to each error, down to its words. What it will never know: who asked, and how.
//!
//! Clients look at both: some at the code, some at the text, and etcd's own Go client knows errors by their text alone.
//! The reference is 3.5.30, with its oddities.

use std::borrow::Cow;

use kvorum_core::{Error, ErrorKind};
use tonic::{Code, Status};

/// What etcd answers in some case: a gRPC code and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) Code, pub(crate) Cow<'static, str>);

const fn words(code: Code, text: &'static str) -> Words {
    Words(code, Cow::Borrowed(text))
}

// What no error of the core stands for.
pub(crate) const NO_LEADER: Words = words(Code::Unavailable, "etcdserver: no leader");
pub(crate) const STOPPED: Words = words(Code::Unavailable, "etcdserver: server stopped");
/// In etcd, too, it arrives as Unknown: it maps this error to one that is made for clients, without a code.
pub(crate) const TOO_MANY: Words = words(Code::Unknown, "etcdserver: too many requests");
/// What a watch is told that wants an id of its own which is taken.
pub(crate) const DUPLICATE_WATCH: &str = "mvcc: duplicate watch ID provided on the WatchStream";
pub(crate) const CLIENT_VERSION: Words =
    words(Code::InvalidArgument, "etcdserver: invalid client api version");

/// What etcd has no words for: it waits for ever.
pub(crate) const LATE_BODY: Words = words(Code::DeadlineExceeded, "the body took too long to come");

/// What etcd has no words for: it sends any number at once.
pub(crate) const TOO_MANY_SNAPSHOTS: Words = words(
    Code::ResourceExhausted,
    "too many snapshots are being read; ask again when one of them has come to its end",
);

/// What tonic says of half a message behind which nothing comes.
pub(crate) const CUT_SHORT: Words = words(Code::Internal, "Unexpected EOF decoding stream.");

/// Go's words, for what is nested deeper than messages are read, whether as JSON or not.
pub(crate) const TOO_DEEP: &str = "proto: exceeded maximum recursion depth";

pub(crate) const NOT_LEADER: Words = words(Code::FailedPrecondition, "etcdserver: not leader");
pub(crate) const BAD_TRANSFEREE: Words = words(Code::FailedPrecondition, "etcdserver: bad leader transferee");
/// As Unknown: etcd has no code for it.
pub(crate) const TRANSFER_TIMEOUT: Words =
    words(Code::Unknown, "etcdserver: request timed out, leader transfer took too long");
pub(crate) const NO_DOWNGRADE: Words =
    words(Code::FailedPrecondition, "etcdserver: no inflight downgrade job");
pub(crate) const DOWNGRADE_FORMAT: Words =
    words(Code::InvalidArgument, "etcdserver: wrong downgrade target version format");
pub(crate) const DOWNGRADE_TARGET: Words =
    words(Code::InvalidArgument, "etcdserver: invalid downgrade target version");
pub(crate) const AUTH_OFF: Words =
    words(Code::FailedPrecondition, "etcdserver: authentication is not enabled");

/// What etcd answers instead of an error of the core.
pub(crate) fn said(error: &Error) -> Words {
    match error.kind() {
        ErrorKind::EmptyKey => words(Code::InvalidArgument, "etcdserver: key is not provided"),
        ErrorKind::KeyNotFound => words(Code::InvalidArgument, "etcdserver: key not found"),
        ErrorKind::ValueProvided => words(Code::InvalidArgument, "etcdserver: value is provided"),
        ErrorKind::LeaseProvided => words(Code::InvalidArgument, "etcdserver: lease is provided"),
        ErrorKind::InvalidSort => words(Code::InvalidArgument, "etcdserver: invalid sort option"),
        ErrorKind::DuplicateKey => {
            words(Code::InvalidArgument, "etcdserver: duplicate key given in txn request")
        }
        // Etcd does not count depth, and its operations run out at some depth all the same.
        ErrorKind::TooManyOps { .. } | ErrorKind::NestedTooDeep { .. } => {
            words(Code::InvalidArgument, "etcdserver: too many operations in txn request")
        }
        ErrorKind::TooLarge { .. } => words(Code::InvalidArgument, "etcdserver: request is too large"),
        ErrorKind::FutureRevision { .. } => {
            words(Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision")
        }
        ErrorKind::Compacted { .. } => {
            words(Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted")
        }
        ErrorKind::EmptyRange => words(Code::InvalidArgument, "mvcc: watcher range is empty"),
        ErrorKind::LeaseNotFound { .. } => words(Code::NotFound, "etcdserver: requested lease not found"),
        ErrorKind::LeaseExists { .. } => words(Code::FailedPrecondition, "etcdserver: lease already exists"),
        ErrorKind::LeaseTtlTooLarge { .. } => words(Code::OutOfRange, "etcdserver: too large lease TTL"),
        ErrorKind::NoSpace { .. } => {
            words(Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded")
        }
        ErrorKind::NoLeader => NO_LEADER,
        ErrorKind::NotLeader { .. } => NOT_LEADER,
        ErrorKind::LeaderChanged => words(Code::Unavailable, "etcdserver: leader changed"),
        ErrorKind::Timeout => words(Code::Unavailable, "etcdserver: request timed out"),
        ErrorKind::Overloaded => TOO_MANY,
        // Both are this member's own trouble: a client should go on with another.
        ErrorKind::Stopped | ErrorKind::Halted { .. } => STOPPED,
        // Whatever etcd has no words for arrives as Unknown, with the error's own.
        _ => Words(Code::Unknown, error.to_string().into()),
    }
}

/// The HTTP status that stands for a gRPC code in etcd's JSON API.
pub(crate) fn http_status(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::DeadlineExceeded => 504,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::PermissionDenied => 403,
        Code::Unauthenticated => 401,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    }
}

/// An error of the core, as etcd would say it.
pub(crate) fn status(error: Error) -> Status {
    said(&error).into()
}

/// The same by the services for locks and elections, whose errors all arrive as Unknown: in etcd they are clients
/// themselves, and what their client says has no code.
pub(crate) fn unknown(error: Error) -> Status {
    Status::unknown(said(&error).1)
}

/// What tonic says of a request that it does not read to its end, in the words of etcd's gRPC library.
pub(crate) fn inbound(status: Status) -> Status {
    match (status.code(), oversize(status.message())) {
        (Code::OutOfRange, Some((size, limit))) => {
            Status::resource_exhausted(format!("grpc: received message larger than max ({size} vs. {limit})"))
        }
        _ => status,
    }
}

/// The size and the limit out of "[…] found 5 bytes, the limit is: 4 bytes".
fn oversize(text: &str) -> Option<(&str, &str)> {
    let facts = text.strip_prefix("Error, decoded message length too large: found ")?;
    facts.strip_suffix(" bytes")?.split_once(" bytes, the limit is: ")
}

impl From<Words> for Status {
    fn from(Words(code, text): Words) -> Status {
        Status::new(code, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: ErrorKind) -> (String, u16, String) {
        let Words(code, text) = said(&kind.into());
        (format!("{code:?}"), http_status(code), text.into_owned())
    }

    /// Every kind of error, with a code, an HTTP status and a text that etcd's clients know.
    fn table() -> Vec<(ErrorKind, &'static str, u16, &'static str)> {
        let reason = || "why".to_string();
        let path = || "f".to_string();
        vec![
            (ErrorKind::EmptyKey, "InvalidArgument", 400, "etcdserver: key is not provided"),
            (ErrorKind::KeyNotFound, "InvalidArgument", 400, "etcdserver: key not found"),
            (ErrorKind::ValueProvided, "InvalidArgument", 400, "etcdserver: value is provided"),
            (ErrorKind::LeaseProvided, "InvalidArgument", 400, "etcdserver: lease is provided"),
            (ErrorKind::InvalidSort, "InvalidArgument", 400, "etcdserver: invalid sort option"),
            (
                ErrorKind::DuplicateKey,
                "InvalidArgument",
                400,
                "etcdserver: duplicate key given in txn request",
            ),
            (
                ErrorKind::TooManyOps { limit: 128 },
                "InvalidArgument",
                400,
                "etcdserver: too many operations in txn request",
            ),
            (
                ErrorKind::NestedTooDeep { limit: 16 },
                "InvalidArgument",
                400,
                "etcdserver: too many operations in txn request",
            ),
            (
                ErrorKind::TooLarge { size: 2, limit: 1 },
                "InvalidArgument",
                400,
                "etcdserver: request is too large",
            ),
            (
                ErrorKind::FutureRevision { requested: 2, current: 1 },
                "OutOfRange",
                400,
                "etcdserver: mvcc: required revision is a future revision",
            ),
            (
                ErrorKind::Compacted { requested: 1, compacted: 2 },
                "OutOfRange",
                400,
                "etcdserver: mvcc: required revision has been compacted",
            ),
            (ErrorKind::EmptyRange, "InvalidArgument", 400, "mvcc: watcher range is empty"),
            (ErrorKind::LeaseNotFound { id: 1 }, "NotFound", 404, "etcdserver: requested lease not found"),
            (ErrorKind::LeaseExists { id: 1 }, "FailedPrecondition", 400, "etcdserver: lease already exists"),
            (
                ErrorKind::LeaseTtlTooLarge { ttl: 2, limit: 1 },
                "OutOfRange",
                400,
                "etcdserver: too large lease TTL",
            ),
            (ErrorKind::SessionNotFound { id: 1 }, "Unknown", 500, "session 1 is not open"),
            (
                ErrorKind::SessionSequence { sequence: 1, lowest: 2 },
                "Unknown",
                500,
                "sequence 1 is out of the session's window, which begins at 2",
            ),
            (
                ErrorKind::NoSpace { used: 2, quota: 1 },
                "ResourceExhausted",
                429,
                "etcdserver: mvcc: database space exceeded",
            ),
            (ErrorKind::NoLeader, "Unavailable", 503, "etcdserver: no leader"),
            (ErrorKind::NotLeader { leader: 2 }, "FailedPrecondition", 400, "etcdserver: not leader"),
            (ErrorKind::LeaderChanged, "Unavailable", 503, "etcdserver: leader changed"),
            (ErrorKind::Timeout, "Unavailable", 503, "etcdserver: request timed out"),
            (ErrorKind::Overloaded, "Unknown", 500, "etcdserver: too many requests"),
            (ErrorKind::Stopped, "Unavailable", 503, "etcdserver: server stopped"),
            (ErrorKind::Halted { reason: reason() }, "Unavailable", 503, "etcdserver: server stopped"),
            (ErrorKind::Config { reason: reason() }, "Unknown", 500, "the configuration is wrong: why"),
            (ErrorKind::DirectoryInUse { path: path() }, "Unknown", 500, "f is in use by a running node"),
            (
                ErrorKind::WrongMember { expected: 1, found: 2 },
                "Unknown",
                500,
                "the storage belongs to member 2, this is member 1",
            ),
            (
                ErrorKind::WrongCluster { expected: 1, found: 2 },
                "Unknown",
                500,
                "the storage belongs to cluster ",
            ),
            (
                ErrorKind::Corrupt { path: path(), offset: 7, reason: reason() },
                "Unknown",
                500,
                "f is damaged at byte 7: why",
            ),
            (
                ErrorKind::Version { path: path(), found: 2, supported: 1 },
                "Unknown",
                500,
                "f has format version 2, this build knows up to 1",
            ),
            (ErrorKind::Io { action: "reading".into(), reason: reason() }, "Unknown", 500, "reading: why"),
        ]
    }

    #[test]
    fn every_kind_of_error_has_etcds_code_status_and_words() {
        for (kind, code, http, text) in table() {
            let (its_code, its_http, its_text) = row(kind.clone());
            assert_eq!((&its_code[..], its_http), (code, http), "{kind:?}");
            assert!(its_text.starts_with(text), "{kind:?}: {its_text}");
        }
    }

    #[test]
    fn the_table_has_every_kind_that_the_documentation_names() {
        let documented = include_str!("../../docs/ERRORS.md").split("## Every kind of error").nth(1).unwrap();
        let documented: Vec<&str> = documented.lines().filter_map(|line| line.split('`').nth(1)).collect();
        let names = table().into_iter().map(|(kind, ..)| format!("{kind:?}"));
        let names: Vec<String> =
            names.map(|name| name.split(' ').next().unwrap_or_default().to_string()).collect();
        assert!(documented.len() > 20);
        assert_eq!(documented, names);
    }

    #[test]
    fn locks_and_elections_say_everything_as_unknown() {
        let status = unknown(ErrorKind::LeaseNotFound { id: 1 }.into());
        assert_eq!(status.code(), Code::Unknown);
        assert_eq!(status.message(), "etcdserver: requested lease not found");
    }
}
