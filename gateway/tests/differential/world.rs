//! What a sequence of requests has brought about so far, as far as it takes to ask something that makes sense next:
//! keys, revisions, leases. What it will never know: what is stored.

use bytes::Bytes;

use crate::dice::Dice;

/// Leases whose number the server made up go by numbers from here on; every server has its own for them.
pub(crate) const MADE_UP: i64 = 1 << 50;

/// Numbers of leases that clients choose. None is ever longer than it takes to be told from a made-up one.
pub(crate) const CHOSEN: [i64; 6] = [1, 7, 8, 4096, -5, i64::MIN];

/// Not more than twelve: so many etcd sorts stably, and what is equal has an order.
const KEYS: [&[u8]; 12] =
    [b"a", b"a\0", b"ab", b"b", b"b/1", b"b/2", b"b0", b"c", b"\0", b"\xff", b"\xff\xff", b"z"];

/// What is known about both stores.
#[derive(Default)]
pub(crate) struct World {
    /// Their revision.
    pub(crate) revision: i64,
    /// Where their history begins.
    pub(crate) compacted: i64,
    /// Leases that are there, or were a moment ago.
    pub(crate) leases: Vec<i64>,
    /// How many leases had their number made up.
    pub(crate) made_up: i64,
    /// More keys than a few.
    pub(crate) is_wide: bool,
    /// Puts are refused for lack of space.
    pub(crate) is_full: bool,
}

impl World {
    /// A key, mostly one that is often used; hardly ever none.
    pub(crate) fn key(&self, dice: &mut Dice) -> Bytes {
        if dice.one_in(60) {
            return Bytes::new();
        }
        if self.is_wide && dice.one_in(2) {
            return format!("w/{:02}", dice.below(60)).into();
        }
        Bytes::from_static(dice.pick(&KEYS))
    }

    /// A range's end, of all shapes, for a key.
    pub(crate) fn end(&self, dice: &mut Dice, key: &[u8]) -> Bytes {
        match dice.below(8) {
            0 | 1 => Bytes::new(),
            2 => Bytes::from_static(b"\0"),
            3 => prefix_end(key),
            4 => [key, b"\0"].concat().into(),
            5 => key.to_vec().into(),
            _ => self.key(dice),
        }
    }

    /// A revision: one that is there, more or less; or none, which stands for "now".
    pub(crate) fn past(&self, dice: &mut Dice) -> i64 {
        match dice.below(20) {
            0 => -1,
            1 => self.revision + 1,
            2 => i64::MAX,
            3 => self.compacted,
            4 => self.compacted - 1,
            5 => self.revision,
            6..=12 => dice.between(self.compacted.max(1), self.revision.max(1)),
            _ => 0,
        }
    }

    /// A bound that lets something through and keeps something out; mostly none.
    pub(crate) fn bound(&self, dice: &mut Dice) -> i64 {
        match dice.below(24) {
            0 => -3,
            1 => i64::MAX,
            2 | 3 => dice.between(1, self.revision.max(1)),
            4 => dice.between((self.revision - 12).max(1), self.revision.max(1)),
            _ => 0,
        }
    }

    /// A lease for a key: often one that is there.
    pub(crate) fn lease(&self, dice: &mut Dice) -> i64 {
        match dice.below(10) {
            0 => 404,
            1..=4 if !self.leases.is_empty() => dice.pick(&self.leases),
            _ => 0,
        }
    }

    /// A lease to ask about: there or not.
    pub(crate) fn some_lease(&self, dice: &mut Dice) -> i64 {
        match dice.below(8) {
            0 => dice.pick(&[0, 404, -1, i64::MAX]),
            1 => dice.pick(&CHOSEN),
            _ if self.leases.is_empty() => 405,
            _ => dice.pick(&self.leases),
        }
    }
}

/// The end of the range of everything that begins with `key`.
fn prefix_end(key: &[u8]) -> Bytes {
    let Some(last) = key.iter().rposition(|byte| *byte < 0xff) else { return Bytes::from_static(b"\0") };
    let mut end = key[..=last].to_vec();
    end[last] += 1;
    end.into()
}
