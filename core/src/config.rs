//! What a node is told at its start.

use std::time::Duration;

use crate::error::{ErrorKind, Result};
use crate::ids::{ClusterId, NodeId};

/// How a node behaves. The defaults are etcd's where etcd has the option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This node.
    pub node: NodeId,
    /// The voters the cluster begins with, this node among them. Every member is given the same ones.
    pub voters: Vec<NodeId>,
    /// The cluster's name. Members with another name, or begun with other voters, are refused.
    pub cluster_name: String,
    /// The cluster's id, if it is not to be made of the name and the voters: for whoever has another rule for it,
    /// as etcd has. Every member is given the same one; never 0.
    pub cluster: Option<ClusterId>,
    /// How often a leader says that it is there.
    pub heartbeat: Duration,
    /// How long a follower waits for a leader before it asks for votes: this long, to twice as long.
    pub election_timeout: Duration,
    /// Feeds the spread of election timeouts.
    pub seed: u64,
    /// How long a request may wait before it is answered with [`ErrorKind::Timeout`].
    pub request_timeout: Duration,
    /// The limits on requests.
    pub limits: Limits,
    /// When history is forgotten without being asked.
    pub compaction: AutoCompaction,
    /// Bytes that keys and values may take, with 256 bytes a version; 0: no limit.
    pub quota_bytes: u64,
    /// How many deduplication sessions the store remembers.
    pub max_sessions: u64,
    /// A new image is due when the log since the last one exceeds this and the last image's own size.
    pub image_log_bytes: u64,
    /// How many bytes of entries stay in memory, so that a follower that is a little behind is served from
    /// there and not with an image.
    pub keep_bytes: u64,
    /// How many bytes of entries stay in memory while a follower is known to be further behind, or away; and
    /// four times as many while an image is on its way to one.
    pub catch_up_bytes: u64,
    /// What is stored does not survive the process: no image is made unless a peer needs one.
    pub is_volatile: bool,
}

/// The largest that [`Limits::request_bytes`] may be: 60 MiB, with what is joined with it no more than the 64 MiB of a message between members.
pub const MAX_REQUEST_BYTES: usize = 60 << 20;

/// Bytes of writes that are joined in one message; one that is larger goes alone, or with less than as much again.
pub(crate) const JOINED_BYTES: usize = 1 << 20;

/// What a message may have beside its largest write, in bytes: what is joined with it, and what is said of each of them,
/// which may be as much again.
const BESIDE_A_WRITE: usize = 2 * JOINED_BYTES;

/// The limits on requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request, encoded; [`MAX_REQUEST_BYTES`] at most.
    pub request_bytes: usize,
    /// Operations in one list of a transaction, with what its nested ones use.
    pub txn_ops: usize,
    /// How deep transactions may be nested.
    pub txn_depth: usize,
    /// Refuse a transaction that writes a key twice also where etcd overlooks it: a put behind the start of a
    /// delete without an end, and a nested transaction that deletes what one before it puts.
    pub strict_txns: bool,
    /// The largest time to live of a lease, in seconds.
    pub lease_ttl: i64,
    /// Requests that may wait for an answer on one node.
    pub pending: usize,
    /// Bytes of requests that were proposed and are not committed yet.
    pub uncommitted_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            request_bytes: 1536 * 1024,
            txn_ops: 128,
            txn_depth: 16,
            strict_txns: false,
            lease_ttl: 9_000_000_000,
            pending: 100_000,
            uncommitted_bytes: 64 << 20,
        }
    }
}

/// When history is forgotten without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoCompaction {
    /// Never.
    Off,
    /// Keep at least this many revisions.
    Revisions(u64),
    /// Keep at least the revisions of this long.
    Age(Duration),
}

impl Config {
    /// The defaults, for `node` in a cluster that begins with `voters`.
    pub fn new(node: NodeId, voters: impl IntoIterator<Item = NodeId>) -> Config {
        let mut voters: Vec<NodeId> = voters.into_iter().collect();
        voters.sort_unstable();
        Config {
            node,
            voters,
            cluster_name: "kvorum".into(),
            cluster: None,
            heartbeat: Duration::from_millis(100),
            election_timeout: Duration::from_millis(1000),
            seed: 0,
            request_timeout: Duration::from_secs(7),
            limits: Limits::default(),
            compaction: AutoCompaction::Revisions(100_000),
            quota_bytes: 2 << 30,
            max_sessions: 10_000,
            image_log_bytes: 64 << 20,
            keep_bytes: 16 << 20,
            catch_up_bytes: 128 << 20,
            is_volatile: false,
        }
    }

    /// The cluster's id: the one given, or a hash of its name and first voters.
    pub fn cluster_id(&self) -> ClusterId {
        if let Some(given) = self.cluster {
            return given;
        }
        let mut hash = blake3::Hasher::new();
        hash.update(b"kvorum cluster\0").update(self.cluster_name.as_bytes()).update(b"\0");
        for voter in &self.voters {
            hash.update(&voter.to_le_bytes());
        }
        let mut id = [0; 8];
        id.copy_from_slice(&hash.finalize().as_bytes()[..8]);
        ClusterId::from_le_bytes(id).max(1)
    }

    /// The smallest time to live of a lease, in seconds: an election must fit into it, and half of one.
    pub fn min_lease_ttl(&self) -> i64 {
        let millis = self.election_timeout.as_millis() * 3 / 2;
        i64::try_from(millis.div_ceil(1000)).unwrap_or(i64::MAX).max(1)
    }

    /// Whether the configuration makes sense.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], saying what does not.
    pub fn check(&self) -> Result<()> {
        let mut voters = self.voters.clone();
        voters.sort_unstable();
        voters.dedup();
        if self.node == 0 || voters.first() == Some(&0) {
            return wrong("0 is not a node id");
        }
        if self.cluster == Some(0) {
            return wrong("0 is not a cluster id");
        }
        if voters != self.voters {
            return wrong("the voters (peers) must be sorted, each named once");
        }
        if !voters.contains(&self.node) {
            return wrong(&format!(
                "the voters (peers) {:?} do not name this member, {}",
                self.voters, self.node
            ));
        }
        if self.election_timeout > Duration::from_secs(50) {
            return wrong("the election timeout may be 50 s at most");
        }
        if self.heartbeat < Duration::from_millis(1) || self.heartbeat > self.election_timeout / 5 {
            return wrong("the election timeout must be at least 5 heartbeats, a heartbeat at least 1 ms");
        }
        if self.limits.request_bytes > MAX_REQUEST_BYTES || self.limits.txn_depth > 32 {
            return wrong("requests may have 60 MiB at most and transactions be nested 32 deep");
        }
        Ok(())
    }

    /// Whether the largest write that is allowed fits into the largest message that a transport carries
    /// ([`max_message`](crate::transport::Transport::max_message)). (A node that is alone sends nothing.)
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`].
    pub fn check_message(&self, most: usize) -> Result<()> {
        let needed = self.limits.request_bytes + BESIDE_A_WRITE;
        if self.voters.len() > 1 && most < needed && !planted!("any_transport_will_do") {
            return wrong(&format!(
                "the transport carries messages of {most} bytes, and limits.request_bytes ({}) needs {needed}",
                self.limits.request_bytes
            ));
        }
        Ok(())
    }
}

fn wrong(reason: &str) -> Result<()> {
    Err(ErrorKind::Config { reason: reason.into() }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_voters_make_another_cluster() {
        let three = Config::new(1, [1, 2, 3]);
        assert_eq!(three.cluster_id(), Config::new(2, [3, 2, 1]).cluster_id());
        assert_ne!(three.cluster_id(), Config::new(1, [1, 2]).cluster_id());
    }

    #[test]
    fn a_cluster_id_that_is_given_stands() {
        let given = |cluster| Config { cluster, ..Config::new(1, [1, 2, 3]) };
        assert_eq!(given(Some(7)).cluster_id(), 7);
        assert!(given(Some(7)).check().is_ok());
        assert!(given(Some(0)).check().is_err());
        assert_eq!(given(None).cluster_id(), Config::new(1, [1, 2, 3]).cluster_id());
    }

    #[test]
    fn a_list_without_oneself_is_refused() {
        assert!(Config::new(4, [1, 2, 3]).check().is_err());
        assert!(Config::new(1, [1, 2, 3]).check().is_ok());
    }

    #[test]
    fn a_transport_must_carry_the_largest_write() {
        let mut three = Config::new(1, [1, 2, 3]);
        three.limits.request_bytes = 1 << 20;
        assert!(three.check_message(1 << 20).is_err(), "a write is not all of a message");
        assert!(three.check_message((1 << 20) + BESIDE_A_WRITE).is_ok());
        let alone = Config { voters: vec![1], ..three };
        assert!(alone.check_message(0).is_ok());
    }
}
