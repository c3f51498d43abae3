//! One fault of a made-up plan, drawn from the seed and the fault's number and from nothing else.

use std::time::Duration;

use kvorum_core::Time;
use kvorum_storage::faulty::{Operation, Survivors};

use super::fault::{Act, Rot, Shape, Trigger, When, Who};
use super::swarm::{Class, Drawn, Frame, Outside};
use crate::rng::Stream;

pub(super) struct Draw<'a> {
    pub(super) stream: Stream,
    pub(super) frame: &'a Frame,
    pub(super) at: Time,
    /// Of 1000 faults, how many wait for a moment.
    pub(super) triggered: u64,
}

/// An election timeout of the usual configuration.
const ELECTION_MILLIS: u64 = 1000;

const SURVIVORS: [Survivors; 4] =
    [Survivors::Nothing, Survivors::Everything, Survivors::Prefix, Survivors::Subset];

impl Draw<'_> {
    /// The fault; `None`: nothing of this kind fits the frame.
    pub(super) fn fault(&mut self, class: Class) -> Option<Drawn> {
        let when = self.when(class);
        let who = self.who(when);
        let what = match class {
            Class::Crash => self.crash(),
            Class::Outage => return Some(self.outage(when)),
            Class::Pause => self.pause(),
            Class::Partition => self.partition(),
            Class::Link => self.link(),
            Class::Replay => self.replay(),
            Class::Clock => self.drift(),
            Class::SlowDisk => self.slow_disk(),
            Class::Disk => self.disk(),
            Class::Loss => return self.loss(),
            Class::Operator => self.operator(),
        };
        Some((when, who, what))
    }

    fn when(&mut self, class: Class) -> When {
        let (is_triggered, kind, nth) =
            (self.stream.chance(self.triggered), self.stream.any(), self.stream.pick(&[1, 1, 1, 2, 5, 30]));
        let fits = !matches!(class, Class::Loss | Class::Clock | Class::Operator);
        if !is_triggered || !fits {
            return When::At(self.at);
        }
        let trigger = Trigger::ALL[(kind % Trigger::ALL.len() as u64) as usize];
        // What happens all the time is waited for a little longer, or it would always strike at once.
        let is_common = matches!(
            trigger,
            Trigger::Synced
                | Trigger::Acknowledged
                | Trigger::ReadAsked
                | Trigger::Applied
                | Trigger::Answered
        );
        When::Next { trigger, from: self.at, nth: if is_common { nth } else { 1 } }
    }

    fn who(&mut self, when: When) -> Who {
        let node = Who::Node(self.stream.between(1, self.frame.nodes));
        let timed =
            [node, node, node, Who::Leader, Who::Leader, Who::Follower, Who::Minority, Who::Everybody];
        let (usual, other) = (self.stream.chance(700), self.stream.pick(&timed));
        match when {
            When::Next { .. } if usual => Who::Trigger,
            _ => other,
        }
    }

    fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.stream.between(low, high))
    }

    /// How long something lasts: mostly not long, sometimes ten election timeouts.
    fn lasts(&mut self) -> Duration {
        let most = self.stream.pick(&[100, 1_000, 1_000, 3_000, 5_000, 10 * ELECTION_MILLIS]);
        self.millis(10, most)
    }

    fn down(&mut self) -> Duration {
        let most = self.stream.pick(&[1, 100, 1_000, 4_000, 10_000]);
        Duration::from_millis(1) + self.millis(0, most)
    }

    fn crash(&mut self) -> Act {
        let (kind, operations, survivors) =
            (self.stream.below(10), self.stream.below(5), self.stream.pick(&SURVIVORS));
        let down = self.down();
        match kind {
            0..3 => Act::Kill { down },
            3..6 => Act::LosePower { survivors, down },
            6..8 => Act::Tear { operations, survivors: None, down },
            _ => Act::Tear { operations, survivors: Some(survivors), down },
        }
    }

    fn outage(&mut self, when: When) -> Drawn {
        let who = if self.stream.chance(700) { Who::Everybody } else { Who::Minority };
        let what = match self.crash() {
            Act::Kill { down } => Act::LosePower { survivors: Survivors::Nothing, down },
            other => other,
        };
        (when, who, what)
    }

    fn pause(&mut self) -> Act {
        if self.stream.chance(600) {
            return Act::Pause { lasts: self.lasts() };
        }
        // A turn takes some tens of microseconds of a healthy processor.
        let turn = Duration::from_micros(self.stream.pick(&[500, 2_000, 10_000, 50_000]));
        Act::SlowCpu { turn, lasts: self.lasts() }
    }

    fn partition(&mut self) -> Act {
        let side = self.stream.any() & ((2 << self.frame.nodes) - 2);
        let shapes =
            [Shape::Split(side), Shape::Isolate, Shape::Deaf, Shape::Mute, Shape::Pair, Shape::OneWay];
        let shape = self.stream.pick(&shapes);
        let most = self.stream.pick(&[500, 3_000, 8_000, 15_000]);
        Act::Partition { shape, lasts: self.millis(50, most) }
    }

    fn link(&mut self) -> Act {
        if self.stream.chance(350) {
            return Act::Clog { lasts: self.millis(20, 5_000) };
        }
        let loss = self.stream.pick(&[0, 50, 300, 600]);
        let duplicate = self.stream.pick(&[0, 100, 500]);
        let slowest = Duration::from_millis(self.stream.pick(&[1, 20, 300, 2_000, 5_000]));
        Act::BadLink { loss, duplicate, slowest, lasts: self.lasts() }
    }

    fn replay(&mut self) -> Act {
        if self.stream.chance(250) {
            let permille = self.stream.pick(&[20, 200, 500]);
            return Act::Corrupt { permille, lasts: self.lasts() };
        }
        let (count, old) = (self.stream.pick(&[1, 10, 50, 200]), self.stream.chance(500));
        Act::Replay { count, old, within: self.millis(0, 500) }
    }

    fn drift(&mut self) -> Act {
        let ppm = self.stream.pick(&[0, 100, 10_000, 50_000]);
        Act::Drift { ppm: if self.stream.chance(500) { ppm } else { -ppm } }
    }

    fn slow_disk(&mut self) -> Act {
        if self.stream.chance(400) {
            return Act::HoldDisk { lasts: self.lasts() };
        }
        let by = Duration::from_millis(self.stream.pick(&[5, 50, 500, 3_000, 10_000]));
        Act::SlowDisk { by, lasts: self.lasts() }
    }

    fn disk(&mut self) -> Act {
        let after = self.stream.below(8);
        match self.stream.below(10) {
            0..2 => Act::FailWrite { operation: Operation::Append },
            2..5 => Act::FailWrite { operation: Operation::Sync },
            5 => {
                let rest = [Operation::Create, Operation::Rename, Operation::Remove, Operation::SyncDir];
                Act::FailWrite { operation: self.stream.pick(&rest) }
            }
            6 => Act::FailRead { at_start: true, after },
            7 => Act::FailRead { at_start: false, after },
            _ => {
                let room = self.stream.pick(&[0, 1_000, 10_000, 50_000]);
                Act::FillDisk { room, lasts: self.millis(100, 8_000) }
            }
        }
    }

    fn operator(&mut self) -> Act {
        if self.stream.chance(850) { Act::Transfer } else { Act::LiftNoSpace }
    }

    fn loss(&mut self) -> Option<Drawn> {
        let when = When::At(self.at);
        let any = self.stream.between(1, self.frame.nodes);
        let down = self.millis(1, 3_000);
        match self.frame.outside {
            Some(Outside::OldDisks) if self.stream.chance(600) => {
                let after = self.millis(100, 10_000);
                return Some((when, Who::Node(any), Act::OldDisk { after, down }));
            }
            Some(Outside::Clocks) if self.stream.chance(900) => {
                let what = match self.stream.below(3) {
                    0 => Act::Jump { by: self.millis(10, 60_000) },
                    1 => Act::Freeze { lasts: self.lasts() },
                    _ => Act::Drift { ppm: self.stream.pick(&[100_000, 500_000, -100_000, -500_000]) },
                };
                return Some((when, Who::Node(any), what));
            }
            _ => {}
        }
        if self.frame.victims.is_empty() {
            return None;
        }
        let node = self.stream.pick(&self.frame.victims);
        // A wipe is recognized by those who knew the old directory: they are given time to get to know it.
        let is_early = self.at < Time::ZERO + Duration::from_secs(8);
        let what = if self.stream.chance(300) && !is_early {
            Act::Wipe { down }
        } else {
            let place =
                self.stream.pick(&[Rot::Log, Rot::Log, Rot::Log, Rot::Image, Rot::Image, Rot::Identity]);
            Act::Rot { place, bits: self.stream.pick(&[1, 1, 3, 40]), down }
        };
        Some((when, Who::Node(node), what))
    }
}
