//! Loading the files through one node, many at once, whatever happens to the nodes meanwhile.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::files::File;
use crate::nodes::{Nodes, PATIENCE, Result, unexpected};
use crate::process::locked;
use crate::wire::{Reply, Request, Verdict};

/// How many files are under way at once.
pub(crate) const AT_ONCE: usize = 64;

/// What became of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// It was acknowledged, at this revision, after this many tries.
    Stored { revision: u64, tries: u32 },
    /// It is over the size limit.
    Refused { reason: String },
}

/// The work of loading, shared by [`AT_ONCE`] threads.
pub(crate) struct Load<'a> {
    nodes: &'a Nodes,
    node: u64,
    files: &'a [File],
    fates: Vec<OnceLock<Fate>>,
    next: AtomicUsize,
    pub done: AtomicUsize,
    pub retried: AtomicU32,
    gate: Mutex<Gate>,
    changed: Condvar,
    /// When the last file was acknowledged.
    pub finished: OnceLock<Instant>,
}

#[derive(Default)]
struct Gate {
    is_closed: bool,
    /// Tries under way.
    inside: usize,
}

impl<'a> Load<'a> {
    pub(crate) fn new(nodes: &'a Nodes, node: u64, files: &'a [File]) -> Load<'a> {
        Load {
            nodes,
            node,
            files,
            fates: files.iter().map(|_| OnceLock::new()).collect(),
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            retried: AtomicU32::new(0),
            gate: Mutex::default(),
            changed: Condvar::new(),
            finished: OnceLock::new(),
        }
    }

    /// One thread's share: takes files until none are left.
    pub(crate) fn work(&self) -> Result<()> {
        while let Some(at) = self.take() {
            let fate = self.store(&self.files[at])?;
            self.fates[at].set(fate).expect("every file is taken once");
            if self.done.fetch_add(1, Ordering::AcqRel) + 1 == self.files.len() {
                self.finished.get_or_init(Instant::now);
            }
        }
        Ok(())
    }

    fn take(&self) -> Option<usize> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        (at < self.files.len()).then_some(at)
    }

    /// Puts a file until it is acknowledged. A try whose outcome is unknown is simply repeated: nobody writes
    /// anything else under this key, so that twice the same does no harm.
    fn store(&self, file: &File) -> Result<Fate> {
        let request = Request::Put { key: file.key.clone(), value: file.content.clone() };
        let mut until = Instant::now() + PATIENCE;
        for tries in 1.. {
            until += self.enter();
            let reply = self.nodes.process(self.node).and_then(|node| node.ask(&request).recv().ok());
            self.leave();
            match reply {
                Some(Reply::Put { revision }) => return Ok(Fate::Stored { revision, tries }),
                Some(Reply::Failed { verdict: Verdict::TooLarge, reason }) => {
                    return Ok(Fate::Refused { reason });
                }
                Some(Reply::Failed { verdict: Verdict::Again, .. }) | None if Instant::now() < until => {}
                Some(other) => return Err(unexpected(self.node, "a put", &other)),
                None => break,
            }
            self.retried.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("node {} has not taken {} for {PATIENCE:?}", self.node, file.path.display()))
    }

    /// Waits for the gate to be open; answers how long that took.
    fn enter(&self) -> Duration {
        let came = Instant::now();
        let gate = locked(&self.gate);
        let mut gate =
            self.changed.wait_while(gate, |gate| gate.is_closed).unwrap_or_else(|poison| poison.into_inner());
        gate.inside += 1;
        came.elapsed()
    }

    fn leave(&self) {
        locked(&self.gate).inside -= 1;
        self.changed.notify_all();
    }

    /// Lets no more tries begin.
    pub(crate) fn pause(&self) {
        locked(&self.gate).is_closed = true;
    }

    /// Waits until the last try that had begun has ended.
    pub(crate) fn wait_until_idle(&self) {
        let gate = locked(&self.gate);
        drop(self.changed.wait_while(gate, |gate| gate.inside > 0));
    }

    pub(crate) fn go_on(&self) {
        locked(&self.gate).is_closed = false;
        self.changed.notify_all();
    }

    /// How many files there are.
    pub(crate) fn all(&self) -> usize {
        self.files.len()
    }

    /// The node that the files are loaded through.
    pub(crate) fn node(&self) -> u64 {
        self.node
    }

    /// What became of each file, as far as it is known.
    pub(crate) fn fates(&self) -> impl Iterator<Item = (&'a File, &Fate)> {
        self.files.iter().zip(&self.fates).filter_map(|(file, fate)| Some((file, fate.get()?)))
    }
}
