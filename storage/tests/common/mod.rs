//! A script of writes, a model of what they lead to, and the judge between the two.
#![allow(dead_code, unreachable_pub)]

use kvorum_core::Result;
use kvorum_core::storage::*;
use kvorum_storage::faulty::{FaultyDisk, Random};
use kvorum_storage::{FileStorage, Options};

pub const TINY: Options = Options { segment_bytes: 2048, image_sync_bytes: 600 };

/// One call.
#[derive(Clone, Debug)]
pub enum Step {
    Identity(Identity),
    Append(Vec<Batch>),
    Image(LogPosition),
    DropHead(u64),
}

/// What was acknowledged, and what may have happened besides.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub sure: State,
    pub maybe: Option<State>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub identity: Option<Identity>,
    pub hard_state: HardState,
    pub base: LogPosition,
    pub entries: Vec<LogEntry>,
    pub image: u64,
    /// What the storage was allowed to forget.
    pub dropped: u64,
}

impl State {
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Identity(identity) => self.identity = Some(*identity),
            Step::Append(batches) => batches.iter().for_each(|b| self.batch(b)),
            Step::Image(at) => self.image = self.image.max(at.index),
            Step::DropHead(index) => self.dropped = self.dropped.max(*index),
        }
    }

    fn batch(&mut self, batch: &Batch) {
        if let Some(base) = batch.reset {
            self.entries.clear();
            self.base = base;
        }
        if let Some(first) = batch.entries.first() {
            self.entries.truncate((first.index - self.base.index - 1) as usize);
            self.entries.extend_from_slice(&batch.entries);
        }
        self.hard_state = batch.hard_state.unwrap_or(self.hard_state);
    }

    /// Whether this is what a storage that holds the state may give back.
    fn explains(&self, found: &Recovered, image: u64) -> bool {
        let skip = found.base.index.saturating_sub(self.base.index) as usize;
        found.base.index >= self.base.index
            && found.base.index <= self.dropped.max(self.base.index)
            && skip <= self.entries.len()
            && found.entries == self.entries[skip..]
            && (skip == 0 || self.entries[skip - 1].term == found.base.term)
            && found.hard_state == self.hard_state
            && found.identity == self.identity
            && image == self.image
    }
}

impl Model {
    pub fn adopt((found, image): (Recovered, u64), before: &Model) -> Model {
        let sure = State {
            identity: found.identity,
            hard_state: found.hard_state,
            base: found.base,
            entries: found.entries,
            image,
            dropped: before.maybe.as_ref().map_or(before.sure.dropped, |m| m.dropped),
        };
        Model { sure, maybe: None }
    }

    pub fn next_index(&self) -> u64 {
        self.sure.base.index + self.sure.entries.len() as u64 + 1
    }

    fn begin(&mut self, step: &Step) {
        let mut state = self.sure.clone();
        state.apply(step);
        self.maybe = Some(state);
    }

    fn done(&mut self) {
        self.sure = self.maybe.take().expect("a step was begun");
    }
}

pub fn mount(disk: &FaultyDisk) -> Result<FileStorage> {
    FileStorage::with_disk(disk.mount(), TINY)
}

pub fn entry(index: u64, term: u64, size: usize) -> LogEntry {
    let data = vec![(index * 7 + term) as u8; size].into();
    let kind = if index.is_multiple_of(5) { EntryKind::Membership } else { EntryKind::Command };
    LogEntry { index, term, kind, data }
}

pub fn meta(index: u64) -> ImageMeta {
    meta_at(LogPosition { index, term: 1 })
}

pub fn meta_at(position: LogPosition) -> ImageMeta {
    let index = position.index;
    ImageMeta { position, voters: vec![1, 2], learners: vec![3], hash: [index as u8; 32] }
}

pub fn chunks(index: u64) -> Vec<Vec<u8>> {
    (0..3).map(|i| vec![(index + i) as u8; 300 + i as usize * 50]).collect()
}

/// Appends of all sorts, overwrites, images and drops, from entry `from` on.
pub fn script(seed: u64, from: u64) -> Vec<Step> {
    let mut random = Random::new(seed);
    let identity = Identity { cluster: 1, node: 2, directory: 3, incarnation: seed };
    let mut steps = vec![Step::Identity(identity)];
    let (mut next, mut term, mut committed, mut last_term) = (from, 1 + seed, from - 1, 0);
    for round in 0..14 {
        let mut batches = Vec::new();
        for _ in 0..=random.below(3) {
            let stepped_back = random.below(5) == 0 && next > committed + 1;
            if stepped_back {
                term += 1;
                next -= random.below((next - committed - 1).min(4) + 1);
            }
            let count = random.below(4).max(u64::from(stepped_back));
            let size = [0, 10, 500, 1500][random.below(4) as usize];
            let entries = (next..next + count).map(|i| entry(i, term, size)).collect();
            next += count;
            last_term = if count > 0 { term } else { last_term };
            let hard_state = random.coin().then_some(HardState { term, vote: round, commit: committed });
            batches.push(Batch { entries, hard_state, ..Batch::default() });
        }
        steps.push(Step::Append(batches));
        if round % 4 == 3 && next - 1 > committed {
            committed = next - 1;
            steps.push(Step::Image(LogPosition { index: committed, term: last_term }));
            steps.push(Step::DropHead(committed));
        }
    }
    steps
}

/// Takes the steps until one fails.
pub fn run(disk: &FaultyDisk, steps: &[Step], model: &mut Model) -> Result<()> {
    let mut storage = mount(disk)?;
    storage.recover()?;
    for step in steps {
        model.begin(step);
        let done = take(&mut storage, step);
        if let Err(e) = done {
            assert!(storage.append(&[]).is_err(), "after {e} every write is refused");
            return Err(e);
        }
        model.done();
    }
    Ok(())
}

fn take(storage: &mut FileStorage, step: &Step) -> Result<()> {
    match step {
        Step::Identity(identity) => storage.set_identity(identity),
        Step::Append(batches) => storage.append(batches).map(|_| ()),
        Step::DropHead(index) => storage.drop_head(*index),
        Step::Image(at) => {
            let mut sink = storage.create_image(&meta_at(*at))?;
            chunks(at.index).iter().try_for_each(|chunk| sink.write(chunk))?;
            sink.finish()
        }
    }
}

/// The newest image's index; its content is checked.
pub fn image_of(storage: &mut FileStorage) -> Result<u64> {
    let Some(mut image) = storage.open_image()? else { return Ok(0) };
    let position = image.meta().position;
    let index = position.index;
    assert_eq!(image.meta(), &meta_at(position), "the image says of what it is");
    for chunk in chunks(index) {
        assert_eq!(image.next_chunk()?.as_deref(), Some(&chunk[..]), "the image's chunks are as written");
    }
    assert_eq!(image.next_chunk()?, None, "the image ends where it ended");
    Ok(index)
}

/// Recovers, and holds what is found against the model.
pub fn check(disk: &FaultyDisk, model: &Model) -> (Recovered, u64) {
    let mut storage = mount(disk).expect("the directory can be taken after a crash");
    let found = storage.recover().unwrap_or_else(|e| panic!("recovery after an honest crash: {e}"));
    let image = image_of(&mut storage).unwrap_or_else(|e| panic!("the image after an honest crash: {e}"));
    let sure = model.sure.explains(&found, image);
    let maybe = model.maybe.as_ref().is_some_and(|m| m.explains(&found, image));
    assert!(sure || maybe, "found {found:#?}, image {image}, which nothing explains: {model:#?}");
    assert!(!disk.files().keys().any(|n| n.ends_with(".tmp")), "nothing unfinished is left");
    (found, image)
}
