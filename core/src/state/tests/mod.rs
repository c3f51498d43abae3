//! Scenarios, named after the rule or the bug that they are about.

mod compact;
mod image;
mod kv;
mod lease;
mod long;
mod rebuild;
mod session;
mod txn;
mod walk;
mod watch;

use bytes::Bytes;
use prost::Message;

use super::*;
use crate::ErrorKind;
use crate::command::*;
use crate::request::*;
use crate::storage::ImageMeta;

/// A state with a log that grows by what is done to it.
pub(super) struct Lab {
    pub(super) state: State,
    pub(super) entries: Vec<(LogPosition, Bytes)>,
    pub(super) term: u64,
}

impl Lab {
    pub(super) fn new() -> Lab {
        Lab { state: State::new(7), entries: Vec::new(), term: 1 }
    }

    /// Applies a command.
    pub(super) fn command(&mut self, command: &Command) -> Applied {
        let at = LogPosition { index: self.state.applied().index + 1, term: self.term };
        let data: Bytes = command.encode_to_vec().into();
        self.entries.push((at, data.clone()));
        self.state.apply(at, &data)
    }

    pub(super) fn op(&mut self, op: Op) -> Result<Response> {
        self.command(&Command { op: Some(op), ..Default::default() }).result
    }

    pub(super) fn error(&mut self, op: Op) -> ErrorKind {
        self.op(op).unwrap_err().kind().clone()
    }

    pub(super) fn put(&mut self, key: &str, value: &str) -> Revision {
        self.op(put(key, value)).unwrap();
        self.state.revision()
    }

    pub(super) fn put_lease(&mut self, key: &str, value: &str, lease: LeaseId) -> Revision {
        let Op::Put(r) = put(key, value) else { unreachable!() };
        self.op(Op::Put(PutRequest { lease, ..r })).unwrap();
        self.state.revision()
    }

    pub(super) fn delete(&mut self, key: &str, end: &str) -> i64 {
        match self.op(delete(key, end)).unwrap() {
            Response::DeleteRange(r) => r.deleted,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn compact(&mut self, revision: Revision) {
        self.op(compact(revision)).unwrap();
    }

    pub(super) fn collect(&mut self) {
        while self.state.collect_garbage(3) {}
    }

    pub(super) fn txn(&mut self, txn: TxnRequest) -> TxnResponse {
        match self.op(Op::Txn(txn)).unwrap() {
            Response::Txn(r) => r,
            other => panic!("{other:?}"),
        }
    }

    /// "key=value" of every pair at a revision.
    pub(super) fn all(&self, revision: Revision) -> String {
        let r = RangeRequest { revision, ..everything() };
        show(&self.state.range(&r).unwrap().kvs)
    }

    /// The same entries, applied to a fresh state.
    pub(super) fn replay(&self) -> State {
        let mut state = State::new(7);
        for (at, data) in &self.entries {
            state.apply(*at, data);
        }
        state
    }

    /// A state loaded from an image.
    pub(super) fn reload(&mut self) -> State {
        let cut = self.state.cut_image();
        load(&mut self.state, cut).unwrap()
    }
}

pub(super) fn load(state: &mut State, mut cut: ImageCut) -> Result<State> {
    let meta = ImageMeta { position: cut.position(), hash: cut.hash(), ..Default::default() };
    let mut loader = ImageLoader::new(7);
    while let Some(chunk) = cut.next_chunk(state) {
        loader.feed(&chunk)?;
    }
    state.release_cut(cut);
    loader.finish(&meta)
}

pub(super) fn show(kvs: &[KeyValue]) -> String {
    let show = |kv: &KeyValue| format!("{}={}", kv.key.escape_ascii(), kv.value.escape_ascii());
    kvs.iter().map(show).collect::<Vec<_>>().join(" ")
}

pub(super) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(super) fn put(key: &str, value: &str) -> Op {
    Op::Put(PutRequest { key: bytes(key), value: bytes(value), ..Default::default() })
}

pub(super) fn delete(key: &str, end: &str) -> Op {
    Op::DeleteRange(DeleteRangeRequest { key: bytes(key), range_end: bytes(end), prev_kv: false })
}

pub(super) fn compact(revision: Revision) -> Op {
    Op::Compact(CompactionRequest { revision, physical: false })
}

pub(super) fn range(key: &str, end: &str) -> RangeRequest {
    RangeRequest { key: bytes(key), range_end: bytes(end), ..Default::default() }
}

pub(super) fn everything() -> RangeRequest {
    range("\0", "\0")
}

pub(super) fn inside(op: Op) -> RequestOp {
    let request = match op {
        Op::Put(r) => RequestKind::Put(r),
        Op::DeleteRange(r) => RequestKind::DeleteRange(r),
        Op::Txn(r) => RequestKind::Txn(r),
        other => panic!("{other:?}"),
    };
    RequestOp { request: Some(request) }
}

pub(super) fn read(r: RangeRequest) -> RequestOp {
    RequestOp { request: Some(RequestKind::Range(r)) }
}

pub(super) fn always(ops: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success: ops, ..Default::default() }
}

pub(super) fn grant(id: LeaseId, ttl: i64) -> Op {
    Op::LeaseGrant(LeaseGrantRequest { id, ttl })
}

/// A source of choices that is the same in every run.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(2) + 1)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % n
    }

    fn key(&mut self) -> String {
        let long = if self.below(4) == 0 { "/a/key/too/long/to/lie/in/the/map/itself" } else { "" };
        format!("{}{long}", (b'a' + self.below(12) as u8) as char)
    }

    /// Some operation, often a sensible one.
    pub(super) fn op(&mut self, state: &State) -> Op {
        let (key, value) = (self.key(), format!("v{}", self.below(1000)));
        let lease = if self.below(3) == 0 { 1 + self.below(4) as i64 } else { 0 };
        let revision = state.revision() - self.below(8) as i64;
        let put = PutRequest { key: key.into(), value: value.into(), lease, ..Default::default() };
        let end = [bytes(""), self.key().into(), bytes("\0")][self.below(3) as usize].clone();
        let delete =
            DeleteRangeRequest { key: self.key().into(), range_end: end, prev_kv: self.below(2) == 0 };
        match self.below(20) {
            0..8 => Op::Put(PutRequest { prev_kv: self.below(2) == 0, ..put }),
            8 => Op::Put(PutRequest { ignore_value: true, value: bytes(""), ..put }),
            9 => Op::Put(PutRequest { ignore_lease: true, lease: 0, ..put }),
            10..12 => Op::DeleteRange(delete),
            12..15 => {
                let ops = [RequestKind::Put(put), RequestKind::DeleteRange(delete)];
                let mut ops: Vec<_> = ops.map(|op| RequestOp { request: Some(op) }).into();
                if self.below(2) == 0 {
                    ops.swap(0, 1);
                }
                ops.push(read(RangeRequest { revision, ..everything() }));
                Op::Txn(always(vec![inside(Op::Txn(always(ops))), inside(super::tests::put("t", "t"))]))
            }
            15 => compact(revision),
            16 | 17 => grant(1 + self.below(4) as i64, 60),
            18 => Op::LeaseRevoke(LeaseRevokeRequest { id: 1 + self.below(4) as i64 }),
            _ => match self.below(6) {
                0 => Op::LeaseExpire(LeaseExpire { term: 1, ids: vec![1, 2, 3] }),
                1 => Op::LeaseCheckpoint(LeaseCheckpoint {
                    term: 1,
                    leases: vec![LeaseRemaining { id: 1, millis: self.below(100_000) }],
                }),
                2 => Op::OpenSession(OpenSession {}),
                3 => Op::MemberSeen(MemberSeen { node: self.below(3), directory: self.below(9) }),
                4 => Op::MemberAttributes(MemberAttributes {
                    node: self.below(3),
                    name: format!("name{}", self.below(9)),
                    client_urls: (0..self.below(3)).map(|url| format!("http://{url}")).collect(),
                }),
                _ => Op::Settings(Settings { quota_bytes: 0, max_sessions: 2 + self.below(3) }),
            },
        }
    }

    /// Perhaps a tag of one of the open sessions.
    pub(super) fn tag(&mut self, state: &State) -> Option<SessionTag> {
        let open: Vec<_> = state.sessions.iter().map(|(id, session)| (id, session.floor)).collect();
        let (session, floor) = *open.get(self.below(6) as usize)?;
        let sequence = floor + self.below(4);
        Some(SessionTag { session, sequence, acknowledged_below: floor + self.below(2) })
    }
}
