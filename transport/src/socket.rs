//! Every socket and thread of a transport, so that all of them can be ended at once.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::{Domain, SockRef, Socket, Type};

use crate::fault::Fault;

/// The open connections of a transport. Shutting a socket down is what frees a thread that reads from it
/// or writes to it, at once and without a time-out to wait for.
#[derive(Default)]
pub(crate) struct Sockets(Mutex<Open>);

#[derive(Default)]
struct Open {
    closed: bool,
    next: u64,
    open: BTreeMap<u64, Arc<TcpStream>>,
}

/// Takes its socket out of the list when dropped, and closes the connection.
pub(crate) struct Listed<'a> {
    sockets: &'a Sockets,
    number: u64,
}

impl Sockets {
    /// Lists a socket; `None` once everything is to end.
    pub(crate) fn list(&self, stream: &Arc<TcpStream>) -> Option<Listed<'_>> {
        let mut inner = self.0.lock();
        if inner.closed {
            return None;
        }
        inner.next += 1;
        let number = inner.next;
        inner.open.insert(number, Arc::clone(stream));
        Some(Listed { sockets: self, number })
    }

    /// Shuts down every listed socket; no other will be listed.
    pub(crate) fn close(&self) {
        let mut inner = self.0.lock();
        inner.closed = true;
        inner.open.values().for_each(|stream| shut(stream));
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let stream = self.sockets.0.lock().open.remove(&self.number);
        if let Some(stream) = stream {
            shut(&stream);
        }
    }
}

/// Ends a connection, both ways. That it may have ended already is fine.
pub(crate) fn shut(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

/// The threads of a transport.
#[derive(Default)]
pub(crate) struct Threads(Mutex<Running>);

#[derive(Default)]
struct Running {
    closed: bool,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts a thread, unless everything is to end. `body` is dropped if there is no thread to be had.
    pub(crate) fn spawn(&self, name: String, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut inner = self.0.lock();
        if inner.closed {
            return Err(io::Error::other("the transport is being dropped"));
        }
        // A thread that ended keeps its stack until it is joined; that joins without waiting.
        for done in inner.handles.extract_if(.., |h| h.is_finished()) {
            let _ = done.join();
        }
        inner.handles.push(thread::Builder::new().name(name).spawn(body)?);
        Ok(())
    }

    /// Waits for the end of all threads. A transport may be dropped by what runs on one of them (in an
    /// inbox): that one cannot wait for itself.
    pub(crate) fn join(&self) {
        let handles = {
            let mut inner = self.0.lock();
            inner.closed = true;
            std::mem::take(&mut inner.handles)
        };
        for handle in handles.into_iter().filter(|h| h.thread().id() != thread::current().id()) {
            let _ = handle.join();
        }
    }
}

/// A connection that is listed, and closed when dropped.
pub(crate) struct Link<'a> {
    pub(crate) stream: Arc<TcpStream>,
    _listed: Listed<'a>,
}

/// Connects to the first address of `name` that answers. Resolving cannot be broken off; connecting can,
/// by [`Sockets::close`].
pub(crate) fn connect<'a>(sockets: &'a Sockets, name: &str, within: Duration) -> Result<Link<'a>, Fault> {
    let addresses = name.to_socket_addrs().map_err(|e| Fault::Io("resolving the name", e))?;
    let mut last = Fault::NoAddress;
    for address in addresses {
        match connect_to(sockets, address, within) {
            Ok(link) => return Ok(link),
            Err(Fault::Stopped) => return Err(Fault::Stopped),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// std's `connect_timeout` makes its own socket, which nobody else could shut down meanwhile.
fn connect_to(sockets: &Sockets, address: SocketAddr, within: Duration) -> Result<Link<'_>, Fault> {
    let fault = |e| Fault::Io("connecting", e);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).map_err(fault)?;
    let stream = Arc::new(TcpStream::from(socket));
    let listed = sockets.list(&stream).ok_or(Fault::Stopped)?;
    SockRef::from(&*stream).connect_timeout(&address.into(), within).map_err(fault)?;
    // Dialed at a port that nobody listens on, the kernel may choose that very port for this side, and a
    // socket that connects to itself succeeds. Kept, it would also keep the peer from binding its port.
    if stream.local_addr().map_err(fault)? == stream.peer_addr().map_err(fault)? {
        return Err(Fault::SelfConnect);
    }
    stream.set_nodelay(true).map_err(fault)?;
    Ok(Link { stream, _listed: listed })
}

/// Fills `buffer` before `deadline`, however slowly the bytes drip.
pub(crate) fn read_by(mut stream: &TcpStream, buffer: &mut [u8], deadline: Instant) -> Result<(), Fault> {
    let mut filled = 0;
    while filled < buffer.len() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::Silent);
        }
        stream.set_read_timeout(Some(left)).map_err(Fault::io("setting a time-out"))?;
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return Err(Fault::Closed),
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Fault::io("reading")(e)),
        }
    }
    Ok(())
}

/// Sets how long a read or a write may wait without moving a byte.
pub(crate) fn set_timeouts(stream: &TcpStream, read: Duration, write: Duration) -> Result<(), Fault> {
    let fault = Fault::io("setting a time-out");
    stream.set_read_timeout(Some(read)).map_err(&fault)?;
    stream.set_write_timeout(Some(write)).map_err(&fault)
}

/// Writes everything.
pub(crate) fn write(mut stream: &TcpStream, bytes: &[u8]) -> Result<(), Fault> {
    stream.write_all(bytes).map_err(Fault::io("writing"))
}
