//! Who is in the cluster: what `--initial-cluster` says, and the ids that etcd's rule makes of it.
//!
//! What it will never know: where this is written down ([`crate::directory`]), and how members are reached.

use std::collections::{BTreeMap, BTreeSet};

use kvorum_core::planted;
use sha1::{Digest, Sha1};

use crate::settings::{Settings, unspoken};
use crate::urls::{Scheme, Url, join};

/// A member as it was when the cluster began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) peer_url: Url,
}

/// The cluster that a data directory belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cluster {
    pub(crate) id: u64,
    /// Which member this is.
    pub(crate) me: u64,
    /// In the order of their ids.
    pub(crate) members: Vec<Member>,
}

/// The members that were named, with their peer URLs.
type Named = BTreeMap<String, Vec<Url>>;

impl Cluster {
    /// The cluster that begins with these settings. Everything is refused that etcd refuses, in its words.
    pub(crate) fn begin(settings: &Settings) -> Result<Cluster, String> {
        if !settings.is_new {
            return Err(
                "--initial-cluster-state existing is not supported by kvorumd for a member without data: \
                        members cannot be added to a cluster yet"
                    .into(),
            );
        }
        let named = named(&settings.initial_cluster)
            .map_err(|reason| format!("error setting up initial cluster: {reason}"))?;
        let Some(mine) = named.get(&settings.name) else {
            let name = &settings.name;
            return Err(format!("couldn't find local name {name:?} in the initial cluster configuration"));
        };
        advertised(settings, mine)?;
        let urls: Vec<&Url> = named.values().flatten().collect();
        if urls.iter().collect::<BTreeSet<_>>().len() < urls.len() {
            return Err(format!("initial cluster {} has duplicate url", show(&named)));
        }
        let me = member_id(mine, &settings.token);
        let mut members = Vec::new();
        for (name, urls) in named {
            let id = member_id(&urls, &settings.token);
            members.push(Member { id, peer_url: only(&name, urls)?, name });
        }
        members.sort_by_key(|member| member.id);
        Ok(Cluster { id: cluster_id(members.iter().map(|member| member.id)), me, members })
    }

    /// The same members as the cluster that begins with this content. Its id is of that, too, which etcd's is not: so a
    /// member that was imported and one that was not, or from another snapshot, refuse each other.
    pub(crate) fn with_content(self, content: &[u8; 32]) -> Cluster {
        if planted!("import_in_no_id") {
            return self;
        }
        let ids = hash_ids(self.members.iter().map(|member| member.id));
        Cluster { id: first_eight(ids.chain_update(content)), ..self }
    }

    /// A text of the node's, which writes ids in decimal digits, with the members' ids as etcd shows them.
    pub(crate) fn in_hex(&self, text: &str) -> String {
        let mut shown = String::new();
        // Each piece is all digits, or has none.
        for piece in text.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
            let piece = String::from_utf8_lossy(piece);
            match piece.parse::<u64>().ok().filter(|id| self.members.iter().any(|member| member.id == *id)) {
                Some(id) => shown += &format!("{id:x}"),
                None => shown += &piece,
            }
        }
        shown
    }

    /// Whether the members are those that `--initial-cluster` names.
    pub(crate) fn is_named_by(&self, text: &str) -> bool {
        let Ok(named) = named(text) else { return false };
        let is_in = |member: &Member| {
            named.get(&member.name).is_some_and(|urls| urls[..] == [member.peer_url.clone()])
        };
        named.len() == self.members.len() && self.members.iter().all(is_in)
    }

    /// The members as `--initial-cluster` would name them.
    pub(crate) fn named(&self) -> Vec<String> {
        self.members.iter().map(|member| format!("{}={}", member.name, member.peer_url)).collect()
    }

    /// Where the others reach this member.
    pub(crate) fn own_url(&self) -> &[Url] {
        let own = self.members.iter().find(|member| member.id == self.me);
        own.map_or(&[], |member| std::slice::from_ref(&member.peer_url))
    }

    /// Whether it has other members than this one.
    pub(crate) fn has_others(&self) -> bool {
        self.members.len() > 1
    }
}

/// A member's id: of its peer URLs and the token, the first eight bytes of their SHA-1. It names members, and
/// protects nothing.
fn member_id(urls: &[Url], token: &str) -> u64 {
    let mut urls: Vec<String> = urls.iter().map(Url::to_string).collect();
    urls.sort();
    first_eight(Sha1::new().chain_update(urls.concat()).chain_update(token))
}

/// A cluster's id: of its first members' ids, in order.
fn cluster_id(ids: impl Iterator<Item = u64>) -> u64 {
    first_eight(hash_ids(ids))
}

fn hash_ids(ids: impl Iterator<Item = u64>) -> Sha1 {
    ids.fold(Sha1::new(), |hash, id| hash.chain_update(id.to_be_bytes()))
}

fn first_eight(hash: Sha1) -> u64 {
    hash.finalize().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Reads `name=url,name=url`; a name that comes again has several URLs.
fn named(text: &str) -> Result<Named, String> {
    let mut named = Named::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, url) = part.split_once('=').unwrap_or((part, ""));
        if name.chars().any(char::is_control) {
            return Err(format!("the name {name:?} has control characters"));
        }
        named.entry(name.to_string()).or_default().push(Url::parse(url)?);
    }
    named.values_mut().for_each(|urls| urls.sort_by_cached_key(Url::to_string));
    Ok(named)
}

fn show(named: &Named) -> String {
    let pairs = named.iter().flat_map(|(name, urls)| urls.iter().map(move |url| format!("{name}={url}")));
    pairs.collect::<Vec<_>>().join(",")
}

/// One address that kvorum can dial.
fn only(name: &str, mut urls: Vec<Url>) -> Result<Url, String> {
    match (urls.pop(), urls.is_empty()) {
        (Some(url), true) if url.scheme == Scheme::Http => Ok(url),
        (Some(url), true) => Err(format!(
            "--initial-cluster {name}={url} is not supported by kvorumd: {}",
            unspoken(url.scheme)
        )),
        _ => Err(format!("--initial-cluster names several URLs for {name}: kvorumd reaches a member at one")),
    }
}

/// What a member says of itself must be what the cluster says of it, in letters or once resolved.
fn advertised(settings: &Settings, mine: &[Url]) -> Result<(), String> {
    let advertised = &settings.advertise_peer;
    if advertised == mine {
        return Ok(());
    }
    let resolve = |urls: &[Url]| urls.iter().map(Url::resolved).collect::<BTreeSet<_>>();
    let (here, there) = (resolve(advertised), resolve(mine));
    let reason = match (advertised.len() == mine.len(), here.iter().zip(&there).find(|(a, b)| a != b)) {
        (false, _) => format!("len({}) != len({})", list(advertised), list(mine)),
        (true, Some((a, b))) => format!("resolved urls: \"{a}\" != \"{b}\""),
        (true, None) => return Ok(()),
    };
    let name = &settings.name;
    let missing: Vec<String> =
        mine.iter().filter(|url| !advertised.contains(url)).map(|url| format!("{name}={url}")).collect();
    Err(if missing.is_empty() {
        let extra: Vec<Url> = advertised.iter().filter(|url| !mine.contains(url)).cloned().collect();
        format!(
            "--initial-advertise-peer-urls has {} but missing from --initial-cluster={} ({reason})",
            join(&extra),
            settings.initial_cluster
        )
    } else {
        format!(
            "--initial-cluster has {} but missing from --initial-advertise-peer-urls={} ({reason})",
            missing.join(","),
            join(advertised)
        )
    })
}

/// As Go prints a list of strings with `%q`.
fn list(urls: &[Url]) -> String {
    let quoted: Vec<String> = urls.iter().map(|url| format!("\"{url}\"")).collect();
    format!("[{}]", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parse::parse;

    fn begin(words: &[&str]) -> Result<Cluster, String> {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        Cluster::begin(&Settings::of(&parse(&words).unwrap().0).unwrap())
    }

    /// What `etcdctl member list -w fields` says of etcd 3.5.30, started with the same flags.
    #[test]
    fn ids_are_those_of_a_real_etcd() {
        let alone = begin(&[]).unwrap();
        assert_eq!((alone.id, alone.me), (0xcdf8_1819_4e3a_8c32, 0x8e9e_05c5_2164_694d));
        let peer = "http://127.0.0.1:42380";
        let flags = [format!("--initial-cluster=n1={peer}"), format!("--initial-advertise-peer-urls={peer}")];
        let other = begin(&["--name=n1", &flags[0], &flags[1]]).unwrap();
        assert_eq!((other.id, other.me), (15_875_391_935_852_295_136, 7_383_792_418_829_112_008));
    }

    #[test]
    fn ids_of_three_are_those_of_a_real_etcd() {
        let list =
            "--initial-cluster=a=http://127.0.0.1:42380,b=http://127.0.0.1:42480,c=http://127.0.0.1:42580";
        let peer = "--initial-advertise-peer-urls=http://127.0.0.1:42480";
        let three = begin(&["--name=b", list, peer, "--initial-cluster-token=tkn"]).unwrap();
        assert_eq!((three.id, three.me), (0x71cc_dea4_ed2b_a01c, 0x97ac_548a_a24e_9d2f));
        let members: Vec<(u64, &str)> = three.members.iter().map(|m| (m.id, m.name.as_str())).collect();
        let expected =
            [(0xa98_258a_0b7f_ce85, "c"), (0x97ac_548a_a24e_9d2f, "b"), (0xc1d9_e1dc_d87c_1d32, "a")];
        assert_eq!(members, expected);
        assert_ne!(begin(&["--name=b", list, peer]).unwrap().id, three.id, "the token is in it");
    }

    #[test]
    fn members_ids_are_shown_as_etcd_shows_them() {
        let alone = begin(&[]).unwrap();
        let (id, text) = (alone.me, "its state at entry 7 differs from that of");
        assert_eq!(alone.in_hex(&format!("{text} [{id}]é")), format!("{text} [{id:x}]é"));
        // What is longer is no id.
        let other = format!("1{id}");
        assert_eq!(alone.in_hex(&other), other);
    }

    #[test]
    fn what_was_imported_is_in_a_clusters_id() {
        let [plain, one, same, other] = [None, Some(1), Some(1), Some(2)].map(|content| {
            let cluster = begin(&[]).unwrap();
            content.map_or(cluster.clone(), |byte| cluster.with_content(&[byte; 32]))
        });
        assert_eq!(one, same);
        assert!(plain.id != one.id && one.id != other.id && plain.me == one.me);
    }

    #[test]
    fn lists_that_do_not_fit_are_refused_in_etcds_words() {
        let default = "http://localhost:2380";
        for (words, reason) in [
            (
                &["--initial-cluster=foo=http://127.0.0.1:2380"][..],
                "couldn't find local name \"default\" in the initial cluster configuration".to_string(),
            ),
            (
                &["--name=foo", "--initial-cluster=foo=http://127.0.0.1:3380"],
                "--initial-cluster has foo=http://127.0.0.1:3380 but missing from \
                 --initial-advertise-peer-urls=http://localhost:2380 (resolved urls: \"http://localhost:2380\" != \
                 \"http://127.0.0.1:3380\")"
                    .into(),
            ),
            (
                &["--name=foo", "--initial-cluster=foo=http://localhost:2380,bar=http://localhost:2380"],
                format!("initial cluster bar={default},foo={default} has duplicate url"),
            ),
            (
                &["--name=foo", "--initial-cluster=foo=http://localhost:2380,foo=http://localhost:2381"],
                "--initial-cluster has foo=http://localhost:2381 but missing from \
                 --initial-advertise-peer-urls=http://localhost:2380 (len([\"http://localhost:2380\"]) != \
                 len([\"http://localhost:2380\" \"http://localhost:2381\"]))"
                    .into(),
            ),
            (
                &["--name=foo", "--initial-cluster=foo"],
                "error setting up initial cluster: URL scheme must be http, https, unix, or unixs: ".into(),
            ),
        ] {
            assert_eq!(begin(words).unwrap_err(), reason);
        }
    }

    #[test]
    fn what_etcd_takes_and_kvorumd_does_not_is_refused_with_the_reason() {
        let existing = begin(&["--initial-cluster-state=existing"]).unwrap_err();
        assert!(existing.contains("members cannot be added"), "{existing}");
        let secure = begin(&["--initial-cluster=default=http://localhost:2380,b=https://h:1"]).unwrap_err();
        assert!(secure.contains("b=https://h:1") && secure.contains("TLS"), "{secure}");
        let several = begin(&["--initial-cluster=default=http://localhost:2380,b=http://h:1,b=http://h:2"]);
        assert!(several.unwrap_err().contains("several URLs for b"));
    }

    #[test]
    fn another_list_is_seen_to_be_another() {
        let one = begin(&[]).unwrap();
        assert!(one.is_named_by("default=http://localhost:2380"));
        assert!(!one.is_named_by("default=http://localhost:2381"));
        assert!(!one.is_named_by("default=http://localhost:2380,b=http://h:1"));
    }
}
