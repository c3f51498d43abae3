//! etcd's paths are all there, and no others.

use crate::common::one;
use crate::http::{ask, post};

/// What etcd 3.5.30 has behind `/v3/`.
const PATHS: &str = "kv/range kv/put kv/deleterange kv/txn kv/compaction watch lease/grant lease/revoke lease/keepalive \
    lease/timetolive lease/leases kv/lease/revoke kv/lease/timetolive kv/lease/leases cluster/member/add \
    cluster/member/remove cluster/member/update cluster/member/list cluster/member/promote maintenance/alarm \
    maintenance/status maintenance/defragment maintenance/hash maintenance/hashkv maintenance/snapshot \
    maintenance/transfer-leadership maintenance/downgrade auth/enable auth/disable auth/status auth/authenticate \
    auth/user/add auth/user/get auth/user/list auth/user/delete auth/user/changepw auth/user/grant auth/user/revoke \
    auth/role/add auth/role/get auth/role/list auth/role/delete auth/role/grant auth/role/revoke lock/lock lock/unlock \
    election/campaign election/proclaim election/leader election/observe election/resign";

/// What one might think is there.
const OTHERS: &str = "kv/rangestream kv/lease/grant kv/lease/keepalive maintenance/moveleader kv auth health";

#[tokio::test]
async fn every_path_of_etcds_is_there_and_takes_posts_alone() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    for path in PATHS.split_whitespace() {
        let answer = ask(address, &format!("GET /v3/{path}"), &[], "").await;
        assert_eq!(answer.status, 501, "{path}: {}", answer.body);
        // And something stands behind it: it knows what is wrong with this.
        let (status, said) = post(address, &format!("/{path}"), "5").await;
        assert_eq!(status, 400, "{path}: {said}");
        assert!(said.contains("proto: syntax error (line 1:1): unexpected token 5"), "{path}: {said}");
    }
    for path in OTHERS.split_whitespace() {
        assert_eq!(post(address, &format!("/{path}"), "{}").await.0, 404, "{path}");
    }
}
