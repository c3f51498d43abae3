//! The disk's side: carries out what the node wants written, in order, and reports back.
//!
//! Run it on a thread of its own ([`DiskWorker::work`] blocks on the storage). Everything that is queued goes
//! under one sync. An image is written chunk by chunk between the writes, so that it never holds them up for
//! long.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam::channel::Sender;
use parking_lot::RwLock;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ClusterId, Index, Ticket};
use crate::mail::{DiskReport, Mail, Receiving};
use crate::state::{ImageCut, ImageLoader, State};
use crate::storage::{Batch, ImageMeta, ImageSink, Storage};
use crate::transport::{Body, Envelope, ImageReceiver};

/// Something for the disk to do.
pub enum DiskJob {
    /// Make this durable.
    Persist(Ticket, Batch),
    /// Entries up to this one need not be kept.
    DropLog(Index),
    /// Write this image.
    SaveImage(Box<ImageCut>, ImageMeta),
    /// Open the newest image, to be sent with this message, if it is the one at this index.
    OpenImage(Envelope, Index),
    /// Prepare to take in a peer's image.
    ReceiveImage(Envelope, ImageMeta, oneshot::Sender<Box<dyn ImageReceiver>>),
}

/// Does the disk's jobs.
pub struct DiskWorker {
    storage: Box<dyn Storage>,
    state: Arc<RwLock<State>>,
    cluster: ClusterId,
    mail: Sender<Mail>,
    saving: VecDeque<Saving>,
    has_failed: bool,
    /// Whether the last call made its batches durable, if there were any.
    has_appended: bool,
}

struct Saving {
    cut: Box<ImageCut>,
    meta: ImageMeta,
    sink: Box<dyn ImageSink>,
    size: u64,
}

impl DiskWorker {
    /// A worker for `storage`, which writes images of `state` and reports to `mail`.
    pub fn new(
        storage: Box<dyn Storage>,
        state: Arc<RwLock<State>>,
        cluster: ClusterId,
        mail: Sender<Mail>,
    ) -> DiskWorker {
        DiskWorker {
            storage,
            state,
            cluster,
            mail,
            saving: VecDeque::new(),
            has_failed: false,
            has_appended: false,
        }
    }

    /// Whether there is something to do besides the jobs that come: call [`DiskWorker::work`] again without
    /// waiting for one.
    pub fn is_busy(&self) -> bool {
        !self.saving.is_empty() && !self.has_failed
    }

    /// Whether the last call made its batches durable: for a rehearsal, which follows what each disk has.
    #[doc(hidden)]
    pub fn has_appended(&self) -> bool {
        self.has_appended
    }

    /// Does these jobs, and a little of what is under way. Any failure is reported, and ends everything: a
    /// disk that failed once is not trusted again.
    pub fn work(&mut self, jobs: &mut Vec<DiskJob>) {
        self.has_appended = false;
        if self.has_failed {
            jobs.clear();
            return;
        }
        if let Err(error) = self.try_work(jobs).and_then(|()| self.save_some()) {
            self.has_failed = true;
            // Without what it means for a request: nobody made one.
            self.report(DiskReport::Failed(error.kind().to_string()));
        }
    }

    fn try_work(&mut self, jobs: &mut Vec<DiskJob>) -> Result<()> {
        let mut batches = Vec::new();
        let mut newest = None;
        let mut rest = Vec::new();
        for job in jobs.drain(..) {
            match job {
                DiskJob::Persist(ticket, batch) => {
                    newest = Some(ticket);
                    batches.push(batch);
                }
                other => rest.push(other),
            }
        }
        if let Some(ticket) = newest {
            let bytes = self.storage.append(&batches)?;
            self.has_appended = true;
            self.report(DiskReport::Persisted(ticket, bytes));
        }
        rest.into_iter().try_for_each(|job| self.other_job(job))
    }

    fn other_job(&mut self, job: DiskJob) -> Result<()> {
        match job {
            DiskJob::Persist(..) => {}
            DiskJob::DropLog(through) => self.storage.drop_head(through)?,
            DiskJob::SaveImage(cut, meta) => {
                let sink = self.storage.create_image(&meta)?;
                self.saving.push_back(Saving { cut, meta, sink, size: 0 });
            }
            DiskJob::OpenImage(envelope, index) => self.open_image(envelope, index)?,
            DiskJob::ReceiveImage(envelope, meta, accept) => {
                let receiving = Receiving {
                    loader: ImageLoader::new(self.cluster),
                    sink: self.storage.create_image(&meta)?,
                    mail: self.mail.clone(),
                    envelope,
                    meta,
                };
                // If the transport has given up meanwhile, the image is forgotten.
                let _ = accept.send(Box::new(receiving));
            }
        }
        Ok(())
    }

    fn open_image(&mut self, envelope: Envelope, index: Index) -> Result<()> {
        let newest = match self.storage.open_image() {
            // All that is stored is in memory as well: a new image is better than a member that stops for good.
            Err(error) if is_damage(&error) && !planted!("damaged_image_fails_the_disk") => None,
            opened => opened?,
        };
        match newest.filter(|image| image.meta().position.index == index) {
            Some(source) => self.report(DiskReport::ImageOpened(envelope, source)),
            None => self.report(DiskReport::NoImage(envelope, index)),
        }
        Ok(())
    }

    /// One chunk of the image under way.
    fn save_some(&mut self) -> Result<()> {
        let Some(saving) = self.saving.front_mut() else { return Ok(()) };
        let chunk = saving.cut.next_chunk(&self.state.read());
        if let Some(chunk) = chunk {
            saving.size += chunk.len() as u64;
            return saving.sink.write(&chunk);
        }
        let Some(Saving { cut, meta, sink, size }) = self.saving.pop_front() else { return Ok(()) };
        let is_whole = cut.complete();
        self.state.write().release_cut(*cut);
        if is_whole {
            sink.finish()?;
            self.report(DiskReport::ImageSaved(meta, size));
        } else {
            // The state was replaced by a peer's newer image, which is on this disk already.
            self.report(DiskReport::ImageSaved(ImageMeta::default(), 0));
        }
        Ok(())
    }

    fn report(&self, report: DiskReport) {
        // If the driver is gone, nobody waits for the report.
        let _ = self.mail.send(Mail::Disk(report));
    }
}

/// Reads the newest image of a storage, if it has one.
///
/// # Errors
///
/// Those of the storage; [`crate::ErrorKind::Corrupt`] if the image does not decode.
pub fn load_image(storage: &mut dyn Storage, cluster: ClusterId) -> Result<Option<(ImageMeta, State)>> {
    let Some(mut source) = storage.open_image()? else { return Ok(None) };
    let mut loader = ImageLoader::new(cluster);
    while let Some(chunk) = source.next_chunk()? {
        loader.feed(&chunk)?;
    }
    let meta = source.meta().clone();
    Ok(Some((meta.clone(), loader.finish(&meta)?)))
}

fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt { .. })
}

/// What a message that introduces an image says that it is of.
pub(crate) fn announced(envelope: &Envelope) -> Option<ImageMeta> {
    match &envelope.body {
        Some(Body::Raft(message)) => message.image.as_ref().and_then(crate::node::image_meta),
        _ => None,
    }
}

impl std::fmt::Debug for DiskWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskWorker").field("has_failed", &self.has_failed).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for DiskJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DiskJob::Persist(..) => "Persist",
            DiskJob::DropLog(_) => "DropLog",
            DiskJob::SaveImage(..) => "SaveImage",
            DiskJob::OpenImage(..) => "OpenImage",
            DiskJob::ReceiveImage(..) => "ReceiveImage",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Identity, ImageSource, Recovered};
    use crossbeam::channel::unbounded;

    /// Its images are damaged, and nothing else.
    struct Damaged;

    impl Storage for Damaged {
        fn recover(&mut self) -> Result<Recovered> {
            Ok(Recovered::default())
        }
        fn set_identity(&mut self, _: &Identity) -> Result<()> {
            Ok(())
        }
        fn append(&mut self, _: &[Batch]) -> Result<u64> {
            Ok(1)
        }
        fn drop_head(&mut self, _: Index) -> Result<()> {
            Ok(())
        }
        fn create_image(&mut self, _: &ImageMeta) -> Result<Box<dyn ImageSink>> {
            Err(ErrorKind::Halted { reason: "not asked for here".into() }.into())
        }
        fn open_image(&mut self) -> Result<Option<Box<dyn ImageSource>>> {
            Err(ErrorKind::Corrupt { path: "image".into(), offset: 0, reason: "a bit".into() }.into())
        }
    }

    #[test]
    fn a_damaged_image_is_none_to_send_and_no_reason_to_stop_writing() {
        let (mail, inbox) = unbounded();
        let mut worker = DiskWorker::new(Box::new(Damaged), Arc::new(RwLock::new(State::new(1))), 1, mail);
        worker.work(&mut vec![DiskJob::OpenImage(Envelope::default(), 7)]);
        worker.work(&mut vec![DiskJob::Persist(1, Batch::default())]);
        let reports: Vec<_> = inbox.try_iter().map(|mail| format!("{mail:?}")).collect();
        assert_eq!(reports, ["Disk(NoImage(7))", "Disk(Persisted(1))"]);
    }
}
