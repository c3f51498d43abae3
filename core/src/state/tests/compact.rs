//! Compaction: what stays readable, what is freed, and when.

use super::*;

#[test]
fn compaction_follows_etcds_errors() {
    let mut lab = Lab::new();
    let compacted = |requested, compacted| ErrorKind::Compacted { requested, compacted };
    assert_eq!(lab.error(compact(-1)), compacted(-1, 0));
    lab.compact(0);
    assert_eq!(lab.error(compact(0)), compacted(0, 0));
    assert_eq!(lab.error(compact(2)), ErrorKind::FutureRevision { requested: 2, current: 1 });
    lab.put("a", "1");
    lab.put("a", "2");
    lab.compact(2);
    assert_eq!(lab.error(compact(2)), compacted(2, 2));
    assert_eq!((lab.state.compacted(), lab.all(2)), (2, "a=1".into()));
    lab.compact(3);
    let old = lab.state.range(&RangeRequest { revision: 2, ..everything() }).unwrap_err();
    assert_eq!(*old.kind(), compacted(2, 3));
    lab.collect();
    assert_eq!(lab.all(3), "a=2", "the compaction's own revision is readable");
}

#[test]
fn etcd_17780_the_revision_is_not_inferred_from_what_survives() {
    let mut lab = Lab::new();
    lab.put("a", "1");
    lab.delete("a", "");
    lab.put("b", "1");
    lab.delete("b", "");
    lab.compact(5);
    lab.collect();
    let mut loaded = lab.reload();
    assert_eq!(loaded.revision(), 5);
    lab.state.install(loaded);
    lab.put("c", "");
    lab.compact(6);
    lab.collect();
    lab.delete("c", "");
    lab.compact(7);
    lab.collect();
    loaded = lab.reload();
    assert_eq!((loaded.revision(), loaded.sizes().keys), (7, 0));
}

#[test]
fn memory_is_freed_in_steps_and_waits_for_images() {
    let mut lab = Lab::new();
    for i in 0..100 {
        lab.put(&format!("{}", i % 10), "x");
    }
    lab.delete("0", "5");
    lab.put("z", "");
    lab.compact(lab.state.revision());
    assert_eq!(lab.state.sizes().versions, 6, "at once for the quota");
    assert_eq!(lab.state.physical_revision(), 0);
    let cut = lab.state.cut_image();
    assert!(!lab.state.collect_garbage(1000));
    assert_eq!(lab.state.physical_revision(), 0);
    lab.state.release_cut(cut);
    let mut steps = 1;
    while lab.state.collect_garbage(10) {
        steps += 1;
    }
    assert!(steps > 10, "{steps}");
    assert_eq!(lab.state.physical_revision(), lab.state.compacted());
    assert_eq!(held(&lab.state), 6);
    assert_eq!(lab.state.store.keys.len(), 6);
}

/// Versions in memory.
pub(super) fn held(state: &State) -> u64 {
    state.store.keys.values().map(|history| history.after((0, 0)).count() as u64).sum()
}

#[test]
fn what_is_freed_is_what_counts_no_more() {
    for seed in 0..40 {
        let (mut lab, mut dice) = (Lab::new(), Dice::new(seed));
        for step in 0..400 {
            let op = dice.op(&lab.state);
            let _ = lab.op(op);
            if dice.below(3) == 0 {
                lab.state.collect_garbage(1);
            }
            if step % 20 == 0 {
                lab.collect();
                assert_eq!(held(&lab.state), lab.state.sizes().versions);
                assert_eq!(lab.state.physical_revision(), lab.state.compacted());
                let sizes = lab.state.sizes();
                let cost = |history: &record::History| -> u64 {
                    history.after((0, 0)).map(|(record, _)| record.cost()).sum()
                };
                assert_eq!(lab.state.store.keys.values().map(cost).sum::<u64>(), sizes.bytes);
            }
        }
    }
}

#[test]
fn a_revision_with_many_changes_is_freed_in_steps_too() {
    let mut lab = Lab::new();
    for i in 0..1000 {
        lab.put(&format!("{i}"), "x");
    }
    lab.delete("\0", "\0");
    lab.put("a", "");
    lab.compact(lab.state.revision());
    assert!(lab.state.collect_garbage(1500), "half of the delete is done");
    lab.put("a", "");
    lab.compact(lab.state.revision());
    assert!(lab.state.collect_garbage(1));
    lab.collect();
    assert_eq!(held(&lab.state), 1);
}

#[test]
fn a_revision_with_many_changes_is_freed_while_compactions_go_on() {
    let mut lab = Lab::new();
    for i in 0..1000 {
        lab.put(&format!("k{i:04}"), "");
    }
    lab.delete("k", "l");
    let deleted = lab.state.revision();
    lab.put("after", "");
    for round in 0..30 {
        let newest = lab.put("after", "");
        lab.compact(newest - 1);
        lab.state.collect_garbage(100);
        // Each of its thousand keys has a put before it, and a hundred changes are looked at in a round.
        assert!(round < 25 || lab.state.physical_revision() >= deleted, "round {round}");
    }
}
