//! Random watches. What it will never know: what they see.

use kvorum_gateway::pb::etcdserverpb as pb;
use pb::watch_request::RequestUnion;

use crate::dice::Dice;
use crate::world::World;

/// How many a stream has before old ones are ended.
const MANY: usize = 8;

/// How far ahead a watch may begin. etcd tells no progress as long as one has not begun.
pub(crate) const AHEAD: i64 = 5;

/// The watches that may be open on a stream, by their numbers.
#[derive(Default)]
pub(crate) struct Watches {
    open: Vec<i64>,
    /// One was opened since the last look that ends at once.
    has_early: bool,
}

impl Watches {
    /// What to ask next: to open one, mostly, until there are many.
    pub(crate) fn next(&mut self, world: &World, dice: &mut Dice) -> RequestUnion {
        if self.open.len() >= MANY || (!self.open.is_empty() && dice.one_in(4)) {
            let at = dice.below(self.open.len() as u64) as usize;
            let watch_id = self.open.remove(at);
            return RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id });
        }
        let mut ask = create(world, dice);
        // When one that begins too early ends, and its number is free again, is a matter of time in etcd.
        let is_early = (1..world.compacted).contains(&ask.start_revision);
        self.has_early |= is_early;
        if dice.one_in(4) && !self.has_early {
            ask.watch_id = dice.pick(&[-7, 3, 4, 77]);
        }
        RequestUnion::CreateRequest(ask)
    }

    /// All have said what they had to say.
    pub(crate) fn looked_at(&mut self) {
        self.has_early = false;
    }

    /// One was opened.
    pub(crate) fn opened(&mut self, id: i64) {
        // The stream's own stays.
        if id == crate::follow::NEVER {
            return;
        }
        self.open.push(id);
    }

    /// One has ended.
    pub(crate) fn ended(&mut self, id: i64) {
        self.open.retain(|open| *open != id);
    }
}

fn create(world: &World, dice: &mut Dice) -> pb::WatchCreateRequest {
    let key = world.key(dice);
    let (key, range_end) = match dice.below(3) {
        0 => (b"\0"[..].into(), b"\0"[..].into()),
        1 => (key.clone(), world.end(dice, &key)),
        _ => (key, bytes::Bytes::new()),
    };
    let start_revision = match dice.below(8) {
        0..3 => 0,
        3 => world.revision + dice.between(0, AHEAD),
        4 => world.compacted,
        5 => dice.pick(&[-1, 1]),
        _ => dice.between(world.compacted.max(1), world.revision),
    };
    let filters = if dice.one_in(3) { dice.pick(&[&[0][..], &[1], &[0, 1], &[1, 1], &[9]]) } else { &[] };
    pb::WatchCreateRequest {
        key,
        range_end,
        start_revision,
        progress_notify: dice.one_in(3),
        filters: filters.to_vec(),
        prev_kv: dice.one_in(2),
        watch_id: 0,
        fragment: dice.one_in(2),
    }
}
