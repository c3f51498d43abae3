//! Transactions.
//!
//! Three steps. The path: which branch is taken, here and in every transaction inside, by compares that all
//! see the state before. The check: whatever can go wrong on that path, before anything is written. The
//! writes, which cannot fail.

use super::key::Span;
use super::record::Record;
use super::store::Store;
use super::{State, header};
use crate::check::{check_delete, check_put, check_range};
use crate::error::{ErrorKind, Result};
use crate::ids::Revision;
use crate::request::{
    Compare, CompareResult, CompareTarget, CompareWith, Header, PutRequest, RangeRequest, RangeResponse,
    RequestKind, RequestOp, ResponseKind, ResponseOp, TxnRequest, TxnResponse,
};

/// Whether the compares hold, of a transaction and of those on its path, in the order of their execution.
#[derive(Debug, Default)]
pub(super) struct Path {
    taken: Vec<bool>,
    next: usize,
}

impl Path {
    /// Decides every branch by the state as it is now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::EmptyKey`] in a compare, [`ErrorKind::KeyNotFound`] for an operation that is none.
    pub(super) fn of(store: &Store, txn: &TxnRequest) -> Result<Path> {
        let mut path = Path::default();
        path.decide(store, txn)?;
        Ok(path)
    }

    /// The path from its beginning.
    pub(super) fn rewind(&mut self) -> &mut Path {
        self.next = 0;
        self
    }

    /// The branch of the next transaction on the path, and whether it is the one for success.
    pub(super) fn branch<'a>(&mut self, txn: &'a TxnRequest) -> (bool, &'a [RequestOp]) {
        let holds = self.taken.get(self.next).copied().unwrap_or(false);
        self.next += 1;
        (holds, branch(txn, holds))
    }

    fn decide(&mut self, store: &Store, txn: &TxnRequest) -> Result<()> {
        if txn.compare.iter().any(|compare| compare.key.is_empty()) {
            return Err(ErrorKind::EmptyKey.into());
        }
        let holds = txn.compare.iter().all(|compare| store.compare(compare));
        self.taken.push(holds);
        for op in branch(txn, holds) {
            match &op.request {
                Some(RequestKind::Txn(inner)) => self.decide(store, inner)?,
                Some(_) => {}
                None => return Err(ErrorKind::KeyNotFound.into()),
            }
        }
        Ok(())
    }
}

/// The branch that is taken.
pub(super) fn branch(txn: &TxnRequest, holds: bool) -> &[RequestOp] {
    if holds != planted!("swap_branches") { &txn.success } else { &txn.failure }
}

impl State {
    /// Evaluates a transaction that writes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FutureRevision`], [`ErrorKind::Compacted`], and what [`crate::check::check_range`]
    /// refuses; [`ErrorKind::Config`] if the transaction is not [`TxnRequest::is_read_only`].
    pub fn read_txn(&self, t: &TxnRequest) -> Result<TxnResponse> {
        let mut path = Path::of(&self.store, t)?;
        let (succeeded, ops) = path.branch(t);
        let mut responses = Vec::with_capacity(ops.len());
        for r in reads(ops) {
            let r = r?;
            self.store.check_txn_range(r)?;
            responses.push(self.store.range(r));
        }
        Ok(read_answer(self.store.revision, succeeded, responses))
    }

    /// How many puts are on the path.
    pub(super) fn puts(path: &mut Path, txn: &TxnRequest) -> usize {
        let (_, ops) = path.branch(txn);
        let count = |op: &RequestOp| match &op.request {
            Some(RequestKind::Put(_)) => 1,
            Some(RequestKind::Txn(inner)) => State::puts(path, inner),
            _ => 0,
        };
        ops.iter().map(count).sum()
    }

    /// Looks for whatever can go wrong on the path: first with all its writes, then with its reads, as etcd does.
    pub(super) fn check_path(&self, path: &mut Path, txn: &TxnRequest) -> Result<()> {
        self.check_writes(path.rewind(), txn)?;
        self.check_reads(path.rewind(), txn)
    }

    fn check_writes(&self, path: &mut Path, txn: &TxnRequest) -> Result<()> {
        let (_, ops) = path.branch(txn);
        for op in ops {
            match &op.request {
                Some(RequestKind::Range(_)) => {}
                Some(RequestKind::Put(r)) => {
                    check_put(r)?;
                    self.check_kept(r)?;
                    self.check_lease(r)?;
                }
                Some(RequestKind::DeleteRange(r)) => check_delete(r)?,
                Some(RequestKind::Txn(inner)) => self.check_writes(path, inner)?,
                None => return Err(ErrorKind::KeyNotFound.into()),
            }
        }
        Ok(())
    }

    fn check_reads(&self, path: &mut Path, txn: &TxnRequest) -> Result<()> {
        let (_, ops) = path.branch(txn);
        for op in ops {
            match &op.request {
                Some(RequestKind::Range(r)) => self.store.check_txn_range(r)?,
                Some(RequestKind::Txn(inner)) => self.check_reads(path, inner)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether what a put keeps of its key is there.
    pub(super) fn check_kept(&self, r: &PutRequest) -> Result<()> {
        if (r.ignore_value || r.ignore_lease) && self.store.live(&r.key).is_none() {
            return Err(ErrorKind::KeyNotFound.into());
        }
        Ok(())
    }

    /// Whether the lease that a put hangs its key on is there.
    pub(super) fn check_lease(&self, r: &PutRequest) -> Result<()> {
        if r.lease != 0 && !self.leases.contains(r.lease) {
            return Err(ErrorKind::LeaseNotFound { id: r.lease }.into());
        }
        Ok(())
    }

    /// Does what is on the path. It was checked: nothing can fail.
    pub(super) fn execute(&mut self, path: &mut Path, txn: &TxnRequest) -> TxnResponse {
        let (succeeded, ops) = match planted!("txn_sees_own_writes") {
            true => Path::of(&self.store, txn).unwrap_or_default().branch(txn),
            false => path.branch(txn),
        };
        let mut responses = Vec::with_capacity(ops.len());
        for op in ops {
            responses.push(match &op.request {
                Some(RequestKind::Range(r)) => response(ResponseKind::Range(self.store.range(r))),
                Some(RequestKind::Put(r)) => response(ResponseKind::Put(self.write_put(r))),
                Some(RequestKind::DeleteRange(r)) => {
                    response(ResponseKind::DeleteRange(self.write_delete(r)))
                }
                Some(RequestKind::Txn(inner)) => response(ResponseKind::Txn(self.execute(path, inner))),
                None => ResponseOp { response: None },
            });
        }
        // Etcd leaves the header of a transaction inside empty; the outermost one is filled by the caller.
        TxnResponse { header: Some(Header::default()), succeeded, responses }
    }
}

/// The reads of a branch of a transaction that only reads.
pub(super) fn reads(ops: &[RequestOp]) -> impl Iterator<Item = Result<&RangeRequest>> {
    ops.iter().map(|op| match &op.request {
        Some(RequestKind::Range(r)) => Ok(r),
        Some(_) => {
            let reason = "a transaction that writes, or has one inside, must be proposed".into();
            Err(ErrorKind::Config { reason }.into())
        }
        None => Err(ErrorKind::KeyNotFound.into()),
    })
}

/// What a transaction that only reads is answered.
pub(super) fn read_answer(revision: Revision, succeeded: bool, reads: Vec<RangeResponse>) -> TxnResponse {
    let responses = reads.into_iter().map(|read| response(ResponseKind::Range(read))).collect();
    TxnResponse { header: Some(header(revision)), succeeded, responses }
}

fn response(kind: ResponseKind) -> ResponseOp {
    ResponseOp { response: Some(kind) }
}

impl Store {
    /// Whether a read inside a transaction can be done.
    fn check_txn_range(&self, r: &RangeRequest) -> Result<()> {
        check_range(r)?;
        self.readable().check_in_txn(r.revision)
    }

    /// Whether a condition holds for every key of its range.
    fn compare(&self, compare: &Compare) -> bool {
        let span = Span::new(&compare.key, &compare.range_end);
        if let Span::Single(key) = span {
            return holds(compare, self.live(key).map(|record| &**record));
        }
        let mut trial = Trial::default();
        let mut live = self.histories(span).filter_map(|history| history.live());
        while live.next().is_some_and(|record| trial.meet(compare, record)) {}
        trial.verdict(compare)
    }
}

/// A condition on all pairs of a range, judged one after the other.
#[derive(Debug, Default)]
pub(super) struct Trial {
    has_met: bool,
    fails: bool,
}

impl Trial {
    /// The next pair. False: it does not hold, whatever comes.
    pub(super) fn meet(&mut self, compare: &Compare, record: &Record) -> bool {
        self.has_met = true;
        self.fails |= !holds(compare, Some(record));
        !self.fails
    }

    /// Whether the condition holds. A range without keys is judged as a key that does not exist.
    pub(super) fn verdict(&self, compare: &Compare) -> bool {
        !self.fails && (self.has_met || holds(compare, None))
    }
}

/// Whether a condition holds for one pair, or for a key that does not exist. What it compares with counts as
/// zero or empty if it is of another kind than the target.
fn holds(compare: &Compare, record: Option<&Record>) -> bool {
    use CompareTarget as Target;
    let number = |of: fn(&Record) -> i64| record.map_or(0, of);
    let ordering = match (Target::try_from(compare.target), &compare.with) {
        (Ok(Target::Value), with) => {
            // The value of a key that does not exist is not even unequal to anything.
            let Some(record) = record else { return false };
            let with = if let Some(CompareWith::Value(value)) = with { &value[..] } else { &[] };
            record.value().cmp(with)
        }
        (Ok(Target::Version), with) => {
            let with = if let Some(CompareWith::Version(version)) = with { *version } else { 0 };
            number(|record| record.version).cmp(&with)
        }
        (Ok(Target::Create), with) => {
            let with = if let Some(CompareWith::CreateRevision(revision)) = with { *revision } else { 0 };
            number(|record| record.create).cmp(&with)
        }
        (Ok(Target::Mod), with) => {
            let with = if let Some(CompareWith::ModRevision(revision)) = with { *revision } else { 0 };
            number(|record| record.modified).cmp(&with)
        }
        (Ok(Target::Lease), with) => {
            let with = if let Some(CompareWith::Lease(lease)) = with { *lease } else { 0 };
            number(|record| record.lease).cmp(&with)
        }
        // Etcd compares 0 with 0 then.
        (Err(_), _) => std::cmp::Ordering::Equal,
    };
    match CompareResult::try_from(compare.result) {
        Ok(CompareResult::Equal) => ordering.is_eq(),
        Ok(CompareResult::NotEqual) => ordering.is_ne(),
        Ok(CompareResult::Greater) => ordering.is_gt(),
        Ok(CompareResult::Less) => ordering.is_lt(),
        Err(_) => true,
    }
}
