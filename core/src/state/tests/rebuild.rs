//! A state built from the versions of another one is the same to whoever reads it.

use super::walk::{all, walked};
use super::*;
use crate::storage::LogPosition;

/// Puts a state together from what another one shows.
pub(super) fn rebuilt(state: &State) -> State {
    let mut walk = state.walk(Scope::Everything).unwrap();
    let mut rebuild = Rebuild::new(walk.facts().compacted);
    for lease in &walk.facts().leases {
        rebuild.lease(lease.id, lease.ttl, lease.remaining_millis).unwrap();
    }
    for version in all(&mut walk, state) {
        rebuild.version(&foreign(&version)).unwrap();
    }
    rebuild.finish().unwrap().found(7)
}

fn foreign(v: &Version) -> Foreign<'_> {
    Foreign {
        key: v.key(),
        value: v.value(),
        create_revision: v.create_revision(),
        mod_revision: v.mod_revision(),
        sub_revision: v.sub_revision(),
        version: v.version(),
        lease: v.lease(),
    }
}

fn assert_same_content(a: &State, b: &State) {
    let same = |state: &State| (state.revision(), state.store.compacted, state.store.size, state.store.live);
    assert_eq!(same(a), same(b));
    for revision in a.compacted().max(1)..=a.revision() {
        let r = RangeRequest { revision, ..everything() };
        assert_eq!(a.range(&r), b.range(&r), "at revision {revision}");
    }
    assert!(a.leases().eq(b.leases()));
    a.leases().for_each(|lease| assert_eq!(a.lease_keys(lease.id), b.lease_keys(lease.id)));
    assert_eq!(walked(a, Scope::Everything), walked(b, Scope::Everything));
}

#[test]
fn a_state_of_anothers_versions_is_the_same_and_goes_on_the_same() {
    for seed in 0..40 {
        let (mut lab, mut dice) = (Lab::new(), Dice::new(seed));
        for step in 0..250 {
            let op = dice.op(&lab.state);
            let _ = lab.op(op);
            if dice.below(4) == 0 {
                lab.state.collect_garbage(2);
            }
            if step % 25 > 0 {
                continue;
            }
            let mut other = rebuilt(&lab.state);
            assert_same_content(&lab.state, &other);
            assert_eq!(other.applied(), LogPosition { index: 1, term: 1 });
            // The same content has the same hash, whatever led to it.
            let again = rebuilt(&other);
            assert_eq!(again.hash(), other.hash());
            // It can be written down, and read, as any state can.
            let cut = other.cut_image();
            let loaded = load(&mut other, cut).unwrap();
            image::assert_same(&loaded, &other);
            for _ in 0..5 {
                let op = Command { op: Some(dice.op(&lab.state)), ..Default::default() }.encode_to_vec();
                let at = |state: &State| LogPosition { index: state.applied().index + 1, term: 1 };
                lab.state.apply(at(&lab.state), &op.clone().into());
                other.apply(at(&other), &op.into());
                other.collect_garbage(3);
                // Ids of leases and sessions come from the place in the log.
                if lab.state.leases().eq(other.leases()) {
                    assert_same_content(&lab.state, &other);
                }
            }
            lab.entries.clear();
        }
    }
}

const FIRST: Foreign<'static> = Foreign {
    key: b"k",
    value: b"v",
    create_revision: 2,
    mod_revision: 2,
    sub_revision: 0,
    version: 1,
    lease: 0,
};

fn refused(compacted: Option<Revision>, versions: &[Foreign<'_>]) -> String {
    let mut rebuild = Rebuild::new(compacted);
    for version in versions {
        if let Err(error) = rebuild.version(version) {
            return error.to_string();
        }
    }
    rebuild.finish().map(|rebuilt| format!("{rebuilt:?}")).unwrap_or_else(|error| error.to_string())
}

#[test]
fn versions_that_cannot_be_are_refused_by_name() {
    let second = Foreign { mod_revision: 3, version: 2, ..FIRST };
    let gone = Foreign { key: b"k", mod_revision: 3, ..Foreign::default() };
    let cases: &[(Option<Revision>, &[Foreign<'_>], &str)] = &[
        (None, &[FIRST, FIRST], "\"k\" at revision 2.0 is out of order"),
        (None, &[Foreign { mod_revision: 1, create_revision: 1, ..FIRST }], "out of order"),
        (None, &[Foreign { mod_revision: -1, ..FIRST }], "out of order"),
        (None, &[Foreign { key: b"", ..FIRST }], "has no key"),
        (None, &[Foreign { version: -1, ..FIRST }], "contradicts itself"),
        (None, &[Foreign { create_revision: 3, ..FIRST }], "contradicts itself"),
        (None, &[Foreign { version: 0, ..FIRST }], "contradicts itself"),
        (None, &[FIRST, Foreign { version: 3, ..second }], "does not follow"),
        (None, &[FIRST, Foreign { create_revision: 3, ..second }], "does not follow"),
        (None, &[Foreign { version: 2, ..FIRST }], "does not follow"),
        (None, &[gone], "does not follow"),
        (None, &[FIRST, gone, Foreign { mod_revision: 4, ..gone }], "does not follow"),
        (
            None,
            &[FIRST, Foreign { mod_revision: 4, ..second }],
            "a change is missing above the compaction at 0",
        ),
        (None, &[FIRST, Foreign { sub_revision: 1, ..second }], "a change is missing"),
        (
            Some(4),
            &[FIRST, Foreign { mod_revision: 6, ..second }],
            "a change is missing above the compaction at 4",
        ),
        (None, &[Foreign { lease: 9, ..FIRST }], "hangs on the lease 9"),
        (None, &[Foreign { mod_revision: i64::MAX, create_revision: i64::MAX, ..FIRST }], "too new"),
        (Some(i64::MAX), &[], "too new"),
    ];
    for (compacted, versions, part) in cases {
        let said = refused(*compacted, versions);
        assert!(said.contains(part), "{versions:?}: {said}");
    }
    let mut rebuild = Rebuild::new(None);
    assert!(rebuild.lease(0, 5, None).is_err() && rebuild.lease(1, 0, None).is_err());
    rebuild.lease(1, 5, None).unwrap();
    assert!(rebuild.lease(1, 5, None).is_err());
}

/// What an unfinished compaction had not taken yet is taken; what an older etcd's took is not missed.
#[test]
fn below_the_compaction_there_may_be_too_much_or_too_little() {
    let second = Foreign { mod_revision: 3, version: 2, ..FIRST };
    let gone = |key, mod_revision| Foreign { key, mod_revision, ..Foreign::default() };
    let other = Foreign { key: b"o", create_revision: 4, mod_revision: 4, ..FIRST };
    let build = |versions: &[Foreign<'_>]| {
        let mut rebuild = Rebuild::new(Some(5));
        versions.iter().for_each(|version| rebuild.version(version).unwrap());
        let mut state = rebuild.finish().unwrap().found(7);
        let cut = state.cut_image();
        load(&mut state, cut).unwrap()
    };
    let much = build(&[FIRST, second, other, gone(b"o", 5)]);
    let less = build(&[second, gone(b"o", 5)]);
    assert_eq!((much.hash(), much.revision()), (less.hash(), 5));
    // The tombstone at the compaction itself is one that etcd before 3.5.16 takes.
    let least = build(&[second]);
    assert_eq!((least.revision(), least.compacted()), (5, 5));
    assert_eq!(show(&least.range(&everything()).unwrap().kvs), "k=v");
    // A later one goes on from there.
    let later = Foreign { key: b"n", create_revision: 6, mod_revision: 6, ..FIRST };
    let mut state = build(&[second, later]);
    state.apply(
        LogPosition { index: 2, term: 1 },
        &Command { op: Some(compact(6)), ..Default::default() }.encode_to_vec().into(),
    );
    while state.collect_garbage(1) {}
    assert_eq!((state.physical_revision(), state.sizes().versions), (6, 2));
}
