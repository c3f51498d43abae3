//! A machine with its disk, and the process on it while it runs.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, unbounded};
use kvorum_core::disk::{DiskJob, DiskWorker, load_image};
use kvorum_core::driver::Driver;
use kvorum_core::ids::{DirectoryId, Revision};
use kvorum_core::mail::Mail;
use kvorum_core::node::{Glance, Node, Role, Start};
use kvorum_core::request::WatchRequest;
use kvorum_core::state::State;
use kvorum_core::storage::{Batch, Identity, LogPosition, Recovered, Storage};
use kvorum_core::{Client, Config, Result, Time};
use kvorum_storage::faulty::{FaultyDisk, Survivors};
use kvorum_storage::{Disk, FileStorage, Options};
use parking_lot::RwLock;

use crate::clock::Clock;
use crate::post::Post;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed; what it wrote is in the page cache.
    Kill,
    /// The machine loses power; of what was not synced, this is left.
    Power(Survivors),
}

/// What a process is drawn with at its start.
pub(crate) struct Host {
    pub(crate) config: Config,
    pub(crate) options: Options,
    pub(crate) disk: FaultyDisk,
    /// Stands between the disk and the storage, if somebody wants to see what is written.
    pub(crate) wrap: Option<Wrap>,
    /// The directory that a new disk gets.
    pub(crate) directory: DirectoryId,
    pub(crate) process: Option<Process>,
    /// Rises with every start and end.
    pub(crate) epoch: u64,
    /// How many directories it has had.
    pub(crate) directories: u64,
    /// How many syncs it has begun.
    pub(crate) syncs: u64,
    /// Its disk does nothing until it is released.
    pub(crate) held: bool,
    /// What its processes take for the time.
    pub(crate) clock: Clock,
    /// What each sync takes longer, at most.
    pub(crate) slow_sync: Duration,
    /// What each turn of its process takes.
    pub(crate) turn_takes: Duration,
    /// Why its last start failed.
    pub(crate) refused: Option<String>,
}

/// Puts something between the disk and the storage.
pub(crate) type Wrap = Arc<dyn Fn(Arc<dyn Disk>) -> Arc<dyn Disk>>;

/// A running process.
pub(crate) struct Process {
    pub(crate) driver: Driver,
    pub(crate) worker: DiskWorker,
    pub(crate) inbox: Receiver<Mail>,
    pub(crate) mail: Sender<Mail>,
    pub(crate) jobs: Receiver<DiskJob>,
    pub(crate) queue: Vec<DiskJob>,
    pub(crate) post: Post,
    pub(crate) client: Client,
    pub(crate) state: Arc<RwLock<State>>,
    /// What it was after its last turn.
    pub(crate) glance: Glance,
    /// When it had come to which revisions, since its start.
    pub(crate) reached: Vec<(Revision, Time)>,
    /// When it last counted time, and when before that.
    pub(crate) counted: [Time; 2],
    /// When it will count time again, by its own clock.
    pub(crate) deadline: Time,
    /// When its next turn is.
    pub(crate) turn_at: Option<Time>,
    /// For when turns were planned that have not come: most turns plan the next tick anew, and once is enough.
    planned: Vec<Time>,
    /// Its disk is at work.
    pub(crate) is_writing: bool,
    /// What its disk is at takes until then.
    pub(crate) disk_until: Time,
    /// It does nothing until then.
    pub(crate) paused_until: Time,
    /// It was told to stand still, and has not gone on yet. (Its turns may take time without that.)
    pub(crate) is_paused: bool,
    /// How many messages of peers have come since its last turn.
    pub(crate) from_peers: usize,
}

impl Host {
    /// A machine that was never started.
    pub(crate) fn new(config: Config, disk: FaultyDisk, directory: DirectoryId) -> Host {
        Host {
            config,
            options: Options::default(),
            disk,
            wrap: None,
            directory,
            process: None,
            epoch: 0,
            directories: 1,
            syncs: 0,
            held: false,
            clock: Clock::default(),
            slow_sync: Duration::ZERO,
            turn_takes: Duration::ZERO,
            refused: None,
        }
    }

    /// Starts a process on what its disk has; `found` is shown that, and how far the newest image reaches.
    pub(crate) fn start(&mut self, now: Time, mut found: impl FnMut(&Recovered, LogPosition)) -> Result<()> {
        let mount = self.disk.mount();
        let disk = match &self.wrap {
            Some(wrap) => wrap(mount),
            None => mount,
        };
        let mut storage = FileStorage::with_disk(disk, self.options)?;
        let recovered = storage.recover()?;
        let identity = self.identify(recovered.identity);
        storage.set_identity(&identity)?;
        let image = load_image(&mut storage, identity.cluster)?;
        found(&recovered, image.as_ref().map_or(LogPosition::default(), |(meta, _)| meta.position));
        let config = self.config.clone();
        let node = Node::start(Start { config, identity, recovered, image, now: Time::ZERO })?;
        let (mail, inbox) = unbounded();
        let (disk, jobs) = unbounded();
        let worker = DiskWorker::new(Box::new(storage), node.state().clone(), identity.cluster, mail.clone());
        let post = Post::default();
        let state = node.state().clone();
        let driver = Driver::new(node, Box::new(post.clone()), disk, mail.clone());
        let client = driver.client();
        // A node that is alone leads from its start on: that it begins to is to be seen, all the same.
        let glance = Glance { role: Role::Follower, ..driver.glance() };
        self.clock.boot(now);
        self.process = Some(Process {
            driver,
            worker,
            inbox,
            mail,
            jobs,
            queue: Vec::new(),
            post,
            client,
            state,
            glance,
            reached: Vec::new(),
            counted: [Time::ZERO; 2],
            deadline: Time::ZERO,
            turn_at: None,
            planned: Vec::new(),
            is_writing: false,
            disk_until: Time::ZERO,
            paused_until: Time::ZERO,
            is_paused: false,
            from_peers: 0,
        });
        Ok(())
    }

    /// As the front door does it; what it draws from the operating system is drawn from the seed here.
    fn identify(&self, found: Option<Identity>) -> Identity {
        let (cluster, node) = (self.config.cluster_id(), self.config.node);
        match found {
            Some(found) => Identity { incarnation: found.incarnation + 1, ..found },
            None => Identity { cluster, node, directory: self.directory.max(1), incarnation: 1 },
        }
    }

    /// The process ends. `tear`: in the middle of what its disk was about to do, that many operations in.
    pub(crate) fn crash(&mut self, crash: Crash, tear: Option<u64>) {
        if let (Some(process), Some(after)) = (&mut self.process, tear) {
            process.queue.extend(process.jobs.try_iter());
            self.disk.stop_at(self.disk.operations() + after);
            let mut queue = std::mem::take(&mut process.queue);
            process.worker.work(&mut queue);
        }
        match crash {
            Crash::Kill => self.disk.kill(),
            Crash::Power(survivors) => self.disk.lose_power(survivors),
        }
        self.process = None;
        self.epoch += 1;
    }

    /// Another machine with a copy of the disk: what would it make of this? Nothing that it does gets out.
    pub(crate) fn twin(&self, seed: u64) -> Host {
        let disk = self.disk.fork(seed);
        disk.kill();
        disk.set_capacity(None);
        Host { options: self.options, ..Host::new(self.config.clone(), disk, self.directory) }
    }
}

/// A watch of all keys.
pub(crate) fn everything() -> WatchRequest {
    WatchRequest { key: "\0".into(), range_end: "\0".into(), ..WatchRequest::default() }
}

impl Process {
    /// What is queued for the log.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.queue.iter().filter_map(|job| match job {
            DiskJob::Persist(_, batch) => Some(batch),
            _ => None,
        })
    }

    /// Its next turn is to be then; answers whether that is still to be planned.
    pub(crate) fn plan_turn(&mut self, at: Time) -> bool {
        self.turn_at = Some(at);
        let is_news = !self.planned.contains(&at);
        if is_news {
            self.planned.push(at);
        }
        is_news
    }

    /// Whether what was planned for now is a turn still.
    pub(crate) fn takes_turn(&mut self, now: Time) -> bool {
        self.planned.retain(|at| *at > now);
        self.turn_at.take_if(|at| *at == now).is_some()
    }

    /// Takes over what the driver has queued for the disk.
    pub(crate) fn gather_jobs(&mut self) -> bool {
        self.queue.extend(self.jobs.try_iter());
        !self.queue.is_empty() || self.worker.is_busy()
    }
}
