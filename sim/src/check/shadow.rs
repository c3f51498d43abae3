//! What each disk has for sure, and that nobody is told more. It is seen from the disk's side: what was handed
//! to the storage, and whether the disk kept anything of the log back when the storage said that it was done.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use kvorum_core::ids::{Index, NodeId, Term};
use kvorum_core::storage::{Batch, EntryKind, HardState, LogEntry, LogPosition, Recovered};
use kvorum_core::transport::{Body, Envelope};

use crate::violation::{Checker, Violation};

/// Raft's number of a vote, and of the answer to entries, as they travel.
const VOTE: i32 = 6;
const APPENDED: i32 = 4;

/// One disk's log, as far as it is durable.
#[derive(Debug, Default)]
pub(crate) struct Shadow {
    base: LogPosition,
    entries: VecDeque<(Term, EntryKind, Bytes)>,
    hard_state: HardState,
    /// What was written when the process ended: whether it survived is not known.
    unsure_from: Option<Index>,
    /// Somebody did to the disk what disks do not do by themselves: what it has forgotten is not its fault.
    is_tampered: bool,
    /// What was on it before that was done. What it vouched for then may be on its way still, and count.
    taken_away: Option<Box<Shadow>>,
}

impl Shadow {
    pub(crate) fn last(&self) -> Index {
        self.base.index + self.entries.len() as u64
    }

    /// The entry behind which the log begins.
    pub(crate) fn base_index(&self) -> Index {
        self.base.index
    }

    fn at(&self, index: Index) -> Option<&(Term, EntryKind, Bytes)> {
        let at = index.checked_sub(self.base.index + 1)?;
        self.entries.get(usize::try_from(at).ok()?)
    }

    pub(crate) fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.at(index).map(|(term, ..)| *term)
    }

    /// An entry that is durable here.
    pub(crate) fn entry(&self, index: Index) -> Option<LogEntry> {
        let (term, kind, data) = self.at(index)?;
        Some(LogEntry { index, term: *term, kind: *kind, data: data.clone() })
    }

    fn write(&mut self, batch: &Batch) {
        if let Some(base) = batch.reset {
            self.entries.clear();
            self.base = base;
        }
        for entry in &batch.entries {
            let keep = entry.index.saturating_sub(self.base.index + 1) as usize;
            self.entries.truncate(keep);
            self.entries.push_back((entry.term, entry.kind, entry.data.clone()));
        }
        if let Some(hard_state) = batch.hard_state {
            self.hard_state = hard_state;
        }
    }
}

/// All disks.
#[derive(Debug, Default)]
pub(crate) struct Shadows {
    all: BTreeMap<NodeId, Shadow>,
    /// What every disk was given for its log, by the byte, since its beginning; a little more, at most.
    given: BTreeMap<NodeId, usize>,
    commit: Index,
}

impl Shadows {
    pub(crate) fn of(&self, node: NodeId) -> Option<&Shadow> {
        self.all.get(&node)
    }

    /// An entry, of those that disks have there the one of the newest term.
    pub(crate) fn newest_entry(&self, index: Index) -> Option<LogEntry> {
        self.all.values().filter_map(|shadow| shadow.entry(index)).max_by_key(|entry| entry.term)
    }

    /// The terms that disks have an entry of, where they have it.
    pub(crate) fn terms_at(&self, index: Index) -> impl Iterator<Item = Term> + '_ {
        self.all.values().filter_map(move |shadow| shadow.term_at(index))
    }

    /// A disk lost what it had: what is found on it is no surprise.
    pub(crate) fn tampered(&mut self, node: NodeId) {
        self.all.entry(node).or_default().is_tampered = true;
    }

    /// How many bytes of log a disk was ever given.
    pub(crate) fn given(&self, node: NodeId) -> usize {
        self.given.get(&node).copied().unwrap_or(0)
    }

    /// These were written, and the storage said that they are durable.
    pub(crate) fn written<'a>(&mut self, node: NodeId, batches: impl Iterator<Item = &'a Batch>) {
        let shadow = self.all.entry(node).or_default();
        let given = self.given.entry(node).or_default();
        for batch in batches {
            *given += bytes_of(batch);
            shadow.write(batch);
        }
    }

    /// These were being written when the process ended.
    pub(crate) fn torn<'a>(&mut self, node: NodeId, batches: impl Iterator<Item = &'a Batch>) {
        let shadow = self.all.entry(node).or_default();
        let given = self.given.entry(node).or_default();
        for batch in batches {
            *given += bytes_of(batch);
            let first = batch.reset.map(|_| 1).or(batch.entries.first().map(|entry| entry.index));
            shadow.unsure_from = shadow.unsure_from.into_iter().chain(first).min();
        }
    }

    /// A process starts on what it finds. `image`: how far its newest image reaches.
    pub(crate) fn recovered(
        &mut self,
        node: NodeId,
        found: &Recovered,
        image: LogPosition,
    ) -> Result<(), Violation> {
        let before = self.all.remove(&node).unwrap_or_default();
        let given = self.given.entry(node).or_default();
        *given = (*given).max(found.log_bytes as usize);
        // The log goes on from the image, unless the image is of something that the log has, too.
        let base =
            if found.entries.is_empty() && image.index > found.base.index { image } else { found.base };
        let content = |entry: &LogEntry| (entry.term, entry.kind, entry.data.clone());
        let entries = found.entries.iter().map(content).collect();
        let mut now = Shadow { base, entries, hard_state: found.hard_state, ..Shadow::default() };
        if image.index > now.last() {
            now.entries.clear();
            now.base = image;
        }
        let result = if before.is_tampered {
            now.taken_away = Some(Box::new(Shadow { taken_away: None, ..before }));
            Ok(())
        } else {
            forgotten(&before, &now)
        };
        self.all.insert(node, now);
        result
    }

    /// A message leaves a node: what it vouches for is durable there.
    pub(crate) fn sent(&self, envelope: &Envelope) -> Result<(), Violation> {
        let Some(Body::Raft(message)) = &envelope.body else { return Ok(()) };
        if message.reject || !matches!(message.kind, VOTE | APPENDED) {
            return Ok(());
        }
        let nothing = Shadow::default();
        let shadow = self.all.get(&envelope.from).unwrap_or(&nothing);
        // An acknowledgement in an earlier term than the disk's may be of entries that a newer leader has
        // replaced since, even before they were written: when both leaders' packets come at once. It cannot
        // help to commit them: whoever elected the newer leader either does not have them and will not take
        // them any more, or has seen to it that the newer leader has them, too.
        let is_old = message.term < shadow.hard_state.term;
        if message.kind == APPENDED && !is_old && message.index > shadow.last() {
            let (index, last) = (message.index, shadow.last());
            return Err(broken("D2", format!("it acknowledged entry {index}, and its disk has {last}")));
        }
        let (term, vote) = (shadow.hard_state.term, shadow.hard_state.vote);
        if message.kind == VOTE && (term < message.term || (term == message.term && vote != envelope.to)) {
            let (to, of) = (envelope.to, message.term);
            let seen = format!("it voted for {to} in term {of}, and its disk says {vote} in term {term}");
            return Err(broken("D2", seen));
        }
        Ok(())
    }

    /// A node takes entries up to here for committed: a majority of disks has the last one.
    pub(crate) fn committed(&mut self, commit: Index, majority: usize) -> Result<(), Violation> {
        if commit <= self.commit {
            return Ok(());
        }
        self.commit = commit;
        let mut terms: BTreeMap<Term, usize> = BTreeMap::new();
        let mut images = 0;
        for shadow in self.all.values() {
            let before = || shadow.taken_away.as_ref().and_then(|before| before.term_at(commit));
            match shadow.term_at(commit).or_else(before) {
                Some(term) => *terms.entry(term).or_default() += 1,
                None => images += usize::from(shadow.base.index > commit),
            }
        }
        let most = terms.values().max().copied().unwrap_or(0) + images;
        if most < majority {
            let seen = format!("entry {commit} counts as committed, and is durable on {most} of the disks");
            return Err(broken("D2", seen));
        }
        Ok(())
    }
}

/// What an entry takes in a log, at most.
pub(super) fn in_log(data: usize) -> usize {
    (data + 64).next_multiple_of(512)
}

fn bytes_of(batch: &Batch) -> usize {
    in_log(0) + batch.entries.iter().map(|entry| in_log(entry.data.len())).sum::<usize>()
}

fn forgotten(before: &Shadow, now: &Shadow) -> Result<(), Violation> {
    let (was, is) = (before.hard_state, now.hard_state);
    let another_vote = was.term == is.term && was.vote != 0 && was.vote != is.vote;
    if is.term < was.term || another_vote {
        return Err(broken("D4", format!("after its restart it knows {is:?}, before it was {was:?}")));
    }
    let sure = before.unsure_from.map_or(before.last(), |from| before.last().min(from.saturating_sub(1)));
    if now.last() < sure {
        let last = now.last();
        return Err(broken(
            "D1",
            format!("after its restart its log ends at {last}, and had reached {sure}"),
        ));
    }
    let first = before.base.index.max(now.base.index) + 1;
    for index in first..=sure {
        if before.at(index) != now.at(index) {
            return Err(broken("D1", format!("after its restart entry {index} is another one")));
        }
    }
    Ok(())
}

fn broken(rule: &str, seen: String) -> Violation {
    let promise = match rule {
        "D1" => "D1: what was synced is there after a crash",
        "D4" => "D4: term and vote are never forgotten",
        _ => "D2: nothing is vouched for before it is durable",
    };
    Violation::new(Checker::Durability, promise, seen)
}
