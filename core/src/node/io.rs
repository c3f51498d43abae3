//! Everything that can happen to a node, and everything that it can want.

use crate::command::Response;
use crate::error::Result;
use crate::ids::{Index, LeaseId, NodeId, Term, Ticket};
use crate::state::State;
use crate::storage::{Batch, ImageMeta};
use crate::transport::Envelope;
use crate::write::Write;

/// Names a request until it is answered. Chosen by whoever asks.
pub type Token = u64;

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// Time has passed; nothing else.
    Tick,
    /// Somebody asks. Every request is answered by exactly one [`Output::Reply`].
    Request(Token, Request),
    /// A message came from a peer.
    Message(Envelope),
    /// An image came from a peer; it is durable, and this is its content.
    ImageReceived {
        /// The message that introduced it.
        envelope: Envelope,
        /// What it is of.
        meta: ImageMeta,
        /// Its content.
        state: Box<State>,
    },
    /// A [`Output::Persist`] is durable, and every one before it.
    Persisted {
        /// Which.
        ticket: Ticket,
        /// How many bytes longer the log has become by all that this tells of.
        bytes: u64,
    },
    /// The image asked for by [`Output::SaveImage`] is durable.
    ImageSaved {
        /// What it is of.
        meta: ImageMeta,
        /// Bytes of its chunks.
        size: u64,
    },
    /// An image that was to be sent ([`Output::SendImage`]) was stored by the peer, or was not.
    ImageSent {
        /// The peer.
        to: NodeId,
        /// Whether it was stored.
        stored: bool,
    },
    /// There is no image at this index (any more), which was to be sent ([`Output::SendImage`]).
    NoImage {
        /// The peer that was to have it.
        to: NodeId,
        /// The index of the image.
        index: Index,
    },
    /// Messages to a peer are being lost.
    Unreachable(NodeId),
    /// The disk failed. The node halts.
    DiskFailed(String),
}

/// What can be asked of a node. (What needs nobody's agreement is asked of the state instead.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Change something. Answered with [`Reply::Applied`].
    Write(Write),
    /// Read everything that was acknowledged before now: answered with [`Reply::Readable`] when this node's
    /// own state has all of it.
    Read,
    /// Start a lease's time anew. Answered with [`Reply::Lease`].
    KeepAlive(LeaseId),
    /// How long a lease still has. Answered with [`Reply::Lease`].
    TimeToLive(LeaseId),
    /// Hand leadership to this node. Answered with [`Reply::Done`] when it is under way.
    TransferLeader(NodeId),
    /// Hand leadership to whoever is best for it, if this node leads and there is somebody. Answered with
    /// [`Reply::Done`] when it is under way, or when there is nothing to do.
    HandOver,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The change was agreed on and made.
    Applied {
        /// What it answers.
        response: Response,
        /// The leader's term under which it was agreed on.
        term: Term,
    },
    /// The state may be read.
    Readable,
    /// What remains of the lease.
    Lease {
        /// In milliseconds; `None`: it does not exist, or has ended.
        remaining_millis: Option<u64>,
    },
    /// Done.
    Done,
}

/// Something that the node wants done. Outputs may be carried out in any order and at any time, except that
/// [`Output::Persist`] and [`Output::DropLog`] keep theirs.
#[derive(Debug)]
pub enum Output {
    /// Send these; they may be lost.
    Send(Vec<Envelope>),
    /// Make this durable, then say [`Input::Persisted`].
    Persist(Ticket, Batch),
    /// Entries up to this one need not be kept.
    DropLog(Index),
    /// Answer a request.
    Reply(Token, Result<Reply>),
    /// Watches have become ready: see [`State::take_woken`].
    Wake,
    /// Cut an image of the state, now, and write it; then say [`Input::ImageSaved`].
    SaveImage {
        /// The voters to note in it.
        voters: Vec<NodeId>,
    },
    /// Send the image at this index, introduced by this message; then say [`Input::ImageSent`]
    /// or [`Input::NoImage`].
    SendImage {
        /// The message that introduces it.
        envelope: Envelope,
        /// The image wanted; if the storage has a newer one only, say that it was not stored.
        index: Index,
    },
    /// The node has halted itself and will do nothing more. Nothing is lost; see the reason.
    Halt(String),
}
