//! A mutation that was checked and encoded, on the thread of whoever asks, so that the node's own thread
//! has nothing left to do but to number it.

use prost::Message as _;

use crate::check::check;
use crate::command::{Command, Op, Origin, SessionTag};
use crate::config::{Config, Limits};
use crate::error::{ErrorKind, Result};

/// Room for the origin, which the node appends: three varints with their tags, and the tag and length of
/// the message around them.
const ORIGIN_ROOM: usize = 40;

/// How long a member's word about itself may be, encoded, in bytes. The limits on clients do not hold for it: none of
/// them, and no member that was given others, may keep a member from being known.
const ATTRIBUTES_BYTES: usize = 64 << 10;

/// A mutation, ready to be proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    encoded: Vec<u8>,
    session: bool,
}

impl Write {
    /// Checks and encodes `op`.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the request by itself, see [`crate::check`]; or
    /// [`ErrorKind::TooLarge`]. None of them has any effect.
    pub fn new(mut op: Op, session: Option<SessionTag>, config: &Config) -> Result<Write> {
        check(&op, &config.limits)?;
        if let Op::LeaseGrant(grant) = &mut op {
            grant.ttl = grant.ttl.max(config.min_lease_ttl());
        }
        let command = Command { origin: None, session, op: Some(op) };
        let size = command.encoded_len();
        let limit = longest(command.op.as_ref(), &config.limits);
        if size > limit {
            return Err(ErrorKind::TooLarge { size, limit }.into());
        }
        let mut encoded = Vec::with_capacity(size + ORIGIN_ROOM);
        command.encode_raw(&mut encoded);
        Ok(Write { encoded, session: session.is_some() })
    }

    /// Whether it carries a session, so that it may be proposed twice.
    pub(crate) fn has_session(&self) -> bool {
        self.session
    }

    /// The command with its origin. Fields of a protobuf message may stand in any order, so the origin goes
    /// behind the rest.
    pub(crate) fn with_origin(mut self, origin: Origin) -> Vec<u8> {
        Command { origin: Some(origin), session: None, op: None }.encode_raw(&mut self.encoded);
        self.encoded
    }
}

/// How long a command may be, without its origin, in bytes.
pub(crate) fn longest(op: Option<&Op>, limits: &Limits) -> usize {
    match op {
        Some(Op::MemberAttributes(_)) => ATTRIBUTES_BYTES,
        _ => limits.request_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::MemberAttributes;
    use crate::request::PutRequest;

    #[test]
    fn the_origin_may_follow_the_rest() {
        let op = Op::Put(PutRequest { key: "k".into(), value: "v".into(), ..PutRequest::default() });
        let write = Write::new(op.clone(), None, &Config::new(1, [1])).unwrap();
        let origin = Origin { node: u64::MAX, incarnation: u64::MAX, request: u64::MAX };
        let room = write.encoded.capacity();
        let encoded = write.with_origin(origin);
        assert!(encoded.len() <= room, "the origin must not move the command");
        let command = Command::decode(&encoded[..]).unwrap();
        assert_eq!((command.op, command.origin), (Some(op), Some(origin)));
    }

    #[test]
    fn a_value_over_the_limit_is_refused_with_both_sizes() {
        let value = vec![0; 2 << 20].into();
        let op = Op::Put(PutRequest { key: "k".into(), value, ..PutRequest::default() });
        let refused = Write::new(op, None, &Config::new(1, [1])).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::TooLarge { size, .. } if *size > 2 << 20));
    }

    #[test]
    fn what_a_member_says_of_itself_has_a_limit_of_its_own() {
        let mut config = Config::new(1, [1]);
        config.limits.request_bytes = 10;
        let says = |url: usize| {
            let client_urls = vec!["x".repeat(url)];
            Op::MemberAttributes(MemberAttributes { node: 1, name: "a name".into(), client_urls })
        };
        Write::new(says(1000), None, &config).unwrap();
        let refused = Write::new(says(64 << 10), None, &config).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::TooLarge { limit: 65536, .. }), "{refused}");
    }
}
