//! A5: transactions.

use kvorum_core::ErrorKind;
use kvorum_core::request::{
    Compare, CompareWith, KeyValue, RangeRequest, RequestKind, RequestOp, ResponseKind, ResponseOp,
    TxnRequest, TxnResponse,
};

use super::write::Work;
use super::{Model, header, holds, range};

impl Model {
    /// A transaction that passed the checks on its form.
    pub fn txn(&mut self, r: &TxnRequest) -> Result<TxnResponse, ErrorKind> {
        let grows = self.puts(r);
        if grows {
            self.has_room()?;
        }
        // A5.11: everything that can fail is looked at before anything is written.
        self.check_txn(r)?;
        let mut work = self.begin();
        let mut response = self.run(r, &mut work);
        response.header = header(work.revision());
        self.commit(work);
        if grows {
            self.has_grown();
        }
        Ok(response)
    }

    /// A read-only transaction, as it is answered without the log.
    pub fn read_txn(&self, r: &TxnRequest) -> Result<TxnResponse, ErrorKind> {
        self.clone().txn(r)
    }

    /// The branch that will be taken. Compares see the state before the transaction (A5.9), `self`.
    fn branch<'r>(&self, r: &'r TxnRequest) -> (bool, &'r [RequestOp]) {
        let succeeded = r.compare.iter().all(|c| self.compare_holds(c));
        (succeeded, if succeeded { &r.success } else { &r.failure })
    }

    /// Whether the path that will be taken has a put. (Etcd also counts branches that won't be taken.)
    fn puts(&self, r: &TxnRequest) -> bool {
        self.branch(r).1.iter().any(|op| match &op.request {
            Some(RequestKind::Put(_)) => true,
            Some(RequestKind::Txn(r)) => self.puts(r),
            _ => false,
        })
    }

    /// All writes of the path come before its reads.
    fn check_txn(&self, r: &TxnRequest) -> Result<(), ErrorKind> {
        let mut path = Vec::new();
        self.path(r, &mut path);
        for op in &path {
            if let RequestKind::Put(r) = op {
                self.check_kept(r)?;
                self.check_lease(r)?;
            }
        }
        for op in &path {
            if let RequestKind::Range(r) = op {
                self.check_range(r)?;
            }
        }
        Ok(())
    }

    fn path<'r>(&self, r: &'r TxnRequest, path: &mut Vec<&'r RequestKind>) {
        for op in self.branch(r).1 {
            match op.request.as_ref() {
                Some(RequestKind::Txn(r)) => self.path(r, path),
                Some(op) => path.push(op),
                None => unreachable!("refused before"),
            }
        }
    }

    /// A1.2c: unlike outside, a negative revision is below a compacted one.
    fn check_range(&self, r: &RangeRequest) -> Result<(), ErrorKind> {
        let (requested, current) = (r.revision, self.revision());
        if requested > current {
            return Err(ErrorKind::FutureRevision { requested, current });
        }
        if requested != 0 && requested < self.compacted {
            return Err(self.compacted_error(requested));
        }
        Ok(())
    }

    fn run(&self, r: &TxnRequest, work: &mut Work) -> TxnResponse {
        let (succeeded, ops) = self.branch(r);
        let mut responses = Vec::new();
        for op in ops {
            let response = match op.request.as_ref() {
                Some(RequestKind::Range(r)) => {
                    // A past revision is as it was; the newest is what was written so far (A5.9).
                    let view = if r.revision > 0 { self.at(r.revision) } else { &work.view };
                    ResponseKind::Range(range::answer(view, r, work.revision()))
                }
                Some(RequestKind::Put(r)) => ResponseKind::Put(work.put(r)),
                Some(RequestKind::DeleteRange(r)) => ResponseKind::DeleteRange(work.delete_range(r)),
                Some(RequestKind::Txn(r)) => ResponseKind::Txn(self.run(r, work)),
                None => unreachable!("refused before"),
            };
            responses.push(ResponseOp { response: Some(response) });
        }
        // A0.1: a nested transaction's header is there, but empty.
        TxnResponse { header: header(0), succeeded, responses }
    }

    /// A5.3: every key of the range must satisfy it; none at all counts as one that does not exist.
    fn compare_holds(&self, c: &Compare) -> bool {
        let mut keys = self.now().values().filter(|kv| holds(&c.key, &c.range_end, &kv.key)).peekable();
        if keys.peek().is_none() {
            // A5.2: a compare of the value never holds for a missing key, whatever it says.
            return c.target != 3 && pair_satisfies(c, &KeyValue::default());
        }
        keys.all(|kv| pair_satisfies(c, kv))
    }
}

/// A5.1, A5.4 with the enumerations spelled as numbers: they may be unknown ones.
fn pair_satisfies(c: &Compare, kv: &KeyValue) -> bool {
    let number = |has: i64, wanted: Option<i64>| has.cmp(&wanted.unwrap_or(0));
    let ordering = match c.target {
        0 => number(kv.version, if let Some(CompareWith::Version(v)) = c.with { Some(v) } else { None }),
        1 => number(
            kv.create_revision,
            if let Some(CompareWith::CreateRevision(v)) = c.with { Some(v) } else { None },
        ),
        2 => number(
            kv.mod_revision,
            if let Some(CompareWith::ModRevision(v)) = c.with { Some(v) } else { None },
        ),
        3 => match &c.with {
            Some(CompareWith::Value(v)) => kv.value[..].cmp(&v[..]),
            _ => kv.value[..].cmp(&[]),
        },
        4 => number(kv.lease, if let Some(CompareWith::Lease(v)) = c.with { Some(v) } else { None }),
        _ => std::cmp::Ordering::Equal,
    };
    match c.result {
        0 => ordering.is_eq(),
        1 => ordering.is_gt(),
        2 => ordering.is_lt(),
        3 => ordering.is_ne(),
        _ => true,
    }
}
