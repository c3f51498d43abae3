//! The numbers that name things.
//!
//! They are plain integers because they travel: through prost messages, etcd's API and users'
//! configuration. The aliases say which number is meant.

/// A member of the cluster. Never zero, and never used again for another member.
pub type NodeId = u64;

/// A cluster: a hash of its name and of its first members, so that two clusters that were
/// configured differently refuse each other.
pub type ClusterId = u64;

/// A raft term: at most one leader each.
pub type Term = u64;

/// A place in the replicated log. The first entry has index 1.
pub type Index = u64;

/// A revision of the store. A fresh store is at revision 1; the first write takes 2. Signed, because
/// etcd's API sends signed revisions, negative ones included.
pub type Revision = i64;

/// A lease. Signed, as in etcd: every value but 0 may be chosen by a client.
pub type LeaseId = i64;

/// A deduplication session (the log index at which it was opened).
pub type SessionId = u64;

/// A ticket that orders writes: see [`crate::storage`].
pub type Ticket = u64;

/// One directory's identity: drawn once when a member's storage is created. A member that comes back
/// with another one has lost its disk.
pub type DirectoryId = u64;

/// How often a member's storage has been opened, counted from 1.
pub type Incarnation = u64;
