//! Whose data this is: see FORMAT.md, "The identity".

use bytes::Bytes;
use kvorum_core::storage::Identity;
use kvorum_core::{ErrorKind, Result};

use super::take::Take;

/// The file's name.
pub(super) const NAME: &str = "identity";

const MAGIC: &[u8; 8] = b"KVORUMID";
const VERSION: u32 = 1;
const SIZE: usize = 56;
const SUM: usize = SIZE - 4;

/// As it lies in the file: whose data it is, and the number of a segment that there was (0: none yet).
pub(super) fn encode(identity: &Identity, segment: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SIZE);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    for number in [identity.cluster, identity.node, identity.directory, identity.incarnation, segment] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// Reads it back.
pub(super) fn decode(bytes: &[u8], path: &str) -> Result<(Identity, u64)> {
    let corrupt = |reason: &str| ErrorKind::Corrupt { path: path.into(), offset: 0, reason: reason.into() };
    if bytes.len() != SIZE {
        return Err(corrupt("the identity has not its size").into());
    }
    if crc32c::crc32c(&bytes[..SUM]).to_le_bytes() != bytes[SUM..] {
        return Err(corrupt("the identity's checksum is wrong").into());
    }
    let mut take = Take(Bytes::copy_from_slice(bytes));
    if take.bytes(8).as_deref() != Some(MAGIC) {
        return Err(corrupt("this is not an identity").into());
    }
    let version = take.u32().unwrap_or(0);
    if version != VERSION {
        return Err(ErrorKind::Version { path: path.into(), found: version, supported: VERSION }.into());
    }
    fields(&mut take).ok_or_else(|| corrupt("the identity is too short").into())
}

fn fields(take: &mut Take) -> Option<(Identity, u64)> {
    let identity = Identity {
        cluster: take.u64()?,
        node: take.u64()?,
        directory: take.u64()?,
        incarnation: take.u64()?,
    };
    Some((identity, take.u64()?))
}
