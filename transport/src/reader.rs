//! Reads messages from an accepted connection.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kvorum_core::transport::Incoming;

use crate::accept::welcome;
use crate::fault::Fault;
use crate::frame::{self, FrameReader, Kind};
use crate::hello::Hello;
use crate::peer::Peer;
use crate::shared::{Shared, agrees};
use crate::socket;

/// Delivers what comes until the connection ends. Nothing of a frame that is not right reaches the node.
pub(crate) fn run(shared: &Shared, peer: &Peer, hello: &Hello, stream: &TcpStream) -> Result<(), Fault> {
    let options = &shared.options;
    welcome(shared, stream, options.idle_timeout)?;
    let alive = Alive { stream, last: Instant::now(), every: options.ping_interval };
    let mut reader = FrameReader::new(alive, options.max_frame);
    while let Some((kind, payload)) = reader.next()? {
        match (kind, payload) {
            (Kind::Message, payload) => {
                let envelope = frame::decode_message(payload)?;
                agrees(&envelope, hello)?;
                peer.received.add(1);
                if !shared.inbox.deliver(Incoming::Message(envelope)) {
                    return Err(Fault::Stopped);
                }
            }
            (Kind::Ping, []) => reader.get_mut().say()?,
            (kind, _) => return Err(Fault::Unexpected(kind as u8)),
        }
    }
    Ok(())
}

/// Reads from the connection, and says that it does. A ping that stands behind a long frame on a slow line is
/// not seen until the frame is through; the other side must not take that for death.
struct Alive<'a> {
    stream: &'a TcpStream,
    last: Instant,
    every: Duration,
}

impl Alive<'_> {
    fn say(&mut self) -> Result<(), Fault> {
        self.last = Instant::now();
        socket::write(self.stream, &frame::header(Kind::Pong, &[]))
    }
}

impl Read for Alive<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(out)?;
        if n > 0 && self.last.elapsed() > self.every {
            self.say().map_err(|fault| io::Error::other(fault.to_string()))?;
        }
        Ok(n)
    }
}
