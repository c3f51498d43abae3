//! The rules of [`kvorum_core::storage::Storage`], as checks that any implementation can be run against.
//!
//! Give the suite something that makes a fresh, empty place, and opens a storage on it as often as it is
//! asked to; each time, the storage opened before has been dropped, as when a process ends.
//!
//! ```
//! use kvorum_storage::{MemoryStorage, conformance};
//!
//! conformance::suite(|| {
//!     let place = MemoryStorage::new();
//!     Box::new(move || place.clone())
//! });
//! ```
//!
//! A rule that is broken is a panic with a sentence that names it. To see the checks one by one, walk
//! through [`CHECKS`]. What happens when power fails or a disk errs cannot be checked from outside; a
//! storage that lies on files of its own should be tested for that too.

use bytes::Bytes;
use kvorum_core::storage::{
    Batch, EntryKind, HardState, Identity, ImageMeta, LogEntry, LogPosition, Recovered, Storage,
};

/// Opens a storage on the same place again and again.
pub trait Reopen {
    /// Opens it. The one opened before has been dropped.
    fn open(&mut self) -> Box<dyn Storage>;
}

impl<S: Storage + 'static, F: FnMut() -> S> Reopen for F {
    fn open(&mut self) -> Box<dyn Storage> {
        Box::new(self())
    }
}

/// A check: the rule in words, and what finds out.
pub type Check = (&'static str, fn(&mut dyn Reopen));

/// Runs every check, each on a fresh place.
///
/// # Panics
///
/// If a rule is broken, naming it.
pub fn suite<'a>(mut fresh: impl FnMut() -> Box<dyn Reopen + 'a>) {
    for (_, check) in CHECKS {
        check(&mut *fresh());
    }
}

/// All checks.
pub const CHECKS: &[Check] = &[
    ("a fresh storage is empty", fresh_is_empty),
    ("an identity survives, the last one written", identity_survives),
    ("entries survive with index, term, kind and data", entries_survive),
    ("batches of one append survive in their order", batches_keep_their_order),
    ("an entry that exists already is replaced, and all behind it", overwriting_replaces_the_tail),
    ("a tail that was replaced does not come back", a_replaced_tail_stays_away),
    ("the last hard state survives, however often it was written", hard_state_survives),
    ("a reset forgets every entry and moves the base", reset_moves_the_base),
    ("entries go on after a reset", entries_go_on_after_a_reset),
    ("an empty append changes nothing", empty_append_changes_nothing),
    ("entries may be empty, large and many", sizes),
    ("an image survives, chunk by chunk", image_survives),
    ("an image that was not finished never was", unfinished_image_never_was),
    ("the newest image is opened", newest_image_is_opened),
    ("the log can be written while an image is", log_goes_on_beside_an_image),
    ("an image that is being read is not disturbed by a newer one", reader_is_not_disturbed),
    ("dropping the head keeps all that is behind it", drop_head_keeps_the_rest),
    ("dropping the head keeps the entry at the image", drop_head_keeps_the_entry_at_the_image),
    ("everything survives being opened many times", many_restarts),
];

/// An entry for tests.
pub fn entry(index: u64, term: u64, data: impl Into<Bytes>) -> LogEntry {
    LogEntry { index, term, kind: EntryKind::Command, data: data.into() }
}

/// A batch of nothing but entries.
pub fn entries(entries: impl IntoIterator<Item = LogEntry>) -> Batch {
    Batch { entries: entries.into_iter().collect(), ..Batch::default() }
}

fn numbered(range: std::ops::RangeInclusive<u64>, term: u64) -> Batch {
    entries(range.map(|i| entry(i, term, format!("entry {i} of term {term}"))))
}

fn open(place: &mut dyn Reopen) -> (Box<dyn Storage>, Recovered) {
    let mut storage = place.open();
    let recovered = storage.recover().expect("recovering a storage that nothing happened to succeeds");
    (storage, recovered)
}

fn append(storage: &mut dyn Storage, batches: &[Batch]) {
    storage.append(batches).expect("an append to a healthy storage succeeds");
}

fn recovered(place: &mut dyn Reopen) -> Recovered {
    open(place).1
}

fn expect_log(place: &mut dyn Reopen, expected: &Batch, rule: &str) {
    assert_eq!(recovered(place).entries, expected.entries, "broken: {rule}");
}

fn fresh_is_empty(place: &mut dyn Reopen) {
    let (mut storage, found) = open(place);
    assert_eq!(found, Recovered::default(), "broken: a storage that was never used recovers to nothing");
    let image = storage.open_image().expect("looking for an image succeeds");
    assert!(image.is_none(), "broken: a storage that was never used has no image");
    drop(storage);
    assert_eq!(recovered(place), Recovered::default(), "broken: opening a storage does not write to its log");
}

fn identity_survives(place: &mut dyn Reopen) {
    let mut identity = Identity { cluster: 7, node: 3, directory: 99, incarnation: 1 };
    for incarnation in 1..=3 {
        let (mut storage, _) = open(place);
        identity.incarnation = incarnation;
        storage.set_identity(&identity).expect("writing an identity succeeds");
        append(&mut *storage, &[numbered(incarnation..=incarnation, 1)]);
        drop(storage);
        let found = recovered(place);
        assert_eq!(found.identity, Some(identity), "broken: the identity written last is recovered");
        assert_eq!(found.entries.len() as u64, incarnation, "broken: a new identity leaves the log alone");
    }
}

fn entries_survive(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    let mut batch = numbered(1..=5, 1);
    batch.entries[2].kind = EntryKind::Membership;
    batch.entries[3].term = 2;
    batch.entries[4].term = 9;
    append(&mut *storage, &[batch.clone()]);
    drop(storage);
    let found = recovered(place);
    assert_eq!(found.entries, batch.entries, "broken: every part of an entry is recovered");
    assert_eq!(found.base, LogPosition::default(), "broken: a log that begins at 1 has the base 0");
}

fn batches_keep_their_order(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    let first = HardState { term: 1, vote: 1, commit: 0 };
    let last = HardState { term: 2, vote: 2, commit: 1 };
    let batches = [
        Batch { hard_state: Some(first), ..numbered(1..=3, 1) },
        Batch { hard_state: Some(last), ..numbered(2..=2, 2) },
        numbered(3..=4, 2),
    ];
    append(&mut *storage, &batches);
    drop(storage);
    let found = recovered(place);
    assert_eq!(found.hard_state, last, "broken: the hard state of the last batch counts");
    let terms: Vec<u64> = found.entries.iter().map(|e| e.term).collect();
    assert_eq!(terms, [1, 2, 2, 2], "broken: batches of one append take effect in their order");
}

fn overwriting_replaces_the_tail(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=10, 1)]);
    append(&mut *storage, &[numbered(4..=5, 2)]);
    drop(storage);
    let mut expected = numbered(1..=3, 1);
    expected.entries.extend(numbered(4..=5, 2).entries);
    expect_log(place, &expected, "an entry whose index exists replaces it and all behind it");
}

fn a_replaced_tail_stays_away(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=10, 1)]);
    append(&mut *storage, &[numbered(1..=1, 2)]);
    drop(storage);
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(2..=2, 3)]);
    drop(storage);
    let mut expected = numbered(1..=1, 2);
    expected.entries.extend(numbered(2..=2, 3).entries);
    expect_log(place, &expected, "a tail that was replaced stays away after a restart");
}

fn hard_state_survives(place: &mut dyn Reopen) {
    let state = |n| HardState { term: n, vote: n % 3, commit: n / 2 };
    let (mut storage, _) = open(place);
    (1..=20).for_each(|n| append(&mut *storage, &[Batch { hard_state: Some(state(n)), ..Batch::default() }]));
    drop(storage);
    assert_eq!(recovered(place).hard_state, state(20), "broken: the hard state written last is recovered");
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=1, 1)]);
    drop(storage);
    let found = recovered(place).hard_state;
    assert_eq!(found, state(20), "broken: a batch without a hard state leaves the one before");
}

fn reset_to(index: u64, term: u64) -> Batch {
    Batch { reset: Some(LogPosition { index, term }), ..Batch::default() }
}

fn reset_moves_the_base(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=10, 1)]);
    append(&mut *storage, &[reset_to(50, 4)]);
    drop(storage);
    let found = recovered(place);
    assert_eq!(
        found.base,
        LogPosition { index: 50, term: 4 },
        "broken: the base after a reset is its position"
    );
    assert!(found.entries.is_empty(), "broken: a reset forgets every entry");
}

fn entries_go_on_after_a_reset(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=10, 1)]);
    append(&mut *storage, &[Batch { entries: numbered(51..=53, 4).entries, ..reset_to(50, 4) }]);
    append(&mut *storage, &[numbered(54..=55, 5)]);
    drop(storage);
    let mut expected = numbered(51..=53, 4);
    expected.entries.extend(numbered(54..=55, 5).entries);
    expect_log(place, &expected, "entries in and after the batch of a reset follow its position");
}

fn empty_append_changes_nothing(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=2, 1)]);
    append(&mut *storage, &[]);
    append(&mut *storage, &[Batch::default(), Batch::default()]);
    drop(storage);
    expect_log(place, &numbered(1..=2, 1), "an append of nothing changes nothing");
}

fn sizes(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    let mut all = entries((1..=600).map(|i| entry(i, 1, vec![i as u8; i as usize])));
    all.entries.push(entry(601, 1, Bytes::new()));
    all.entries.push(entry(602, 1, vec![0; 2 << 20]));
    all.entries.push(entry(603, 1, vec![0; 511]));
    for chunk in all.entries.chunks(7) {
        append(&mut *storage, &[entries(chunk.to_vec())]);
    }
    drop(storage);
    let found = recovered(place);
    assert!(found.entries == all.entries, "broken: entries of every size survive as they were");
}

fn meta(index: u64) -> ImageMeta {
    let position = LogPosition { index, term: 1 };
    ImageMeta { position, voters: vec![1, 2, 3], learners: vec![index], hash: [index as u8; 32] }
}

fn save(storage: &mut dyn Storage, meta: &ImageMeta, chunks: &[Vec<u8>]) {
    let mut sink = storage.create_image(meta).expect("beginning an image succeeds");
    chunks.iter().for_each(|chunk| sink.write(chunk).expect("writing a chunk succeeds"));
    sink.finish().expect("finishing an image succeeds");
}

fn chunks_for(index: u64) -> Vec<Vec<u8>> {
    vec![vec![index as u8; 1], vec![1; 1 << 20], vec![index as u8; 1000]]
}

fn expect_image(storage: &mut dyn Storage, index: u64, rule: &str) {
    let source = storage.open_image().expect("opening a good image succeeds");
    let mut source = source.unwrap_or_else(|| panic!("broken: {rule}: there is no image"));
    assert_eq!(source.meta(), &meta(index), "broken: {rule}: what it is of");
    let expected = chunks_for(index);
    let size: usize = expected.iter().map(Vec::len).sum();
    assert_eq!(source.size(), size as u64, "broken: {rule}: its size is the bytes of its chunks");
    for chunk in expected {
        let found = source.next_chunk().expect("reading a good image succeeds");
        assert!(
            found.as_deref() == Some(&chunk[..]),
            "broken: {rule}: chunks come back as they were written"
        );
    }
    let end = source.next_chunk().expect("reading behind the last chunk succeeds");
    assert!(end.is_none(), "broken: {rule}: behind the last chunk there is none");
}

fn image_survives(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=10, 1)]);
    save(&mut *storage, &meta(5), &chunks_for(5));
    expect_image(&mut *storage, 5, "an image can be read at once");
    expect_image(&mut *storage, 5, "an image can be read twice");
    drop(storage);
    let (mut storage, found) = open(place);
    expect_image(&mut *storage, 5, "an image survives");
    assert_eq!(found.entries.last(), numbered(10..=10, 1).entries.last(), "broken: an image leaves the log");
}

fn unfinished_image_never_was(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=10, 1)]);
    let mut sink = storage.create_image(&meta(5)).expect("beginning an image succeeds");
    sink.write(&[1; 100]).expect("writing a chunk succeeds");
    let image = storage.open_image().expect("looking for an image succeeds");
    assert!(image.is_none(), "broken: an image is invisible until it is finished");
    drop(sink);
    let image = storage.open_image().expect("looking for an image succeeds");
    assert!(image.is_none(), "broken: an image that was dropped never was");
    drop(storage);
    let (mut storage, _) = open(place);
    let image = storage.open_image().expect("looking for an image succeeds");
    assert!(image.is_none(), "broken: an image that was dropped does not come back");
    save(&mut *storage, &meta(5), &chunks_for(5));
    expect_image(&mut *storage, 5, "an image can be begun again");
}

fn newest_image_is_opened(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=10, 1)]);
    for index in [2, 4, 6, 8] {
        save(&mut *storage, &meta(index), &chunks_for(index));
        expect_image(&mut *storage, index, "the newest image is opened");
    }
    drop(storage);
    let (mut storage, _) = open(place);
    expect_image(&mut *storage, 8, "the newest image is opened after a restart");
}

fn log_goes_on_beside_an_image(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=10, 1)]);
    let mut sink = storage.create_image(&meta(5)).expect("beginning an image succeeds");
    let writer = std::thread::spawn(move || {
        chunks_for(5).iter().for_each(|chunk| sink.write(chunk).expect("writing a chunk succeeds"));
        sink.finish().expect("finishing an image succeeds");
    });
    (11..=40).for_each(|i| append(&mut *storage, &[numbered(i..=i, 1)]));
    writer.join().expect("an image may be written on another thread");
    expect_image(&mut *storage, 5, "an image may be written beside the log");
    drop(storage);
    expect_log(place, &numbered(1..=40, 1), "the log may be written beside an image");
}

fn reader_is_not_disturbed(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=10, 1)]);
    save(&mut *storage, &meta(1), &chunks_for(1));
    let mut source =
        storage.open_image().expect("opening an image succeeds").expect("an image that was saved");
    for index in [3, 5, 7] {
        save(&mut *storage, &meta(index), &chunks_for(index));
    }
    for chunk in chunks_for(1) {
        let found = source.next_chunk().expect("an image that is being read stays readable");
        assert!(found.as_deref() == Some(&chunk[..]), "broken: a reader sees the image that it opened");
    }
}

/// The log may begin earlier than it must; from the base on it is without a gap.
fn expect_tail(found: &Recovered, from: u64, through: u64) {
    let base = found.base.index;
    assert!(base < from, "broken: entry {from} is still needed, but the log begins behind {base}");
    let all = numbered(base + 1..=through, 1).entries;
    assert!(found.entries == all, "broken: what is left of the log is as it was, without a gap");
    let term = u64::from(base > 0);
    assert_eq!(found.base.term, term, "broken: the base has the term of the entry that was there");
}

fn drop_head_keeps_the_rest(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    append(&mut *storage, &[numbered(1..=200, 1)]);
    save(&mut *storage, &meta(100), &chunks_for(100));
    storage.drop_head(80).expect("dropping the head succeeds");
    storage.drop_head(10).expect("dropping less than before succeeds");
    append(&mut *storage, &[numbered(201..=210, 1)]);
    drop(storage);
    let (storage, found) = open(place);
    expect_tail(&found, 81, 210);
    drop(storage);
}

fn drop_head_keeps_the_entry_at_the_image(place: &mut dyn Reopen) {
    let (mut storage, _) = open(place);
    (1..=100).for_each(|i| append(&mut *storage, &[numbered(i..=i, 1)]));
    save(&mut *storage, &meta(50), &chunks_for(50));
    storage.drop_head(100).expect("dropping the head succeeds");
    drop(storage);
    let (mut storage, found) = open(place);
    expect_tail(&found, 50, 100);
    expect_image(&mut *storage, 50, "an image stays when the head is dropped");
    append(&mut *storage, &[numbered(90..=95, 1)]);
    drop(storage);
    expect_tail(&recovered(place), 50, 95);
}

fn many_restarts(place: &mut dyn Reopen) {
    for i in 1..=30 {
        let (mut storage, found) = open(place);
        assert_eq!(found.entries.len() as u64, i - 1, "broken: a restart loses and adds nothing");
        append(&mut *storage, &[numbered(i..=i, 1)]);
    }
    drop(open(place));
    drop(open(place));
    expect_log(place, &numbered(1..=30, 1), "restarts without writing change nothing");
}
