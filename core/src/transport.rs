//! What members say to each other, and what the core asks of whatever carries it.
//!
//! A transport may lose, delay, repeat and reorder messages; it may not change them or mix them up. The
//! core guards against everything else: nothing that arrives here is trusted.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::command::Origin;
use crate::error::Result;
use crate::ids::{ClusterId, DirectoryId, Incarnation, Index, NodeId, Term};
use crate::storage::ImageSource;

/// One message from one member to another.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Envelope {
    /// The cluster of the sender.
    #[prost(fixed64, tag = "1")]
    pub cluster: ClusterId,
    /// The sender.
    #[prost(uint64, tag = "2")]
    pub from: NodeId,
    /// The receiver.
    #[prost(uint64, tag = "3")]
    pub to: NodeId,
    /// The directory of the sender.
    #[prost(fixed64, tag = "4")]
    pub directory: DirectoryId,
    /// Which start of the sender this is from.
    #[prost(uint64, tag = "5")]
    pub incarnation: Incarnation,
    /// What is said.
    #[prost(oneof = "Body", tags = "6, 7, 8, 9, 10, 11")]
    pub body: Option<Body>,
}

/// What a message says.
#[derive(Clone, PartialEq, prost::Oneof)]
// Raft's has a box: a message is handed on a dozen times on its way, and one allocation costs less than that many copies.
pub enum Body {
    /// Consensus.
    #[prost(message, tag = "6")]
    Raft(Box<RaftMessage>),
    /// Commands for the leader to propose.
    #[prost(message, tag = "7")]
    Forward(Forward),
    /// The leader of that term will never propose these commands.
    #[prost(message, tag = "8")]
    Refused(Refused),
    /// A lease operation that only the leader can answer.
    #[prost(message, tag = "9")]
    LeaseAsk(LeaseAsk),
    /// Its answer.
    #[prost(message, tag = "10")]
    LeaseAnswer(LeaseAnswer),
    /// The receiver was found wrong and is to halt.
    #[prost(message, tag = "11")]
    Verdict(Verdict),
}

impl From<RaftMessage> for Body {
    fn from(message: RaftMessage) -> Body {
        Body::Raft(Box::new(message))
    }
}

/// A message of raft, field by field.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RaftMessage {
    /// Raft's own number of the message's kind.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// The sender's term.
    #[prost(uint64, tag = "2")]
    pub term: Term,
    /// The term of the entry at `index`.
    #[prost(uint64, tag = "3")]
    pub log_term: Term,
    /// The index that the message is about.
    #[prost(uint64, tag = "4")]
    pub index: Index,
    /// Entries to append.
    #[prost(message, repeated, tag = "5")]
    pub entries: Vec<WireEntry>,
    /// How far the sender knows the log to be committed.
    #[prost(uint64, tag = "6")]
    pub commit: Index,
    /// The term of the entry at `commit`.
    #[prost(uint64, tag = "7")]
    pub commit_term: Term,
    /// Whether the sender says no.
    #[prost(bool, tag = "8")]
    pub reject: bool,
    /// Where the sender's log may agree.
    #[prost(uint64, tag = "9")]
    pub reject_hint: Index,
    /// The index up to which the sender asks for an image.
    #[prost(uint64, tag = "10")]
    pub request_snapshot: Index,
    /// Links an answer with its question.
    #[prost(bytes = "bytes", tag = "11")]
    pub context: Bytes,
    /// The sender's priority as a leader.
    #[prost(int64, tag = "12")]
    pub priority: i64,
    /// Of an offered image: what it is of.
    #[prost(message, optional, tag = "13")]
    pub image: Option<WireImageMeta>,
    /// How far the sender has applied, and its hash there.
    #[prost(message, optional, tag = "14")]
    pub applied: Option<AppliedHash>,
}

/// A log entry on the wire.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WireEntry {
    /// Its place.
    #[prost(uint64, tag = "1")]
    pub index: Index,
    /// The term of the leader that made it.
    #[prost(uint64, tag = "2")]
    pub term: Term,
    /// An [`crate::storage::EntryKind`].
    #[prost(uint32, tag = "3")]
    pub kind: u32,
    /// Its content.
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

/// An [`crate::storage::ImageMeta`] on the wire.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WireImageMeta {
    /// The last entry in the image.
    #[prost(uint64, tag = "1")]
    pub index: Index,
    /// Its term.
    #[prost(uint64, tag = "2")]
    pub term: Term,
    /// The voters there.
    #[prost(uint64, repeated, tag = "3")]
    pub voters: Vec<NodeId>,
    /// The learners there.
    #[prost(uint64, repeated, tag = "4")]
    pub learners: Vec<NodeId>,
    /// The hash there: 32 bytes.
    #[prost(bytes = "bytes", tag = "5")]
    pub hash: Bytes,
}

/// How far a member has applied, and the hash of everything up to there.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AppliedHash {
    /// The last entry applied.
    #[prost(uint64, tag = "1")]
    pub index: Index,
    /// The hash there: 32 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub hash: Bytes,
}

/// Commands for the leader of a term. A leader of another term ignores them: their sender learns what
/// became of them from the log.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Forward {
    /// The term whose leader is meant.
    #[prost(uint64, tag = "1")]
    pub term: Term,
    /// The commands, encoded, each with its origin.
    #[prost(message, repeated, tag = "2")]
    pub commands: Vec<ForwardedCommand>,
    /// The lowest number that its sender still waits for: none below it will be sent (again).
    #[prost(uint64, tag = "3")]
    pub lowest: u64,
}

/// One command for the leader.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ForwardedCommand {
    /// The number that its origin gave it.
    #[prost(uint64, tag = "1")]
    pub request: u64,
    /// The encoded [`crate::command::Command`].
    #[prost(bytes = "bytes", tag = "2")]
    pub command: Bytes,
    /// Its session is to tell what became of an earlier try: it is proposed even if it was before.
    #[prost(bool, tag = "3")]
    pub again: bool,
}

/// Commands that the leader of a term did not propose, and never will unless they are sent again.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Refused {
    /// The term.
    #[prost(uint64, tag = "1")]
    pub term: Term,
    /// The start of the receiver that asked.
    #[prost(uint64, tag = "2")]
    pub incarnation: Incarnation,
    /// The numbers that their origin gave them.
    #[prost(uint64, repeated, tag = "3")]
    pub requests: Vec<u64>,
    /// Only not now, not for good: leadership is being handed over. They are to be sent again.
    #[prost(bool, tag = "4")]
    pub again: bool,
}

/// A lease operation that only the leader can answer.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct LeaseAsk {
    /// Who asks.
    #[prost(message, optional, tag = "1")]
    pub origin: Option<Origin>,
    /// The lease.
    #[prost(int64, tag = "2")]
    pub id: i64,
    /// Start its time anew (true), or only tell what remains.
    #[prost(bool, tag = "3")]
    pub renew: bool,
}

/// The leader's answer to a lease operation.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct LeaseAnswer {
    /// Who asked.
    #[prost(message, optional, tag = "1")]
    pub origin: Option<Origin>,
    /// What remains, in milliseconds; -1: no such lease.
    #[prost(int64, tag = "2")]
    pub remaining_millis: i64,
    /// How far the leader had applied: the lease itself is known to whoever has applied as much.
    #[prost(uint64, tag = "3")]
    pub applied: Index,
    /// The sender does not lead: ask another. (The rest means nothing.)
    #[prost(bool, tag = "4")]
    pub not_leader: bool,
}

/// The receiver was found wrong and is to halt.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Verdict {
    /// The directory that is judged; a member with another one is not meant.
    #[prost(fixed64, tag = "3")]
    pub directory: DirectoryId,
    /// Its directory is not the one that the cluster knows this member by: its disk was lost.
    #[prost(bool, tag = "1")]
    pub wiped: bool,
    /// Its state differs at this index from that of a majority; 0: it does not.
    #[prost(uint64, tag = "2")]
    pub diverged_at: Index,
    /// A start of that directory that the sender has heard, and after which it heard an earlier one; 0: none.
    /// Only an earlier start than that is meant: its data was put back from a copy. (A later one hears of
    /// words that outlived the process that said them.)
    #[prost(uint64, tag = "4")]
    pub heard: Incarnation,
}

/// This member, as a transport introduces it to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The cluster.
    pub cluster: ClusterId,
    /// The member.
    pub node: NodeId,
    /// Which start of it.
    pub incarnation: Incarnation,
}

/// Carries messages and images between members. Dropped, it lets go of everything that it holds: threads,
/// sockets, addresses.
pub trait Transport: Send {
    /// Begins to listen and to deliver. Called once, before anything is sent.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Io`] if it cannot listen, [`crate::ErrorKind::Config`] if it was set up wrongly.
    fn start(&mut self, local: Local, inbox: Inbox) -> Result<()>;

    /// Sends a message to `envelope.to`. Never waits: what cannot be sent soon is dropped, the oldest first, but of
    /// messages with entries the newest: without those before them, a follower cannot use the rest.
    fn send(&mut self, envelope: Envelope);

    /// The largest message that it carries, in bytes encoded. The default: any.
    ///
    /// A node is not started whose [`request_bytes`](crate::config::Limits::request_bytes) need more: a write that no
    /// message holds would stop all writes behind it.
    fn max_message(&self) -> usize {
        usize::MAX
    }

    /// Sends an image, introduced by `envelope` (a raft message whose `image` says what it is of), to
    /// `envelope.to`. Never waits. Every call ends in one [`Incoming::ImageSent`].
    fn send_image(&mut self, envelope: Envelope, source: Box<dyn ImageSource>);
}

/// What a transport hands to its node.
pub enum Incoming {
    /// A message.
    Message(Envelope),
    /// A peer wants to send an image. The transport waits for `accept`, then hands over the chunks; if
    /// `accept` is dropped, it lets the peer's image go.
    ImageOffer {
        /// Introduces the image.
        envelope: Envelope,
        /// Where the chunks are to go.
        accept: oneshot::Sender<Box<dyn ImageReceiver>>,
    },
    /// An image that was to be sent was received and stored, or was not.
    ImageSent {
        /// The peer.
        to: NodeId,
        /// The index of the image.
        index: Index,
        /// Whether the peer confirmed that it has stored it.
        stored: bool,
    },
    /// Messages to this peer are being lost. Said at most once for each loss of the connection.
    Unreachable(NodeId),
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incoming::Message(envelope) => f.debug_tuple("Message").field(envelope).finish(),
            Incoming::ImageOffer { envelope, .. } => f.debug_tuple("ImageOffer").field(envelope).finish(),
            Incoming::ImageSent { to, index, stored } => {
                write!(f, "ImageSent {{ to: {to}, index: {index}, stored: {stored} }}")
            }
            Incoming::Unreachable(peer) => f.debug_tuple("Unreachable").field(peer).finish(),
        }
    }
}

/// Takes in an image, on the transport's thread, at the disk's pace. Dropped before
/// [`ImageReceiver::finish`], it forgets what it took in.
pub trait ImageReceiver: Send {
    /// The next chunk, in order.
    ///
    /// # Errors
    ///
    /// Any: the chunk is damaged or cannot be stored, and the transfer is to be given up.
    fn chunk(&mut self, chunk: Bytes) -> Result<()>;

    /// That was all. When this returns, the image is durable and the node knows of it.
    ///
    /// # Errors
    ///
    /// Any: the image is not whole or cannot be stored.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Where a transport delivers what came in.
#[derive(Clone)]
pub struct Inbox(Arc<dyn Fn(Incoming) -> bool + Send + Sync>);

impl Inbox {
    /// An inbox that hands everything to `deliver`, which must not block for long and answers whether the
    /// node still listens.
    pub fn new(deliver: impl Fn(Incoming) -> bool + Send + Sync + 'static) -> Inbox {
        Inbox(Arc::new(deliver))
    }

    /// Hands something over. Answers whether the node still listens; if not, the transport may stop.
    pub fn deliver(&self, incoming: Incoming) -> bool {
        (self.0)(incoming)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}
