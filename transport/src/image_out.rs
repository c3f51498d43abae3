//! Sends an image, on a connection and a thread of its own.

use std::net::TcpStream;
use std::time::Duration;

use kvorum_core::storage::ImageSource;
use kvorum_core::transport::Envelope;

use crate::dial::dial;
use crate::fault::Fault;
use crate::frame::{self, FrameReader, Kind};
use crate::hello::Purpose;
use crate::peer::Peer;
use crate::report::Report;
use crate::shared::Shared;
use crate::socket;
use crate::writer::MAX_BACK;

/// The life of an image's thread.
pub(crate) fn run(
    shared: &Shared,
    peer: &Peer,
    envelope: &Envelope,
    source: Box<dyn ImageSource>,
    mut report: Report,
) {
    match send(shared, peer, envelope, source) {
        Ok(()) => report.stored(),
        Err(fault) => peer.failed(format!("image: {fault}")),
    }
}

/// `Ok`: the peer has confirmed.
fn send(
    shared: &Shared,
    peer: &Peer,
    envelope: &Envelope,
    mut source: Box<dyn ImageSource>,
) -> Result<(), Fault> {
    let options = &shared.options;
    let link = dial(shared, peer, Purpose::Image)?;
    let stream = &*link.stream;
    // The receiver waits that long for its node; its no should come before this side loses patience.
    socket::set_timeouts(stream, options.image_stall + Duration::from_secs(1), options.image_stall)?;
    let mut out = Vec::new();
    frame::put_message(&mut out, envelope);
    if out.len() > options.max_frame {
        return Err(Fault::TooLong(out.len()));
    }
    let mut back = FrameReader::new(stream, MAX_BACK);
    socket::write(stream, &out)?;
    expect(&mut back, Kind::Go)?;
    if let Err(fault) = send_chunks(stream, &mut *source, options.max_frame) {
        // The receiver may have said why it hung up.
        return Err(expect(&mut back, Kind::Stored).err().filter(is_reason).unwrap_or(fault));
    }
    // The source may hold a file open, and the log that it stands for.
    drop(source);
    socket::set_timeouts(stream, options.image_store, options.image_stall)?;
    expect(&mut back, Kind::Stored)
}

fn is_reason(fault: &Fault) -> bool {
    matches!(fault, Fault::ImageFailed(_))
}

fn send_chunks(stream: &TcpStream, source: &mut dyn ImageSource, max_frame: usize) -> Result<(), Fault> {
    let (mut chunks, mut bytes) = (0u64, 0u64);
    while let Some(chunk) = source.next_chunk().map_err(Fault::Storage)? {
        if chunk.len() > max_frame {
            return Err(Fault::TooLong(chunk.len()));
        }
        socket::write(stream, &frame::header(Kind::Chunk, &chunk))?;
        socket::write(stream, &chunk)?;
        chunks += 1;
        bytes += chunk.len() as u64;
    }
    let mut end = Vec::new();
    frame::put(&mut end, Kind::End, &[chunks.to_le_bytes(), bytes.to_le_bytes()].concat());
    socket::write(stream, &end)
}

/// Waits for the one answer that lets the transfer go on.
fn expect(back: &mut FrameReader<&TcpStream>, wanted: Kind) -> Result<(), Fault> {
    match back.next()? {
        Some((kind, [])) if kind == wanted => Ok(()),
        Some((Kind::Failed, why)) => Err(Fault::ImageFailed(String::from_utf8_lossy(why).into_owned())),
        Some((kind, _)) => Err(Fault::Unexpected(kind as u8)),
        None => Err(Fault::Closed),
    }
}
