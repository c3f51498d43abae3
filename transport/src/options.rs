//! What can be set, and what it is set to otherwise.

use std::time::Duration;

use kvorum_core::{ErrorKind, Result};

/// The largest payload of a frame that the format allows, in bytes: 64 MiB.
pub const MAX_FRAME: usize = 64 << 20;

/// The settings of a [`crate::TcpTransport`]. The defaults suit members in one data centre and across a
/// continent; only tests need others.
///
/// ```
/// use std::time::Duration;
/// use kvorum_transport::TcpOptions;
/// let options = TcpOptions { connect_timeout: Duration::from_secs(3), ..TcpOptions::default() };
/// assert_eq!(options.queue_frames, 16_384);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpOptions {
    /// Bytes of encoded messages that may wait for one peer. Over it, the oldest are dropped, and of a leader's
    /// entries, which may fill all but an eighth of it, the newest; a message that is larger than this on its own
    /// waits alone. Default: 64 MiB.
    pub queue_bytes: usize,
    /// Messages that may wait for one peer. Over it, the oldest are dropped. Default: 16384.
    pub queue_frames: usize,
    /// Messages are joined into one write until it has this many bytes. Default: 256 KiB.
    pub batch_bytes: usize,
    /// The largest message, in bytes encoded, that is sent or taken in, and the largest chunk of an image.
    /// At most, and by default, [`MAX_FRAME`].
    pub max_frame: usize,
    /// How long to wait for a connection to a peer's address. Default: 1 s.
    pub connect_timeout: Duration,
    /// How long a hello, or the answer to it, may take in all. Default: 5 s.
    pub hello_timeout: Duration,
    /// The wait after a connection failed or was lost; doubled after each further failure. Default: 20 ms.
    pub backoff_min: Duration,
    /// The longest wait between two attempts to connect. Default: 1 s.
    pub backoff_max: Duration,
    /// How often the dialing side asks for a sign of life. Default: 1 s.
    pub ping_interval: Duration,
    /// A connection on which nothing was heard for this long is given up. At least twice the
    /// `ping_interval`. Default: 5 s.
    pub idle_timeout: Duration,
    /// Accepted connections that have not yet said a whole hello; when there are more, the oldest is closed.
    /// Default: 64.
    pub max_pending: usize,
    /// An image that makes no progress for this long is given up, by either side; also how long the node may
    /// take to accept an offer. Default: 30 s.
    pub image_stall: Duration,
    /// How long a peer may take to store an image whose last byte was sent. Default: 120 s.
    pub image_store: Duration,
}

impl Default for TcpOptions {
    fn default() -> TcpOptions {
        TcpOptions {
            queue_bytes: 64 << 20,
            queue_frames: 16_384,
            batch_bytes: 256 << 10,
            max_frame: MAX_FRAME,
            connect_timeout: Duration::from_secs(1),
            hello_timeout: Duration::from_secs(5),
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_secs(1),
            ping_interval: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(5),
            max_pending: 64,
            image_stall: Duration::from_secs(30),
            image_store: Duration::from_secs(120),
        }
    }
}

impl TcpOptions {
    /// Refuses settings that contradict each other or that the operating system would refuse later.
    pub(crate) fn check(&self) -> Result<()> {
        let times = [
            self.connect_timeout,
            self.hello_timeout,
            self.backoff_min,
            self.ping_interval,
            self.image_stall,
            self.image_store,
        ];
        if times.iter().any(|t| *t < Duration::from_millis(1)) {
            return refuse("every time must be at least 1 ms");
        }
        if self.backoff_max < self.backoff_min {
            return refuse("backoff_max is less than backoff_min");
        }
        if self.idle_timeout < self.ping_interval.saturating_mul(2) {
            return refuse("idle_timeout must be at least twice the ping_interval");
        }
        if self.max_frame == 0 || self.max_frame > MAX_FRAME {
            return refuse("max_frame must be between 1 byte and 64 MiB");
        }
        if [self.queue_bytes, self.queue_frames, self.batch_bytes, self.max_pending].contains(&0) {
            return refuse("queue_bytes, queue_frames, batch_bytes and max_pending must not be 0");
        }
        Ok(())
    }
}

fn refuse(reason: &str) -> Result<()> {
    Err(ErrorKind::Config { reason: format!("TCP transport: {reason}") }.into())
}
