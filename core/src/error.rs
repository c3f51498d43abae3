//! One error for every call, with a few honest questions that can be asked of it.

use std::fmt;

use crate::ids::{LeaseId, NodeId, Revision, SessionId};

/// Shorthand for a result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What became of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It had no effect and never will.
    NotApplied,
    /// It may have happened, or may still happen, at most once.
    Unknown,
}

/// Why a call failed, what became of it, and (in its `Display`) the facts.
///
/// ```
/// # use kvorum_core as kvorum;
/// use kvorum::{Error, ErrorKind, Outcome};
/// let e = Error::from(ErrorKind::LeaseNotFound { id: 7 });
/// assert_eq!(e.outcome(), Outcome::NotApplied);
/// assert_eq!(e.to_string(), "lease 7 does not exist or has ended");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: Box<ErrorKind>,
    outcome: Outcome,
}

impl Error {
    /// An error whose call may have happened.
    pub fn unknown(kind: ErrorKind) -> Error {
        Error { kind: Box::new(kind), outcome: Outcome::Unknown }
    }

    /// The same outcome for another reason.
    pub(crate) fn with_kind(&self, kind: ErrorKind) -> Error {
        Error { kind: Box::new(kind), outcome: self.outcome }
    }

    /// Why.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Whether the call may have happened, or may still.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}

impl From<ErrorKind> for Error {
    /// The usual case: refused without effect.
    fn from(kind: ErrorKind) -> Error {
        Error { kind: Box::new(kind), outcome: Outcome::NotApplied }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // This is what `fn main() -> Result<()>` and `unwrap` print.
        write!(f, "{self} [{:?}, {:?}]", self.outcome, self.kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match self.outcome {
            Outcome::NotApplied => Ok(()),
            Outcome::Unknown => f.write_str(" (it may still have happened)"),
        }
    }
}

impl std::error::Error for Error {}

/// Every reason for which a call can fail, with its facts. `docs/ERRORS.md` in the repository says of each when
/// it comes and what to do, and of every bad input what it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    // The request is wrong.
    /// The key is empty.
    EmptyKey,
    /// `ignore_value` or `ignore_lease` was asked for a key that does not exist, or an operation of a
    /// transaction is empty (etcd answers both with the same words).
    KeyNotFound,
    /// A value was given together with `ignore_value`.
    ValueProvided,
    /// A lease was given together with `ignore_lease`.
    LeaseProvided,
    /// The sort order or target is none that exists.
    InvalidSort,
    /// A branch of a transaction writes one key twice.
    DuplicateKey,
    /// A transaction has more operations than the limit.
    TooManyOps {
        /// The largest number allowed in one list.
        limit: usize,
    },
    /// A transaction is nested deeper than the limit.
    NestedTooDeep {
        /// The largest depth allowed.
        limit: usize,
    },
    /// A request is larger than the limit, both in bytes.
    TooLarge {
        /// The size asked for, in bytes.
        size: usize,
        /// The largest size allowed, in bytes.
        limit: usize,
    },
    /// The revision has not been reached yet.
    FutureRevision {
        /// The revision asked for.
        requested: Revision,
        /// The newest revision.
        current: Revision,
    },
    /// The revision has been compacted away.
    Compacted {
        /// The revision asked for.
        requested: Revision,
        /// The oldest revision that can still be read.
        compacted: Revision,
    },
    /// A watch's range holds no key, whatever is written.
    EmptyRange,
    /// No such lease: never granted, revoked or expired.
    LeaseNotFound {
        /// The lease asked for.
        id: LeaseId,
    },
    /// A lease with the chosen id exists.
    LeaseExists {
        /// The lease asked for.
        id: LeaseId,
    },
    /// The time to live is over the limit, both in seconds.
    LeaseTtlTooLarge {
        /// The time to live asked for, in seconds.
        ttl: i64,
        /// The largest allowed, in seconds.
        limit: i64,
    },
    /// The session is unknown: never opened, closed, or pushed out by newer ones.
    SessionNotFound {
        /// The session asked for.
        id: SessionId,
    },
    /// The sequence number was answered and acknowledged before, so that its answer is gone; or it lies
    /// too far ahead of the oldest unacknowledged one.
    SessionSequence {
        /// The sequence number asked for.
        sequence: u64,
        /// The lowest one that can be answered.
        lowest: u64,
    },

    // The cluster can't, now.
    /// The store holds as much as its quota allows; reads, deletes and compactions still work.
    NoSpace {
        /// Bytes held by keys and values, with their fixed costs.
        used: u64,
        /// The quota, in bytes.
        quota: u64,
    },
    /// No leader is known.
    NoLeader,
    /// This needs the leader.
    NotLeader {
        /// The leader, as far as known; 0 if it is not.
        leader: NodeId,
    },
    /// The leader changed while the call was under way.
    LeaderChanged,
    /// No answer came within the time that was allowed.
    Timeout,
    /// Too many requests wait already.
    Overloaded,
    /// The node was stopped, or its driver is gone.
    Stopped,
    /// The node halted itself and will not go on.
    Halted {
        /// Why, in words.
        reason: String,
    },

    // The start, or the disk.
    /// The configuration contradicts itself.
    Config {
        /// What is wrong with it.
        reason: String,
    },
    /// The data directory is in use by a running node.
    DirectoryInUse {
        /// The directory.
        path: String,
    },
    /// The data directory belongs to another member.
    WrongMember {
        /// The member that this node is configured to be.
        expected: NodeId,
        /// The member that the directory belongs to.
        found: NodeId,
    },
    /// The data directory, or a peer, belongs to another cluster.
    WrongCluster {
        /// This node's cluster.
        expected: u64,
        /// The cluster found.
        found: u64,
    },
    /// Bytes on disk are not what was written.
    Corrupt {
        /// The file.
        path: String,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The format on disk is of a version that this build does not know.
    Version {
        /// The file.
        path: String,
        /// The version found.
        found: u32,
        /// The newest version that this build knows.
        supported: u32,
    },
    /// The operating system refused.
    Io {
        /// What was being done, to which file or address.
        action: String,
        /// The operating system's words.
        reason: String,
    },
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ErrorKind::*;
        match self {
            EmptyKey => write!(f, "the key is empty"),
            KeyNotFound => write!(f, "the key does not exist, or the operation is empty"),
            ValueProvided => write!(f, "a value was given together with ignore_value"),
            LeaseProvided => write!(f, "a lease was given together with ignore_lease"),
            InvalidSort => write!(f, "the sort order or target does not exist"),
            DuplicateKey => write!(f, "the transaction writes a key twice"),
            TooManyOps { limit } => write!(f, "more than {limit} operations in the transaction"),
            NestedTooDeep { limit } => write!(f, "transactions nested deeper than {limit}"),
            TooLarge { size, limit } => write!(f, "the request has {size} bytes, the limit is {limit}"),
            FutureRevision { requested, current } => {
                write!(f, "revision {requested} lies in the future, the newest is {current}")
            }
            Compacted { requested, compacted } if requested == compacted => {
                write!(f, "everything before revision {compacted} is compacted already")
            }
            Compacted { requested, compacted } => {
                write!(f, "revision {requested} is compacted, the oldest readable is {compacted}")
            }
            EmptyRange => write!(f, "the range holds no key"),
            LeaseNotFound { id } => write!(f, "lease {id} does not exist or has ended"),
            LeaseExists { id } => write!(f, "lease {id} exists already"),
            LeaseTtlTooLarge { ttl, limit } => write!(f, "a TTL of {ttl} s is over the limit of {limit} s"),
            SessionNotFound { id } => write!(f, "session {id} is not open"),
            SessionSequence { sequence, lowest } => {
                write!(f, "sequence {sequence} is out of the session's window, which begins at {lowest}")
            }
            NoSpace { used, quota } => write!(f, "the store holds {used} bytes of its quota of {quota}"),
            NoLeader => write!(f, "no leader is known"),
            NotLeader { leader: 0 } => write!(f, "this node is not the leader, and knows none"),
            NotLeader { leader } => write!(f, "this node is not the leader, node {leader} is"),
            LeaderChanged => write!(f, "the leader changed meanwhile"),
            Timeout => write!(f, "no answer in time"),
            Overloaded => write!(f, "too many requests are waiting"),
            Stopped => write!(f, "the node is stopped"),
            Halted { reason } => write!(f, "the node halted itself: {reason}"),
            Config { reason } => write!(f, "the configuration is wrong: {reason}"),
            DirectoryInUse { path } => write!(f, "{path} is in use by a running node"),
            WrongMember { expected, found } => {
                write!(f, "the storage belongs to member {found}, this is member {expected}")
            }
            WrongCluster { expected, found } => {
                write!(
                    f,
                    "the storage belongs to cluster {found:016x}, this is cluster {expected:016x} (a cluster is its \
                     name and the ids of its first members; neither can change)"
                )
            }
            Corrupt { path, offset, reason } => write!(f, "{path} is damaged at byte {offset}: {reason}"),
            Version { path, found, supported } => {
                write!(f, "{path} has format version {found}, this build knows up to {supported}")
            }
            Io { action, reason } => write!(f, "{action}: {reason}"),
        }
    }
}
