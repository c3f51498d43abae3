//! The file `member/cluster`: which member of which cluster a data directory belongs to, and where the members are
//! reached. Written at the first start, from the `--initial-…` flags, which mean nothing afterwards.
//!
//! ```text
//! kvorum cluster 1                                   the format and its version
//! cluster 71ccdea4ed2ba01c                           the cluster's id, 16 hexadecimal digits
//! member 97ac548aa24e9d2f                            this member's id
//! peer 97ac548aa24e9d2f http://127.0.0.1:2380 name   a member, this one too: id, peer URL, name (to the line's end)
//! ```
//!
//! It is text so that an operator can move a member: stop it, change its URL in every member's file, start. The ids
//! stay what they were; the store knows them, too, and refuses others.

use std::collections::BTreeSet;

use crate::cluster::{Cluster, Member};
use crate::urls::{Scheme, Url};

const HEAD: &str = "kvorum cluster 1";

/// As it lies in the file.
pub(crate) fn write(cluster: &Cluster) -> String {
    let mut text = format!("{HEAD}\ncluster {:016x}\nmember {:016x}\n", cluster.id, cluster.me);
    for member in &cluster.members {
        text.push_str(&format!("peer {:016x} {} {}\n", member.id, member.peer_url, member.name));
    }
    text
}

/// Reads it back; the error says what is wrong with which line.
pub(crate) fn read(text: &str) -> Result<Cluster, String> {
    let mut lines = text.lines();
    match lines.next().unwrap_or_default() {
        HEAD => {}
        head if head.starts_with("kvorum cluster ") => {
            return Err(format!("{head:?} is a version that this build does not know"));
        }
        _ => return Err(format!("it does not begin with {HEAD:?}")),
    }
    let id = number("cluster ", lines.next())?;
    let me = number("member ", lines.next())?;
    let mut members = lines.map(peer).collect::<Result<Vec<_>, _>>()?;
    members.sort_by_key(|member| member.id);
    let ids: BTreeSet<u64> = members.iter().map(|member| member.id).collect();
    let urls: BTreeSet<&Url> = members.iter().map(|member| &member.peer_url).collect();
    if ids.len() < members.len() || urls.len() < members.len() {
        return Err("two members have the same id or URL".into());
    }
    if !ids.contains(&me) || ids.contains(&0) || id == 0 {
        return Err(format!("the members do not name this one, {me:016x}, or an id is 0"));
    }
    Ok(Cluster { id, me, members })
}

fn number(label: &str, line: Option<&str>) -> Result<u64, String> {
    let line = line.unwrap_or_default();
    let wrong = || format!("{line:?} is not {label:?} and 16 hexadecimal digits");
    let digits = line.strip_prefix(label).ok_or_else(wrong)?;
    hexadecimal(digits).ok_or_else(wrong)
}

fn hexadecimal(digits: &str) -> Option<u64> {
    let is_whole = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if is_whole { u64::from_str_radix(digits, 16).ok() } else { None }
}

fn peer(line: &str) -> Result<Member, String> {
    let wrong = |reason: &str| format!("{line:?} is no peer: {reason}");
    let mut parts = line.splitn(4, ' ');
    if parts.next() != Some("peer") {
        return Err(wrong("it does not begin with \"peer \""));
    }
    let id =
        parts.next().and_then(hexadecimal).ok_or_else(|| wrong("its id has not 16 hexadecimal digits"))?;
    let peer_url = Url::parse(parts.next().unwrap_or_default()).map_err(|reason| wrong(&reason))?;
    if peer_url.scheme != Scheme::Http {
        return Err(wrong("its URL is not http://"));
    }
    let name = parts.next().ok_or_else(|| wrong("it has no name"))?.to_string();
    Ok(Member { id, name, peer_url })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "kvorum cluster 1\ncluster 00000000000000aa\nmember 0000000000000002\n\
                        peer 0000000000000001 http://a:1 one\npeer 0000000000000002 http://b:2 two of two\n";

    #[test]
    fn what_is_written_is_read() {
        let cluster = read(GOOD).unwrap();
        assert_eq!((cluster.id, cluster.me, cluster.members.len()), (0xaa, 2, 2));
        assert_eq!(cluster.members[1].name, "two of two");
        assert_eq!(write(&cluster), GOOD);
    }

    #[test]
    fn what_is_not_right_is_refused_with_its_line() {
        for (from, to, part) in [
            ("kvorum cluster 1", "kvorum cluster 2", "does not know"),
            ("kvorum cluster 1", "etcd", "does not begin"),
            ("cluster 00000000000000aa", "cluster aa", "\"cluster aa\""),
            ("cluster 00000000000000aa", "cluster 0000000000000000", "an id is 0"),
            ("member 0000000000000002", "member 0000000000000003", "do not name this one"),
            ("http://b:2", "http://a:1", "same id or URL"),
            ("http://b:2", "https://b:2", "http://"),
            ("http://b:2", "b:2", "URL scheme"),
            ("peer 0000000000000002", "peer 0000000000000001", "same id or URL"),
            ("peer 0000000000000002", "peer +000000000000002", "16 hexadecimal"),
            (" two of two", "", "no name"),
            ("peer 0000000000000002", "pear 0000000000000002", "\"peer \""),
        ] {
            let changed = GOOD.replace(from, to);
            assert_ne!(changed, GOOD);
            let reason = read(&changed).unwrap_err();
            assert!(reason.contains(part), "{to}: {reason}");
        }
        for end in 0..GOOD.len() {
            // A prefix is never another cluster; one that ends behind a peer is a smaller one, which names this
            // member or is refused.
            if let Ok(cluster) = read(&GOOD[..end]) {
                assert_eq!((cluster.id, cluster.me), (0xaa, 2));
            }
        }
    }
}
