//! Everything stored, as a file of etcd's. What it will never know: disks.

use tonic::Status;
use tonic::codegen::BoxStream;

use crate::gateway::Gateway;
use crate::pb::etcdserverpb as pb;

impl Gateway {
    /// The file, in pieces.
    pub(crate) async fn snapshot_file(&self) -> Result<BoxStream<pb::SnapshotResponse>, Status> {
        Err(Status::unimplemented("kvorum does not write snapshots in etcd's format yet"))
    }
}
