//! etcd's service Auth, as it is while authentication is off; which it always is here, so far. What it will never know:
//! anybody's name.

use tonic::{Request, Response, Status};

use crate::errors::AUTH_OFF;
use crate::gateway::Gateway;
use crate::pb::etcdserverpb::{self as pb, auth_server::Auth};

/// The whole service: what an etcd without authentication says, and one sentence to everything else.
macro_rules! auth_is_off {
    ($($name:ident: $request:ident -> $response:ident,)*) => {
        #[tonic::async_trait]
        impl Auth for Gateway {
            async fn auth_status(
                &self,
                _: Request<pb::AuthStatusRequest>,
            ) -> Result<Response<pb::AuthStatusResponse>, Status> {
                let header = Some(self.header());
                // Etcd begins to count at 1.
                Ok(Response::new(pb::AuthStatusResponse { header, enabled: false, auth_revision: 1 }))
            }

            async fn auth_disable(
                &self,
                _: Request<pb::AuthDisableRequest>,
            ) -> Result<Response<pb::AuthDisableResponse>, Status> {
                Ok(Response::new(pb::AuthDisableResponse { header: Some(self.header()) }))
            }

            async fn authenticate(
                &self,
                _: Request<pb::AuthenticateRequest>,
            ) -> Result<Response<pb::AuthenticateResponse>, Status> {
                Err(AUTH_OFF.into())
            }

            $(
                async fn $name(&self, _: Request<pb::$request>) -> Result<Response<pb::$response>, Status> {
                    Err(Status::unimplemented("kvorum has no users, roles and permissions yet"))
                }
            )*
        }
    };
}

auth_is_off! {
    auth_enable: AuthEnableRequest -> AuthEnableResponse,
    user_add: AuthUserAddRequest -> AuthUserAddResponse,
    user_get: AuthUserGetRequest -> AuthUserGetResponse,
    user_list: AuthUserListRequest -> AuthUserListResponse,
    user_delete: AuthUserDeleteRequest -> AuthUserDeleteResponse,
    user_change_password: AuthUserChangePasswordRequest -> AuthUserChangePasswordResponse,
    user_grant_role: AuthUserGrantRoleRequest -> AuthUserGrantRoleResponse,
    user_revoke_role: AuthUserRevokeRoleRequest -> AuthUserRevokeRoleResponse,
    role_add: AuthRoleAddRequest -> AuthRoleAddResponse,
    role_get: AuthRoleGetRequest -> AuthRoleGetResponse,
    role_list: AuthRoleListRequest -> AuthRoleListResponse,
    role_delete: AuthRoleDeleteRequest -> AuthRoleDeleteResponse,
    role_grant_permission: AuthRoleGrantPermissionRequest -> AuthRoleGrantPermissionResponse,
    role_revoke_permission: AuthRoleRevokePermissionRequest -> AuthRoleRevokePermissionResponse,
}
