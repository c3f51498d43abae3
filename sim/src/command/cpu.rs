//! Processor time: what seeds cost, whatever else the machine does.

use std::time::Duration;

/// What this process has used so far, on all processors; nothing where there is no such clock.
#[cfg(unix)]
pub(crate) fn used() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

/// What this process has used so far, on all processors; nothing where there is no such clock.
#[cfg(not(unix))]
pub(crate) fn used() -> Option<Duration> {
    None
}
