//! A clock that goes right while the runtime's does not: when all of its workers are busy with one long read each,
//! nobody looks at the runtime's timers. What it will never know: what is waited for.

use std::sync::mpsc;
use std::time::Duration;

use kvorum_core::planted;
use tokio::sync::oneshot;

/// Waits so long from now on, by a thread of its own, which ends when nobody waits any more.
pub(crate) fn after(time: Duration) -> impl Future<Output = ()> + Send + use<> {
    let (over, rings) = oneshot::channel::<()>();
    let (waits, gone) = mpsc::channel::<()>();
    let thread = std::thread::Builder::new().name("kvorum-clock".into()).spawn(move || {
        let _ = gone.recv_timeout(time);
        drop(over);
    });
    async move {
        let _waits = waits;
        match thread {
            Ok(_) if !planted!("stop_by_the_runtimes_clock") => _ = rings.await,
            _ => tokio::time::sleep(time).await,
        }
    }
}
