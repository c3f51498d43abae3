//! Peers that answer and are of another cluster: which, why that may be, and when it is hopeless.
//!
//! A cluster that was imported has an id of its content (see [`crate::cluster`]), so members of which only some were
//! imported, or from other snapshots, find each other out at the first word, before anything is agreed on.

use std::collections::BTreeSet;

use kvorum::transports::OTHER_CLUSTER;
use kvorum_core::planted;

use crate::cluster::Cluster;
use crate::imported::Imported;
use crate::log::{Field, Log};
use crate::start::hex;

/// The entry that an import's image stands for. A cluster that begins with nothing has none of a client's there either.
const FIRST: u64 = 1;

const IMPORT_ALL: &str = "run the same 'kvorumd import' on every member, each into a new data directory";

/// The cluster that peers should be of.
pub(crate) struct Kin {
    pub(crate) cluster: Cluster,
    pub(crate) imported: Option<Imported>,
}

impl Kin {
    /// Whether a connection was lost or refused for this.
    pub(crate) fn is_foreign(last_error: &str) -> bool {
        last_error.ends_with(OTHER_CLUSTER)
    }

    /// Whether a log with this last entry may hold what somebody was promised: then a leader was there once, and so was a
    /// majority. What it says survives a restart, which having seen a leader does not.
    pub(crate) fn has_writes(last_index: u64) -> bool {
        last_index > FIRST && !planted!("import_forgets_writes")
    }

    /// Says of a peer that it is not one; in etcd's words, and why.
    pub(crate) fn tell(&self, peer: u64, has_writes: bool, log: &Log) {
        let fields: [Field<'_>; 4] = [
            ("remote-peer-id", hex(peer).into()),
            ("local-member-id", hex(self.cluster.me).into()),
            ("local-member-cluster-id", hex(self.cluster.id).into()),
            ("error", format!("cluster ID mismatch: {}", self.why([&peer], has_writes)).into()),
        ];
        log.error("request sent was ignored by remote peer due to cluster ID mismatch", &fields);
    }

    /// Why this member can never serve, if so many are of another cluster that the others are no majority, and it is this
    /// member's import that they lack. (Whoever differs in a token or a list is waited for, as in etcd; and so is everybody
    /// if there is something here that was written since: the others may come back with what they had.)
    pub(crate) fn hopeless(&self, foreign: &BTreeSet<u64>, has_writes: bool) -> Option<String> {
        let members = self.cluster.members.len();
        let is_hopeless = members.saturating_sub(foreign.len()) < members / 2 + 1;
        (is_hopeless && !has_writes && self.imported.is_some()).then(|| self.why(foreign, false))
    }

    /// What is advised destroys nothing that was acknowledged.
    fn why<'a>(&self, ids: impl IntoIterator<Item = &'a u64>, has_writes: bool) -> String {
        let (others, was, they) = self.names(ids);
        let cause = match &self.imported {
            Some(imported) => {
                let content = imported.content();
                format!(
                    "this member was imported from a snapshot (content {content}), and {others} {was} not, or from another"
                )
            }
            None => format!(
                "{others} {was} begun with another --initial-cluster or --initial-cluster-token, or {was} imported from a \
                 snapshot, and this member was not"
            ),
        };
        match has_writes {
            true => format!(
                "{cause}, or lost the data that {they} had: the data directory of this member holds what was written, so \
                 keep it, and start a member that lost its data on the directory that it had; only one that never had any \
                 may be given the same 'kvorumd import'"
            ),
            // Another member may hold what this one has not seen.
            false => format!("{cause}: if nothing was written since the import, {IMPORT_ALL}"),
        }
    }

    /// Members by their names, and the words that go with as many.
    fn names<'a>(&self, ids: impl IntoIterator<Item = &'a u64>) -> (String, &'static str, &'static str) {
        let name = |id: &u64| match self.cluster.members.iter().find(|member| member.id == *id) {
            Some(member) => format!("{} ({})", member.name, hex(*id)),
            None => hex(*id),
        };
        let names: Vec<String> = ids.into_iter().map(name).collect();
        match &names[..] {
            [one] => (format!("member {one}"), "was", "it"),
            several => (format!("members {}", several.join(", ")), "were", "they"),
        }
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
        assert_eq!(kin(true).hopeless(&BTreeSet::from([one]), false), None);
        let why = kin(true).hopeless(&BTreeSet::from([one, two]), false).unwrap();
        assert!(why.contains(&format!("members n2 ({one:x}), n3 ({two:x}) were not")), "{why}");
        assert!(why.contains("abababababababab"), "{why}");
        assert_eq!(kin(false).hopeless(&BTreeSet::from([one, two]), false), None);
        assert_eq!(kin(true).hopeless(&BTreeSet::from([one, two]), true), None, "there is something to lose");
    }

    #[test]
    fn who_holds_writes_is_never_told_to_import_again() {
        let one = 10_928_977_000_000_000_002;
        for imported in [true, false] {
            let why = kin(imported).why([&one], true);
            assert!(!why.contains("import' on") && why.contains("keep it") && why.contains("n2"), "{why}");
            assert!(kin(imported).why([&one], false).contains(IMPORT_ALL));
        }
        assert!(!Kin::has_writes(FIRST) && Kin::has_writes(FIRST + 1));
    }
}
