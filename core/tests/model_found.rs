//! What the model found, each as small as it gets.

use bytes::Bytes;
use kvorum_core::command::{Command, Op};
use kvorum_core::request::{
    DeleteRangeRequest, EventKind, PutRequest, RequestKind, RequestOp, TxnRequest, WatchRequest,
};
use kvorum_core::state::State;
use kvorum_core::storage::LogPosition;
use prost::Message;

fn apply(state: &mut State, op: Op) {
    let at = LogPosition { index: state.applied().index + 1, term: 1 };
    let command = Command { op: Some(op), ..Command::default() };
    state.apply(at, &command.encode_to_vec().into()).result.expect("applied");
}

fn put(key: &'static str) -> PutRequest {
    PutRequest { key: key.into(), value: "v".into(), ..PutRequest::default() }
}

/// A transaction may delete everything from a key on and then put one of those keys (A5.7q). That put creates
/// the key, and a creation has no previous pair (A7.4; etcd asks `IsCreateEvent` before it looks).
#[test]
fn a_key_created_anew_in_the_same_revision_has_no_previous_pair() {
    let mut state = State::new(1);
    apply(&mut state, Op::Put(put("k")));
    let from = DeleteRangeRequest { key: "k".into(), range_end: Bytes::from_static(b"\0"), prev_kv: false };
    let ops = [RequestKind::DeleteRange(from), RequestKind::Put(put("k"))];
    let success = ops.into_iter().map(|kind| RequestOp { request: Some(kind) }).collect();
    apply(&mut state, Op::Txn(TxnRequest { success, ..TxnRequest::default() }));

    let r = WatchRequest { key: "k".into(), start_revision: 3, prev_kv: true, ..WatchRequest::default() };
    let mut cursor = state.open_watch(&r).unwrap();
    let events = state.pull(&mut cursor, 10, 1 << 20).unwrap().events;
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].kind(), events[1].kind()), (EventKind::Delete, EventKind::Put));
    assert!(events[0].prev_kv.is_some());
    let kv = events[1].kv.as_ref().unwrap();
    assert_eq!((kv.version, kv.create_revision, kv.mod_revision), (1, 3, 3));
    assert_eq!(events[1].prev_kv, None);
}
