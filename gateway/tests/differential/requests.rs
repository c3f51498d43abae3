//! Random requests, sensible and odd. What it will never know: what they should be answered.
//!
//! Left out is what brings etcd 3.5 down (unknown targets of an order; a transaction that deletes a key and then puts it
//! without its value or lease), what depends on time (leases so short that they end), and what etcd leaves to chance.

use bytes::Bytes;
use kvorum_gateway::pb::etcdserverpb as pb;

use crate::ask::Ask;
use crate::dice::Dice;
use crate::txns;
use crate::world::{CHOSEN, World};

/// The member that is asked.
pub(crate) const ITSELF: u64 = 1;
/// The longest lease but a second too long.
const TOO_LONG: i64 = 9_000_000_001;

pub(crate) fn next(world: &World, dice: &mut Dice) -> Ask {
    match dice.below(1000) {
        0..300 => Ask::Range(range(world, dice)),
        300..550 => Ask::Put(put(world, dice, true)),
        550..640 => Ask::Delete(delete(world, dice)),
        640..850 => Ask::Txn(txns::txn(world, dice)),
        850..858 => Ask::Compact(compact(world, dice)),
        858..890 => Ask::Grant(grant(world, dice)),
        890..910 => Ask::Revoke(pb::LeaseRevokeRequest { id: world.some_lease(dice) }),
        910..930 => Ask::Renew(pb::LeaseKeepAliveRequest { id: world.some_lease(dice) }),
        930..965 => {
            let (id, keys) = (world.some_lease(dice), dice.one_in(2));
            Ask::TimeToLive(pb::LeaseTimeToLiveRequest { id, keys })
        }
        965..980 => Ask::Leases,
        980..985 => Ask::Members(pb::MemberListRequest { linearizable: dice.one_in(2) }),
        985..990 => Ask::Status,
        _ => Ask::Alarm(alarm(dice)),
    }
}

pub(crate) fn range(world: &World, dice: &mut Dice) -> pb::RangeRequest {
    let key = world.key(dice);
    let range_end = world.end(dice, &key);
    pb::RangeRequest {
        range_end,
        key,
        limit: if dice.one_in(3) { dice.between(-1, 6) } else { 0 },
        revision: world.past(dice),
        // With many keys there are equal ones, whose order etcd leaves open.
        sort_order: if dice.one_in(3) { dice.pick(&[0, 1, 2, 7]) } else { 0 },
        sort_target: if dice.one_in(3) && !world.is_wide { dice.pick(&[0, 1, 2, 3, 4]) } else { 0 },
        serializable: dice.one_in(4),
        keys_only: dice.one_in(6),
        count_only: dice.one_in(8),
        min_mod_revision: world.bound(dice),
        max_mod_revision: world.bound(dice),
        min_create_revision: world.bound(dice),
        max_create_revision: world.bound(dice),
    }
}

/// `may_keep`: it may ask for the value or lease that is there.
pub(crate) fn put(world: &World, dice: &mut Dice, may_keep: bool) -> pb::PutRequest {
    let ignore_value = may_keep && dice.one_in(8);
    let ignore_lease = may_keep && dice.one_in(8);
    pb::PutRequest {
        key: world.key(dice),
        value: if ignore_value && !dice.one_in(8) { Bytes::new() } else { value(dice) },
        lease: if ignore_lease && !dice.one_in(8) { 0 } else { world.lease(dice) },
        prev_kv: dice.one_in(3),
        ignore_value,
        ignore_lease,
    }
}

/// Mostly short, so that values are often equal; sometimes large, rarely too large.
fn value(dice: &mut Dice) -> Bytes {
    let length = match dice.below(4000) {
        0 => 1_572_864 + 10,
        1 => 2_097_152 + 10,
        2 => 1_572_864 - 1000,
        3..6 => 400_000,
        6..20 => 20_000,
        20..200 => 300,
        _ => dice.below(3) as usize,
    };
    vec![b'a' + dice.below(3) as u8; length].into()
}

pub(crate) fn delete(world: &World, dice: &mut Dice) -> pb::DeleteRangeRequest {
    let key = world.key(dice);
    // Seldom so much that nothing is left.
    let range_end = if dice.one_in(3) { world.end(dice, &key) } else { Bytes::new() };
    pb::DeleteRangeRequest { key, range_end, prev_kv: dice.one_in(2) }
}

fn compact(world: &World, dice: &mut Dice) -> pb::CompactionRequest {
    let revision = match dice.below(5) {
        0 => world.past(dice),
        1 => world.revision,
        _ => dice.between(world.compacted, world.revision),
    };
    pb::CompactionRequest { revision, physical: dice.one_in(2) }
}

fn grant(world: &World, dice: &mut Dice) -> pb::LeaseGrantRequest {
    // Where space lacks, too, etcd says that first; see DIFFERENCES.md.
    let ttl = match !world.is_full && dice.one_in(12) {
        true => dice.pick(&[TOO_LONG, TOO_LONG - 1, i64::MAX]),
        false => dice.between(3000, 90_000),
    };
    pb::LeaseGrantRequest { ttl, id: if dice.one_in(2) { dice.pick(&CHOSEN) } else { 0 } }
}

fn alarm(dice: &mut Dice) -> pb::AlarmRequest {
    let action = dice.pick(&[0, 0, 0, 1, 2]);
    let alarm = if action == 0 { dice.pick(&[0, 1, 2]) } else { 1 };
    pb::AlarmRequest { action, member_id: if action == 0 { 0 } else { ITSELF }, alarm }
}
