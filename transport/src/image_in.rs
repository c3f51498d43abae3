//! Takes in an image that a peer sends.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kvorum_core::transport::{Envelope, ImageReceiver, Incoming};

use crate::accept::welcome;
use crate::fault::Fault;
use crate::frame::{self, FrameReader, Kind};
use crate::hello::Hello;
use crate::shared::{Shared, agrees};
use crate::socket;
use crate::writer::MAX_BACK;

/// The life of a connection that brings an image: confirmed only when the receiver says that it is durable.
pub(crate) fn run(shared: &Shared, hello: &Hello, stream: &TcpStream) -> Result<(), Fault> {
    welcome(shared, stream, shared.options.image_stall)?;
    let taken = take_in(shared, hello, stream);
    let mut out = Vec::new();
    match &taken {
        Ok(()) => frame::put(&mut out, Kind::Stored, &[]),
        Err(fault) => frame::put(&mut out, Kind::Failed, short(&fault.to_string()).as_bytes()),
    }
    // If this does not arrive, the sender takes the image for lost, and asks raft what the peer has.
    let _ = socket::write(stream, &out);
    taken
}

fn take_in(shared: &Shared, hello: &Hello, stream: &TcpStream) -> Result<(), Fault> {
    let mut frames = FrameReader::new(stream, shared.options.max_frame);
    let envelope = match frames.next()? {
        Some((Kind::Message, payload)) => frame::decode_message(payload)?,
        Some((kind, _)) => return Err(Fault::Unexpected(kind as u8)),
        None => return Err(Fault::Closed),
    };
    agrees(&envelope, hello)?;
    let receiver = offer(shared, envelope)?;
    socket::write(stream, &frame::header(Kind::Go, &[]))?;
    feed(&mut frames, receiver)
}

/// Asks the node whether it wants the image.
fn offer(shared: &Shared, envelope: Envelope) -> Result<Box<dyn ImageReceiver>, Fault> {
    let (accept, accepted) = oneshot::channel();
    if !shared.inbox.deliver(Incoming::ImageOffer { envelope, accept }) {
        return Err(Fault::Stopped);
    }
    let deadline = Instant::now() + shared.options.image_stall;
    wait_accepted(&accepted, || shared.stop.is_up() || Instant::now() >= deadline)
}

/// Waits for the node's answer until `enough`. In slices: nothing wakes this when the transport is dropped.
pub(crate) fn wait_accepted(
    accepted: &oneshot::Receiver<Box<dyn ImageReceiver>>,
    enough: impl Fn() -> bool,
) -> Result<Box<dyn ImageReceiver>, Fault> {
    loop {
        match accepted.recv_timeout(Duration::from_millis(20)) {
            Ok(receiver) => return Ok(receiver),
            Err(oneshot::RecvTimeoutError::Disconnected) => return Err(Fault::NotAccepted),
            Err(oneshot::RecvTimeoutError::Timeout) if enough() => return Err(Fault::NotAccepted),
            Err(oneshot::RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Hands the chunks over until the end. On any error the receiver is dropped, and forgets them.
fn feed(frames: &mut FrameReader<&TcpStream>, mut receiver: Box<dyn ImageReceiver>) -> Result<(), Fault> {
    let (mut chunks, mut bytes) = (0u64, 0u64);
    loop {
        match frames.next()? {
            Some((Kind::Chunk, chunk)) if !chunk.is_empty() => {
                chunks += 1;
                bytes += chunk.len() as u64;
                receiver.chunk(Bytes::copy_from_slice(chunk)).map_err(Fault::Storage)?;
            }
            Some((Kind::End, end)) if *end == *[chunks.to_le_bytes(), bytes.to_le_bytes()].concat() => {
                return receiver.finish().map_err(Fault::Storage);
            }
            Some((Kind::End, _)) => return Err(Fault::Malformed("the image's end does not fit its chunks")),
            Some((Kind::Chunk, _)) => return Err(Fault::Malformed("a chunk is empty")),
            Some((kind, _)) => return Err(Fault::Unexpected(kind as u8)),
            None => return Err(Fault::Closed),
        }
    }
}

/// As much of the text as a FAILED may have.
fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_BACK)]
}
