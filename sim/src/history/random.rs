//! Small histories that are true, because a store made them, and every kind of request, overlap and ending in
//! them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::op::{
    Compare, Delete, KeyValue, Op, Operand, Order, Outcome, Put, Range, Relation, Request, Response, Span,
    Target, Txn,
};
use super::oracle::act;
use super::{Change, EventLog, Revision};

/// Numbers that a seed decides.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(mix(seed.wrapping_add(1)))
    }

    /// A number below `limit`; 0 if that is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mix(self.0) % limit.max(1) as u64) as usize
    }

    /// Whether something happens that happens so many times in a hundred.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// Spreads a number over all bits, so that seeds that follow each other have nothing in common.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A history and what it is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Story {
    /// What revision 2 changed, and so on.
    pub(super) log: Vec<Vec<Change>>,
    pub(super) ops: Vec<Op>,
    pub(super) ends: Option<BTreeMap<Revision, i64>>,
}

impl Story {
    /// The log as judges want it; revisions that change nothing are left out.
    pub(super) fn event_log(&self) -> EventLog {
        let mut log = EventLog::new();
        for changes in &self.log {
            // Only an empty revision is refused, and is meant to be left out.
            let _ = log.push(log.newest() + 1, changes.clone());
        }
        log
    }
}

const KEYS: [&[u8]; 4] = [b"a", b"b", b"bb", b"c"];
const VALUES: [&[u8]; 3] = [b"0", b"1", b"2"];
const LEASES: [i64; 5] = [0, 0, 0, 7, 9];

pub(super) fn key(dice: &mut Dice) -> Bytes {
    Bytes::from_static(dice.pick(&KEYS))
}

pub(super) fn value(dice: &mut Dice) -> Bytes {
    Bytes::from_static(dice.pick(&VALUES))
}

fn span(dice: &mut Dice) -> Span {
    match dice.below(6) {
        0 | 1 => Span::from(key(dice)),
        2 => Span::between(key(dice), key(dice)),
        _ => Span::one(key(dice)),
    }
}

/// A revision near those that a small history has; mostly 0, which is none.
fn revision(dice: &mut Dice, percent: usize) -> Revision {
    if dice.chance(percent) { dice.below(6) as Revision } else { 0 }
}

fn range(dice: &mut Dice) -> Range {
    Range {
        span: if dice.chance(50) { Span::from(Bytes::from_static(b"a")) } else { span(dice) },
        revision: revision(dice, 20),
        limit: if dice.chance(30) { dice.below(4) as i64 - 1 } else { 0 },
        order: dice.pick(&[Order::None, Order::None, Order::Ascend, Order::Descend]),
        target: dice.pick(&[
            Target::Key,
            Target::Key,
            Target::Version,
            Target::Create,
            Target::Mod,
            Target::Value,
        ]),
        count_only: dice.chance(8),
        keys_only: dice.chance(8),
        min_mod: revision(dice, 5),
        max_mod: revision(dice, 5),
        min_create: revision(dice, 5),
        max_create: revision(dice, 5),
        serializable: dice.chance(25),
    }
}

fn put(dice: &mut Dice) -> Put {
    let (ignore_value, ignore_lease) = (dice.chance(7), dice.chance(7));
    Put {
        key: key(dice),
        value: if ignore_value { Bytes::new() } else { value(dice) },
        lease: if ignore_lease { 0 } else { dice.pick(&LEASES) },
        prev_kv: dice.chance(30),
        ignore_value,
        ignore_lease,
    }
}

fn compare(dice: &mut Dice) -> Compare {
    let small = dice.below(4) as i64;
    let operand = match dice.below(5) {
        0 => Operand::Version(small),
        1 => Operand::Create(small + 1),
        2 => Operand::Mod(small + 1),
        3 => Operand::Lease(dice.pick(&LEASES)),
        _ => Operand::Value(value(dice)),
    };
    let relation = dice.pick(&[Relation::Equal, Relation::NotEqual, Relation::Less, Relation::Greater]);
    Compare { span: span(dice), relation, operand }
}

fn branch(dice: &mut Dice, depth: usize) -> Vec<Request> {
    (0..dice.below(3)).map(|_| request(dice, depth + 1)).collect()
}

fn request(dice: &mut Dice, depth: usize) -> Request {
    match dice.below(if depth > 1 { 80 } else { 100 }) {
        0..33 => Request::Put(put(dice)),
        33..48 => Request::Delete(Delete { span: span(dice), prev_kv: dice.chance(30) }),
        48..78 => Request::Range(range(dice)),
        78..80 => Request::Glance,
        _ => Request::Txn(Txn {
            compares: (0..dice.below(3)).map(|_| compare(dice)).collect(),
            success: branch(dice, depth),
            failure: branch(dice, depth),
        }),
    }
}

/// What happens at a moment.
enum Event {
    /// A request arrives at the store.
    Arrives(usize),
    /// A lease ends.
    Ends(i64),
}

/// How an attempt is going to end, if the store does not refuse it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// It arrives, and nobody hears of it.
    Unheard,
    /// It never arrives, and nobody knows.
    Lost,
    /// It never arrives, and that is known.
    Refused,
}

/// A true history.
pub(super) fn story(dice: &mut Dice) -> Story {
    let mut ops = Vec::new();
    let mut events = Vec::new();
    let mut clocks = [0u64; 3];
    for _ in 0..2 + dice.below(6) {
        ask(dice, &mut ops, &mut events, &mut clocks);
    }
    for _ in 0..dice.below(3) {
        events.push((dice.below(80) as u64, Event::Ends(dice.pick(&LEASES))));
    }
    events.sort_by_key(|(at, _)| *at);
    let mut world =
        World { log: Vec::new(), ends: BTreeMap::new(), states: vec![Vec::new()], done: BTreeMap::new() };
    let mut applied = [1; 3];
    for (_, event) in events {
        match event {
            Event::Ends(lease) => world.end(lease),
            Event::Arrives(at) => world.arrive(dice, &mut ops[at], &mut applied),
        }
    }
    let ends = dice.chance(50).then_some(world.ends);
    Story { log: world.log, ops, ends }
}

/// One request by one client, in one attempt or several.
fn ask(dice: &mut Dice, ops: &mut Vec<Op>, events: &mut Vec<(u64, Event)>, clocks: &mut [u64; 3]) {
    let client = dice.below(clocks.len());
    let request = request(dice, 0);
    let attempts = if dice.chance(15) { 2 + dice.below(2) } else { 1 };
    let number = ops.len() as u64;
    for _ in 0..attempts {
        let call = clocks[client] + dice.below(12) as u64;
        let arrives = call + dice.below(20) as u64;
        let ret = arrives + dice.below(12) as u64;
        let fate = dice.pick(&[Fate::Answered, Fate::Answered, Fate::Answered, Fate::Unheard]);
        let fate = if dice.chance(14) { dice.pick(&[Fate::Lost, Fate::Refused]) } else { fate };
        let outcome = match fate {
            Fate::Answered => Outcome::Answered { revision: 0, response: Response::Glance },
            Fate::Unheard | Fate::Lost => Outcome::Unknown,
            Fate::Refused => Outcome::Refused,
        };
        if fate == Fate::Answered || fate == Fate::Unheard {
            let late = if fate == Fate::Unheard { dice.below(40) as u64 } else { 0 };
            events.push((arrives + late, Event::Arrives(ops.len())));
        }
        clocks[client] = if fate == Fate::Unheard { call + 2 } else { ret };
        ops.push(Op {
            client: client as u64,
            attempt_of: (attempts > 1 || dice.chance(10)).then_some(number),
            member: dice.chance(70).then(|| dice.below(2) as u64),
            incarnation: u64::from(call > 30),
            call,
            ret,
            request: request.clone(),
            outcome,
        });
    }
}

struct World {
    log: Vec<Vec<Change>>,
    ends: BTreeMap<Revision, i64>,
    states: Vec<Vec<KeyValue>>,
    /// The answers to deduplicated requests; none if it was refused.
    done: BTreeMap<u64, Option<(Revision, Response)>>,
}

impl World {
    fn now(&self) -> Revision {
        self.states.len() as Revision
    }

    fn end(&mut self, lease: i64) {
        let Some(pairs) = self.states.last().filter(|_| lease != 0) else { return };
        let (gone, left): (Vec<_>, Vec<_>) = pairs.iter().cloned().partition(|pair| pair.lease == lease);
        if !gone.is_empty() {
            self.log.push(gone.into_iter().map(|pair| Change::Delete { key: pair.key }).collect());
            self.states.push(left);
            self.ends.insert(self.now(), lease);
        }
    }

    fn arrive(&mut self, dice: &mut Dice, op: &mut Op, applied: &mut [Revision; 3]) {
        let number = op.attempt_of.filter(|_| !op.request.is_read());
        let repeated = number.and_then(|number| self.done.get(&number).cloned());
        let result = match repeated {
            Some(result) => result,
            None if op.request.is_local() => {
                // No member is remembered as the third one, which is always up to date.
                let newest = self.now();
                let at = &mut applied[op.member.map_or(2, |member| member as usize)];
                *at = if dice.chance(60) {
                    newest
                } else {
                    *at + dice.below((newest - *at) as usize + 1) as i64
                };
                let states = &self.states[..*at as usize];
                let mut pairs = states[states.len() - 1].clone();
                act(&op.request, states, &mut pairs, &mut Vec::new()).map(|response| (*at, response))
            }
            None => self.run(&op.request),
        };
        if let Some(number) = number {
            self.done.insert(number, result.clone());
        }
        if matches!(op.outcome, Outcome::Answered { .. }) {
            op.outcome = match result {
                Some((revision, response)) => Outcome::Answered { revision, response },
                None => Outcome::Refused,
            };
        }
    }

    fn run(&mut self, request: &Request) -> Option<(Revision, Response)> {
        let mut pairs = self.states[self.states.len() - 1].clone();
        let mut changes = Vec::new();
        let response = act(request, &self.states, &mut pairs, &mut changes)?;
        if !changes.is_empty() {
            self.log.push(changes);
            self.states.push(pairs);
        }
        Some((self.now(), response))
    }
}
