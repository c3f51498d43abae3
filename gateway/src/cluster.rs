//! etcd's service Cluster: who the members are, as the options say and as they say themselves. What it will never
//! know: how they are reached.

use kvorum_core::planted;
use tonic::{Request, Response, Status};

use crate::gateway::Gateway;
use crate::options::Member;
use crate::pb::etcdserverpb::{self as pb, cluster_server::Cluster};

const FIXED: &str =
    "kvorum's members are fixed when the cluster begins: none can be added, removed or changed";

#[tonic::async_trait]
impl Cluster for Gateway {
    async fn member_list(
        &self,
        request: Request<pb::MemberListRequest>,
    ) -> Result<Response<pb::MemberListResponse>, Status> {
        if request.get_ref().linearizable {
            // The list itself never changes; what is asked for is proof that this member is still one of a majority.
            self.catch_up().await?;
        }
        let header = Some(self.cluster_header());
        Ok(Response::new(pb::MemberListResponse { header, members: self.members() }))
    }

    async fn member_add(
        &self,
        _: Request<pb::MemberAddRequest>,
    ) -> Result<Response<pb::MemberAddResponse>, Status> {
        Err(Status::unimplemented(FIXED))
    }

    async fn member_remove(
        &self,
        _: Request<pb::MemberRemoveRequest>,
    ) -> Result<Response<pb::MemberRemoveResponse>, Status> {
        Err(Status::unimplemented(FIXED))
    }

    async fn member_update(
        &self,
        _: Request<pb::MemberUpdateRequest>,
    ) -> Result<Response<pb::MemberUpdateResponse>, Status> {
        Err(Status::unimplemented(FIXED))
    }

    async fn member_promote(
        &self,
        _: Request<pb::MemberPromoteRequest>,
    ) -> Result<Response<pb::MemberPromoteResponse>, Status> {
        Err(Status::unimplemented(FIXED))
    }
}

impl Gateway {
    /// The members, as clients are told. What a member has said of itself counts for more than what we were told of it.
    pub(crate) fn members(&self) -> Vec<pb::Member> {
        let mut members: Vec<pb::Member> = self.options.members.iter().cloned().map(Into::into).collect();
        if members.is_empty() {
            members.push(self.me().into());
        }
        let published = self.client.published_local().into_iter();
        for said in published.filter(|_| !planted!("members_are_not_listened_to")) {
            let at = members.iter().position(|member| member.id == said.node).unwrap_or_else(|| {
                members.push(pb::Member { id: said.node, ..pb::Member::default() });
                members.len() - 1
            });
            members[at].name = said.name;
            members[at].client_ur_ls = said.client_urls;
        }
        members
    }

    /// This member, as the options say.
    pub(crate) fn me(&self) -> Member {
        let id = self.client.config().node;
        let told = self.options.members.iter().find(|member| member.id == id).cloned();
        told.unwrap_or_else(|| Member { id, name: self.options.name.clone(), ..Member::default() })
    }
}

impl From<Member> for pb::Member {
    fn from(member: Member) -> pb::Member {
        let Member { id, name, peer_urls, client_urls } = member;
        pb::Member { id, name, peer_ur_ls: peer_urls, client_ur_ls: client_urls, is_learner: false }
    }
}
