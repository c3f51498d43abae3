//! Who speaks, and to whom: the first bytes on every connection. Drawn in FORMAT.md.

use std::fmt;

use kvorum_core::ids::{ClusterId, Incarnation, NodeId};

use crate::fault::Fault;

/// The newest version of the protocol that this build speaks; also the oldest.
pub(crate) const VERSION: u32 = 1;
pub(crate) const HELLO_BYTES: usize = 52;
pub(crate) const ANSWER_BYTES: usize = 28;
const HELLO_MAGIC: [u8; 8] = *b"kvorum>\n";
const ANSWER_MAGIC: [u8; 8] = *b"kvorum<\n";

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(crate) enum Purpose {
    Messages = 1,
    Image = 2,
}

/// What the dialing side says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) purpose: Purpose,
    pub(crate) cluster: ClusterId,
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) incarnation: Incarnation,
}

/// How [`PeerStatus::last_error`](crate::PeerStatus::last_error) ends when the peer is of another cluster.
pub const OTHER_CLUSTER: &str = "the peer is of another cluster";

/// Why an accepting side says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Refusal {
    Version = 1,
    Damaged = 2,
    Cluster = 3,
    Member = 4,
    Stranger = 5,
    Purpose = 6,
}

impl Refusal {
    fn from_code(code: u32) -> Option<Refusal> {
        use Refusal::*;
        [Version, Damaged, Cluster, Member, Stranger, Purpose].into_iter().find(|r| *r as u32 == code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Version => "the peer does not speak this protocol version",
            Refusal::Damaged => "the hello arrived damaged",
            Refusal::Cluster => OTHER_CLUSTER,
            Refusal::Member => "another member listens at this address",
            Refusal::Stranger => "the peer does not know this member",
            Refusal::Purpose => "the peer does not know the connection's purpose",
        })
    }
}

/// What can be wrong with a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHello {
    /// Not even our protocol: close without a word.
    NotKvorum,
    /// Ours: answer with this.
    Refuse(Refusal),
}

impl Hello {
    pub(crate) fn encode(&self) -> [u8; HELLO_BYTES] {
        let mut out = [0; HELLO_BYTES];
        out[..8].copy_from_slice(&HELLO_MAGIC);
        put_u32(&mut out, 8, VERSION);
        put_u32(&mut out, 12, self.purpose as u32);
        put_u64(&mut out, 16, self.cluster);
        put_u64(&mut out, 24, self.from);
        put_u64(&mut out, 32, self.to);
        put_u64(&mut out, 40, self.incarnation);
        let crc = crc32c::crc32c(&out[..48]);
        put_u32(&mut out, 48, crc);
        out
    }

    pub(crate) fn decode(bytes: &[u8; HELLO_BYTES]) -> Result<Hello, BadHello> {
        if bytes[..8] != HELLO_MAGIC {
            return Err(BadHello::NotKvorum);
        }
        // The version before the checksum: another version may keep its checksum elsewhere.
        if get_u32(bytes, 8) != VERSION {
            return Err(BadHello::Refuse(Refusal::Version));
        }
        if get_u32(bytes, 48) != crc32c::crc32c(&bytes[..48]) {
            return Err(BadHello::Refuse(Refusal::Damaged));
        }
        let purpose = match get_u32(bytes, 12) {
            1 => Purpose::Messages,
            2 => Purpose::Image,
            _ => return Err(BadHello::Refuse(Refusal::Purpose)),
        };
        Ok(Hello {
            purpose,
            cluster: get_u64(bytes, 16),
            from: get_u64(bytes, 24),
            to: get_u64(bytes, 32),
            incarnation: get_u64(bytes, 40),
        })
    }
}

/// The answer's bytes: yes, from this incarnation; or no.
pub(crate) fn encode_answer(answer: Result<Incarnation, Refusal>) -> [u8; ANSWER_BYTES] {
    let mut out = [0; ANSWER_BYTES];
    out[..8].copy_from_slice(&ANSWER_MAGIC);
    put_u32(&mut out, 8, VERSION);
    match answer {
        Ok(incarnation) => put_u64(&mut out, 16, incarnation),
        Err(refusal) => put_u32(&mut out, 12, refusal as u32),
    }
    let crc = crc32c::crc32c(&out[..24]);
    put_u32(&mut out, 24, crc);
    out
}

/// Reads an answer: the incarnation of the other side.
pub(crate) fn decode_answer(bytes: &[u8; ANSWER_BYTES]) -> Result<Incarnation, Fault> {
    if bytes[..8] != ANSWER_MAGIC {
        return Err(Fault::NotKvorum);
    }
    let (version, code) = (get_u32(bytes, 8), get_u32(bytes, 12));
    let intact = get_u32(bytes, 24) == crc32c::crc32c(&bytes[..24]);
    // Another version may keep its checksum elsewhere, but it has its code here.
    if !intact && version == VERSION {
        return Err(Fault::Checksum("answer"));
    }
    match (code, Refusal::from_code(code)) {
        (0, _) if intact => Ok(get_u64(bytes, 16)),
        (0, _) => Err(Fault::Checksum("answer")),
        (_, Some(refusal)) => Err(Fault::Refused(refusal, version)),
        (_, None) => Err(Fault::RefusedUnknown(code)),
    }
}

fn put_u32(out: &mut [u8], at: usize, v: u32) {
    out[at..at + 4].copy_from_slice(&v.to_le_bytes());
}

fn put_u64(out: &mut [u8], at: usize, v: u64) {
    out[at..at + 8].copy_from_slice(&v.to_le_bytes());
}

/// The callers' arrays and places are constants, so that the slice always has 4 bytes.
fn get_u32(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

fn get_u64(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Hello = Hello { purpose: Purpose::Image, cluster: 7, from: 1, to: 2, incarnation: 3 };

    #[test]
    fn a_hello_comes_back_as_it_went() {
        assert_eq!(Hello::decode(&HELLO.encode()), Ok(HELLO));
    }

    #[test]
    fn every_flipped_bit_of_a_hello_is_noticed() {
        for bit in 0..HELLO_BYTES * 8 {
            let mut bytes = HELLO.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Hello::decode(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_flipped_bit_of_an_answer_is_noticed() {
        assert_eq!(decode_answer(&encode_answer(Ok(9))).unwrap(), 9);
        for bit in 0..ANSWER_BYTES * 8 {
            let mut bytes = encode_answer(Ok(9));
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_answer(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_refusal_says_why() {
        let bytes = encode_answer(Err(Refusal::Cluster));
        assert!(matches!(decode_answer(&bytes), Err(Fault::Refused(Refusal::Cluster, VERSION))));
    }
}
