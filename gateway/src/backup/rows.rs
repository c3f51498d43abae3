//! Rows of etcd's buckets, as bytes and back.

use bytes::{BufMut, Bytes};
use kvorum_core::request::KeyValue;
use kvorum_core::state::{LeaseInfo, Version};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::pb::etcdserverpb as pb;

/// The length of the key of a revision: main, '_', sub. A tombstone's has one byte more, 't'.
const REVISION: usize = 17;

/// The key under which a version lies: eight bytes of the revision, '_', eight bytes of its place in it, big-endian, so
/// that keys have the order of history.
pub(crate) fn revision_key(main: i64, sub: u32, is_tombstone: bool, into: &mut Vec<u8>) {
    into.clear();
    into.put_i64(main);
    into.put_u8(b'_');
    into.put_u64(sub.into());
    if is_tombstone {
        into.put_u8(b't');
    }
}

/// Reads one: revision, place, and whether it is a tombstone's.
pub(super) fn read_revision_key(bytes: &[u8]) -> Option<(i64, u32, bool)> {
    let is_tombstone = match bytes.get(REVISION..)? {
        [] => false,
        b"t" => true,
        _ => return None,
    };
    let (main, rest) = bytes.split_first_chunk()?;
    let (separator, sub) = rest.split_first()?;
    let main = i64::from_be_bytes(*main);
    let sub = u64::from_be_bytes(*sub.first_chunk()?);
    (*separator == b'_' && main >= 0).then_some((main, u32::try_from(sub).ok()?, is_tombstone))
}

/// Key and value of the row of a version: the value is an `mvccpb.KeyValue`, of which a tombstone has the key only.
pub(crate) fn version_row(v: &Version, key: &mut Vec<u8>, value: &mut Vec<u8>) {
    revision_key(v.mod_revision(), v.sub_revision(), v.is_tombstone(), key);
    value.clear();
    text(1, v.key(), value);
    if v.is_tombstone() {
        return;
    }
    for (tag, number) in [(2, v.create_revision()), (3, v.mod_revision()), (4, v.version())] {
        integer(tag, number, value);
    }
    text(5, v.value(), value);
    integer(6, v.lease(), value);
}

/// By hand, because a message would share the version's buffer, which costs an allocation that stays for as long.
fn text(tag: u32, bytes: &[u8], into: &mut Vec<u8>) {
    if !bytes.is_empty() {
        encode_key(tag, WireType::LengthDelimited, into);
        encode_varint(bytes.len() as u64, into);
        into.extend_from_slice(bytes);
    }
}

fn integer(tag: u32, number: i64, into: &mut Vec<u8>) {
    if number != 0 {
        encode_key(tag, WireType::Varint, into);
        encode_varint(number as u64, into);
    }
}

/// Reads the value of a version's row.
pub(super) fn read_version(bytes: &[u8]) -> Option<KeyValue> {
    KeyValue::decode(Bytes::copy_from_slice(bytes)).ok()
}

/// etcd's `leasepb.Lease`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Lease {
    #[prost(int64, tag = "1")]
    pub(super) id: i64,
    /// In seconds.
    #[prost(int64, tag = "2")]
    pub(super) ttl: i64,
    /// In seconds; 0: it was never written down.
    #[prost(int64, tag = "3")]
    pub(super) remaining: i64,
}

/// Key and value of the row of a lease.
pub(crate) fn lease(lease: &LeaseInfo) -> ([u8; 8], Vec<u8>) {
    let LeaseInfo { id, ttl, remaining_millis } = *lease;
    // Rounded up: a lease is never to end before its time.
    let remaining = remaining_millis.map_or(0, |millis| i64::try_from(millis.div_ceil(1000)).unwrap_or(ttl));
    (id.to_be_bytes(), Lease { id, ttl, remaining }.encode_to_vec())
}

/// A member as etcd keeps it: under its id in hexadecimal digits, as JSON.
pub(super) fn member(member: &pb::Member) -> (String, String) {
    let list = |urls: &[String]| urls.iter().map(|url| quoted(url)).collect::<Vec<_>>().join(",");
    let mut json = format!("{{\"id\":{},\"peerURLs\":[{}]", member.id, list(&member.peer_ur_ls));
    if !member.name.is_empty() {
        json += &format!(",\"name\":{}", quoted(&member.name));
    }
    if !member.client_ur_ls.is_empty() {
        json += &format!(",\"clientURLs\":[{}]", list(&member.client_ur_ls));
    }
    (format!("{:x}", member.id), json + "}")
}

/// A text in JSON.
fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => json += &format!("\\u{:04x}", u32::from(c)),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_have_the_order_of_history() {
        let mut keys = Vec::new();
        for (main, sub, is_tombstone) in [(2, 0, false), (2, 1, true), (255, 0, false), (256, 7, false)] {
            let mut key = Vec::new();
            revision_key(main, sub, is_tombstone, &mut key);
            assert_eq!(read_revision_key(&key), Some((main, sub, is_tombstone)));
            keys.push(key);
        }
        assert!(keys.is_sorted());
        for end in 0..17 {
            assert_eq!(read_revision_key(&keys[0][..end]), None);
        }
        assert_eq!(read_revision_key(&[&keys[0][..], b"x"].concat()), None);
        assert_eq!(read_revision_key(&[&[0xff; 8][..], b"_", &[0; 8]].concat()), None, "negative");
        assert_eq!(read_revision_key(&[&[0; 8][..], b"-", &[0; 8]].concat()), None);
        assert_eq!(read_revision_key(&[&[0; 8][..], b"_", &[0xff; 8]].concat()), None, "too large a place");
    }

    #[test]
    fn a_member_is_json_whatever_it_is_called() {
        let me = pb::Member { id: 0xab, name: "a\"\\\n".into(), ..pb::Member::default() };
        let expected = ("ab".into(), r#"{"id":171,"peerURLs":[],"name":"a\"\\\u000a"}"#.into());
        assert_eq!(member(&me), expected);
    }
}
