//! The way in: who may connect, and who is connected.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvorum_core::ids::NodeId;
use parking_lot::Mutex;

use crate::fault::Fault;
use crate::hello::{self, BadHello, HELLO_BYTES, Hello, Purpose, Refusal};
use crate::peer::Peer;
use crate::shared::Shared;
use crate::{image_in, reader, socket};

/// The accepted connections, by what is known of them.
#[derive(Default)]
pub(crate) struct Inbound(Mutex<Accepted>);

#[derive(Default)]
struct Accepted {
    next: u64,
    /// No hello yet, by the order of their coming.
    pending: BTreeMap<u64, Arc<TcpStream>>,
    /// One per member and purpose.
    members: BTreeMap<(NodeId, Purpose), (u64, Arc<TcpStream>)>,
}

impl Inbound {
    /// A stranger came. If there are too many, the one that has waited longest is sent away: to send the new
    /// one away would let a few silent strangers keep all members out.
    fn came(&self, stream: &Arc<TcpStream>, max_pending: usize) -> u64 {
        let mut inner = self.0.lock();
        inner.next += 1;
        let number = inner.next;
        inner.pending.insert(number, Arc::clone(stream));
        while inner.pending.len() > max_pending {
            inner.pending.pop_first().iter().for_each(|(_, oldest)| socket::shut(oldest));
        }
        number
    }

    /// A stranger turned out to be a member; its older connection of that purpose is closed.
    fn known(&self, number: u64, hello: &Hello, stream: &Arc<TcpStream>) {
        let mut inner = self.0.lock();
        inner.pending.remove(&number);
        let place = (hello.from, hello.purpose);
        if let Some((_, older)) = inner.members.insert(place, (number, Arc::clone(stream))) {
            socket::shut(&older);
        }
    }

    fn gone(&self, number: u64) {
        let mut inner = self.0.lock();
        inner.pending.remove(&number);
        inner.members.retain(|_, (other, _)| *other != number);
    }

    /// Closes what came from a member that is one no longer.
    pub(crate) fn evict(&self, member: NodeId) {
        let inner = self.0.lock();
        let of = inner.members.iter().filter(|((from, _), _)| *from == member);
        of.for_each(|(_, (_, stream))| socket::shut(stream));
    }
}

/// The life of the acceptor thread.
pub(crate) fn run(shared: &Arc<Shared>, listener: &TcpListener) {
    loop {
        let accepted = listener.accept();
        if shared.stop.is_up() {
            return;
        }
        match accepted {
            Ok((stream, _)) => admit(shared, stream),
            // Out of file descriptors, most likely: they come back, but not by asking at once again.
            Err(_) => _ = shared.stop.rest(Duration::from_millis(50)),
        }
    }
}

/// Gives a connection a thread of its own. Without one to be had it is closed; its peer will come again.
fn admit(shared: &Arc<Shared>, stream: TcpStream) {
    let stream = Arc::new(stream);
    let number = shared.inbound.came(&stream, shared.options.max_pending);
    let theirs = Arc::clone(shared);
    let body = move || {
        serve(&theirs, number, &stream);
        theirs.inbound.gone(number);
        socket::shut(&stream);
    };
    if shared.threads.spawn("kvorum-read".into(), body).is_err() {
        shared.inbound.gone(number);
    }
}

/// The life of an accepted connection.
fn serve(shared: &Shared, number: u64, stream: &Arc<TcpStream>) {
    let Some(_listed) = shared.sockets.list(stream) else { return };
    let Ok((hello, peer)) = greet(shared, stream) else {
        shared.peers.refused.add(1);
        return;
    };
    shared.inbound.known(number, &hello, stream);
    // Removed between the two lines above, it was not there yet to be evicted.
    if shared.peers.get(hello.from).is_none() {
        return;
    }
    peer.queue.heard();
    let ended = match hello.purpose {
        Purpose::Messages => reader::run(shared, &peer, &hello, stream),
        Purpose::Image => image_in::run(shared, &hello, stream),
    };
    if let Err(fault) = ended
        && fault.is_foul()
    {
        peer.foul.add(1);
        peer.failed(format!("what came from it: {fault}"));
    }
}

/// Hears a hello and answers no, if it has to be no. (The yes is said by [`welcome`].)
fn greet(shared: &Shared, stream: &TcpStream) -> Result<(Hello, Arc<Peer>), Fault> {
    stream.set_nodelay(true).map_err(Fault::io("setting TCP_NODELAY"))?;
    let mut bytes = [0; HELLO_BYTES];
    socket::read_by(stream, &mut bytes, Instant::now() + shared.options.hello_timeout)?;
    match Hello::decode(&bytes).and_then(|hello| judge(shared, hello)) {
        Ok(known) => Ok(known),
        Err(BadHello::NotKvorum) => Err(Fault::NotKvorum),
        Err(BadHello::Refuse(refusal)) => {
            socket::set_timeouts(stream, shared.options.hello_timeout, shared.options.hello_timeout)?;
            socket::write(stream, &hello::encode_answer(Err(refusal)))?;
            Err(Fault::Refused(refusal, hello::VERSION))
        }
    }
}

/// Says yes, with the time-outs that the connection is to have.
pub(crate) fn welcome(shared: &Shared, stream: &TcpStream, silence: Duration) -> Result<(), Fault> {
    socket::set_timeouts(stream, silence, silence)?;
    socket::write(stream, &hello::encode_answer(Ok(shared.local.incarnation)))
}

fn judge(shared: &Shared, hello: Hello) -> Result<(Hello, Arc<Peer>), BadHello> {
    if hello.cluster != shared.local.cluster {
        return Err(BadHello::Refuse(Refusal::Cluster));
    }
    if hello.to != shared.local.node {
        return Err(BadHello::Refuse(Refusal::Member));
    }
    let peer = shared.peers.get(hello.from).ok_or(BadHello::Refuse(Refusal::Stranger))?;
    Ok((hello, peer))
}
