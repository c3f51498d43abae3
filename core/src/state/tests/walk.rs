//! Every version, in order, while the state goes on; and etcd's choice of those that are hashed.

use super::*;

/// What is left of a walk.
pub(super) fn all(walk: &mut Walk, state: &State) -> Vec<Version> {
    let mut all = Vec::new();
    loop {
        match walk.next(state) {
            Step::Versions(versions) => all.extend(versions),
            Step::End => return all,
            Step::Replaced => panic!("nobody replaced it"),
        }
    }
}

fn place(version: &Version) -> (Revision, u32, String, i64) {
    let key = version.key().escape_ascii().to_string();
    (version.mod_revision(), version.sub_revision(), key, version.version())
}

/// Where the versions of a walk stand.
pub(super) fn walked(state: &State, scope: Scope) -> Vec<(Revision, u32, String, i64)> {
    let mut walk = state.walk(scope).unwrap();
    let first: Vec<_> = all(&mut walk, state).iter().map(place).collect();
    walk.rewind();
    let again: Vec<_> = all(&mut walk, state).iter().map(place).collect();
    assert_eq!(first, again, "a second time it is the same");
    first
}

#[test]
fn a_walk_is_in_order_and_of_the_moment_it_was_begun() {
    for seed in 0..20 {
        let (mut lab, mut dice) = (Lab::new(), Dice::new(seed));
        for _ in 0..300 {
            let op = dice.op(&lab.state);
            let _ = lab.op(op);
            lab.state.collect_garbage(1);
        }
        let expected = walked(&lab.state, Scope::Everything);
        assert!(expected.is_sorted());
        assert_eq!(expected.len() as u64, lab.state.sizes().versions);
        let mut walk = lab.state.walk(Scope::Everything).unwrap();
        for _ in 0..50 {
            let op = dice.op(&lab.state);
            let _ = lab.op(op);
            let newest = lab.state.revision();
            let _ = lab.op(compact(newest));
            lab.state.collect_garbage(100);
        }
        let shown: Vec<_> = all(&mut walk, &lab.state).iter().map(place).collect();
        assert_eq!(shown, expected);
        drop(walk);
        lab.state.collect_garbage(usize::MAX);
    }
}

#[test]
fn a_walk_ends_when_its_state_is_replaced() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    let mut walk = lab.state.walk(Scope::Everything).unwrap();
    let loaded = lab.reload();
    lab.state.install(loaded);
    assert!(matches!(walk.next(&lab.state), Step::Replaced));
}

fn hashed(lab: &Lab, revision: Revision) -> String {
    let places = walked(&lab.state, Scope::Hashed(revision));
    places.iter().map(|(main, sub, key, _)| format!("{main}.{sub}{key}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn of_what_a_compaction_left_only_what_another_one_would_leave_is_hashed() {
    let mut lab = Lab::new();
    lab.put("a", "1"); // 2
    lab.put("b", "1"); // 3
    lab.put("a", "2"); // 4
    lab.delete("b", ""); // 5
    lab.put("b", "2"); // 6
    lab.delete("a", ""); // 7
    assert_eq!(hashed(&lab, 0), "2.0a 3.0b 4.0a 5.0b 6.0b 7.0a");
    assert_eq!(hashed(&lab, 4), "2.0a 3.0b 4.0a");
    lab.compact(5);
    assert_eq!(hashed(&lab, 5), "4.0a", "the tombstone at the compaction is not left");
    assert_eq!(hashed(&lab, 6), "4.0a 6.0b");
    assert_eq!(hashed(&lab, 7), "6.0b 7.0a", "a compaction at 7 would leave nothing of a");
    lab.delete("b", ""); // 8
    assert_eq!(
        hashed(&lab, 0),
        "4.0a 5.0b 6.0b 7.0a 8.0b",
        "where nothing would be left, all that is left counts"
    );
    assert!(matches!(lab.state.walk(Scope::Hashed(4)).unwrap_err().kind(), ErrorKind::Compacted { .. }));
    assert!(matches!(lab.state.walk(Scope::Hashed(9)).unwrap_err().kind(), ErrorKind::FutureRevision { .. }));
    assert_eq!(hashed(&lab, -1), "");
}
