//! Making a connection, and introducing oneself on it.

use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::hello::{self, ANSWER_BYTES, Hello, Purpose};
use crate::options::TcpOptions;
use crate::peer::Peer;
use crate::shared::Shared;
use crate::socket::{self, Link};

/// Connects to a peer and waits for its yes.
pub(crate) fn dial<'a>(shared: &'a Shared, peer: &Peer, purpose: Purpose) -> Result<Link<'a>, Fault> {
    let link = socket::connect(&shared.sockets, &peer.address, shared.options.connect_timeout)?;
    let hello = Hello {
        purpose,
        cluster: shared.local.cluster,
        from: shared.local.node,
        to: peer.id,
        incarnation: shared.local.incarnation,
    };
    socket::write(&link.stream, &hello.encode())?;
    let mut answer = [0; ANSWER_BYTES];
    socket::read_by(&link.stream, &mut answer, Instant::now() + shared.options.hello_timeout)?;
    hello::decode_answer(&answer)?;
    Ok(link)
}

/// How long to wait before the next attempt.
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(options: &TcpOptions) -> Backoff {
        Backoff { min: options.backoff_min, max: options.backoff_max, next: options.backoff_min }
    }

    /// A connection was lost that had lived for `lived`. One that ends as soon as it is made (two processes
    /// that both think they are this member, pushing each other out) is no reason to hurry.
    pub(crate) fn lived(&mut self, lived: Duration) {
        if lived >= self.max {
            self.next = self.min;
        }
    }

    /// The wait, longer each time.
    pub(crate) fn step(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.max);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_begin_anew_after_a_connection_that_lasted() {
        let mut backoff = Backoff::new(&TcpOptions::default());
        let waits: Vec<u128> = (0..8).map(|_| backoff.step().as_millis()).collect();
        assert_eq!(waits, [20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.lived(Duration::from_millis(5));
        assert_eq!(backoff.step().as_millis(), 1000);
        backoff.lived(Duration::from_secs(1));
        assert_eq!(backoff.step().as_millis(), 20);
    }
}
