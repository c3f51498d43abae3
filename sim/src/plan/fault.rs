//! One fault: when, to whom, what. What leaves a choice to the moment (who leads? which bytes?) is drawn from
//! the plan's seed and the fault's number when it strikes.

use std::time::Duration;

use kvorum_core::Time;
use kvorum_core::ids::NodeId;
use kvorum_storage::faulty::{Operation, Survivors};

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Tells it from all others of its plan, for good.
    pub number: usize,
    /// When it strikes.
    pub when: When,
    /// Whom.
    pub who: Who,
    /// What happens.
    pub what: Act,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At a time.
    At(Time),
    /// At a moment that matters, wherever it comes.
    Next {
        /// Which.
        trigger: Trigger,
        /// Not before this time.
        from: Time,
        /// The how manieth since then; 1: the first.
        nth: u64,
    },
}

impl When {
    /// The first moment at which it may strike.
    pub fn earliest(&self) -> Time {
        match self {
            When::At(at) | When::Next { from: at, .. } => *at,
        }
    }
}

/// A moment at which a process that ends is most likely to break a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Trigger {
    /// A node has just sent its vote.
    Voted,
    /// A node's disk has synced, and the node has not heard of it.
    Synced,
    /// A node has just begun to lead.
    Led,
    /// A node has just acknowledged entries to its leader.
    Acknowledged,
    /// An image is being written by the node that it is of.
    ImageSaving,
    /// An image is coming in.
    ImageArriving,
    /// An image from another has become durable, and the log has not been reset to it.
    ImageArrived,
    /// A round that proves leadership for reads or renewals has just been asked for.
    ReadAsked,
    /// A lease renewal has just been asked for.
    RenewalAsked,
    /// A leader has just acknowledged another node's lease renewal.
    Renewed,
    /// A leader has just told another to take over.
    Transferred,
    /// A node has just applied an entry: on the leader, clients have just been answered.
    Applied,
    /// A client has just been answered.
    Answered,
    /// A new log segment has just been begun.
    Segment,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Trigger; 14] = [
        Trigger::Voted,
        Trigger::Synced,
        Trigger::Led,
        Trigger::Acknowledged,
        Trigger::ImageSaving,
        Trigger::ImageArriving,
        Trigger::ImageArrived,
        Trigger::ReadAsked,
        Trigger::RenewalAsked,
        Trigger::Renewed,
        Trigger::Transferred,
        Trigger::Applied,
        Trigger::Answered,
        Trigger::Segment,
    ];

    pub(crate) fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// Whom a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This node.
    Node(NodeId),
    /// Who leads then; without a leader, any node.
    Leader,
    /// Any node but the leader.
    Follower,
    /// Where the moment came; any node if there was none.
    Trigger,
    /// Several nodes, fewer than half.
    Minority,
    /// All nodes.
    Everybody,
}

/// Who can still talk to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Two sides; node `n` is on the one that bit `n` says.
    Split(u64),
    /// Those struck talk to nobody.
    Isolate,
    /// Those struck hear nobody.
    Deaf,
    /// Those struck are heard by nobody.
    Mute,
    /// Those struck and one other do not reach each other, though both reach the rest.
    Pair,
    /// Those struck do not reach one other, who reaches them.
    OneWay,
}

/// Where bytes rot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rot {
    /// In a log segment.
    Log,
    /// In an image.
    Image,
    /// In the file that says whose data this is.
    Identity,
}

/// What goes wrong. A process that ends is started again after `down`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The process is killed; what it wrote is in the page cache.
    Kill {
        /// Until it is started again.
        down: Duration,
    },
    /// The machine loses power.
    LosePower {
        /// What is left of what was not synced.
        survivors: Survivors,
        /// Until it is started again.
        down: Duration,
    },
    /// The process ends in the middle of what its disk was about to do.
    Tear {
        /// So many operations in.
        operations: u64,
        /// The machine loses power with it, and this is left.
        survivors: Option<Survivors>,
        /// Until it is started again.
        down: Duration,
    },
    /// The process does nothing, and wakes up without knowing.
    Pause {
        /// For so long.
        lasts: Duration,
    },
    /// Every turn of the process takes time.
    SlowCpu {
        /// So much.
        turn: Duration,
        /// For so long.
        lasts: Duration,
    },
    /// Some nodes do not reach others.
    Partition {
        /// Which.
        shape: Shape,
        /// For so long.
        lasts: Duration,
    },
    /// The links from and to those struck are bad.
    BadLink {
        /// Packets lost, of 1000.
        loss: u64,
        /// Packets that come twice, of 1000.
        duplicate: u64,
        /// Packets take up to so long, and overtake one another.
        slowest: Duration,
        /// For so long.
        lasts: Duration,
    },
    /// Nothing comes through from and to those struck, and then everything does at once.
    Clog {
        /// For so long.
        lasts: Duration,
    },
    /// Packets that were sent earlier come again, whoever listens now.
    Replay {
        /// How many.
        count: u64,
        /// From the whole run, and not only from the last moments.
        old: bool,
        /// They come within so long.
        within: Duration,
    },
    /// Packets from and to those struck are damaged on the way: their checksums fail, and they are dropped.
    /// Some are shown to the decoder and to a copy of the node all the same.
    Corrupt {
        /// Of 1000.
        permille: u64,
        /// For so long.
        lasts: Duration,
    },
    /// The clock runs faster, or slower, from now on.
    Drift {
        /// In parts of a million.
        ppm: i64,
    },
    /// The monotonic clock jumps forward, as none should.
    Jump {
        /// So far.
        by: Duration,
    },
    /// The monotonic clock stands still although the process runs, as none should.
    Freeze {
        /// For so long.
        lasts: Duration,
    },
    /// The disk is slow.
    SlowDisk {
        /// What a sync takes longer, at most.
        by: Duration,
        /// For so long.
        lasts: Duration,
    },
    /// The disk does nothing.
    HoldDisk {
        /// For so long.
        lasts: Duration,
    },
    /// The disk's next operation of this kind fails. A sync that fails drops what it was to write, and the
    /// next one says that all is well.
    FailWrite {
        /// Which.
        operation: Operation,
    },
    /// A read fails: one of the next start, or the next of the running process.
    FailRead {
        /// The process is killed, and the first reads of its next start fail.
        at_start: bool,
        /// How many reads go well before.
        after: u64,
    },
    /// The disk is full.
    FillDisk {
        /// But for so many bytes.
        room: u64,
        /// For so long.
        lasts: Duration,
    },
    /// The node is killed, and before it is started again, bits of a file rot.
    Rot {
        /// In what.
        place: Rot,
        /// How many bits.
        bits: u64,
        /// Until it is started again.
        down: Duration,
    },
    /// The node comes back with an empty disk.
    Wipe {
        /// Until it is started again.
        down: Duration,
    },
    /// The disk as it is now is put back later, and the node is started on it.
    OldDisk {
        /// So much later.
        after: Duration,
        /// Until it is started again.
        down: Duration,
    },
    /// An operator asks the leader to hand over to those struck.
    Transfer,
    /// An operator lifts the refusal of growth.
    LiftNoSpace,
}

impl Act {
    /// How long it lasts, if it ends by itself: until it is over, or until what ended is started again.
    pub fn lasts(&self) -> Option<Duration> {
        match *self {
            Act::Kill { down }
            | Act::LosePower { down, .. }
            | Act::Tear { down, .. }
            | Act::Rot { down, .. }
            | Act::Wipe { down } => Some(down),
            Act::Pause { lasts }
            | Act::SlowCpu { lasts, .. }
            | Act::Partition { lasts, .. }
            | Act::BadLink { lasts, .. }
            | Act::Clog { lasts }
            | Act::Corrupt { lasts, .. }
            | Act::Freeze { lasts }
            | Act::SlowDisk { lasts, .. }
            | Act::HoldDisk { lasts }
            | Act::FillDisk { lasts, .. } => Some(lasts),
            Act::Replay { within, .. } => Some(within),
            Act::OldDisk { after, down } => Some(after + down),
            Act::Drift { .. }
            | Act::Jump { .. }
            | Act::FailWrite { .. }
            | Act::FailRead { .. }
            | Act::Transfer
            | Act::LiftNoSpace => None,
        }
    }

    /// Its name, as counts and statistics call it.
    pub fn name(&self) -> &'static str {
        match self {
            Act::Kill { .. } => "kill",
            Act::LosePower { .. } => "lose power",
            Act::Tear { .. } => "tear",
            Act::Pause { .. } => "pause",
            Act::SlowCpu { .. } => "slow cpu",
            Act::Partition { shape, .. } => match shape {
                Shape::Split(_) => "split",
                Shape::Isolate => "isolate",
                Shape::Deaf => "deaf",
                Shape::Mute => "mute",
                Shape::Pair => "pair cut",
                Shape::OneWay => "one way cut",
            },
            Act::BadLink { .. } => "bad link",
            Act::Clog { .. } => "clog",
            Act::Replay { .. } => "replay",
            Act::Corrupt { .. } => "corrupt",
            Act::Drift { .. } => "drift",
            Act::Jump { .. } => "clock jump",
            Act::Freeze { .. } => "clock freeze",
            Act::SlowDisk { .. } => "slow disk",
            Act::HoldDisk { .. } => "hold disk",
            Act::FailWrite { operation: Operation::Sync } => "fail sync",
            Act::FailWrite { .. } => "fail write",
            Act::FailRead { .. } => "fail read",
            Act::FillDisk { .. } => "fill disk",
            Act::Rot { .. } => "rot",
            Act::Wipe { .. } => "wipe",
            Act::OldDisk { .. } => "old disk",
            Act::Transfer => "transfer",
            Act::LiftNoSpace => "lift no space",
        }
    }
}
