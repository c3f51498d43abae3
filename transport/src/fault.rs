//! Why a connection ended, for the operator's eyes.

use std::fmt;
use std::io;

use crate::hello::Refusal;

/// Why a connection could not be made or was closed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The operating system's word.
    Io(&'static str, io::Error),
    /// The peer's name has no address.
    NoAddress,
    /// The connection reached this very socket: nobody listens there.
    SelfConnect,
    /// What answered is not a member.
    NotKvorum,
    /// The peer said no.
    Refused(Refusal, u32),
    /// The peer said a code that this version does not know.
    RefusedUnknown(u32),
    /// Checksum of a hello, an answer, a frame's header or its payload.
    Checksum(&'static str),
    /// A frame over the limit.
    TooLong(usize),
    /// A frame that has no place here.
    Unexpected(u8),
    /// A frame whose payload has not the form that its kind demands.
    Malformed(&'static str),
    /// The envelope does not decode.
    Undecodable(String),
    /// The envelope is not from, to or of whom the hello said.
    Mismatch,
    /// The other side closed the connection.
    Closed,
    /// The other side was silent for too long.
    Silent,
    /// The receiver of an image gave it up, and why.
    ImageFailed(String),
    /// The storage, when reading an image or taking one in.
    Storage(kvorum_core::Error),
    /// The node does not want this image, or did not say so in time.
    NotAccepted,
    /// The node no longer listens, or the transport is being dropped.
    Stopped,
}

impl Fault {
    /// Sorts out the kinds of the operating system's errors that have a meaning of their own.
    pub(crate) fn io(action: &'static str) -> impl Fn(io::Error) -> Fault {
        move |e| match e.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Fault::Silent,
            io::ErrorKind::UnexpectedEof => Fault::Closed,
            _ => Fault::Io(action, e),
        }
    }

    /// Whether the other side broke the rules, as opposed to being away.
    pub(crate) fn is_foul(&self) -> bool {
        use Fault::*;
        matches!(
            self,
            NotKvorum | Checksum(_) | TooLong(_) | Unexpected(_) | Malformed(_) | Undecodable(_) | Mismatch
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Io(action, e) => write!(f, "{action}: {e}"),
            Fault::NoAddress => write!(f, "the name has no address"),
            Fault::SelfConnect => write!(f, "nobody listens there (the connection reached itself)"),
            Fault::NotKvorum => write!(f, "what speaks there is not kvorum"),
            Fault::Refused(Refusal::Version, theirs) => {
                write!(f, "refused: the peer speaks protocol versions up to {theirs} only")
            }
            Fault::Refused(refusal, _) => write!(f, "refused: {refusal}"),
            Fault::RefusedUnknown(code) => write!(f, "refused with the unknown code {code}"),
            Fault::Checksum(of) => write!(f, "the checksum of the {of} is wrong"),
            Fault::TooLong(n) => write!(f, "a frame of {n} bytes is over the limit"),
            Fault::Unexpected(kind) => write!(f, "a frame of kind {kind} has no place here"),
            Fault::Malformed(what) => write!(f, "malformed: {what}"),
            Fault::Undecodable(why) => write!(f, "a message does not decode: {why}"),
            Fault::Mismatch => write!(f, "a message is not from, to or of whom the hello said"),
            Fault::Closed => write!(f, "the other side closed the connection"),
            Fault::Silent => write!(f, "the other side was silent for too long"),
            Fault::ImageFailed(why) => write!(f, "the image was not taken: {why}"),
            Fault::Storage(e) => write!(f, "{e}"),
            Fault::NotAccepted => write!(f, "the node did not accept the image"),
            Fault::Stopped => write!(f, "the node is stopped"),
        }
    }
}
