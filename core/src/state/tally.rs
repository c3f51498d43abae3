//! What was done to a state, in numbers that only grow. What it will never know: who looks at them.

/// What was done to the state that this node has: every member does it, whoever asked. Counted since the node was
/// started; what it did not apply itself, because it was given an image, is not in it.
///
/// ```
/// use kvorum_core::{command::{Command, Op}, request::PutRequest, state::State, storage::LogPosition};
/// use prost::Message;
/// let mut state = State::new(1);
/// let op = Op::Put(PutRequest { key: "k".into(), value: "val".into(), ..Default::default() });
/// let entry = Command { op: Some(op), ..Default::default() }.encode_to_vec();
/// state.apply(LogPosition { index: 1, term: 1 }, &entry.into());
/// assert_eq!((state.tally().puts, state.tally().put_bytes), (1, 4));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Keys written, also in transactions.
    pub puts: u64,
    /// Bytes of the keys and values that were written.
    pub put_bytes: u64,
    /// Deletions, of one key or of many, also in transactions and also if they found nothing.
    pub deletes: u64,
    /// Transactions, those within others not counted.
    pub txns: u64,
    /// Leases granted.
    pub leases_granted: u64,
    /// Leases that ended, of themselves or because it was asked for.
    pub leases_ended: u64,
    /// Of those, the ones whose time was over.
    pub leases_expired: u64,
}
