//! Keys and values over gRPC, with a plain client: what etcd's clients rely on.

mod common;

use common::{everything, get, one, put, soon, three};
use kvorum_gateway::pb::etcdserverpb as pb;
use pb::request_op::Request as Ask;
use pb::response_op::Response as Answer;

fn op(request: Ask) -> pb::RequestOp {
    pb::RequestOp { request: Some(request) }
}

#[tokio::test]
async fn what_is_put_is_read_and_deleted() {
    let gate = one().await;
    let mut kv = gate.kv();
    let written = kv.put(put("a", "1")).await.unwrap().into_inner();
    let header = written.header.unwrap();
    assert_eq!((header.revision, header.member_id), (2, 1));
    assert!(header.cluster_id != 0 && header.raft_term != 0);

    let read = kv.range(get("a")).await.unwrap().into_inner();
    let pair = &read.kvs[0];
    assert_eq!((&pair.key[..], &pair.value[..]), (&b"a"[..], &b"1"[..]));
    assert_eq!((pair.create_revision, pair.mod_revision, pair.version, pair.lease), (2, 2, 1, 0));

    let again = pb::PutRequest { prev_kv: true, ..put("a", "2") };
    assert_eq!(&kv.put(again).await.unwrap().into_inner().prev_kv.unwrap().value[..], b"1");
    let delete = pb::DeleteRangeRequest { key: "a".into(), prev_kv: true, ..Default::default() };
    let deleted = kv.delete_range(delete).await.unwrap().into_inner();
    assert_eq!((deleted.deleted, &deleted.prev_kvs[0].value[..]), (1, &b"2"[..]));
    assert_eq!(kv.range(get("a")).await.unwrap().into_inner().count, 0);
}

#[tokio::test]
async fn any_member_takes_any_request() {
    let gates = three().await;
    for (at, gate) in gates.iter().enumerate() {
        let key = format!("key-{at}");
        soon("a put", gate.kv().put(put(&key, "v"))).await.unwrap();
        for other in &gates {
            let read = soon("a read", other.kv().range(get(&key))).await.unwrap().into_inner();
            assert_eq!(read.count, 1, "what one member acknowledged, every member reads");
        }
    }
}

#[tokio::test]
async fn a_transaction_takes_one_revision_and_nests() {
    let gate = one().await;
    let mut kv = gate.kv();
    let inner = pb::TxnRequest {
        success: vec![op(Ask::RequestPut(put("b", "2"))), op(Ask::RequestRange(get("b")))],
        ..Default::default()
    };
    let missing = pb::Compare {
        key: "a".into(),
        target: pb::compare::CompareTarget::Create as i32,
        target_union: Some(pb::compare::TargetUnion::CreateRevision(0)),
        ..Default::default()
    };
    let txn = pb::TxnRequest {
        compare: vec![missing],
        success: vec![op(Ask::RequestPut(put("a", "1"))), op(Ask::RequestTxn(inner))],
        failure: vec![op(Ask::RequestRange(get("a")))],
    };
    let done = kv.txn(txn.clone()).await.unwrap().into_inner();
    assert!(done.succeeded);
    assert_eq!(done.header.unwrap().revision, 2);
    let Some(Answer::ResponseTxn(nested)) = &done.responses[1].response else { panic!("{done:?}") };
    let Some(Answer::ResponseRange(read)) = &nested.responses[1].response else { panic!("{done:?}") };
    assert_eq!((&read.kvs[0].value[..], read.kvs[0].mod_revision), (&b"2"[..], 2));

    let done = kv.txn(txn).await.unwrap().into_inner();
    assert!(!done.succeeded);
    assert_eq!(done.header.unwrap().revision, 2, "a transaction that writes nothing takes no revision");
}

#[tokio::test]
async fn what_is_compacted_cannot_be_read() {
    let gate = one().await;
    let mut kv = gate.kv();
    for value in ["1", "2", "3"] {
        kv.put(put("a", value)).await.unwrap();
    }
    let compact = pb::CompactionRequest { revision: 3, physical: true };
    assert_eq!(kv.compact(compact).await.unwrap().into_inner().header.unwrap().revision, 4);
    let at = |revision| pb::RangeRequest { revision, ..get("a") };
    assert_eq!(&kv.range(at(3)).await.unwrap().into_inner().kvs[0].value[..], b"2");
    let compacted = kv.range(at(2)).await.unwrap_err();
    assert_eq!(compacted.code(), tonic::Code::OutOfRange);
    assert_eq!(compacted.message(), "etcdserver: mvcc: required revision has been compacted");
}

/// The pairs of a range that comes in pieces, how many pieces there were, and the last of them.
async fn in_pieces(gate: &common::Gate, range: pb::RangeRequest) -> (Vec<String>, usize, pb::RangeResponse) {
    let mut stream = gate.kv().range_stream(range).await.unwrap().into_inner();
    let (mut keys, mut pieces, mut last) = (Vec::new(), 0, pb::RangeResponse::default());
    while let Some(piece) = soon("a piece", stream.message()).await.unwrap() {
        assert_eq!(last.header, None, "only the last piece has a header");
        last = piece.range_response.unwrap();
        keys.extend(last.kvs.iter().map(|kv| String::from_utf8_lossy(&kv.key).into_owned()));
        pieces += 1;
    }
    (keys, pieces, last)
}

#[tokio::test]
async fn a_range_in_pieces_is_the_range_at_one_revision() {
    let gate = one().await;
    let large = "x".repeat(100_000);
    for at in 0..40 {
        gate.kv().put(put(&format!("{at:02}"), &large)).await.unwrap();
    }
    let (keys, pieces, last) = in_pieces(&gate, everything()).await;
    assert_eq!(keys, (0..40).map(|at| format!("{at:02}")).collect::<Vec<_>>());
    assert!(pieces > 2, "4 MB do not come in {pieces} pieces");
    assert_eq!((last.count, last.more, last.header.unwrap().revision), (40, false, 41));

    let (keys, _, last) = in_pieces(&gate, pb::RangeRequest { limit: 25, ..everything() }).await;
    assert_eq!((keys.len(), last.count, last.more), (25, 40, true));
    let (keys, _, last) = in_pieces(&gate, pb::RangeRequest { limit: 5, revision: 11, ..everything() }).await;
    assert_eq!((keys.len(), last.count, last.more), (5, 10, true));
    let (keys, pieces, last) = in_pieces(&gate, pb::RangeRequest { count_only: true, ..everything() }).await;
    assert_eq!((keys.len(), pieces, last.count, last.more), (0, 1, 40, false));
    let (keys, pieces, last) = in_pieces(&gate, get("nothing")).await;
    assert_eq!((keys.len(), pieces, last.count, last.more), (0, 1, 0, false));
}

#[tokio::test]
async fn a_range_in_pieces_says_when_its_revision_is_compacted_under_it() {
    let gate = one().await;
    let large = "x".repeat(1_000_000);
    for at in 0..16 {
        gate.kv().put(put(&format!("{at:02}"), &large)).await.unwrap();
    }
    let mut stream = gate.kv().range_stream(everything()).await.unwrap().into_inner();
    gate.kv().put(put("later", "")).await.unwrap();
    gate.kv().compact(pb::CompactionRequest { revision: 18, physical: false }).await.unwrap();
    let ended = loop {
        match soon("a piece", stream.message()).await {
            Ok(Some(piece)) => assert_eq!(piece.range_response.unwrap().header, None),
            Ok(None) => panic!("it ended as if it was whole"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.message(), "etcdserver: mvcc: required revision has been compacted");
}

#[tokio::test]
async fn what_cannot_come_in_pieces_is_refused_as_in_etcd() {
    let gate = one().await;
    let refused = |range| {
        let mut kv = gate.kv();
        async move {
            let status = kv.range_stream(range).await.unwrap_err();
            format!("{:?}: {}", status.code(), status.message())
        }
    };
    let descending = pb::RangeRequest { sort_order: 2, min_mod_revision: 1, ..get("a") };
    assert_eq!(refused(descending).await, "Unimplemented: RangeStream does not support custom sort orders");
    let filtered = pb::RangeRequest { min_mod_revision: 1, ..get("a") };
    assert_eq!(refused(filtered).await, "Unimplemented: RangeStream does not support revision filters");
    let unknown = pb::RangeRequest { sort_target: 99, ..get("a") };
    assert_eq!(refused(unknown).await, "InvalidArgument: etcdserver: invalid sort option");
    assert_eq!(refused(get("")).await, "InvalidArgument: etcdserver: key is not provided");
}

#[tokio::test]
async fn what_is_nested_too_deep_is_refused_in_short() {
    let gate = one().await;
    for (depth, said) in [
        (17, "etcdserver: too many operations in txn request"),
        (49, "etcdserver: too many operations in txn request"),
        (60, "proto: exceeded maximum recursion depth"),
    ] {
        let mut txn = pb::TxnRequest::default();
        for _ in 0..depth {
            let nested = pb::RequestOp { request: Some(pb::request_op::Request::RequestTxn(txn)) };
            txn = pb::TxnRequest { success: vec![nested], ..Default::default() };
        }
        let status = gate.kv().txn(txn).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (tonic::Code::InvalidArgument, said), "{depth}");
    }
}
