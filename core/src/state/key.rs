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
        Key::inline(bytes).unwrap_or_else(|| Key::Heap(bytes.into()))
    }

    /// The same, if it allocates nothing. To look a short key up as a [`Key`] is faster than as bytes: see
    /// [`Key::cmp`].
    pub(super) fn inline(bytes: &[u8]) -> Option<Key> {
        if bytes.len() > INLINE {
            return None;
        }
        let mut inline = [0; INLINE];
        inline[..bytes.len()].copy_from_slice(bytes);
        Some(Key::Inline(bytes.len() as u8, inline))
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
    /// The order of the bytes. Two short keys are compared as three numbers each, without a call and without
    /// a loop; what pads them is zero, so a key comes before what it is the beginning of unless zeros make
    /// them equal, and then the length decides.
    fn cmp(&self, other: &Key) -> Ordering {
        match (self, other) {
            (Key::Inline(len, bytes), Key::Inline(other_len, other)) => {
                numbers(bytes).cmp(&numbers(other)).then(len.cmp(other_len))
            }
            _ => self.as_slice().cmp(other.as_slice()),
        }
    }
}

/// In the order of the bytes. The last two overlap, which does no harm: they come last.
fn numbers(bytes: &[u8; INLINE]) -> [u64; 3] {
    let at = |from: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[from..from + 8]);
        u64::from_be_bytes(eight)
    };
    [at(0), at(8), at(INLINE - 8)]
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
            Span::Between(start, end) if planted!("range_includes_end") => {
                (Bound::Included(start), Bound::Included(end))
            }
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
    fn keys_have_the_order_of_their_bytes() {
        let parts = [&b""[..], b"\0", b"\0\0", b"a", b"a\0", b"aaaaaaaa", b"\xff", b"aaaaaaaaaaaaaaaaaaaaaa"];
        let mut all: Vec<Vec<u8>> = Vec::new();
        for first in parts {
            all.extend(parts.iter().map(|second| [first, second].concat()));
        }
        for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
            assert_eq!(Key::new(a).cmp(&Key::new(b)), a.cmp(b), "{a:?} {b:?}");
            assert_eq!(Key::new(a) == Key::new(b), a == b, "{a:?} {b:?}");
        }
    }

    #[test]
    fn the_zero_byte_as_end_means_everything_behind() {
        assert_eq!(Span::new(b"b", b"\0"), Span::From(b"b"));
        assert_eq!(Span::new(b"b", b""), Span::Single(b"b"));
        assert!(Span::new(b"b", b"a").is_empty() && Span::new(b"b", b"b").is_empty());
        assert!(!Span::new(b"b", b"b\0").is_empty());
    }
}
