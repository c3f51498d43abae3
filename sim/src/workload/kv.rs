//! Clients that write, read and compare keys through any node, in every way that the store has.

use kvorum_core::ErrorKind;
use kvorum_core::ids::Revision;
use kvorum_core::request::*;

use super::caller::Caller;
use super::record::Recorded;

/// How many keys the clients share: few, so that they meet.
const KEYS: u64 = 8;

pub(crate) struct KvClient {
    pub(crate) caller: Caller,
    /// Revisions that were shown to it: what it reads at, and compacts.
    pub(crate) known: Revision,
}

impl KvClient {
    pub(crate) async fn run(mut self) {
        while !self.caller.scene.is_resting() {
            self.caller.pause().await;
            let node = self.caller.any_node();
            if let Some(client) = self.caller.recorder.client(self.caller.who, node) {
                self.ask(&client).await;
            }
        }
    }

    pub(crate) async fn ask(&mut self, client: &Recorded) {
        // What came of it stands in the book; here only revisions are remembered.
        let shown = match self.caller.draw.below(100) {
            0..34 => client.put(self.put()).await.map(|a| a.header),
            34..42 => client.delete(self.delete()).await.map(|a| a.header),
            42..60 => client.txn(self.txn(0)).await.map(|a| a.header),
            60..94 => client.range(self.range()).await.map(|a| a.header),
            94..96 => {
                // One in the past, and now and then the newest, so that nothing older can be read.
                let back = self.caller.draw.pick(&[0, 1, 5, 30]);
                let answer = client.plain().compact((self.known - back).max(1));
                client.glance(answer, |a| a.header).await.map(|a| a.header)
            }
            _ => client.range(self.local_range()).await.map(|a| a.header),
        };
        match shown {
            Ok(Some(header)) => self.known = self.known.max(header.revision),
            // Somebody sees to it that there is room again, or believes so.
            Err(error)
                if matches!(error.kind(), ErrorKind::NoSpace { .. }) && self.caller.draw.chance(100) =>
            {
                drop(client.plain().lift_no_space().await);
            }
            _ => {}
        }
    }

    fn key(&mut self) -> String {
        format!("key{}", self.caller.draw.below(KEYS))
    }

    fn value(&mut self) -> String {
        let padding = if self.caller.draw.chance(30) { 3000 } else { 0 };
        format!("{}{}", self.caller.value(), ".".repeat(padding))
    }

    fn put(&mut self) -> PutRequest {
        let mut put = PutRequest::new(self.key(), self.value());
        put.prev_kv = self.caller.draw.chance(250);
        if self.caller.draw.chance(40) {
            put.ignore_value = true;
            put.value = Default::default();
        }
        put.ignore_lease = self.caller.draw.chance(30);
        put
    }

    fn delete(&mut self) -> DeleteRangeRequest {
        let mut delete = DeleteRangeRequest::key(self.key());
        if self.caller.draw.chance(150) {
            delete.range_end = self.key().into();
        }
        delete.prev_kv = self.caller.draw.chance(300);
        delete
    }

    fn range(&mut self) -> RangeRequest {
        let mut range = RangeRequest::key(self.key());
        match self.caller.draw.below(10) {
            0..4 => {}
            4..7 => range = RangeRequest::prefix("key"),
            7 => range.range_end = self.key().into(),
            8 => range.range_end = "\0".into(),
            _ => range = RangeRequest::prefix("leased/"),
        }
        if self.caller.draw.chance(300) {
            range.limit = self.caller.draw.between(1, 4) as i64;
        }
        if self.caller.draw.chance(250) {
            range.sort_order = self.caller.draw.pick(&[1, 2]);
            range.sort_target = self.caller.draw.below(5) as i32;
        }
        if self.caller.draw.chance(150) && self.known > 1 {
            range.revision = (self.known - self.caller.draw.pick(&[0, 1, 3, 20])).max(2);
        }
        range.count_only = self.caller.draw.chance(60);
        range.keys_only = self.caller.draw.chance(60);
        if self.caller.draw.chance(60) {
            range.min_mod_revision = (self.known - 10).max(1);
            range.max_create_revision = self.known;
        }
        range
    }

    fn local_range(&mut self) -> RangeRequest {
        let mut range = self.range();
        range.serializable = true;
        range
    }

    fn compare(&mut self) -> Compare {
        let key = self.key();
        let target = self.caller.draw.below(5) as i32;
        let with = match target {
            0 => CompareWith::Version(self.caller.draw.below(4) as i64),
            1 => CompareWith::CreateRevision(self.caller.draw.pick(&[0, self.known, self.known / 2])),
            2 => CompareWith::ModRevision(self.caller.draw.pick(&[0, self.known, self.known - 3])),
            3 => CompareWith::Value(format!("{}-{}", self.caller.who, self.caller.values).into()),
            _ => CompareWith::Lease(0),
        };
        let range_end = if self.caller.draw.chance(100) { "key9".into() } else { Default::default() };
        let result = self.caller.draw.below(4) as i32;
        Compare { result, target, key: key.into(), with: Some(with), range_end }
    }

    fn ops(&mut self, depth: u64) -> Vec<RequestOp> {
        let count = self.caller.draw.between(0, 3);
        let mut written = Vec::new();
        let mut ops = Vec::new();
        for _ in 0..count {
            let request = match self.caller.draw.below(10) {
                0..5 => {
                    let put = self.put();
                    // One transaction may not write a key twice.
                    if written.contains(&put.key) {
                        continue;
                    }
                    written.push(put.key.clone());
                    RequestKind::Put(put)
                }
                5 if written.is_empty() => {
                    let delete = DeleteRangeRequest::key(format!("key{}", KEYS + self.caller.draw.below(2)));
                    RequestKind::DeleteRange(delete)
                }
                6 if depth < 1 && written.is_empty() => RequestKind::Txn(self.txn(depth + 1)),
                6 | 7 if depth < 1 && !written.is_empty() => RequestKind::Txn(self.look_back(&written)),
                _ => RequestKind::Range(self.range()),
            };
            let is_last = matches!(request, RequestKind::Txn(_));
            ops.push(RequestOp { request: Some(request) });
            if is_last {
                break;
            }
        }
        ops
    }

    /// A transaction inside another that asks for what the outer one has just written: it must not see it, for
    /// all conditions are judged before anything is done.
    fn look_back(&mut self, written: &[bytes::Bytes]) -> TxnRequest {
        let key = written[self.caller.draw.below(written.len() as u64) as usize].clone();
        let mut compare = self.compare();
        (compare.key, compare.range_end) = (key, Default::default());
        let mut read = |number: u64| {
            (0..number).map(|_| RequestOp { request: Some(RequestKind::Range(self.range())) }).collect()
        };
        TxnRequest { compare: vec![compare], success: read(1), failure: read(2) }
    }

    fn txn(&mut self, depth: u64) -> TxnRequest {
        let compare = (0..self.caller.draw.below(3)).map(|_| self.compare()).collect();
        TxnRequest { compare, success: self.ops(depth), failure: self.ops(depth) }
    }
}
