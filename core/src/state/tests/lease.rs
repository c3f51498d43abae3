//! Leases, as far as the log knows them.

use super::*;

fn revoke(id: LeaseId) -> Op {
    Op::LeaseRevoke(LeaseRevokeRequest { id })
}

fn expire(term: u64, ids: &[LeaseId]) -> Op {
    Op::LeaseExpire(LeaseExpire { term, ids: ids.into() })
}

#[test]
fn a_lease_takes_its_keys_along_in_one_revision() {
    let mut lab = Lab::new();
    lab.op(grant(-3, 60)).unwrap();
    lab.put_lease("b", "", -3);
    lab.put_lease("a", "", -3);
    lab.put("c", "");
    assert_eq!(lab.state.lease_keys(-3), ["a", "b"]);
    assert_eq!(lab.state.lease_keys_behind(-3, b"", 1), ["a"]);
    assert_eq!(lab.state.lease_keys_behind(-3, b"a", 2), ["b"]);
    assert!(lab.state.lease_keys_behind(-3, b"b", 2).is_empty());
    let mut cursor = lab.state.open_watch(&watch::all_from(0)).unwrap();
    let Response::LeaseRevoke(r) = lab.op(revoke(-3)).unwrap() else { panic!() };
    assert_eq!(r.header.unwrap().revision, 5);
    assert_eq!((lab.state.revision(), lab.all(0)), (5, "c=".into()));
    assert_eq!(watch::pull(&lab.state, &mut cursor), "5-a 5-b");
    assert_eq!(lab.error(revoke(-3)), ErrorKind::LeaseNotFound { id: -3 });
    assert_eq!(lab.error(revoke(0)), ErrorKind::LeaseNotFound { id: 0 });
}

#[test]
fn a_put_moves_a_key_between_leases() {
    let mut lab = Lab::new();
    lab.op(grant(1, 60)).unwrap();
    lab.op(grant(2, 60)).unwrap();
    lab.put_lease("a", "", 1);
    lab.put_lease("a", "", 2);
    assert!(lab.state.lease_keys(1).is_empty());
    lab.op(revoke(1)).unwrap();
    assert_eq!(lab.state.revision(), 3, "a lease without keys takes no revision");
    lab.put("a", "");
    lab.op(revoke(2)).unwrap();
    assert_eq!(lab.all(0), "a=");
    let unknown = Op::Put(PutRequest { key: bytes("a"), lease: 2, ..Default::default() });
    assert_eq!(lab.error(unknown), ErrorKind::LeaseNotFound { id: 2 });
}

#[test]
fn a_deleted_key_leaves_its_lease() {
    let mut lab = Lab::new();
    lab.op(grant(1, 60)).unwrap();
    lab.put_lease("a", "", 1);
    lab.delete("a", "");
    assert!(lab.state.lease_keys(1).is_empty());
    lab.put("a", "");
    lab.op(revoke(1)).unwrap();
    assert_eq!(lab.all(0), "a=");
}

#[test]
fn etcd_16822_a_deposed_leader_ends_no_lease() {
    let mut lab = Lab::new();
    lab.term = 4;
    lab.op(grant(1, 60)).unwrap();
    lab.put_lease("a", "", 1);
    let checkpoint = |term| {
        Op::LeaseCheckpoint(LeaseCheckpoint { term, leases: vec![LeaseRemaining { id: 1, millis: 99_000 }] })
    };
    assert_eq!(lab.op(expire(3, &[1])), Ok(Response::Done(Done { revision: 2 })));
    lab.op(checkpoint(3)).unwrap();
    assert_eq!(lab.state.lease(1), Some(LeaseInfo { id: 1, ttl: 60, remaining_millis: None }));
    lab.op(checkpoint(4)).unwrap();
    assert_eq!(lab.state.lease(1).unwrap().remaining_millis, Some(60_000), "never more than granted");
    lab.op(expire(4, &[1, 77])).unwrap();
    assert_eq!((lab.state.lease(1), lab.all(0)), (None, String::new()));
}

#[test]
fn every_expired_lease_takes_a_revision_of_its_own() {
    let mut lab = Lab::new();
    for id in [1, 2, 3] {
        lab.op(grant(id, 60)).unwrap();
    }
    lab.put_lease("a", "", 1);
    lab.put_lease("b", "", 3);
    lab.put_lease("c", "", 1);
    let mut cursor = lab.state.open_watch(&watch::all_from(0)).unwrap();
    lab.op(expire(1, &[3, 2, 1])).unwrap();
    assert_eq!(watch::pull(&lab.state, &mut cursor), "5-b 6-a 6-c");
    assert_eq!(lab.state.leases().count(), 0);
}

#[test]
fn an_id_is_drawn_alike_everywhere_and_never_taken() {
    let mut lab = Lab::new();
    let mut ids = Vec::new();
    for _ in 0..100 {
        let Response::LeaseGrant(r) = lab.op(grant(0, 60)).unwrap() else { panic!() };
        assert!(r.id > 0);
        ids.push(r.id);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100);
    let replayed = lab.replay();
    assert_eq!(replayed.leases().map(|lease| lease.id).collect::<Vec<_>>(), ids);
    assert_eq!(lab.error(grant(ids[0], 60)), ErrorKind::LeaseExists { id: ids[0] });
}

#[test]
fn the_expiry_clock_hears_of_every_change() {
    let mut lab = Lab::new();
    lab.op(grant(1, 60)).unwrap();
    lab.op(grant(2, 70)).unwrap();
    lab.op(revoke(1)).unwrap();
    let (granted, ended) = (|id, ttl| LeaseChange::Granted { id, ttl }, |id| LeaseChange::Ended { id });
    assert_eq!(lab.state.take_lease_changes(), [granted(1, 60), granted(2, 70), ended(1)]);
    assert!(lab.state.take_lease_changes().is_empty());
    // And of what an image changes.
    let mut other = Lab::new();
    other.op(grant(3, 80)).unwrap();
    let mut loaded = other.reload();
    assert!(loaded.take_lease_changes().is_empty());
    lab.state.install(loaded);
    assert_eq!(lab.state.take_lease_changes(), [ended(2), granted(3, 80)]);
}
