//! What two servers may say differently: numbers of members and clusters, terms, times, sizes, and the numbers of
//! leases that they make up themselves. Everything else stays. What it will never know: which of two is right.

use kvorum_gateway::pb::{etcdserverpb as pb, mvccpb};
use pb::request_op::Request as Op;
use pb::response_op::Response as Done;

use crate::ask::{Answer, Ask};
use crate::requests::ITSELF;
use crate::world::MADE_UP;

/// A server's own numbers.
pub(crate) struct Own {
    /// For leases that go by numbers from `MADE_UP`, in order.
    leases: Vec<i64>,
    /// The member's, for `ITSELF`.
    member: u64,
}

impl Own {
    pub(crate) fn of(member: u64) -> Own {
        Own { leases: Vec::new(), member }
    }

    fn own(&self, lease: &mut i64) {
        let at = lease.checked_sub(MADE_UP).and_then(|at| usize::try_from(at).ok());
        *lease = at.and_then(|at| self.leases.get(at).copied()).unwrap_or(*lease);
    }

    fn common(&self, lease: &mut i64) {
        if let Some(at) = self.leases.iter().position(|own| own == lease) {
            *lease = MADE_UP + at as i64;
        }
    }

    /// Puts this server's numbers into a request.
    pub(crate) fn in_ask(&self, ask: &mut Ask) {
        match ask {
            Ask::Put(put) => self.own(&mut put.lease),
            Ask::Txn(txn) => self.in_txn(txn),
            Ask::Alarm(alarm) if alarm.member_id == ITSELF => alarm.member_id = self.member,
            Ask::Revoke(revoke) => self.own(&mut revoke.id),
            Ask::Renew(renew) => self.own(&mut renew.id),
            Ask::TimeToLive(about) => self.own(&mut about.id),
            _ => {}
        }
    }

    fn in_txn(&self, txn: &mut pb::TxnRequest) {
        for compare in &mut txn.compare {
            if let Some(pb::compare::TargetUnion::Lease(lease)) = &mut compare.target_union {
                self.own(lease);
            }
        }
        for op in txn.success.iter_mut().chain(&mut txn.failure) {
            match &mut op.request {
                Some(Op::RequestPut(put)) => self.own(&mut put.lease),
                Some(Op::RequestTxn(txn)) => self.in_txn(txn),
                _ => {}
            }
        }
    }

    /// Takes all that is this server's own out of an answer.
    pub(crate) fn mask(&mut self, ask: &Ask, answer: &mut Answer) {
        if let (Ask::Grant(asked), Answer::Grant(granted)) = (ask, &*answer)
            && asked.id == 0
        {
            self.leases.push(granted.id);
        }
        match answer {
            Answer::Range(r) => self.range(r),
            Answer::Put(r) => self.put(r),
            Answer::Delete(r) => self.delete(r),
            Answer::Txn(r) => self.txn(r),
            Answer::Compact(r) => header(&mut r.header),
            Answer::Grant(r) => (header(&mut r.header), self.common(&mut r.id)).0,
            Answer::Revoke(r) => header(&mut r.header),
            Answer::Renew(r) => (header(&mut r.header), self.common(&mut r.id)).0,
            Answer::TimeToLive(r) => {
                header(&mut r.header);
                self.common(&mut r.id);
                r.ttl = r.ttl.min(1);
                r.keys.sort();
            }
            Answer::Leases(r) => {
                header(&mut r.header);
                r.leases.iter_mut().for_each(|lease| self.common(&mut lease.id));
                r.leases.sort_by_key(|lease| lease.id);
            }
            Answer::Members(r) => members(r),
            Answer::Status(r) => status(r),
            Answer::Alarm(r) => {
                header(&mut r.header);
                let of_itself = r.alarms.iter_mut().filter(|alarm| alarm.member_id == self.member);
                of_itself.for_each(|alarm| alarm.member_id = ITSELF);
            }
            Answer::Error(_, text) => {
                // How long a message is depends on its leases.
                if let Some((before, _)) = text.split_once(" larger than max (") {
                    *text = before.into();
                }
            }
        }
    }

    fn range(&self, r: &mut pb::RangeResponse) {
        header(&mut r.header);
        r.kvs.iter_mut().for_each(|kv| self.common(&mut kv.lease));
    }

    fn put(&self, r: &mut pb::PutResponse) {
        header(&mut r.header);
        self.pair(&mut r.prev_kv);
    }

    fn delete(&self, r: &mut pb::DeleteRangeResponse) {
        header(&mut r.header);
        r.prev_kvs.iter_mut().for_each(|kv| self.common(&mut kv.lease));
    }

    fn txn(&self, r: &mut pb::TxnResponse) {
        header(&mut r.header);
        for op in &mut r.responses {
            match &mut op.response {
                Some(Done::ResponseRange(r)) => self.range(r),
                Some(Done::ResponsePut(r)) => self.put(r),
                Some(Done::ResponseDeleteRange(r)) => self.delete(r),
                Some(Done::ResponseTxn(r)) => self.txn(r),
                None => {}
            }
        }
    }

    /// The same for a pair that may be there.
    pub(crate) fn pair(&self, kv: &mut Option<mvccpb::KeyValue>) {
        if let Some(kv) = kv {
            self.common(&mut kv.lease);
        }
    }
}

/// Keeps only the revision, and whether there is a header and a term.
fn header(header: &mut Option<pb::ResponseHeader>) {
    if let Some(header) = header {
        header.cluster_id = header.cluster_id.min(1);
        header.member_id = header.member_id.min(1);
        header.raft_term = header.raft_term.min(1);
    }
}

fn members(r: &mut pb::MemberListResponse) {
    header(&mut r.header);
    for member in &mut r.members {
        member.id = member.id.min(1);
        member.name.clear();
        member.peer_ur_ls.clear();
        member.client_ur_ls.clear();
    }
}

fn status(r: &mut pb::StatusResponse) {
    header(&mut r.header);
    for number in [&mut r.leader, &mut r.raft_index, &mut r.raft_term, &mut r.raft_applied_index] {
        *number = (*number).min(1);
    }
    for size in [&mut r.db_size, &mut r.db_size_in_use] {
        *size = 0;
    }
    r.db_size_quota = 0;
    // Alarms are named with the member's number.
    r.errors.iter_mut().for_each(|error| *error = error.chars().filter(|c| !c.is_ascii_digit()).collect());
}
