//! etcd's service Watch. What it will never know: how changes are found.

use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use crate::gateway::Gateway;
use crate::pb::etcdserverpb::{self as pb, watch_server::Watch};

#[tonic::async_trait]
impl Watch for Gateway {
    type WatchStream = BoxStream<pb::WatchResponse>;

    async fn watch(
        &self,
        _: Request<Streaming<pb::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("kvorum's gateway does not watch yet"))
    }
}
