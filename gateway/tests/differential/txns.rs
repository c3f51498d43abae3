//! Random transactions: nested, with keys in common, with all kinds of compares. What it will never know: which branch
//! is taken.

use bytes::Bytes;
use kvorum_gateway::pb::etcdserverpb as pb;
use pb::compare::TargetUnion;
use pb::request_op::Request as Op;

use crate::dice::Dice;
use crate::requests::{delete, put, range};
use crate::world::{CHOSEN, World};

/// What a transaction may contain.
#[derive(Clone, Copy)]
struct May {
    put: bool,
    delete: bool,
    nest: u32,
}

pub(crate) fn txn(world: &World, dice: &mut Dice) -> pb::TxnRequest {
    // Where space lacks, etcd counts the puts of both branches; see DIFFERENCES.md.
    let may = May { put: !world.is_full && !dice.one_in(6), delete: dice.one_in(2), nest: 2 };
    if dice.one_in(300) {
        let read = pb::RequestOp { request: Some(Op::RequestRange(range(world, dice))) };
        let success = vec![read; dice.pick(&[127, 128, 129])];
        return pb::TxnRequest { success, ..inner(world, dice, may) };
    }
    inner(world, dice, may)
}

fn inner(world: &World, dice: &mut Dice, may: May) -> pb::TxnRequest {
    let compares = dice.pick(&[0, 1, 1, 1, 2, 3]);
    pb::TxnRequest {
        compare: (0..compares).map(|_| compare(world, dice)).collect(),
        success: ops(world, dice, may),
        failure: ops(world, dice, may),
    }
}

fn ops(world: &World, dice: &mut Dice, may: May) -> Vec<pb::RequestOp> {
    let count = dice.pick(&[0, 1, 1, 2, 2, 3, 4]);
    (0..count).map(|_| pb::RequestOp { request: op(world, dice, may) }).collect()
}

fn op(world: &World, dice: &mut Dice, may: May) -> Option<Op> {
    match dice.below(120) {
        0 => None,
        1..50 if may.put => Some(Op::RequestPut(put(world, dice, !may.delete))),
        50..70 if may.delete => {
            let mut delete = delete(world, dice);
            // Beside a put of one of these keys, etcd loses the put to a compaction; see DIFFERENCES.md.
            if may.put && delete.range_end[..] == *b"\0" {
                delete.range_end = Bytes::new();
            }
            Some(Op::RequestDeleteRange(delete))
        }
        70..90 if may.nest > 0 => Some(Op::RequestTxn(inner(world, dice, May { nest: may.nest - 1, ..may }))),
        _ => {
            let mut read = range(world, dice);
            // One that fails lets all of it fail.
            read.revision = if dice.one_in(8) { read.revision } else { 0 };
            Some(Op::RequestRange(read))
        }
    }
}

fn compare(world: &World, dice: &mut Dice) -> pb::Compare {
    let key = world.key(dice);
    let range_end = if dice.one_in(4) { world.end(dice, &key) } else { Bytes::new() };
    let target = if dice.one_in(40) { 9 } else { dice.pick(&[0, 1, 2, 3, 4]) };
    let result = if dice.one_in(40) { 9 } else { dice.pick(&[0, 1, 2, 3]) };
    let about = if dice.one_in(20) { dice.pick(&[0, 1, 2, 3, 4, 9]) } else { target };
    pb::Compare { result, target, key, range_end, target_union: with(world, dice, about, result) }
}

fn with(world: &World, dice: &mut Dice, target: i32, result: i32) -> Option<TargetUnion> {
    let revision =
        if dice.one_in(3) { 0 } else { dice.between((world.revision - 20).max(1), world.revision + 1) };
    Some(match target {
        0 => TargetUnion::Version(dice.between(0, 3)),
        1 => TargetUnion::CreateRevision(revision),
        2 => TargetUnion::ModRevision(revision),
        3 => TargetUnion::Value(vec![b'a' + dice.below(3) as u8; dice.below(3) as usize].into()),
        // Which of two made-up numbers is greater is chance.
        4 if matches!(result, 1 | 2) => TargetUnion::Lease(dice.pick(&CHOSEN)),
        4 => TargetUnion::Lease(if dice.one_in(3) { 0 } else { world.some_lease(dice) }),
        _ => return None,
    })
}
