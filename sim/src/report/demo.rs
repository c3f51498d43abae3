//! A made-up run with something of everything, for whoever works on the page. Nothing in it was rehearsed.

use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::node::Role;

use crate::rng::{Purpose, Rng, Stream};
use crate::timeline::{Lane, Timeline, Told, What};
use crate::{Checker, Run, Violation};

const NODES: u64 = 5;
const CLIENTS: u64 = 6;

struct Demo {
    chance: Stream,
    moments: Vec<(u64, Lane, What)>,
    calls: u64,
}

/// A run that never was: a seed with an even number breaks a promise.
#[doc(hidden)]
pub fn demo(seed: u64) -> Run {
    let chance = Rng::new(seed).stream(Purpose::Swarm, 0);
    let mut demo = Demo { chance, moments: Vec::new(), calls: 0 };
    let faults = demo.faults();
    (1..=NODES).for_each(|node| demo.node(node));
    demo.leaders();
    (1..=CLIENTS).for_each(|client| demo.client(client));
    demo.add(21_000, Lane::World, What::Note("the service moves shard <7> to node 4".into()));
    demo.moments.sort_by_key(|(at, _, _)| *at);
    let mut timeline = Timeline::default();
    timeline.begin();
    for (at, lane, what) in demo.moments {
        timeline.note(Time::from_nanos(at * 1000), lane, || what);
    }
    let broken = seed.is_multiple_of(2).then(|| {
        let promised = "L1: a read sees every write that was acknowledged before it was asked";
        let seen = "client 3 read key <k3> at revision 1512 and got \"v\u{2026}88\" of revision 1490, \
                    although client 1 was told of revision 1508 before the read was sent";
        Violation::new(Checker::History, promised, seen).at(Time::from_nanos(41_327_561_000)).on(2)
    });
    Run {
        replay: format!("the same seed: {seed}"),
        is_outside: false,
        seed,
        nodes: NODES,
        simulated: Duration::from_millis(64_210),
        faults,
        counts: [("acknowledged", 9120), ("crashes", 4), ("leaders", 5), ("sometimes/split vote", 1)].into(),
        trace: "0f1e2d3c4b5a69788796a5b4c3d2e1f0".into(),
        violation: broken,
        timeline,
    }
}

impl Demo {
    /// Notes something at a time in milliseconds; moments are kept in microseconds.
    fn add(&mut self, millis: u64, lane: Lane, what: What) {
        self.moments.push((millis * 1000, lane, what));
    }

    fn faults(&mut self) -> Vec<String> {
        let plan: [(u64, u64, &str); 9] = [
            (3_000, 4_500, "links from 1 to 2 and 3 are cut one way"),
            (7_200, 15_000, "2 | 1 3 4 5: node 2 is cut off"),
            (9_000, 0, "node 4 loses power after its next sync"),
            (18_500, 21_000, "node 3 is paused"),
            (24_000, 38_000, "every link loses 12 % and doubles 30 %"),
            (26_000, 0, "node 1 crashes right after a vote"),
            (33_000, 0, "a bit rots in node 5's log"),
            (40_100, 44_000, "1 2 | 3 4 5: <two halves>"),
            (52_000, 0, "node 2 crashes"),
        ];
        for (number, (from, to, words)) in plan.into_iter().enumerate() {
            // The seventh is left out of the world: it never strikes.
            if number != 8 {
                self.add(from, Lane::World, What::Fault(number, words.into()));
            }
            if to > 0 {
                self.add(to, Lane::World, What::Over(number));
            }
        }
        plan.iter().map(|(_, _, words)| (*words).to_string()).collect()
    }

    fn node(&mut self, id: u64) {
        let lane = Lane::Node(id);
        self.add(id - 1, lane.clone(), What::Started);
        let crash = match id {
            4 => Some((9_140, 12_600, "power lost, 3 unsynced writes gone")),
            1 => Some((26_010, 29_000, "killed")),
            _ => None,
        };
        if let Some((from, to, how)) = crash {
            self.add(from, lane.clone(), What::Ended(how.into()));
            self.add(to, lane.clone(), What::Started);
        }
        if id == 5 {
            let why = "log: record 8123 has a checksum of its own, and good records follow it";
            self.add(35_400, lane.clone(), What::Halted(why.into()));
            self.add(47_000, lane.clone(), What::Started);
        }
        if id == 3 {
            self.add(18_500, lane.clone(), What::Paused);
            self.add(21_000, lane.clone(), What::Resumed);
        }
        for at in (600..64_000).step_by(250) {
            let down = crash.is_some_and(|(from, to, _)| (from..to).contains(&at))
                || id == 5 && (35_400..47_000).contains(&at)
                || id == 2 && (7_200..15_000).contains(&at)
                || id == 3 && (18_500..21_000).contains(&at);
            if !down {
                self.add(at, lane.clone(), What::Commit(at / 8, (at / 9) as i64));
            }
        }
    }

    fn leaders(&mut self) {
        let reigns =
            [(480, 1, 2), (3_600, 4, 4), (9_600, 3, 5), (19_400, 1, 7), (26_700, 2, 8), (40_900, 4, 10)];
        for (at, leader, term) in reigns {
            self.add(at - 70, Lane::Node(leader), What::Role(Role::Candidate, term));
            self.add(at, Lane::Node(leader), What::Role(Role::Leader, term));
            for id in (1..=NODES).filter(|id| *id != leader) {
                let is_cut_off = id == 2 && (7_200..15_000).contains(&at) || id == 1 && at == 40_900;
                let is_down = id == 1 && at == 26_700
                    || id == 3 && at == 19_400
                    || id == 5 && at == 40_900
                    || id == 4 && at == 9_600;
                if !is_cut_off && !is_down {
                    self.add(at + 5 + id, Lane::Node(id), What::Role(Role::Follower, term));
                }
            }
        }
        self.add(15_200, Lane::Node(2), What::Role(Role::Candidate, 5));
        self.add(15_300, Lane::Node(2), What::Role(Role::Follower, 5));
        self.add(21_050, Lane::Node(3), What::Role(Role::Follower, 7));
        self.add(12_700, Lane::Node(4), What::Role(Role::Follower, 5));
        self.add(29_200, Lane::Node(1), What::Role(Role::Follower, 8));
        self.add(47_300, Lane::Node(5), What::Role(Role::Follower, 10));
    }

    fn client(&mut self, client: u64) {
        let lane = Lane::Client(format!("client {client}"));
        let mut at = 700_000 + client * 3_000;
        while at < 63_000_000 {
            self.calls += 1;
            let (number, key) = (self.calls, self.chance.below(10));
            let asked = match self.chance.below(4) {
                0 => format!("put k{key} = v{number}"),
                1 => format!("get k{key}"),
                2 => format!("delete k{key}"),
                _ => format!("txn if k{key} is v{} then put k{key} = <script>", number / 2),
            };
            self.moments.push((at, lane.clone(), What::Call(number, asked)));
            let is_bad_time = (9_100_000..9_700_000).contains(&at) || (40_100_000..41_500_000).contains(&at);
            let (took, told, answer) = match self.chance.below(100) {
                n if is_bad_time && n < 60 => (1_500_000, Told::Unknown, "timed out".into()),
                0 => (2_000, Told::Refused, "compacted: revision 800".into()),
                1 if client == 6 => (0, Told::Done, String::new()),
                _ => (2_000 + self.chance.below(9_000), Told::Done, format!("revision {}", at / 9_000)),
            };
            if took > 0 {
                self.moments.push((at + took, lane.clone(), What::Return(number, told, answer)));
            }
            at += took + 500 + self.chance.below(80_000);
        }
    }
}
