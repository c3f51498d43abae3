//! The way out to one peer: dial, write what waits, dial again.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use kvorum_core::transport::{Envelope, Incoming};

use crate::dial::{Backoff, dial};
use crate::fault::Fault;
use crate::frame::{self, FrameReader, KEPT_BYTES, Kind};
use crate::hello::Purpose;
use crate::peer::Peer;
use crate::queue::Wake;
use crate::shared::Shared;
use crate::socket;

/// What the dialing side reads, at most, in one frame.
pub(crate) const MAX_BACK: usize = 1024;

/// The life of a peer's writer thread: until the peer is removed or the transport dropped.
pub(crate) fn run(shared: &Shared, peer: &Peer) {
    let mut backoff = Backoff::new(&shared.options);
    let mut told = false;
    loop {
        let fault = match dial(shared, peer, Purpose::Messages) {
            Ok(link) => {
                told = false;
                let since = Instant::now();
                let fault = talk(shared, peer, &link.stream);
                backoff.lived(since.elapsed());
                fault
            }
            Err(fault) => fault,
        };
        if matches!(fault, Fault::Stopped) || shared.stop.is_up() {
            return;
        }
        peer.failed(fault);
        if !told {
            told = true;
            shared.inbox.deliver(Incoming::Unreachable(peer.id));
        }
        if !peer.queue.rest(Instant::now() + backoff.step()) {
            return;
        }
    }
}

/// Uses a connection until it is lost. A second thread reads the signs of life: it notices at once when the
/// peer hangs up, and frees a write that is stuck in a connection whose other end is gone.
fn talk(shared: &Shared, peer: &Peer, stream: &TcpStream) -> Fault {
    let number = peer.queue.connected();
    peer.connects.add(1);
    peer.connected.store(true, Ordering::Relaxed);
    let fault = thread::scope(|scope| {
        let name = format!("kvorum-back-{}", peer.id);
        let back = thread::Builder::new().name(name).spawn_scoped(scope, || {
            let fault = listen_back(shared, stream);
            socket::shut(stream);
            peer.queue.lost(number);
            fault
        });
        let Ok(back) = back else {
            return Fault::Io("starting a thread", io::Error::other("refused"));
        };
        let written = write_all(shared, peer, stream);
        socket::shut(stream);
        let heard = back.join().unwrap_or(Fault::Closed);
        written.err().unwrap_or(heard)
    });
    peer.connected.store(false, Ordering::Relaxed);
    fault
}

/// Writes batches and pings. `Ok`: the connection is lost, and the other thread knows why.
fn write_all(shared: &Shared, peer: &Peer, stream: &TcpStream) -> Result<(), Fault> {
    let options = &shared.options;
    let mut next_ping = Instant::now() + options.ping_interval;
    let mut batch: Vec<Envelope> = Vec::new();
    let mut out = Vec::new();
    loop {
        match peer.queue.wait(next_ping) {
            Wake::Ready | Wake::Due => {}
            Wake::Lost => return Ok(()),
            Wake::Closed => return Err(Fault::Stopped),
        }
        peer.queue.take(&mut batch, options.batch_bytes);
        batch.iter().for_each(|envelope| frame::put_message(&mut out, envelope));
        if Instant::now() >= next_ping {
            frame::put(&mut out, Kind::Ping, &[]);
            next_ping = Instant::now() + options.ping_interval;
        }
        if let Err(fault) = socket::write(stream, &out) {
            peer.dropped.add(batch.len());
            return Err(fault);
        }
        peer.sent.add(batch.len());
        peer.sent_bytes.add(out.len());
        batch.clear();
        out.clear();
        // One huge message must not keep its space for as long as the connection lives.
        out.shrink_to(KEPT_BYTES);
    }
}

/// Reads signs of life until there are none.
fn listen_back(shared: &Shared, stream: &TcpStream) -> Fault {
    let idle = shared.options.idle_timeout;
    if let Err(e) = stream.set_read_timeout(Some(idle)) {
        return Fault::Io("setting a time-out", e);
    }
    let mut reader = FrameReader::new(stream, MAX_BACK);
    loop {
        match reader.next() {
            Ok(Some((Kind::Pong, []))) => {}
            Ok(Some((kind, _))) => return Fault::Unexpected(kind as u8),
            Ok(None) => return Fault::Closed,
            Err(fault) => return fault,
        }
    }
}
