//! What a client asked and what it was told: plain values in etcd's language, cheap to clone. They know
//! neither the wire nor any store.

use bytes::Bytes;

use super::Revision;

/// A key with its value and its place in history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// Its value; empty if only keys were asked for.
    pub value: Bytes,
    /// The revision at which the key was created (since it was last deleted).
    pub create_revision: Revision,
    /// The revision of its last change.
    pub mod_revision: Revision,
    /// 1 after the put that created it, one more after each further put.
    pub version: i64,
    /// The lease it hangs on; 0: none.
    pub lease: i64,
}

/// Which keys a request is about, as etcd writes it down. No key is empty: a store refuses whatever names one
/// that is, and all keys are those from a single zero byte on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The key, or the first key of the span.
    pub key: Bytes,
    /// The first key behind the span. Empty: only `key`. A single zero byte: everything from `key` on.
    pub end: Bytes,
}

impl Span {
    /// One key.
    pub fn one(key: impl Into<Bytes>) -> Span {
        Span { key: key.into(), end: Bytes::new() }
    }

    /// From the first key up to and without the second.
    pub fn between(key: impl Into<Bytes>, end: impl Into<Bytes>) -> Span {
        Span { key: key.into(), end: end.into() }
    }

    /// This key and everything behind it.
    pub fn from(key: impl Into<Bytes>) -> Span {
        Span { key: key.into(), end: Bytes::from_static(b"\0") }
    }

    /// Whether it means one key and no more.
    pub fn is_one(&self) -> bool {
        self.end.is_empty()
    }

    /// Whether a key lies in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        match &self.end[..] {
            [] => self.key == key,
            [0] => key >= &self.key[..],
            end => key >= &self.key[..] && key < end,
        }
    }
}

/// Write one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// The key.
    pub key: Bytes,
    /// Its new value.
    pub value: Bytes,
    /// The lease to hang it on; 0: none.
    pub lease: i64,
    /// Answer with the pair as it was before.
    pub prev_kv: bool,
    /// Keep the value that the key has; it is an error if there is no such key.
    pub ignore_value: bool,
    /// Keep the lease that the key has; it is an error if there is no such key.
    pub ignore_lease: bool,
}

/// Delete a key, or all keys of a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delete {
    /// Which.
    pub span: Span,
    /// Answer with the pairs that were deleted.
    pub prev_kv: bool,
}

/// The order in which a range is answered. Pairs that compare equal stay in key order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// None was asked for: lowest first, and a limit cuts by key before anything is sorted.
    #[default]
    None,
    /// Lowest first.
    Ascend,
    /// Highest first.
    Descend,
}

/// What a range is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The key.
    #[default]
    Key,
    /// The version.
    Version,
    /// The create revision.
    Create,
    /// The revision of the last change.
    Mod,
    /// The value.
    Value,
}

/// Read a key, or all keys of a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Which.
    pub span: Span,
    /// The revision to read at; 0 or less: the newest.
    pub revision: Revision,
    /// How many pairs at most; 0 or less: all.
    pub limit: i64,
    /// In which order.
    pub order: Order,
    /// Sorted by what.
    pub target: Target,
    /// Answer with the count only.
    pub count_only: bool,
    /// Leave the values out.
    pub keys_only: bool,
    /// Leave out pairs changed before this revision; 0: none.
    pub min_mod: Revision,
    /// Leave out pairs changed after this revision; 0: none.
    pub max_mod: Revision,
    /// Leave out pairs created before this revision; 0: none.
    pub min_create: Revision,
    /// Leave out pairs created after this revision; 0: none.
    pub max_create: Revision,
    /// A member may answer from its own state, which may be old.
    pub serializable: bool,
}

/// How a compare compares what a key has with what is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It is the same.
    Equal,
    /// It is not the same.
    NotEqual,
    /// It is less.
    Less,
    /// It is greater.
    Greater,
}

/// What a compare compares with. Numbers of a key that does not exist are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A version.
    Version(i64),
    /// A create revision.
    Create(Revision),
    /// A revision of the last change.
    Mod(Revision),
    /// A value; a key that does not exist fails every compare of its value.
    Value(Bytes),
    /// A lease.
    Lease(i64),
}

/// One condition of a transaction. It must hold for every key of its span; a span without keys is judged
/// like one key that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// For which keys.
    pub span: Span,
    /// How.
    pub relation: Relation,
    /// With what.
    pub operand: Operand,
}

/// If all compares hold do `success`, else `failure`, as one and at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// They see the state before the (outermost) transaction.
    pub compares: Vec<Compare>,
    /// In order; a read sees the writes before it.
    pub success: Vec<Request>,
    /// The same, for when a compare fails.
    pub failure: Vec<Request>,
}

/// What a client asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Write a key.
    Put(Put),
    /// Delete keys.
    Delete(Delete),
    /// Read keys.
    Range(Range),
    /// Several things as one.
    Txn(Txn),
    /// Anything that changes no key and was answered with the store's revision of that moment: a status, the
    /// grant of a lease, a compaction. Inside a transaction it does nothing.
    Glance,
}

impl Request {
    /// Whether it is a read by its looks: it needs no agreement, so no store deduplicates it. A transaction
    /// inside another makes it a write, as in etcd.
    pub fn is_read(&self) -> bool {
        match self {
            Request::Range(_) => true,
            Request::Txn(txn) => txn.all().all(|op| matches!(op, Request::Range(_))),
            Request::Put(_) | Request::Delete(_) | Request::Glance => false,
        }
    }

    /// Whether it is a read that a member may answer from its own state, however old.
    pub fn is_local(&self) -> bool {
        let is_local = |op: &Request| matches!(op, Request::Range(range) if range.serializable);
        match self {
            Request::Txn(txn) => txn.all().all(is_local),
            other => is_local(other),
        }
    }

    /// Whether it could write a key if everything is in its favour.
    pub fn may_write(&self) -> bool {
        match self {
            Request::Put(_) | Request::Delete(_) => true,
            Request::Txn(txn) => txn.all().any(Request::may_write),
            Request::Range(_) | Request::Glance => false,
        }
    }

    /// Whether it, or anything inside it, reads at an explicit revision.
    pub fn reads_the_past(&self) -> bool {
        match self {
            Request::Range(range) => range.revision > 0,
            Request::Txn(txn) => txn.all().any(Request::reads_the_past),
            _ => false,
        }
    }
}

impl Txn {
    /// The operations of both branches.
    pub fn all(&self) -> impl Iterator<Item = &Request> {
        self.success.iter().chain(&self.failure)
    }
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// To a put: the pair before, if it was asked for and there was one.
    Put {
        /// That pair.
        prev: Option<KeyValue>,
    },
    /// To a delete.
    Delete {
        /// How many keys went.
        deleted: i64,
        /// Their pairs, in key order, if they were asked for.
        prev: Vec<KeyValue>,
    },
    /// To a range.
    Range {
        /// The pairs.
        kvs: Vec<KeyValue>,
        /// Whether the limit left some out.
        more: bool,
        /// How many keys the span has, whatever the limit and the filters.
        count: i64,
    },
    /// To a transaction.
    Txn {
        /// Whether the compares held.
        succeeded: bool,
        /// One answer for each operation of the branch taken.
        responses: Vec<Response>,
    },
    /// To a [`Request::Glance`].
    Glance,
}

impl Response {
    /// Whether it says that a key was changed, and so that its revision is the change's own.
    pub fn says_changed(&self) -> bool {
        match self {
            Response::Put { .. } => true,
            Response::Delete { deleted, .. } => *deleted > 0,
            Response::Txn { responses, .. } => responses.iter().any(Response::says_changed),
            Response::Range { .. } | Response::Glance => false,
        }
    }
}

/// How a request ended for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answered {
        /// The store's revision that the answer's header showed.
        revision: Revision,
        /// The answer.
        response: Response,
    },
    /// With an error that promises that there was and will be no effect.
    Refused,
    /// Without anything, or with an error that leaves open whether there is an effect: now, later or never.
    Unknown,
}

/// One request of one client, with its end. Times are nanoseconds on one clock that all clients share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// Who asked.
    pub client: u64,
    /// Attempts at one deduplicated write share a number that nothing else in the history has: the store must
    /// do it at most once, and answers a repeated attempt like the first one. Reads are not deduplicated, and
    /// theirs is ignored. None: an attempt of its own.
    pub attempt_of: Option<u64>,
    /// The member that answered, if known. While it lives, its local reads must not go back, whoever asks: so a
    /// guess will not do, and behind a proxy that chooses it is None.
    pub member: Option<u64>,
    /// Which life of that member: one more after each restart.
    pub incarnation: u64,
    /// When it was asked.
    pub call: u64,
    /// When it ended. Without meaning if the outcome is unknown.
    pub ret: u64,
    /// What was asked.
    pub request: Request,
    /// How it ended.
    pub outcome: Outcome,
}
