//! Faults in English, a line each: the first thing that is read of a seed that failed.

use std::fmt;
use std::time::Duration;

use kvorum_core::Time;
use kvorum_storage::faulty::Survivors;

use super::fault::{Act, Fault, Rot, Shape, Trigger, When, Who};

/// A time in seconds, to the millisecond.
struct At(Time);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.0.as_nanos() as f64 / 1e9)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}: {} {}", self.number, self.when, self.who, self.what)
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::At(at) => write!(f, "at {}", At(*at)),
            When::Next { trigger, from, nth: 1 } => write!(f, "once {trigger}, from {} on", At(*from)),
            When::Next { trigger, from, nth } => {
                write!(f, "once {trigger} for time {nth}, from {} on", At(*from))
            }
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trigger::Voted => "a node has voted",
            Trigger::Synced => "a disk has synced and its node has not heard of it",
            Trigger::Led => "a node has begun to lead",
            Trigger::Acknowledged => "a node has acknowledged entries",
            Trigger::ImageSaving => "an image is being saved",
            Trigger::ImageArriving => "an image is coming in",
            Trigger::ImageArrived => "an image has come in",
            Trigger::ReadAsked => "a read round is asked for",
            Trigger::RenewalAsked => "a renewal is asked for",
            Trigger::Renewed => "a renewal is acknowledged",
            Trigger::Transferred => "leadership is being handed over",
            Trigger::Applied => "a node has applied an entry",
            Trigger::Answered => "a client has been answered",
            Trigger::Segment => "a log segment has begun",
        })
    }
}

impl Trigger {
    /// Its name, as counts call it.
    pub fn name(self) -> &'static str {
        match self {
            Trigger::Voted => "on vote",
            Trigger::Synced => "on sync",
            Trigger::Led => "on election",
            Trigger::Acknowledged => "on acknowledgement",
            Trigger::ImageSaving => "on image saving",
            Trigger::ImageArriving => "on image arriving",
            Trigger::ImageArrived => "on image arrived",
            Trigger::ReadAsked => "on read asked",
            Trigger::RenewalAsked => "on renewal asked",
            Trigger::Renewed => "on renewal",
            Trigger::Transferred => "on transfer",
            Trigger::Applied => "on apply",
            Trigger::Answered => "on answer",
            Trigger::Segment => "on segment",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Node(node) => write!(f, "node {node}"),
            Who::Leader => f.write_str("the leader"),
            Who::Follower => f.write_str("a follower"),
            Who::Trigger => f.write_str("that node"),
            Who::Minority => f.write_str("each of a minority"),
            Who::Everybody => f.write_str("everybody"),
        }
    }
}

fn left(survivors: Survivors) -> &'static str {
    match survivors {
        Survivors::Nothing => "nothing unsynced is left",
        Survivors::Everything => "everything unsynced is left",
        Survivors::Prefix => "a first part of what was unsynced is left",
        Survivors::Subset => "any of the unsynced sectors are left",
    }
}

struct Power(Option<Survivors>);

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("dies"),
            Some(survivors) => write!(f, "loses power, {},", left(survivors)),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Split(side) => {
                let nodes: Vec<u32> = (1..64).filter(|node| side >> node & 1 == 1).collect();
                write!(f, "sees {nodes:?} cut off from the rest")
            }
            Shape::Isolate => f.write_str("reaches nobody and is reached by nobody"),
            Shape::Deaf => f.write_str("is reached by nobody"),
            Shape::Mute => f.write_str("reaches nobody"),
            Shape::Pair => f.write_str("and one other do not reach each other"),
            Shape::OneWay => f.write_str("does not reach one other, who still reaches it"),
        }
    }
}

/// A duration to three digits, which is enough for people.
fn short(duration: &Duration) -> String {
    let millis = duration.as_micros() as f64 / 1e3;
    if millis < 1e3 { format!("{millis} ms") } else { format!("{:.2} s", millis / 1e3) }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Kill { down } => write!(f, "is killed, back after {}", short(down)),
            Act::LosePower { survivors, down } => {
                write!(f, "{} back after {}", Power(Some(*survivors)), short(down))
            }
            Act::Tear { operations, survivors, down } => {
                let what = Power(*survivors);
                write!(
                    f,
                    "{what} {operations} operations into what its disk was to do, back after {}",
                    short(down)
                )
            }
            Act::Pause { lasts } => write!(f, "stands still for {}", short(lasts)),
            Act::SlowCpu { turn, lasts } => {
                write!(f, "takes {} for each turn, for {}", short(turn), short(lasts))
            }
            Act::Partition { shape, lasts } => write!(f, "{shape}, for {}", short(lasts)),
            Act::BadLink { loss, duplicate, slowest, lasts } => write!(
                f,
                "has links that lose {loss} and repeat {duplicate} of 1000 and take up to {}, for {}",
                short(slowest),
                short(lasts)
            ),
            Act::Clog { lasts } => {
                write!(f, "has clogged links, which let everything through at once after {}", short(lasts))
            }
            Act::Replay { count, old, within } => {
                let age = if *old { "old" } else { "recent" };
                write!(f, "gets {count} {age} packets again within {}", short(within))
            }
            Act::Corrupt { permille, lasts } => {
                write!(f, "has links that damage {permille} of 1000 packets, for {}", short(lasts))
            }
            Act::Drift { ppm } => write!(f, "has a clock that runs {ppm} ppm fast from now on"),
            Act::Jump { by } => write!(f, "has a monotonic clock that jumps {} forward", short(by)),
            Act::Freeze { lasts } => {
                write!(f, "has a monotonic clock that stands still for {}", short(lasts))
            }
            Act::SlowDisk { by, lasts } => {
                write!(f, "has a disk whose syncs take up to {} longer, for {}", short(by), short(lasts))
            }
            Act::HoldDisk { lasts } => write!(f, "has a disk that does nothing for {}", short(lasts)),
            Act::FailWrite { operation } => write!(f, "has a disk whose next {operation:?} fails"),
            Act::FailRead { at_start: true, after } => {
                write!(f, "is killed, and read {after} of its next start fails")
            }
            Act::FailRead { at_start: false, after } => {
                write!(f, "has a disk that fails a read after {after} others")
            }
            Act::FillDisk { room, lasts } => {
                write!(f, "has a disk that is full but for {room} bytes, for {}", short(lasts))
            }
            Act::Rot { place, bits, down } => {
                let place = match place {
                    Rot::Log => "its log",
                    Rot::Image => "its image",
                    Rot::Identity => "its identity",
                };
                write!(f, "is killed, and {bits} bits of {place} rot; back after {}", short(down))
            }
            Act::Wipe { down } => write!(f, "loses its disk, back with an empty one after {}", short(down)),
            Act::OldDisk { after, down } => write!(
                f,
                "gets back its disk of this moment {} later, back after {}",
                short(after),
                short(down)
            ),
            Act::Transfer => f.write_str("is to become the leader, says an operator"),
            Act::LiftNoSpace => f.write_str("is asked by an operator to let the store grow again"),
        }
    }
}
