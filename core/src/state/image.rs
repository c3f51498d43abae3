//! Images: the state as a stream of chunks, taken while the state goes on.

use std::ops::Bound;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::State;
use super::frame::{self, Frame, Piece};
use super::key::Key;
use super::record::{History, Record};
use crate::ids::Revision;
use crate::storage::LogPosition;

/// How long a chunk is, in bytes, but for the last one.
const CHUNK: usize = 128 << 10;

/// How many keys one call looks at, so that it does not hold the state's lock for long when few of them
/// belong to the image.
const SCAN: usize = 10_000;

/// An image being taken, of the state as it was when [`State::cut_image`] was called. While it is held no
/// garbage is collected.
///
/// ```
/// use kvorum_core::{state::{ImageLoader, State}, storage::ImageMeta};
/// let mut state = State::new(1);
/// let (mut cut, mut loader) = (state.cut_image(), ImageLoader::new(1));
/// let meta = ImageMeta { position: cut.position(), hash: cut.hash(), ..Default::default() };
/// while let Some(chunk) = cut.next_chunk(&state) {
///     loader.feed(&chunk)?;
/// }
/// assert!(cut.complete());
/// state.release_cut(cut);
/// assert_eq!(loader.finish(&meta)?.hash(), state.hash());
/// # Ok::<(), kvorum_core::Error>(())
/// ```
pub struct ImageCut {
    /// Tells the state that it is held, and the cut whether it is still the same state.
    pin: Arc<()>,
    position: LogPosition,
    hash: [u8; 32],
    revision: Revision,
    compacted: Revision,
    /// Encoded and not handed out.
    buffer: BytesMut,
    /// How much of the buffer has been added to the digest.
    digested: usize,
    digest: blake3::Hasher,
    /// The last key written, and the last version of it.
    at: Option<(Key, (Revision, u32))>,
    ended: bool,
}

impl ImageCut {
    /// The last entry whose effect is in the image.
    pub fn position(&self) -> LogPosition {
        self.position
    }

    /// The state's hash at that entry.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The next chunk, never empty and 128 KiB at most; `None` behind the last one, or if the state was
    /// replaced meanwhile (see [`ImageCut::complete`]). Between two calls the state may go on.
    pub fn next_chunk(&mut self, state: &State) -> Option<Bytes> {
        if !Arc::ptr_eq(&self.pin, &state.pin) || self.complete() {
            return None;
        }
        if self.buffer.len() < CHUNK && !self.ended {
            self.fill(state);
        }
        let length = self.buffer.len().min(CHUNK);
        self.digest();
        self.digested -= length;
        Some(self.buffer.split_to(length).freeze())
    }

    /// Whether the last chunk has been handed out. If [`ImageCut::next_chunk`] returned `None` and this is
    /// false, [`State::install`] replaced the state meanwhile and the image must be thrown away.
    pub fn complete(&self) -> bool {
        self.ended && self.buffer.is_empty()
    }

    /// Encodes about a chunk.
    fn fill(&mut self, state: &State) {
        let after = self.at.take();
        // The last key may have more versions than went into the chunk before.
        let from = after.as_ref().map_or(Bound::Unbounded, |(key, _)| Bound::Included(key.as_slice()));
        let mut last = None;
        let mut scanned = 0;
        for (key, history) in state.store.keys.range::<[u8], _>((from, Bound::Unbounded)) {
            let done = after.as_ref().filter(|(last, _)| last == key).map(|(_, done)| *done);
            let done = self.write(history, done);
            last = Some((key, done.unwrap_or_default()));
            scanned += 1;
            if self.buffer.len() >= CHUNK || scanned >= SCAN {
                break;
            }
        }
        self.ended = self.buffer.len() < CHUNK && scanned < SCAN;
        self.at = last.map(|(key, done)| (key.clone(), done));
        if self.buffer.is_empty() && !self.ended {
            self.push(None);
        }
        if self.ended {
            self.digest();
            let digest = Bytes::copy_from_slice(self.digest.finalize().as_bytes());
            self.push(Some(Piece::End(frame::End { digest })));
        }
    }

    /// Adds to the digest what is in the buffer. (What comes after the end's own frame does not matter.)
    fn digest(&mut self) {
        self.digest.update(&self.buffer[self.digested..]);
        self.digested = self.buffer.len();
    }

    /// Encodes the versions of a key that belong to the image and come behind the position `done`, until
    /// the chunk is long enough; returns the position of the last one.
    fn write(&mut self, history: &History, mut done: Option<(Revision, u32)>) -> Option<(Revision, u32)> {
        for (record, next) in history.after(done.unwrap_or_default()) {
            if record.modified > self.revision - i64::from(planted!("cut_misses_last_revision")) {
                break;
            }
            if !record.is_kept(next.map(|next| &**next), self.compacted) {
                continue;
            }
            push_version(record, done.is_none(), &mut self.buffer);
            done = Some(record.position());
            if self.buffer.len() >= CHUNK {
                break;
            }
        }
        done
    }

    fn push(&mut self, piece: Option<Piece>) {
        // A growing buffer takes whatever it is given.
        let _ = Frame { piece }.encode_length_delimited(&mut self.buffer);
    }
}

/// Appends a version as a frame: the same bytes as [`frame::Version`] would make. By hand, because making one
/// would share the record's buffer, which costs an allocation that stays for as long as the record.
fn push_version(record: &Record, with_key: bool, into: &mut BytesMut) {
    let key = if with_key { record.key() } else { &[] };
    let numbers = [(3, record.create), (4, record.modified), (5, i64::from(record.sub)), (6, record.version)];
    // The lease is a sint64: zigzag, as it may be negative.
    let lease = ((record.lease << 1) ^ (record.lease >> 63)) as u64;
    let numbers = numbers.map(|(tag, number)| (tag, number as u64)).into_iter().chain([(7, lease)]);
    let texts = [(1, key), (2, record.value())].into_iter().filter(|(_, text)| !text.is_empty());
    let numbers = numbers.filter(|(_, number)| *number != 0);
    // Every tag here takes one byte.
    let text = |text: &[u8]| 1 + encoded_len_varint(text.len() as u64) + text.len();
    let length = texts.clone().map(|(_, bytes)| text(bytes)).sum::<usize>()
        + numbers.clone().map(|(_, number)| 1 + encoded_len_varint(number)).sum::<usize>();
    encode_varint((1 + encoded_len_varint(length as u64) + length) as u64, into);
    encode_key(6, WireType::LengthDelimited, into);
    encode_varint(length as u64, into);
    for (tag, bytes) in texts {
        encode_key(tag, WireType::LengthDelimited, into);
        encode_varint(bytes.len() as u64, into);
        into.extend_from_slice(bytes);
    }
    for (tag, number) in numbers {
        encode_key(tag, WireType::Varint, into);
        encode_varint(number, into);
    }
}

impl State {
    /// Begins an image of the state as it is now. What is small is copied; the keys are walked chunk by
    /// chunk ([`ImageCut::next_chunk`]) while the state goes on.
    pub fn cut_image(&mut self) -> ImageCut {
        let mut cut = ImageCut {
            pin: self.pin.clone(),
            position: self.applied,
            hash: self.hash,
            revision: self.store.revision,
            compacted: self.store.compacted,
            buffer: BytesMut::with_capacity(CHUNK),
            digested: 0,
            digest: blake3::Hasher::new(),
            at: None,
            ended: false,
        };
        cut.push(Some(Piece::Head(self.head())));
        self.copy_small(&mut cut);
        cut
    }

    /// Ends an image, finished or not. Garbage is collected again when the last one is ended. (Dropping the
    /// cut has the same effect.)
    pub fn release_cut(&mut self, cut: ImageCut) {
        drop(cut);
    }

    fn head(&self) -> frame::Head {
        frame::Head {
            format: frame::FORMAT,
            cluster: self.cluster,
            index: self.applied.index,
            term: self.applied.term,
            hash: Bytes::copy_from_slice(&self.hash),
            revision: self.store.revision,
            compacted: self.store.compacted,
            no_space: self.no_space,
            settings: self.settings,
            keys: self.store.live,
            versions: self.store.size.versions,
            bytes: self.store.size.bytes,
        }
    }

    /// Writes members, leases and sessions.
    fn copy_small(&self, cut: &mut ImageCut) {
        for (&node, &directory) in &self.members {
            cut.push(Some(Piece::Member(frame::Member { node, directory })));
        }
        for said in self.attributes.values().filter(|_| !planted!("image_loses_attributes")) {
            cut.push(Some(Piece::Attributes(said.clone())));
        }
        for (id, lease) in self.leases.iter() {
            let remaining = lease.remaining.filter(|_| !planted!("image_loses_checkpoints"));
            let ttl = lease.ttl;
            cut.push(Some(Piece::Lease(frame::Lease { id, ttl, remaining })));
        }
        for (id, session) in self.sessions.iter() {
            let (used, floor) = (session.used, session.floor);
            cut.push(Some(Piece::Session(frame::Session { id, used, floor })));
            for (&sequence, answer) in session.answers.iter().filter(|_| !planted!("image_loses_answers")) {
                let answer = answer.clone();
                cut.push(Some(Piece::Answer(frame::Answer { sequence, answer })));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Place;
    use super::*;

    #[test]
    fn a_version_by_hand_is_a_version() {
        for (lease, value, sub) in [(0, &b""[..], 0), (-7, b"v", 3), (i64::MIN, &[9; 300], u32::MAX)] {
            let place = Place { sub, create: 5, modified: 1 << 40, version: 2, lease };
            let record = Record::new(b"key", value, place);
            for with_key in [true, false] {
                let mut bytes = BytesMut::new();
                push_version(&record, with_key, &mut bytes);
                let pair = record.pair();
                let version = frame::Version {
                    key: if with_key { pair.key } else { Bytes::new() },
                    value: pair.value,
                    create: record.create,
                    modified: record.modified,
                    sub,
                    version: record.version,
                    lease,
                };
                let frame = Frame { piece: Some(Piece::Version(version)) };
                assert_eq!(bytes, frame.encode_length_delimited_to_vec());
            }
        }
    }
}
