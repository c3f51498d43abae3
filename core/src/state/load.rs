//! Images: a state from a stream of chunks. Nothing in it is believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

use super::State;
use super::compact::Sweep;
use super::frame::{self, FORMAT, Frame, Head, LONGEST, Piece};
use super::key::Key;
use super::log::{Amount, Log};
use super::record::{History, Place, Record};
use super::session::Session;
use super::store::{FIRST_REVISION, NEVER_COMPACTED};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ClusterId, Revision, SessionId};
use crate::storage::{ImageMeta, LogPosition};

/// An image being read: [`feed`](ImageLoader::feed) it every chunk in order, then
/// [`finish`](ImageLoader::finish). See [`super::ImageCut`] for an example.
pub struct ImageLoader {
    /// What was loaded so far, without the keys.
    state: State,
    head: Option<Head>,
    /// Bytes of a frame that is not whole yet.
    rest: BytesMut,
    /// How many bytes were read.
    offset: u64,
    digest: blake3::Hasher,
    /// The piece that came last, as a number: pieces come in order.
    stage: u8,
    session: Option<(SessionId, Session)>,
    keys: Vec<(Key, History)>,
    /// Every version that the log of revisions holds, with the one before it.
    changes: Vec<(Arc<Record>, Option<Arc<Record>>)>,
    failed: Option<Error>,
}

/// The stage that nothing follows.
const LAST: u8 = 7;

/// Why an image is refused.
pub(super) type Reason = &'static str;

/// What comes of a check.
pub(super) type Checked<T = ()> = std::result::Result<T, Reason>;

impl ImageLoader {
    /// For an image of this cluster.
    pub fn new(cluster: ClusterId) -> ImageLoader {
        ImageLoader {
            state: State::new(cluster),
            head: None,
            rest: BytesMut::new(),
            offset: 0,
            digest: blake3::Hasher::new(),
            stage: 0,
            session: None,
            keys: Vec::new(),
            changes: Vec::new(),
            failed: None,
        }
    }

    /// Takes the next chunk, of whatever length.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`], [`ErrorKind::Version`], [`ErrorKind::WrongCluster`]; the loader is then of
    /// no more use.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.rest.extend_from_slice(chunk);
        let fed = self.read_frames();
        self.failed = fed.clone().err();
        fed
    }

    /// The state, if the image is whole and is the one that `meta` speaks of.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`], or what [`ImageLoader::feed`] said before.
    pub fn finish(mut self, meta: &ImageMeta) -> Result<State> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let offset = self.offset;
        self.conclude(meta).map_err(|reason| corrupt(offset, reason))?;
        Ok(self.state)
    }

    /// Reads every frame that is whole.
    fn read_frames(&mut self) -> Result<()> {
        let first = delimiter(&self.rest).map_err(|reason| corrupt(self.offset, reason))?;
        let missing = first.map_or(1, |(head, length)| (head + length).saturating_sub(self.rest.len()));
        if missing > 0 && !planted!("long_frame_moved_for_each_chunk") {
            // A value of many megabytes: what has come of it is not moved for each chunk.
            self.rest.reserve(missing);
            return Ok(());
        }
        let all = self.rest.split().freeze();
        // How much has been read, and how much of that is in the digest (which works best on large pieces).
        let (mut read, mut digested) = (0, 0);
        while let Some((head, length)) =
            delimiter(&all[read..]).map_err(|reason| corrupt(self.offset, reason))?
        {
            let (start, end) = (read + head, read + head + length);
            if end > all.len() {
                break;
            }
            let frame = Frame::decode(all.slice(start..end)).map_err(|_| corrupt(self.offset, "no frame"))?;
            if matches!(frame.piece, Some(Piece::End(_))) {
                self.digest.update(&all[digested..read]);
                digested = end;
            }
            self.take(frame)?;
            self.offset += (end - read) as u64;
            read = end;
        }
        self.digest.update(&all[digested..read]);
        self.rest = BytesMut::from(&all[read..]);
        Ok(())
    }

    /// Takes one frame.
    fn take(&mut self, frame: Frame) -> Result<()> {
        let Some(piece) = frame.piece else { return Ok(()) };
        let stage = match &piece {
            Piece::Head(_) => 1,
            Piece::Member(_) => 2,
            Piece::Attributes(_) => 3,
            Piece::Lease(_) => 4,
            Piece::Session(_) | Piece::Answer(_) => 5,
            Piece::Version(_) => 6,
            Piece::End(_) => LAST,
        };
        let once = stage == 1 || stage == LAST;
        if stage < self.stage || once && stage == self.stage || stage > 1 && self.head.is_none() {
            return Err(corrupt(self.offset, "a piece is out of order"));
        }
        self.stage = stage;
        let taken = match piece {
            Piece::Head(head) => return self.head(head),
            Piece::Member(member) => {
                let before = self.state.members.insert(member.node, member.directory);
                ensure(before.is_none(), "a member comes twice")
            }
            Piece::Attributes(said) => {
                let before = self.state.attributes.insert(said.node, said);
                ensure(before.is_none(), "a member speaks twice")
            }
            Piece::Lease(lease) => {
                let new = self.state.leases.grant(lease.id, lease.ttl, lease.remaining);
                ensure(new, "a lease comes twice")
            }
            Piece::Session(session) => self.session(&session),
            Piece::Answer(answer) => self.answer(answer),
            Piece::Version(version) => self.version(&version),
            Piece::End(end) => {
                ensure(end.digest == self.digest.finalize().as_bytes()[..], "the digest is another one")
            }
        };
        taken.map_err(|reason| corrupt(self.offset, reason))
    }

    fn head(&mut self, head: Head) -> Result<()> {
        if head.format != FORMAT {
            let (path, found, supported) = ("image".into(), head.format, FORMAT);
            return Err(ErrorKind::Version { path, found, supported }.into());
        }
        if head.cluster != self.state.cluster {
            let (expected, found) = (self.state.cluster, head.cluster);
            return Err(ErrorKind::WrongCluster { expected, found }.into());
        }
        let sane = head.revision >= FIRST_REVISION
            && (NEVER_COMPACTED..=head.revision).contains(&head.compacted)
            && head.hash.len() == 32
            // The newest revision must leave room for the next ones.
            && head.revision < i64::MAX / 2;
        ensure(sane, "the head contradicts itself").map_err(|reason| corrupt(self.offset, reason))?;
        let state = &mut self.state;
        state.applied = LogPosition { index: head.index, term: head.term };
        state.hash.copy_from_slice(&head.hash);
        state.store.revision = head.revision;
        state.store.compacted = head.compacted;
        state.no_space = head.no_space;
        state.settings = head.settings;
        self.head = Some(head);
        Ok(())
    }

    fn session(&mut self, session: &frame::Session) -> Checked {
        let last = self.session.as_ref().map(|(id, _)| *id);
        ensure(last < Some(session.id), "a session is out of order")?;
        self.close_session();
        let answers = BTreeMap::new();
        self.session = Some((session.id, Session { used: session.used, floor: session.floor, answers }));
        Ok(())
    }

    fn answer(&mut self, answer: frame::Answer) -> Checked {
        let Some((_, session)) = &mut self.session else { return Err("an answer without a session") };
        let new = answer.sequence >= session.floor
            && session.answers.last_key_value().is_none_or(|(&last, _)| last < answer.sequence);
        ensure(new, "an answer is out of order")?;
        let kept = answer.answer.is_empty() || super::answer::decode(answer.answer.clone()).is_some();
        ensure(kept, "an answer is none")?;
        // A copy: a slice would keep the whole chunk alive.
        session.answers.insert(answer.sequence, Bytes::copy_from_slice(&answer.answer));
        Ok(())
    }

    /// Adds the session whose answers were being read.
    fn close_session(&mut self) {
        if let Some((id, session)) = self.session.take() {
            self.state.sessions.insert(id, session);
        }
    }

    fn version(&mut self, v: &frame::Version) -> Checked {
        let same = v.key.is_empty();
        let before = match self.keys.last() {
            Some((key, history)) if same => Some((key, history.newest().clone())),
            None if same => return Err("a version without a key"),
            Some((key, _)) if key.as_slice() >= &v.key[..] => return Err("a key is out of order"),
            _ => None,
        };
        let key = before.as_ref().map_or(&v.key[..], |(key, _)| key.as_slice());
        let place =
            Place { sub: v.sub, create: v.create, modified: v.modified, version: v.version, lease: v.lease };
        let record = Arc::new(Record::new(key, &v.value, place));
        let before = before.map(|(_, before)| before);
        self.check_version(before.as_deref(), &record)?;
        match self.keys.last_mut() {
            Some((_, history)) if same => history.push(record.clone()),
            _ => {
                self.finish_key()?;
                self.keys.push((Key::new(&v.key), History::new(record.clone())));
            }
        }
        self.state.store.size.add(Amount::of(&record));
        if record.modified >= self.state.store.compacted {
            self.changes.push((record, before));
        }
        Ok(())
    }

    /// Whether a version can be, and can follow the one before it.
    fn check_version(&self, before: Option<&Record>, record: &Record) -> Checked {
        let store = &self.state.store;
        let in_time = record.modified > FIRST_REVISION && record.modified <= store.revision;
        ensure(in_time, "a version is of no revision")?;
        let possible = match record.is_tombstone() {
            true => record.create == 0 && record.lease == 0 && record.value().is_empty(),
            false => record.version > 0 && record.create > FIRST_REVISION && record.create <= record.modified,
        };
        ensure(possible, "a version contradicts itself")?;
        let Some(before) = before else { return Ok(()) };
        ensure(before.position() < record.position(), "a version is out of order")?;
        ensure(before.is_kept(Some(record), store.compacted), "a version should be compacted")?;
        let follows = match (before.is_tombstone(), record.is_tombstone()) {
            (true, true) => false,
            (false, true) => true,
            (true, false) => record.version == 1 && record.create == record.modified,
            (false, false) => record.create == before.create && record.version - 1 == before.version,
        };
        ensure(follows, "a version does not follow the one before it")
    }

    /// Counts the last key and hangs it on its lease.
    fn finish_key(&mut self) -> Checked {
        let Some((key, history)) = self.keys.last() else { return Ok(()) };
        let newest = history.newest();
        ensure(newest.is_kept(None, self.state.store.compacted), "a key should be compacted")?;
        if newest.is_tombstone() {
            return Ok(());
        }
        self.state.store.live += 1;
        ensure(newest.lease == 0 || self.state.leases.contains(newest.lease), "a key has an unknown lease")?;
        if !planted!("image_loses_lease_keys") {
            self.state.leases.transfer(key.as_slice(), 0, newest.lease);
        }
        Ok(())
    }

    /// Puts everything together.
    fn conclude(&mut self, meta: &ImageMeta) -> Checked {
        ensure(self.stage == LAST && self.rest.is_empty(), "the image is not whole")?;
        self.finish_key()?;
        self.close_session();
        let store = &self.state.store;
        let log = log_of(store.compacted, store.revision, &mut self.changes)?;
        let State { store, leases, applied, hash, .. } = &mut self.state;
        store.log = log;
        store.sweep = Sweep::finished(store.compacted);
        leases.forget_changes();
        let sums = (store.live, store.size.versions, store.size.bytes);
        let head = self.head.as_ref().ok_or("the image has no head")?;
        ensure(sums == (head.keys, head.versions, head.bytes), "the sums are other ones")?;
        ensure(*applied == meta.position && *hash == meta.hash, "it is another image")?;
        // From a sorted list a map is built at once, with full nodes.
        store.keys = std::mem::take(&mut self.keys).into_iter().collect();
        if planted!("revision_from_live_keys") {
            let live = store.keys.values().filter_map(History::live);
            store.revision = live.map(|record| record.modified).max().unwrap_or(FIRST_REVISION);
        }
        Ok(())
    }
}

/// The log of revisions, from the versions that it holds, which are drained. Every revision must be there, whole; but
/// of the compaction's own, an older etcd's compaction may have taken a part (see `rebuild`).
pub(super) fn log_of(
    compacted: Revision,
    newest: Revision,
    changes: &mut Vec<(Arc<Record>, Option<Arc<Record>>)>,
) -> Checked<Log> {
    let first = compacted.max(FIRST_REVISION + 1);
    let mut log = Log::new(first);
    let mut revision = first;
    let mut records: Vec<Arc<Record>> = Vec::new();
    changes.sort_unstable_by_key(|(record, _)| record.position());
    for (record, before) in changes.drain(..) {
        let may_be_empty = revision == compacted;
        if record.modified != revision && (!records.is_empty() || may_be_empty) {
            end_revision(&mut log, &mut records);
            revision += 1;
        }
        let has_all = record.sub as usize == records.len()
            || record.modified == compacted && records.last().is_none_or(|last| last.sub < record.sub);
        ensure(record.modified == revision && has_all, "a change is missing")?;
        if records.is_empty() {
            log.begin();
        }
        log.note(before.as_deref(), &record);
        records.push(record);
    }
    if !records.is_empty() || revision == compacted {
        end_revision(&mut log, &mut records);
        revision += 1;
    }
    ensure(revision == newest + 1, "a revision is missing")?;
    Ok(log)
}

fn end_revision(log: &mut Log, records: &mut Vec<Arc<Record>>) {
    if records.is_empty() {
        log.begin();
    }
    log.push(records);
}

/// The length of the delimiter at the front, and of what follows it; `None` if more bytes are needed.
fn delimiter(bytes: &[u8]) -> Checked<Option<(usize, usize)>> {
    let mut peek = bytes;
    match prost::decode_length_delimiter(&mut peek) {
        Ok(length) if length > LONGEST => Err("a frame is too long"),
        Ok(length) => Ok(Some((bytes.len() - peek.remaining(), length))),
        // Ten bytes are a whole number, or none at all.
        Err(_) if bytes.len() < 10 => Ok(None),
        Err(_) => Err("a length is none"),
    }
}

fn ensure(condition: bool, reason: Reason) -> Checked {
    if condition { Ok(()) } else { Err(reason) }
}

fn corrupt(offset: u64, reason: Reason) -> Error {
    ErrorKind::Corrupt { path: "image".into(), offset, reason: reason.into() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_frame_is_not_moved_for_each_chunk_of_it() {
        let mut loader = ImageLoader::new(1);
        let mut begin = BytesMut::new();
        prost::encode_length_delimiter(1 << 20, &mut begin).unwrap();
        loader.feed(&begin).unwrap();
        let place = loader.rest.as_ptr();
        for _ in 0..1000 {
            loader.feed(&[0; 1000]).unwrap();
            assert_eq!(loader.rest.as_ptr(), place);
        }
    }
}
