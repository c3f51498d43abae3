//! Being asked to stop, and to open the log's files anew.

use std::io;

use crate::log::Log;

/// Waits for SIGTERM and SIGINT, from when it was made.
#[cfg(unix)]
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Signals { terminate, interrupt })
    }

    /// The next signal: its name as Go prints it, and its number.
    pub(crate) async fn next(&mut self) -> (&'static str, u8) {
        tokio::select! {
            _ = self.terminate.recv() => ("terminated", 15),
            _ = self.interrupt.recv() => ("interrupt", 2),
        }
    }
}

/// Elsewhere there is only Ctrl-C.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> io::Result<Signals> {
        Ok(Signals)
    }

    pub(crate) async fn next(&mut self) -> (&'static str, u8) {
        let _ = tokio::signal::ctrl_c().await;
        ("interrupt", 2)
    }
}

/// From now on, the log's files are opened anew at every SIGHUP: what sends it has moved them away (or the terminal is
/// gone, which is no reason to end a server).
#[cfg(unix)]
pub(crate) fn reopen_at_hangups(log: Log) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            let log = log.clone();
            // It may wait for a file system.
            let _ = tokio::task::spawn_blocking(move || log.reopen()).await;
        }
    });
    Ok(())
}

/// Elsewhere there is no such signal.
#[cfg(not(unix))]
pub(crate) fn reopen_at_hangups(_log: Log) -> io::Result<()> {
    Ok(())
}
