//! Peers that answer and are of another cluster: which, why that may be, and when it is hopeless.
//!
//! A cluster that was imported has an id of its content (see [`crate::cluster`]), so members of which only some were
//! imported, or from other snapshots, find each other out at the first word, before anything is agreed on.

use std::collections::BTreeSet;

use crate::cluster::Cluster;
use crate::imported::Imported;
use crate::log::{Field, Log};
use crate::start::hex;

/// What the transport says of such a peer.
const FOREIGN: &str = "the peer is of another cluster";

/// The cluster that peers should be of.
pub(crate) struct Kin {
    pub(crate) cluster: Cluster,
    pub(crate) imported: Option<Imported>,
}

impl Kin {
    /// Whether a connection was lost or refused for this.
    pub(crate) fn is_foreign(last_error: &str) -> bool {
        last_error.ends_with(FOREIGN)
    }

    /// Says of a peer that it is not one; in etcd's words, and why.
    pub(crate) fn tell(&self, peer: u64, log: &Log) {
        let fields: [Field<'_>; 4] = [
            ("remote-peer-id", hex(peer).into()),
            ("local-member-id", hex(self.cluster.me).into()),
            ("local-member-cluster-id", hex(self.cluster.id).into()),
            ("error", format!("cluster ID mismatch: {}", self.why(&self.names([&peer]))).into()),
        ];
        log.error("request sent was ignored by remote peer due to cluster ID mismatch", &fields);
    }

    /// Why this member can never serve, if so many are of another cluster that the others are no majority, and it is this
    /// member's import that they lack. (Whoever differs in a token or a list is waited for, as in etcd.)
    pub(crate) fn hopeless(&self, foreign: &BTreeSet<u64>) -> Option<String> {
        let members = self.cluster.members.len();
        let is_hopeless = members.saturating_sub(foreign.len()) < members / 2 + 1;
        (is_hopeless && self.imported.is_some()).then(|| self.why(&self.names(foreign)))
    }

    fn why(&self, others: &str) -> String {
        match &self.imported {
            Some(imported) => format!(
                "this member was imported from a snapshot (content {}), and {others} was not, or from another: run the \
                 same 'kvorumd import' on every member, each into a new data directory",
                imported.content()
            ),
            None => format!(
                "{others} was begun with another --initial-cluster or --initial-cluster-token, or was imported from a \
                 snapshot, and this member was not: run the same 'kvorumd import' on every member, each into a new \
                 data directory"
            ),
        }
    }

    fn names<'a>(&self, ids: impl IntoIterator<Item = &'a u64>) -> String {
        let name = |id: &u64| match self.cluster.members.iter().find(|member| member.id == *id) {
            Some(member) => format!("{} ({})", member.name, hex(*id)),
            None => hex(*id),
        };
        format!("member {}", ids.into_iter().map(name).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Member;
    use crate::urls::Url;

    fn kin(imported: bool) -> Kin {
        let member = |id: u64| {
            let peer_url = Url::parse(&format!("http://127.0.0.1:{}", id % 1000)).unwrap();
            Member { id, name: format!("n{}", id % 1000), peer_url }
        };
        let ids = [10_928_977_000_000_000_001, 10_928_977_000_000_000_002, 10_928_977_000_000_000_003];
        let cluster = Cluster { id: 7, me: ids[0], members: ids.map(member).to_vec() };
        Kin { cluster, imported: imported.then_some(Imported { content: [0xab; 32], revision: 1 }) }
    }

    #[test]
    fn it_is_hopeless_without_a_majority_and_only_for_what_was_imported() {
        let [one, two] = [10_928_977_000_000_000_002, 10_928_977_000_000_000_003];
        assert_eq!(kin(true).hopeless(&BTreeSet::from([one])), None);
        let why = kin(true).hopeless(&BTreeSet::from([one, two])).unwrap();
        assert!(why.contains(&format!("member n2 ({one:x}), n3 ({two:x}) was not")), "{why}");
        assert!(why.contains("abababababababab"), "{why}");
        assert_eq!(kin(false).hopeless(&BTreeSet::from([one, two])), None);
    }
}
