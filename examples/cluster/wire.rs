//! What the parent and its node processes say to each other, over the child's stdin and stdout.
//!
//! A frame is a length (u32, of what follows), a request number (u64), a tag (u8) and fields: numbers as u64,
//! byte strings with their length before them, all little-endian. Both ends are the same program, so there is
//! no version. Many requests may be under way at once; answers carry their request's number.

use std::io::{self, Read, Write};

/// The first bytes that a child says, behind whatever a test harness may have printed before.
pub(crate) const HELLO: &[u8] = b"\0kvorum cluster\0";

/// What a node is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Put {
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Get {
        key: Vec<u8>,
    },
    /// Pairs from `start` on, at most `limit`, at `revision` (0: the newest); linearizable.
    Range {
        start: Vec<u8>,
        limit: u64,
        revision: u64,
    },
    /// Every event from this revision on; answered many times.
    Watch {
        from: u64,
    },
    Status,
}

/// What it says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Put { revision: u64 },
    Get(Option<Pair>),
    Range { revision: u64, more: bool, pairs: Vec<Pair> },
    Events(Vec<Event>),
    Status(Status),
    Failed { verdict: Verdict, reason: String },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub mod_revision: u64,
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub revision: u64,
    pub key: Vec<u8>,
    /// `None`: the key was deleted.
    pub value: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Status {
    pub is_leader: bool,
    pub term: u64,
    /// How many entries are in the state, and the hash of all of them and what they did.
    pub index: u64,
    pub hash: String,
    /// Why the node halted itself; empty: it did not.
    pub halted: String,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The cluster can't now. It may or may not have happened; ask again, if that is safe.
    Again,
    /// The request is over the size limit.
    TooLarge,
    /// It will not get better.
    Final,
}

/// Writes one frame, in one piece.
pub(crate) fn write_frame(to: &mut impl Write, id: u64, body: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(12 + body.len());
    let length = u32::try_from(8 + body.len()).map_err(io::Error::other)?;
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&id.to_le_bytes());
    frame.extend_from_slice(body);
    to.write_all(&frame)?;
    to.flush()
}

/// Reads one frame; an error of kind `UnexpectedEof` at the end.
pub(crate) fn read_frame(from: &mut impl Read) -> io::Result<(u64, Vec<u8>)> {
    let (mut length, mut id) = ([0; 4], [0; 8]);
    from.read_exact(&mut length)?;
    from.read_exact(&mut id)?;
    let length = u32::from_le_bytes(length) as usize;
    let mut body = vec![0; length.checked_sub(8).ok_or_else(broken)?];
    from.read_exact(&mut body)?;
    Ok((u64::from_le_bytes(id), body))
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a frame makes no sense")
}

/// Builds a frame's body.
struct Build(Vec<u8>);

impl Build {
    fn new(tag: u8) -> Build {
        Build(vec![tag])
    }

    fn number(mut self, number: u64) -> Build {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn bytes(self, bytes: &[u8]) -> Build {
        let mut with_length = self.number(bytes.len() as u64);
        with_length.0.extend_from_slice(bytes);
        with_length
    }

    fn pair(self, pair: &Pair) -> Build {
        self.bytes(&pair.key).bytes(&pair.value).number(pair.mod_revision).number(pair.version)
    }
}

/// Takes a frame's body apart.
struct Parse<'a>(&'a [u8]);

impl Parse<'_> {
    fn tag(&mut self) -> io::Result<u8> {
        let (first, rest) = self.0.split_first().ok_or_else(broken)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> io::Result<u64> {
        let (first, rest) = self.0.split_first_chunk().ok_or_else(broken)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*first))
    }

    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.number()?).map_err(io::Error::other)?;
        let (first, rest) = self.0.split_at_checked(length).ok_or_else(broken)?;
        self.0 = rest;
        Ok(first.to_vec())
    }

    fn text(&mut self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    fn pair(&mut self) -> io::Result<Pair> {
        let (key, value) = (self.bytes()?, self.bytes()?);
        Ok(Pair { key, value, mod_revision: self.number()?, version: self.number()? })
    }

    fn event(&mut self) -> io::Result<Event> {
        let (revision, key) = (self.number()?, self.bytes()?);
        let value = if self.number()? == 1 { Some(self.bytes()?) } else { None };
        Ok(Event { revision, key, value })
    }

    fn many<T>(&mut self, one: impl Fn(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        let count = self.number()?;
        (0..count).map(|_| one(self)).collect()
    }
}

impl Request {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Request::Put { key, value } => Build::new(1).bytes(key).bytes(value),
            Request::Get { key } => Build::new(2).bytes(key),
            Request::Range { start, limit, revision } => {
                Build::new(3).bytes(start).number(*limit).number(*revision)
            }
            Request::Watch { from } => Build::new(4).number(*from),
            Request::Status => Build::new(5),
        }
        .0
    }

    pub(crate) fn decode(body: &[u8]) -> io::Result<Request> {
        let mut parse = Parse(body);
        Ok(match parse.tag()? {
            1 => Request::Put { key: parse.bytes()?, value: parse.bytes()? },
            2 => Request::Get { key: parse.bytes()? },
            3 => Request::Range { start: parse.bytes()?, limit: parse.number()?, revision: parse.number()? },
            4 => Request::Watch { from: parse.number()? },
            5 => Request::Status,
            _ => return Err(broken()),
        })
    }
}

impl Reply {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Reply::Put { revision } => Build::new(1).number(*revision),
            Reply::Get(None) => Build::new(2).number(0),
            Reply::Get(Some(pair)) => Build::new(2).number(1).pair(pair),
            Reply::Range { revision, more, pairs } => {
                let head = Build::new(3).number(*revision).number(u64::from(*more));
                pairs.iter().fold(head.number(pairs.len() as u64), Build::pair)
            }
            Reply::Events(events) => {
                events.iter().fold(Build::new(4).number(events.len() as u64), |build, event| {
                    let build = build.number(event.revision).bytes(&event.key);
                    match &event.value {
                        Some(value) => build.number(1).bytes(value),
                        None => build.number(0),
                    }
                })
            }
            Reply::Status(status) => Build::new(5)
                .number(u64::from(status.is_leader))
                .number(status.term)
                .number(status.index)
                .bytes(status.hash.as_bytes())
                .bytes(status.halted.as_bytes()),
            Reply::Failed { verdict, reason } => {
                Build::new(6).number(*verdict as u64).bytes(reason.as_bytes())
            }
        }
        .0
    }

    pub(crate) fn decode(body: &[u8]) -> io::Result<Reply> {
        let mut parse = Parse(body);
        Ok(match parse.tag()? {
            1 => Reply::Put { revision: parse.number()? },
            2 if parse.number()? == 0 => Reply::Get(None),
            2 => Reply::Get(Some(parse.pair()?)),
            3 => Reply::Range {
                revision: parse.number()?,
                more: parse.number()? == 1,
                pairs: parse.many(Parse::pair)?,
            },
            4 => Reply::Events(parse.many(Parse::event)?),
            5 => Reply::Status(Status {
                is_leader: parse.number()? == 1,
                term: parse.number()?,
                index: parse.number()?,
                hash: parse.text()?,
                halted: parse.text()?,
            }),
            6 => {
                let verdict = match parse.number()? {
                    0 => Verdict::Again,
                    1 => Verdict::TooLarge,
                    _ => Verdict::Final,
                };
                Reply::Failed { verdict, reason: parse.text()? }
            }
            _ => return Err(broken()),
        })
    }
}
