//! The storage, watched: what fails, what takes long and what images come to is said in the log.
//!
//! What it will never know: what is written. Every call goes to the storage below, and so does its answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvorum::Result;
use kvorum::ids::Index;
use kvorum::storage::{Batch, Identity, ImageMeta, ImageSink, ImageSource, Recovered, Storage};
use kvorum_core::planted;
use kvorum_gateway::SyncTimes;

use crate::log::Log;
use crate::values::spell;

/// A sync that takes longer is worth a warning, as in etcd.
const SLOW_SYNC: Duration = Duration::from_secs(1);

const SAVING: &str = "saving a snapshot";

/// Says what failed at the moment that it does: the node halts itself for it, and may be asked to end before anybody has
/// seen that it has.
fn told<T>(result: Result<T>, doing: &str, log: &Log) -> Result<T> {
    if let Err(error) = &result
        && !planted!("disk_fails_silently")
    {
        // Of its outcome, nobody here can make anything.
        log.error("the disk failed", &[("doing", doing.into()), ("error", error.kind().to_string().into())]);
    }
    result
}

/// A storage whose doings are logged.
pub(crate) struct Watched<S> {
    storage: S,
    log: Log,
    times: Arc<SyncTimes>,
    /// What is known to be damaged has been told.
    told: BTreeSet<String>,
}

impl<S: Storage> Watched<S> {
    pub(crate) fn new(storage: S, log: Log, times: Arc<SyncTimes>) -> Watched<S> {
        Watched { storage, log, times, told: BTreeSet::new() }
    }

    /// Nothing is lost yet; but a disk that damages one file damages others.
    fn tell_damage(&mut self) {
        let damaged = if planted!("damage_untold") { Vec::new() } else { self.storage.damaged() };
        for file in damaged.into_iter().filter(|file| self.told.insert(file.clone())) {
            let hint = "an older one, the log or what is in memory stands in for it; look after the disk";
            self.log.warn("found a damaged snapshot", &[("file", file.into()), ("hint", hint.into())]);
        }
    }
}

impl<S: Storage> Storage for Watched<S> {
    fn recover(&mut self) -> Result<Recovered> {
        let began = Instant::now();
        let recovered = told(self.storage.recover(), "reading the log", &self.log)?;
        let fields = [
            ("commit-index", recovered.hard_state.commit.into()),
            ("first-index", (recovered.base.index + 1).into()),
            ("entries", recovered.entries.len().into()),
            ("took", spell(began.elapsed()).into()),
        ];
        self.log.info("read the log", &fields);
        Ok(recovered)
    }

    fn set_identity(&mut self, identity: &Identity) -> Result<()> {
        told(self.storage.set_identity(identity), "writing whose directory it is", &self.log)
    }

    fn append(&mut self, batches: &[Batch]) -> Result<u64> {
        let began = Instant::now();
        let appended = told(self.storage.append(batches), "appending to the log", &self.log);
        let took = began.elapsed();
        if let Ok(bytes) = &appended {
            self.times.add(took, *bytes);
        }
        if took > SLOW_SYNC {
            let fields = [("took", spell(took).into()), ("expected-duration", spell(SLOW_SYNC).into())];
            self.log.warn("slow fdatasync", &fields);
        }
        for position in batches.iter().filter_map(|batch| batch.reset) {
            let fields = [("snapshot-index", position.index.into()), ("snapshot-term", position.term.into())];
            self.log.info("went on from a snapshot of the leader's", &fields);
        }
        appended
    }

    fn drop_head(&mut self, through: Index) -> Result<()> {
        told(self.storage.drop_head(through), "removing what is not needed of the log", &self.log)
    }

    fn create_image(&mut self, meta: &ImageMeta) -> Result<Box<dyn ImageSink>> {
        let sink = told(self.storage.create_image(meta), SAVING, &self.log)?;
        let (log, index, began) = (self.log.clone(), meta.position.index, Instant::now());
        Ok(Box::new(WatchedImage { sink, log, index, bytes: 0, began }))
    }

    fn open_image(&mut self) -> Result<Option<Box<dyn ImageSource>>> {
        let opened = told(self.storage.open_image(), "reading a snapshot", &self.log);
        self.tell_damage();
        opened
    }

    fn damaged(&self) -> Vec<String> {
        self.storage.damaged()
    }
}

struct WatchedImage {
    sink: Box<dyn ImageSink>,
    log: Log,
    index: Index,
    bytes: usize,
    began: Instant,
}

impl ImageSink for WatchedImage {
    fn write(&mut self, chunk: &[u8]) -> Result<()> {
        self.bytes += chunk.len();
        told(self.sink.write(chunk), SAVING, &self.log)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        told(self.sink.finish(), SAVING, &self.log)?;
        let fields = [
            ("snapshot-index", self.index.into()),
            ("bytes", self.bytes.into()),
            ("took", spell(self.began.elapsed()).into()),
        ];
        self.log.info("saved snapshot", &fields);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kvorum::storages::{MemoryStorage, conformance};

    use super::*;
    use crate::log::{Level, Options};

    #[test]
    fn it_keeps_every_rule_that_the_storage_below_keeps() {
        let log = Log::open(&Options { level: Level::Fatal, ..Options::default() }).unwrap();
        conformance::suite(|| {
            let (storage, log) = (MemoryStorage::new(), log.clone());
            Box::new(move || Watched::new(storage.clone(), log.clone(), Arc::default()))
        });
    }
}
