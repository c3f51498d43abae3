//! etcd's service Maintenance: what an operator asks of one member. What it will never know: files.

use std::time::Duration;

use kvorum_core::ErrorKind;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use crate::errors::{self, BAD_TRANSFEREE, NO_LEADER, NOT_LEADER, TRANSFER_TIMEOUT, status};
use crate::gateway::{ETCD_VERSION, Gateway};
use crate::pb::etcdserverpb::{self as pb, AlarmType, alarm_request::AlarmAction};
use crate::pb::etcdserverpb::{downgrade_request::DowngradeAction, maintenance_server::Maintenance};

/// How often to look whether leadership has moved.
const LOOK: Duration = Duration::from_millis(10);

#[tonic::async_trait]
impl Maintenance for Gateway {
    type SnapshotStream = BoxStream<pb::SnapshotResponse>;

    async fn alarm(&self, request: Request<pb::AlarmRequest>) -> Result<Response<pb::AlarmResponse>, Status> {
        let alarms = self.do_alarm(request.into_inner()).await?;
        Ok(Response::new(pb::AlarmResponse { header: Some(self.header()), alarms }))
    }

    async fn status(&self, _: Request<pb::StatusRequest>) -> Result<Response<pb::StatusResponse>, Status> {
        Ok(Response::new(self.state_of_things()))
    }

    /// There is nothing to defragment: what is freed is free at once. As in etcd, the answer has no header.
    async fn defragment(
        &self,
        _: Request<pb::DefragmentRequest>,
    ) -> Result<Response<pb::DefragmentResponse>, Status> {
        Ok(Response::new(pb::DefragmentResponse::default()))
    }

    async fn hash(&self, _: Request<pb::HashRequest>) -> Result<Response<pb::HashResponse>, Status> {
        self.hash_all().await.map(Response::new)
    }

    async fn hash_kv(
        &self,
        request: Request<pb::HashKvRequest>,
    ) -> Result<Response<pb::HashKvResponse>, Status> {
        self.hash_keys(request.into_inner()).await.map(Response::new)
    }

    async fn snapshot(
        &self,
        _: Request<pb::SnapshotRequest>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        self.check_untaken()?;
        self.snapshot_file().await.map(Response::new)
    }

    async fn move_leader(
        &self,
        request: Request<pb::MoveLeaderRequest>,
    ) -> Result<Response<pb::MoveLeaderResponse>, Status> {
        self.move_leader_to(request.into_inner().target_id).await?;
        Ok(Response::new(pb::MoveLeaderResponse::default()))
    }

    async fn downgrade(
        &self,
        request: Request<pb::DowngradeRequest>,
    ) -> Result<Response<pb::DowngradeResponse>, Status> {
        Err(no_downgrade(&request.into_inner()))
    }
}

impl Gateway {
    /// The core has one alarm, and it is the whole cluster's: every member refuses growth. Etcd has one for each
    /// member; whichever member is named, it is this one that is meant, and it is the answering member that has it.
    async fn do_alarm(&self, r: pb::AlarmRequest) -> Result<Vec<pb::AlarmMember>, Status> {
        let unknown = |what| Status::invalid_argument(format!("etcdserver: unknown {what}"));
        let action = AlarmAction::try_from(r.action).map_err(|_| unknown("alarm action"))?;
        let alarm = AlarmType::try_from(r.alarm).map_err(|_| unknown("alarm"))?;
        self.catch_up().await?;
        let (is_raised, node) = (self.client.status().no_space, self.client.config().node);
        let named = |member_id| vec![pb::AlarmMember { member_id, alarm: AlarmType::Nospace as i32 }];
        match (action, alarm) {
            (AlarmAction::Get, AlarmType::None | AlarmType::Nospace) if is_raised => Ok(named(node)),
            (AlarmAction::Activate, AlarmType::Nospace) => {
                self.client.raise_no_space().await.map_err(status)?;
                Ok(named(r.member_id))
            }
            (AlarmAction::Deactivate, AlarmType::Nospace) if is_raised => {
                self.client.lift_no_space().await.map_err(status)?;
                Ok(named(r.member_id))
            }
            (AlarmAction::Activate, AlarmType::Corrupt) => Err(Status::unimplemented(
                "a kvorum member that differs from the others halts by itself; there is no such alarm to raise",
            )),
            _ => Ok(Vec::new()),
        }
    }

    fn state_of_things(&self) -> pb::StatusResponse {
        let status = self.client.status();
        let mut errors = Vec::new();
        if status.raft.leader == 0 {
            errors.push(NO_LEADER.1.into_owned());
        }
        if status.no_space {
            // With the space at its end: etcd's clients show it as it comes.
            errors.push(format!("memberID:{} alarm:NOSPACE ", status.node));
        }
        let bytes = |size| i64::try_from(size).unwrap_or(i64::MAX);
        pb::StatusResponse {
            header: Some(self.header()),
            version: ETCD_VERSION.into(),
            db_size: bytes(status.sizes.bytes),
            db_size_in_use: bytes(status.sizes.bytes),
            db_size_quota: bytes(status.sizes.quota),
            leader: status.raft.leader,
            raft_index: status.raft.commit,
            raft_term: status.raft.term,
            raft_applied_index: status.raft.applied,
            errors,
            ..pb::StatusResponse::default()
        }
    }

    /// Hands leadership over, and waits until it is seen to be there.
    async fn move_leader_to(&self, target: u64) -> Result<(), Status> {
        let config = self.client.config();
        if !self.client.status().is_leader() {
            return Err(NOT_LEADER.into());
        }
        if target != config.node {
            let asked = self.client.transfer_leadership(target).await;
            asked.map_err(|error| match error.kind() {
                ErrorKind::Config { .. } => BAD_TRANSFEREE.into(),
                _ => errors::status(error),
            })?;
        }
        let moved = async {
            while self.client.status().raft.leader != target {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(config.request_timeout, moved).await.map_err(|_| TRANSFER_TIMEOUT.into())
    }
}

/// What there is to say to a downgrade: kvorum's members agree on no version, so none is ever under way.
fn no_downgrade(r: &pb::DowngradeRequest) -> Status {
    match DowngradeAction::try_from(r.action) {
        Err(_) => Status::unknown("etcdserver: unknown method"),
        Ok(DowngradeAction::Cancel) => errors::NO_DOWNGRADE.into(),
        Ok(DowngradeAction::Validate | DowngradeAction::Enable) => match version(&r.version) {
            None => errors::DOWNGRADE_FORMAT.into(),
            Some((3, 4)) => Status::unimplemented("kvorum's members have no older version to go back to"),
            Some(_) => errors::DOWNGRADE_TARGET.into(),
        },
    }
}

/// Major and minor out of "3.4.0", or of "3.4".
fn version(text: &str) -> Option<(u32, u32)> {
    let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    match parts?[..] {
        [major, minor] | [major, minor, _] => Some((major, minor)),
        _ => None,
    }
}
