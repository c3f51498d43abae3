//! Everything stored, as a file of etcd's, streamed. What it will never know: what is in it.
//!
//! One that is open remembers what compactions free until its client has read it, so there are never many.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use kvorum_core::planted;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::codegen::BoxStream;

use crate::backup::{File, Origin, Replaced};
use crate::errors::TOO_MANY_SNAPSHOTS;
use crate::gateway::Gateway;
use crate::pb::etcdserverpb as pb;
use crate::taken::Taken;

/// How many bytes go into a message: etcd's number.
const PIECE: usize = 32 << 10;

/// Places for snapshots that are open.
#[derive(Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Places {
    /// For so many.
    pub(crate) fn new(count: usize) -> Places {
        let count = if planted!("snapshots_uncounted") { usize::MAX } else { count };
        Places(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))))
    }

    fn take(&self) -> Result<OwnedSemaphorePermit, Status> {
        self.0.clone().try_acquire_owned().map_err(|_| TOO_MANY_SNAPSHOTS.into())
    }
}

/// A file on its way.
struct Sending {
    file: File,
    /// Free again when all was sent, or the stream was dropped.
    _place: OwnedSemaphorePermit,
    hash: Sha256,
    /// Made, and not sent.
    ready: BytesMut,
    /// What is still to be sent, without the hash.
    left: u64,
}

impl Gateway {
    /// The file, in pieces; behind it comes its hash, as the last piece. As in etcd, it is of this member as it is now,
    /// and nobody else is asked.
    pub(crate) async fn snapshot_file(&self) -> Result<BoxStream<pb::SnapshotResponse>, Status> {
        let (node, voters) = (self.client.config().node, self.client.config().voters.clone());
        let (client, origin) = (self.client.clone(), Origin { node, members: self.members(), voters });
        let place = self.snapshots.take()?;
        // Given up by whoever asked, it walks to its end all the same, and has its place as long.
        let begin = move || Ok((File::begin(&client, origin).map_err(replaced)?, place));
        let (file, place) = self.walkers.walk(begin).await?;
        let left = file.size();
        let sending = Sending { file, _place: place, hash: Sha256::new(), ready: BytesMut::new(), left };
        let pieces = stream::unfold(Some(sending), |sending| async { sending.map(Sending::send) }).boxed();
        let patience = self.options.connections.snapshot_timeout;
        let late = Status::deadline_exceeded(format!(
            "nothing of the snapshot was taken for {patience:?}; it is not kept any longer"
        ));
        Ok(Taken::new(pieces, patience, late).boxed())
    }
}

impl Sending {
    /// Sends the next piece; what is left behind it, if anything.
    fn send(mut self) -> (Result<pb::SnapshotResponse, Status>, Option<Sending>) {
        match self.piece() {
            Err(error) => (Err(replaced(error)), None),
            Ok(Some(blob)) => {
                self.hash.update(&blob);
                self.left = self.left.saturating_sub(blob.len() as u64);
                let remaining_bytes = self.left;
                (Ok(pb::SnapshotResponse { remaining_bytes, blob, ..Default::default() }), Some(self))
            }
            Ok(None) => {
                let blob = Bytes::copy_from_slice(&self.hash.finalize());
                (Ok(pb::SnapshotResponse { blob, ..Default::default() }), None)
            }
        }
    }

    fn piece(&mut self) -> Result<Option<Bytes>, Replaced> {
        while self.ready.len() < PIECE {
            match self.file.next()? {
                Some(pages) => self.ready.extend_from_slice(&pages),
                None => break,
            }
        }
        let length = self.ready.len().min(PIECE);
        Ok((length > 0).then(|| self.ready.split_to(length).freeze()))
    }
}

/// This member was given the leader's state while it told its own.
pub(crate) fn replaced(_: Replaced) -> Status {
    Status::unavailable("this member's state was replaced by the leader's meanwhile; ask again")
}
