//! Sessions: a retry is answered, not applied.

use super::*;

fn open(lab: &mut Lab) -> u64 {
    match lab.op(Op::OpenSession(OpenSession {})).unwrap() {
        Response::OpenSession(id) => id,
        other => panic!("{other:?}"),
    }
}

fn tagged(lab: &mut Lab, session: u64, sequence: u64, acknowledged_below: u64, op: Op) -> Applied {
    let tag = SessionTag { session, sequence, acknowledged_below };
    lab.command(&Command { origin: None, session: Some(tag), op: Some(op) })
}

#[test]
fn a_retry_gets_the_first_answer_and_changes_nothing() {
    let mut lab = Lab::new();
    let id = open(&mut lab);
    assert_eq!(id, 1, "the index of its entry");
    let first = tagged(&mut lab, id, 1, 0, put("a", "1"));
    lab.put("a", "2");
    let again = tagged(&mut lab, id, 1, 0, put("a", "1"));
    assert!(!first.deduplicated && again.deduplicated);
    assert_eq!(again.result, first.result);
    assert_eq!((again.revision, lab.all(0)), (3, "a=2".into()));
}

#[test]
fn a_refusal_is_an_answer_too() {
    let mut lab = Lab::new();
    let id = open(&mut lab);
    let bad = || Op::Put(PutRequest { key: bytes("a"), lease: 4, ..Default::default() });
    let first = tagged(&mut lab, id, 1, 0, bad());
    lab.op(grant(4, 60)).unwrap();
    let again = tagged(&mut lab, id, 1, 0, bad());
    assert!(again.deduplicated && again.result.is_err());
    assert_eq!(again.result, first.result);
}

#[test]
fn sequences_outside_the_window_are_refused() {
    let mut lab = Lab::new();
    let id = open(&mut lab);
    let refused = |applied: Applied, sequence, lowest| {
        assert_eq!(*applied.result.unwrap_err().kind(), ErrorKind::SessionSequence { sequence, lowest });
    };
    refused(tagged(&mut lab, id, 0, 0, put("a", "")), 0, 1);
    refused(tagged(&mut lab, id, 1026, 0, put("a", "")), 1026, 1);
    assert!(tagged(&mut lab, id, 1025, 0, put("a", "")).result.is_ok());
    assert!(tagged(&mut lab, id, 9, 9, put("a", "")).result.is_ok());
    refused(tagged(&mut lab, id, 8, 0, put("a", "")), 8, 9);
    assert!(tagged(&mut lab, id, 9, 9, put("a", "")).deduplicated, "not acknowledged yet");
    refused(tagged(&mut lab, id, u64::MAX, 0, put("a", "")), u64::MAX, 9);
    assert_eq!(lab.state.revision(), 3);
}

#[test]
fn an_unknown_session_is_refused() {
    let mut lab = Lab::new();
    let id = open(&mut lab);
    lab.op(Op::CloseSession(CloseSession { id })).unwrap();
    lab.op(Op::CloseSession(CloseSession { id })).unwrap();
    let refused = tagged(&mut lab, id, 1, 0, put("a", ""));
    assert_eq!(*refused.result.unwrap_err().kind(), ErrorKind::SessionNotFound { id });
    assert_eq!((lab.state.revision(), lab.state.sizes().sessions), (1, 0));
}

#[test]
fn the_session_used_longest_ago_goes_first() {
    let mut lab = Lab::new();
    lab.op(Op::Settings(Settings { quota_bytes: 0, max_sessions: 2 })).unwrap();
    let (first, second) = (open(&mut lab), open(&mut lab));
    assert!(tagged(&mut lab, first, 1, 0, put("a", "")).result.is_ok());
    let third = open(&mut lab);
    assert!(tagged(&mut lab, second, 1, 0, put("a", "")).result.is_err());
    assert!(tagged(&mut lab, first, 2, 0, put("a", "")).result.is_ok());
    lab.op(Op::Settings(Settings { quota_bytes: 0, max_sessions: 1 })).unwrap();
    assert!(tagged(&mut lab, third, 1, 0, put("a", "")).result.is_err());
    assert!(tagged(&mut lab, first, 2, 0, put("a", "")).deduplicated);
}

#[test]
fn an_answer_too_large_to_keep_is_not_applied_again() {
    let mut lab = Lab::new();
    let id = open(&mut lab);
    lab.put("a", &"x".repeat(2 << 20));
    let delete =
        || Op::DeleteRange(DeleteRangeRequest { key: bytes("a"), range_end: bytes(""), prev_kv: true });
    assert!(tagged(&mut lab, id, 1, 0, delete()).result.is_ok());
    lab.put("a", "new");
    let again = tagged(&mut lab, id, 1, 0, delete()).result.unwrap_err();
    assert_eq!(again.outcome(), crate::Outcome::Unknown);
    assert_eq!(lab.all(0), "a=new");
}

#[test]
fn sessions_survive_an_image() {
    let mut lab = Lab::new();
    let id = open(&mut lab);
    let first = tagged(&mut lab, id, 3, 2, put("a", "1"));
    let loaded = lab.reload();
    lab.state.install(loaded);
    let again = tagged(&mut lab, id, 3, 2, put("a", "1"));
    assert!(again.deduplicated);
    assert_eq!(again.result, first.result);
    assert!(tagged(&mut lab, id, 1, 0, put("a", "1")).result.is_err());
    assert_eq!(lab.replay().hash(), lab.state.hash());
}

#[test]
fn a_command_that_closes_its_own_session_is_fine() {
    let mut lab = Lab::new();
    let id = open(&mut lab);
    assert!(tagged(&mut lab, id, 1, 0, Op::CloseSession(CloseSession { id })).result.is_ok());
    assert!(tagged(&mut lab, id, 1, 0, Op::CloseSession(CloseSession { id })).result.is_err());
}
