//! What can happen to a store, at random.

use bytes::Bytes;
use kvorum_core::command::{
    CloseSession, LeaseCheckpoint, LeaseExpire, LeaseRemaining, MemberAttributes, MemberSeen, NoSpace, Op,
    OpenSession, Settings,
};
use kvorum_core::request::{
    CompactionRequest, LeaseGrantRequest, LeaseRevokeRequest, RangeRequest, TxnRequest, WatchRequest,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::random::{self, NOW};

/// One step. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
pub enum Step {
    /// An entry is committed, perhaps as a mutation of a session.
    Apply(Op, Option<Tag>),
    /// An entry with something that is no command.
    Other(Bytes),
    /// Another leader.
    NextTerm,
    /// A read outside of the log.
    Read(RangeRequest),
    /// A transaction outside of the log.
    ReadTxn(TxnRequest),
    /// Memory is freed, so many versions of it, on one replica.
    Collect(usize, usize),
    /// An image is begun.
    Cut,
    /// A chunk of the image is written.
    Chunk,
    /// The image is written, loaded, compared, and used.
    Load(Use),
    /// The second replica applies so many of the entries it has not seen.
    Follow(usize),
    /// A watch is opened.
    Open(usize, WatchRequest),
    /// A watch is pulled once, with limits.
    Pull(usize, usize, (usize, usize)),
    /// A watch is closed.
    Close(usize, usize),
    /// Everything that can be seen is compared.
    Verify((usize, usize), u8),
}

/// A mutation of a session.
#[derive(Clone, Debug)]
pub struct Tag {
    /// Which of those that were ever opened.
    pub session: usize,
    /// How far back in its sequence: 0 is a new one.
    pub back: u64,
    /// How many sequence numbers are left out before a new one.
    pub skip: u64,
    /// How far behind its own sequence everything is acknowledged; `None`: nothing is.
    pub acknowledged: Option<u64>,
}

/// What becomes of a loaded image.
#[derive(Clone, Copy, Debug)]
pub enum Use {
    /// It takes the place of the first replica, as after a restart.
    Restart,
    /// It is installed over the first replica, if nothing happened since.
    InstallOverItself,
    /// It is installed over the second, which is behind.
    InstallBehind,
    /// It is thrown away unread.
    Drop,
}

pub fn steps(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), count)
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..100usize;
    prop_oneof![
        40 => (mutation(), proptest::option::weighted(0.25, tag())).prop_map(|(op, tag)| Step::Apply(op, tag)),
        8 => internal().prop_map(|op| Step::Apply(op, None)),
        1 => prop_oneof![Just(Bytes::new()), Just(Bytes::from_static(b"members"))].prop_map(Step::Other),
        2 => Just(Step::NextTerm),
        6 => random::read().prop_map(Step::Read),
        3 => random::read_txn().prop_map(Step::ReadTxn),
        4 => (0..2usize, prop_oneof![0..4usize, Just(1000)]).prop_map(|(i, n)| Step::Collect(i, n)),
        2 => Just(Step::Cut),
        3 => Just(Step::Chunk),
        3 => prop_oneof![
            2 => Just(Use::Restart),
            2 => Just(Use::InstallOverItself),
            4 => Just(Use::InstallBehind),
            1 => Just(Use::Drop),
        ].prop_map(Step::Load),
        6 => prop_oneof![0..4usize, Just(1000)].prop_map(Step::Follow),
        6 => (0..2usize, random::watch()).prop_map(|(i, r)| Step::Open(i, r)),
        12 => (0..2usize, which(), limits()).prop_map(|(i, n, max)| Step::Pull(i, n, max)),
        1 => (0..2usize, which()).prop_map(|(i, n)| Step::Close(i, n)),
        2 => (limits(), 0..16u8).prop_map(|(max, flags)| Step::Verify(max, flags)),
    ]
}

/// What a client may ask for.
fn mutation() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => random::put().prop_map(Op::Put),
        4 => random::delete().prop_map(Op::DeleteRange),
        8 => random::txn(3).prop_map(Op::Txn),
        3 => (prop_oneof![1 => Just(0), 9 => random::lease_id()], 1..100i64)
            .prop_map(|(id, ttl)| Op::LeaseGrant(LeaseGrantRequest { ttl, id })),
        1 => random::lease_id().prop_map(|id| Op::LeaseRevoke(LeaseRevokeRequest { id })),
    ]
}

fn internal() -> impl Strategy<Value = Op> {
    let ids = || vec(random::lease_id(), 0..3);
    let compact = prop_oneof![10 => (-10i64..=1).prop_map(|back| NOW + back), 1 => -2i64..3];
    // Mostly the term of the entry: see `run`, which counts from 1.
    let term = || 1..4u64;
    prop_oneof![
        6 => (compact, any::<bool>())
            .prop_map(|(revision, physical)| Op::Compact(CompactionRequest { revision, physical })),
        3 => (term(), ids()).prop_map(|(term, ids)| Op::LeaseExpire(LeaseExpire { term, ids })),
        2 => (term(), ids(), 0..9000u64).prop_map(|(term, ids, millis)| {
            let leases = ids.into_iter().map(|id| LeaseRemaining { id, millis }).collect();
            Op::LeaseCheckpoint(LeaseCheckpoint { term, leases })
        }),
        3 => Just(Op::OpenSession(OpenSession {})),
        1 => (0..100u64).prop_map(|id| Op::CloseSession(CloseSession { id })),
        1 => (prop_oneof![5 => Just(0), 1 => 2000..9000u64], 1..4u64).prop_map(
            |(quota_bytes, max_sessions)| Op::Settings(Settings { quota_bytes, max_sessions })
        ),
        1 => prop_oneof![1 => Just(true), 6 => Just(false)]
            .prop_map(|raised| Op::NoSpace(NoSpace { raised })),
        1 => (1..4u64, any::<u64>())
            .prop_map(|(node, directory)| Op::MemberSeen(MemberSeen { node, directory })),
        1 => (1..4u64, "[a-c]?", vec("h[t]{0,2}", 0..3)).prop_map(|(node, name, client_urls)| {
            Op::MemberAttributes(MemberAttributes { node, name, client_urls })
        }),
    ]
}

fn tag() -> impl Strategy<Value = Tag> {
    let back = prop_oneof![3 => Just(0), 2 => 1..4u64];
    // The window ends 1024 ahead of the lowest.
    let skip = prop_oneof![20 => Just(0), 2 => 0..3u64, 1 => 1020..1027u64];
    (0..100usize, back, skip, proptest::option::of(0..3u64))
        .prop_map(|(session, back, skip, acknowledged)| Tag { session, back, skip, acknowledged })
}

/// Of a pull: events and bytes.
fn limits() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![
        Just((1, 1 << 20)),
        (1..6usize).prop_map(|n| (n, 1 << 20)),
        Just((1000, 1)),
        (1..2000usize).prop_map(|bytes| (1000, bytes)),
        Just((1000, 1 << 20)),
    ]
}
