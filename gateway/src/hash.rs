//! Hashes over what is stored, by etcd's rules. What it will never know: streams.

use tonic::Status;

use crate::gateway::Gateway;
use crate::pb::etcdserverpb as pb;

impl Gateway {
    /// A hash over everything stored.
    pub(crate) async fn hash_all(&self) -> Result<pb::HashResponse, Status> {
        Err(Status::unimplemented("kvorum does not hash its store as etcd does yet"))
    }

    /// A hash over keys and their history up to a revision.
    pub(crate) async fn hash_keys(&self, _: pb::HashKvRequest) -> Result<pb::HashKvResponse, Status> {
        Err(Status::unimplemented("kvorum does not hash its store as etcd does yet"))
    }
}
