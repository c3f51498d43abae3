//! Images: taken under writes, loaded, and not believed.

use super::*;

/// Everything that can be asked of two states, at every revision that is kept.
pub(super) fn assert_same(a: &State, b: &State) {
    assert_eq!((a.applied(), a.hash(), a.revision()), (b.applied(), b.hash(), b.revision()));
    assert_eq!((a.compacted(), a.settings(), a.no_space()), (b.compacted(), b.settings(), b.no_space()));
    let sizes = |state: &State| Sizes { watchers: 0, ..state.sizes() };
    assert_eq!(sizes(a), sizes(b));
    for revision in a.compacted().max(1)..=a.revision() {
        let r = RangeRequest { revision, ..everything() };
        assert_eq!(a.range(&r), b.range(&r), "at revision {revision}");
    }
    assert_eq!((&a.members, &a.attributes), (&b.members, &b.attributes));
    assert!(a.leases().eq(b.leases()));
    for lease in a.leases() {
        assert_eq!(a.lease_keys(lease.id), b.lease_keys(lease.id));
    }
    assert_eq!(format!("{:?}", a.sessions), format!("{:?}", b.sessions));
    for revision in a.compacted().max(2)..=a.revision() {
        let events = |state: &State| -> Vec<Event> {
            let changes = state.store.log.get(revision).unwrap();
            changes.records().iter().map(|record| record.event()).collect()
        };
        assert_eq!(events(a), events(b), "at revision {revision}");
    }
}

#[test]
fn an_image_holds_everything() {
    for seed in 0..30 {
        let (mut lab, mut dice) = (Lab::new(), Dice::new(seed));
        for step in 0..300 {
            let (op, session) = (dice.op(&lab.state), dice.tag(&lab.state));
            lab.command(&Command { origin: None, session, op: Some(op) });
            if dice.below(4) == 0 {
                lab.state.collect_garbage(2);
            }
            if step % 30 == 0 {
                let loaded = lab.reload();
                assert_same(&lab.state, &loaded);
                if dice.below(2) == 0 {
                    lab.state.install(loaded);
                }
            }
        }
        // A member that came from images agrees with one that applied everything.
        let replayed = lab.replay();
        assert_same(&lab.state, &replayed);
    }
}

#[test]
fn an_image_is_of_the_moment_it_was_begun() {
    for seed in 0..5 {
        let (mut lab, mut dice) = (Lab::new(), Dice::new(seed));
        lab.op(grant(1, 60)).unwrap();
        for i in 0..2000 {
            lab.put_lease(&format!("{:04}", dice.below(1500)), &"x".repeat(200), i % 2);
        }
        lab.compact(1500);
        lab.state.collect_garbage(700);
        let then = lab.replay();
        let mut cut = lab.state.cut_image();
        let meta = ImageMeta { position: cut.position(), hash: cut.hash(), ..Default::default() };
        let mut loader = ImageLoader::new(7);
        let mut chunks = 0;
        while let Some(chunk) = cut.next_chunk(&lab.state) {
            assert!(!chunk.is_empty() && chunk.len() <= 128 << 10);
            loader.feed(&chunk).unwrap();
            chunks += 1;
            for _ in 0..200 {
                lab.put(&format!("{:04}", dice.below(3000)), "new");
            }
            lab.delete(&format!("{:04}", dice.below(1500)), &format!("{:04}", dice.below(1500)));
            lab.op(Op::LeaseRevoke(LeaseRevokeRequest { id: 1 })).ok();
            let newest = lab.state.revision();
            lab.compact(newest - 1);
            lab.state.collect_garbage(usize::MAX);
        }
        assert!(cut.complete() && chunks > 2, "{chunks}");
        lab.state.release_cut(cut);
        assert_same(&loader.finish(&meta).unwrap(), &then);
        lab.collect();
        assert_eq!(lab.state.physical_revision(), lab.state.compacted());
    }
}

#[test]
fn large_values_and_many_new_keys_are_no_trouble() {
    let mut lab = Lab::new();
    lab.put("a", &"x".repeat(3 << 20));
    let then = lab.replay();
    let cut = lab.state.cut_image();
    for i in 0..25_000 {
        lab.put(&format!("{i:05}"), "");
    }
    let loaded = load(&mut lab.state, cut).unwrap();
    assert_same(&loaded, &then);
}

#[test]
fn a_cut_ends_when_the_state_is_replaced() {
    let mut lab = Lab::new();
    lab.put("a", &"x".repeat(1 << 20));
    let mut cut = lab.state.cut_image();
    assert!(cut.next_chunk(&lab.state).is_some());
    let loaded = lab.reload();
    lab.state.install(loaded);
    assert!(cut.next_chunk(&lab.state).is_none() && !cut.complete());
    lab.put("a", "");
    lab.compact(3);
    lab.collect();
    assert_eq!(lab.state.physical_revision(), 3, "the old cut pins nothing");
    lab.state.release_cut(cut);
}

fn chunks(lab: &mut Lab) -> (ImageMeta, Vec<u8>) {
    let mut cut = lab.state.cut_image();
    let meta = ImageMeta { position: cut.position(), hash: cut.hash(), ..Default::default() };
    let mut all = Vec::new();
    while let Some(chunk) = cut.next_chunk(&lab.state) {
        all.extend_from_slice(&chunk);
    }
    (meta, all)
}

fn try_load(meta: &ImageMeta, bytes: &[u8], chunk: usize) -> Result<State> {
    let mut loader = ImageLoader::new(7);
    for chunk in bytes.chunks(chunk) {
        loader.feed(chunk)?;
    }
    loader.finish(meta)
}

fn some_state() -> Lab {
    let (mut lab, mut dice) = (Lab::new(), Dice::new(3));
    for _ in 0..60 {
        let (op, session) = (dice.op(&lab.state), dice.tag(&lab.state));
        lab.command(&Command { origin: None, session, op: Some(op) });
    }
    lab
}

#[test]
fn any_damage_is_found() {
    let mut lab = some_state();
    let (meta, good) = chunks(&mut lab);
    for chunk in [1, 7, 1000, good.len()] {
        assert_same(&try_load(&meta, &good, chunk).unwrap(), &lab.state);
    }
    for at in 0..good.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            assert!(try_load(&meta, &bad, 64).is_err(), "byte {at} ^ {flip}");
        }
        assert!(try_load(&meta, &good[..at], 64).is_err(), "cut at {at}");
    }
    let twice = [&good[..], &good].concat();
    assert!(try_load(&meta, &twice, 64).is_err());
    let other = ImageMeta { hash: [1; 32], ..meta.clone() };
    assert!(try_load(&other, &good, 64).is_err());
    let other = ImageMeta { position: LogPosition { index: 1, term: 1 }, ..meta };
    assert!(try_load(&other, &good, 64).is_err());
    assert!(ImageLoader::new(8).feed(&good).is_err(), "of another cluster");
}

#[test]
fn an_empty_state_has_an_image_too() {
    let mut lab = Lab::new();
    assert_same(&lab.reload(), &lab.state);
    assert!(ImageLoader::new(7).finish(&ImageMeta::default()).is_err(), "nothing is no image");
}
