//! Answers as bytes: for the hash chain, for sessions and for images.

use bytes::Bytes;
use prost::Message;
use prost::encoding::message;

use crate::command::Response;
use crate::error::{Error, ErrorKind, Result};

/// An answer that was kept.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(oneof = "Response", tags = "3, 4, 5, 6, 7, 8, 11, 16")]
    response: Option<Response>,
    #[prost(message, optional, tag = "20")]
    refusal: Option<Refusal>,
}

/// An error that applying can come to. Everything else is refused before it is proposed.
#[derive(Clone, Copy, PartialEq, Message)]
struct Refusal {
    /// See [`refusal`]. Numbers are never used again for another error: they are in hashes and images.
    #[prost(uint32, tag = "1")]
    code: u32,
    #[prost(sint64, tag = "2")]
    first: i64,
    #[prost(sint64, tag = "3")]
    second: i64,
}

/// Appends an answer to `into`.
pub(super) fn encode(answer: &Result<Response>, into: &mut Vec<u8>) {
    match answer {
        Ok(response) => response.encode(into),
        Err(error) => message::encode(20, &refusal(error.kind()), into),
    }
}

/// Reads an answer back; `None` if the bytes are none.
pub(super) fn decode(bytes: Bytes) -> Option<Result<Response>> {
    match Answer::decode(bytes).ok()? {
        Answer { response: Some(response), refusal: None } => Some(Ok(response)),
        Answer { response: None, refusal: Some(refusal) } => Some(Err(Error::from(kind(refusal)?))),
        _ => None,
    }
}

/// An error as numbers. Unsigned numbers go through `as` and come back through it unchanged.
fn refusal(kind: &ErrorKind) -> Refusal {
    let (code, first, second) = match *kind {
        ErrorKind::EmptyKey => (1, 0, 0),
        ErrorKind::KeyNotFound => (2, 0, 0),
        ErrorKind::ValueProvided => (3, 0, 0),
        ErrorKind::LeaseProvided => (4, 0, 0),
        ErrorKind::InvalidSort => (5, 0, 0),
        ErrorKind::FutureRevision { requested, current } => (6, requested, current),
        ErrorKind::Compacted { requested, compacted } => (7, requested, compacted),
        ErrorKind::LeaseNotFound { id } => (8, id, 0),
        ErrorKind::LeaseExists { id } => (9, id, 0),
        ErrorKind::SessionNotFound { id } => (10, id as i64, 0),
        ErrorKind::SessionSequence { sequence, lowest } => (11, sequence as i64, lowest as i64),
        ErrorKind::NoSpace { used, quota } => (12, used as i64, quota as i64),
        // An entry that is no command: the only other one (see `apply.rs`).
        ErrorKind::Corrupt { offset, .. } => (13, offset as i64, 0),
        // Applying comes to nothing else.
        _ => (0, 0, 0),
    };
    Refusal { code, first, second }
}

/// The error that [`refusal`] was given.
fn kind(Refusal { code, first, second }: Refusal) -> Option<ErrorKind> {
    Some(match code {
        1 => ErrorKind::EmptyKey,
        2 => ErrorKind::KeyNotFound,
        3 => ErrorKind::ValueProvided,
        4 => ErrorKind::LeaseProvided,
        5 => ErrorKind::InvalidSort,
        6 => ErrorKind::FutureRevision { requested: first, current: second },
        7 => ErrorKind::Compacted { requested: first, compacted: second },
        8 => ErrorKind::LeaseNotFound { id: first },
        9 => ErrorKind::LeaseExists { id: first },
        10 => ErrorKind::SessionNotFound { id: first as u64 },
        11 => ErrorKind::SessionSequence { sequence: first as u64, lowest: second as u64 },
        12 => ErrorKind::NoSpace { used: first as u64, quota: second as u64 },
        13 => unreadable(first as u64),
        _ => return None,
    })
}

/// The error of an entry that is no command that this build knows.
pub(super) fn unreadable(index: u64) -> ErrorKind {
    ErrorKind::Corrupt { path: "log".into(), offset: index, reason: "the entry is no known command".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Done;

    #[test]
    fn an_answer_survives_being_kept() {
        let errors = [
            ErrorKind::EmptyKey,
            ErrorKind::KeyNotFound,
            ErrorKind::ValueProvided,
            ErrorKind::LeaseProvided,
            ErrorKind::InvalidSort,
            ErrorKind::FutureRevision { requested: 9, current: 5 },
            ErrorKind::Compacted { requested: -9, compacted: 5 },
            ErrorKind::LeaseNotFound { id: -7 },
            ErrorKind::LeaseExists { id: i64::MIN },
            ErrorKind::SessionNotFound { id: u64::MAX },
            ErrorKind::SessionSequence { sequence: u64::MAX, lowest: 1 },
            ErrorKind::NoSpace { used: u64::MAX, quota: 3 },
            unreadable(12),
        ];
        let mut answers: Vec<Result<Response>> = errors.into_iter().map(|kind| Err(kind.into())).collect();
        answers.push(Ok(Response::Done(Done { revision: 4 })));
        answers.push(Ok(Response::OpenSession(7)));
        for answer in answers {
            let mut bytes = Vec::new();
            encode(&answer, &mut bytes);
            assert_eq!(decode(bytes.into()), Some(answer));
        }
        assert_eq!(decode(Bytes::new()), None);
    }
}
