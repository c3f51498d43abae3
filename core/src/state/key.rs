//! Keys and spans of keys, as the maps hold them.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Bound;

/// A key that owns its bytes. Short ones lie in the value itself: then a walk down a map touches no memory
/// but the map's own, and nothing is allocated.
///
/// Keys of maps are never slices of a log entry or of a version: a small slice would keep a large buffer
/// alive for as long as the key exists.
#[derive(Clone)]
pub(super) enum Key {
    /// Up to [`INLINE`] bytes.
    Inline(u8, [u8; INLINE]),
    /// More.
    Heap(Box<[u8]>),
}

/// What fits beside the tag without making [`Key`] larger than 24 bytes.
const INLINE: usize = 22;

impl Key {
    /// A copy of these bytes.
    pub(super) fn new(bytes: &[u8]) -> Key {
        match u8::try_from(bytes.len()) {
            Ok(len) if bytes.len() <= INLINE => {
                let mut inline = [0; INLINE];
                inline[..bytes.len()].copy_from_slice(bytes);
                Key::Inline(len, inline)
            }
            _ => Key::Heap(bytes.into()),
        }
    }

    /// The bytes.
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Key::Inline(len, inline) => &inline[..usize::from(*len)],
            Key::Heap(bytes) => bytes,
        }
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

/// Which keys an operation is about: etcd's `key` and `range_end`, read once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span<'a> {
    /// One key.
    Single(&'a [u8]),
    /// From the first, up to and without the second. May be empty.
    Between(&'a [u8], &'a [u8]),
    /// From this one on.
    From(&'a [u8]),
}

impl<'a> Span<'a> {
    /// No end: one key. A single zero byte as end: everything from the key on.
    pub(super) fn new(key: &'a [u8], range_end: &'a [u8]) -> Span<'a> {
        match range_end {
            [] => Span::Single(key),
            [0] => Span::From(key),
            end => Span::Between(key, end),
        }
    }

    /// Whether no key can lie in it.
    pub(super) fn is_empty(self) -> bool {
        matches!(self, Span::Between(start, end) if end <= start)
    }

    /// As bounds for a map; never call it on an empty span, for which maps panic.
    pub(super) fn bounds(self) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
        match self {
            Span::Single(only) => (Bound::Included(only), Bound::Included(only)),
            Span::Between(start, end) => (Bound::Included(start), Bound::Excluded(end)),
            Span::From(start) => (Bound::Included(start), Bound::Unbounded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_three_words_however_long() {
        assert_eq!(size_of::<Key>(), 24);
        for len in [0, 1, INLINE, INLINE + 1, 300] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            assert_eq!(Key::new(&bytes).as_slice(), bytes);
        }
        assert!(Key::new(&[1; INLINE]) < Key::new(&[1; INLINE + 1]));
    }

    #[test]
    fn the_zero_byte_as_end_means_everything_behind() {
        assert_eq!(Span::new(b"b", b"\0"), Span::From(b"b"));
        assert_eq!(Span::new(b"b", b""), Span::Single(b"b"));
        assert!(Span::new(b"b", b"a").is_empty() && Span::new(b"b", b"b").is_empty());
        assert!(!Span::new(b"b", b"b\0").is_empty());
    }
}
