//! Frames: how what is said is cut out of a stream of bytes. Drawn in FORMAT.md.

use std::io::Read;

use kvorum_core::transport::Envelope;
use prost::Message;

use crate::fault::Fault;

pub(crate) const HEADER_BYTES: usize = 13;
/// What a reader's buffer starts with and comes back to.
const BUFFER_BYTES: usize = 64 << 10;
/// What a buffer may keep after a long frame. The usual batches of entries fit: to take fresh pages from the
/// operating system for each of them costs more than everything else done with them.
pub(crate) const KEPT_BYTES: usize = 2 << 20;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Message = 1,
    Ping = 2,
    Pong = 3,
    Chunk = 4,
    End = 5,
    Go = 6,
    Stored = 7,
    Failed = 8,
}

impl Kind {
    fn from_code(code: u8) -> Option<Kind> {
        use Kind::*;
        [Message, Ping, Pong, Chunk, End, Go, Stored, Failed].into_iter().find(|k| *k as u8 == code)
    }
}

/// Appends a frame whose payload is at hand.
pub(crate) fn put(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    out.extend_from_slice(&header(kind, payload));
    out.extend_from_slice(payload);
}

/// Appends a frame with a message, encoded in place.
pub(crate) fn put_message(out: &mut Vec<u8>, envelope: &Envelope) {
    let start = out.len();
    out.reserve(HEADER_BYTES + envelope.encoded_len());
    out.extend_from_slice(&[0; HEADER_BYTES]);
    envelope.encode(out).expect("a Vec has room for every message");
    let header = header(Kind::Message, &out[start + HEADER_BYTES..]);
    out[start..start + HEADER_BYTES].copy_from_slice(&header);
}

/// The header of a frame, for those who write the payload from where it lies.
pub(crate) fn header(kind: Kind, payload: &[u8]) -> [u8; HEADER_BYTES] {
    let mut head = [0; HEADER_BYTES];
    head[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[4] = kind as u8;
    head[5..9].copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    let crc = crc32c::crc32c(&head[..9]);
    head[9..].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Decodes a message's payload.
///
/// From a slice, not from `Bytes`: decoded from `Bytes`, every field would be a view into the frame, and
/// one small log entry that the node keeps for hours would keep the whole frame of up to 64 MiB with it.
/// From a slice, each field of bytes gets an allocation of exactly its size: the one copy that has to be
/// made anyway, and the frame's buffer can be used again.
pub(crate) fn decode_message(payload: &[u8]) -> Result<Envelope, Fault> {
    Envelope::decode(payload).map_err(|e| Fault::Undecodable(e.to_string()))
}

/// Cuts frames out of a stream. Holds the bytes of at most one frame beyond [`KEPT_BYTES`], and never
/// more than twice what has arrived of it.
pub(crate) struct FrameReader<R> {
    from: R,
    limit: usize,
    base: usize,
    kept: usize,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: Read> FrameReader<R> {
    /// Takes payloads up to `limit` bytes.
    pub(crate) fn new(from: R, limit: usize) -> FrameReader<R> {
        let base = BUFFER_BYTES.min(limit.saturating_add(HEADER_BYTES));
        let kept = KEPT_BYTES.min(limit.saturating_add(HEADER_BYTES));
        FrameReader { from, limit, base, kept, buffer: vec![0; base], start: 0, end: 0 }
    }

    pub(crate) fn get_mut(&mut self) -> &mut R {
        &mut self.from
    }

    /// The next frame, whole and with a right checksum; `None` if the stream ended between two frames.
    pub(crate) fn next(&mut self) -> Result<Option<(Kind, &[u8])>, Fault> {
        if !self.fill(HEADER_BYTES)? {
            return Ok(None);
        }
        let (kind, length, crc) = self.parse_header()?;
        self.fill(HEADER_BYTES + length)?;
        let payload = self.start + HEADER_BYTES;
        self.start = payload + length;
        let payload = &self.buffer[payload..self.start];
        if crc32c::crc32c(payload) != crc {
            return Err(Fault::Checksum("payload"));
        }
        Ok(Some((kind, payload)))
    }

    fn parse_header(&self) -> Result<(Kind, usize, u32), Fault> {
        let head = &self.buffer[self.start..self.start + HEADER_BYTES];
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if number(9) != crc32c::crc32c(&head[..9]) {
            return Err(Fault::Checksum("frame's header"));
        }
        let length = number(0) as usize;
        if length > self.limit {
            return Err(Fault::TooLong(length));
        }
        let kind = Kind::from_code(head[4]).ok_or(Fault::Unexpected(head[4]))?;
        Ok((kind, length, number(5)))
    }

    /// Reads until `wanted` bytes lie behind `start`. False: the stream ended before the first of them.
    fn fill(&mut self, wanted: usize) -> Result<bool, Fault> {
        while self.end - self.start < wanted {
            self.make_room(wanted);
            let n = self.read_some()?;
            if n == 0 && self.end == self.start {
                return Ok(false);
            }
            if n == 0 {
                return Err(Fault::Closed);
            }
            self.end += n;
        }
        Ok(true)
    }

    fn read_some(&mut self) -> Result<usize, Fault> {
        loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                result => return result.map_err(Fault::io("reading")),
            }
        }
    }

    /// Leaves at least a byte of room behind `end`, and room for `wanted` in the end. A long frame's buffer
    /// grows as it fills, so that a length alone costs nothing; behind it the buffer is small again.
    fn make_room(&mut self, wanted: usize) {
        let held = self.end - self.start;
        if self.start > 0 && (held == 0 || self.start + wanted > self.buffer.len()) {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
        }
        if self.end == self.buffer.len() {
            let size = (2 * self.buffer.len()).min(wanted.max(self.base));
            self.buffer.resize(size, 0);
        } else if self.buffer.len() > self.kept && self.end < self.kept && wanted <= self.kept {
            self.buffer.truncate(self.kept);
            self.buffer.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what it has in pieces of `step` bytes.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let n = self.1.min(out.len()).min(self.0.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn frames() -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, Kind::Ping, b"");
        put(&mut out, Kind::Chunk, &vec![7; 300_000]);
        put(&mut out, Kind::Failed, b"why");
        put(&mut out, Kind::Chunk, &vec![8; BUFFER_BYTES - 5]);
        put(&mut out, Kind::Chunk, &vec![9; BUFFER_BYTES + 5]);
        out
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let bytes = frames();
        for step in [1, 13, 1000, 65_536, 1 << 20] {
            let mut reader = FrameReader::new(Drip(&bytes, step), 1 << 20);
            let mut seen = Vec::new();
            while let Some((kind, payload)) = reader.next().unwrap() {
                seen.push((kind, payload.len(), payload.first().copied()));
            }
            let want = [
                (Kind::Ping, 0, None),
                (Kind::Chunk, 300_000, Some(7)),
                (Kind::Failed, 3, Some(b'w')),
                (Kind::Chunk, BUFFER_BYTES - 5, Some(8)),
                (Kind::Chunk, BUFFER_BYTES + 5, Some(9)),
            ];
            assert_eq!(seen, want, "step {step}");
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut good = Vec::new();
        put(&mut good, Kind::Chunk, b"some bytes");
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameReader::new(Drip(&bad, 4), 1024).next().is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let mut good = Vec::new();
        put(&mut good, Kind::Chunk, b"some bytes");
        for n in 1..good.len() {
            assert!(matches!(FrameReader::new(&good[..n], 1024).next(), Err(Fault::Closed)), "{n}");
        }
    }

    #[test]
    fn a_length_alone_takes_no_memory() {
        let mut bytes = header(Kind::Chunk, &vec![0; 60 << 20]).to_vec();
        bytes.extend_from_slice(&[0; 1000]);
        let mut reader = FrameReader::new(&bytes[..], 64 << 20);
        assert!(reader.next().is_err());
        assert!(reader.buffer.capacity() <= 2 * BUFFER_BYTES);
    }

    #[test]
    fn the_buffer_is_small_again_after_a_long_frame() {
        let mut bytes = Vec::new();
        put(&mut bytes, Kind::Chunk, &vec![0; 10 << 20]);
        put(&mut bytes, Kind::Ping, b"");
        let mut reader = FrameReader::new(&bytes[..], 64 << 20);
        while reader.next().unwrap().is_some() {}
        assert!(reader.buffer.capacity() <= KEPT_BYTES);
    }

    #[test]
    fn an_entry_does_not_hold_on_to_its_frame() {
        use kvorum_core::transport::{Body, RaftMessage, WireEntry};
        let data = bytes::Bytes::from(vec![7; 100]);
        let entries = vec![WireEntry { index: 1, term: 1, kind: 0, data: data.clone() }; 3];
        let raft = RaftMessage { entries, ..RaftMessage::default() };
        let envelope = Envelope { body: Some(raft.into()), ..Envelope::default() };
        let decoded = decode_message(&envelope.encode_to_vec()).unwrap();
        assert_eq!(decoded, envelope);
        let Some(Body::Raft(raft)) = decoded.body else { panic!("it was one of raft") };
        for entry in raft.entries {
            // One's own bytes, shared with no other entry, in an allocation that is not longer than they are.
            let own = entry.data.try_into_mut().expect("shared with nobody");
            assert!(own.capacity() <= 100);
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused() {
        let bytes = header(Kind::Chunk, &[0; 1025]);
        assert!(matches!(FrameReader::new(&bytes[..], 1024).next(), Err(Fault::TooLong(1025))));
    }
}
