//! Whether this member is well: etcd's checks, and gRPC's service Health, which says less. What it will never know:
//! HTTP.

use futures_util::{StreamExt, stream};
use kvorum_core::node::Role;
use kvorum_core::planted;
use kvorum_core::request::RangeRequest;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use crate::errors::said;
use crate::gateway::Gateway;
use crate::leash::Leashed;
use crate::pb::health::health_check_response::ServingStatus;
use crate::pb::health::{HealthCheckRequest, HealthCheckResponse, health_server::Health};

/// A thing that may be wrong with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    DataCorruption,
    SerializableRead,
    LinearizableRead,
    NonLearner,
}

impl Check {
    pub(crate) const ALL: [Check; 4] =
        [Check::DataCorruption, Check::SerializableRead, Check::LinearizableRead, Check::NonLearner];

    /// As etcd calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Check::DataCorruption => "data_corruption",
            Check::SerializableRead => "serializable_read",
            Check::LinearizableRead => "linearizable_read",
            Check::NonLearner => "non_learner",
        }
    }
}

impl Gateway {
    /// Checks something; the error says what is wrong.
    pub(crate) async fn check(&self, check: Check) -> Result<(), String> {
        match check {
            // A member that differs from the others halts, and then reads nothing; there is no such alarm.
            Check::DataCorruption => match self.client.status().raft.halted {
                None => Ok(()),
                Some(_) => Err("alarm activated: CORRUPT".into()),
            },
            Check::SerializableRead => self.can_read(true).await,
            Check::LinearizableRead => self.can_read(planted!("ready_without_a_leader")).await,
            // There are no learners.
            Check::NonLearner => Ok(()),
        }
    }

    /// Reads something, as any client would.
    pub(crate) async fn can_read(&self, serializable: bool) -> Result<(), String> {
        if self.client.status().raft.role == Role::Ended {
            return Err(crate::errors::STOPPED.1.into_owned());
        }
        let probe = RangeRequest { serializable, ..RangeRequest::key([0]) }.counting();
        let read = self.client.range(probe).await;
        read.map(|_| ()).map_err(|error| said(&error).1.into_owned())
    }
}

/// As in etcd, the server as a whole serves as long as it is there; it knows of no service by name.
#[tonic::async_trait]
impl Health for Gateway {
    type WatchStream = BoxStream<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match request.get_ref().service.is_empty() {
            true => Ok(Response::new(is(ServingStatus::Serving))),
            false => Err(Status::not_found("unknown service")),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let status = match request.get_ref().service.is_empty() {
            true => ServingStatus::Serving,
            false => ServingStatus::ServiceUnknown,
        };
        let states = stream::iter([Ok(is(status))]).chain(stream::pending());
        Ok(Response::new(Box::pin(Leashed::new(states, self.end_of_stream(false)))))
    }
}

fn is(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
