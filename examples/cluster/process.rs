//! The parent's end of one node process.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::wire::{HELLO, Reply, Request, read_frame, write_frame};

/// A node process. Dropped, it is killed: it never outlives its parent, which it would also notice at the end
/// of its stdin.
pub(crate) struct NodeProcess {
    child: Mutex<Child>,
    to: Mutex<ChildStdin>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Who waits for the answer to which request.
#[derive(Default)]
struct Waiting {
    last: u64,
    by_number: HashMap<u64, Sender<Reply>>,
    is_gone: bool,
}

impl NodeProcess {
    pub(crate) fn start(mut command: Command) -> io::Result<NodeProcess> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let (to, from) = to.zip(from).ok_or_else(|| io::Error::other("a child without pipes"))?;
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let shared = waiting.clone();
        thread::spawn(move || listen(from, &shared));
        Ok(NodeProcess { child: Mutex::new(child), to: Mutex::new(to), waiting })
    }

    /// Sends a request; the answer comes out of the receiver, which closes without one if the process ends.
    pub(crate) fn ask(&self, request: &Request) -> Receiver<Reply> {
        let (sender, receiver) = channel();
        let mut waiting = locked(&self.waiting);
        if !waiting.is_gone {
            waiting.last += 1;
            let number = waiting.last;
            waiting.by_number.insert(number, sender);
            drop(waiting);
            // If this fails, the process is gone, and its end of stdout tells everyone who waits.
            let _ = write_frame(&mut *locked(&self.to), number, &request.encode());
        }
        receiver
    }

    /// Kills the process as `kill -9` does, without waiting until it is gone.
    pub(crate) fn kill(&self) {
        // It may have ended by itself.
        let _ = locked(&self.child).kill();
    }

    /// Waits until the process is gone.
    pub(crate) fn reap(&self) {
        let _ = locked(&self.child).wait();
    }

    /// How the process ended, if it did.
    pub(crate) fn ended(&self) -> Option<String> {
        locked(&self.child).try_wait().ok().flatten().map(|status| status.to_string())
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.kill();
        self.reap();
    }
}

/// Hands the answers out, to the end of the process.
fn listen(from: ChildStdout, waiting: &Mutex<Waiting>) {
    let mut from = BufReader::new(from);
    if skip_to_hello(&mut from).is_ok() {
        while let Ok((number, body)) = read_frame(&mut from) {
            let reply = Reply::decode(&body).expect("our own child makes sense");
            let mut waiting = locked(waiting);
            if matches!(reply, Reply::Events(_)) {
                // Whoever watched may have gone.
                let _ = waiting.by_number.get(&number).map(|sender| sender.send(reply));
            } else if let Some(sender) = waiting.by_number.remove(&number) {
                let _ = sender.send(reply);
            }
        }
    }
    let mut waiting = locked(waiting);
    waiting.is_gone = true;
    waiting.by_number.clear();
}

fn skip_to_hello(from: &mut impl Read) -> io::Result<()> {
    let mut matched = 0;
    while matched < HELLO.len() {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        matched = if byte[0] == HELLO[matched] { matched + 1 } else { usize::from(byte[0] == HELLO[0]) };
    }
    Ok(())
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
