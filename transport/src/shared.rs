//! What all threads of a started transport share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kvorum_core::transport::{Envelope, Inbox, Local};
use parking_lot::{Condvar, Mutex};

use crate::accept::Inbound;
use crate::fault::Fault;
use crate::hello::Hello;
use crate::options::TcpOptions;
use crate::peer::Peers;
use crate::socket::{Sockets, Threads};

/// A started transport.
pub(crate) struct Shared {
    pub(crate) options: TcpOptions,
    pub(crate) local: Local,
    pub(crate) inbox: Inbox,
    pub(crate) peers: Arc<Peers>,
    pub(crate) inbound: Inbound,
    pub(crate) sockets: Sockets,
    pub(crate) threads: Threads,
    pub(crate) stop: Stop,
}

/// Goes up once, and wakes who rests.
#[derive(Default)]
pub(crate) struct Stop(Mutex<bool>, Condvar);

impl Stop {
    pub(crate) fn raise(&self) {
        *self.0.lock() = true;
        self.1.notify_all();
    }

    pub(crate) fn is_up(&self) -> bool {
        *self.0.lock()
    }

    /// Waits, unless it is up. True: go on.
    pub(crate) fn rest(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut up = self.0.lock();
        while !*up {
            if self.1.wait_until(&mut up, deadline).timed_out() {
                break;
            }
        }
        !*up
    }
}

/// Whether a message is from, to and of whom the hello said: members must not be mixed up, whatever the
/// other side does.
pub(crate) fn agrees(envelope: &Envelope, hello: &Hello) -> Result<(), Fault> {
    let said = (hello.cluster, hello.from, hello.to);
    if (envelope.cluster, envelope.from, envelope.to) == said { Ok(()) } else { Err(Fault::Mismatch) }
}
