//! What brings etcd 3.5.30 down, found by asking it: here it gets an error, in the words of newer ones where they have some.

use kvorum_gateway::pb::etcdserverpb as pb;
use tonic::{Code, Request, Status};

use crate::common::{everything, get, one, soon};

fn said<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (status.code(), status.message().into())
}

#[tokio::test]
async fn unknown_alarms_and_actions_are_refused() {
    let gate = one().await;
    let mut maintenance = gate.maintenance();
    for (action, alarm) in [(77, 0), (-1, 1), (1, 9), (2, 9), (0, 9)] {
        let request = pb::AlarmRequest { action, alarm, member_id: 1 };
        let (code, text) = said(maintenance.alarm(request).await);
        assert_eq!(code, Code::InvalidArgument);
        assert!(text.starts_with("etcdserver: unknown alarm"), "{text}");
    }
}

#[tokio::test]
async fn an_unknown_target_of_an_order_is_refused() {
    let gate = one().await;
    for order in [0, 1, 2] {
        let request = pb::RangeRequest { sort_target: 9, sort_order: order, ..everything() };
        let expected = (Code::InvalidArgument, "etcdserver: invalid sort option".to_string());
        assert_eq!(said(gate.kv().range(request).await), expected);
    }
}

#[tokio::test]
async fn a_client_version_that_is_no_text_is_refused() {
    let gate = one().await;
    let version = http::HeaderValue::from_bytes(b"\xff\xfe").unwrap();
    let expected = (Code::InvalidArgument, "etcdserver: invalid client api version".to_string());
    let mut request = Request::new(get("a"));
    request.metadata_mut().as_mut().insert("client-api-version", version.clone());
    assert_eq!(said(gate.kv().range(request).await), expected);
    let mut request = Request::new(futures_util::stream::iter([pb::LeaseKeepAliveRequest { id: 1 }]));
    request.metadata_mut().as_mut().insert("client-api-version", version);
    assert_eq!(said(soon("a stream", gate.lease().lease_keep_alive(request)).await), expected);
}
